"""Nothing grows, whatever the peer says; and what a message costs, in calls."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.support.calls import count_calls
from tests.unit.datachannel.fake import ACK, OPEN, Bench, accepted, opened
from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy, random_below
from webrtc_stack.datachannel import DataChannelsConfig

_PPIDS = (50, 50, 50, 51, 52, 53, 54, 56, 57, 0)
_PAYLOADS = (OPEN, OPEN[:-1], ACK, b"", b"x" * 50, b"\xff" * 20, b"\x03", b"\x09")


def _hostile(bench: Bench, entropy: SeededEntropy, count: int) -> None:
    for _ in range(count):
        draw = random_below(entropy, 1 << 40)
        stream_id = draw & 0xFFFF if draw & 1 << 38 else draw & 63
        kind = (draw >> 16) % 20
        if kind < 16:
            payload = _PAYLOADS[(draw >> 24) % len(_PAYLOADS)]
            bench.fake.happen(sctp.MessageReceived(stream_id, _PPIDS[(draw >> 30) % len(_PPIDS)], payload))
        elif kind < 18:
            bench.fake.happen(sctp.StreamsResetByPeer((stream_id,)))
        elif kind < 19:
            bench.fake.happen(sctp.StreamsReset((stream_id,)))
        else:
            bench.fake.happen(sctp.BufferedAmountDecreased(stream_id, 40))
        if not draw & 7:
            bench.now += 0.01
            bench.channels.receive(b"", bench.now)
            bench.channels.handle_timeout(bench.now)
            bench.channels.poll_events()
            bench.fake.sent.clear()
            bench.fake.resets.clear()
            bench.fake.buffered.clear()


def _check_bounded(count: int) -> None:
    config = DataChannelsConfig(max_remote_channels=50, max_refused_streams=50, max_early_messages=50)
    bench = Bench(config)
    entropy = SeededEntropy("hostile")
    _hostile(bench, entropy, 5000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    _hostile(bench, entropy, count)
    growth = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert growth < 1 << 20
    assert len(bench.channels.channels()) <= 50
    assert bench.channels.drops.total > count // 4
    assert bench.channels.counters.channels_accepted > 50, "the hostile peer never got anywhere: the test is not set up"


def test_hostile_messages_do_not_make_it_grow() -> None:
    _check_bounded(20_000)


@pytest.mark.slow
def test_a_million_hostile_messages_do_not_make_it_grow() -> None:
    _check_bounded(1_000_000)


def test_opening_and_closing_over_and_over_does_not_make_it_grow() -> None:
    bench = Bench()

    def lives(count: int) -> None:
        for _ in range(count):
            handle = accepted(bench, 1)
            bench.message(1, 53, b"unread")
            bench.happen(sctp.StreamsResetByPeer((1,)), sctp.StreamsReset((1,)))
            bench.channels.discard_unread(handle, 0.0)
            ours, stream_id = opened(bench)
            bench.channels.close_channel(ours, 0.0)
            bench.happen(sctp.StreamsReset((stream_id,)), sctp.StreamsResetByPeer((stream_id,)))
            bench.fake.sent.clear()
            bench.fake.resets.clear()

    lives(200)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    lives(3000)
    growth = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert growth < 1 << 16


@pytest.mark.parametrize("ppid", [51, 53])
def test_a_received_message_costs_no_python_call_of_its_own(ppid: int) -> None:
    bench = Bench()
    _, stream_id = opened(bench)
    bench.message(stream_id, ppid + 3 if ppid == 51 else ppid - 1, b"par")
    bench.message(stream_id, ppid, b"tial")
    calls = []
    for count in (10, 1010):
        bench.fake.happen(*[sctp.MessageReceived(stream_id, ppid, b"message")] * count)
        calls.append(count_calls(bench.channels.receive, b"", 0.0).python)
        assert len(bench.channels.poll_events()) == count
    assert calls[0] == calls[1]


@pytest.mark.parametrize("message", ["message", b"message"])
def test_a_sent_message_costs_one_python_call_above_the_association(message: str | bytes) -> None:
    bench = Bench()
    handle, _ = opened(bench)
    of_the_fake = count_calls(bench.fake.send, 0, 53, b"message", 0.0).python
    assert count_calls(bench.channels.send, handle, message, 0.0).python == 1 + of_the_fake
