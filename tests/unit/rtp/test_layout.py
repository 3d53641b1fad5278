"""Extensions read and written where they stand: the same results as element by element, whatever was learned before."""

from __future__ import annotations

from typing import Any

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import AudioLevel, ExtensionMap, HeaderExtensions, RtpPacket, Uri
from webrtc_stack.rtp.extensions.registry import CODECS

MAP = ExtensionMap({1: Uri.MID, 2: Uri.AUDIO_LEVEL, 3: Uri.TRANSPORT_CC, 4: Uri.ABS_SEND_TIME, 5: Uri.PLAYOUT_DELAY})
VALUES: dict[str, tuple[Any, Any]] = {
    Uri.MID: ("0", "1"),
    Uri.AUDIO_LEVEL: (AudioLevel(3), AudioLevel(127, True)),
    Uri.TRANSPORT_CC: (500, 65535),
    Uri.ABS_SEND_TIME: (0x123456, 0),
}


def received(block: str, mapping: ExtensionMap = MAP) -> RtpPacket:
    data = bytes.fromhex(block)
    return RtpPacket.parse(
        RtpPacket(extensions=HeaderExtensions.from_block(0xBEDE, data), payload=b"media").serialize(), mapping
    )


def whole() -> RtpPacket:
    made = RtpPacket(extension_map=MAP)
    for uri, (value, _) in VALUES.items():
        made.set(uri, value)
    return RtpPacket.parse(made.serialize(), MAP)


def slowly(packet: RtpPacket) -> dict[str, Any]:
    """Every value as the elements and the codecs give it."""
    found: dict[str, Any] = {}
    for identifier, data in packet.copy().extensions.elements.items():
        uri = MAP.uri(identifier)
        try:
            if uri is not None:
                found[uri] = CODECS[uri].parse(data)
        except ParseError:
            continue
    return found


def test_values_read_in_place_are_those_of_the_elements() -> None:
    for _ in range(3):
        packet = whole()
        assert {uri: packet.get(uri) for uri in VALUES} == {uri: value for uri, (value, _) in VALUES.items()}
        assert packet.get(Uri.PLAYOUT_DELAY) is None and packet.get(Uri.RID) is None
    assert len(MAP.layouts) >= 1


@pytest.mark.parametrize("uri", VALUES)
def test_a_value_of_the_same_size_is_exchanged_and_nothing_else(uri: str) -> None:
    packet, before = whole(), whole()
    packet.set(uri, VALUES[uri][1])
    after = RtpPacket.parse(packet.serialize(), MAP)
    assert len(packet.serialize()) == len(before.serialize())
    assert list(after.extensions) == list(before.extensions)
    for other in VALUES:
        assert after.get(other) == packet.get(other) == VALUES[other][1 if other == uri else 0]


def test_a_value_of_another_size_and_one_that_was_absent_rewrite_the_block() -> None:
    packet = whole()
    packet.set(Uri.MID, "longer")
    packet.set(Uri.TRANSPORT_CC, 1)
    packet.set(Uri.AUDIO_LEVEL, None)
    again = RtpPacket.parse(packet.serialize(), MAP)
    assert (again.get(Uri.MID), again.get(Uri.TRANSPORT_CC), again.get(Uri.AUDIO_LEVEL)) == ("longer", 1, None)
    assert again.get(Uri.ABS_SEND_TIME) == 0x123456


@pytest.mark.parametrize(
    ("uri", "value"),
    [
        (Uri.TRANSPORT_CC, 65536),
        (Uri.TRANSPORT_CC, -1),
        (Uri.AUDIO_LEVEL, AudioLevel(128)),
        (Uri.MID, "x" * 17),
        (Uri.MID, ""),
        (Uri.ABS_SEND_TIME, 1 << 24),
        (Uri.RID, "a"),
    ],
)
def test_a_value_that_cannot_be_written_is_told_and_changes_nothing(uri: str, value: Any) -> None:
    packet = whole()
    packet.get(Uri.MID)
    before = packet.serialize()
    with pytest.raises(InvalidArgumentError):
        packet.set(uri, value)
    assert packet.serialize() == before


def test_damaged_values_read_as_none_in_place_too() -> None:
    packet = received("10ff31000120ffff")  # a mid that is no UTF-8, then two sound ones behind it
    assert packet.get(Uri.MID) is None
    assert packet.get(Uri.TRANSPORT_CC) == 1
    assert received("3200010010300000").get(Uri.TRANSPORT_CC) is None  # three bytes


@pytest.mark.parametrize(
    ("block", "number"),
    [
        ("3100013100020000", 2),  # twice: the last one counts
        ("310001f000310002", 1),  # nothing behind identifier 15
        ("310001003f310002", 1),  # the second does not fit
        ("3100010031000200", 2),  # padding between elements
        ("0000003100010000", 1),
    ],
)
def test_blocks_without_a_layout_read_as_their_elements_say(block: str, number: int) -> None:
    for _ in range(2):
        packet = received(block)
        assert packet.get(Uri.TRANSPORT_CC) == number
        packet.set(Uri.TRANSPORT_CC, 9)
        again = RtpPacket.parse(packet.serialize(), MAP)
        assert again.get(Uri.TRANSPORT_CC) == again.extensions[3][1] == 9


def test_what_is_padding_in_one_packet_is_an_element_in_the_next() -> None:
    assert received("3100010000000000").get(Uri.MID) is None
    assert received("3100011041000000").get(Uri.MID) == "A"
    assert received("3100010000000000").get(Uri.MID) is None


def test_a_block_of_two_bytes_heads_is_not_taken_for_one_of_one() -> None:
    data = RtpPacket(extensions=HeaderExtensions({3: b"\1\2", 1: b"a"}, two_byte=True)).serialize()
    packet = RtpPacket.parse(data, MAP)
    assert packet.get(Uri.TRANSPORT_CC) == 0x102 and packet.get(Uri.MID) == "a"
    packet.set(Uri.TRANSPORT_CC, 7)
    assert RtpPacket.parse(packet.serialize(), MAP).get(Uri.TRANSPORT_CC) == 7


def test_another_map_and_changed_elements_are_seen_after_a_reading() -> None:
    packet = whole()
    assert packet.get(Uri.MID) == "0"
    packet.extension_map = ExtensionMap({3: Uri.MID})
    assert packet.get(Uri.MID) is None  # 500 is no UTF-8
    packet.extension_map = MAP
    packet.extensions[1] = b"z"
    assert packet.get(Uri.MID) == "z"
    packet.set(Uri.MID, "y")
    assert packet.extensions[1] == b"y" and packet.get(Uri.MID) == "y"
    packet.extensions = HeaderExtensions({1: b"w"})
    assert packet.get(Uri.MID) == "w"


def test_a_copy_changes_alone() -> None:
    packet = whole()
    packet.get(Uri.MID)
    other = packet.copy()
    other.set(Uri.MID, "9")
    assert (packet.get(Uri.MID), other.get(Uri.MID)) == ("0", "9")
    assert packet != other


def test_random_blocks_read_alike_however_many_layouts_were_learned() -> None:
    entropy = SeededEntropy(11)
    heads = (0x10, 0x11, 0x20, 0x31, 0x32, 0x42, 0x52, 0x00, 0x71, 0xF0)
    for _ in range(3000):
        chance = entropy.bytes(12)
        block = bytearray()
        for index in chance[: chance[8] % 5]:
            head = heads[index % len(heads)]
            block.append(head)
            block += chance[9 : 9 + (head & 15) + 1] if head else b""
        block += bytes(-len(block) & 3)
        packet = received(bytes(block).hex())
        expected = slowly(packet)
        assert {uri: packet.get(uri) for uri in expected} == expected
        assert [uri for uri in MAP.by_uri if packet.get(uri) is not None] == [u for u in MAP.by_uri if u in expected]
        uri, new = [(uri, both[1]) for uri, both in VALUES.items()][chance[11] % 4]
        packet.set(uri, new)
        assert slowly(RtpPacket.parse(packet.serialize(), MAP)) == {**expected, uri: new}
        assert len(MAP.layouts) <= 32
