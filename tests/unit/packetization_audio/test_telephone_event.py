"""Telephone events: what is sent when, and that each key press arrives once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import vectors
from webrtc_stack.base import NEVER, SeededEntropy, random_below
from webrtc_stack.errors import BufferFull, InvalidArgumentError, ParseError
from webrtc_stack.packetization import payload_format
from webrtc_stack.packetization.telephone_event import (
    DTMF,
    EventEnded,
    EventStarted,
    TelephoneEvent,
    TelephoneEventFormat,
    TelephoneEventReceiver,
    event_of,
    format_event_ranges,
    parse_event_ranges,
)
from webrtc_stack.packetization.telephone_event_sender import (
    EventPacket,
    TelephoneEventSender,
    TelephoneEventSenderConfig,
    TonesFinished,
    ToneStarted,
)
from webrtc_stack.rtp import RtpPacket


def drive(sender: TelephoneEventSender, until: float = 1000.0) -> list[tuple[float, EventPacket]]:
    """Polls at every time-out; what came out, with its time in ms."""
    sent: list[tuple[float, EventPacket]] = []
    for _ in range(10_000):
        now = sender.next_timeout()
        if now > until:
            return sent
        sent += [(round(now * 1000, 3), packet) for packet in sender.poll_transmits(now)]
    raise AssertionError("it spins")


def rows(sent: list[tuple[float, EventPacket]]) -> list[tuple[float, int, bool, bool, int]]:
    found = []
    for time, packet in sent:
        report = TelephoneEvent.parse(packet.payload)
        found.append((time, packet.timestamp, packet.marker, report.end, report.duration))
    return found


def receive(packets: list[EventPacket], receiver: TelephoneEventReceiver | None = None) -> list[object]:
    receiver = receiver or TelephoneEventReceiver()
    out: list[object] = []
    for sequence, packet in enumerate(packets):
        out += receiver.push(
            RtpPacket(
                sequence_number=sequence & 0xFFFF,
                timestamp=packet.timestamp,
                marker=packet.marker,
                payload=packet.payload,
            )
        )
    return out


def test_the_recorded_packet_reads() -> None:
    (case,) = vectors.cases("packetization_audio/telephone_event_packets.json")
    packet = RtpPacket.parse(bytes.fromhex(case["hex"]))
    report = TelephoneEvent.parse(packet.payload)
    assert report == TelephoneEvent(event=1, end=True, volume=10, duration=960)
    assert report.character == "1"
    assert report.serialize() == packet.payload


def test_a_tone_has_a_marked_start_updates_and_three_ends() -> None:
    sender = TelephoneEventSender(TelephoneEventSenderConfig(timestamp_offset=0xFFFFFFF0))
    sender.send_tones("5", 1.0, duration=0.13)
    start = (0xFFFFFFF0 + 8000) & 0xFFFFFFFF
    assert rows(drive(sender)) == [
        (1000, start, True, False, 400),
        (1050, start, False, False, 800),
        (1100, start, False, False, 1040),
        (1130, start, False, True, 1040),
        (1150, start, False, True, 1040),
        (1170, start, False, True, 1040),
    ]
    assert sender.poll_events() == [ToneStarted(5, "5"), TonesFinished()]
    assert sender.next_timeout() == NEVER


def test_tones_follow_each_other_after_the_gap_and_a_comma_waits() -> None:
    sender = TelephoneEventSender()
    sender.send_tones("1,d", 0.0, duration=0.1, gap=0.05)
    sent = rows(drive(sender))
    starts = [(time, stamp) for time, stamp, marker, _, _ in sent if marker]
    assert starts == [(0, 0), (2150, 17200)]
    assert receive([packet for _, packet in drive(sender)]) == []
    assert [one.character for one in sender.poll_events() if isinstance(one, ToneStarted)] == ["1", "D"]


def test_repeated_ends_never_run_into_the_next_tone() -> None:
    sender = TelephoneEventSender(TelephoneEventSenderConfig(end_interval=0.05))
    sender.send_tones("12", 0.0, duration=0.05, gap=0.03)
    times = [
        (time, report.event, report.end)
        for time, packet in drive(sender)
        for report in [TelephoneEvent.parse(packet.payload)]
    ]
    assert times[:5] == [(0, 1, False), (50, 1, True), (80, 1, True), (80, 1, True), (80, 2, False)]


def test_a_long_event_goes_on_in_segments() -> None:
    sender = TelephoneEventSender(TelephoneEventSenderConfig(clock_rate=48_000))
    sender.send_event(7, 0.0, duration=3.0)
    packets = [packet for _, packet in drive(sender)]
    found = [(one.timestamp, TelephoneEvent.parse(one.payload)) for one in packets]
    assert sorted({stamp for stamp, _ in found}) == [0, 0xFFFF, 2 * 0xFFFF]
    for segment in (0, 0xFFFF):
        assert max(report.duration for stamp, report in found if stamp == segment) == 0xFFFF
        assert not any(report.end for stamp, report in found if stamp == segment)
    assert sum(packet.marker for packet in packets) == 1
    assert [report.end for _, report in found[-3:]] == [True] * 3
    assert found[-1][1].duration == 144_000 - 2 * 0xFFFF
    assert sender.counters.segments == 3
    assert receive(packets, TelephoneEventReceiver(48_000)) == [
        EventStarted(7, 0, 10),
        EventEnded(7, 0, 144_000, 10),
    ]


def test_a_key_held_down_ends_when_it_is_let_go() -> None:
    sender = TelephoneEventSender()
    sender.send_event(1, 0.0)
    sent = drive(sender, until=0.2)
    assert [row[4] for row in rows(sent)] == [400, 800, 1200, 1600, 2000]
    sender.stop(0.22)
    ends = rows(drive(sender))
    assert [(time, end, length) for time, _, _, end, length in ends] == [
        (250, True, 2000),
        (270, True, 2000),
        (290, True, 2000),
    ]


def test_a_late_caller_loses_no_packet_and_sends_each_report_once() -> None:
    sender = TelephoneEventSender()
    sender.send_tones("3", 0.0, duration=0.1)
    assert len(sender.poll_transmits(0.0, limit=1)) == 1
    packets = sender.poll_transmits(5.0)
    assert [TelephoneEvent.parse(one.payload).end for one in packets] == [False, True, True, True]


def test_misuse_changes_nothing() -> None:
    sender = TelephoneEventSender(TelephoneEventSenderConfig(max_queued=3))
    with pytest.raises(InvalidArgumentError):
        sender.send_tones("12x", 0.0)
    with pytest.raises(BufferFull):
        sender.send_tones("1234", 0.0)
    with pytest.raises(InvalidArgumentError):
        sender.send_event(256, 0.0)
    with pytest.raises(InvalidArgumentError):
        sender.send_event(1, 0.0, duration=0)
    assert sender.queued == 0
    assert sender.next_timeout() == NEVER
    sender.stop(0.0)
    sender.send_tones("123", 0.0)
    sender.clear()
    drive(sender)
    assert sender.poll_events() == [TonesFinished()]
    for wrong in ({"clock_rate": 10}, {"volume": 64}, {"max_queued": 0}, {"update_interval": 9.0}):
        with pytest.raises(InvalidArgumentError):
            TelephoneEventSenderConfig(**wrong)


def test_time_that_goes_backwards_counts_as_the_last() -> None:
    sender = TelephoneEventSender()
    sender.handle_timeout(10.0)
    sender.send_tones("1", 3.0)
    (first,) = sender.poll_transmits(2.0)
    assert first.timestamp == 80_000


@settings(max_examples=80)
@given(
    st.text(DTMF, min_size=1, max_size=8),
    st.floats(0.04, 1.0),
    st.sampled_from([8000, 16_000, 48_000]),
    st.integers(0, 2**32),
)
def test_what_is_sent_arrives_in_any_order_within_an_event(tones: str, duration: float, rate: int, seed: int) -> None:
    sender = TelephoneEventSender(TelephoneEventSenderConfig(clock_rate=rate, timestamp_offset=seed & 0xFFFFFFFF))
    sender.send_tones(tones, 0.0, duration=duration, gap=0.1)
    packets = [packet for _, packet in drive(sender)]
    entropy = SeededEntropy(seed)
    for at in range(1, len(packets)):
        one, two = packets[at - 1], packets[at]
        if one.timestamp == two.timestamp and not random_below(entropy, 3):
            packets[at - 1], packets[at] = two, one
    doubled = [packet for packet in packets for _ in range(1 + (not random_below(entropy, 4)))]
    out = receive(doubled, TelephoneEventReceiver(rate))
    ended = [one for one in out if isinstance(one, EventEnded)]
    assert "".join(str(one.character) for one in ended) == tones
    assert {one.duration for one in ended} == {round(duration * rate)}
    assert len(out) == 2 * len(tones) and not any(one.end_lost for one in ended)


@settings(max_examples=80)
@given(st.text(DTMF, min_size=1, max_size=8), st.integers(0, 2**32))
def test_one_packet_of_each_event_is_enough(tones: str, seed: int) -> None:
    sender = TelephoneEventSender()
    sender.send_tones(tones, 0.0, duration=0.2, gap=0.1)
    packets = [packet for _, packet in drive(sender)]
    entropy = SeededEntropy(seed)
    stamps = sorted({packet.timestamp for packet in packets})
    kept = []
    for stamp in stamps:
        group = [packet for packet in packets if packet.timestamp == stamp]
        kept.append(group[random_below(entropy, len(group))])
    receiver = TelephoneEventReceiver()
    out = [*receive(kept, receiver), *receiver.advance(stamps[-1] + 16_000)]
    ended = [one for one in out if isinstance(one, EventEnded)]
    assert "".join(str(one.character) for one in ended) == tones
    for one, packet in zip(ended, kept, strict=True):
        report = TelephoneEvent.parse(packet.payload)
        assert (one.duration, one.end_lost) == (report.duration, not report.end)


def push(receiver: TelephoneEventReceiver, payload: str, timestamp: int, *, marker: bool = False) -> list[object]:
    return list(receiver.push(RtpPacket(payload=bytes.fromhex(payload), timestamp=timestamp, marker=marker)))


def test_a_lost_end_is_told_by_time_or_by_the_next_event() -> None:
    receiver = TelephoneEventReceiver()
    push(receiver, "010a0190", 0, marker=True)
    assert receiver.advance(2000) == []
    assert receiver.advance(2401) == [EventEnded(1, 0, 400, 10, True)]
    assert receiver.advance(99_999) == []
    assert push(receiver, "018a0320", 0) == [], "its end comes too late to count"
    assert push(receiver, "020a0190", 8000) == [EventStarted(2, 8000, 10)]
    assert push(receiver, "030a0190", 16_000) == [EventEnded(2, 8000, 400, 10, True), EventStarted(3, 16_000, 10)]
    assert push(receiver, "028a0190", 8000) == []
    assert receiver.drops["late or doubled"] == 2


def test_lost_segments_do_not_break_an_event() -> None:
    receiver = TelephoneEventReceiver()
    push(receiver, "010a0190", 0, marker=True)
    assert push(receiver, "010a0190", 2 * 0xFFFF) == []
    assert push(receiver, "018a0320", 2 * 0xFFFF) == [EventEnded(1, 0, 2 * 0xFFFF + 800, 10)]


def test_several_events_in_one_packet_follow_each_other() -> None:
    out = push(TelephoneEventReceiver(), "010a0100" + "020a0200" + "030a0300", 50, marker=True)
    assert out == [
        EventStarted(1, 50, 10),
        EventEnded(1, 50, 256, 10),
        EventStarted(2, 306, 10),
        EventEnded(2, 306, 512, 10),
        EventStarted(3, 818, 10),
    ]


def test_a_sender_that_restarts_is_heard() -> None:
    receiver = TelephoneEventReceiver()
    push(receiver, "018a0190", 3_000_000, marker=True)
    assert push(receiver, "028a0190", 2_999_000, marker=True) == [], "a little earlier is late"
    assert len(push(receiver, "028a0190", 1000, marker=True)) == 2


def test_events_that_were_not_announced_are_not_heard() -> None:
    made = payload_format("telephone-event", events="0-11,16")
    assert isinstance(made, TelephoneEventFormat)
    receiver = made.receiver()
    assert push(receiver, "0c8a0190", 0, marker=True) == []
    assert push(receiver, "108a0190", 9000, marker=True) == [EventStarted(16, 9000, 10), EventEnded(16, 9000, 400, 10)]
    assert push(receiver, "10", 0) == []
    assert receiver.drops.by_reason == {"event not accepted": 1, "malformed": 1}


def test_payloads_pass_through_the_format() -> None:
    made = payload_format("telephone-event", clock_rate=48_000)
    payload = TelephoneEvent(11, False, 10, 960).serialize()
    assert made.packetizer().packetize(payload) == [payload]
    (frame,) = made.depacketizer().push(RtpPacket(payload=payload, timestamp=3))
    assert frame.facts == (TelephoneEvent(11, False, 10, 960),)
    assert frame.facts[0].character == "#"
    for wrong in (b"", bytes(3), bytes(4 * 17)):
        with pytest.raises(InvalidArgumentError):
            made.packetizer().packetize(wrong)
    with pytest.raises(InvalidArgumentError):
        payload_format("telephone-event", events="0-x")
    with pytest.raises(ParseError):
        TelephoneEvent.parse(bytes(8))
    with pytest.raises(InvalidArgumentError):
        TelephoneEvent(256, False, 0, 0).serialize()


def test_characters_and_ranges() -> None:
    assert [event_of(one) for one in "0*#aD"] == [0, 10, 11, 12, 15]
    for wrong in ("", "E", "12", ","):
        with pytest.raises(InvalidArgumentError):
            event_of(wrong)
    assert parse_event_ranges("0-3, 66,70") == {0, 1, 2, 3, 66, 70}
    for bad in ("", "5-2", "256", "a", "1-", "-1", "1,,2", "9" * 5000):
        with pytest.raises(ParseError):
            parse_event_ranges(bad)
    with pytest.raises(InvalidArgumentError):
        format_event_ranges([300])


@settings(max_examples=60)
@given(st.sets(st.integers(0, 255), min_size=1))
def test_ranges_come_back_as_written(events: set[int]) -> None:
    assert parse_event_ranges(format_event_ranges(events)) == events


@settings(max_examples=60)
@given(st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 0xFFFF))
def test_reports_come_back_as_written(event: int, end: bool, volume: int, duration: int) -> None:
    report = TelephoneEvent(event, end, volume, duration)
    assert TelephoneEvent.parse(report.serialize()) == report


# --- what the sender keeps of the machines' contract ----------------------------------------------------------------


def test_whoever_forgets_to_poll_is_woken_at_once_and_loses_nothing() -> None:
    sender = TelephoneEventSender()
    sender.send_tones("12", 1.0, duration=0.1)
    for now in (1.0, 1.03, 1.5):
        sender.handle_timeout(now)
        assert sender.next_timeout() <= now
    late = list(sender.poll_transmits(9.0))
    late += [packet for _, packet in drive(sender)]
    prompt = TelephoneEventSender()
    prompt.send_tones("12", 1.0, duration=0.1)
    assert [TelephoneEvent.parse(packet.payload) for packet in late] == [
        TelephoneEvent.parse(packet.payload) for _, packet in drive(prompt)
    ]


def test_the_two_polls_come_in_any_order_and_are_limited() -> None:
    outcomes = []
    for events_first in (False, True):
        sender = TelephoneEventSender()
        sender.send_tones("1", 0.0, duration=0.2)
        events = sender.poll_events() if events_first else []
        packets = sender.poll_transmits(0.0)
        while one := sender.poll_transmits(3.0, limit=1):
            assert len(one) == 1
            packets += one
        outcomes.append((packets, events + sender.poll_events()))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1] == [ToneStarted(1, "1"), TonesFinished()]
