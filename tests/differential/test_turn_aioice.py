"""A whole TURN session, read by aioice's STUN code: the same methods, addresses and signatures on both readings."""

from __future__ import annotations

import ipaddress

import pytest

from tests.support.programs import find_module
from tests.unit.turn.harness import PASSWORD, PEER, USER, Wire
from webrtc_stack.base import Address
from webrtc_stack.stun import AttributeType, Message, long_term_key

stun = find_module("aioice.stun")
A = AttributeType


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    """Everything on the wire: allocation, permission, channel, data both ways, refreshes, release; in the older way,
    which is what aioice knows."""
    wire = Wire({}, {"sha256": False, "nonce_lifetime": 300.0})
    wire.client.permit([PEER], 0.0)
    wire.client.send_many(PEER, [b"by indication"], 0.0)
    wire.client.allocate(0.0)
    wire.run_for(1.0)
    wire.server.from_peer([b"back"], wire.now)
    wire.client.bind(PEER, wire.now)
    wire.run_for(700.0)
    wire.client.close(wire.now)
    wire.run_for(5.0)
    found = [delivery.data for delivery in wire.log if delivery.data[0] < 4]
    kinds = {(Message.parse(data).method, Message.parse(data).message_class) for data in found}
    assert len(kinds) >= 10, "requests, successes and errors of four methods, and two indications"
    return found


def test_both_read_the_same(messages: list[bytes]) -> None:
    for data in messages:
        ours, theirs = Message.parse(data), stun.parse_message(data)
        assert theirs.message_method == ours.method
        assert theirs.transaction_id == ours.transaction_id
        for name, kind in (
            ("XOR-RELAYED-ADDRESS", A.XOR_RELAYED_ADDRESS),
            ("XOR-MAPPED-ADDRESS", A.XOR_MAPPED_ADDRESS),
            ("XOR-PEER-ADDRESS", A.XOR_PEER_ADDRESS),
        ):
            if name in theirs.attributes:
                host, port = theirs.attributes[name]
                assert ours.get(kind) == Address(str(ipaddress.ip_address(host)), port)
        for name, kind in (("LIFETIME", A.LIFETIME), ("CHANNEL-NUMBER", A.CHANNEL_NUMBER), ("DATA", A.DATA)):
            if name in theirs.attributes:
                assert theirs.attributes[name] == ours.get(kind)
        if "ERROR-CODE" in theirs.attributes:
            assert tuple(theirs.attributes["ERROR-CODE"]) == ours.error


def test_both_agree_on_signatures(messages: list[bytes]) -> None:
    key = long_term_key(USER, "example.org", PASSWORD)
    signed = [data for data in messages if Message.parse(data).has_integrity]
    assert len(signed) > 10
    for data in signed:
        at = 20
        while data[at : at + 2] != b"\x00\x08":
            at += 4 + ((data[at + 2] << 8 | data[at + 3]) + 3 & ~3)
        assert stun.message_integrity(data[:at], key) == data[at + 4 : at + 24]
