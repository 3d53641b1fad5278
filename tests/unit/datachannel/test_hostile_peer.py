"""Channels on an association that does what the test says: what the peer must not do."""

from __future__ import annotations

import pytest

from tests.unit.datachannel.fake import ACK, OPEN, Bench, accepted, opened
from webrtc_stack import sctp
from webrtc_stack.datachannel import (
    ChannelClosed,
    ChannelClosing,
    ChannelState,
    DataChannelsConfig,
)
from webrtc_stack.errors import (
    ProtocolError,
)


@pytest.mark.parametrize(
    ("stream_id", "data", "reason"),
    [
        (2, OPEN, "open_on_wrong_parity"),
        (65535, OPEN, "open_beyond_streams"),
        (1, OPEN[:-1], "malformed_open"),
        (1, b"\x03", "malformed_open"),
        (1, b"\x03\x77" + OPEN[2:], "malformed_open"),
    ],
)
def test_a_bad_open_on_an_unused_stream_is_answered_by_a_reset_alone(stream_id: int, data: bytes, reason: str) -> None:
    bench = Bench()
    assert not bench.message(stream_id, 50, data)
    assert bench.channels.drops[reason] == 1
    assert bench.fake.resets == [stream_id]
    assert not bench.fake.sent
    # The identifier is held until the peer has reset its direction too, then it is as good as new.
    assert not bench.happen(sctp.StreamsReset((stream_id,)))
    assert not bench.happen(sctp.StreamsResetByPeer((stream_id,)))
    if stream_id == 1:
        assert accepted(bench)


def test_open_twice_on_a_stream_closes_its_channel() -> None:
    bench = Bench()
    handle = accepted(bench)
    assert bench.message(1, 50, OPEN) == [ChannelClosing(handle, False)]
    assert not bench.message(1, 50, OPEN)
    bench.happen(sctp.StreamsReset((1,)))
    (closed,) = bench.happen(sctp.StreamsResetByPeer((1,)))
    assert isinstance(closed, ChannelClosed)
    assert isinstance(closed.error, ProtocolError)


def test_an_ack_or_an_unknown_dcep_message_out_of_place_is_dropped() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    for where in (stream_id, 77):
        for data in (ACK, b"", b"\x99", b"\x00\x00"):
            assert not bench.message(where, 50, data)
    assert bench.channels.drops["unexpected_ack"] == 2
    assert bench.channels.drops["unknown_dcep_message"] == 6
    assert bench.channels.channel(handle).state is ChannelState.OPEN


def test_channels_above_the_limit_are_refused_and_refusals_are_bounded() -> None:
    bench = Bench(DataChannelsConfig(max_remote_channels=2, max_refused_streams=3))
    for stream_id in range(1, 40, 2):
        bench.message(stream_id, 50, OPEN)
    assert len(bench.channels.channels()) == 2
    assert bench.fake.resets == [5, 7, 9]
    assert bench.channels.drops["too_many_channels"] == 18
    assert bench.channels.drops["too_many_refused"] == 15


def test_closed_channels_with_unread_messages_count_against_the_limit() -> None:
    bench = Bench(DataChannelsConfig(max_remote_channels=1))
    handle = accepted(bench, 1)
    bench.message(1, 53, b"unread")
    bench.happen(sctp.StreamsResetByPeer((1,)), sctp.StreamsReset((1,)))
    assert bench.channels.channel(handle).state is ChannelState.CLOSED
    assert not bench.message(3, 50, OPEN)
    bench.channels.message_consumed(handle, 6, 0.0)
    assert bench.channels.channel(handle).unread_bytes == 0
    assert accepted(bench, 5)
