"""Where the time goes: a media send, a media receive and a data channel transfer, by room and by function.

    python benchmarks/profiles.py [--seconds 3] [--top 12] [--only NAME]

Two processes of this stack do what `webrtc-stack bench` measures; the one that is looked at runs under cProfile, which
counts every call and makes calls dear: shares of functions that call much are overstated, C that runs long is not.
Idle waiting is left out.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from namespaces import move_into_namespace

from webrtc_stack.cli.bench import ends
from webrtc_stack.cli.bench.pairs import run_pair

JOBS = {
    "media send": ("offer", ("media", "0", "50")),
    "media receive": ("answer", ("media", "0", "50")),
    "forwarding to 8": ("answer", ("fanout", "8", "20", "0")),
    "channel send, 64 KiB": ("offer", ("throughput", "65536", "0")),
    "channel receive, 64 KiB": ("answer", ("throughput", "65536", "0")),
    "ping": ("offer", ("ping", "2000")),
}
"""What is done, and which end of it is looked at; "0" is where the seconds go, and in `fanout` and `media` frames
stay as they are."""
WAITING = ("select.epoll", "time.sleep", "_queue", "threading.py")


def profiled_end(stack: str) -> None:
    """One end under the profiler, if its role is the one that is looked at."""
    if sys.argv[2] != os.environ["PROFILE_ROLE"]:
        ends.main({stack: ends.Ours})
        return
    profile = cProfile.Profile()

    class Profiled(ends.Meter):
        """Looks at what is measured alone, not at the way there."""

        def start(self) -> None:
            super().start()
            profile.enable()

        def read(self) -> dict[str, float]:
            profile.disable()
            return super().read()

    vars(ends)["Meter"] = Profiled
    ends.main({stack: ends.Ours})
    profile.dump_stats(os.environ["PROFILE_FILE"])


def words(mode: tuple[str, ...], seconds: float) -> list[str]:
    """The mode with its seconds filled in."""
    at = {"media": 1, "fanout": 3, "throughput": 2}.get(mode[0])
    return [str(seconds) if at == index else word for index, word in enumerate(mode)]


def room_of(file: str, function: str) -> str:
    """The room that a function belongs to; everything outside the package by what it is."""
    parts = Path(file).parts
    if "webrtc_stack" in parts:
        below = parts[len(parts) - 1 - parts[::-1].index("webrtc_stack") + 1 :]
        return below[0].removesuffix(".py")
    if "asyncio" in parts or "selectors.py" in file:
        return "asyncio"
    if file == "~":
        if "webrtc_stack.hot" in function:
            return "C core"
        return "C: socket" if "socket" in function else "C: cryptography" if "cryptography" in function else "C: other"
    return "Python's library"


def show(title: str, path: Path, top: int) -> None:
    statistics: Any = pstats.Stats(str(path))
    rooms: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    calls = 0
    for (file, line, function), (_, count, own, _, _) in statistics.stats.items():
        if any(word in f"{file}{function}" for word in WAITING):
            continue
        room = room_of(file, function)
        rooms[room] += own
        name = function if file == "~" else f"{room}: {Path(file).name}:{line} {function}"
        functions[f"{name}"] += own
        calls += count
    total = sum(rooms.values())
    print(f"\n{title}: {total:.2f} s of work, {calls:,} calls")
    print("  rooms:     " + ", ".join(f"{name} {own / total:.0%}" for name, own in rooms.most_common(10)))
    for name, own in functions.most_common(top):
        print(f"  {own / total:6.1%}  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--top", type=int, default=12)
    parser.add_argument("--only", choices=tuple(JOBS))
    options = parser.parse_args()
    move_into_namespace()
    command = (sys.executable, __file__, "--end")
    for title, (role, mode) in JOBS.items():
        if options.only not in (None, title):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "profile"
            environment = {"PROFILE_ROLE": role, "PROFILE_FILE": str(path)}
            run_pair(command, *words(mode, options.seconds), environment=environment)
            show(title, path, options.top)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--end"]:
        sys.argv[1] = "ours"
        profiled_end("ours")
    else:
        main()
