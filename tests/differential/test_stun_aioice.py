"""STUN messages against another implementation: what we write aioice reads and believes, and the other way round."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.programs import find_module
from webrtc_stack.base import Address, SeededEntropy, random_below, random_u32, random_u64, random_word
from webrtc_stack.stun import Attribute, AttributeType, Message, MessageClass

aioice: Any = find_module("aioice.stun")


@pytest.mark.parametrize("seed", range(50))
def test_our_checks_are_read_and_believed(seed: int) -> None:
    entropy = SeededEntropy(seed)
    key = random_word(entropy, 24).encode()
    username = random_word(entropy, 1 + random_below(entropy, 40)) + ":" + random_word(entropy, 4)
    priority, tie_breaker = random_u32(entropy), random_u64(entropy)
    message = Message(
        message_class=MessageClass.REQUEST,
        transaction_id=entropy.bytes(12),
        attributes=(
            Attribute(AttributeType.USERNAME, username),
            Attribute(AttributeType.ICE_CONTROLLING, tie_breaker),
            Attribute(AttributeType.PRIORITY, priority),
            Attribute(AttributeType.USE_CANDIDATE),
        ),
    )
    theirs = aioice.parse_message(message.serialize(key))
    assert theirs.check_message_integrity(key)
    assert theirs.transaction_id == message.transaction_id
    assert theirs.attributes["USERNAME"] == username
    assert theirs.attributes["PRIORITY"] == priority
    assert theirs.attributes["ICE-CONTROLLING"] == tie_breaker
    assert "USE-CANDIDATE" in theirs.attributes
    assert not theirs.check_message_integrity(key + b"x")


@pytest.mark.parametrize("seed", range(50))
def test_their_answers_are_read_and_believed(seed: int) -> None:
    entropy = SeededEntropy(f"answers {seed}")
    key = random_word(entropy, 24).encode()
    host = "203.0.113.7" if seed % 2 else "2001:db8::7:1"
    port = random_below(entropy, 65536)
    theirs = aioice.Message(
        message_method=aioice.Method.BINDING,
        message_class=aioice.Class.RESPONSE,
        transaction_id=entropy.bytes(12),
    )
    theirs.attributes["XOR-MAPPED-ADDRESS"] = (host, port)
    theirs.attributes["SOFTWARE"] = random_word(entropy, random_below(entropy, 30))
    theirs.add_message_integrity(key)
    data = bytes(theirs)
    ours = Message.parse(data)
    assert ours.mapped_address == Address(host, port)
    assert ours.software == theirs.attributes["SOFTWARE"]
    assert ours.verify(key) and not ours.verify(key[:-1])
    assert ours.serialize() == data
    assert ours.serialize(key) == data


@pytest.mark.parametrize("code", [300, 400, 401, 420, 438, 487, 500, 699])
def test_error_codes_agree(code: int) -> None:
    request = Message(message_class=MessageClass.REQUEST, transaction_id=bytes(12))
    theirs = aioice.parse_message(request.failure(code, reason="Because").serialize())
    assert theirs.attributes["ERROR-CODE"] == (code, "Because")
