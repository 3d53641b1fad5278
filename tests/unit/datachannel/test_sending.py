"""Channels on an association that does what the test says: what goes out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.datachannel.fake import ACK, Bench, accepted, opened
from webrtc_stack import sctp
from webrtc_stack.datachannel import (
    BufferedAmountLow,
    ChannelHandle,
    DataChannelsConfig,
    SendBufferMoved,
)
from webrtc_stack.errors import (
    BufferFull,
    InvalidAccessError,
    InvalidArgumentError,
    InvalidStateError,
    MessageTooLarge,
)


def test_kinds_of_messages_have_their_ppids() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    bench.fake.sent.clear()
    for data in ("text", b"bytes", bytearray(b"array"), memoryview(b"view"), "", b"", "ä\ud83d\ude00\ud800"):
        bench.channels.send(handle, data, 0.0)
    assert [(sent.stream_id, sent.ppid, sent.data) for sent in bench.fake.sent] == [
        (stream_id, 51, b"text"),
        (stream_id, 53, b"bytes"),
        (stream_id, 53, b"array"),
        (stream_id, 53, b"view"),
        (stream_id, 56, b"\0"),
        (stream_id, 57, b"\0"),
        (stream_id, 51, "ä\U0001f600\ufffd".encode()),
    ]
    assert all(type(sent.data) is bytes for sent in bench.fake.sent)
    snapshot = bench.channels.channel(handle)
    assert (snapshot.messages_sent, snapshot.bytes_sent) == (7, 4 + 5 + 5 + 4 + 9)
    assert bench.channels.counters.messages_sent == 7


def test_unordered_messages_go_ordered_until_the_peer_has_answered() -> None:
    for answer in ((50, ACK), (51, b"anything")):
        bench = Bench()
        handle = bench.channels.open_channel("u", 0.0, ordered=False, max_packet_life_time=1500)
        bench.channels.send(handle, b"1", 0.0)
        bench.message(0, *answer)
        bench.channels.send(handle, b"2", 0.0)
        assert [sent[3:] for sent in bench.fake.sent] == [
            (True, None, None),
            (True, None, 1.5),
            (False, None, 1.5),
        ]


def test_the_accepting_side_sends_as_the_channel_says_at_once() -> None:
    bench = Bench()
    handle = accepted(bench, ordered=False, max_retransmits=2)
    bench.channels.send(handle, b"x", 0.0)
    assert bench.fake.sent[-1][3:] == (False, 2, None)


def test_messages_larger_than_the_peer_takes_are_refused() -> None:
    bench = Bench(DataChannelsConfig(max_send_message_size=1000, remote_max_message_size=10))
    handle, _ = opened(bench)
    bench.channels.send(handle, b"x" * 10, 0.0)
    with pytest.raises(MessageTooLarge):
        bench.channels.send(handle, "ä" * 6, 0.0)
    bench.channels.set_remote_max_message_size(0)
    bench.channels.send(handle, b"x" * 1000, 0.0)
    with pytest.raises(MessageTooLarge):
        bench.channels.send(handle, b"x" * 1001, 0.0)
    with pytest.raises(InvalidArgumentError):
        bench.channels.set_remote_max_message_size(-1)
    assert bench.channels.channel(handle).messages_sent == 2


def test_a_full_buffer_refuses_and_send_many_says_how_far_it_came() -> None:
    bench = Bench()
    handle, _ = opened(bench)
    assert bench.channels.send_many(handle, [b"1", "2"], 0.0) == 2
    bench.fake.full = True
    with pytest.raises(BufferFull):
        bench.channels.send(handle, b"3", 0.0)
    assert bench.channels.send_many(handle, [b"3", "4"], 0.0) == 0
    assert bench.channels.channel(handle).messages_sent == 2
    assert bench.channels.buffered_amount(handle) == 2


def test_sending_before_open_and_after_close_is_misuse() -> None:
    bench = Bench(up=False)
    handle = bench.channels.open_channel("x", 0.0)
    with pytest.raises(InvalidStateError, match="connecting"):
        bench.channels.send(handle, b"x", 0.0)
    bench.channels.close_channel(handle, 0.0)
    with pytest.raises(InvalidStateError, match="closed"):
        bench.channels.send(handle, b"x", 0.0)
    with pytest.raises(InvalidAccessError):
        bench.channels.send(ChannelHandle(99), b"x", 0.0)


def test_the_buffered_amount_leaves_dcep_out_and_falls_with_what_is_sent() -> None:
    bench = Bench()
    handle = bench.channels.open_channel("label", 0.0)
    size = len(bench.fake.sent[0].data)
    assert bench.channels.buffered_amount(handle) == 0
    bench.channels.send(handle, b"x" * 100, 0.0)
    assert bench.channels.buffered_amount(handle) == 100
    bench.happen(sctp.BufferedAmountDecreased(0, size - 1))
    assert bench.channels.buffered_amount(handle) == 100
    bench.happen(sctp.BufferedAmountDecreased(0, 31))
    assert bench.channels.buffered_amount(handle) == 70


def test_buffered_amount_low_comes_once_a_crossing() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    bench.channels.set_buffered_amount_low_threshold(handle, 50)
    assert not bench.channels.poll_events()

    def sent(amount: int) -> list[Any]:
        return bench.happen(sctp.BufferedAmountDecreased(stream_id, amount))

    bench.channels.send(handle, b"x" * 100, 0.0)
    assert not sent(49)
    assert sent(1) == [BufferedAmountLow(handle)]
    assert not sent(20)
    assert not sent(30)
    bench.channels.send(handle, b"x" * 50, 0.0)
    assert not sent(50), "it was never above the threshold"
    bench.channels.send(handle, b"x" * 51, 0.0)
    assert sent(51) == [BufferedAmountLow(handle)]
    bench.channels.set_buffered_amount_low_threshold(handle, 0)
    bench.channels.send(handle, b"x", 0.0)
    assert sent(1) == [BufferedAmountLow(handle)]
    with pytest.raises(InvalidArgumentError):
        bench.channels.set_buffered_amount_low_threshold(handle, -1)


def test_what_is_neither_text_nor_bytes_is_misuse() -> None:
    bench = Bench()
    handle, _ = opened(bench)
    with pytest.raises(InvalidArgumentError):
        bench.channels.send(handle, 5, 0.0)  # type: ignore[arg-type]
    assert bench.channels.channel(handle).messages_sent == 0


def test_whoever_watches_the_send_buffer_hears_once_that_something_left_it() -> None:
    bench = Bench()
    handle, stream_id = opened(bench)
    bench.channels.set_buffered_amount_low_threshold(handle, 1000)
    bench.channels.send(handle, b"x" * 100, 0.0)
    assert not bench.happen(sctp.BufferedAmountDecreased(stream_id, 10))
    bench.channels.watch_send_buffer()
    assert bench.happen(sctp.BufferedAmountDecreased(stream_id, 10)) == [SendBufferMoved()]
    assert not bench.happen(sctp.BufferedAmountDecreased(stream_id, 10))
