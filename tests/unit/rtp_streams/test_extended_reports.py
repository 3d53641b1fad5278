"""Reference times of who sends nothing, and their answers."""

from __future__ import annotations

import pytest

from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.rtp import RtpPacket, rtcp
from webrtc_stack.rtp.ntp import compact_ntp, unix_to_ntp
from webrtc_stack.rtp.streams import Reporter, SentStream, XrConfig, XrReporter

EPOCH = 1.7e9


def asked(ssrc: int, at: float) -> rtcp.ExtendedReport:
    return rtcp.ExtendedReport(ssrc=ssrc, blocks=(rtcp.ReceiverReferenceTime(ntp_timestamp=unix_to_ntp(EPOCH + at)),))


def answers(report: rtcp.ExtendedReport | None) -> tuple[rtcp.DlrrItem, ...]:
    assert report is not None
    return tuple(i for block in report.blocks if isinstance(block, rtcp.DelaySinceLastRr) for i in block.items)


def test_a_receiver_learns_its_round_trip_from_the_answer_to_its_reference_time() -> None:
    receiver, sender = XrReporter(XrConfig(wall_epoch=EPOCH)), XrReporter(XrConfig(wall_epoch=5.0))
    question = receiver.report(7, 1.0)
    assert question is not None and len(question.blocks) == 1
    assert sender.receive(question, 1.04) is None
    answer = sender.report(9, 1.54, sending=True)
    assert answer is not None
    assert answer.ssrc == 9 and answers(answer)[0].delay_since_last_rr == 32768
    assert receiver.receive(answer, 1.58) == pytest.approx(0.08, abs=1e-4)
    assert receiver.rtt == receiver.rtt_latest == pytest.approx(0.08, abs=1e-4)
    assert receiver.counters.references_sent == receiver.counters.answers_received == 1
    assert sender.counters.references_received == sender.counters.answers_sent == 1
    assert sender.rtt is None


def test_later_measurements_are_smoothed() -> None:
    receiver = XrReporter(XrConfig(rtt_smoothing=0.5))
    for at, rtt in ((1.0, 0.1), (2.0, 0.3)):
        receiver.report(7, at)
        item = rtcp.DlrrItem(7, compact_ntp(unix_to_ntp(at)), 0)
        receiver.receive(rtcp.ExtendedReport(ssrc=1, blocks=(rtcp.DelaySinceLastRr(items=(item,)),)), at + rtt)
    assert receiver.rtt == pytest.approx(0.2, abs=1e-4) and receiver.rtt_latest == pytest.approx(0.3, abs=1e-4)
    assert receiver.rtt_measurements == 2


def test_who_sends_media_asks_nothing_and_still_answers() -> None:
    sender = XrReporter()
    assert sender.report(1, 0.0, sending=True) is None
    sender.receive(asked(7, 0.0), 0.5)
    assert [type(block) for block in (sender.report(1, 1.0, sending=True) or asked(1, 0)).blocks] == [
        rtcp.DelaySinceLastRr
    ]


def test_several_sources_are_answered_together_each_once_and_with_its_latest_time() -> None:
    sender = XrReporter()
    for ssrc, at in ((7, 1.0), (8, 1.1), (7, 1.2)):
        sender.receive(asked(ssrc, at), at)
    found = answers(sender.report(1, 2.0, sending=True))
    assert [(item.ssrc, item.last_rr) for item in found] == [
        (7, compact_ntp(unix_to_ntp(EPOCH + 1.2))),
        (8, compact_ntp(unix_to_ntp(EPOCH + 1.1))),
    ]
    assert sender.report(1, 3.0, sending=True) is None


def test_more_sources_than_a_report_answers_take_turns_and_a_flood_is_refused() -> None:
    sender = XrReporter(XrConfig(max_waiting=10, max_answers=4))
    for ssrc in range(1000):
        sender.receive(asked(ssrc, 1.0), 1.0)
    assert len(sender) == 10 and sender.counters.references_refused == 990
    turns = [[item.ssrc for item in answers(sender.report(1, 2.0, sending=True))] for _ in range(3)]
    assert turns == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    sender.receive(asked(5, 3.0), 3.0)
    sender.forget(5)
    sender.forget(5)
    assert len(sender) == 0


@pytest.mark.parametrize(
    "item",
    [
        rtcp.DlrrItem(7, 12345, 0),  # no time of ours
        rtcp.DlrrItem(7, 0, 0),  # "none came yet"
        rtcp.DlrrItem(7, compact_ntp(unix_to_ntp(1.0)), 0x40000000),  # held for longer than it exists
    ],
)
def test_an_answer_to_no_time_of_ours_moves_no_rtt(item: rtcp.DlrrItem) -> None:
    receiver = XrReporter()
    receiver.report(7, 1.0)
    block = rtcp.DelaySinceLastRr(items=(item, rtcp.DlrrItem(8, 5, 5)))
    assert receiver.receive(rtcp.ExtendedReport(ssrc=1, blocks=(block,)), 1.5) is None
    assert receiver.rtt is None and receiver.counters.answers_ignored == 1


def test_only_the_last_reference_times_are_remembered() -> None:
    receiver = XrReporter(XrConfig(report_memory=2))
    for at in (1.0, 2.0, 3.0):
        receiver.report(7, at)

    def heard(at: float) -> float | None:
        items = (rtcp.DlrrItem(7, compact_ntp(unix_to_ntp(at)), 0),)
        return receiver.receive(rtcp.ExtendedReport(ssrc=1, blocks=(rtcp.DelaySinceLastRr(items=items),)), 3.1)

    assert heard(1.0) is None
    assert heard(2.0) == pytest.approx(1.1, abs=1e-4)


def test_what_was_not_negotiated_is_not_written() -> None:
    silent = XrReporter(XrConfig(ask=False, answer=False))
    silent.receive(asked(7, 1.0), 1.0)
    assert silent.report(1, 2.0) is None and silent.report(1, 2.0, sending=True) is None and len(silent) == 0
    polite = XrReporter(XrConfig(ask=False, answer_only_as_sender=True))
    polite.receive(asked(7, 1.0), 1.0)
    assert polite.report(1, 2.0) is None
    assert len(answers(polite.report(1, 2.0, sending=True))) == 1


@pytest.mark.parametrize(
    "wrong", [{"max_waiting": 0}, {"max_answers": 0}, {"max_answers": 5462}, {"report_memory": 0}, {"rtt_smoothing": 0}]
)
def test_a_config_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError):
        XrConfig(**wrong)  # type: ignore[arg-type]


def test_a_compound_packet_carries_the_extended_report_before_its_feedback() -> None:
    receiver, pli = XrReporter(), rtcp.Pli(sender_ssrc=5, media_ssrc=9)
    packets = Reporter(5, "me").compound(1.0, feedback=[pli], xr=receiver)
    kinds = ["ReceiverReport", "SourceDescription", "ExtendedReport", "Pli"]
    assert [type(packet).__name__ for packet in packets] == kinds
    rtcp.check_compound(packets)
    got = rtcp.parse_compound(rtcp.serialize_compound(packets))
    assert got == packets and isinstance(got[2], rtcp.ExtendedReport) and got[2].ssrc == 5

    stream, other = SentStream(9), XrReporter()
    stream.stamp(RtpPacket(), 1.0)
    assert other.receive_many(got, 1.1) is None and len(other) == 1
    answer = Reporter(9, "you").compound(2.0, sent=[stream], xr=other)
    assert [type(packet).__name__ for packet in answer] == ["SenderReport", "SourceDescription", "ExtendedReport"]
    assert receiver.receive_many(answer, 2.2) == pytest.approx(0.3, abs=1e-4)
    assert len(Reporter(9, "you").compound(3.0, sent=[stream], xr=other)) == 2
