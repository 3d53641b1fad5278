"""RTCP beyond the vectors: what has none, rules of compounds, and misuse."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import is_rtcp, rtcp

SR = rtcp.SenderReport(ssrc=1, ntp_timestamp=2, rtp_timestamp=3, packet_count=4, octet_count=5)
RR = rtcp.ReceiverReport(ssrc=1)
SDES = rtcp.SourceDescription.with_cname(1, "me")
PLI = rtcp.Pli(sender_ssrc=1, media_ssrc=2)
BYE = rtcp.Bye(ssrcs=(1,), reason=b"enough")

_XR_BLOCKS: list[rtcp.XrBlock] = [
    rtcp.RunLengthBlock(
        thinning=2, ssrc=9, begin_sequence_number=65530, end_sequence_number=20, chunks=(0x4003, 0x8001)
    ),
    rtcp.RunLengthBlock(duplicates=True, ssrc=9, begin_sequence_number=0, end_sequence_number=5, chunks=(0x7FFF,)),
    rtcp.PacketReceiptTimes(thinning=1, ssrc=9, begin_sequence_number=4, end_sequence_number=8, times=(1, 2**32 - 1)),
    rtcp.ReceiverReferenceTime(ntp_timestamp=2**64 - 2),
    rtcp.DelaySinceLastRr(items=(rtcp.DlrrItem(1, 2, 3), rtcp.DlrrItem(4, 5, 6))),
    rtcp.StatisticsSummary(
        flags=0xE8,
        ssrc=9,
        begin_sequence_number=1,
        end_sequence_number=2,
        lost_packets=3,
        max_jitter=7,
        deviation_ttl=9,
    ),
    rtcp.VoipMetrics(ssrc=9, loss_rate=1, signal_level=-20, noise_level=-70, mos_cq=41, jitter_buffer_nominal_ms=60),
    rtcp.UnknownXrBlock(block_type=99, type_specific=7, content=b"abcd"),
]

PACKETS: list[rtcp.RtcpPacket] = [
    SR,
    RR,
    rtcp.ReceiverReport(
        ssrc=1, reports=(rtcp.ReportBlock(2, 255, -0x800000, 1 << 31, 5, 6, 7),) * 31, extension=b"more"
    ),
    SDES,
    rtcp.SourceDescription(chunks=()),
    rtcp.SourceDescription(chunks=(rtcp.SdesChunk(1, ()), rtcp.SdesChunk(2, (rtcp.SdesItem(8, b"\2abc"),)))),
    BYE,
    rtcp.Bye(ssrcs=(), reason=b""),
    rtcp.App(subtype=3, ssrc=4, name=b"test", data=b"12345678"),
    PLI,
    rtcp.Tmmbn(sender_ssrc=1),
    rtcp.Tmmbn(sender_ssrc=1, items=(rtcp.RateItem.of(2, 5_000_000_000, 40),)),
    rtcp.Remb(sender_ssrc=1, bitrate_bps=0, ssrcs=()),
    rtcp.Ccfb(
        sender_ssrc=1,
        streams=(
            rtcp.CcfbStream(2, 65535, (rtcp.ArrivalReport(3, 0x1FFF), None, rtcp.ArrivalReport(0, 12))),
            rtcp.CcfbStream(3, 1, ()),
        ),
        report_timestamp=77,
    ),
    rtcp.Ccfb(sender_ssrc=1, streams=(), report_timestamp=77),
    rtcp.ExtendedReport(ssrc=5, blocks=tuple(_XR_BLOCKS)),
    *(rtcp.ExtendedReport(ssrc=5, blocks=(block,)) for block in _XR_BLOCKS),
    rtcp.UnknownPacket(packet_type=205, count=7, body=b"abcdefgh"),
    rtcp.UnknownPacket(packet_type=209, count=0, body=b"", padding=4),
]


@pytest.mark.parametrize("packet", PACKETS, ids=lambda packet: type(packet).__name__)
def test_a_packet_survives_alone_padded_and_among_others(packet: Any) -> None:
    data = packet.serialize()
    assert rtcp.parse_compound(data) == [packet]
    assert len(data) % 4 == 0
    assert is_rtcp(data)
    both = rtcp.serialize_compound([packet, PLI])
    assert rtcp.parse_compound(both) == [packet, PLI]
    for cut in range(1, len(data)):
        with pytest.raises(ParseError):
            rtcp.parse_compound(data[:cut])


def test_rtcp_is_told_from_rtp_by_its_second_byte() -> None:
    assert [number for number in range(256) if is_rtcp(bytes((0x80, number)))] == list(range(192, 224))
    assert not is_rtcp(b"\x80")


def test_nacks_are_packed_across_the_wrap() -> None:
    nack = rtcp.Nack.from_lost(1, 2, [65530, 65535, 0, 10, 11, 11, 30, 47])
    assert nack.items == ((65530, 0x8030), (11, 0), (30, 0), (47, 0))
    assert nack.lost == (65530, 65535, 0, 10, 11, 30, 47)
    assert rtcp.Nack.from_lost(1, 2, [5, 21]).items == ((5, 0x8000),)


def test_rates_keep_seventeen_or_eighteen_significant_bits() -> None:
    assert rtcp.RateItem.of(1, 2_000_001).bitrate_bps == 2_000_000
    remb = rtcp.Remb(sender_ssrc=1, bitrate_bps=2_000_001, ssrcs=(2,))
    (got,) = rtcp.parse_compound(remb.serialize())
    assert isinstance(got, rtcp.Remb)
    assert got.bitrate_bps == 2_000_000


def test_texts_that_are_not_utf8_are_kept_and_shown() -> None:
    item = rtcp.SdesItem(rtcp.SdesType.CNAME, b"a\xff")
    data = rtcp.SourceDescription(chunks=(rtcp.SdesChunk(1, (item,)),)).serialize()
    (got,) = rtcp.parse_compound(data)
    assert isinstance(got, rtcp.SourceDescription)
    assert got.serialize() == data
    assert got.chunks[0].cname == "a\ufffd"
    assert rtcp.SdesItem(8, b"\2abc").private == (b"ab", b"c")
    assert rtcp.SdesItem(8, b"\4abc").private is None
    assert rtcp.SdesChunk(1, ()).cname is None


def test_run_lengths_are_unrolled() -> None:
    block = rtcp.RunLengthBlock(
        ssrc=1, begin_sequence_number=65534, end_sequence_number=4, chunks=(0x4002, 0x0001, 0xD000)
    )
    assert list(block.bits()) == [(65534, True), (65535, True), (0, False), (1, True), (2, False), (3, True)]
    thin = rtcp.RunLengthBlock(
        thinning=1, ssrc=1, begin_sequence_number=1, end_sequence_number=8, chunks=(0x4001, 0x3FFF)
    )
    assert list(thin.bits()) == [(2, True), (4, False), (6, False)]


# --- transport-cc -----------------------------------------------------------------------------------------------------


def _transport_cc(received: dict[int, int], count: int, **more: Any) -> rtcp.TransportCc:
    return rtcp.TransportCc(
        sender_ssrc=1,
        media_ssrc=2,
        base_sequence_number=65533,
        status_count=count,
        reference_time=-3,
        feedback_count=255,
        received=tuple(((65533 + offset) & 0xFFFF, delta) for offset, delta in received.items()),
        **more,
    )


@pytest.mark.parametrize(
    ("received", "count", "chunks"),
    [
        ({}, 65535, "1fff" * 8 + "0007"),
        ({65534: 1}, 65535, "1fff" * 8),
        (dict.fromkeys(range(9000), 1), 9000, "3fff2329"),
        (dict.fromkeys(range(20), 300), 20, "4014"),
        ({0: 1, 2: 300, 3: -1}, 7, "d280"),
        ({0: 1, 3: 2, 13: 255}, 14, "a401"),
        ({0: 1, 7: 256}, 8, "d0004001"),
    ],
)
def test_statuses_take_few_chunks(received: dict[int, int], count: int, chunks: str) -> None:
    packet = _transport_cc(received, count)
    data = packet.serialize()
    assert rtcp.parse_compound(data) == [packet]
    assert data[20 : 20 + len(chunks) // 2].hex() == chunks
    assert len(packet.lost) == count - len(received)


def test_feedback_without_times_says_only_what_arrived() -> None:
    packet = _transport_cc(dict.fromkeys(range(40), 0), 41, with_timing=False)
    assert rtcp.parse_compound(packet.serialize()) == [packet]


def test_arrivals_are_within_a_tick_however_many_there_are() -> None:
    times = [(number & 0xFFFF, 1000 + number * 0.0123456) for number in range(65500, 65500 + 400)]
    packet = rtcp.TransportCc.from_arrivals(
        sender_ssrc=1, media_ssrc=2, feedback_count=3, base_sequence_number=65500, status_count=400, arrivals=times
    )
    (got,) = rtcp.parse_compound(packet.serialize())
    assert isinstance(got, rtcp.TransportCc)
    for (number, arrival), (wanted, told) in zip(got.arrivals(), times, strict=True):
        assert number == wanted
        assert arrival == pytest.approx(told, abs=0.000126)


def test_arrivals_too_far_apart_need_two_packets() -> None:
    with pytest.raises(InvalidArgumentError, match="split"):
        rtcp.TransportCc.from_arrivals(
            sender_ssrc=1,
            media_ssrc=2,
            feedback_count=0,
            base_sequence_number=0,
            status_count=2,
            arrivals=[(0, 1.0), (1, 10.0)],
        )


def test_a_tiny_packet_about_many_losses_stays_tiny() -> None:
    data = _transport_cc({}, 65535).serialize()
    assert len(data) == 40
    (got,) = rtcp.parse_compound(data)
    assert isinstance(got, rtcp.TransportCc)
    assert got.received == ()


@pytest.mark.parametrize(
    ("count", "rest"),
    [
        ("0004", "60040000"),  # a run of the reserved status
        ("0004", "f0000000"),  # the same in a bit vector
        ("ffff", "00000000"),  # empty runs, and then no more chunks
        ("0004", ""),
        ("0fff", "2fff000000000000"),  # far fewer deltas than packets
    ],
)
def test_chunks_that_say_nothing_sensible_are_refused(count: str, rest: str) -> None:
    body = bytes.fromhex("0000000100000002" + "0000" + count + "00000000" + rest)
    data = bytes.fromhex("8fcd") + (len(body) // 4).to_bytes(2, "big") + body
    with pytest.raises(ParseError):
        rtcp.parse_compound(data)


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packets", "problem"),
    [
        ([], "no packet"),
        ([SDES, RR], "neither SR nor RR"),
        ([RR], "CNAME"),
        ([RR, SDES, BYE, PLI], "BYE"),
        ([rtcp.ReceiverReport(ssrc=1, padding=4), SDES], "padded"),
    ],
)
def test_a_full_compound_has_rules(packets: list[rtcp.RtcpPacket], problem: str) -> None:
    with pytest.raises(InvalidArgumentError, match=problem):
        rtcp.check_compound(packets)


def test_what_keeps_the_rules_has_no_problems() -> None:
    assert rtcp.compound_problems([SR, SDES, PLI, BYE]) == []
    assert rtcp.compound_problems([PLI], reduced_size=True) == []
    assert rtcp.compound_problems([RR, SDES], reduced_size=True) == []
    assert rtcp.compound_problems([PLI]) != []
    assert rtcp.compound_problems([SDES], reduced_size=True) != []


@pytest.mark.parametrize(
    "packet",
    [
        rtcp.ReceiverReport(ssrc=1, reports=(rtcp.ReportBlock(1),) * 32),
        rtcp.ReceiverReport(ssrc=1, reports=(rtcp.ReportBlock(1, packets_lost=0x800000),)),
        rtcp.ReceiverReport(ssrc=2**32),
        rtcp.SourceDescription(chunks=(rtcp.SdesChunk(1, (rtcp.SdesItem(0, b""),)),)),
        rtcp.SourceDescription(chunks=(rtcp.SdesChunk(1, (rtcp.SdesItem(1, bytes(256)),)),)),
        rtcp.Bye(ssrcs=(1,), reason=bytes(256)),
        rtcp.App(subtype=1, ssrc=1, name=b"abc"),
        rtcp.App(subtype=1, ssrc=1, name=b"abcd", data=b"1"),
        rtcp.App(subtype=32, ssrc=1, name=b"abcd"),
        rtcp.Nack(sender_ssrc=1, media_ssrc=1, items=()),
        rtcp.Fir(sender_ssrc=1, items=()),
        rtcp.Fir(sender_ssrc=1, items=(rtcp.FirItem(1, 256),)),
        rtcp.Tmmbr(sender_ssrc=1, items=()),
        rtcp.Tmmbr(sender_ssrc=1, items=(rtcp.RateItem(1, 64, 0),)),
        rtcp.Remb(sender_ssrc=1, bitrate_bps=-1, ssrcs=()),
        rtcp.Remb(sender_ssrc=1, bitrate_bps=1, ssrcs=(1,) * 256),
        rtcp.Sli(sender_ssrc=1, media_ssrc=1, items=(rtcp.SliItem(0x2000, 0, 0),)),
        rtcp.Rpsi(sender_ssrc=1, media_ssrc=1, payload_type=128, bit_string=b"ab"),
        rtcp.Ccfb(sender_ssrc=1, streams=(rtcp.CcfbStream(1, 1, (rtcp.ArrivalReport(4, 0),)),), report_timestamp=1),
        rtcp.Ccfb(sender_ssrc=1, streams=(rtcp.CcfbStream(1, 1, (None,) * 16385),), report_timestamp=1),
        rtcp.ExtendedReport(ssrc=1, blocks=(rtcp.UnknownXrBlock(block_type=9, content=b"a"),)),
        rtcp.ExtendedReport(ssrc=1, blocks=(rtcp.UnknownXrBlock(block_type=256),)),
        rtcp.UnknownPacket(packet_type=256, count=0, body=b""),
        rtcp.UnknownPacket(packet_type=255, count=0, body=b"", padding=256),
        _transport_cc({4: 1}, 4),
        _transport_cc({2: 1, 1: 1}, 4),
        _transport_cc({0: 40000}, 1),
    ],
    ids=lambda packet: type(packet).__name__,
)
def test_what_does_not_fit_is_a_usage_error(packet: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        packet.serialize()


@pytest.mark.parametrize("data", ["a0cb000100000002", "a1ce0003" + "00" * 11 + "01", "a0ca000100000003"])
def test_padding_is_of_whole_words_but_in_transport_feedback(data: str) -> None:
    with pytest.raises(ParseError) as caught:
        rtcp.parse_compound(bytes.fromhex(data))
    assert caught.value.field == "rtcp.padding"


def test_an_empty_datagram_is_neither_read_nor_written() -> None:
    with pytest.raises(ParseError):
        rtcp.parse_compound(b"")
    with pytest.raises(InvalidArgumentError):
        rtcp.serialize_compound([])


def test_a_hostile_stream_leaves_nothing_behind() -> None:
    noise = SeededEntropy(5).bytes(1 << 16)
    kinds = [*range(200, 210)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            at = number * 11 % 65_000
            body = noise[at : at + 4 * (number % 12)]
            head = bytes((0x80 | noise[at] & 31, kinds[number % 10])) + (len(body) // 4).to_bytes(2, "big")
            try:
                rtcp.parse_compound(head + body)
            except ParseError:
                continue
        assert tracemalloc.get_traced_memory()[0] - before < 1 << 20
    finally:
        tracemalloc.stop()
