"""Time to connect, beside other stacks: from the offerer's set_local_description to its data channel being open.

    python benchmarks/connect.py [--runs 5] [--connects 10] [--rtt 50] [--json FILE]
    python benchmarks/compare.py --install      # the stacks beside ours

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
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compare import peers
from delayed_network import delayed_network
from namespaces import can_make_namespaces, move_into_namespace

from webrtc_stack.cli.bench.pairs import PairError, run_pair
from webrtc_stack.cli.bench.session import OUR_CONTENDERS, Contender, Prefixes
from webrtc_stack.cli.bench.summary import machine


def measure(stack: Contender, connects: int, signalling: str, prefixes: Prefixes) -> tuple[list[float], float]:
    """Seconds of each connection at the offerer, and CPU seconds a connection at both ends."""
    ends = run_pair(stack.end, "connect", str(connects), signalling, environment=stack.environment, prefixes=prefixes)
    times: list[float] = ends["offer"]["times"]  # type: ignore[assignment]
    return times, (ends["offer"]["cpu"] + ends["answer"]["cpu"]) / connects


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


def table(
    title: str, prefixes: Prefixes, stacks: Sequence[Contender], args: argparse.Namespace
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    print(
        f"\n{title}\n{'signalling':>10} {'stack':<34} {'median ms':>9} {'quartiles':>15} {'CPU ms':>7} {'to ours':>8}"
    )
    for signalling in ("vanilla", "trickle"):
        times: dict[str, list[float]] = {stack.name: [] for stack in stacks}
        cpu: dict[str, list[float]] = {stack.name: [] for stack in stacks}
        failed: dict[str, str] = {}
        for _ in range(args.runs):
            for stack in stacks:
                if stack.name in failed:
                    continue
                try:
                    found, used = measure(stack, args.connects, signalling, prefixes)
                except PairError as error:
                    failed[stack.name] = str(error)[:100]
                    continue
                times[stack.name] += found
                cpu[stack.name].append(used)
        base = statistics.median(times[stacks[0].name])
        for stack in stacks:
            row: dict[str, Any] = {"network": title, "signalling": signalling, "stack": stack.name}
            rows.append(row)
            if stack.name in failed:
                row["failed"] = failed[stack.name]
                print(f"{signalling:>10} {stack.title:<34} failed: {failed[stack.name]}")
                continue
            low, median, high = statistics.quantiles(times[stack.name], n=4)
            used = statistics.median(cpu[stack.name])
            row |= {"seconds": median, "quartiles": [low, high], "cpu_seconds": used}
            print(
                f"{signalling:>10} {stack.title:<34} {median * 1e3:>9.1f} {low * 1e3:>7.1f}{high * 1e3:>8.1f}"
                f" {used * 1e3:>7.1f} {median / base:>8.2f}",
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connects", type=int, default=9, help="connections a run, besides one that warms up")
    parser.add_argument("--rtt", type=float, default=50.0, help="round trip of the slow network, in milliseconds")
    parser.add_argument("--json", type=Path, help="also write everything here")
    args = parser.parse_args()
    if args.connects < 2:
        parser.error("--connects is at least 2")
    move_into_namespace(mounts=True)
    known = [OUR_CONTENDERS[0], *peers()]
    stacks = [one for one in known if not one.missing]
    report: dict[str, Any] = {"machine": machine(), "rows": []}
    report["missing"] = {one.title: one.missing for one in known if one.missing}
    print(report["machine"])
    report["rows"] += table("this machine's own network", ((), ()), stacks, args)
    title = f"a wire with {args.rtt:g} ms round trip"
    if can_make_namespaces():
        with delayed_network(args.rtt / 2000) as prefixes:
            report["rows"] += table(title, prefixes, stacks, args)
    else:
        report["missing"][title] = "needs root on Linux"
    for trickle in (False, True):
        seconds = virtual(args.rtt / 1000, trickle)
        signalling = "trickle" if trickle else "vanilla"
        report["rows"].append({"network": "virtual", "signalling": signalling, "stack": "c", "seconds": seconds})
        print(f"ours on the virtual network, {args.rtt:g} ms round trip, {signalling}: {seconds * 1e3:.1f} ms")
    for what, why in report["missing"].items():
        print(f"missing: {what}: {why}")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
