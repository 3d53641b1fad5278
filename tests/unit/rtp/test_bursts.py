"""Bursts: what is no packet stands in its place, and a forwarded stream is numbered as its new session says."""

from __future__ import annotations

import pytest

from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import ExtensionMap, HeaderRewrite, RtpPacket, Uri, parse_many, serialize_many

pytestmark = pytest.mark.hot

THEIRS = ExtensionMap({3: Uri.TRANSPORT_CC, 4: Uri.MID, 6: Uri.AUDIO_LEVEL})
OURS = ExtensionMap({1: Uri.MID, 9: Uri.TRANSPORT_CC})


def packet(number: int, padding: int = 0) -> bytes:
    made = RtpPacket(
        payload_type=96,
        sequence_number=number,
        timestamp=number * 3000,
        ssrc=1,
        payload=b"media",
        padding=padding,
        extension_map=THEIRS,
    )
    made.set(Uri.MID, "0")
    made.set(Uri.TRANSPORT_CC, 77)
    return made.serialize()


def test_what_is_no_packet_keeps_its_place() -> None:
    one, error, other = parse_many([packet(1), b"no packet", packet(2)], THEIRS)
    assert isinstance(error, ParseError)
    assert isinstance(one, RtpPacket) and isinstance(other, RtpPacket)
    assert (one.sequence_number, one.get(Uri.MID), other.sequence_number) == (1, "0", 2)
    assert serialize_many([one, other]) == [packet(1), packet(2)]
    assert parse_many([]) == serialize_many([]) == []


def test_a_field_out_of_range_is_refused_and_nothing_is_changed() -> None:
    wrong = RtpPacket(sequence_number=1 << 16)
    with pytest.raises(InvalidArgumentError):
        serialize_many([RtpPacket(), wrong])
    assert wrong.sequence_number == 1 << 16


def test_a_stream_is_forwarded_under_new_numbers() -> None:
    rewrite = HeaderRewrite(
        ssrc=0xCAFE,
        payload_types={96: 120},
        sequence_offset=-10,
        timestamp_offset=-30_000,
        maps=(THEIRS, OURS),
        values={Uri.MID: "video"},
        transport_sequence_number=65_535,
    )
    made = rewrite.rewrite_many([packet(10, padding=4), b"no packet", packet(11)])
    assert isinstance(made[1], ParseError)
    first, second = (RtpPacket.parse(one, OURS) for one in made if isinstance(one, bytes))
    assert (first.ssrc, first.payload_type, first.sequence_number, first.timestamp) == (0xCAFE, 120, 0, 0)
    assert (first.padding, first.payload) == (4, b"media")
    assert (first.get(Uri.MID), first.get(Uri.TRANSPORT_CC), second.get(Uri.TRANSPORT_CC)) == ("video", 65_535, 0)
    assert rewrite.transport_sequence_number == 1
    assert set(first.extensions) == {1, 9}
    assert (second.sequence_number, second.timestamp) == (1, 3000)


def test_without_maps_extensions_stay_and_without_an_ssrc_its_own() -> None:
    assert HeaderRewrite().rewrite(packet(5)) == packet(5)
    with pytest.raises(ParseError):
        HeaderRewrite().rewrite(b"")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ssrc": 1 << 32},
        {"ssrc": -1},
        {"payload_types": {96: 128}},
        {"values": {Uri.MID: "0"}},
        {"maps": (THEIRS, OURS), "values": {Uri.AUDIO_LEVEL: 3}},
    ],
)
def test_what_no_packet_can_have_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentError):
        HeaderRewrite(**wrong)  # type: ignore[arg-type]
