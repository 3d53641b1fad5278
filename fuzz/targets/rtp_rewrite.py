"""Packets under new numbers: payloads stay, headers read as asked, and what is no packet is said in its place."""

from __future__ import annotations

from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import ExtensionMap, HeaderRewrite, RtpPacket, Uri, parse_many, serialize_many

_SOURCE = ExtensionMap({1: Uri.AUDIO_LEVEL, 3: Uri.TRANSPORT_CC, 4: Uri.MID})
_TARGETS = (
    ExtensionMap({2: Uri.MID, 5: Uri.TRANSPORT_CC}),
    ExtensionMap({20: Uri.MID, 5: Uri.TRANSPORT_CC, 1: Uri.AUDIO_LEVEL}),
    ExtensionMap({20: Uri.MID, 5: Uri.TRANSPORT_CC, 1: Uri.AUDIO_LEVEL}, allow_mixed=True),
)
SEEDS: list[bytes] = [
    bytes.fromhex("90e01234000102030a0b0c0dbede00023112344030000000") + b"media",
    bytes.fromhex("b0e01234000102030a0b0c0d1000000203021234040130000000") + b"media\x00\x02",
    bytes.fromhex("91601234000102030a0b0c0d00000001123400010a0b0c0d") + b"media",
]


def fuzz_one(data: bytes) -> None:
    (before,) = parse_many([data], _SOURCE)
    for target in _TARGETS:
        rewrite = HeaderRewrite(
            ssrc=7,
            payload_types={96: 97},
            sequence_offset=1,
            maps=(_SOURCE, target),
            values={Uri.MID: "v"},
            transport_sequence_number=9,
        )
        (made,) = rewrite.rewrite_many([data])
        if isinstance(before, ParseError):
            assert isinstance(made, ParseError)
            assert rewrite.transport_sequence_number == 9
            continue
        assert isinstance(made, bytes)
        after = RtpPacket.parse(made, target)
        assert (after.ssrc, after.sequence_number) == (7, (before.sequence_number + 1) & 0xFFFF)
        assert (after.payload, after.csrcs, after.marker) == (before.payload, before.csrcs, before.marker)
        assert after.padding == before.padding
        if after.get(Uri.MID) is not None:  # a block of another profile goes as it is
            assert (after.get(Uri.MID), after.get(Uri.TRANSPORT_CC)) == ("v", 9)
    if not isinstance(before, ParseError):
        assert serialize_many([before]) == [before.serialize()]
