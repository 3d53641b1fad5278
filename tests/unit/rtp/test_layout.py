"""Extensions read and written where they stand: the same results as element by element, whatever was learned before."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import pytest

from tests.support.calls import count_calls
from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import AudioLevel, ExtensionMap, HeaderExtensions, RtpPacket, Uri
from webrtc_stack.rtp.extensions.registry import CODECS
from webrtc_stack.rtp.packet import RtpPacket as PythonPacket

pytestmark = pytest.mark.hot

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
    assert len(MAP.layouts) >= 1 or RtpPacket is not PythonPacket  # C learns none


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


# --- packets that are made --------------------------------------------------------------------------------------------


def as_elements(mapping: ExtensionMap, values: list[tuple[str, Any]]) -> bytes:
    """The packet as the elements write it, without any layout."""
    made = RtpPacket(extensions=HeaderExtensions(two_byte=mapping.two_byte))
    for uri, value in values:
        identifier = mapping.id(uri)
        assert identifier is not None
        made.extensions[identifier] = CODECS[uri].serialize(value)
    return made.serialize()


@pytest.mark.parametrize(
    "mapping",
    [
        MAP,
        ExtensionMap(MAP.uris, allow_mixed=True),
        ExtensionMap({**MAP.uris, 20: Uri.RID}),
        ExtensionMap({14: Uri.MID}),
    ],
    ids=["one-byte", "mixed", "two-byte", "one"],
)
def test_a_block_made_element_by_element_is_the_one_that_elements_write(mapping: ExtensionMap) -> None:
    known = [(uri, value) for uri, (value, _) in VALUES.items() if uri in mapping]
    for _ in range(2):
        for order in itertools.permutations(known):
            packet = RtpPacket(extension_map=mapping)
            for count, (uri, value) in enumerate(order, 1):
                assert packet.get(uri) is None
                packet.set(uri, value)
                data = packet.serialize()
                assert data == as_elements(mapping, list(order[:count])) and len(data) == packet.size
                assert RtpPacket.parse(data, mapping) == packet
            assert [packet.get(uri) for uri, _ in order] == [value for _, value in order]


def test_a_value_too_long_for_the_one_byte_form_changes_the_form_or_is_refused() -> None:
    mixed = RtpPacket(extension_map=ExtensionMap(MAP.uris, allow_mixed=True))
    mixed.set(Uri.TRANSPORT_CC, 5)
    mixed.set(Uri.MID, "x" * 17)
    assert mixed.extensions.profile == 0x1000
    again = RtpPacket.parse(mixed.serialize(), mixed.extension_map)
    assert (again.get(Uri.TRANSPORT_CC), again.get(Uri.MID)) == (5, "x" * 17)
    plain = RtpPacket(extension_map=MAP)
    plain.set(Uri.TRANSPORT_CC, 5)
    before = plain.serialize()
    for value in ("x" * 17, ""):
        with pytest.raises(InvalidArgumentError):
            plain.set(Uri.MID, value)
    assert plain.serialize() == before


def test_making_a_packet_takes_few_calls_and_no_object_beside_it() -> None:
    mapping = ExtensionMap(MAP.uris)

    def make() -> None:
        packet = RtpPacket(payload=b"media", extension_map=mapping)
        packet.set(Uri.MID, "0")
        packet.set(Uri.TRANSPORT_CC, 7)
        packet.serialize()

    make()
    calls = count_calls(make)
    assert calls.python <= 8  # make, __init__, set twice, two codecs and the range of one, serialize


def test_reading_and_setting_in_place_takes_one_call_each() -> None:
    data, mapping = whole().serialize(), ExtensionMap(MAP.uris)

    def read_and_set() -> None:
        packet = RtpPacket.parse(data, mapping)
        packet.get(Uri.TRANSPORT_CC)
        packet.get(Uri.MID)
        packet.get(Uri.AUDIO_LEVEL)
        packet.set(Uri.TRANSPORT_CC, 7)
        packet.serialize()

    read_and_set()
    calls = count_calls(read_and_set)
    assert calls.python <= 8  # itself, parse, find, get three times, set, serialize


def test_hostile_blocks_and_values_leave_the_table_at_its_limit() -> None:
    mapping = ExtensionMap(dict(enumerate(list(CODECS)[:14], 1)), allow_mixed=True)
    entropy = SeededEntropy(3)

    def run(count: int) -> None:
        chance = entropy.bytes(64)
        for number in range(count):
            start = number % 40
            packet = received(chance[start : start + 4 * (1 + number % 5)].hex(), mapping)
            packet.set(Uri.MID, "m" * (1 + number % 20))
            packet.set(Uri.RID, "r" * (1 + number // 20 % 20))
            packet.get(Uri.MID)
            made = RtpPacket(extension_map=mapping)
            made.set(Uri.RID, "r" * (1 + number % 16))
            made.set(Uri.MID, "m" * (1 + number // 16 % 16))
            assert len(mapping.layouts) <= 32

    run(1000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        run(4000)  # of which each learns several layouts
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1 << 20


def test_a_full_table_is_learned_again_after_a_while() -> None:
    mapping = ExtensionMap({1: Uri.MID, 2: Uri.RID, 3: Uri.TRANSPORT_CC})

    def see(mid: int, rid: int) -> None:
        packet = PythonPacket(extensions=HeaderExtensions({1: b"m" * mid, 2: b"r" * rid}))
        got = PythonPacket.parse(packet.serialize(), mapping)
        assert (got.get(Uri.MID), got.get(Uri.RID)) == ("m" * mid, "r" * rid)

    for mid, rid in itertools.product(range(1, 9), range(1, 5)):
        see(mid, rid)
    assert len(mapping.layouts) == 32
    for _ in range(1200):
        see(16, 16)
    assert len(mapping.layouts) == 1
