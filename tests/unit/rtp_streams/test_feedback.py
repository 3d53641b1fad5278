"""Transport-wide and RFC 8888 feedback, from arrivals to results."""

from __future__ import annotations

import pytest

from webrtc_stack.base import NEVER
from webrtc_stack.rtp import rtcp
from webrtc_stack.rtp.extensions import TransportSequence
from webrtc_stack.rtp.streams import CcfbConfig, CcfbReceiver, CcfbSender, TwccConfig, TwccReceiver, TwccSender


def wire(message: rtcp.TransportCc) -> rtcp.TransportCc:
    [back] = rtcp.parse_compound(message.serialize())
    assert isinstance(back, rtcp.TransportCc)
    return back


def test_every_packet_is_told_received_or_lost_across_the_wrap() -> None:
    sender, receiver = TwccSender(first=65500), TwccReceiver()
    lost = {65510, 3, 4}
    numbers = [sender.sent(1, 1000, step / 100) for step in range(100)]
    for step, number in enumerate(numbers):
        if number not in lost:
            receiver.receive(number, 1, step / 100 + 0.05)
    assert receiver.next_timeout() == pytest.approx(0.15)
    [message] = receiver.messages(7, 2.0)
    assert message.status_count == 100
    results = sender.receive(wire(message))
    assert [r.sequence_number for r in results] == numbers
    assert {r.sequence_number for r in results if not r.received} == lost
    arrivals = [r.arrival - r.sent_at for r in results if r.arrival is not None]
    assert max(arrivals) - min(arrivals) < 0.0003
    assert sender.receive(wire(message)) == []  # nothing is told twice
    assert receiver.next_timeout() == NEVER


def test_a_packet_told_lost_may_come_after_all() -> None:
    sender, receiver = TwccSender(), TwccReceiver()
    for _ in range(4):
        sender.sent(1, 100, 0.0)
    for number in (0, 2):
        receiver.receive(number, 1, 0.1)
    first = sender.receive(receiver.messages(1, 1.0)[0])
    assert [(r.sequence_number, r.received) for r in first] == [(0, True), (1, False), (2, True)]
    for number in (1, 3):
        receiver.receive(number, 1, 1.1)
    [late] = receiver.messages(1, 2.0)
    assert late.lost == () and late.base_sequence_number == 1  # 2, told before, is not called lost now
    second = sender.receive(late)
    assert [(r.sequence_number, r.received) for r in second] == [(1, True), (3, True)]


def test_holes_between_messages_are_reported() -> None:
    receiver = TwccReceiver()
    receiver.receive(10, 1, 0.0)
    receiver.messages(1, 1.0)
    receiver.receive(13, 1, 1.1)
    [message] = receiver.messages(1, 2.0)
    assert message.base_sequence_number == 11 and message.lost == (11, 12)
    assert message.feedback_count == 1


def test_long_pauses_and_great_jumps_are_split_into_messages_that_can_be_written() -> None:
    receiver = TwccReceiver(TwccConfig(max_packets_per_message=5))
    receiver.receive(1, 1, 0.0)
    receiver.receive(2, 1, 20.0)
    receiver.receive(30000, 1, 20.1)
    for number in range(30001, 30020):
        receiver.receive(number, 1, 20.2)
    messages = [wire(message) for message in receiver.messages(1, 21.0)]
    told = [number for message in messages for number, _ in message.received]
    assert told == [1, 2, *range(30000, 30020)]
    assert [message.feedback_count for message in messages] == list(range(len(messages)))


def test_version_two_answers_when_asked_and_as_asked() -> None:
    sender, receiver = TwccSender(), TwccReceiver()
    for number in range(10):
        sender.sent(1, 100, number / 100)
        if number != 7:
            asked = TransportSequence(number, 5 if number == 9 else 0, number == 9)
            receiver.receive_v2(asked, 1, number / 100 + 0.02)
    [message] = receiver.messages(1, 0.2)
    assert (message.base_sequence_number, message.status_count, message.lost) == (5, 5, (7,))
    results = sender.receive(wire(message))
    assert [(r.sequence_number, r.received) for r in results] == [
        (5, True),
        (6, True),
        (7, False),
        (8, True),
        (9, True),
    ]
    receiver.receive_v2(TransportSequence(10, 2, False), 1, 0.3)
    [untimed] = receiver.messages(1, 0.3)
    assert not untimed.with_timing and [n for n, _ in untimed.received] == [9, 10]
    sender.sent(1, 100, 0.1)
    assert [(r.received, r.arrival) for r in sender.receive(untimed)] == [(True, None)]


def test_feedback_about_packets_never_sent_is_ignored_and_cheap() -> None:
    sender = TwccSender(TwccConfig(max_in_flight=100))
    for _ in range(500):
        sender.sent(1, 100, 0.0)
    assert len(sender) == 100
    lie = rtcp.TransportCc(
        sender_ssrc=1,
        media_ssrc=1,
        base_sequence_number=40000,
        status_count=65535,
        reference_time=0,
        feedback_count=0,
        received=((40000, 5), (50000, 5)),
    )
    assert all(not result.received for result in sender.receive(lie))
    assert len(sender) == 100


def test_rfc_8888_feedback_tells_arrivals_losses_and_marks_by_stream() -> None:
    config = CcfbConfig(wall_epoch=1.7e9)
    sender, receiver = CcfbSender(config), CcfbReceiver(config)
    for step in range(60):
        for ssrc in (1, 2):
            number = (65530 + step) & 0xFFFF
            sender.sent(ssrc, number, 500, step / 100)
            if step % 10 != 3:
                receiver.receive(ssrc, number, step / 100 + 0.04, ecn=3 if step == 5 else 1)
    [message] = receiver.messages(9, 1.0)
    [parsed] = rtcp.parse_compound(message.serialize())
    assert isinstance(parsed, rtcp.Ccfb)
    results = sender.receive(parsed)
    assert len(results) == 120
    missing = [(r.ssrc, r.sequence_number) for r in results if not r.received]
    assert len(missing) == 12
    delays = [r.arrival - r.sent_at for r in results if r.arrival is not None]
    assert max(delays) - min(delays) < 0.002
    assert sum(r.ecn == 3 for r in results) == 2


def test_rfc_8888_messages_stay_within_their_limit() -> None:
    receiver = CcfbReceiver(CcfbConfig(max_reports=50, max_streams=4))
    for ssrc in range(10):
        for number in range(0, 400, 2):
            receiver.receive(ssrc, number, 0.0)
        receiver.receive(ssrc, 30000, 0.0)
    assert len(receiver) == 4 and receiver.drops["stream"] == 6
    told: dict[int, int] = {}
    for message in receiver.messages(1, 10.0):
        assert sum(len(stream.reports) for stream in message.streams) <= 50
        assert rtcp.parse_compound(message.serialize()) == [message]
        for stream in message.streams:
            told[stream.ssrc] = told.get(stream.ssrc, 0) + sum(report is not None for report in stream.reports)
    assert told == {6: 201, 7: 201, 8: 201, 9: 201}


def test_rfc_8888_tells_a_loss_once_and_a_late_packet_without_slander_of_its_neighbours() -> None:
    sender, receiver = CcfbSender(), CcfbReceiver()
    for number in range(5):
        sender.sent(1, number, 100, 0.0)
    for number in (0, 2):
        receiver.receive(1, number, 0.1)
    [first] = receiver.messages(9, 1.0)
    assert [(r.sequence_number, r.received) for r in sender.receive(first)] == [(0, True), (1, False), (2, True)]
    assert sender.receive(first) == []
    for number in (0, 1, 3):
        receiver.receive(1, number, 1.1)
    [second] = receiver.messages(9, 2.0)
    assert second.streams[0].begin_sequence_number == 1 and None not in second.streams[0].reports
    assert [(r.sequence_number, r.received) for r in sender.receive(second)] == [(1, True), (3, True)]
    assert receiver.drops["duplicate"] == 1


def test_what_is_later_than_the_history_is_left_out() -> None:
    receiver = TwccReceiver(TwccConfig(history=10))
    for number in range(100, 150):
        receiver.receive(number, 1, 0.0)
    receiver.messages(1, 1.0)
    receiver.receive(99, 1, 1.0)
    assert receiver.messages(1, 2.0) == [] and receiver.drops["too_old"] == 1
    assert receiver.next_timeout() == NEVER
