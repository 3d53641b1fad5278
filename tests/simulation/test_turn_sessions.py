"""Client and server in virtual time: loss, reordering, many clients of one service, relay to relay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support import seeds
from tests.unit.turn.harness import PEER, Wire
from webrtc_stack import sim
from webrtc_stack.base import Address, Datagram, PathId, SeededEntropy
from webrtc_stack.cli.turn.service import TurnService
from webrtc_stack.sim import LinkConfig
from webrtc_stack.turn import (
    Allocated,
    AllocationFailed,
    ChannelBound,
    ChannelFailed,
    Closed,
    CloseReason,
    DataRelayed,
    PeerPolicy,
    TurnClient,
    TurnClientConfig,
    TurnServerConfig,
)

LOSSY = LinkConfig(latency=0.02, jitter=0.01, loss=0.2, reorder=0.1, duplicate=0.05)


@pytest.mark.parametrize("seed", seeds.campaign(30))
def test_everything_is_set_up_over_a_bad_link(seed: int) -> None:
    wire = Wire(
        {"entropy": SeededEntropy(seed).fork("client")},
        {"entropy": SeededEntropy(seed).fork("server")},
        seed=seed,
        link=LOSSY,
    )
    wire.client.bind(PEER, 0.0)
    wire.client.allocate(0.0)
    if not wire.run(until=60.0, condition=lambda: bool(wire.happened(ChannelBound))):
        # At this loss one request in five hundred is lost six times over: then the client has said so, in its code.
        failures = [event for _, event in wire.events[0] if isinstance(event, AllocationFailed | ChannelFailed)]
        assert [one.code for one in failures] == [701], f"{seed}: {wire.events[0]} {wire.client.drops}"
        return
    assert len(wire.happened(Allocated)) == 1
    assert len(wire.server.allocations) == 1, "repetitions made no second one"
    wire.run_for(3600.0 if seed % 10 == 0 else 400.0)
    assert wire.happened(Closed) == []
    wire.client.send_many(PEER, [b"x"] * 50, wire.now)
    wire.run_for(1.0)
    assert 20 < len(wire.server.to_peers) < 60
    wire.client.close(wire.now)
    wire.run_for(5.0)
    assert wire.events[0][-1][1] == Closed(CloseReason.CLOSED, None)


class Participant:
    """A client on a virtual host."""

    def __init__(self, net: sim.Network, host: sim.Host, name: str) -> None:
        self.net, self.host = net, host
        server = Address("10.0.0.1", 3478)
        config = TurnClientConfig(server=server, username="alice", password="secret", entropy=SeededEntropy(name))
        self.client = TurnClient(config)
        self.server = server
        self.events: list[Any] = []
        self.socket = host.open_udp(host.local_addresses()[0], on_burst=self.burst, on_writable=lambda: None)
        self.timer: Any = None

    def begin(self) -> None:
        self.client.allocate(self.host.time())
        self.turn()

    def burst(self, burst: Sequence[tuple[Address, bytes, int]]) -> None:
        self.client.receive_many([Datagram(PathId(1), data) for _, data, _ in burst], self.host.time())
        self.turn()

    def turn(self) -> None:
        now = self.host.time()
        if self.client.next_timeout() <= now:
            self.client.handle_timeout(now)
        while sent := self.client.poll_transmits(now):
            self.socket.send_burst([(self.server, one.data, 0) for one in sent])
        self.events += self.client.poll_events()
        if self.timer is not None:
            self.timer.cancel()
        due = self.client.next_timeout()
        self.timer = None if due == float("inf") else self.host.call_at(due, self.turn)

    def received(self) -> list[tuple[Address, bytes]]:
        found = [one for one in self.events if isinstance(one, DataRelayed)]
        return [(one.peer, data) for one in found for data in one.datagrams]


def world(seed: int, clients: int, **config: Any) -> tuple[sim.Network, TurnService, list[Participant]]:
    net = sim.Network(seed, default_link=LinkConfig(latency=0.01))
    host = net.host("10.0.0.1")
    given: dict[str, Any] = {
        "users": {"alice": "secret"},
        "policy": PeerPolicy.of(private=True),
        "entropy": SeededEntropy(seed),
        "own_addresses": (Address("10.0.0.1", 3478),),
    }
    service = TurnService(TurnServerConfig(**(given | config)), host, relay_hosts={4: "10.0.0.1"})
    assert service.listen(host.local_addresses()[0], 3478) == Address("10.0.0.1", 3478)
    people = [Participant(net, net.host(f"10.0.1.{number}"), f"{seed} {number}") for number in range(1, clients + 1)]
    return net, service, people


def test_two_clients_of_one_server_meet_relay_to_relay() -> None:
    net, _, (left, right) = world(1, 2)
    for one in (left, right):
        one.begin()
    net.run_until(1.0)
    assert left.client.relayed is not None
    assert right.client.relayed is not None
    for one, other in ((left, right), (right, left)):
        peer = other.client.relayed
        assert peer is not None
        one.client.bind(peer, 1.0)
        one.turn()
    net.run_until(2.0)
    left.client.send_many(right.client.relayed, [b"ping %d" % number for number in range(100)], 2.0)
    left.turn()
    net.run_until(2.1)
    assert right.received() == [(left.client.relayed, b"ping %d" % number) for number in range(100)]
    right.client.send_many(left.client.relayed, [b"pong"], net.now)
    right.turn()
    net.run_until(3.0)
    assert left.received() == [(right.client.relayed, b"pong")]


def test_forty_clients_come_and_go_and_nothing_is_left() -> None:
    net, service, people = world(2, 40, max_allocations_per_user=100)
    for number, one in enumerate(people):
        net.call_at(number / 100, one.begin)
    net.run_until(5.0)
    assert len(service.server.allocations) == 40
    ports = {address.port for one in service.server.allocations for address in one.addresses}
    assert len(ports) == 40
    for number, one in enumerate(people):
        if number % 2:
            one.client.close(net.now)
        else:
            one.client.abort(net.now)  # the server hears nothing of it
        one.turn()
    net.run_until(6.0)
    assert len(service.server.allocations) == 20
    net.run_until(700.0)
    assert service.server.allocations == []
    assert len(service._sockets) == 1
    service.close()
    assert service._sockets == {}


def test_a_server_that_restarts_is_noticed() -> None:
    """Its memory is gone and its nonces are new: the client is told, and does not hang."""
    net, service, (one,) = world(3, 1)
    one.begin()
    net.run_until(1.0)
    service.close()
    host = service.runtime
    given = TurnServerConfig(users={"alice": "secret"}, entropy=SeededEntropy("another"))
    second = TurnService(given, host, relay_hosts={4: "10.0.0.1"})
    second.listen(host.local_addresses()[0], 3478)
    net.run_until(700.0)
    closed = one.events[-1]
    assert isinstance(closed, Closed)
    assert closed.reason is CloseReason.LOST


@pytest.mark.parametrize("seed", [11, 12])
def test_a_run_repeats_itself(seed: int) -> None:
    def digest() -> str:
        net, _, people = world(seed, 3)
        for one in people:
            one.client.allocate(0.0)
            one.client.permit(["10.0.1.1"], 0.0)
            one.turn()
        net.run_until(300.0)
        return net.digest()

    assert digest() == digest()
