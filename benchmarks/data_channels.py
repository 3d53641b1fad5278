"""Data channels of this stack beside aiortc's: throughput both ways, and time to connect.

    python benchmarks/data_channels.py [--runs 5] [--seconds 2] [--json FILE]

Each end is a process of its own, the stacks take turns, the medians of all runs are shown with CPU seconds beside wall
time. aiortc offers no loopback candidates, so as root the whole benchmark moves itself into a network namespace with
a veth pair; otherwise both stacks use this machine's own address. Figures are ratios within one run: the machine may
be slow today, but it was slow for both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SIZES = (64, 1024, 65536)
STACKS = ("ours", "aiortc")
NAMESPACE = (
    "ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 10.77.0.1/24 dev v0"
    ' && ip link set v0 up && ip link set v1 up && exec "$@"'
)


def command_of(stack: str) -> list[str]:
    """What runs one end; stacks that are not Python's run in node."""
    return [sys.executable, str(HERE / "peer.py")] if stack in STACKS else ["node", str(HERE / "peer.mjs")]


def run_pair(
    stack: str,
    *mode: str,
    timeout: float = 120.0,
    prefixes: tuple[Sequence[str], Sequence[str]] = ((), ()),
    peers: Path | None = None,
) -> dict[str, Any]:
    """Both ends of one measurement; {"offer": {...}, "answer": {...}}.

    `prefixes` say where each end runs, `peers` where node's packages are.
    """
    there, back = os.pipe(), os.pipe()
    results: dict[str, Any] = {}
    errors: dict[str, list[str]] = {"offer": [], "answer": []}
    processes = []
    for role, prefix, read, write in (
        ("offer", prefixes[0], back[0], there[1]),
        ("answer", prefixes[1], there[0], back[1]),
    ):
        process = subprocess.Popen(
            [*prefix, *command_of(stack), stack, role, *mode],
            stdin=read,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "PEERS": str(peers)},
        )
        processes.append((role, process))
    for end in (*there, *back):
        os.close(end)

    def drain(role: str, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("RESULT "):
                results[role] = json.loads(line[7:])
            else:
                errors[role].append(line.rstrip())

    threads = [threading.Thread(target=drain, args=pair) for pair in processes]
    for thread in threads:
        thread.start()
    try:
        for _, process in processes:
            process.wait(timeout)
    except subprocess.TimeoutExpired:
        for _, process in processes:
            process.kill()
    for thread in threads:
        thread.join()
    if len(results) < 2:
        raise SystemExit(f"{stack} {' '.join(mode)} gave no result:\n" + "\n".join(errors["offer"] + errors["answer"]))
    return results


def throughput(stack: str, size: int, seconds: float, direction: str) -> dict[str, float]:
    ends = run_pair(stack, "throughput", str(size), str(seconds), direction)
    receiver = ends["answer" if direction == "out" else "offer"]
    assert receiver["messages"] == receiver["expected"], "messages were lost on a reliable channel"
    gigabytes = receiver["bytes"] / 1e9
    return {
        "mbytes_per_second": receiver["bytes"] / receiver["wall"] / 1e6,
        "messages_per_second": receiver["messages"] / receiver["wall"],
        "cpu_seconds_per_gb": (ends["offer"]["cpu"] + ends["answer"]["cpu"]) / gigabytes,
    }


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {"python": platform.python_version(), "kernel": platform.release(), "cpus": os.cpu_count(), "commit": commit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connects", type=int, default=20, help="connections a run")
    parser.add_argument("--only", choices=("throughput", "connect"))
    parser.add_argument("--stack", choices=STACKS, help="one stack alone")
    parser.add_argument("--json", type=Path, help="also write everything here")
    args = parser.parse_args()
    if os.geteuid() == 0 and "BENCH_NAMESPACE" not in os.environ and shutil.which("ip") and shutil.which("unshare"):
        os.environ["BENCH_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", NAMESPACE, "sh", sys.executable, *sys.argv])

    stacks = (args.stack,) if args.stack else STACKS
    report: dict[str, Any] = {"machine": machine(), "throughput": [], "connect": []}
    print(report["machine"])
    if args.only != "connect":
        print(f"{'size':>6} {'direction':>9} {'stack':>7} {'MB/s':>8} {'messages/s':>11} {'CPU s/GB':>9} {'ratio':>6}")
        for size in SIZES:
            for direction in ("out", "back"):
                runs: dict[str, list[dict[str, float]]] = {stack: [] for stack in stacks}
                for _ in range(args.runs):
                    for stack in stacks:
                        runs[stack].append(throughput(stack, size, args.seconds, direction))
                base = medians(runs[stacks[-1]])["mbytes_per_second"]
                for stack in stacks:
                    row = medians(runs[stack])
                    report["throughput"].append({"size": size, "direction": direction, "stack": stack, **row})
                    print(
                        f"{size:>6} {direction:>9} {stack:>7} {row['mbytes_per_second']:>8.2f}"
                        f" {row['messages_per_second']:>11.0f} {row['cpu_seconds_per_gb']:>9.1f}"
                        f" {row['mbytes_per_second'] / base:>6.2f}",
                        flush=True,
                    )
    if args.only != "throughput":
        print(f"{'signalling':>10} {'stack':>7} {'median ms':>10} {'CPU ms':>7} {'ratio':>6}")
        for trickle in ("vanilla", "trickle"):
            times: dict[str, list[float]] = {stack: [] for stack in stacks}
            cpu: dict[str, list[float]] = {stack: [] for stack in stacks}
            for _ in range(args.runs):
                for stack in stacks:
                    ends = run_pair(stack, "connect", str(args.connects), trickle)
                    times[stack] += ends["offer"]["times"]
                    cpu[stack].append((ends["offer"]["cpu"] + ends["answer"]["cpu"]) / (args.connects - 1))
            base = statistics.median(times[stacks[-1]])
            for stack in stacks:
                median = statistics.median(times[stack])
                report["connect"].append({"signalling": trickle, "stack": stack, "seconds": median})
                print(
                    f"{trickle:>10} {stack:>7} {median * 1000:>10.1f} {statistics.median(cpu[stack]) * 1000:>7.1f}"
                    f" {median / base:>6.2f}",
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
