"""`rtcp.parse_compound`: packets or a `ParseError`; they are written to what reads the same."""

from __future__ import annotations

from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import rtcp

_BLOCKS: tuple[rtcp.XrBlock, ...] = (
    rtcp.RunLengthBlock(ssrc=1, begin_sequence_number=2, end_sequence_number=9, chunks=(0x4003, 0x8001, 5)),
    rtcp.PacketReceiptTimes(ssrc=1, begin_sequence_number=2, end_sequence_number=3, times=(1, 2)),
    rtcp.ReceiverReferenceTime(ntp_timestamp=1),
    rtcp.DelaySinceLastRr(items=(rtcp.DlrrItem(1, 2, 3),)),
    rtcp.StatisticsSummary(ssrc=1, begin_sequence_number=1, end_sequence_number=2),
    rtcp.VoipMetrics(ssrc=1),
    rtcp.UnknownXrBlock(block_type=77, content=b"abcd"),
)
_PACKETS: tuple[rtcp.RtcpPacket, ...] = (
    rtcp.SenderReport(
        ssrc=1, ntp_timestamp=2, rtp_timestamp=3, packet_count=4, octet_count=5, reports=(rtcp.ReportBlock(6),)
    ),
    rtcp.ReceiverReport(ssrc=1, reports=(rtcp.ReportBlock(2, 3, -4, 5, 6, 7, 8),), extension=b"more"),
    rtcp.SourceDescription.with_cname(1, "name"),
    rtcp.Bye(ssrcs=(1, 2), reason=b"over"),
    rtcp.App(subtype=3, ssrc=4, name=b"test", data=b"1234"),
    rtcp.Nack.from_lost(1, 2, [3, 4, 40]),
    rtcp.Tmmbr(sender_ssrc=1, items=(rtcp.RateItem.of(2, 300000, 40),)),
    rtcp.Tmmbn(sender_ssrc=1, items=(rtcp.RateItem.of(2, 300000, 40),)),
    rtcp.RapidResynchronizationRequest(sender_ssrc=1, media_ssrc=2),
    rtcp.EcnFeedback(sender_ssrc=1, media_ssrc=2, highest_sequence_number=3),
    rtcp.Ccfb(
        sender_ssrc=1, streams=(rtcp.CcfbStream(2, 3, (None, rtcp.ArrivalReport(1, 5), None)),), report_timestamp=4
    ),
    rtcp.TransportCc(
        sender_ssrc=1,
        media_ssrc=2,
        base_sequence_number=3,
        status_count=40,
        reference_time=-5,
        feedback_count=6,
        received=((3, 7), (5, 300), (6, -1), (30, 1)),
        padding=3,
    ),
    rtcp.Pli(sender_ssrc=1, media_ssrc=2),
    rtcp.Sli(sender_ssrc=1, media_ssrc=2, items=(rtcp.SliItem(1, 2, 3),)),
    rtcp.Rpsi(sender_ssrc=1, media_ssrc=2, payload_type=96, bit_string=b"abcd", padding_bits=16),
    rtcp.Fir(sender_ssrc=1, items=(rtcp.FirItem(2, 3),)),
    rtcp.Remb(sender_ssrc=1, bitrate_bps=1_000_000, ssrcs=(2, 3)),
    rtcp.ApplicationFeedback(sender_ssrc=1, media_ssrc=2, fci=b"1234"),
    rtcp.ExtendedReport(ssrc=1, blocks=_BLOCKS),
    rtcp.UnknownPacket(packet_type=209, count=1, body=b"1234", padding=4),
)
SEEDS: list[bytes] = [packet.serialize() for packet in _PACKETS]
SEEDS += [rtcp.serialize_compound(_PACKETS[:4]), rtcp.serialize_compound(_PACKETS)]


def _told(packet: rtcp.RtcpPacket) -> object:
    if isinstance(packet, rtcp.TransportCc) and not packet.with_timing and len(packet.received) < 4:
        return packet.received  # the one thing that the format cannot always tell
    return packet


def fuzz_one(data: bytes) -> None:
    try:
        packets = rtcp.parse_compound(data)
    except ParseError:
        return
    again = rtcp.parse_compound(rtcp.serialize_compound(packets))
    assert [_told(packet) for packet in again] == [_told(packet) for packet in packets] or any(
        _told(packet) is not packet for packet in packets
    )
    for packet in packets:
        if isinstance(packet, rtcp.ExtendedReport):
            for block in packet.blocks:
                if isinstance(block, rtcp.RunLengthBlock):
                    assert sum(1 for _ in block.bits()) <= 65535
        elif isinstance(packet, rtcp.TransportCc):
            assert len(packet.arrivals()) + len(packet.lost) == packet.status_count
    rtcp.compound_problems(packets)
