"""ChannelData, framing of streams, URIs and the nonce cookie."""

from __future__ import annotations

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass, Method
from webrtc_stack.turn import (
    FIRST_CHANNEL,
    LAST_CHANNEL,
    LAST_OLD_CHANNEL,
    ChannelData,
    Framer,
    TurnUri,
    is_channel_data,
    unwrap,
    wrap_many,
)
from webrtc_stack.turn.features import (
    NONCE_COOKIE,
    PASSWORD_ALGORITHMS_FEATURE,
    USERNAME_ANONYMITY_FEATURE,
    read_features,
    write_features,
)

STUN = Message(
    method=Method.SEND,
    message_class=MessageClass.INDICATION,
    transaction_id=bytes(12),
    attributes=(Attribute(AttributeType.DATA, b"seven b"),),
).serialize()


def test_a_message_is_four_bytes_and_the_datagram() -> None:
    assert ChannelData(channel=0x4001, data=b"hello").serialize() == b"\x40\x01\x00\x05hello"
    assert ChannelData(channel=0x4001, data=b"hello").serialize(padded=True) == b"\x40\x01\x00\x05hello\0\0\0"
    assert ChannelData(channel=0x4001, data=b"").serialize(padded=True) == b"\x40\x01\x00\x00"


def test_padding_behind_the_length_is_not_data() -> None:
    assert ChannelData.parse(b"\x40\x01\x00\x05hello\0\0\0").data == b"hello"
    assert unwrap(b"\x40\x01\x00\x05hello\0\0\0") == (0x4001, b"hello")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "header"),
        (b"\x40\x01\x00", "header"),
        (b"\x3f\xff\x00\x00", "channel"),
        (b"\x80\x00\x00\x00", "channel"),
        (b"\x40\x01\x00\x05hell", "length"),
    ],
)
def test_what_is_not_channel_data_is_refused_by_name(data: bytes, field: str) -> None:
    with pytest.raises(ParseError) as refused:
        ChannelData.parse(data)
    assert refused.value.field == field
    assert unwrap(data) is None


def test_numbers_and_sizes_that_do_not_fit_are_misuse() -> None:
    for channel in (FIRST_CHANNEL - 1, LAST_OLD_CHANNEL + 1):
        with pytest.raises(InvalidArgumentError):
            ChannelData(channel=channel, data=b"").serialize()
    with pytest.raises(InvalidArgumentError):
        ChannelData(channel=FIRST_CHANNEL, data=bytes(65536)).serialize()


def test_on_a_shared_socket_only_the_numbers_of_today_are_channel_data() -> None:
    assert is_channel_data(ChannelData(channel=LAST_CHANNEL, data=b"").serialize())
    assert not is_channel_data(ChannelData(channel=LAST_CHANNEL + 1, data=b"").serialize())
    assert unwrap(ChannelData(channel=LAST_OLD_CHANNEL, data=b"x").serialize()) == (LAST_OLD_CHANNEL, b"x")


def test_a_burst_is_wrapped_like_each_of_it() -> None:
    datagrams = [SeededEntropy(size).bytes(size) for size in (0, 1, 2, 3, 4, 1200, 65535)]
    for padded in (False, True):
        each = [ChannelData(channel=0x4ABC, data=data).serialize(padded=padded) for data in datagrams]
        assert wrap_many(0x4ABC, datagrams, padded=padded) == each
        assert [unwrap(data) for data in each] == [(0x4ABC, data) for data in datagrams]


# --- streams --------------------------------------------------------------------------------------------------------


def test_a_stream_is_cut_where_messages_end() -> None:
    frames = [STUN, b"\x40\x01\x00\x05hello", b"\x40\x01\x00\x04four", b"\x40\x02\x00\x00", STUN]
    stream = STUN + b"\x40\x01\x00\x05hello\0\0\0" + b"\x40\x01\x00\x04four" + b"\x40\x02\x00\x00" + STUN
    assert Framer().receive(stream) == frames
    for step in (1, 3, 7):
        framer = Framer()
        got = [frame for at in range(0, len(stream), step) for frame in framer.receive(stream[at : at + step])]
        assert got == frames
        assert framer.buffered == 0
        assert framer.error is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00", "neither STUN nor ChannelData"),
        (b"\x00\x01\x00\x00GET ", "magic cookie"),
        (b"\x00\x01\x00\x03" + STUN[4:], "STUN message of 3 bytes"),
        (b"\x40\x01\x04\x00" + bytes(1024), "at most 1000"),
    ],
)
def test_a_stream_that_is_something_else_ends(data: bytes, words: str) -> None:
    framer = Framer(1000)
    assert framer.receive(STUN + data) == [STUN], "what came before it is still given"
    assert framer.error is not None
    assert words in str(framer.error)
    assert framer.receive(STUN) == []
    assert framer.buffered == 0


def test_a_dripping_stream_holds_one_message_at_most() -> None:
    framer = Framer(2000)
    message = b"\x40\x01\x07\xc0" + bytes(1984)
    most = 0
    for _ in range(20):
        for at in range(0, len(message), 13):
            framer.receive(message[at : at + 13])
            most = max(most, framer.buffered)
    assert most < 2000


def test_a_framer_needs_room() -> None:
    with pytest.raises(InvalidArgumentError):
        Framer(10)


# --- URIs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turn:example.org", ("example.org", 3478, "udp")),
        ("turn:example.org:3000?transport=tcp", ("example.org", 3000, "tcp")),
        ("turns:example.org", ("example.org", 5349, "tls")),
        ("turns:example.org:443?transport=tcp", ("example.org", 443, "tls")),
        ("turns:example.org?transport=udp", ("example.org", 5349, "dtls")),
        ("TURN:[2001:DB8::1]:80?transport=UDP", ("2001:db8::1", 80, "udp")),
        ("turn:192.0.2.1", ("192.0.2.1", 3478, "udp")),
    ],
)
def test_uris_are_read_and_written(text: str, expected: tuple[str, int, str]) -> None:
    uri = TurnUri.parse(text)
    assert (uri.host, uri.port, uri.transport) == expected
    assert TurnUri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        *("", "turn:", "stun:example.org", "turn://example.org", "turn:example.org:0", "turn:example.org:99999"),
        *("turn:a b", "turn:example.org?transport=sctp", "turn:example.org:3478?foo=bar", "turn:user@example.org"),
        "turn:[1]",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        TurnUri.parse(text)


# --- the nonce cookie -----------------------------------------------------------------------------------------------


def test_features_are_read_from_a_nonce() -> None:
    both = PASSWORD_ALGORITHMS_FEATURE | USERNAME_ANONYMITY_FEATURE
    assert read_features(write_features(both) + "whatever follows") == both
    assert read_features(NONCE_COOKIE + "AAAC//499k954d6OL34oL9FSTvy64sA") & USERNAME_ANONYMITY_FEATURE, "RFC 8489 B.1"


@pytest.mark.parametrize(
    "nonce", ["", "f//499k954d6", "obMatJos2", "obMatJos2AA", "obMatJos2AA=x", "obMatJos2\udcff\x00é!"]
)
def test_a_nonce_without_the_cookie_announces_nothing(nonce: str) -> None:
    assert read_features(nonce) == 0
