"""A connected peer under a storm of datagrams that somebody else sends: nothing grows, nothing breaks."""

from __future__ import annotations

import tracemalloc

import pytest

from webrtc_stack.base import Address, Datagram, PathId, SeededEntropy, SocketId, Transmit, random_below
from webrtc_stack.datachannel import ChannelAnnounced, MessageReceived
from webrtc_stack.peer import ConnectionState, PeerCore

from .test_core import negotiated

STORM = SocketId(1)


class Wire:
    """Two peers and the datagrams between them, a millisecond each way; keeps some of what was said."""

    def __init__(self, seed: int) -> None:
        self.peers = negotiated(seed)
        self.now = 0.0
        self.said: list[bytes] = []
        self.events: tuple[list[object], list[object]] = ([], [])

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.001
            bursts: list[list[Transmit]] = []
            for side, peer in enumerate(self.peers):
                if peer.next_timeout() <= self.now:
                    peer.handle_timeout(self.now)
                bursts.append(peer.poll_transmits(self.now))
                self.events[side].extend(peer.poll_events())
            for burst, target in zip(bursts, reversed(self.peers), strict=True):
                self.said = [*self.said, *(item.data for item in burst)][-64:]
                target.receive_many([Datagram(PathId(1), item.data) for item in burst], self.now)


def hostile(entropy: SeededEntropy, said: list[bytes]) -> bytes:
    """Replays, flipped bits, truncations, and noise that looks like each protocol by its first byte."""
    kind = random_below(entropy, 4)
    if kind == 0:
        return said[random_below(entropy, len(said))]
    if kind == 1:
        data = bytearray(said[random_below(entropy, len(said))])
        data[random_below(entropy, len(data))] ^= 1 << random_below(entropy, 8)
        return bytes(data)
    if kind == 2:
        data = bytearray(said[random_below(entropy, len(said))])
        return bytes(data[: random_below(entropy, len(data))])
    first = (0, 1, 20, 22, 23, 63, 64, 128, 191, 255)[random_below(entropy, 10)]
    return bytes([first]) + entropy.bytes(random_below(entropy, 120))


def storm(count: int) -> None:
    wire = Wire(4)
    left, right = wire.peers
    wire.run(0.5)
    assert left.connection_state is right.connection_state is ConnectionState.CONNECTED
    entropy = SeededEntropy("storm")
    clouds = [hostile(entropy, wire.said) for _ in range(20_000)]

    def blow(target: PeerCore, number: int) -> None:
        source = Address(f"10.1.{number // 250 % 250}.{number % 250 + 1}", 1024 + number % 60_000)
        path = target.paths.intern(STORM, source) if number % 3 else PathId(1)
        at = number * 10 % len(clouds)
        target.receive_many([Datagram(path, data) for data in clouds[at : at + 10]], wire.now)
        if number % 20 == 0:
            wire.run(0.002)
        wire.events[0].clear()
        wire.events[1].clear()

    tracemalloc.start()
    for number in range(max(count // 100, 8_000)):  # what grows to its limit, as the path table does, has grown
        blow(left, number)
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count // 10):
        blow(left, number)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1024 * 1024, f"{grown} bytes more after {count} hostile datagrams"
    assert sum(left.snapshot().drops.values()) > count // 10, "the storm was not refused but lost on the way"

    handle = right.create_data_channel("after the storm", wire.now)
    wire.run(0.5)
    right.send(handle, "calm", wire.now)
    wire.run(0.5)
    assert left.connection_state is right.connection_state is ConnectionState.CONNECTED
    assert any(isinstance(event, ChannelAnnounced) for event in wire.events[0])
    assert any(isinstance(event, MessageReceived) and event.data == "calm" for event in wire.events[0])


def test_a_storm_of_hostile_datagrams_grows_nothing_and_breaks_nothing() -> None:
    storm(20_000)


@pytest.mark.slow
def test_a_storm_of_a_million_hostile_datagrams_grows_nothing_and_breaks_nothing() -> None:
    storm(1_000_000)
