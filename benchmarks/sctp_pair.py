"""Two SCTP associations back to back, without sockets, DTLS or simulated network: the cost of the SCTP layer alone.

    python benchmarks/sctp_pair.py [--megabytes 64] [--profile SIZE]

One side sends reliable ordered messages as fast as the other takes them; both run in this thread, so the figure is
the cost of sending, receiving and acknowledging together. Time stands still for the machines but for a millisecond a
turn, which gives them a round-trip time.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time

from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import BufferFull

SIZES = (64, 1024, 65536)


def transfer(size: int, total: int) -> float:
    """Seconds of processor time to move `total` bytes in messages of `size`."""
    entropy = SeededEntropy(1)
    left, right = (
        sctp.Association(sctp.SctpConfig(entropy=entropy.fork(name), send_buffer_bytes=1024 * 1024))
        for name in ("left", "right")
    )
    now = 0.0
    left.connect(now)
    right.connect(now)
    data = bytes(size)
    count = max(total // size, 1)
    sent = received = 0
    began = time.process_time()
    while received < count:
        now += 0.001
        while sent < count:
            try:
                left.send(1, 53, data, now)
            except BufferFull:
                break
            sent += 1
        there = left.poll_transmits(now)
        if there:
            right.receive_many(there, now)
        taken = 0
        for event in right.poll_events():
            if type(event) is sctp.MessageReceived:
                received += 1
                taken += len(event.data)
        if taken:
            right.release(taken, now)
        back = right.poll_transmits(now)
        if back:
            left.receive_many(back, now)
        left.poll_events()
        if not there and not back:
            now = max(now, min(left.next_timeout(), right.next_timeout()))
            left.handle_timeout(now)
            right.handle_timeout(now)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--megabytes", type=float, default=64, help="how much for the largest size; smaller ones a part"
    )
    parser.add_argument("--profile", type=int, metavar="SIZE", help="show where the time goes for messages of SIZE")
    arguments = parser.parse_args()
    if arguments.profile:
        profile = cProfile.Profile()
        profile.enable()
        transfer(arguments.profile, int(arguments.megabytes * 1e6) * min(arguments.profile, 8192) // 65536)
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(18)
        return
    for size in SIZES:
        total = int(arguments.megabytes * 1e6) * min(max(size, 1024), 8192) // 8192
        seconds = min(transfer(size, total) for _ in range(3))
        messages = total // size
        print(f"{size:6d} B  {total / seconds / 1e6:8.1f} MB/s  {messages / seconds:10.0f} messages/s")


if __name__ == "__main__":
    main()
