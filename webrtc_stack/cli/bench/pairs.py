"""Two processes that are the two ends of one measurement. See `ends.py` for what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence


class PairError(Exception):
    """A measurement gave no result; the text is the last that its processes said."""


def run_pair(
    command: Sequence[str],
    *mode: str,
    environment: Mapping[str, str] | None = None,
    prefixes: tuple[Sequence[str], Sequence[str]] = ((), ()),
    timeout: float = 90.0,
) -> dict[str, dict[str, float]]:
    """Runs `command ROLE mode...` as `offer` and as `answer`; `prefixes` say where each end runs.

    Returns: the results of both ends. Errors: `PairError`.
    """
    there, back = os.pipe(), os.pipe()
    results: dict[str, dict[str, float]] = {}
    said: list[str] = []
    processes = []
    for role, prefix, read, write in (
        ("offer", prefixes[0], back[0], there[1]),
        ("answer", prefixes[1], there[0], back[1]),
    ):
        process = subprocess.Popen(
            [*prefix, *command, role, *mode],
            stdin=read,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
        )
        processes.append((role, process))
    for end in (*there, *back):
        os.close(end)

    def drain(role: str, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                if line.startswith("RESULT "):
                    results[role] = json.loads(line[7:])
                else:
                    said.append(line.rstrip())
                    del said[:-20]

    threads = [threading.Thread(target=drain, args=pair) for pair in processes]
    for thread in threads:
        thread.start()
    late = False
    try:
        for _, process in processes:
            process.wait(timeout)
    except subprocess.TimeoutExpired:
        late = True
        for _, process in processes:
            process.kill()
    for thread in threads:
        thread.join()
    for _, process in processes:
        process.wait()
    if len(results) < 2:
        words = said[-1] if said else "its processes said nothing"
        raise PairError(f"no result within {timeout:g} s: {words}" if late else words)
    return results


OURS = (sys.executable, "-m", "webrtc_stack.cli.bench.ends", "ours")
