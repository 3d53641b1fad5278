"""How fast this machine moves UDP datagrams over loopback: plain against segmented, joined against single.

    python benchmarks/udp_bursts.py [--size 1200] [--rounds 200]

Sender and receiver take turns in one process, so that each is timed alone; the interleaved rounds' medians are
printed, with what each way costs against the other. Burst: 64 datagrams to one remote, through `BurstSocket`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence

from webrtc_stack.io import AsyncioRuntime, BurstSocket, LocalAddress, Outgoing, ReceivedLike, UdpConfig, capabilities

BURST = 64


class Receiver:
    """Counts, and is read by hand so that nothing but reading is timed."""

    def __init__(self, gro: bool) -> None:
        self.count = 0
        self.socket = open_socket(UdpConfig(gro=gro), self.on_burst)

    def on_burst(self, burst: Sequence[ReceivedLike]) -> None:
        self.count += len(burst)

    def drain(self) -> tuple[int, float]:
        before = self.count
        start = time.perf_counter()
        while True:
            seen = self.count
            self.socket._on_readable()
            if self.count == seen:
                break
        return self.count - before, time.perf_counter() - start


def open_socket(config: UdpConfig, on_burst: object = None) -> BurstSocket:
    runtime = AsyncioRuntime(udp=config)
    return runtime.open_udp(
        LocalAddress("lo", "127.0.0.1"),
        on_burst=on_burst if callable(on_burst) else lambda burst: None,
        on_writable=lambda: None,
    )


async def measure(size: int, rounds: int) -> dict[str, float]:
    """Median seconds a datagram, by way."""
    receivers = {"recv single": Receiver(gro=False), "recv joined": Receiver(gro=True)}
    senders = {"send plain": open_socket(UdpConfig(gso=False)), "send segmented": open_socket(UdpConfig(gso=True))}
    costs: dict[str, list[float]] = {}
    for _ in range(rounds):
        for way, sender in senders.items():
            for other, receiver in receivers.items():
                burst = [Outgoing(receiver.socket.address, bytes(size)) for _ in range(BURST)]
                start = time.perf_counter()
                sender.send_burst(burst)
                costs.setdefault(way, []).append((time.perf_counter() - start) / BURST)
                count, elapsed = receiver.drain()
                assert count == BURST, f"{count} of {BURST} arrived"
                costs.setdefault(f"{other} ({way})", []).append(elapsed / BURST)
    for sender in senders.values():
        sender.close()
    for receiver in receivers.values():
        receiver.socket.close()
    return {way: statistics.median(values) for way, values in costs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1200, help="bytes a datagram")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    print(capabilities())
    costs = asyncio.run(measure(options.size, options.rounds))
    print(f"{BURST} datagrams of {options.size} bytes a burst, median of {options.rounds} rounds")
    for way, seconds in costs.items():
        print(f"  {way:32} {seconds * 1e6:7.2f} us   {1 / seconds:12,.0f} datagrams/s")
    print(f"  segmented against plain sending: {costs['send plain'] / costs['send segmented']:.1f} times")
    single, joined = costs["recv single (send plain)"], costs["recv joined (send segmented)"]
    print(f"  joined against single receiving: {single / joined:.1f} times")


if __name__ == "__main__":
    main()
