"""STUN under Hypothesis: any message survives, any bytes are a message or a `ParseError`."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.base import Address
from webrtc_stack.errors import ParseError
from webrtc_stack.stun import (
    Attribute,
    AttributeType,
    ErrorCodeValue,
    Message,
    MessageClass,
    NetworkCost,
    PasswordAlgorithm,
    serve_binding,
)

_A = AttributeType
_addresses = st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65535))
_algorithms = st.builds(PasswordAlgorithm, st.integers(0, 65535), st.binary(max_size=9))


def _attribute(number: st.SearchStrategy[Any], value: st.SearchStrategy[Any]) -> st.SearchStrategy[Attribute]:
    return st.builds(Attribute, number, value, st.just(b""))


_texts = st.text(max_size=120)
_bytes_types = [_A.DATA, _A.EVEN_PORT, _A.RESERVATION_TOKEN, _A.MOBILITY_TICKET, 0x7123, 0x8ABC, 0xC070, 0xC071]
_attributes = st.one_of(
    _attribute(st.sampled_from([_A.MAPPED_ADDRESS, _A.XOR_MAPPED_ADDRESS, _A.XOR_PEER_ADDRESS]), _addresses),
    _attribute(st.sampled_from([_A.USERNAME, _A.REALM, _A.NONCE, _A.SOFTWARE]), _texts),
    _attribute(st.sampled_from([_A.PRIORITY, _A.LIFETIME]), st.integers(0, 2**32 - 1)),
    _attribute(st.sampled_from([_A.ICE_CONTROLLED, _A.ICE_CONTROLLING]), st.integers(0, 2**64 - 1)),
    _attribute(st.just(_A.ERROR_CODE), st.builds(ErrorCodeValue, st.integers(300, 699), _texts)),
    _attribute(st.just(_A.UNKNOWN_ATTRIBUTES), st.lists(st.integers(0, 65535), max_size=9).map(tuple)),
    _attribute(st.just(_A.PASSWORD_ALGORITHMS), st.lists(_algorithms, max_size=4).map(tuple)),
    _attribute(st.just(_A.PASSWORD_ALGORITHM), _algorithms),
    _attribute(
        st.just(_A.NETWORK_COST),
        st.builds(NetworkCost, st.integers(0, 65535), st.integers(0, 65535)),
    ),
    _attribute(st.just(_A.USE_CANDIDATE), st.none()),
    _attribute(st.sampled_from(_bytes_types), st.binary(max_size=60)),
)
_messages = st.builds(
    Message,
    method=st.integers(0, 0xFFF),
    message_class=st.sampled_from(MessageClass),
    transaction_id=st.binary(min_size=12, max_size=12),
    attributes=st.lists(_attributes, max_size=8).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(_messages, st.binary(min_size=1, max_size=40), st.sampled_from(["sha1", "sha256", "both"]), st.booleans())
def test_every_message_survives_and_verifies_under_its_key_alone(
    message: Message, key: bytes, integrity: str, fingerprint: bool
) -> None:
    assert Message.parse(message.serialize(fingerprint=False)) == message
    data = message.serialize(key, integrity, fingerprint)  # type: ignore[arg-type]
    parsed = Message.parse(data)
    assert parsed.verify(key)
    assert not parsed.verify(key + b"!")
    assert parsed.attributes[: len(message.attributes)] == message.attributes
    assert parsed.serialize(fingerprint=fingerprint) == data
    assert parsed.serialize(key, integrity, fingerprint) == data  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=120), _messages.map(lambda message: message.serialize(b"key"))), st.data())
def test_any_bytes_are_a_message_or_a_parse_error(data: bytes, draw: st.DataObject) -> None:
    mutable = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 3))):
        if mutable:
            mutable[draw.draw(st.integers(0, len(mutable) - 1))] = draw.draw(st.integers(0, 255))
    broken = bytes(mutable)
    serve_binding(broken, Address("192.0.2.1", 1))
    try:
        message = Message.parse(broken, check_fingerprint=False)
    except ParseError:
        return
    written = message.serialize(fingerprint=False)
    assert Message.parse(written, check_fingerprint=False).serialize(fingerprint=False) == written
    if not message.ignored and not any(
        attribute.type in (_A.MAPPED_ADDRESS, _A.ERROR_CODE, _A.CHANNEL_NUMBER) for attribute in message.attributes
    ):
        assert len(written) == len(broken)


@settings(max_examples=100, deadline=None)
@given(_addresses, st.binary(min_size=12, max_size=12))
def test_the_xor_of_an_address_hides_it_and_comes_undone(address: Address, transaction_id: bytes) -> None:
    message = Message(
        message_class=MessageClass.SUCCESS_RESPONSE,
        transaction_id=transaction_id,
        attributes=(Attribute(_A.XOR_MAPPED_ADDRESS, address),),
    )
    data = message.serialize(fingerprint=False)
    assert Message.parse(data).mapped_address == address
    packed = ipaddress.ip_address(address.host).packed
    xored = data[28:]
    mask = (bytes.fromhex("2112a442") + transaction_id)[: len(packed)]
    assert bytes(x ^ y for x, y in zip(xored, mask, strict=True)) == packed
