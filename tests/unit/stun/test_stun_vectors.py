"""Messages that others wrote down: RFC vectors, browsers' and servers' datagrams, and broken ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.vectors import cases
from webrtc_stack import stun
from webrtc_stack.base import Address
from webrtc_stack.errors import ParseError
from webrtc_stack.stun import AttributeType, Message, MessageClass, Method


def _named(name: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases(f"stun/{name}.json")]


def _key(case: dict[str, Any]) -> bytes:
    password = case["password"]
    if "realm" not in case:
        return stun.short_term_key(password)
    algorithm = "sha256" if "sha256" in case["id"] else "md5"
    return stun.long_term_key(case["username"], case["realm"], password, algorithm)


@pytest.mark.parametrize("case", _named("stun_rfc"))
def test_messages_of_the_rfcs_are_read_verified_and_rebuilt(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    expect = case["expect"]
    if "parse" in expect or expect.get("fingerprint") is False:
        with pytest.raises(ParseError):
            Message.parse(data)
        if "parse" in expect:
            return
        message = Message.parse(data, check_fingerprint=False)
        assert message.verify(_key(case)) is expect.get("message_integrity", True)
        return
    message = Message.parse(data)
    assert message.method == Method.BINDING
    key = _key(case)
    assert message.verify(key)
    assert not message.verify(key + b"x")
    assert not message.verify(b"")
    classes = {"request": MessageClass.REQUEST, "success": MessageClass.SUCCESS_RESPONSE}
    if "cls" in expect:
        assert message.message_class is classes[expect["cls"]]
    if "software" in expect:
        assert message.software == expect["software"]
    if "priority" in expect:
        assert message.priority == expect["priority"]
        assert message.ice_controlled == int(expect["ice_controlled"], 16)
        assert message.username == expect["username"]
    if "xor_mapped_address" in expect:
        assert message.mapped_address == Address(*expect["xor_mapped_address"])
    if "userhash" in expect:
        user_hash = stun.user_hash(case["username"], case["realm"])
        assert message.get(AttributeType.USERHASH) == user_hash == bytes.fromhex(expect["userhash"])
        assert message.get(AttributeType.PASSWORD_ALGORITHM) == stun.PasswordAlgorithm(2)
    if "nonce" in case:
        assert message.nonce == case["nonce"]
        assert message.realm == case["realm"]
    has_fingerprint = message.has_fingerprint
    assert has_fingerprint is bool(expect.get("fingerprint"))
    assert message.serialize(fingerprint=has_fingerprint) == data
    rebuilt = message.serialize(
        key,
        "sha256" if AttributeType.MESSAGE_INTEGRITY_SHA256 in message else "sha1",
        has_fingerprint,
    )
    if case["id"] == "rfc5769-2.2-ipv4-response":
        assert any(attribute.padding for attribute in message.attributes)  # kept: 0x20
    assert rebuilt == data


@pytest.mark.parametrize("case", _named("stun_from_browsers") + _named("stun_browser_checks"))
def test_messages_of_browsers_are_read_and_rebuilt(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    message = Message.parse(data)
    assert message.serialize(fingerprint=message.has_fingerprint) == data
    assert [attribute.type for attribute in message.attributes] == [one["type"] for one in case["expect"]["attributes"]]
    for attribute, one in zip(message.attributes, case["expect"]["attributes"], strict=True):
        if "text" in one and isinstance(attribute.value, str):
            assert attribute.value == one["text"]
        if "priority" in one:
            assert attribute.value == one["priority"]
        if "address" in one:
            assert attribute.value == Address(one["address"], one["port"])
        if isinstance(attribute.value, bytes):
            assert attribute.value == bytes.fromhex(one["value"])
    password = case.get("password")
    if password:
        assert message.verify(stun.short_term_key(password))
        assert message.serialize(stun.short_term_key(password)) == data


@pytest.mark.parametrize("case", _named("stun_aioice"))
def test_messages_of_a_soft_switch_are_read_and_rebuilt(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if "error" in case:
        with pytest.raises(ParseError):
            Message.parse(data)
        return
    message = Message.parse(data)
    expect = case["expect"]
    assert message.transaction_id == expect["transaction_id"].encode()
    for name, value in expect["attributes"].items():
        kind = AttributeType[name]
        assert kind in message
        if value is not True:
            assert message.get(kind) == (Address(*value) if isinstance(value, list) else value)
    if "ice_controlled" in expect:
        assert message.ice_controlled == expect["ice_controlled"]
    if "ice_controlling" in expect:
        assert message.ice_controlling == expect["ice_controlling"]
    assert message.serialize(fingerprint=message.has_fingerprint) == data
    assert not message.verify(b"wrong")
