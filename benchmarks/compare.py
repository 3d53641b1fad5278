"""This stack, under its C core and in pure Python, beside the stacks that people use: every row in one run.

    python benchmarks/compare.py [--runs 5] [--only GROUP] [--stack NAME] [--json FILE] [--picture FILE] [--markdown]
    python benchmarks/compare.py --install       # fetches the peers into .cache/peers: npm, pip, and Go where it is

Rows of one process: every library in a process of its own. Rows of two: both ends are the same stack, each in a process
of its own, signalling through pipes. Everybody takes turns, row by row; medians of all runs are shown, CPU beside wall
time where both count. A peer that is missing, or cannot do something, is named below the table. aiortc offers no
loopback candidates, so as root everything moves into a network namespace with a veth pair.

Only ratios within one run say something: the machine may be slow today, but it was slow for everybody.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from namespaces import move_into_namespace

from webrtc_stack.cli.bench import progress, report
from webrtc_stack.cli.bench.rows import GROUPS, in_process_rows, live_rows
from webrtc_stack.cli.bench.session import (
    LIBRARIES,
    OUR_CONTENDERS,
    Contender,
    measure_in_process,
    measure_live,
)
from webrtc_stack.cli.bench.summary import Results

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".cache" / "peers"
NODE_PACKAGES = ("werift", "@roamhq/wrtc", "node-datachannel")
PYTHON_PACKAGES = ("aiortc", "uvloop", "pylibsrtp", "wrtc", "pylibdatachannel")
CHANNELS = frozenset({"throughput", "connect", "ping", "idle"})


def peers() -> list[Contender]:
    """Every stack that this benchmark knows, and why one is missing."""
    return [
        _python("aiortc", "aiortc", "aiortc", modes=CHANNELS | {"media"}, unable="it forwards nothing undecoded"),
        _python("aiortc-uvloop", "aiortc, uvloop", "aiortc", "uvloop", modes=CHANNELS | {"media"}),
        _python("wrtc", "libwebrtc (wrtc)", "webrtc", modes=CHANNELS, unable="it takes no encoded frames"),
        _python(
            "pyldc",
            "libdatachannel (pylibdatachannel)",
            "pylibdatachannel",
            modes=CHANNELS,
            unable="its tracks are not driven here",
        ),
        _node("roamhq", "libwebrtc (node)", "@roamhq/wrtc", modes=CHANNELS, unable="it takes no encoded frames"),
        _node(
            "ndc",
            "libdatachannel (node)",
            "node-datachannel",
            modes=CHANNELS,
            unable="its tracks are not driven here",
        ),
        _node("werift", "werift (node)", "werift"),
        _pion(),
    ]


def _python(name: str, title: str, *packages: str, modes: frozenset[str], unable: str = "") -> Contender:
    absent = [one for one in packages if importlib.util.find_spec(one) is None]
    missing = f"{' and '.join(absent)} cannot be imported; see --install" if absent else ""
    command = (sys.executable, str(HERE / "peers.py"), name)
    worker = "aiortc" if name == "aiortc" else ""
    return Contender(name=name, title=title, worker=worker, end=command, modes=modes, unable=unable, missing=missing)


def _node(name: str, title: str, package: str, *, modes: frozenset[str] | None = None, unable: str = "") -> Contender:
    missing = ""
    if shutil.which("node") is None:
        missing = "there is no node"
    elif not (PEERS / "node_modules" / package).is_dir():
        missing = f"{package} is not installed; see --install"
    command = ("node", str(HERE / "peer.mjs"), name)
    environment = {"PEERS": str(PEERS)}
    return Contender(
        name=name, title=title, end=command, modes=modes, unable=unable, missing=missing, environment=environment
    )


def _pion() -> Contender:
    program = PEERS / "pion"
    missing = "" if program.exists() else "it is not built; see --install"
    return Contender(name="pion", title="Pion v3 (Go)", end=(str(program), "pion"), missing=missing)


def install() -> None:
    """Fetches what can be fetched into `.cache/peers` and this Python, and says what cannot."""
    PEERS.mkdir(parents=True, exist_ok=True)
    for package in PYTHON_PACKAGES:
        _attempt(package, [sys.executable, "-m", "pip", "install", "-q", package])
    if shutil.which("npm") is None:
        print("missing: npm, for werift, libwebrtc and libdatachannel in node")
    else:
        npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(PEERS)]
        _attempt("node packages", [*npm, *NODE_PACKAGES])
    sources = Path("/usr/share/gocode")
    if shutil.which("go") is None or not (sources / "src/github.com/pion/webrtc").is_dir():
        print("missing: go and Pion, on Debian: apt-get install golang-go golang-github-pion-webrtc.v3-dev")
        return
    workspace = PEERS / "go"
    package_folder = workspace / "src" / "pion"
    package_folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "pion" / "main.go", package_folder)
    (package_folder / "go.mod").write_text("module pion\n\ngo 1.19\n")  # lets import paths with /v3 be found
    environment = {"GO111MODULE": "off", "GOPATH": f"{workspace}:{sources}", "GOCACHE": str(PEERS / "gocache")}
    _attempt("Pion", ["go", "build", "-o", str(PEERS / "pion"), "."], package_folder, environment)


def _attempt(
    what: str, command: list[str], folder: Path | None = None, environment: dict[str, str] | None = None
) -> None:
    done = subprocess.run(command, cwd=folder, env={**os.environ, **(environment or {})}, check=False)
    print(f"{what}: {'there' if done.returncode == 0 else 'failed: ' + ' '.join(command)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="makes every measurement so much longer")
    parser.add_argument("--only", action="append", choices=tuple(GROUPS), help="this group; may be repeated")
    parser.add_argument("--stack", action="append", help="this stack besides ours; may be repeated")
    parser.add_argument("--json", type=Path, help="also write everything here")
    parser.add_argument("--picture", type=Path, help="also draw it")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--install", action="store_true", help="fetch the peers, and end")
    options = parser.parse_args()
    if options.install:
        install()
        return
    move_into_namespace()
    known = peers()
    if unknown := set(options.stack or ()) - {one.name for one in (*known, *LIBRARIES)}:
        parser.error(f"no such stack: {', '.join(unknown)}; there are {', '.join(one.name for one in known)}")
    libraries = [one for one in LIBRARIES if one.name != "aiortc"]  # it is among the peers
    contenders = [
        one
        for one in (*OUR_CONTENDERS, *libraries, *known)
        if not options.stack or one.name in options.stack or one in OUR_CONTENDERS
    ]
    wanted = frozenset(options.only or GROUPS)
    results = Results({one.name: one.title for one in contenders})
    results.missing.update({one.name: one.missing for one in contenders if one.missing})
    for name, value in results.machine.items():
        print(f"{name:>12}  {value}", flush=True)
    tell = progress()
    rows = [row for row in in_process_rows() if row.group in wanted]
    lives = [live for live in live_rows(options.scale) if live.rows[0].group in wanted]
    if rows:
        measure_in_process(rows, contenders, options.runs, 0.1 * options.scale, results, tell)
    if lives:
        measure_live(lives, contenders, options.runs, results, tell)
    tell(1, 1, "")
    report(results, as_json=options.json, to_picture=options.picture, as_markdown=options.markdown)


if __name__ == "__main__":
    main()
