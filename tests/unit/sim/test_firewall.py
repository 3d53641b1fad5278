"""Firewalls leave addresses alone and let in what was asked for; NAT64 makes IPv4 of a part of IPv6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from webrtc_stack import sim
from webrtc_stack.base import Address
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.sim import NatBehaviour
from webrtc_stack.sim.nat64 import Prefix

from .nats import Dialled, EchoServer, Endpoint


class Office:
    """A firewall with one host behind it, and two outside."""

    def __init__(self, **changes: Any) -> None:
        self.net = sim.Network(1)
        one, two = self.net.host("2001:db8:1::1", name="one"), self.net.host("2001:db8:2::1", name="two")
        self.x1, self.x2, self.y1 = Endpoint(one, 1000), Endpoint(one, 2000), Endpoint(two, 1000)
        self.firewall = self.net.firewall(**changes)
        self.a = Endpoint(self.firewall.host("2001:db8:a::2", name="a"))


def test_addresses_pass_a_firewall_as_they_are() -> None:
    office = Office()
    assert office.x1.sees(office.a) == office.a.address
    assert office.x1.reaches(office.a, office.a.address)


@pytest.mark.parametrize("filtering", NatBehaviour)
def test_who_was_not_spoken_to_does_not_come_in(filtering: NatBehaviour) -> None:
    office = Office(filtering=filtering, mapping_timeout=30.0)
    assert not office.x1.reaches(office.a, office.a.address), "nobody was spoken to"
    office.a.send(office.x1)
    reached = [server.reaches(office.a, office.a.address) for server in (office.x1, office.x2, office.y1)]
    depends = (filtering is not NatBehaviour.ADDRESS_AND_PORT_DEPENDENT, filtering == "endpoint-independent")
    assert reached == [True, *depends]
    office.net.run_until(100.0)
    assert not office.x1.reaches(office.a, office.a.address), "too long ago"


def test_udp_may_be_blocked_with_tcp_open_outwards_only() -> None:
    office = Office(udp=False)
    outer, inner = EchoServer(office.x1.socket.host), EchoServer(office.a.socket.host)
    office.a.send(office.x1)
    assert office.x1.take() == []
    dialled = Dialled(office.a.socket.host, outer.address)
    assert dialled.stream is not None
    dialled.stream.write(b"web")
    office.net.run_until(office.net.now + 1.0)
    assert (dialled.received, outer.peers) == (b"web", [dialled.stream.local])
    assert Dialled(office.x1.socket.host, inner.address).failure == "timed out"
    office.firewall.permit(inner.address, "tcp")
    assert Dialled(office.x1.socket.host, inner.address).stream is not None


def test_a_permitted_endpoint_hears_everybody() -> None:
    office = Office()
    office.firewall.permit(office.a.address)
    assert office.y1.reaches(office.a, office.a.address)


def test_hosts_behind_a_firewall_keep_to_one_address_space() -> None:
    office = Office()
    with pytest.raises(InvalidArgumentError, match="already belongs to one"):
        office.firewall.host("2001:db8:1::1")
    with pytest.raises(InvalidArgumentError, match="already belongs to firewall1"):
        office.net.host("2001:db8:a::2")
    neighbour = Endpoint(office.firewall.host("2001:db8:a::3"))
    assert neighbour.sees(office.a) == office.a.address, "inside nothing is filtered"
    office.a.socket.host.remove_address("2001:db8:a::2")
    office.net.host("2001:db8:a::2")


def test_a_link_to_a_host_behind_a_firewall_is_the_one_outside() -> None:
    office = Office()
    office.net.link(office.a.socket.host, office.x1.socket.host, latency=0.2)
    office.net.link(office.a.socket.host, office.firewall, latency=0.05)
    office.a.send(office.x1, settle=0.249)
    assert office.x1.take() == []
    office.net.run_until(0.251)
    assert len(office.x1.take()) == 1


def test_a_firewall_behind_a_nat_and_a_nat_behind_a_firewall() -> None:
    office = Office()
    nat = office.net.nat("203.0.113.1", "full-cone")
    server = Endpoint(office.net.host("198.51.100.1"))
    deep = Endpoint(nat.firewall().host("192.168.1.2"))
    seen = server.sees(deep)
    assert seen.host == "203.0.113.1"
    assert server.reaches(deep, seen)
    other = Endpoint(office.net.host("198.51.100.2"))
    assert not other.reaches(deep, seen)
    guarded = office.firewall.nat("203.0.113.5", "full-cone")
    inner = Endpoint(guarded.host("192.168.1.2"))
    seen = server.sees(inner)
    assert seen.host == "203.0.113.5"
    assert server.reaches(inner, seen)
    assert not other.reaches(inner, seen), "the firewall knows only the server"


# --- NAT64 ------------------------------------------------------------------------------------------------------------


class Mobile:
    """An IPv6-only telephone behind a NAT64, a server with IPv4 only, one with both."""

    def __init__(self, prefix: str = "64:ff9b::/96") -> None:
        self.net = sim.Network(1)
        self.old = Endpoint(self.net.host("198.51.100.1", name="old"), 1000)
        both = self.net.host("198.51.100.2", "2001:db8:2::2", name="both")
        self.new = Endpoint(both, 1000, "2001:db8:2::2")
        self.box = self.net.nat64(prefix, outside="203.0.113.64")
        self.phone = Endpoint(self.box.host("2001:db8:64::2", name="phone"))
        self.net.names.update(
            {
                "old.example.org": ("198.51.100.1",),
                "both.example.org": ("198.51.100.2", "2001:db8:2::2"),
            }
        )

    def resolve(self, name: str) -> Sequence[str]:
        answers: list[Sequence[str]] = []
        self.phone.socket.host.resolve(name, answers.append)
        self.net.run_until(self.net.now + 1.0)
        return list(answers[0])


def test_an_ipv6_host_reaches_ipv4_by_the_prefix_and_ipv6_as_it_is() -> None:
    mobile = Mobile()
    address = Address("64:ff9b::c633:6401", 1000)
    mobile.phone.send(address, b"ping")
    ((seen, _),) = mobile.old.take()
    assert seen.host == "203.0.113.64"
    mobile.old.send(seen, b"pong")
    assert mobile.phone.take() == [(address, b"pong")]
    assert mobile.new.sees(mobile.phone) == mobile.phone.address
    assert mobile.new.reaches(mobile.phone, mobile.phone.address), "no filter for IPv6"


def test_dns64_makes_addresses_for_names_that_have_none() -> None:
    mobile = Mobile()
    assert mobile.resolve("old.example.org") == ["64:ff9b::c633:6401"]
    assert mobile.resolve("both.example.org") == ["2001:db8:2::2"], "what it cannot use is left out"
    mobile.phone.socket.host.add_address("192.0.2.7", behind=mobile.net)
    assert mobile.resolve("both.example.org") == ["198.51.100.2", "2001:db8:2::2"]
    assert mobile.resolve("old.example.org") == ["64:ff9b::c633:6401", "198.51.100.1"]
    mobile.phone.socket.host.remove_address("192.0.2.7")
    assert mobile.resolve("none.example.org") == []
    assert mobile.resolve("ipv4only.arpa") == ["64:ff9b::c000:aa", "64:ff9b::c000:ab"]


def test_streams_pass_a_nat64() -> None:
    mobile = Mobile()
    server = EchoServer(mobile.old.socket.host)
    dialled = Dialled(mobile.phone.socket.host, Address(mobile.resolve("old.example.org")[0], server.address.port))
    assert dialled.stream is not None
    assert [peer.host for peer in server.peers] == ["203.0.113.64"]


def test_two_telephones_meet_by_the_outside_address() -> None:
    mobile = Mobile()
    other = Endpoint(mobile.box.host("2001:db8:64::3"))
    server = Address("64:ff9b::c633:6401", 1000)
    for phone in (mobile.phone, other):
        phone.send(server)
    first, second = (remote for remote, _ in mobile.old.take())
    for phone, target in ((mobile.phone, second), (other, first)):
        phone.send(Address(mobile.box.prefix.embed(target.host), target.port))
    assert mobile.phone.take() == [(Address("64:ff9b::cb00:7140", second.port), b"x")]


@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        # RFC 6052 section 2.4, table 2
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::c000:221"),
    ],
)
def test_addresses_are_embedded_as_the_rfc_has_them(prefix: str, address: str) -> None:
    assert Prefix(prefix).embed("192.0.2.33") == address
    assert Prefix(prefix).extract(address) == "192.0.2.33"
    assert Prefix(prefix).extract("fd00::1") is None


def test_misuse_is_told_in_words() -> None:
    net = sim.Network(1)
    with pytest.raises(InvalidArgumentError, match="bits, not 80"):
        net.nat64("2001:db8::/80", outside="203.0.113.64")
    with pytest.raises(InvalidArgumentError, match="not an IPv6 prefix"):
        net.nat64("198.51.100.0/24", outside="203.0.113.64")
    with pytest.raises(InvalidArgumentError, match="outside of a NAT64 is IPv4"):
        net.nat64(outside="2001:db8::1")
