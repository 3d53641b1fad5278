"""The DCEP codec: round trips, browsers' messages, and what must be refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import vectors
from webrtc_stack.datachannel import (
    ChannelType,
    DataChannelAck,
    DataChannelOpen,
    Priority,
    parse_message,
)
from webrtc_stack.errors import InvalidArgumentError, ParseError

BROWSERS = vectors.cases("datachannel/dcep_browser_messages.json")

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
limits = st.none() | st.integers(0, 2**32 - 1)


@st.composite
def opens(draw: st.DrawFn) -> DataChannelOpen:
    which = draw(st.sampled_from(["reliable", "retransmits", "lifetime"]))
    limit = draw(st.integers(0, 2**32 - 1))
    return DataChannelOpen(
        label=draw(names),
        protocol=draw(names),
        ordered=draw(st.booleans()),
        max_retransmits=limit if which == "retransmits" else None,
        max_packet_life_time=limit if which == "lifetime" else None,
        priority=draw(st.integers(0, 65535)),
    )


@pytest.mark.parametrize("case", BROWSERS, ids=lambda case: f"{case['session']} {case['expect']['message']}")
def test_messages_of_browsers_decode_and_encode_to_the_same_bytes(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    message = parse_message(data)
    assert message.serialize() == data
    expected = case["expect"]
    if expected["message"] == "ACK":
        assert message == DataChannelAck()
        return
    assert isinstance(message, DataChannelOpen)
    assert message == DataChannelOpen(
        label=expected["label"], protocol=expected["protocol"], priority=expected["priority"]
    )
    assert message.channel_type is ChannelType(expected["channel_type"])
    assert case["stream_id"] % 2 == (case["dtls_role"] == "server")


@settings(max_examples=100)
@given(opens())
def test_an_open_survives_the_round_trip(message: DataChannelOpen) -> None:
    assert parse_message(message.serialize()) == message


@settings(max_examples=200)
@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"\x03" + tail))
def test_any_bytes_are_a_message_or_a_parse_error(data: bytes) -> None:
    try:
        message = parse_message(data)
    except ParseError:
        return
    assert parse_message(message.serialize()) == message


@pytest.mark.parametrize(
    ("ordered", "limits", "kind"),
    [
        (True, {}, 0x00),
        (True, {"max_retransmits": 3}, 0x01),
        (True, {"max_packet_life_time": 3}, 0x02),
        (False, {}, 0x80),
        (False, {"max_retransmits": 0}, 0x81),
        (False, {"max_packet_life_time": 0}, 0x82),
    ],
)
def test_the_six_channel_types_are_on_the_wire(ordered: bool, limits: dict[str, int], kind: int) -> None:
    data = DataChannelOpen(label="x", ordered=ordered, **limits).serialize()  # type: ignore[arg-type]
    assert data[1] == kind
    assert int.from_bytes(data[4:8], "big") == next(iter(limits.values()), 0)


def test_every_truncation_of_an_open_is_refused() -> None:
    data = DataChannelOpen(label="label", protocol="protocol").serialize()
    for length in range(len(data)):
        with pytest.raises(ParseError):
            parse_message(data[:length])


@pytest.mark.parametrize("kind", [0x03, 0x7F, 0x83, 0xFF])
def test_an_unknown_channel_type_is_refused(kind: int) -> None:
    data = bytearray(DataChannelOpen(label="x").serialize())
    data[1] = kind
    with pytest.raises(ParseError):
        parse_message(bytes(data))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01", b"\x04", b"\xff" * 20])
def test_unknown_messages_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_message(data)


def test_the_reliability_of_a_reliable_channel_is_ignored() -> None:
    data = bytearray(DataChannelOpen(label="x").serialize())
    data[4:8] = b"\xff" * 4
    assert parse_message(bytes(data)) == DataChannelOpen(label="x")


def test_invalid_utf8_in_a_label_is_replaced() -> None:
    data = DataChannelOpen(label="ab").serialize().replace(b"ab", b"\xff\xfe")
    message = parse_message(data)
    assert isinstance(message, DataChannelOpen)
    assert message.label == "\ufffd\ufffd"


def test_bytes_behind_the_names_are_ignored() -> None:
    message = DataChannelOpen(label="ab", protocol="c")
    assert parse_message(message.serialize() + b"more") == message


def test_names_that_do_not_fit_and_both_limits_are_misuse() -> None:
    with pytest.raises(InvalidArgumentError, match="label"):
        DataChannelOpen(label="ä" * 32768).serialize()
    with pytest.raises(InvalidArgumentError, match="both"):
        DataChannelOpen(max_retransmits=1, max_packet_life_time=1).serialize()
    with pytest.raises(InvalidArgumentError, match="priority"):
        DataChannelOpen(priority=65536).serialize()
    assert len(DataChannelOpen(label="x" * 65535, protocol="y" * 65535).serialize()) == 12 + 2 * 65535


def test_priorities_map_both_ways() -> None:
    assert [priority.wire for priority in Priority] == [128, 256, 512, 1024]
    assert all(Priority.from_wire(priority.wire) is priority for priority in Priority)
    assert Priority.from_wire(0) is Priority.VERY_LOW, "Firefox sends 0"
    assert Priority.from_wire(257) is Priority.MEDIUM
    assert Priority.from_wire(65535) is Priority.HIGH
