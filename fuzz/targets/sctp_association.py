"""`sctp.Association`, established, against packets that carry its tag and a right checksum: nothing is raised, no timer
spins, and what it sends are packets.

An input is a list of packets, each behind its length in two bytes.
"""

from __future__ import annotations

from crc32c import crc32c

from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy

COUNT = 1500


def _pair() -> tuple[sctp.Association, sctp.Association, list[bytes]]:
    entropy = SeededEntropy("fuzz")
    left, right = (
        sctp.Association(sctp.SctpConfig(entropy=entropy.fork(name), receive_window_bytes=20_000)) for name in "lr"
    )
    left.connect(0.0)
    right.connect(0.0)
    said: list[bytes] = []
    for turn in range(8):
        if turn == 3:
            right.send(1, 51, bytes(3000), 0.0)
            right.send(2, 51, b"x", 0.0, max_retransmits=0)
            right.reset_streams([2], 0.0)
        left.receive_many(right.poll_transmits(0.0), 0.0)
        answers = left.poll_transmits(0.0)
        right.receive_many(answers, 0.0)
        said += answers
    return left, right, said


def _recorded() -> list[bytes]:
    left, _, said = _pair()
    left.send(1, 51, bytes(5000), 0.0)
    said += left.poll_transmits(0.0)
    left.reset_streams([1], 0.0)
    said += left.poll_transmits(0.0)
    left.abort(0.0, "bye")
    return [*said, *left.poll_transmits(0.0)]


def _framed(packets: list[bytes]) -> bytes:
    return b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)


SEEDS: list[bytes] = [_framed(_recorded()), *[_framed([packet]) for packet in _recorded()]]


def fuzz_one(data: bytes) -> None:
    _, right, said = _pair()
    header = said[-1][:8]
    now = 0.0
    right.send(3, 51, bytes(2000), now)
    while len(data) >= 2:
        size = int.from_bytes(data[:2], "big")
        packet, data = data[2 : 2 + size], data[2 + size :]
        if len(packet) >= 12:
            bare = header + bytes(4) + packet[12:]
            packet = header + crc32c(bare).to_bytes(4, "little") + packet[12:]
        right.receive(packet, now)
        for sent in right.poll_transmits(now):
            sctp.Packet.parse(sent)
        right.poll_events()
        now += 0.001
    for _ in range(60):
        due = right.next_timeout()
        if due > now + 30:
            break
        now = max(now, due)
        right.handle_timeout(now)
        right.poll_transmits(now)
        assert right.next_timeout() > now or right.state == "ended", "a timer spins"
