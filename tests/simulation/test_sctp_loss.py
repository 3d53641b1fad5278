"""Associations over links that lose, reorder and duplicate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support import seeds
from tests.unit.sctp.pairs import Pair
from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy, random_below, random_unit
from webrtc_stack.errors import BufferFull, InvalidStateError
from webrtc_stack.sim import LinkConfig


def test_ten_thousand_messages_arrive_once_and_in_order_through_a_bad_link() -> None:
    link = LinkConfig(latency=0.02, loss=0.05, reorder=0.02, duplicate=0.01)
    pair = Pair(1, link, keep_log=False)
    sent = [b"%d " % at + bytes(at * 37 % 700) for at in range(10_000)]
    for data in sent:
        pair.left.send(1, 51, data, 0.0)
    assert pair.run_until(lambda: len(pair.got[1][1]) >= len(sent))
    pair.run(20)
    assert pair.got[1][1] == sent
    assert pair.left.counters.data_chunks_retransmitted > 100
    assert pair.right.counters.data_chunks_duplicate > 10
    pair.at_rest()


def test_unordered_messages_of_every_size_arrive_once_through_a_bad_link() -> None:
    link = LinkConfig(latency=0.02, jitter=0.01, loss=0.05, reorder=0.05, duplicate=0.02)
    pair = Pair(2, link, keep_log=False)
    sent = [b"%d " % at + bytes(at * 997 % 20_000) for at in range(400)]
    for data in sent:
        pair.left.send(1, 51, data, 0.0, ordered=False)
    assert pair.run_until(lambda: len(pair.got[1][1]) >= len(sent))
    pair.run(20)
    assert sorted(pair.got[1][1]) == sorted(sent)
    assert pair.got[1][1] != sent, "nothing overtook anything: the link is too good for this test"
    pair.at_rest()


def _reliable_goodput(seconds: float, *, beside: bool) -> tuple[int, Pair]:
    pair = Pair("famous", LinkConfig(latency=0.02, loss=0.3), keep_log=False, max_retransmits=10_000)
    tick, sent = 0.0, 0
    while tick < seconds:
        while pair.left.buffered_amount(1) < 20_000:
            pair.left.send(1, 51, bytes(1000), tick)
        if beside:
            pair.left.send(2, 51, bytes(100), tick, max_retransmits=0, ordered=False)
            sent += 1
        tick += 0.25
        pair.net.run(until=tick)
    return sum(map(len, pair.got[1][1])), pair


def test_an_unreliable_stream_does_not_starve_a_reliable_one_under_heavy_loss() -> None:
    """Ten virtual minutes at 30 % loss: abandoned chunks must leave the flight size, or the window closes for good."""
    alone, _ = _reliable_goodput(600.0, beside=False)
    together, pair = _reliable_goodput(600.0, beside=True)
    assert together >= 0.9 * alone, f"{together} bytes beside an unreliable stream, {alone} alone"
    assert len(pair.got[1][2]) > 1000, "the unreliable stream was starved"
    assert pair.left.counters.messages_abandoned > 300
    assert pair.run_until(lambda: pair.left.snapshot().outstanding_chunks == 0)
    pair.run(30)
    pair.at_rest()


def _campaign(seed: int) -> None:
    entropy = SeededEntropy(f"campaign {seed}")

    def chance(probability: float) -> bool:
        return random_unit(entropy) < probability

    link = LinkConfig(
        latency=0.001 + 0.1 * random_unit(entropy),
        jitter=0.02 * random_unit(entropy),
        loss=0.25 * random_unit(entropy) ** 2,
        reorder=0.1 * random_unit(entropy),
        duplicate=0.05 * random_unit(entropy),
        burst_enter=0.02 if chance(0.3) else 0.0,
    )
    window = (2000, 20_000, 16 * 1024 * 1024)[random_below(entropy, 3)]
    pair = Pair(
        f"campaign {seed}",
        link,
        keep_log=False,
        receive_window_bytes=window,
        max_retransmits=60,
        max_init_retransmits=40,
    )
    sent: tuple[dict[int, list[bytes]], dict[int, list[bytes]]] = ({}, {})
    for step in range(60):
        for side, association in enumerate(pair.sides):
            for _ in range(random_below(entropy, 6)):
                stream = random_below(entropy, 6)
                size = 1 + random_below(entropy, (60, 1500, min(window // 2, 12_000))[random_below(entropy, 3)])
                data = b"%d.%d " % (side, step) + bytes(size)
                try:
                    match stream:
                        case 0 | 1:
                            association.send(stream, 51, data, pair.now)
                            sent[side].setdefault(stream, []).append(data)
                        case 2:
                            association.send(stream, 51, data, pair.now, ordered=False)
                            sent[side].setdefault(stream, []).append(data)
                        case 3:
                            association.send(stream, 51, data, pair.now, max_retransmits=random_below(entropy, 3))
                        case 4:
                            association.send(stream, 51, data, pair.now, max_lifetime=0.3 * random_unit(entropy))
                        case _:
                            association.send(stream, 51, data, pair.now, ordered=False, max_retransmits=0)
                except BufferFull:
                    pass  # the next step finds room
            if chance(0.05):
                association.reset_streams([random_below(entropy, 6), 7], pair.now)
        pair.run(0.2 * random_unit(entropy))
    assert pair.run_until(
        lambda: all(
            not side.snapshot().outstanding_chunks and not side.buffered_bytes and side.state == "established"
            for side in pair.sides
        ),
        within=3600,
    ), [side.snapshot() for side in pair.sides]
    pair.run(60)
    for side in (0, 1):
        for stream in (0, 1):
            assert pair.got[1 - side][stream] == sent[side].get(stream, []), f"stream {stream}"
        assert sorted(pair.got[1 - side][2]) == sorted(sent[side].get(2, []))
        wished = sum(len(event.stream_ids) for event in pair.events(side, sctp.StreamsReset))
        told = sum(len(event.stream_ids) for event in pair.events(1 - side, sctp.StreamsResetByPeer))
        assert wished == told
        assert not pair.sides[side]._queue.wishes, "a reset never went out"
        assert pair.sides[side]._reset.requested is None, "a reset was never answered"
    pair.at_rest()
    for direction in pair.net.links:  # a burst may swallow every SHUTDOWN of its guard time, which proves nothing
        direction.config = replace(direction.config, burst_enter=0.0, burst_leave=1.0)
    if chance(0.5):
        pair.right.send(0, 51, b"last words", pair.now)
        pair.right.shutdown(pair.now)
    if chance(0.7):
        pair.left.shutdown(pair.now)
    pair.run(1200)
    for side, association in enumerate(pair.sides):
        ends = pair.events(side, sctp.Closed)
        if any(pair.events(other, sctp.Closed) for other in (0, 1)):
            assert len(ends) == 1, (association.state, ends)
            assert association.next_timeout() == float("inf")
            with pytest.raises(InvalidStateError):
                association.send(1, 51, b"x", pair.now)


@pytest.mark.parametrize("chunk", range(4))
def test_mixed_traffic_never_wedges(chunk: int) -> None:
    for seed in seeds.campaign()[chunk::4][:50]:
        try:
            _campaign(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
