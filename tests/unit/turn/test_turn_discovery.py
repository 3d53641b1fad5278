"""A TURN server with two addresses serves NAT behaviour discovery, and nobody's amplifier."""

from __future__ import annotations

import argparse

import pytest

from webrtc_stack import sim
from webrtc_stack.base import Address, Datagram, SocketId
from webrtc_stack.cli.doctor_probe import discover_behaviour
from webrtc_stack.cli.turn import other_address
from webrtc_stack.cli.turn.service import TurnService
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.stun import (
    AlternateAddresses,
    Attribute,
    AttributeType,
    DiscoveryOutcome,
    Message,
    MessageClass,
    NatBehaviour,
    NatReport,
)
from webrtc_stack.turn import TurnServer

from .harness import server_config

PLACES = AlternateAddresses(hosts=("198.51.100.1", "198.51.100.2"), ports=(3478, 3479))
CLIENT = Address("203.0.113.7", 40000)


def test_a_client_on_the_virtual_network_learns_that_nothing_is_in_its_way() -> None:
    async def main(net: sim.Network) -> NatReport:
        host = net.host("198.51.100.1", "198.51.100.2", name="server")
        client = net.host("203.0.113.7", name="client")
        service = TurnService(server_config(), host, relay_hosts={4: "198.51.100.1"})
        alternates = service.listen_discovery(("198.51.100.1", "198.51.100.2"), (0, 0))
        report = await discover_behaviour(client, alternates.all[0], "203.0.113.7")
        assert report.other == alternates.all[3]
        service.close()
        return report

    report = sim.run(main)
    assert (report.outcome, report.behind_nat) == (DiscoveryOutcome.COMPLETE, False)
    assert report.filtering is NatBehaviour.ENDPOINT_INDEPENDENT


def make_server() -> TurnServer:
    server = TurnServer(server_config(unproven_burst=10.0, unproven_per_second=1.0))
    server.serve_discovery(PLACES, {place: SocketId(number) for number, place in enumerate(PLACES.all, 1)})
    return server


def ask(server: TurnServer, *attributes: Attribute) -> list[tuple[Address, Address, Message]]:
    """Returns: (our place, where to, what) of the answers."""
    request = Message(message_class=MessageClass.REQUEST, transaction_id=bytes(12), attributes=attributes)
    server.receive(Datagram(server.paths.intern(SocketId(1), CLIENT), request.serialize(fingerprint=False)), 1.0)
    out = []
    for transmit in server.poll_transmits(1.0):
        path = server.paths.lookup(transmit.path)
        assert path is not None
        out.append((PLACES.all[path.socket - 1], path.remote, Message.parse(transmit.data)))
    return out


def test_answers_leave_from_the_socket_that_was_asked_for() -> None:
    server = make_server()
    assert [one[:2] for one in ask(server)] == [(PLACES.all[0], CLIENT)]
    change = Attribute(AttributeType.CHANGE_REQUEST, 6)
    assert [one[:2] for one in ask(server, change)] == [(PLACES.all[3], CLIENT)]
    port = Attribute(AttributeType.RESPONSE_PORT, 99)
    assert [one[:2] for one in ask(server, port)] == [(PLACES.all[0], Address(CLIENT.host, 99))]


def test_answers_from_elsewhere_cost_double_of_what_a_host_may_ask() -> None:
    plain, changed = make_server(), make_server()
    change = Attribute(AttributeType.CHANGE_REQUEST, 6)
    assert sum(len(ask(plain)) for _ in range(50)) == 10
    assert sum(len(ask(changed, change)) for _ in range(50)) == 5
    assert changed.drops["rate of unproven requests"] == 45


def test_a_server_with_one_address_refuses_to_change_it() -> None:
    server = TurnServer(server_config())
    request = Message(
        message_class=MessageClass.REQUEST,
        transaction_id=bytes(12),
        attributes=(Attribute(AttributeType.CHANGE_REQUEST, 6),),
    )
    server.receive(Datagram(server.paths.intern(SocketId(1), CLIENT), request.serialize(fingerprint=False)), 1.0)
    (transmit,) = server.poll_transmits(1.0)
    error = Message.parse(transmit.data).error
    assert error is not None
    assert error.code == 420


def test_all_four_sockets_are_needed() -> None:
    with pytest.raises(InvalidArgumentError, match=r"198\.51\.100\.2:3479"):
        TurnServer(server_config()).serve_discovery(
            PLACES, {place: SocketId(number) for number, place in enumerate(PLACES.all[:3])}
        )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127.0.0.2", ("127.0.0.2", None)),
        ("127.0.0.2:99", ("127.0.0.2", 99)),
        ("::1", ("::1", None)),
        ("[::1]:7", ("::1", 7)),
    ],
)
def test_an_other_address_is_read_with_or_without_a_port(text: str, value: tuple[str, int | None]) -> None:
    assert other_address(text) == value


@pytest.mark.parametrize("text", ["example.org", "127.0.0.2:x", "[::1", "[::1]7"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        other_address(text)
