"""A whole peer under hostile datagrams: the first byte says how far the session has come, the rest is chunked input.

Layout: one byte (stage), then (length byte, path bit in its top bit, bytes) until the input ends. Nothing may come out
of the peer, no timer may spin, and after the storm it still closes.
"""

from __future__ import annotations

from collections.abc import Sequence

from webrtc_stack.base import NEVER, Address, Datagram, PathId, SeededEntropy, SocketId
from webrtc_stack.peer import PeerConfig, PeerCore

_LEFT, _RIGHT = Address("10.0.0.1", 5000), Address("10.0.0.2", 5000)


def _negotiated() -> tuple[PeerCore, PeerCore]:
    peers = []
    for name, address in (("left", _LEFT), ("right", _RIGHT)):
        peer = PeerCore(PeerConfig(entropy=SeededEntropy(name), wall_epoch=1_750_000_000.0))
        peers.append(peer)
        if name == "left":
            peer.create_data_channel("fuzz", 0.0)
            peer.set_local_description(None, 0.0)
        peer.add_local(address, SocketId(1), 0.0)
        peer.locals_complete(0.0)
    left, right = peers
    assert left.local_description is not None
    right.set_remote_description(left.local_description, 0.0)
    right.set_local_description(None, 0.0)
    assert right.local_description is not None
    left.set_remote_description(right.local_description, 0.0)
    return left, right


def _talk(left: PeerCore, right: PeerCore, rounds: int) -> float:
    """Lets both speak for so many exchanges of bursts, a millisecond each."""
    now = 0.0
    for _ in range(rounds):
        now += 0.001
        for source, target in ((left, right), (right, left)):
            if source.next_timeout() <= now:
                source.handle_timeout(now)
            burst = [Datagram(PathId(1), item.data) for item in source.poll_transmits(now)]
            source.poll_events()
            target.receive_many(burst, now)
    return now


def _chunks(data: bytes) -> Sequence[Datagram]:
    burst, position = [], 0
    while position < len(data):
        head = data[position]
        end = position + 1 + (head & 0x7F) * 4
        burst.append(Datagram(PathId(1 + (head >> 7)), data[position + 1 : end]))
        position = end
    return burst


def fuzz_one(data: bytes) -> None:
    if not data:
        return
    left, right = _negotiated()
    now = _talk(left, right, data[0] % 16)
    left.receive_many(_chunks(data[1:]), now)
    for _ in range(50):
        left.poll_transmits(now)
        left.poll_events()
        due = left.next_timeout()
        if due > now + 5:
            break
        now = max(now, due) + 0.0001
        left.handle_timeout(now)
    left.close(now)
    for _ in range(1000):
        left.poll_transmits(now)
        left.poll_events()
        due = left.next_timeout()
        if due == NEVER:
            return
        now = max(now, due)
        left.handle_timeout(now)
    raise AssertionError("the peer does not end")


def _seeds() -> list[bytes]:
    """What a real session says, cut into the layout above, for each stage."""
    seeds = []
    for stage in range(0, 16, 3):
        left, right = _negotiated()
        _talk(left, right, stage)
        right.handle_timeout(1.0)
        said = b"".join(
            bytes([(len(item.data) + 3) // 4 & 0x7F]) + item.data.ljust((len(item.data) + 3) // 4 * 4, b"\0")
            for item in right.poll_transmits(1.0)
            if len(item.data) < 500
        )
        seeds.append(bytes([stage]) + said)
    seeds.append(bytes([5, 2]) + b"\x16\xfe\xfd\x00\x00\x00\x00")
    return seeds


SEEDS: list[bytes] = _seeds()
