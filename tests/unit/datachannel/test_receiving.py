"""Channels on an association that does what the test says: what comes in."""

from __future__ import annotations

import pytest

from tests.unit.datachannel.fake import ACK, OPEN, Bench, opened
from webrtc_stack import sctp
from webrtc_stack.base import NEVER
from webrtc_stack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelHandle,
    ChannelOpened,
    DataChannelsConfig,
    MessageReceived,
)
from webrtc_stack.errors import (
    InvalidAccessError,
    InvalidArgumentError,
    MessageTooLarge,
)


def test_kinds_of_messages_arrive_as_str_and_bytes() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    events = bench.happen(
        *(
            sctp.MessageReceived(stream_id, ppid, data)
            for ppid, data in ((51, "hä".encode()), (53, b"\xff"), (56, b"\0"), (57, b"\0"), (51, b""), (51, b"a\xff"))
        )
    )
    assert events == [
        MessageReceived(handle, "hä", 3),
        MessageReceived(handle, b"\xff", 1),
        MessageReceived(handle, "", 1),
        MessageReceived(handle, b"", 1),
        MessageReceived(handle, "", 0),
        MessageReceived(handle, "a\ufffd", 2),
    ]
    assert all(type(event) is MessageReceived for event in events)
    snapshot = bench.channels.channel(handle)
    assert (snapshot.messages_received, snapshot.bytes_received, snapshot.unread_bytes) == (6, 6, 8)
    assert bench.channels.counters.messages_received == 6
    assert bench.channels.counters.invalid_utf8 == 1


def test_data_before_the_ack_is_delivered() -> None:
    bench = Bench()
    handle = bench.channels.open_channel("x", 0.0)
    bench.channels.poll_events()
    assert bench.message(0, 53, b"early") == [MessageReceived(handle, b"early", 5)]
    assert not bench.message(0, 50, ACK)
    assert bench.channels.drops["unexpected_ack"] == 1


def test_open_and_data_in_one_burst_are_in_order() -> None:
    bench = Bench()
    events = bench.happen(sctp.MessageReceived(1, 50, OPEN), sctp.MessageReceived(1, 51, b"hi"))
    assert [type(event) for event in events] == [ChannelAnnounced, ChannelOpened, MessageReceived]


def test_messages_that_overtake_their_open_are_delivered_after_it() -> None:
    bench = Bench()
    assert not bench.message(1, 51, b"one")
    assert not bench.message(1, 51, b"two")
    released = bench.fake.released
    events = bench.message(1, 50, OPEN)
    assert [type(event) for event in events] == [ChannelAnnounced, ChannelOpened, MessageReceived, MessageReceived]
    assert [event.data for event in events if isinstance(event, MessageReceived)] == ["one", "two"]
    assert bench.fake.released == released + len(OPEN)
    assert bench.channels.next_timeout() == NEVER


def test_messages_for_a_negotiated_channel_wait_until_it_is_made() -> None:
    bench = Bench()
    bench.message(9, 53, b"early")
    handle = bench.channels.open_channel("n", 0.0, negotiated=True, id=9)
    assert bench.channels.poll_events() == [ChannelOpened(handle, 9), MessageReceived(handle, b"early", 5)]


def test_early_messages_are_bounded_and_expire_with_a_reset_of_their_stream() -> None:
    bench = Bench(DataChannelsConfig(max_early_messages=3, max_early_bytes=20, early_timeout=2.0))
    for stream_id, size in ((1, 8), (3, 8), (5, 8), (5, 1), (7, 1)):
        bench.message(stream_id, 53, b"x" * size)
    assert bench.channels.drops["early_full"] == 2
    assert bench.fake.released == 9
    assert bench.channels.next_timeout() == 2.0
    bench.channels.handle_timeout(2.0)
    assert bench.fake.released == 8 + 8 + 8 + 1 + 1
    assert sorted(bench.fake.resets) == [1, 3, 5]
    assert not bench.channels.poll_events()
    assert bench.channels.next_timeout() == NEVER


def test_early_messages_that_found_their_channel_make_room_for_others() -> None:
    bench = Bench(DataChannelsConfig(max_early_messages=3, max_early_bytes=20))
    for stream_id in (1, 3, 5):
        bench.message(stream_id, 53, b"x" * 15)
        assert isinstance(bench.message(stream_id, 50, OPEN)[-1], MessageReceived)
    assert not bench.channels.drops.total


def test_unknown_ppids_and_messages_on_closed_channels_are_dropped_counted_and_released() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    released = bench.fake.released
    assert not bench.message(stream_id, 99, b"xxx")
    assert bench.channels.drops["unknown_ppid"] == 1
    bench.channels.close_channel(handle, 0.0)
    bench.channels.poll_events()
    assert not bench.message(stream_id, 53, b"yyyy")
    assert bench.channels.drops["channel_not_open"] == 1
    assert bench.fake.released == released + 7


def test_a_message_larger_than_announced_closes_its_channel_with_an_error() -> None:
    bench = Bench(DataChannelsConfig(max_message_size=10))
    handle, stream_id = opened(bench)
    assert bench.message(stream_id, 53, b"x" * 10) == [MessageReceived(handle, b"x" * 10, 10)]
    released = bench.fake.released
    assert bench.message(stream_id, 53, b"x" * 11) == [ChannelClosing(handle, False)]
    assert bench.fake.released == released + 11
    assert bench.fake.resets == [stream_id]
    bench.happen(sctp.StreamsReset((stream_id,)))
    (closed,) = bench.happen(sctp.StreamsResetByPeer((stream_id,)))
    assert isinstance(closed, ChannelClosed)
    assert isinstance(closed.error, MessageTooLarge)


def test_deprecated_partial_messages_are_joined_within_the_message_limit() -> None:
    bench = Bench(DataChannelsConfig(max_message_size=10))
    handle, stream_id = opened(bench)
    assert not bench.message(stream_id, 54, "ä".encode()[:1])
    assert bench.message(stream_id, 51, "ä".encode()[1:]) == [MessageReceived(handle, "ä", 2)]
    assert not bench.message(stream_id, 52, b"ab")
    assert not bench.message(stream_id, 52, b"cd")
    assert bench.message(stream_id, 53, b"ef") == [MessageReceived(handle, b"abcdef", 6)]
    assert bench.message(stream_id, 53, b"whole") == [MessageReceived(handle, b"whole", 5)]
    released = bench.fake.released
    assert not bench.message(stream_id, 52, b"x" * 6)
    assert bench.message(stream_id, 52, b"x" * 5) == [ChannelClosing(handle, False)]
    assert bench.fake.released == released + 11


def test_a_partial_message_that_changes_its_type_or_is_on_an_unreliable_channel_is_refused() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    bench.message(stream_id, 54, b"a")
    assert bench.message(stream_id, 53, b"b") == [ChannelClosing(handle, False)]
    other, other_id = opened(bench, ordered=False)
    assert not bench.message(other_id, 52, b"a")
    assert bench.channels.drops["partial_on_unreliable"] == 1
    assert bench.message(other_id, 53, b"b") == [MessageReceived(other, b"b", 1)]


def test_the_window_opens_only_by_what_is_consumed() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    before = bench.fake.released
    bench.happen(sctp.MessageReceived(stream_id, 53, b"x" * 10), sctp.MessageReceived(stream_id, 53, b"x" * 5))
    assert bench.fake.released == before
    bench.channels.message_consumed(handle, 10, 0.0)
    assert bench.fake.released == before + 10
    for size in (6, -1):
        with pytest.raises(InvalidArgumentError):
            bench.channels.message_consumed(handle, size, 0.0)
    bench.channels.discard_unread(handle, 0.0)
    bench.channels.discard_unread(handle, 0.0)
    assert bench.fake.released == before + 15
    with pytest.raises(InvalidAccessError):
        bench.channels.message_consumed(ChannelHandle(99), 1, 0.0)


def test_packets_are_dropped_while_nobody_polls_events() -> None:
    bench = Bench(DataChannelsConfig(max_pending_events=3))
    _, stream_id = opened(bench)
    bench.fake.happen(*[sctp.MessageReceived(stream_id, 53, b"x")] * 3)
    bench.channels.receive(b"1", 0.0)
    received = bench.fake.received
    bench.channels.receive_many([b"2", b"3"], 0.0)
    assert bench.fake.received == received
    assert bench.channels.drops["events_not_polled"] == 2
    assert len(bench.channels.poll_events()) == 3
    bench.channels.receive(b"4", 0.0)
    assert bench.fake.received == received + 1
