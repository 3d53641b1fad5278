"""One received SSRC and the table of all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from webrtc_stack.errors import InvalidArgumentError, TooManyStreams
from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.rtp.ntp import compact_ntp, seconds_to_compact, unix_to_ntp
from webrtc_stack.rtp.streams import (
    ReceivedStream,
    ReceiverConfig,
    Receivers,
    ReceiversConfig,
    Verdict,
    round_trip_time,
)


def packet(number: int, *, ssrc: int = 1, timestamp: int = 0) -> RtpPacket:
    return RtpPacket(ssrc=ssrc, sequence_number=number & 0xFFFF, timestamp=timestamp, payload=b"xxxx")


def feed(stream: ReceivedStream, *numbers: int) -> list[int | None]:
    return [stream.receive(packet(number), 0.0) for number in numbers]


def test_indexes_grow_across_the_wrap_and_late_packets_get_theirs() -> None:
    stream = ReceivedStream(1)
    first, *rest = feed(stream, 65534, 65535, 1, 0, 2)
    assert first is not None
    assert rest == [first + 1, first + 3, first + 2, first + 4]
    assert stream.highest_sequence_number == 0x10002
    assert stream.packets_lost == 0 and stream.late_or_duplicate == 1


def test_a_restart_needs_two_packets_in_sequence_and_its_indexes_go_on() -> None:
    stream = ReceivedStream(1)
    before = feed(stream, 10, 11)[-1]
    assert feed(stream, 40000) == [None]
    after = feed(stream, 40001, 40002)
    assert before is not None and after[0] is not None and after[1] == after[0] + 1
    assert after[0] > before + 0x8000
    assert stream.restarts == 1 and stream.discarded == 1
    assert stream.expected == 2 and stream.packets_lost == 0


def test_one_stray_number_is_no_restart() -> None:
    stream = ReceivedStream(1)
    feed(stream, 10, 40000, 11, 50000, 12)
    assert stream.restarts == 0 and stream.packets_received == 3 and stream.discarded == 2


def test_probation_wants_packets_in_sequence() -> None:
    stream = ReceivedStream(1, ReceiverConfig(probation=3))
    assert feed(stream, 5, 6, 9, 10) == [None] * 4
    before = stream.valid
    assert feed(stream, 11)[0] is not None
    assert (before, stream.valid) == (False, True)
    assert stream.packets_received == 1 and stream.expected == 1


def test_fraction_lost_covers_the_interval_and_the_cumulative_count_everything() -> None:
    stream = ReceivedStream(1)
    feed(stream, *range(0, 100, 2), 99)
    block = stream.report_block(1.0)
    assert block.packets_lost == 49 and block.fraction_lost == (49 << 8) // 100
    feed(stream, *range(100, 200))
    again = stream.report_block(2.0)
    assert again.packets_lost == 49 and again.fraction_lost == 0


def test_duplicates_make_the_cumulative_loss_negative() -> None:
    stream = ReceivedStream(1)
    feed(stream, 1, 1, 1, 2)
    assert stream.report_block(0.0).packets_lost == -2


def test_the_report_block_answers_the_last_sender_report() -> None:
    stream = ReceivedStream(1)
    feed(stream, 1)
    ntp = unix_to_ntp(1_700_000_000.25)
    report = rtcp.SenderReport(ssrc=1, ntp_timestamp=ntp, rtp_timestamp=90, packet_count=5, octet_count=50)
    stream.receive_sender_report(report, 3.0)
    block = stream.report_block(3.5)
    assert block.last_sr == compact_ntp(ntp) and block.delay_since_last_sr == 32768
    assert stream.sender_clock is not None and stream.sender_clock.rtp_timestamp == 90
    stream.receive_sender_report(replace(report, ssrc=2, packet_count=9), 4.0)
    assert stream.remote_packet_count == 5


def test_the_rtt_is_what_the_specification_computes() -> None:
    # The example of RFC 3550 section 6.4.1, figure 2.
    now = 0xB44DB705 << 32 | 0x2000 << 16
    rtt = round_trip_time(0x0000B710 << 32 | 0x8000 << 16, 0xB705_2000, 0x0005_4000)
    assert rtt == 6.125
    assert round_trip_time(now, 0, 0) is None
    assert round_trip_time(now, compact_ntp(now), seconds_to_compact(100.0)) is None
    assert round_trip_time(now, compact_ntp(now), seconds_to_compact(0.001)) == 0.0


def test_a_flood_of_sources_is_refused_and_expected_ones_are_served() -> None:
    table = Receivers(ReceiversConfig(max_unexpected=8))
    table.expect(7, ReceiverConfig())
    for ssrc in range(1000, 3000):
        table.receive(packet(1, ssrc=ssrc), 0.1)
    assert len(table) == 9 and table.drops["flood"] == 1992
    assert table.receive(packet(1, ssrc=7), 0.2).verdict is Verdict.ACCEPTED
    assert table.receive(packet(1, ssrc=5000), 20.0).verdict is Verdict.NOT_COUNTED  # took a silent one's place
    assert table.receive(packet(2, ssrc=5000), 20.0).verdict is Verdict.ACCEPTED
    assert len(table) == 9


def test_the_table_of_expected_sources_is_bounded_too() -> None:
    table = Receivers(ReceiversConfig(max_expected=1))
    stream = table.expect(7, ReceiverConfig())
    assert table.expect(7, ReceiverConfig()) is stream
    with pytest.raises(TooManyStreams):
        table.expect(8, ReceiverConfig())
    table.forget(7)
    table.forget(7)
    table.expect(8, ReceiverConfig())


def test_our_own_ssrc_coming_in_is_a_collision_first_and_then_a_loop() -> None:
    table = Receivers()
    table.set_own([9])
    assert table.receive(packet(1, ssrc=9), 0.0, source="b").verdict is Verdict.COLLISION
    assert table.receive(packet(2, ssrc=9), 1.0, source="b").verdict is Verdict.LOOP
    assert table.receive(packet(2, ssrc=9), 90.0, source="b").verdict is Verdict.COLLISION  # forgotten by then


def mixed(number: int, *csrcs: int) -> RtpPacket:
    made = packet(number, ssrc=5)
    made.csrcs = csrcs
    return made


def test_our_own_ssrc_among_the_contributing_sources_is_a_collision_where_that_is_checked() -> None:
    table = Receivers(ReceiversConfig(check_csrcs=True))
    table.set_own([9])
    table.expect(5, ReceiverConfig())
    assert table.receive(mixed(1, 7, 8), 0.0, source="a").verdict is Verdict.ACCEPTED
    assert table.receive(mixed(2, 7, 9), 0.0, source="a").verdict is Verdict.COLLISION
    assert table.receive(mixed(3, 9), 1.0, source="a").verdict is Verdict.LOOP
    table.set_own([10])  # we left, with a BYE
    assert table.receive(mixed(4, 9), 2.0, source="a").verdict is Verdict.ACCEPTED
    assert table.drops.by_reason == {"collision": 1, "loop": 1}


def test_a_bridge_that_names_its_listener_is_heard_by_default() -> None:
    table = Receivers()
    table.set_own([9])
    table.expect(5, ReceiverConfig())
    assert table.receive(mixed(1, 7, 9), 0.0).verdict is Verdict.ACCEPTED


def jumped(config: ReceiverConfig) -> ReceivedStream:
    """Padding at timestamp 0 as browsers begin an RTX stream with, then media that comes each 20 ms."""
    stream = ReceivedStream(1, config)
    for number in range(20):
        timestamp = 0 if number < 3 else 0xC0000000 + number * 1800
        assert stream.receive(packet(number, timestamp=timestamp), number * 0.02) is not None
    return stream


def test_a_jump_of_the_timestamps_is_no_jitter_but_what_comes_around_it_is() -> None:
    steady, literal = jumped(ReceiverConfig()), jumped(ReceiverConfig(max_transit_jump=float("inf")))
    assert 0 < steady.jitter < 200
    assert literal.jitter > 10_000_000
    assert (steady.packets_received, steady.packets_lost) == (literal.packets_received, 0)


def test_a_second_place_is_refused_while_the_first_speaks_and_followed_when_it_is_silent() -> None:
    table = Receivers()
    table.expect(1, ReceiverConfig())
    assert table.receive(packet(1), 0.0, source="a").verdict is Verdict.ACCEPTED
    assert table.receive(packet(2), 0.5, source="b").verdict is Verdict.FOREIGN_SOURCE
    assert table.receive(packet(2), 3.0, source="b").verdict is Verdict.ACCEPTED
    assert table.receive(packet(3), 3.1, source="a").verdict is Verdict.FOREIGN_SOURCE


@pytest.mark.parametrize(
    "wrong",
    [{"clock_rate": 0}, {"probation": -1}, {"max_misorder": 0}, {"max_dropout": 65536}, {"max_transit_jump": 0}],
)
def test_a_wrong_receiver_config_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError):
        ReceiverConfig(**wrong)
