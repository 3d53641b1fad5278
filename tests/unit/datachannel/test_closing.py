"""Channels on an association that does what the test says: how channels and all of it end."""

from __future__ import annotations

import pytest

from tests.unit.datachannel.fake import ACK, OPEN, Bench, accepted, opened
from webrtc_stack import sctp
from webrtc_stack.base import NEVER
from webrtc_stack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    ChannelState,
    Closed,
    Connected,
    DataChannelsConfig,
    MessageReceived,
)
from webrtc_stack.errors import (
    ConnectionLost,
    InvalidAccessError,
    InvalidStateError,
    ProtocolError,
    SctpAbortError,
)


def test_close_waits_for_both_resets() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    bench.channels.close_channel(handle, 0.0)
    bench.channels.close_channel(handle, 0.0)
    assert bench.channels.poll_events() == [ChannelClosing(handle, False)]
    assert bench.fake.resets == [stream_id]
    assert not bench.happen(sctp.StreamsReset((stream_id,)))
    assert bench.channels.channel(handle).state is ChannelState.CLOSING
    assert bench.happen(sctp.StreamsResetByPeer((stream_id,))) == [ChannelClosed(handle, None)]
    bench.channels.close_channel(handle, 0.0)
    assert not bench.channels.poll_events()


def test_the_peers_reset_is_answered_by_ours() -> None:
    bench = Bench()
    handle = accepted(bench)
    assert bench.happen(sctp.StreamsResetByPeer((1,))) == [ChannelClosing(handle, True)]
    assert bench.fake.resets == [1]
    assert bench.happen(sctp.StreamsReset((1,))) == [ChannelClosed(handle, None)]


def test_an_id_is_used_again_only_after_both_resets() -> None:
    bench = Bench()
    first, stream_id = opened(bench)
    bench.channels.close_channel(first, 0.0)
    bench.happen(sctp.StreamsReset((stream_id,)))
    second, second_id = opened(bench)
    assert second_id == 2
    bench.happen(sctp.StreamsResetByPeer((stream_id,)))
    third, third_id = opened(bench)
    assert third_id == stream_id
    assert third not in (first, second)


def test_the_next_life_of_a_stream_waits_for_the_end_of_the_last() -> None:
    bench = Bench()
    old = accepted(bench)
    bench.happen(sctp.StreamsResetByPeer((1,)))
    # The peer has the answer to its reset and ours, and begins again; our own answer is still on its way.
    assert not bench.happen(sctp.MessageReceived(1, 50, OPEN), sctp.MessageReceived(1, 51, b"again"))
    events = bench.happen(sctp.StreamsReset((1,)))
    assert events[0] == ChannelClosed(old, None)
    assert [type(event) for event in events[1:]] == [ChannelAnnounced, ChannelOpened, MessageReceived]
    assert bench.channels.next_timeout() == NEVER


def test_a_reset_before_any_answer_is_a_refusal() -> None:
    bench = Bench()
    handle = bench.channels.open_channel("x", 0.0)
    bench.channels.poll_events()
    bench.happen(sctp.StreamsResetByPeer((0,)))
    (closed,) = bench.happen(sctp.StreamsReset((0,)))
    assert isinstance(closed, ChannelClosed)
    assert closed.handle == handle
    assert isinstance(closed.error, ProtocolError)


def test_a_channel_closed_before_connect_never_opens() -> None:
    bench = Bench(up=False)
    handle = bench.channels.open_channel("x", 0.0)
    bench.channels.close_channel(handle, 0.0)
    assert bench.channels.poll_events() == [ChannelClosing(handle, False), ChannelClosed(handle, None)]
    bench.channels.connect(0.0, dtls_client=True)
    assert bench.happen(sctp.AssociationEstablished(10, 10)) == [Connected()]
    assert not bench.fake.sent
    assert opened(bench)[1] == 0


def test_a_channel_closed_during_the_handshake_never_opens_and_takes_its_stream_back() -> None:
    bench = Bench(up=False)
    bench.channels.connect(0.0, dtls_client=True)
    handle = bench.channels.open_channel("x", 0.0)
    agreed = bench.channels.open_channel("n", 0.0, negotiated=True, id=1)
    bench.channels.close_channel(handle, 0.0)
    bench.channels.close_channel(agreed, 0.0)
    assert bench.channels.poll_events() == [
        ChannelClosing(handle, False),
        ChannelClosing(agreed, False),
        ChannelClosed(agreed, None),
    ]
    # Its DATA_CHANNEL_OPEN is on the way, so the peer has to hear of the end as well.
    assert bench.fake.resets == [0]
    assert bench.happen(sctp.AssociationEstablished(10, 10)) == [Connected()]
    assert not bench.message(0, 50, ACK)
    bench.happen(sctp.StreamsReset((0,)))
    assert bench.happen(sctp.StreamsResetByPeer((0,))) == [ChannelClosed(handle, None)]
    assert opened(bench)[1] == 0


def test_a_peer_that_does_not_reset_streams_costs_the_id_and_nothing_else() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    bench.channels.close_channel(handle, 0.0)
    bench.channels.poll_events()
    assert bench.happen(sctp.StreamResetFailed((stream_id,), "denied")) == [ChannelClosed(handle, None)]
    assert opened(bench)[1] == stream_id + 2


def test_closed_channels_are_remembered_up_to_a_limit() -> None:
    bench = Bench(DataChannelsConfig(closed_channels_kept=2))
    handles = []
    for _ in range(4):
        handle, stream_id = opened(bench)
        handles.append(handle)
        bench.channels.close_channel(handle, 0.0)
        bench.happen(sctp.StreamsReset((stream_id,)), sctp.StreamsResetByPeer((stream_id,)))
    assert bench.channels.channel(handles[3]).state is ChannelState.CLOSED
    assert bench.channels.channel(handles[2]).messages_sent == 0
    with pytest.raises(InvalidAccessError):
        bench.channels.channel(handles[1])
    bench.channels.close_channel(handles[0], 0.0)
    assert bench.channels.buffered_amount(handles[0]) == 0
    bench.channels.message_consumed(handles[0], 0, 0.0)


def test_the_end_of_the_association_closes_every_channel_and_comes_last() -> None:
    error = SctpAbortError("gone", causes=(12,))
    bench = Bench()
    first, _ = opened(bench)
    second = accepted(bench)
    events = bench.happen(sctp.Closed("aborted", error))
    assert events == [ChannelClosed(first, error), ChannelClosed(second, error), Closed("aborted", error)]
    assert not bench.happen(sctp.Closed("again", error))
    bench.channels.close(0.0)
    bench.channels.abort(0.0)
    bench.channels.close_channel(first, 0.0)
    bench.channels.message_consumed(first, 0, 0.0)
    assert not bench.channels.poll_events()
    assert bench.channels.next_timeout() == NEVER
    with pytest.raises(InvalidStateError):
        bench.channels.send(first, b"x", 0.0)


def test_a_channel_that_failed_keeps_its_own_error_when_the_association_ends() -> None:
    bench = Bench()
    handle = accepted(bench)
    bench.message(1, 50, OPEN)
    events = bench.happen(sctp.Closed("aborted", SctpAbortError("gone")))
    (closed,) = [event for event in events if isinstance(event, ChannelClosed)]
    assert closed.handle == handle
    assert isinstance(closed.error, ProtocolError)
    assert not isinstance(closed.error, SctpAbortError)


def test_shutdown_and_close_announce_themselves_on_every_channel() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    bench.channels.shutdown(0.0)
    bench.channels.shutdown(0.0)
    bench.channels.close(0.0)
    assert bench.fake.ended == ["shutdown", "close"]
    assert bench.channels.poll_events() == [ChannelClosing(handle, False)]
    with pytest.raises(InvalidStateError):
        bench.channels.send(handle, b"x", 0.0)
    assert not bench.message(stream_id, 53, b"late")
    assert not bench.message(1, 50, OPEN)
    assert bench.happen(sctp.Closed("closed", None)) == [ChannelClosed(handle, None), Closed("closed", None)]


def test_abort_ends_at_once() -> None:
    bench = Bench()
    handle, _ = opened(bench)
    bench.channels.abort(0.0, "enough")
    assert bench.channels.poll_events() == [
        ChannelClosing(handle, False),
        ChannelClosed(handle, None),
        Closed("enough", None),
    ]


def test_an_abort_for_a_failed_transport_reports_that_error() -> None:
    bench = Bench()
    handle, _ = opened(bench)
    error = ConnectionLost("the transport is gone")
    bench.channels.abort(0.0, "transport", error)
    assert bench.channels.poll_events()[1:] == [ChannelClosed(handle, error), Closed("transport", error)]


def test_abort_before_connect_ends_too() -> None:
    bench = Bench(up=False)
    handle = bench.channels.open_channel("x", 0.0)
    bench.channels.abort(0.0, "enough")
    assert bench.channels.poll_events()[1:] == [ChannelClosed(handle, None), Closed("enough", None)]


def test_a_restart_of_the_peer_closes_all_channels_and_leaves_the_machine_usable() -> None:
    bench = Bench()
    first, _ = opened(bench)
    second = accepted(bench)
    bench.message(9, 53, b"early")
    bench.message(1, 53, b"unread")
    bench.message(1, 52, b"partial")
    released = bench.fake.released
    events = bench.happen(sctp.AssociationRestarted())
    assert [event.handle for event in events if isinstance(event, ChannelClosed)] == [first, second]
    assert all(isinstance(event.error, ConnectionLost) for event in events if isinstance(event, ChannelClosed))
    assert bench.channels.drops["partial_message"] == 1
    bench.channels.message_consumed(second, 6, 0.0)
    assert bench.fake.released == released, "the new association's window never held these"
    assert opened(bench)[1] == 0
    assert accepted(bench, 1)
    assert bench.channels.next_timeout() == NEVER


def test_a_reset_while_the_association_ends_is_left_to_its_end() -> None:
    bench = Bench()
    handle, _ = opened(bench)
    bench.fake.ending = True
    bench.channels.close_channel(handle, 0.0)
    assert bench.channels.drops["reset_not_sent"] == 1
    assert bench.happen(sctp.Closed("", None))[-2:] == [ChannelClosed(handle, None), Closed("", None)]


def test_only_channels_that_were_open_count_as_having_left_it_and_once() -> None:
    bench = Bench()
    first, _ = opened(bench)
    opened(bench)
    bench.channels.close_channel(first, 0.0)
    bench.channels.close_channel(first, 0.0)
    counters = bench.channels.counters
    assert (counters.channels_opened, counters.channels_left_open) == (2, 1)
    bench.channels.close(0.0)
    bench.channels.abort(0.0)
    assert (counters.channels_opened, counters.channels_left_open) == (2, 2)
    never = Bench(up=False)
    never.channels.open_channel("never", 0.0)
    never.channels.abort(0.0)
    assert (never.channels.counters.channels_closed, never.channels.counters.channels_left_open) == (1, 0)
