"""NACK, RTX and key frame requests."""

from __future__ import annotations

import itertools

from webrtc_stack.base import NEVER, SeededEntropy
from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.rtp.streams import (
    HistoryConfig,
    KeyframeConfig,
    KeyframeDemand,
    KeyframeRequester,
    NackConfig,
    NackGenerator,
    RtxConfig,
    RtxReceiver,
    RtxSender,
    SentHistory,
)


def test_a_gap_is_asked_for_at_once_and_again_after_growing_round_trips() -> None:
    nacks = NackGenerator(NackConfig(backoff=2.0, max_tries=3, repeat_margin=0.008))
    nacks.set_rtt(0.1)
    nacks.received(100, 0.0)
    nacks.received(104, 1.0)
    assert nacks.next_timeout() == 1.0
    assert nacks.due(1.0) == [101, 102, 103]
    assert nacks.due(1.107) == []
    assert nacks.received(102, 1.107)
    assert nacks.due(1.11) == [101, 103]
    assert nacks.due(1.32) == [] and nacks.due(1.33) == [101, 103]
    assert nacks.due(1.77) == [] and len(nacks) == 0  # three tries are enough
    assert nacks.next_timeout() == NEVER
    assert nacks.counters.given_up_tries == 2 and nacks.counters.recovered == 1


def test_what_was_asked_for_is_remembered_for_a_while() -> None:
    nacks = NackGenerator(NackConfig(max_missing=3))
    for number in (0, 2, 3, 5):
        nacks.received(number, 0.0)
    assert nacks.due(0.0) == [1, 4]
    assert not nacks.was_asked(1), "it is missing still"
    nacks.received(1, 0.1)
    assert nacks.was_asked(1) and not nacks.was_asked(2)
    nacks.keyframe_received(5)
    assert nacks.was_asked(4), "given up, but it may come yet"
    nacks.received(8, 0.2)
    nacks.due(0.2)
    nacks.forget_before(9)
    assert [number for number in range(9) if nacks.was_asked(number)] == [4, 6, 7]


def test_what_is_too_old_is_given_up() -> None:
    nacks = NackGenerator(NackConfig(max_age=0.3))
    nacks.received(1, 0.0)
    nacks.received(3, 0.0)
    nacks.due(0.0)
    assert nacks.next_timeout() <= 0.3
    assert nacks.due(0.3) == [] and len(nacks) == 0 and nacks.counters.given_up_age == 1


def test_with_a_wait_for_reordering_a_packet_that_comes_late_is_not_asked_for() -> None:
    nacks = NackGenerator(NackConfig(reorder_wait=0.01))
    nacks.received(1, 0.0)
    nacks.received(3, 0.0)
    assert nacks.due(0.005) == []
    nacks.received(2, 0.006)
    assert nacks.due(0.02) == [] and nacks.counters.requested == 0


def test_too_many_missing_packets_are_a_matter_for_a_key_frame() -> None:
    nacks = NackGenerator(NackConfig(max_missing=10))
    nacks.received(1, 0.0)
    nacks.received(8, 0.0)
    nacks.received(14, 0.0)
    assert nacks.keyframe_needed and len(nacks) == 0 and nacks.next_timeout() == NEVER
    nacks.received(16, 0.1)
    assert nacks.due(0.1) == [15]


def test_a_key_frame_makes_earlier_losses_meaningless() -> None:
    nacks = NackGenerator()
    for index in (1, 4, 9):
        nacks.received(index, 0.0)
    nacks.keyframe_received(6)
    assert nacks.missing == (6, 7, 8)


def test_a_message_holds_no_more_than_a_datagram_and_the_rest_follows_at_once() -> None:
    nacks = NackGenerator(NackConfig(max_per_message=10))
    nacks.received(65530, 0.0)
    nacks.received(65530 + 26, 0.0)
    messages = []
    while nacks.next_timeout() <= 0.0:
        message = nacks.message(1, 2, 0.0)
        assert message is not None
        messages.append(message)
    asked = [number for message in messages for number in message.lost]
    assert asked == [number & 0xFFFF for number in range(65531, 65556)] and len(messages) == 3


def media(number: int, payload: bytes = b"frame") -> RtpPacket:
    return RtpPacket(
        ssrc=1, payload_type=96, sequence_number=number & 0xFFFF, timestamp=number * 3000, marker=True, payload=payload
    )


def rtx_pair(history: HistoryConfig | None = None) -> tuple[RtxSender, RtxReceiver]:
    config = RtxConfig(ssrc=2, payload_types={96: 97}, entropy=SeededEntropy(1))
    receiver = RtxReceiver()
    receiver.associate(2, 1, {97: 96})
    return RtxSender(config, SentHistory(history)), receiver


def test_a_retransmission_comes_out_as_the_packet_that_was_lost() -> None:
    sender, receiver = rtx_pair()
    packet = media(65535, b"hello")
    packet.csrcs = (7, 8)
    sender.sent(packet, 0.0)
    sender.sent(media(65536), 0.0)
    wrapped = sender.answer([65535, 0], 0.1)
    assert [(p.ssrc, p.payload_type) for p in wrapped] == [(2, 97)] * 2
    assert wrapped[1].sequence_number == wrapped[0].sequence_number + 1
    assert wrapped[0].payload == b"\xff\xffhello"
    back = receiver.unwrap(RtpPacket.parse(wrapped[0].serialize()))
    assert back is not None and back.serialize() == packet.serialize()
    assert packet.payload == b"hello" and packet.ssrc == 1


def test_extensions_and_padding_do_not_hinder_a_retransmission() -> None:
    sender, receiver = rtx_pair()
    head = bytes.fromhex("b06000050000000100000001bede000110aa0000")
    packet = RtpPacket.parse(head + b"data" + b"\x00\x00\x00\x04")
    assert packet.padding == 4 and packet.payload == b"data"
    sender.sent(packet, 0.0)
    wrapped = RtpPacket.parse(sender.answer([5], 0.1)[0].serialize())
    assert wrapped.padding == 0
    back = receiver.unwrap(wrapped)
    assert back is not None and back.payload == b"data"
    plain = RtpPacket.parse(head.replace(b"\xb0", b"\x90", 1) + b"data")
    assert back.serialize() == plain.serialize()


def test_a_packet_is_sent_again_once_a_round_trip_and_within_the_budget() -> None:
    sender, _ = rtx_pair(HistoryConfig(budget_bytes=100, budget_ratio=0.0))
    sender.sent(media(1, bytes(20)), 0.0)
    assert len(sender.answer([1], 0.0, rtt=0.1)) == 1
    assert sender.answer([1, 1, 1], 0.05, rtt=0.1) == []
    assert len(sender.answer([1], 0.1, rtt=0.1)) == 1
    assert len(sender.answer([1], 0.2, rtt=0.1)) == 1
    assert sender.answer([1], 0.3, rtt=0.1) == []
    assert sender.history.drops["too_soon"] == 3 and sender.history.drops["budget"] == 1


def test_the_history_is_bounded_by_packets_bytes_and_age() -> None:
    history = SentHistory(HistoryConfig(max_packets=10, max_bytes=1000, max_age=1.0))
    for number in range(100):
        history.add(media(number, bytes(20)), 0.0)
    assert len(history) == 10
    history.add(media(100, bytes(900)), 0.0)
    assert history.bytes_kept <= 1000 and len(history) == 3
    assert history.take(50, 0.0) is None
    assert history.take(100, 1.5) is None
    history.add(media(101), 2.0)
    assert len(history) == 1 and history.bytes_kept == 17


def test_what_cannot_be_a_retransmission_is_counted_and_padding_is_no_error() -> None:
    _, receiver = rtx_pair()
    for ssrc, payload_type, payload in ((3, 97, b"xxx"), (2, 98, b"xxx"), (2, 97, b""), (2, 97, b"x"), (2, 97, b"xx")):
        assert receiver.unwrap(RtpPacket(ssrc=ssrc, payload_type=payload_type, payload=payload)) is None
    assert receiver.drops.by_reason == {"unknown_ssrc": 1, "unknown_payload_type": 1, "too_short": 1}
    assert receiver.padding_received == 2


def test_a_key_frame_is_asked_for_until_it_comes_but_not_more_often_than_allowed() -> None:
    requester = KeyframeRequester(9, KeyframeConfig(min_interval=0.3, max_interval=1.0))
    assert requester.next_timeout() == NEVER and requester.message(1, 5.0) is None
    requester.request(5.0)
    requester.request(5.0)
    times, now = [], 5.0
    for _ in range(5):
        now = max(now, requester.next_timeout())
        assert requester.message(1, now) == rtcp.Pli(sender_ssrc=1, media_ssrc=9)
        times.append(now)
    assert times[1] - times[0] == 0.3 or times[1] - times[0] > 0.299
    assert all(b - a <= 1.0 + 1e-9 for a, b in itertools.pairwise(times))
    requester.keyframe_received()
    assert requester.next_timeout() == NEVER
    requester.request(now + 0.01)
    assert requester.next_timeout() == now + 0.3


def test_repetitions_of_a_fir_keep_their_number_and_are_one_wish() -> None:
    requester = KeyframeRequester(9, KeyframeConfig(use_fir=True))
    demand = KeyframeDemand(9)
    requester.request(0.0)
    first = requester.message(1, 0.0)
    again = requester.message(1, 1.0)
    assert first is not None and first == again
    assert [demand.receive(first), demand.receive(first)] == [True, False]
    requester.keyframe_received()
    requester.request(2.0)
    second = requester.message(1, 2.0)
    assert second is not None and demand.receive(second)
    assert not demand.receive(rtcp.Pli(sender_ssrc=1, media_ssrc=8))


def test_an_encoder_is_asked_at_most_once_an_interval_and_no_wish_is_lost() -> None:
    demand = KeyframeDemand(9, KeyframeConfig(min_interval=0.5))
    pli = rtcp.Pli(sender_ssrc=1, media_ssrc=9)
    assert not demand.take(0.0)
    made = []
    for step in range(20):
        now = step / 10
        demand.receive(pli)
        if demand.take(now):
            made.append(now)
    assert made == [0.0, 0.5, 1.0, 1.5]
    demand.receive(pli)
    assert demand.next_timeout() == 2.0 and demand.take(2.0) and demand.next_timeout() == NEVER


def test_a_packet_given_up_by_age_does_not_let_the_timer_spin() -> None:
    """1.4000000000000006 + 2.0 is reached before the difference to it is 2.0: floats do not add up."""
    nacks = NackGenerator()
    found = 1.4000000000000006
    nacks.received(1, found)
    nacks.received(3, found)
    for _ in range(30):
        now = nacks.next_timeout()
        if now == NEVER:
            break
        nacks.due(now)
        assert nacks.next_timeout() > now
    assert not len(nacks) and nacks.next_timeout() == NEVER
