"""The RTP packet and its extension block."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.support.calls import count_calls
from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError, ParseError, UsageError
from webrtc_stack.rtp import AudioLevel, ExtensionMap, HeaderExtensions, RtpPacket, Uri, is_rtcp, rtcp

pytestmark = pytest.mark.hot

MAP = ExtensionMap({1: Uri.MID, 2: Uri.AUDIO_LEVEL, 3: Uri.TRANSPORT_CC})


def packet(**fields: object) -> RtpPacket:
    made = RtpPacket(payload_type=96, sequence_number=7, timestamp=9, ssrc=11, payload=b"media")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_typed_values_go_in_by_uri_and_come_out_by_uri() -> None:
    sent = packet(extension_map=MAP)
    sent.set(Uri.MID, "audio")
    sent.set(Uri.AUDIO_LEVEL, AudioLevel(30, True))
    got = RtpPacket.parse(sent.serialize(), MAP)
    assert got == sent
    assert got.get(Uri.MID) == "audio"
    assert got.get(Uri.AUDIO_LEVEL) == AudioLevel(30, True)
    assert got.get(Uri.TRANSPORT_CC) is None
    assert got.get(Uri.RID) is None
    assert RtpPacket.parse(sent.serialize()).get(Uri.MID) is None


def test_a_value_set_to_none_leaves_the_packet_without_a_block() -> None:
    sent = packet(extension_map=MAP)
    bare = sent.serialize()
    sent.set(Uri.TRANSPORT_CC, 5)
    assert sent.serialize() != bare
    sent.set(Uri.TRANSPORT_CC, None)
    sent.set(Uri.TRANSPORT_CC, None)
    assert sent.serialize() == bare


def test_a_damaged_extension_reads_as_none_and_the_packet_lives() -> None:
    sent = packet(extensions=HeaderExtensions({3: b"\1\2\3"}))
    got = RtpPacket.parse(sent.serialize(), MAP)
    assert got.get(Uri.TRANSPORT_CC) is None
    assert got.extensions[3] == b"\1\2\3"
    assert got.payload == b"media"


def test_misuse_is_told_and_changes_nothing() -> None:
    sent = packet()
    before = sent.copy()
    with pytest.raises(InvalidStateError):
        sent.set(Uri.MID, "0")
    sent.extension_map = MAP
    for uri, value in ((Uri.RID, "a"), (Uri.MID, "x" * 17), (Uri.MID, ""), (Uri.TRANSPORT_CC, 65536)):
        with pytest.raises(InvalidArgumentError):
            sent.set(uri, value)
    assert sent == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload_type", 128),
        ("payload_type", -1),
        ("sequence_number", 65536),
        ("timestamp", 2**32),
        ("ssrc", -1),
        ("csrcs", tuple(range(16))),
        ("csrcs", (2**32,)),
        ("padding", 256),
        ("padding", -1),
    ],
)
def test_a_field_out_of_range_is_a_usage_error(field: str, value: object) -> None:
    with pytest.raises(UsageError):
        packet(**{field: value}).serialize()


def test_padding_ends_with_its_count() -> None:
    data = packet(padding=5).serialize()
    assert data[0] == 0xA0
    assert data.endswith(b"media\0\0\0\0\5")
    assert RtpPacket.parse(data).padding == 5


@pytest.mark.parametrize("size", range(12))
def test_less_than_a_header_is_no_packet(size: int) -> None:
    with pytest.raises(ParseError) as caught:
        RtpPacket.parse(packet().serialize()[:size])
    assert caught.value.field == "rtp.header"


@pytest.mark.parametrize(
    "data",
    ["40" + "00" * 11, "81" + "00" * 11, "8f" + "00" * 40, "90" + "00" * 14, "90" + "00" * 11 + "bede0001000000"],
)
def test_what_does_not_fit_its_own_header_is_refused(data: str) -> None:
    with pytest.raises(ParseError):
        RtpPacket.parse(bytes.fromhex(data))


# --- the block --------------------------------------------------------------------------------------------------------


def test_values_that_do_not_fit_the_one_byte_form_choose_the_other() -> None:
    assert HeaderExtensions({1: b"a", 14: b"b" * 16}).profile == 0xBEDE
    for elements in ({1: b""}, {1: b"a" * 17}, {15: b"a"}, {200: b"a"}):
        assert HeaderExtensions(elements).profile == 0x1000
        assert HeaderExtensions.from_block(0x1000, HeaderExtensions(elements).data).elements == elements


def test_appbits_survive_a_change() -> None:
    block = HeaderExtensions.from_block(0x1005, HeaderExtensions({3: b"x"}, two_byte=True).data)
    block[4] = b"y"
    assert (block.profile, block.appbits) == (0x1005, 5)
    assert HeaderExtensions({1: b"z"}, appbits=9).appbits == 9


def test_a_block_of_another_profile_is_kept_and_has_no_elements() -> None:
    block = HeaderExtensions.from_block(0x4242, b"abcd")
    assert (dict(block.elements), block.data, bool(block)) == ({}, b"abcd", True)
    with pytest.raises(InvalidArgumentError):
        block[1] = b"x"
    assert packet(extensions=block).serialize()[12:20] == b"BB\0\1abcd"


@pytest.mark.parametrize(
    ("profile", "block", "elements"),
    [
        (0xBEDE, "10aa00f020bb0000", {1: b"\xaa"}),  # identifier 15 ends the list
        (0xBEDE, "10aa01bb20cc0000", {1: b"\xaa"}),  # so does 0 with a length
        (0xBEDE, "10aa0000", {1: b"\xaa"}),
        (0xBEDE, "12aabb00", {1: b"\xaa\xbb\0"}),
        (0xBEDE, "13aabb00", {}),  # longer than the block
        (0xBEDE, "10aa10bb", {1: b"\xbb"}),  # twice
        (0x1000, "0100000201bb0000", {1: b"", 2: b"\xbb"}),
        (0x100F, "0103aabbcc000000", {1: b"\xaa\xbb\xcc"}),
        (0x1000, "0104aabb", {}),
        (0x1000, "0103aabb", {}),
        (0x1000, "0102aabb", {1: b"\xaa\xbb"}),
        (0x1000, "00000001", {}),
        (0x1000, "0f01aa00", {15: b"\xaa"}),
    ],
)
def test_padding_and_damage_in_a_block_cost_no_more_than_they_must(
    profile: int, block: str, elements: dict[int, bytes]
) -> None:
    data = bytes.fromhex(block)
    made = HeaderExtensions.from_block(profile, data)
    assert made.elements == elements
    assert made.block() == (profile, data)  # untouched, so as it came


@pytest.mark.parametrize("number", [0, -1, 256])
def test_identifiers_have_a_range(number: int) -> None:
    with pytest.raises(InvalidArgumentError):
        HeaderExtensions({number: b"x"})
    with pytest.raises(InvalidArgumentError):
        ExtensionMap({number: Uri.MID})


def test_a_block_is_a_mapping_that_can_shrink() -> None:
    block = HeaderExtensions({1: b"a", 2: b"b"})
    copied = block.copy()
    del block[1]
    assert (list(block), len(block), 1 in block, block.get(1)) == ([2], 1, False, None)
    assert len(copied) == 2
    assert block != copied
    assert repr(HeaderExtensions()) == "HeaderExtensions()"


def test_a_block_must_be_whole_words() -> None:
    with pytest.raises(InvalidArgumentError):
        HeaderExtensions.from_block(0xBEDE, b"abc")


# --- the map ----------------------------------------------------------------------------------------------------------


def test_a_map_without_mixing_keeps_to_one_form() -> None:
    high = ExtensionMap({1: Uri.MID, 20: Uri.TRANSPORT_CC})
    assert high.two_byte
    sent = packet(extension_map=high)
    sent.set(Uri.MID, "0")
    assert sent.extensions.profile == 0x1000  # a packet that would fit the other form too
    mixed = ExtensionMap({1: Uri.MID, 20: Uri.TRANSPORT_CC}, allow_mixed=True)
    sent = packet(extension_map=mixed)
    sent.set(Uri.MID, "0")
    assert sent.extensions.profile == 0xBEDE
    sent.set(Uri.MID, "x" * 17)
    assert sent.extensions.profile == 0x1000


def test_forwarding_renumbers_by_uri_and_drops_what_is_not_negotiated() -> None:
    sent = packet(extension_map=MAP)
    sent.set(Uri.MID, "0")
    sent.set(Uri.AUDIO_LEVEL, AudioLevel(1))
    sent.set(Uri.TRANSPORT_CC, 77)
    before = sent.serialize()
    target = ExtensionMap({5: Uri.TRANSPORT_CC, 1: Uri.AUDIO_LEVEL})
    got = RtpPacket.parse(sent.serialize(target), target)
    assert dict(got.extensions.elements) == {1: b"\x01", 5: b"\x00\x4d"}
    assert got.get(Uri.TRANSPORT_CC) == 77
    assert sent.serialize() == before
    other = packet(extension_map=MAP, extensions=HeaderExtensions.from_block(0x4242, b"abcd"))
    assert other.serialize(target) == other.serialize()


def test_an_encrypted_extension_is_known_by_what_it_wraps() -> None:
    wrapped = ExtensionMap({4: f"{Uri.ENCRYPTED} {Uri.AUDIO_LEVEL}", 5: Uri.MID})
    assert wrapped.id(Uri.AUDIO_LEVEL) == 4
    assert wrapped.encrypted == {4}
    assert (wrapped.uri(5), wrapped.uri(6), len(wrapped)) == (Uri.MID, None, 2)
    assert wrapped != ExtensionMap({4: Uri.AUDIO_LEVEL, 5: Uri.MID})


# --- cost -------------------------------------------------------------------------------------------------------------


def test_a_packet_that_nobody_looks_into_costs_two_calls() -> None:
    sent = packet(extension_map=MAP)
    sent.set(Uri.MID, "0")
    sent.set(Uri.TRANSPORT_CC, 77)
    data = sent.serialize()
    calls = count_calls(lambda: RtpPacket.parse(data, MAP).serialize())
    assert calls.result == data
    assert calls.python <= 2
    assert calls.native <= 8


def test_a_hostile_stream_leaves_nothing_behind() -> None:
    entropy = SeededEntropy(4)
    noise = entropy.bytes(1 << 16)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            at = number * 7 % 65_000
            try:
                got = RtpPacket.parse(bytes((noise[at] & 0x3F | 0x80,)) + noise[at + 1 : at + 90], MAP)
            except ParseError:
                continue
            got.get(Uri.MID)
            RtpPacket.parse(got.serialize())
        assert tracemalloc.get_traced_memory()[0] - before < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_million_hostile_packets_leave_nothing_behind() -> None:
    entropy = SeededEntropy(6)
    noise = entropy.bytes(1 << 16)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1_000_000):
            at = number * 7 % 65_400
            data = bytes((noise[at] & 0x3F | 0x80,)) + noise[at + 1 : at + 60]
            try:
                if is_rtcp(data):
                    rtcp.parse_compound(data)
                else:
                    RtpPacket.parse(data, MAP).get(Uri.MID)
            except ParseError:
                continue
        assert tracemalloc.get_traced_memory()[0] - before < 1 << 20
    finally:
        tracemalloc.stop()
