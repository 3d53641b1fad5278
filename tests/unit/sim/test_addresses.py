"""Addresses that come and go, and the names that live with them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from webrtc_stack import sim
from webrtc_stack.base import Address
from webrtc_stack.errors import InvalidArgumentError

from .test_network import Inbox


def open_socket(host: sim.Host, ip: str, inbox: Inbox, port: int = 5000) -> sim.SimSocket:
    return host.open_udp(("", ip, 0), port=port, on_burst=inbox, on_writable=lambda: None)


def test_an_address_that_comes_is_told_and_can_be_bound() -> None:
    net = sim.Network(1)
    host, other = net.host("10.0.0.1"), net.host("10.0.0.9")
    told: list[list[str]] = []
    watch = host.watch_addresses(lambda: told.append([item.host for item in host.local_addresses()]))
    host.add_address("10.0.0.2")
    host.add_address("2001:db8:0::1")
    assert told == [], "never from inside the call"
    net.run_until(0.5)
    assert told == [["10.0.0.1", "10.0.0.2", "2001:db8::1"]], "once for one instant"
    inbox = Inbox(net)
    open_socket(host, "10.0.0.2", inbox)
    open_socket(other, "10.0.0.9", Inbox(net)).send_burst([(Address("10.0.0.2", 5000), b"hello", 0)])
    net.run_until(1.0)
    assert inbox.data == [b"hello"]
    watch.cancel()
    watch.cancel()
    host.remove_address("10.0.0.2")
    net.run_until(2.0)
    assert len(told) == 1


def test_interfaces_keep_their_names_when_others_go() -> None:
    net = sim.Network(1)
    host = net.host("10.0.0.1", "10.0.0.2")
    host.remove_address("10.0.0.1")
    assert host.local_addresses() == [("eth1", "10.0.0.2", 0)]
    host.add_address("10.0.0.1")
    assert host.local_addresses() == [("eth1", "10.0.0.2", 0), ("eth2", "10.0.0.1", 0)]


def test_a_socket_on_a_removed_address_is_dead_in_silence_until_the_address_is_back() -> None:
    net = sim.Network(1)
    a, b = net.host("10.0.0.1"), net.host("10.0.0.2")
    left, right = Inbox(net), Inbox(net)
    one, two = open_socket(a, "10.0.0.1", left), open_socket(b, "10.0.0.2", right)
    two.send_burst([(one.address, b"on its way", 0)])
    a.remove_address("10.0.0.1")
    one.send_burst([(two.address, b"x", 0)])
    two.send_burst([(one.address, b"y", 0)])
    net.run_until(1.0)
    assert (left.data, right.data, a.drops["address removed"]) == ([], [], 1)
    with pytest.raises(OSError, match="not an address"):
        open_socket(a, "10.0.0.1", left, 5001)
    a.add_address("10.0.0.1")
    one.send_burst([(two.address, b"again", 0)])
    two.send_burst([(one.address, b"welcome", 0)])
    net.run_until(2.0)
    assert (left.data, right.data) == ([b"welcome"], [b"again"])


def test_a_stream_on_a_removed_address_hears_of_nothing_but_its_own_timeout() -> None:
    net = sim.Network(1)
    a, b = net.host("10.0.0.1", "10.0.0.3"), net.host("10.0.0.2")
    streams: list[sim.SimStream] = []
    closed: list[str] = []

    def accept(stream: sim.SimStream) -> None:
        stream.start(on_bytes=lambda data: None, on_writable=lambda: None, on_closed=closed.append)

    def opened(result: sim.SimStream | str) -> None:
        assert not isinstance(result, str)
        streams.append(result)

    b.listen(b.local_addresses()[0], port=80, on_accept=accept)
    a.open_stream(Address("10.0.0.2", 80), protocol="tcp", on_result=opened)
    net.run_until(1.0)
    heard: list[str] = []
    streams[0].start(on_bytes=lambda data: None, on_writable=lambda: None, on_closed=heard.append)
    assert streams[0].local.host == "10.0.0.1"
    a.remove_address("10.0.0.1")
    net.run_until(60.0)
    assert (heard, closed) == ([], [])
    streams[0].write(b"into the void")
    net.run_until(300.0)
    assert (heard, closed) == (["timed out"], [])


def test_an_address_belongs_to_one_host_of_a_network_and_may_move() -> None:
    net = sim.Network(1)
    a, b = net.host("10.0.0.1"), net.host("10.0.0.2")
    with pytest.raises(InvalidArgumentError, match="already belongs to host1"):
        b.add_address("10.0.0.1")
    with pytest.raises(InvalidArgumentError, match="already belongs to host1"):
        a.add_address("10.0.0.1")
    with pytest.raises(InvalidArgumentError, match="not an address of host2"):
        b.remove_address("10.0.0.1")
    with pytest.raises(InvalidArgumentError, match="already belongs"):
        net.host("10.0.0.3", "10.0.0.1")
    net.host("10.0.0.3")
    a.remove_address("10.0.0.1")
    b.add_address("10.0.0.1")
    assert b.addresses == ("10.0.0.2", "10.0.0.1")


def test_a_published_name_lives_as_long_as_it_is_published() -> None:
    net = sim.Network(1)
    a, b = net.host("10.0.0.1"), net.host("10.0.0.2")
    answers: list[Sequence[str]] = []

    def ask() -> Sequence[str]:
        b.resolve("A1B2.local", answers.append)
        net.run_until(net.now + 1.0)
        return answers[-1]

    assert list(ask()) == []
    first = a.publish("a1b2.LOCAL", "10.0.0.1")
    assert net.names["a1b2.local"] == ("10.0.0.1",)
    assert list(ask()) == ["10.0.0.1"]
    second = b.publish("a1b2.local", "10.0.0.2")
    first.cancel()
    assert list(ask()) == ["10.0.0.2"], "the later one stays"
    second.cancel()
    second.cancel()
    assert list(ask()) == []


def test_multicast_dns_does_not_cross_a_router_and_other_names_do() -> None:
    net = sim.Network(1)
    net.names["turn.example.org"] = ("198.51.100.1",)
    nat = net.nat("203.0.113.1")
    inside, neighbour, outside = nat.host("192.168.1.2"), nat.host("192.168.1.3"), net.host("198.51.100.1")
    inside.publish("secret.local", "192.168.1.2")
    outside.publish("server.local", "198.51.100.1")
    answers: dict[tuple[str, str], Sequence[str]] = {}
    for host in (inside, neighbour, outside):
        for name in ("secret.local", "server.local", "turn.example.org"):
            host.resolve(name, partial(answers.__setitem__, (host.name, name)))
    net.run_until(1.0)
    found = {key for key, hosts in answers.items() if hosts}
    assert found == {
        ("host1", "secret.local"),
        ("host2", "secret.local"),
        ("host3", "server.local"),
        ("host1", "turn.example.org"),
        ("host2", "turn.example.org"),
        ("host3", "turn.example.org"),
    }
