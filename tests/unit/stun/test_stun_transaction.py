"""The retransmission schedule, and the Binding server."""

from __future__ import annotations

import pytest

from webrtc_stack import stun
from webrtc_stack.base import Address, SeededEntropy
from webrtc_stack.stun import (
    Attribute,
    AttributeType,
    Message,
    MessageClass,
    Method,
    RetransmissionConfig,
    Transaction,
)

SOURCE = Address("203.0.113.5", 5005)


def _run(config: RetransmissionConfig) -> tuple[list[float], float]:
    transaction = Transaction(bytes(12), config)
    now, sent = 0.0, []
    while not transaction.expired(now):
        if transaction.due(now):
            transaction.sent(now)
            sent.append(now)
        now = max(now, transaction.deadline)
    return sent, now


def test_the_default_schedule_is_that_of_the_rfc() -> None:
    assert _run(RetransmissionConfig()) == ([0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5], 39.5)


def test_doubling_may_be_capped_and_reliable_transports_send_once() -> None:
    assert _run(RetransmissionConfig(rto=0.25, rc=5, rm=4, max_rto=0.5)) == ([0.0, 0.25, 0.75, 1.25, 1.75], 2.75)
    assert _run(RetransmissionConfig.reliable()) == ([0.0], 39.5)


def test_a_cancelled_transaction_sends_no_more_but_waits_for_its_answer() -> None:
    transaction = Transaction(bytes(12))
    transaction.sent(1.0)
    transaction.cancel()
    assert not transaction.due(100.0)
    assert not transaction.expired(8.9)
    assert transaction.expired(9.0)


def test_the_round_trip_is_not_guessed_after_a_retransmission() -> None:
    transaction = Transaction(bytes(12))
    transaction.sent(1.0)
    assert transaction.rtt(1.25) == 0.25
    transaction.sent(1.5)
    assert transaction.rtt(1.6) is None


def test_transaction_ids_come_from_the_entropy_given() -> None:
    assert stun.new_transaction_id(SeededEntropy(1)) == stun.new_transaction_id(SeededEntropy(1))
    assert len(stun.new_transaction_id(SeededEntropy(2))) == 12


def _request(*attributes: Attribute, **kind: int) -> Message:
    return Message(
        message_class=MessageClass(kind.get("message_class", 0)),
        method=kind.get("method", Method.BINDING),
        transaction_id=bytes(range(12)),
        attributes=attributes,
    )


@pytest.mark.parametrize("source", [SOURCE, Address("2001:db8::9", 1)])
def test_the_server_tells_the_source_of_a_request(source: Address) -> None:
    answer = stun.serve_binding(_request().serialize(), source, software="here")
    assert answer is not None
    message = Message.parse(answer)
    assert message.message_class is MessageClass.SUCCESS_RESPONSE
    assert message.transaction_id == bytes(range(12))
    assert message.mapped_address == source
    assert message.software == "here"
    assert message.has_fingerprint
    plain = stun.serve_binding(_request().serialize(fingerprint=False), source)
    assert plain is not None and not Message.parse(plain).has_fingerprint


def test_the_server_refuses_what_it_must_understand_and_does_not() -> None:
    request = _request(*(Attribute(0x7000 + i, b"") for i in range(100)))
    answer = stun.serve_binding(request.serialize(), SOURCE)
    assert answer is not None
    message = Message.parse(answer)
    assert message.error is not None and message.error.code == 420
    assert message.get(AttributeType.UNKNOWN_ATTRIBUTES) == tuple(range(0x7000, 0x7010))
    assert len(answer) < len(request.serialize())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01",
        bytes(40),
        _request(message_class=MessageClass.INDICATION).serialize(),
        _request(message_class=MessageClass.SUCCESS_RESPONSE).serialize(),
        _request(method=Method.ALLOCATE).serialize(),
        _request().serialize()[:-1] + b"\xff",
    ],
)
def test_the_server_drops_everything_else(data: bytes) -> None:
    assert stun.serve_binding(data, SOURCE) is None
