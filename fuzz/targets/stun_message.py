"""STUN messages: any bytes are a message or a `ParseError`; what was read can be written, verified and asked."""

from __future__ import annotations

from webrtc_stack.base import Address
from webrtc_stack.errors import ParseError
from webrtc_stack.stun import (
    Attribute,
    AttributeType,
    ErrorCodeValue,
    Message,
    MessageClass,
    PasswordAlgorithm,
    is_stun,
    serve_binding,
)

_REQUEST = Message(
    message_class=MessageClass.REQUEST,
    transaction_id=bytes(range(12)),
    attributes=(
        Attribute(AttributeType.USERNAME, "ufrag:other"),
        Attribute(AttributeType.PRIORITY, 1853824767),
        Attribute(AttributeType.ICE_CONTROLLING, 1),
        Attribute(AttributeType.USE_CANDIDATE),
        Attribute(0xC070, b"opaque"),
    ),
)
_KEY = b"k" * 24
SEEDS: list[bytes] = [
    _REQUEST.serialize(_KEY),
    _REQUEST.serialize(_KEY, "both"),
    _REQUEST.serialize(_KEY, "sha256", False, sha256_length=16),
    _REQUEST.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, Address("2001:db8::1", 1)),)).serialize(),
    _REQUEST.failure(420, (Attribute(AttributeType.UNKNOWN_ATTRIBUTES, (1, 2)),)).serialize(),
    Message(
        message_class=MessageClass.ERROR_RESPONSE,
        transaction_id=bytes(12),
        attributes=(
            Attribute(AttributeType.ERROR_CODE, ErrorCodeValue(438, "Stale Nonce")),
            Attribute(AttributeType.PASSWORD_ALGORITHMS, (PasswordAlgorithm(2), PasswordAlgorithm(1, b"abc"))),
            Attribute(AttributeType.NONCE, "obMatJos2AAAC"),
        ),
    ).serialize(),
]


def fuzz_one(data: bytes) -> None:
    serve_binding(data, Address("192.0.2.1", 1000))
    for check in (True, False):
        try:
            message = Message.parse(data, check_fingerprint=check)
        except ParseError:
            continue
        assert is_stun(data) or message.method >= 0x100, "RFC 7983 leaves such methods no room"
        message.verify(_KEY, allow_truncated=True)
        written = message.serialize(fingerprint=message.has_fingerprint)
        assert Message.parse(written).serialize(fingerprint=message.has_fingerprint) == written
        message.unknown_required()
        message.unknown_optional()
        _ = message.mapped_address, message.error, message.username, message.priority
