"""RTP and RTCP beside aiortc: what one writes the other reads, to the same values."""

from __future__ import annotations

from tests.support.programs import find_module
from webrtc_stack.base import SeededEntropy, random_below
from webrtc_stack.rtp import AudioLevel, ExtensionMap, RtpPacket, Uri, rtcp

aiortc_rtp = find_module("aiortc.rtp")
parameters = find_module("aiortc.rtcrtpparameters")

MAP = ExtensionMap({1: Uri.MID, 2: Uri.ABS_SEND_TIME, 3: Uri.AUDIO_LEVEL, 4: Uri.TRANSPORT_CC, 5: Uri.RID})
_FIELDS = {
    "mid": Uri.MID,
    "abs_send_time": Uri.ABS_SEND_TIME,
    "transport_sequence_number": Uri.TRANSPORT_CC,
    "rtp_stream_id": Uri.RID,
}
SEEDS = range(40)


def test_packets_with_extensions_are_read_and_written_alike() -> None:
    theirs = aiortc_rtp.HeaderExtensionsMap()
    headers = [parameters.RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in MAP.uris.items()]
    theirs.configure(parameters.RTCRtpParameters(headerExtensions=headers))
    for seed in SEEDS:
        entropy = SeededEntropy(seed)
        packet = RtpPacket(
            payload_type=random_below(entropy, 128),
            sequence_number=random_below(entropy, 1 << 16),
            timestamp=random_below(entropy, 1 << 32),
            ssrc=random_below(entropy, 1 << 32),
            marker=bool(seed & 1),
            csrcs=tuple(random_below(entropy, 1 << 32) for _ in range(seed % 5)),
            payload=entropy.bytes(seed * 3),
            padding=seed % 4 * 3,
            extension_map=MAP,
        )
        values = {Uri.MID: f"m{seed}", Uri.ABS_SEND_TIME: seed * 4001, Uri.TRANSPORT_CC: seed * 1601, Uri.RID: "hi"}
        for uri, value in values.items():
            packet.set(uri, value)
        packet.set(Uri.AUDIO_LEVEL, AudioLevel(seed, bool(seed & 2)))
        got = aiortc_rtp.RtpPacket.parse(packet.serialize(), theirs)
        assert got.payload == packet.payload
        assert tuple(got.csrc) == packet.csrcs
        assert (got.payload_type, got.marker) == (packet.payload_type, packet.marker)
        assert (got.sequence_number, got.timestamp, got.ssrc) == (packet.sequence_number, packet.timestamp, packet.ssrc)
        assert got.padding_size == packet.padding
        for name, uri in _FIELDS.items():
            assert getattr(got.extensions, name) == values[uri]
        assert got.extensions.audio_level == (bool(seed & 2), seed)
        got.padding_size = 0  # theirs is of random bytes
        back = RtpPacket.parse(got.serialize(theirs), MAP)
        assert back.payload == packet.payload
        assert all(back.get(uri) == value for uri, value in values.items())


def test_reports_are_read_and_written_alike() -> None:
    for seed in SEEDS:
        entropy = SeededEntropy(seed)
        blocks = tuple(
            rtcp.ReportBlock(
                random_below(entropy, 1 << 32),
                random_below(entropy, 256),
                random_below(entropy, 1 << 24) - (1 << 23),
                *(random_below(entropy, 1 << 32) for _ in range(4)),
            )
            for _ in range(seed % 32)
        )
        compound: list[rtcp.RtcpPacket] = [
            rtcp.SenderReport(
                ssrc=seed, ntp_timestamp=1 << 63, rtp_timestamp=1, packet_count=2, octet_count=3, reports=blocks
            ),
            rtcp.ReceiverReport(ssrc=seed, reports=blocks),
            rtcp.SourceDescription.with_cname(seed, "x" * seed),
            rtcp.Bye(ssrcs=(seed,)),
        ]
        data = rtcp.serialize_compound(compound)
        theirs = aiortc_rtp.RtcpPacket.parse(data)
        for block, told in zip(blocks, theirs[0].reports, strict=True):
            names = ("ssrc", "fraction_lost", "packets_lost", "highest_sequence", "jitter", "lsr", "dlsr")
            assert tuple(getattr(told, name) for name in names) == block
        # Theirs ends SDES items with two null octets where one is enough: other bytes, the same values.
        assert rtcp.parse_compound(b"".join(bytes(packet) for packet in theirs)) == compound
        assert bytes(theirs[0]) + bytes(theirs[1]) == rtcp.serialize_compound(compound[:2])


def test_feedback_is_read_and_written_alike() -> None:
    for seed in SEEDS:
        entropy = SeededEntropy(seed)
        lost = sorted({random_below(entropy, 200) for _ in range(seed + 1)})
        nack = rtcp.Nack.from_lost(1, 2, lost)
        (theirs,) = aiortc_rtp.RtcpPacket.parse(nack.serialize())
        assert theirs.lost == lost
        assert bytes(theirs) == nack.serialize()
        rate = random_below(entropy, 1 << (10 + seed))
        remb = rtcp.Remb(sender_ssrc=1, bitrate_bps=rate, ssrcs=tuple(range(seed % 7)))
        (theirs,) = aiortc_rtp.RtcpPacket.parse(remb.serialize())
        (ours,) = rtcp.parse_compound(remb.serialize())
        assert isinstance(ours, rtcp.Remb)
        assert aiortc_rtp.unpack_remb_fci(theirs.fci) == (ours.bitrate_bps, list(ours.ssrcs))
        assert aiortc_rtp.pack_remb_fci(rate, list(remb.ssrcs)) == theirs.fci
    (theirs,) = aiortc_rtp.RtcpPacket.parse(rtcp.Pli(sender_ssrc=1, media_ssrc=2).serialize())
    assert (theirs.fmt, theirs.ssrc, theirs.media_ssrc, theirs.fci) == (1, 1, 2, b"")
