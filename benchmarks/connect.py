"""Time to connect, beside other stacks: from the offerer's set_local_description to its data channel being open.

    python benchmarks/connect.py [--runs 5] [--connects 10] [--rtt 50] [--json FILE]
    npm install --ignore-scripts --prefix .cache/peers werift @roamhq/wrtc      # the stacks that run in node

Both ends of a connection are the same stack, each a process of its own, on the machine's own network (a namespace with
a veth pair, as root) and, as root, on two namespaces with a wire between them that takes half of `--rtt` each way. The
signalling is a pipe and takes no time. Stacks take turns; medians and quartiles of all connections are shown, CPU of
both ends beside them. Ours is shown on the virtual network too, where nothing but the protocol takes time. `trickle`
sends candidates as they are found, `vanilla` waits for all of them; aiortc always waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_channels import NAMESPACE, machine, run_pair
from delayed_network import delayed_network

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".cache" / "peers"
STACKS = {
    "ours": "webrtc_stack",
    "aiortc": "aiortc",
    "werift": "werift (node)",
    "wrtc": "libwebrtc (@roamhq/wrtc, node)",
}
Prefixes = tuple[Sequence[str], Sequence[str]]


def missing(stack: str) -> str | None:
    """Why a stack cannot take part, or None."""
    if stack == "ours":
        return None
    if stack == "aiortc":
        done = subprocess.run([sys.executable, "-c", "import aiortc"], capture_output=True, check=False)
        return None if done.returncode == 0 else "aiortc is not installed: pip install -e '.[interop]'"
    if shutil.which("node") is None:
        return "there is no node"
    package = {"werift": "werift", "wrtc": "@roamhq/wrtc"}[stack]
    if not (PEERS / "node_modules" / package).is_dir():
        return f"not installed: npm install --ignore-scripts --prefix {PEERS} {package}"
    return None


def measure(stack: str, connects: int, signalling: str, prefixes: Prefixes) -> tuple[list[float], float]:
    """Seconds of each connection at the offerer, and CPU seconds a connection at both ends."""
    ends = run_pair(stack, "connect", str(connects), signalling, prefixes=prefixes, peers=PEERS)
    return ends["offer"]["times"][1:], (ends["offer"]["cpu"] + ends["answer"]["cpu"]) / (connects - 1)


def virtual(round_trip: float, trickle: bool) -> float:
    """Ours on the virtual network, signalling for free: what the protocol alone takes."""
    import webrtc_stack as rtc
    from webrtc_stack import sim

    async def main(net: sim.Network) -> float:
        left, right = net.host("10.0.0.1"), net.host("10.0.0.2")
        async with rtc.Client(runtime=left) as ours, rtc.Client(runtime=right) as theirs:
            one, other = ours.create_peer_connection(), theirs.create_peer_connection()
            channel = one.create_data_channel("bench")
            for source, target in ((one, other), (other, one)):
                await source.set_local_description()
                if not trickle:
                    await source.wait_gathering_complete()
                assert source.local_description is not None
                await target.set_remote_description(source.local_description)

            async def pump(source: rtc.PeerConnection, target: rtc.PeerConnection) -> None:
                async for candidate in source.ice_candidates():
                    await target.add_ice_candidate(candidate)

            async with asyncio.TaskGroup() as group:
                group.create_task(pump(one, other))
                group.create_task(pump(other, one))
                await channel.opened(timeout=30)
                opened = net.now
            return opened

    return sim.run(main, network=sim.Network(1, default_link=sim.LinkConfig(latency=round_trip / 2)))


def table(title: str, prefixes: Prefixes, stacks: Sequence[str], args: argparse.Namespace) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    print(
        f"\n{title}\n{'signalling':>10} {'stack':<32} {'median ms':>9} {'quartiles':>15} {'CPU ms':>7} {'to ours':>8}"
    )
    for signalling in ("vanilla", "trickle"):
        times: dict[str, list[float]] = {stack: [] for stack in stacks}
        cpu: dict[str, list[float]] = {stack: [] for stack in stacks}
        failed: dict[str, str] = {}
        for _ in range(args.runs):
            for stack in stacks:
                if stack in failed:
                    continue
                try:
                    found, used = measure(stack, args.connects, signalling, prefixes)
                except SystemExit as error:
                    failed[stack] = str(error).splitlines()[-1][:100]
                    continue
                times[stack] += found
                cpu[stack].append(used)
        base = statistics.median(times[stacks[0]])
        for stack in stacks:
            if not times[stack]:
                print(f"{signalling:>10} {STACKS[stack]:<32} failed: {failed[stack]}")
                rows.append({"network": title, "signalling": signalling, "stack": stack, "failed": failed[stack]})
                continue
            low, median, high = statistics.quantiles(times[stack], n=4)
            used = statistics.median(cpu[stack])
            row = {"seconds": median, "quartiles": [low, high], "cpu_seconds": used}
            rows.append({"network": title, "signalling": signalling, "stack": stack, **row})
            print(
                f"{signalling:>10} {STACKS[stack]:<32} {median * 1e3:>9.1f} {low * 1e3:>7.1f}{high * 1e3:>8.1f}"
                f" {used * 1e3:>7.1f} {median / base:>8.2f}",
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connects", type=int, default=10, help="connections a run; the first of each warms up")
    parser.add_argument("--rtt", type=float, default=50.0, help="round trip of the slow network, in milliseconds")
    parser.add_argument("--json", type=Path, help="also write everything here")
    args = parser.parse_args()
    if args.connects < 3:
        parser.error("--connects is at least 3: the first one warms up")
    rooted = os.geteuid() == 0 and shutil.which("ip") is not None and shutil.which("unshare") is not None
    if rooted and "BENCH_NAMESPACE" not in os.environ:
        os.environ["BENCH_NAMESPACE"] = "1"
        # Mounts of its own too: the named namespaces of the slow network end with it.
        command = (
            "mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs none /run/netns; }; "
        )
        os.execvp(
            "unshare", ["unshare", "--net", "--mount", "sh", "-c", command + NAMESPACE, "sh", sys.executable, *sys.argv]
        )
    report: dict[str, Any] = {"machine": machine(), "missing": {}, "rows": []}
    print(report["machine"])
    stacks = []
    for stack, name in STACKS.items():
        reason = missing(stack)
        if reason is None:
            stacks.append(stack)
        else:
            report["missing"][stack] = reason
            print(f"missing: {name}: {reason}")
    report["rows"] += table("this machine's own network", ((), ()), stacks, args)
    title = f"a wire with {args.rtt:g} ms round trip"
    if rooted:
        with delayed_network(args.rtt / 2000) as prefixes:
            report["rows"] += table(title, prefixes, stacks, args)
    else:
        report["missing"][title] = "needs root on Linux"
        print(f"missing: {title}: needs root on Linux")
    for trickle in (False, True):
        seconds = virtual(args.rtt / 1000, trickle)
        signalling = "trickle" if trickle else "vanilla"
        report["rows"].append({"network": "virtual", "signalling": signalling, "stack": "ours", "seconds": seconds})
        print(f"ours on the virtual network, {args.rtt:g} ms round trip, {signalling}: {seconds * 1e3:.1f} ms")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
