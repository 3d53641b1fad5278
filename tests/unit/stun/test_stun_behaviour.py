"""Behaviour discovery finds out what each NAT does, and ends in time whatever answers."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.contract import CLAUSES, MachineCase
from webrtc_stack.base import NEVER, Address, Datagram, PathId, SeededEntropy, random_below
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError
from webrtc_stack.stun import (
    AlternateAddresses,
    Attribute,
    AttributeType,
    BehaviourConfig,
    BehaviourDiscovered,
    DiscoveryClosed,
    DiscoveryOutcome,
    Message,
    MessageClass,
    NatBehaviour,
    answer_binding,
    answer_discovery,
)

from .behaviour_world import (
    AD,
    ALTERNATES,
    APD,
    EI,
    FIRST,
    LOCAL,
    OTHER,
    OUTSIDE,
    SERVER,
    discover,
    make,
)

CASE = MachineCase(
    name="behaviour discovery",
    make=lambda seed: make(seed, mapping=APD, filtering=AD),
    close=lambda machine, now: machine.close(now),
    is_closed=lambda event: isinstance(event, DiscoveryClosed),
    to_input=lambda data: Datagram(PathId(1), data),
    bytes_of=lambda transmit: transmit.data,
    cross=lambda transmit: Datagram(transmit.path, transmit.data),
    duration=8.0,
)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_the_machine_keeps_the_contract(clause: Callable[[MachineCase], None]) -> None:
    if clause.__name__ == "clause_close_at_any_moment":
        clause(MachineCase(**{**_fields(CASE), "duration": 1.0}))  # later it has ended by itself
    elif clause.__name__ == "clause_exactly_one_end":
        clause(MachineCase(**{**_fields(CASE), "duration": 1.0}))
    else:
        clause(CASE)


def _fields(case: MachineCase) -> dict[str, Any]:
    return {name: getattr(case, name) for name in case.__dataclass_fields__}


@pytest.mark.parametrize("filtering", list(NatBehaviour))
@pytest.mark.parametrize("mapping", list(NatBehaviour))
def test_each_kind_of_nat_is_recognised(mapping: NatBehaviour, filtering: NatBehaviour) -> None:
    report = discover(mapping=mapping, filtering=filtering)
    assert report.outcome is DiscoveryOutcome.COMPLETE
    assert (report.mapping, report.filtering, report.hairpinning) == (mapping, filtering, False)
    assert report.behind_nat is True
    assert report.mapped == Address(OUTSIDE, 50000)
    assert report.other == OTHER
    assert report.peer_to_peer is (mapping is EI)
    assert report.took < 10
    assert f"mapping {mapping}" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["filtering"] == filtering.value


def test_without_a_nat_only_the_firewall_is_examined() -> None:
    report = discover(nat=False, filtering=AD)
    assert (report.behind_nat, report.mapping, report.filtering) == (False, None, AD)
    assert report.peer_to_peer is True
    assert str(report).startswith("not behind a NAT")


def test_a_nat_that_turns_packets_round_is_found_to_hairpin() -> None:
    assert discover(hairpin=True).hairpinning is True
    assert discover(hairpin=True, config={"second_socket": None}).hairpinning is True
    assert discover(hairpin=True, config={"hairpin": False}).hairpinning is None


def test_silence_means_udp_is_blocked_and_takes_three_seconds() -> None:
    report = discover(supports="nothing")
    assert report.outcome is DiscoveryOutcome.UDP_BLOCKED
    assert 3 <= report.took <= 4
    assert "UDP blocked" in str(report)


@pytest.mark.parametrize("supports", ["binding", "ignores change"])
def test_a_server_without_a_second_address_is_told_apart(supports: str) -> None:
    report = discover(supports=supports)
    assert report.outcome is DiscoveryOutcome.NOT_SUPPORTED
    assert report.mapped == Address(OUTSIDE, 50000), "the address is worth something all the same"
    assert report.took < 1
    assert "does not support RFC 5780" in str(report)


@pytest.mark.parametrize(("lifetime", "low", "high"), [(1000.0, 120, None), (70.0, 67.5, 75), (5.0, 0, 15)])
def test_the_life_of_a_binding_is_measured_between_two_bounds(lifetime: float, low: float, high: float | None) -> None:
    report = discover(lifetime=lifetime, config={"lifetime_limit": 120.0}, until=5000.0)
    assert report.outcome is DiscoveryOutcome.COMPLETE
    if high is None:
        assert (report.lifetime_at_least, report.lifetime_below) == (120, None)
    else:
        assert report.lifetime_below is not None
        assert (report.lifetime_at_least or 0) <= lifetime <= report.lifetime_below
        assert report.lifetime_below - (report.lifetime_at_least or 0) <= 10
    assert "bindings live" in str(report)


def test_an_answer_from_a_stranger_or_with_another_id_changes_nothing() -> None:
    client, _ = make()
    (transmit,) = client.poll_transmits(0.0)
    request = Message.parse(transmit.data)
    forged = request.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, Address("6.6.6.6", 6)),))
    elsewhere = client._config.paths.intern(FIRST, Address("6.6.6.6", 6))
    client.receive(Datagram(elsewhere, forged.serialize()), 0.1)
    other = Message(message_class=MessageClass.SUCCESS_RESPONSE, transaction_id=bytes(12))
    client.receive(Datagram(transmit.path, other.serialize()), 0.1)
    client.receive(Datagram(transmit.path, transmit.data), 0.1)
    assert client.report.mapped is None
    assert client.drops.by_reason == {"answer from elsewhere": 1, "unknown transaction": 1, "request": 1}


@pytest.mark.parametrize(
    "other",
    ["127.0.0.1:3479", "224.0.0.1:3479", "0.0.0.0:3479", "198.51.100.1:3479", "198.51.100.2:3478", "198.51.100.2:0"],
)
def test_an_other_address_that_no_server_has_is_not_visited(other: str) -> None:
    client, _ = make()
    (transmit,) = client.poll_transmits(0.0)
    host, port = other.split(":")
    answer = Message.parse(transmit.data).success(
        (
            Attribute(AttributeType.XOR_MAPPED_ADDRESS, Address(OUTSIDE, 5)),
            Attribute(AttributeType.OTHER_ADDRESS, Address(host, int(port))),
        )
    )
    client.receive(Datagram(transmit.path, answer.serialize()), 0.1)
    assert client.report.outcome is DiscoveryOutcome.NOT_SUPPORTED
    assert not client.poll_transmits(1.0)


def test_a_refusal_of_the_first_question_is_reported_with_its_code() -> None:
    client, _ = make()
    (transmit,) = client.poll_transmits(0.0)
    client.receive(Datagram(transmit.path, Message.parse(transmit.data).failure(401).serialize()), 0.1)
    assert client.report.error == (401, "Unauthenticated")
    assert "401" in str(client.report)


def test_a_discovery_ends_at_its_deadline_with_what_it_knows() -> None:
    report = discover(filtering=APD, config={"timeout": 1.0})
    assert (report.outcome, report.took) == (DiscoveryOutcome.STOPPED, 1.0)
    assert report.mapped is not None


def test_misuse_is_refused() -> None:
    client, _ = make()
    with pytest.raises(InvalidStateError):
        client.start(1.0)
    for wrong in (
        {"server": Address("stun.example.org", 3478)},
        {"server": Address("198.51.100.1", 0)},
        {"lifetime_limit": 60.0},
        {"lifetime_limit": 60.0, "second_socket": FIRST, "lifetime_first": 90.0},
        {"timeout": 0.0},
    ):
        with pytest.raises(InvalidArgumentError):
            BehaviourConfig(**({"server": SERVER, "socket": FIRST} | wrong))  # type: ignore[arg-type]


def test_a_flood_of_strange_packets_leaves_nothing_behind() -> None:
    client, _ = make()
    (transmit,) = client.poll_transmits(0.0)
    entropy = SeededEntropy("flood")
    packets = []
    for _ in range(200):
        data = bytearray(transmit.data + bytes(40))
        data[random_below(entropy, len(data))] ^= 0xFF
        packets.append(Datagram(transmit.path, bytes(data)))
    client.receive_many(packets, 0.1)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for _ in range(100):
        client.receive_many(packets, 0.2)
        client.poll_events()
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    assert sum(one.size_diff for one in after.compare_to(before, "filename")) < 1 << 20
    assert client.next_timeout() < NEVER


# --- the server ---------------------------------------------------------------------------------------------------


def ask(*attributes: Attribute) -> Message:
    return Message(message_class=MessageClass.REQUEST, transaction_id=bytes(12), attributes=attributes)


@pytest.mark.parametrize("local", ALTERNATES.all)
@pytest.mark.parametrize("bits", range(8))
def test_the_answer_leaves_from_the_place_that_was_asked_for(local: Address, bits: int) -> None:
    answer = answer_discovery(ask(Attribute(AttributeType.CHANGE_REQUEST, bits)), LOCAL, local, ALTERNATES)
    assert answer is not None
    assert (answer.origin.host != local.host) is bool(bits & 4)
    assert (answer.origin.port != local.port) is bool(bits & 2)
    other = answer.message.get(AttributeType.OTHER_ADDRESS)
    assert isinstance(other, Address)
    assert other.host != local.host
    assert other.port != local.port
    assert answer.message.get(AttributeType.RESPONSE_ORIGIN) == answer.origin
    assert answer.destination == LOCAL
    assert len(answer.message.serialize(fingerprint=False)) <= 56


def test_a_response_port_moves_the_answer_on_the_same_host_only() -> None:
    answer = answer_discovery(ask(Attribute(AttributeType.RESPONSE_PORT, 99)), LOCAL, SERVER, ALTERNATES)
    assert answer is not None
    assert answer.destination == Address(LOCAL.host, 99)
    refused = answer_discovery(ask(Attribute(AttributeType.RESPONSE_PORT, 0)), LOCAL, SERVER, ALTERNATES)
    assert refused is not None
    assert refused.message.error is not None
    assert refused.message.error.code == 400
    assert refused.destination == LOCAL


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute(AttributeType.CHANGE_REQUEST, 6),
        Attribute(AttributeType.RESPONSE_PORT, 9),
        Attribute(AttributeType.PADDING, bytes(8)),
    ],
)
def test_a_server_with_one_address_says_that_it_does_not_understand(attribute: Attribute) -> None:
    answer = answer_binding(ask(attribute), LOCAL)
    assert answer is not None
    assert answer.error is not None
    assert answer.error.code == 420
    assert answer.get(AttributeType.UNKNOWN_ATTRIBUTES) == (attribute.type,)


@pytest.mark.parametrize("value", [b"\x12\x34", b"\x12\x34\0\0"])
def test_a_response_port_is_read_with_its_padding_counted_or_not(value: bytes) -> None:
    raw = bytearray(ask(Attribute(0x7F27, value)).serialize(fingerprint=False))
    raw[20:22] = AttributeType.RESPONSE_PORT.to_bytes(2, "big")
    assert Message.parse(bytes(raw)).get(AttributeType.RESPONSE_PORT) == 0x1234


def test_padding_is_refused_because_it_would_amplify() -> None:
    answer = answer_discovery(ask(Attribute(AttributeType.PADDING, bytes(8))), LOCAL, SERVER, ALTERNATES)
    assert answer is not None
    assert answer.message.error is not None
    assert answer.origin == SERVER


@pytest.mark.parametrize(
    ("hosts", "ports"),
    [
        (("192.0.2.1", "192.0.2.1"), (1, 2)),
        (("192.0.2.1", "::1"), (1, 2)),
        (("192.0.2.1", "192.0.2.2"), (1, 1)),
        (("192.0.2.1", "192.0.2.2"), (0, 1)),
        (("2001:DB8::1", "2001:db8::2"), (1, 2)),
    ],
)
def test_a_server_for_discovery_has_two_of_each(hosts: tuple[str, str], ports: tuple[int, int]) -> None:
    with pytest.raises(InvalidArgumentError):
        AlternateAddresses(hosts=hosts, ports=ports)


def test_the_report_comes_before_the_end() -> None:
    client, _ = make()
    client.close(0.5)
    first, second = client.poll_events()
    assert isinstance(first, BehaviourDiscovered)
    assert isinstance(second, DiscoveryClosed)
    assert first.report.outcome is DiscoveryOutcome.STOPPED
