"""Forged segments, and many seeds of bad links: no exception, nothing grows, no byte is wrong."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest

from webrtc_stack.base import Address, SeededEntropy, random_below
from webrtc_stack.sim.packet import Flag, Packet, Segment, Transport

from .test_streams import Rig


def hostile_segments(rig: Rig, count: int, seed: int) -> None:
    """Forged ones for the client's connection, its listener and closed ports, without a reset that would end it."""
    entropy = SeededEntropy(seed)
    client = rig.client.up.local
    places = (client, rig.listener.address, Address("10.0.0.2", 9))
    for index in range(count):
        flags = Flag(random_below(entropy, 8))
        destination = places[index % 3]
        source = rig.listener.address if destination == client else Address("10.0.0.9", 1 + index % 60_000)
        seq, ack = random_below(entropy, 100_000), random_below(entropy, 100_000)
        if destination == client and flags & Flag.FIN and seq < 1_000:
            continue
        segment = Segment(flags, seq, ack, bytes(random_below(entropy, 40)))
        (rig.a if destination == client else rig.b).receive(Packet(Transport.TCP, source, destination, segment=segment))
        if index % 500 == 0:
            rig.net.run_until(rig.net.now + 0.1)


def test_hostile_segments_neither_raise_nor_grow_anything() -> None:
    rig = Rig()
    rig.net.keep_log = False
    rig.connect()
    rig.net.run_until(1.0)
    hostile_segments(rig, 3_000, 1)
    rig.net.run_until(300.0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        hostile_segments(rig, 20_000, 2)
        rig.net.run_until(600.0)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 1 << 20
    assert rig.listener.half_open == 0
    assert len(rig.b.tcp.streams) <= 1


def test_a_closed_stream_does_not_wait_for_ever_for_a_peer_that_never_ends_its_own() -> None:
    rig = Rig()
    rig.connect()
    rig.net.run_until(1.0)
    rig.b.down.add("10.0.0.2")
    local = rig.client.up.local
    rig.client.up.close()
    rig.a.receive(Packet(Transport.TCP, rig.listener.address, local, segment=Segment(Flag.ACK, 1, 2)))
    rig.net.run_until(100.0)
    assert len(rig.a.tcp.streams) == 1
    rig.net.run_until(130.0)
    assert not rig.a.tcp.streams


def play(seed: int) -> None:
    entropy = SeededEntropy(seed)
    link = {
        "latency": random_below(entropy, 200) / 1000,
        "loss": random_below(entropy, 16) / 100,
        "jitter": random_below(entropy, 50) / 1000,
        "reorder": random_below(entropy, 10) / 100,
        "duplicate": random_below(entropy, 10) / 100,
        "rate_bps": 100_000 * (1 + random_below(entropy, 100)),
        "queue_bytes": 4_000 + random_below(entropy, 100_000),
    }
    rig = Rig(seed, echo=True, **link)
    payload = entropy.bytes(random_below(entropy, 200_000))
    while rig.client.stream is None:
        rig.client.told_at = None
        rig.connect()
        rig.net.run(until=100.0, condition=lambda: rig.client.told_at is not None)
    rig.client.up.write(payload)
    rig.net.run(until=3_000.0, condition=lambda: len(rig.client.received) >= len(payload))
    got = rig.client.received
    assert len(got) == len(payload), (seed, len(got), len(payload), rig.net.now, rig.client.closed, rig.server.closed)
    assert hashlib.sha256(got).digest() == hashlib.sha256(payload).digest(), (seed, link)
    rig.client.up.close()
    rig.net.run_until(rig.net.now + 600.0)
    assert not rig.a.tcp.streams and not rig.b.tcp.streams, (seed, link)


@pytest.mark.slow
def test_three_hundred_bad_links_deliver_every_byte_in_both_directions() -> None:
    for seed in range(300):
        play(seed)
