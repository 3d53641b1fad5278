"""Sent streams, RTCP timing, and the composition of reports."""

from __future__ import annotations

import itertools

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.rtp.ntp import ntp_to_unix
from webrtc_stack.rtp.streams import (
    ReceivedStream,
    ReportConfig,
    Reporter,
    ReportScheduler,
    SenderConfig,
    SentStream,
    rtcp_interval,
)


def sent_stream(ssrc: int = 5) -> SentStream:
    return SentStream(ssrc, SenderConfig(clock_rate=48_000, wall_epoch=1.7e9, entropy=SeededEntropy(1)))


def test_numbers_are_given_when_a_packet_leaves_and_wrap() -> None:
    stream = sent_stream()
    stream.sequence_number = 65535
    numbers = [stream.stamp(RtpPacket(payload=b"abc"), 0.0).sequence_number for _ in range(3)]
    assert numbers == [65535, 0, 1]
    assert stream.packets_sent == 3 and stream.octets_sent == 9


def test_a_sender_report_carries_both_clocks_on_to_its_moment() -> None:
    stream = sent_stream()
    stream.stamp(RtpPacket(timestamp=stream.timestamp(2.0), payload=b"x"), 10.0)
    report = stream.sender_report(10.5)
    assert report.rtp_timestamp == stream.timestamp(2.5)
    assert ntp_to_unix(report.ntp_timestamp) == pytest.approx(1.7e9 + 10.5)


def test_the_round_trip_comes_back_through_a_report_block() -> None:
    sender, receiver = sent_stream(), ReceivedStream(5)
    receiver.receive(sender.stamp(RtpPacket(payload=b"x"), 0.0), 0.03)
    receiver.receive_sender_report(sender.sender_report(1.0), 1.03)
    rtt = sender.receive_report_block(receiver.report_block(1.5), 1.55)
    assert rtt == pytest.approx(0.08, abs=1e-3) and sender.rtt == rtt


def test_an_invented_last_sr_moves_no_rtt() -> None:
    sender = sent_stream()
    sender.sender_report(1.0)
    assert sender.receive_report_block(rtcp.ReportBlock(5, 128, 7, 9, 4800, 12345, 0), 2.0) is None
    assert sender.rtt is None
    assert sender.remote_fraction_lost == 0.5 and sender.remote_jitter == 0.1 and sender.remote_packets_lost == 7
    assert sender.receive_report_block(rtcp.ReportBlock(6), 2.0) is None
    assert sender.blocks_ignored == 1


@pytest.mark.parametrize(
    ("members", "senders", "we_sent", "expected"),
    [
        (2, 1, True, 2 * 100 / 1000),  # senders are more than a quarter: all share everything
        (100, 10, True, 10 * 100 / 250),
        (100, 10, False, 90 * 100 / 750),
        (2, 1, False, 0.2),
    ],
)
def test_the_interval_shares_the_bandwidth_as_the_specification_says(
    members: int, senders: int, we_sent: bool, expected: float
) -> None:
    got = rtcp_interval(
        members=members, senders=senders, rtcp_bytes_per_second=1000, we_sent=we_sent, average_bytes=100, minimum=0
    )
    assert got == pytest.approx(expected)


def run_reports(config: ReportConfig, seconds: float) -> list[float]:
    scheduler = ReportScheduler(config, 0.0)
    times: list[float] = []
    now = scheduler.next_timeout()
    while now < seconds:
        if scheduler.due(now) == "regular":
            scheduler.sent(100, now, regular=True)
            times.append(now)
        assert scheduler.next_timeout() > now
        now = scheduler.next_timeout()
    return times


def test_regular_reports_come_at_randomised_distances_around_the_minimum() -> None:
    config = ReportConfig(minimum_interval=1.0, reduced_minimum=False, entropy=SeededEntropy(3))
    times = run_reports(config, 300.0)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) >= 0.5 / 1.21828 - 1e-9 and max(gaps) <= 1.5 / 1.21828 + 1e-9
    assert 0.8 < sum(gaps) / len(gaps) < 1.1
    assert max(gaps) - min(gaps) > 0.5
    assert times == run_reports(config, 300.0)


def test_feedback_leaves_at_once_and_then_keeps_its_distance() -> None:
    config = ReportConfig(session_bandwidth_bps=64_000, reduced_minimum=False, entropy=SeededEntropy(3))
    scheduler = ReportScheduler(config, 0.0)
    scheduler.request_feedback()
    assert scheduler.next_timeout() == 0.0 and scheduler.due(0.0) == "feedback"
    scheduler.sent(20, 0.0, regular=False)
    scheduler.request_feedback()
    assert scheduler.due(0.001) == ""
    assert 0.1 < scheduler.next_timeout() < 1.0


def test_without_avpf_feedback_waits_for_the_regular_report() -> None:
    scheduler = ReportScheduler(ReportConfig(early_feedback=False, entropy=SeededEntropy(1)), 0.0)
    before = scheduler.next_timeout()
    scheduler.request_feedback()
    assert scheduler.next_timeout() == before > 0


def test_members_that_leave_bring_the_next_report_nearer() -> None:
    config = ReportConfig(minimum_interval=5.0, reduced_minimum=False, entropy=SeededEntropy(1))
    scheduler = ReportScheduler(config, 0.0)
    scheduler.set_members(10, 1, False, 0.0)
    before = scheduler.next_timeout()
    scheduler.set_members(5, 1, False, 0.0)
    assert scheduler.next_timeout() == pytest.approx(before / 2)
    with pytest.raises(InvalidArgumentError):
        scheduler.set_members(1, 2, False, 0.0)


def test_a_compound_packet_of_a_sender_is_well_formed_and_names_every_stream() -> None:
    first, second, silent = sent_stream(5), sent_stream(6), sent_stream(7)
    for stream in (first, second):
        stream.stamp(RtpPacket(payload=b"x"), 0.5)
    received = []
    for ssrc in range(100, 140):
        stream_in = ReceivedStream(ssrc)
        stream_in.receive(RtpPacket(ssrc=ssrc), 0.5)
        received.append(stream_in)
    packets = Reporter(5, "me").compound(1.0, sent=[first, second, silent], received=received)
    rtcp.check_compound(packets)
    kinds = [type(packet).__name__ for packet in packets]
    assert kinds == ["SenderReport", "SenderReport", "SourceDescription"]
    reports = [packet for packet in packets if isinstance(packet, rtcp.SenderReport)]
    assert [len(report.reports) for report in reports] == [31, 9]
    assert rtcp.parse_compound(rtcp.serialize_compound(packets))


def test_a_source_that_is_silent_since_the_last_report_gets_no_block() -> None:
    stream, reporter = ReceivedStream(9), Reporter(5, "me")
    stream.receive(RtpPacket(ssrc=9), 0.0)
    counts = []
    for now in (1.0, 2.0):
        report = reporter.compound(now, received=[stream])[0]
        assert isinstance(report, rtcp.ReceiverReport)
        counts.append(len(report.reports))
    assert counts == [1, 0]


def test_more_sources_than_fit_take_turns() -> None:
    reporter = Reporter(5, "me", ReportConfig(max_report_packets=1))
    streams = [ReceivedStream(ssrc) for ssrc in range(50)]
    seen: set[int] = set()
    for turn in range(3):
        for stream in streams:
            stream.receive(RtpPacket(ssrc=stream.ssrc, sequence_number=turn), float(turn))
        for packet in reporter.compound(float(turn), received=streams):
            if isinstance(packet, rtcp.ReceiverReport):
                assert len(packet.reports) <= 31
                seen.update(block.ssrc for block in packet.reports)
    assert len(seen) == 50


def test_feedback_is_reduced_only_where_negotiated_and_bye_ends_a_full_compound() -> None:
    pli = rtcp.Pli(sender_ssrc=5, media_ssrc=9)
    assert Reporter(5, "me").feedback([pli]) == [pli]
    full = Reporter(5, "me", ReportConfig(reduced_size=False)).feedback([pli])
    rtcp.check_compound(full)
    assert len(full) == 3
    goodbye = Reporter(5, "me").bye(1.0, sent=[sent_stream(6)], reason="done")
    rtcp.check_compound(goodbye)
    assert goodbye[-1] == rtcp.Bye(ssrcs=(5, 6), reason=b"done")
