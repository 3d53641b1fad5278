"""The codec, integrity and what a message refuses."""

from __future__ import annotations

import pytest

from webrtc_stack import stun
from webrtc_stack.base import Address
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.stun import (
    Attribute,
    AttributeType,
    ErrorCodeValue,
    Message,
    MessageClass,
    Method,
    NetworkCost,
    PasswordAlgorithm,
)

KEY = b"a password of short term"
ID = bytes(range(12))


def _message(*attributes: Attribute, message_class: MessageClass = MessageClass.REQUEST, method: int = 1) -> Message:
    return Message(method=method, message_class=message_class, transaction_id=ID, attributes=attributes)


VALUES = [
    (AttributeType.MAPPED_ADDRESS, Address("192.0.2.1", 32853)),
    (AttributeType.XOR_MAPPED_ADDRESS, Address("192.0.2.1", 32853)),
    (AttributeType.XOR_MAPPED_ADDRESS, Address("2001:db8::1", 65535)),
    (AttributeType.ALTERNATE_SERVER, Address("::1", 1)),
    (AttributeType.XOR_PEER_ADDRESS, Address("255.255.255.255", 0)),
    (AttributeType.USERNAME, "ufrag:マトリックス"),
    (AttributeType.REALM, "example.org"),
    (AttributeType.NONCE, "obMatJos2AAAC"),
    (AttributeType.SOFTWARE, ""),
    (AttributeType.ALTERNATE_DOMAIN, "turn.example"),
    (AttributeType.USERHASH, bytes(32)),
    (AttributeType.PRIORITY, 2**32 - 1),
    (AttributeType.USE_CANDIDATE, None),
    (AttributeType.ICE_CONTROLLED, 2**64 - 1),
    (AttributeType.ICE_CONTROLLING, 0),
    (AttributeType.ERROR_CODE, ErrorCodeValue(487, "Role Conflict")),
    (AttributeType.UNKNOWN_ATTRIBUTES, (1, 0x7FFF, 0xFFFF)),
    (AttributeType.PASSWORD_ALGORITHM, PasswordAlgorithm(2)),
    (AttributeType.PASSWORD_ALGORITHMS, (PasswordAlgorithm(1), PasswordAlgorithm(9, b"abcde"))),
    (AttributeType.NETWORK_COST, NetworkCost(1, 999)),
    (AttributeType.CHANNEL_NUMBER, 0x4000),
    (AttributeType.LIFETIME, 600),
    (AttributeType.DONT_FRAGMENT, None),
    (AttributeType.DATA, b"\x00\x01\x02"),
    (0x7FFF, b"unknown, required"),
    (0xFFFE, b"unknown, optional"),
]


@pytest.mark.parametrize(("number", "value"), VALUES, ids=lambda v: getattr(v, "name", None))
def test_every_attribute_survives_writing_and_reading(number: int, value: object) -> None:
    message = _message(Attribute(number, value))  # type: ignore[arg-type]
    data = message.serialize(fingerprint=False)
    assert Message.parse(data) == message
    assert Message.parse(message.serialize(KEY, "both")).verify(KEY)


@pytest.mark.parametrize("method", [*Method, 0x123, 0xFFF])
@pytest.mark.parametrize("message_class", MessageClass)
def test_class_and_method_are_interleaved_as_the_rfc_draws_them(method: int, message_class: MessageClass) -> None:
    data = _message(method=method, message_class=message_class).serialize()
    parsed = Message.parse(data)
    assert (parsed.method, parsed.message_class) == (method, message_class)
    assert stun.is_stun(data) is (method < 0x100), "RFC 7983 leaves the first bytes from 4 to others"
    if method == Method.BINDING:
        assert data[:2].hex() == {0: "0001", 1: "0011", 2: "0101", 3: "0111"}[message_class]


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (AttributeType.PRIORITY, 2**32),
        (AttributeType.PRIORITY, "1"),
        (AttributeType.XOR_MAPPED_ADDRESS, Address("host.example", 1)),
        (AttributeType.XOR_MAPPED_ADDRESS, Address("192.0.2.1", 65536)),
        (AttributeType.USERNAME, "x" * 509),
        (AttributeType.USERNAME, b"bytes"),
        (AttributeType.USE_CANDIDATE, b""),
        (AttributeType.ERROR_CODE, ErrorCodeValue(299, "")),
        (AttributeType.USERHASH, bytes(31)),
        (AttributeType.DATA, "text"),
    ],
)
def test_values_that_do_not_fit_their_attribute_are_misuse(number: int, value: object) -> None:
    with pytest.raises(InvalidArgumentError):
        _message(Attribute(number, value)).serialize()  # type: ignore[arg-type]


def _raw(number: int, value: bytes) -> bytes:
    body = number.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)
    return b"\x00\x01" + len(body).to_bytes(2, "big") + bytes.fromhex("2112a442") + ID + body


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (AttributeType.PRIORITY, b"abc"),
        (AttributeType.ICE_CONTROLLED, bytes(4)),
        (AttributeType.USE_CANDIDATE, b"x"),
        (AttributeType.XOR_MAPPED_ADDRESS, bytes(8)),
        (AttributeType.XOR_MAPPED_ADDRESS, b"\x00\x02" + bytes(6)),
        (AttributeType.XOR_MAPPED_ADDRESS, b"\x00\x01" + bytes(7)),
        (AttributeType.ERROR_CODE, b"\x00\x00\x02\x00"),
        (AttributeType.ERROR_CODE, b"\x00\x00\x04\x64"),
        (AttributeType.ERROR_CODE, b"\x00\x00"),
        (AttributeType.UNKNOWN_ATTRIBUTES, b"\x00"),
        (AttributeType.PASSWORD_ALGORITHMS, b"\x00\x01\x00"),
        (AttributeType.PASSWORD_ALGORITHMS, b"\x00\x01\x00\x09abc"),
        (AttributeType.PASSWORD_ALGORITHM, b""),
        (AttributeType.MESSAGE_INTEGRITY, bytes(19)),
        (AttributeType.MESSAGE_INTEGRITY_SHA256, bytes(12)),
        (AttributeType.MESSAGE_INTEGRITY_SHA256, bytes(18)),
        (AttributeType.MESSAGE_INTEGRITY_SHA256, bytes(36)),
        (AttributeType.USERNAME, b"x" * 509),
        (AttributeType.FINGERPRINT, bytes(4)),
    ],
)
def test_known_attributes_of_a_wrong_form_are_refused_by_name(number: int, value: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        Message.parse(_raw(number, value))
    assert caught.value.field is not None
    assert caught.value.offset == 20


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(19),
        bytes(20),
        b"\x40" + _raw(0x7FFF, b"")[1:],
        _raw(0x7FFF, b"abcd")[:-1],
        _raw(0x7FFF, b"abcd") + b"x",
        _raw(0x7FFF, b"abcd")[:22] + b"\x00\x05abcd",
        b"\x00\x01\x00\x02" + bytes.fromhex("2112a442") + ID + b"ab",
    ],
)
def test_broken_frames_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        Message.parse(data)


def test_every_truncation_and_every_flipped_bit_is_refused_or_fails_to_verify() -> None:
    data = _message(Attribute(AttributeType.USERNAME, "a:b"), Attribute(0xC070, b"opaque")).serialize(KEY)
    for size in range(len(data)):
        with pytest.raises(ParseError):
            Message.parse(data[:size])
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            assert not Message.parse(bytes(broken)).has_fingerprint, f"bit {bit}"
        except ParseError:
            pass  # the usual answer; a broken type of FINGERPRINT makes it an attribute nobody knows
        try:
            message = Message.parse(bytes(broken), check_fingerprint=False)
        except ParseError:
            continue
        if bit // 8 < len(data) - 8:
            assert not message.verify(KEY), f"bit {bit}"


def test_attributes_behind_the_integrity_are_put_aside_even_when_malformed() -> None:
    protected = _message(Attribute(AttributeType.USERNAME, "a:b")).serialize(KEY, fingerprint=False)
    smuggled = b"\x00\x25\x00\x00" + b"\x00\x24\x00\x01x\x00\x00\x00"  # USE-CANDIDATE, and a PRIORITY of one byte
    grown = bytearray(protected + smuggled)
    grown[2:4] = (len(grown) - 20).to_bytes(2, "big")
    message = Message.parse(bytes(grown))
    assert message.verify(KEY)
    assert not message.use_candidate
    assert message.priority is None
    assert [one.type for one in message.ignored] == [0x25, 0x24]
    assert message.serialize(fingerprint=False) == protected


def test_sha256_behind_sha1_counts_and_protects_what_lies_between() -> None:
    both = _message(Attribute(AttributeType.USERNAME, "a:b")).serialize(KEY, "both")
    message = Message.parse(both)
    assert AttributeType.MESSAGE_INTEGRITY in message and AttributeType.MESSAGE_INTEGRITY_SHA256 in message
    assert message.verify(KEY)
    broken = bytearray(both)
    broken[-9] ^= 1  # the last byte of the SHA-256 tag
    assert not Message.parse(bytes(broken), check_fingerprint=False).verify(KEY)
    broken = bytearray(both)
    broken[20 + 8 + 4 + 3] ^= 1  # within the SHA-1 tag
    assert not Message.parse(bytes(broken), check_fingerprint=False).verify(KEY)


@pytest.mark.parametrize("length", [16, 20, 24, 28, 32])
def test_a_shortened_sha256_counts_only_where_it_is_allowed(length: int) -> None:
    data = _message().serialize(KEY, "sha256", sha256_length=length)
    message = Message.parse(data)
    assert len(message.get(AttributeType.MESSAGE_INTEGRITY_SHA256) or b"") == length  # type: ignore[arg-type]
    assert message.verify(KEY) is (length == 32)
    assert message.verify(KEY, allow_truncated=True)
    assert not message.verify(b"other", allow_truncated=True)
    with pytest.raises(InvalidArgumentError):
        _message().serialize(KEY, "sha256", sha256_length=length + 1)


def test_a_message_without_integrity_or_without_bytes_is_never_verified() -> None:
    assert not Message.parse(_message().serialize()).verify(KEY)
    assert not _message().verify(KEY)


def test_an_attribute_behind_fingerprint_is_refused() -> None:
    data = bytearray(_message().serialize() + b"\xc0\x00\x00\x00")
    data[2:4] = (len(data) - 20).to_bytes(2, "big")
    with pytest.raises(ParseError, match="last"):
        Message.parse(bytes(data), check_fingerprint=False)


def test_text_that_is_not_utf8_survives() -> None:
    data = _raw(AttributeType.SOFTWARE, b"caf\xe9")
    assert Message.parse(data).serialize(fingerprint=False) == data


def test_unknown_attributes_are_told_apart_by_whether_they_must_be_understood() -> None:
    message = _message(
        Attribute(0x7001, b""),
        Attribute(0x7001, b"again"),
        Attribute(0xC070, b"x"),
        Attribute(AttributeType.PRIORITY, 1),
    )
    assert message.unknown_required() == (0x7001,)
    assert message.unknown_required(understood=(0x7001,)) == ()
    assert message.unknown_optional() == (Attribute(0xC070, b"x"),)


def test_the_first_of_several_counts() -> None:
    message = _message(Attribute(AttributeType.SOFTWARE, "one"), Attribute(AttributeType.SOFTWARE, "two"))
    assert Message.parse(message.serialize()).software == "one"


def test_a_message_with_a_wrong_id_or_method_cannot_be_made() -> None:
    with pytest.raises(InvalidArgumentError):
        Message(message_class=MessageClass.REQUEST, transaction_id=bytes(16))
    with pytest.raises(InvalidArgumentError):
        Message(method=0x1000, message_class=MessageClass.REQUEST, transaction_id=ID)


def test_passwords_are_prepared_before_they_are_hashed() -> None:
    assert stun.prepare_text("The\u00adM\u00aatr\u2168") == "TheMatrIX"
    assert stun.prepare_text("a\u00a0b") == "a b"
    with pytest.raises(InvalidArgumentError):
        stun.prepare_text("bell\u0007")
    with pytest.raises(InvalidArgumentError):
        stun.long_term_key("user", "realm", "password", "sha1")
    assert stun.long_term_key("user", "realm", "pass").hex() == "8493fbc53ba582fb4c044c456bdc40eb"
    assert len(stun.long_term_key("user", "realm", "pass", "sha256")) == 32


def test_is_stun_looks_at_length_first_byte_and_cookie() -> None:
    data = _message().serialize()
    assert stun.is_stun(data)
    assert not stun.is_stun(data[:19])
    assert not stun.is_stun(b"\x14" + data[1:])
    assert not stun.is_stun(data[:4] + b"\x00" + data[5:])
