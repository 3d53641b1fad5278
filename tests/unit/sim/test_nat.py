"""NATs keep the requirements of RFC 4787 that they claim, kind by kind, and are what their names say."""

from __future__ import annotations

import pytest

from webrtc_stack import sim
from webrtc_stack.base import Address
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.sim import NatBehaviour

from .nats import Dialled, EchoServer, Endpoint, Outside

INDEPENDENT, ADDRESS, PORT = NatBehaviour


def mapping_seen(world: Outside) -> NatBehaviour:
    """What RFC 5780 section 4.3 would find: the outside endpoint for two ports of one server, and for another."""
    first, same_host, other_host = (server.sees(world.a) for server in (world.x1, world.x2, world.y1))
    if first == same_host == other_host:
        return INDEPENDENT
    return ADDRESS if first == same_host else PORT


def filtering_seen(world: Outside) -> NatBehaviour:
    """What RFC 5780 section 4.4 would find: who else reaches the endpoint that one server saw."""
    outside = world.x1.sees(world.a)
    assert world.x1.reaches(world.a, outside)
    other_port, other_host = world.x2.reaches(world.a, outside), world.y1.reaches(world.a, outside)
    if other_host:
        return INDEPENDENT
    return ADDRESS if other_port else PORT


@pytest.mark.parametrize("filtering", NatBehaviour)
@pytest.mark.parametrize("mapping", NatBehaviour)
def test_req_1_and_8_mapping_and_filtering_are_as_configured(mapping: NatBehaviour, filtering: NatBehaviour) -> None:
    assert mapping_seen(Outside(mapping=mapping, filtering=filtering)) is mapping
    assert filtering_seen(Outside(mapping=str(mapping), filtering=str(filtering))) is filtering


@pytest.mark.parametrize(
    ("kind", "mapping", "filtering"),
    [
        ("full-cone", INDEPENDENT, INDEPENDENT),
        ("address-restricted", INDEPENDENT, ADDRESS),
        ("port-restricted", INDEPENDENT, PORT),
        ("address-symmetric", ADDRESS, ADDRESS),
        ("symmetric", PORT, PORT),
        ("symmetric-preserving", PORT, PORT),
    ],
)
def test_the_kinds_are_what_they_are_called(kind: str, mapping: NatBehaviour, filtering: NatBehaviour) -> None:
    assert (mapping_seen(Outside(kind)), filtering_seen(Outside(kind))) == (mapping, filtering)


def test_req_2_a_host_keeps_one_outside_address_when_paired() -> None:
    for paired in (True, False):
        world = Outside("symmetric")
        nat = world.net.nat(["203.0.113.8", "203.0.113.9"], "symmetric", paired=paired)
        hosts = [nat.host(f"10.0.0.{index}") for index in range(1, 5)]
        seen = [{world.x1.sees(Endpoint(host, port)).host for port in range(5000, 5008)} for host in hosts]
        assert {len(addresses) for addresses in seen} == ({1} if paired else {2})
        assert set.union(*seen) == {"203.0.113.8", "203.0.113.9"}


def test_req_3_a_port_is_preserved_while_nobody_has_it_and_never_overloaded() -> None:
    world = Outside(port_preservation=True)
    first, second = world.x1.sees(world.a), world.x1.sees(world.b)
    assert first == Address("203.0.113.1", 5000)
    assert second.port != 5000
    assert world.x1.reaches(world.a, first) and world.x1.reaches(world.b, second)


def test_req_4_parity_is_preserved() -> None:
    world = Outside("symmetric")
    for port in range(6000, 6040):
        endpoint = Endpoint(world.a.socket.host, port)
        assert world.x1.sees(endpoint).port % 2 == port % 2


def test_req_5_a_mapping_expires_and_a_new_one_takes_its_place() -> None:
    world = Outside("full-cone", mapping_timeout=30.0)
    outside = world.x1.sees(world.a)
    world.net.run_until(world.net.now + 29.0)
    assert world.x1.reaches(world.a, outside)
    world.net.run_until(world.net.now + 2.0)
    assert not world.x1.reaches(world.a, outside)
    assert world.nat.counters.mappings_expired == 1, "the one who came too late has ended it"
    assert world.x1.sees(world.a) != outside
    assert world.nat.counters.mappings_expired == 1


@pytest.mark.parametrize("inbound_refresh", [False, True])
def test_req_6_outbound_traffic_keeps_a_mapping_and_inbound_only_if_told(inbound_refresh: bool) -> None:
    world = Outside(mapping_timeout=30.0, inbound_refresh=inbound_refresh)
    outside = world.x1.sees(world.a)
    for _ in range(4):
        world.net.run_until(world.net.now + 20.0)
        assert world.x1.sees(world.a) == outside
    alive = []
    for _ in range(4):
        world.net.run_until(world.net.now + 20.0)
        alive.append(world.x1.reaches(world.a, outside))
    assert all(alive) if inbound_refresh else alive == [True, False, False, False]


def test_a_filter_expires_for_each_remote_on_its_own() -> None:
    world = Outside("port-restricted", mapping_timeout=30.0)
    outside = world.x1.sees(world.a)
    world.net.run_until(20.0)
    assert world.y1.sees(world.a) == outside
    world.net.run_until(40.0)
    assert not world.x1.reaches(world.a, outside)
    assert world.y1.reaches(world.a, outside)
    assert world.nat.drops["filtered"] == 1


@pytest.mark.parametrize("hairpin", [True, False])
def test_req_9_hairpinning_shows_the_outside_address(hairpin: bool) -> None:
    world = Outside("full-cone", hairpin=hairpin)
    a_outside, b_outside = world.x1.sees(world.a), world.x1.sees(world.b)
    world.a.send(b_outside, b"hello")
    assert world.b.take() == ([(a_outside, b"hello")] if hairpin else [])
    assert world.nat.drops["no hairpin"] == (0 if hairpin else 1)
    assert world.nat.counters.hairpinned == (1 if hairpin else 0)


def test_a_hairpin_is_filtered_like_anything_else() -> None:
    world = Outside("port-restricted")
    a_outside, b_outside = world.x1.sees(world.a), world.x1.sees(world.b)
    world.a.send(b_outside)
    assert world.b.take() == []
    world.b.send(a_outside, b"now both have sent")
    assert world.a.take() == [(b_outside, b"now both have sent")]
    world.a.send(b_outside, b"through")
    assert world.b.take() == [(a_outside, b"through")]


def test_hosts_behind_one_nat_speak_directly() -> None:
    world = Outside("symmetric")
    world.a.send(world.b)
    assert world.b.senders == [world.a.address]
    assert world.nat.counters.outbound == 0


def test_private_addresses_overlap_behind_different_nats_and_are_reached_from_nowhere_else() -> None:
    world = Outside("full-cone")
    other = world.net.nat("203.0.113.2", "full-cone")
    twin = Endpoint(other.host("192.168.1.2"))
    stranger = Endpoint(other.host("192.168.1.77"))
    mine, theirs = world.x1.sees(world.a), world.x1.sees(twin)
    assert (mine.host, theirs.host) == ("203.0.113.1", "203.0.113.2")
    for sender in (world.x1, stranger):
        sender.send(world.b.address)
    assert world.b.take() == []
    world.a.send(theirs, b"from the other 192.168.1.2")
    assert twin.take() == [(mine, b"from the other 192.168.1.2")]
    stranger.send(world.a.address)
    assert (len(twin.take()), world.a.take()) == (1, []), "192.168.1.2 is the neighbour"


def test_two_nats_in_a_row_translate_twice() -> None:
    world = Outside("full-cone")
    inner = world.nat.nat("192.168.1.50", "symmetric")
    deep = Endpoint(inner.host("192.168.1.2"))
    seen = world.x1.sees(deep)
    assert seen.host == "203.0.113.1"
    assert inner.mapped(deep.address, world.x1.address) != seen
    assert world.nat.mapped(inner.mapped(deep.address, world.x1.address) or seen, world.x1.address) == seen
    assert world.x1.reaches(deep, seen)
    assert not world.y1.reaches(deep, seen), "the outer one would, the inner one does not"
    assert inner.drops["filtered"] == 1
    deep.send(world.b)
    assert [sender.host for sender in world.b.senders] == ["192.168.1.50"], "the middle is one network"
    assert not world.b.reaches(deep, deep.address)
    outside = world.y1.sees(world.b)
    deep.send(outside, b"hairpin at the outer one")
    assert [sender.host for sender in world.b.senders] == ["203.0.113.1"]


@pytest.mark.parametrize("outside", [None, "203.0.113.200"])
@pytest.mark.parametrize("preserving", [False, True])
def test_a_rebind_moves_every_mapping_at_once_and_tells_nobody(outside: str | None, preserving: bool) -> None:
    world = Outside("full-cone", port_preservation=preserving)
    before = [world.x1.sees(endpoint) for endpoint in (world.a, world.b)]
    world.nat.rebind(outside)
    assert not world.x1.reaches(world.a, before[0])
    after = [world.x1.sees(endpoint) for endpoint in (world.a, world.b)]
    assert not set(before) & set(after)
    assert {address.host for address in after} == {outside or "203.0.113.1"}
    assert world.x1.reaches(world.a, after[0]) and world.x1.reaches(world.b, after[1])
    with pytest.raises(InvalidArgumentError, match="already belongs to one"):
        world.nat.rebind("198.51.100.1")
    assert world.x1.reaches(world.a, after[0]), "nothing has changed"


def test_a_full_table_takes_no_more_until_one_expires() -> None:
    world = Outside("symmetric", max_mappings=2, mapping_timeout=30.0)
    world.a.send(world.x1)
    world.a.send(world.x2)
    world.a.send(world.y1)
    assert (len(world.x1.take()), len(world.x2.take()), len(world.y1.take())) == (1, 1, 0)
    assert world.nat.drops["table full"] == 1
    world.net.run_until(60.0)
    world.a.send(world.y1)
    assert len(world.y1.take()) == 1


def test_a_nat_without_a_free_port_says_so() -> None:
    world = Outside("symmetric", ports=(4000, 4003), port_parity=False)
    seen = {world.x1.sees(Endpoint(world.a.socket.host, port)).port for port in range(6000, 6004)}
    assert seen == {4000, 4001, 4002, 4003}
    world.b.send(world.x1)
    assert world.x1.take() == []
    assert world.nat.drops["no outside port"] == 1


def test_blocked_udp_is_dropped_in_silence_and_tcp_is_open() -> None:
    world = Outside("udp-blocked")
    server = EchoServer(world.x1.socket.host)
    world.a.send(world.x1)
    assert world.x1.take() == []
    assert world.nat.drops["udp blocked"] == 1
    dialled = Dialled(world.a.socket.host, server.address, settle=1.0)
    assert dialled.stream is not None
    assert server.peers[0].host == "203.0.113.1"


@pytest.mark.parametrize("reject", [False, True])
def test_blocked_tcp_is_silence_or_a_reset_and_ports_may_be_named(reject: bool) -> None:
    world = Outside(tcp={443}, udp={53}, reject=reject)
    blocked = EchoServer(world.x1.socket.host, 80)
    allowed = EchoServer(world.x1.socket.host, 443)
    host = world.a.socket.host
    assert Dialled(host, allowed.address).stream is not None
    assert Dialled(host, blocked.address).failure == ("connection refused" if reject else "timed out")
    name_server = Endpoint(world.x1.socket.host, 53)
    assert name_server.sees(world.a)
    world.a.send(world.x1)
    assert world.x1.take() == []
    assert world.nat.drops["udp port blocked"] == 1


def test_streams_go_out_come_back_and_do_not_come_in() -> None:
    world = Outside("port-restricted")
    world.net.link(world.nat, "198.51.100.1", latency=0.02)
    world.net.link(world.a.socket.host, world.nat, latency=0.005)
    outer, inner = EchoServer(world.x1.socket.host), EchoServer(world.a.socket.host)
    dialled = Dialled(world.a.socket.host, outer.address)
    assert dialled.stream is not None
    dialled.stream.write(b"there and back")
    world.net.run_until(world.net.now + 1.0)
    assert dialled.received == b"there and back"
    mapped = world.nat.mapped(dialled.stream.local, outer.address, "tcp")
    assert outer.peers == [mapped]
    assert Dialled(world.x1.socket.host, inner.address).failure == "timed out", "a private address"
    assert Dialled(world.y1.socket.host, Address("203.0.113.1", 80)).failure == "timed out"
    assert inner.peers == []


def test_a_stream_that_its_nat_forgot_hangs_until_it_gives_up() -> None:
    world = Outside("full-cone")
    server = EchoServer(world.x1.socket.host)
    dialled = Dialled(world.a.socket.host, server.address, settle=1.0)
    world.nat.rebind()
    assert dialled.stream is not None
    dialled.stream.write(b"anybody?")
    world.net.run_until(100.0)
    assert dialled.closed == []
    world.net.run_until(300.0)
    assert dialled.closed == ["timed out"]
    assert world.nat.drops["no connection"] > 3


def test_an_idle_stream_outlives_the_time_of_datagrams() -> None:
    world = Outside(mapping_timeout=30.0)
    server = EchoServer(world.x1.socket.host)
    dialled = Dialled(world.a.socket.host, server.address)
    world.net.run_until(3600.0)
    assert dialled.stream is not None
    dialled.stream.write(b"still here")
    world.net.run_until(3602.0)
    assert dialled.received == b"still here"
    dialled.stream.close()
    world.net.run_until(3610.0)
    assert len(world.nat.mappings) == 1
    world.net.run_until(3900.0)
    assert world.nat.mappings == []


def test_a_forwarded_port_is_open_to_all_and_answers_from_there() -> None:
    world = Outside("symmetric")
    outside = world.nat.map_port(3478, world.a.address)
    assert outside == Address("203.0.113.1", 3478)
    assert world.y1.reaches(world.a, outside)
    assert world.y1.sees(world.a) == outside == world.nat.mapped(world.a.address, world.y1.address)
    with pytest.raises(InvalidArgumentError, match="3478"):
        world.nat.map_port(3478, world.b.address)
    server = EchoServer(world.b.socket.host, 8080)
    world.nat.map_port(443, server.address, "tcp")
    assert Dialled(world.x1.socket.host, Address("203.0.113.1", 443)).stream is not None


def test_one_to_one_gives_a_host_all_ports_of_an_address() -> None:
    world = Outside("symmetric")
    cloud = world.net.nat(["203.0.113.20", "203.0.113.21"])
    server = Endpoint(cloud.host("10.0.0.4"), 3478)
    cloud.map_address("203.0.113.20", "10.0.0.4")
    assert world.x1.sees(server) == Address("203.0.113.20", 3478)
    assert world.y1.reaches(server, Address("203.0.113.20", 3478))
    assert world.y1.sees(Endpoint(cloud.host("10.0.0.5"))).host == "203.0.113.21"
    with pytest.raises(InvalidArgumentError, match="not a free address"):
        cloud.map_address("203.0.113.20", "10.0.0.5")


def test_an_answer_leaves_by_the_mapping_that_its_question_came_in_by() -> None:
    world = Outside(mapping=PORT, filtering=INDEPENDENT)
    outside = world.x1.sees(world.a)
    assert world.y1.reaches(world.a, outside)
    assert world.y1.sees(world.a) == outside


def test_a_host_has_addresses_on_two_networks_at_a_time() -> None:
    world = Outside("port-restricted")
    carrier = world.net.nat("203.0.113.99", "symmetric")
    phone = world.a.socket.host
    phone.add_address("10.20.30.40", behind=carrier)
    phone.add_address("2001:db8::40", behind=world.net)
    mobile = Endpoint(phone, 5000, "10.20.30.40")
    assert world.x1.sees(mobile).host == "203.0.113.99"
    assert world.x1.sees(world.a).host == "203.0.113.1"
    phone.remove_address("192.168.1.2")
    world.a.send(world.x1)
    assert world.x1.take() == []
    assert world.x1.sees(mobile).host == "203.0.113.99"


def test_a_dead_outside_interface_loses_everything() -> None:
    world = Outside("full-cone")
    outside = world.x1.sees(world.a)
    world.nat.down.add("203.0.113.1")
    world.a.send(world.x1)
    assert world.x1.take() == []
    assert not world.x1.reaches(world.a, outside)


def test_the_ways_to_and_from_a_nat_are_links_of_their_own() -> None:
    world = Outside("full-cone")
    host = world.a.socket.host
    world.net.link(host, world.nat, latency=0.005)
    world.net.link(world.nat, world.x1.socket.host, latency=0.04)
    world.a.send(world.x1, settle=0.044)
    assert world.x1.take() == []
    world.net.run_until(world.net.now + 0.002)
    assert len(world.x1.take()) == 1
    with pytest.raises(InvalidArgumentError, match="not on one network"):
        world.net.link(host, world.x1.socket.host, latency=1.0)


def test_the_log_says_what_a_nat_did() -> None:
    world = Outside("symmetric")
    outside = world.x1.sees(world.a)
    world.a.send(world.x1)
    world.y1.send(outside)
    world.x1.send(outside)
    assert [entry.note for entry in world.net.log if entry.note] == [
        f"nat1: new mapping, 192.168.1.2:5000 -> {outside}",
        f"nat1: known mapping, 192.168.1.2:5000 -> {outside}",
        "nat1: dropped, filtered",
        f"nat1: let in, {outside} -> 192.168.1.2:5000",
    ]
    dropped = next(entry for entry in world.net.log if "filtered" in entry.note)
    assert (dropped.source, dropped.destination, dropped.copies) == (world.y1.address, outside, 0)


def test_same_seed_same_ports_and_another_seed_other_ones() -> None:
    def play(seed: int) -> tuple[Address, str]:
        world = Outside("symmetric", seed=seed)
        return world.x1.sees(world.a), world.net.digest()

    assert play(1) == play(1)
    assert play(1)[0] != play(2)[0]


def test_misuse_is_told_in_words() -> None:
    net = sim.Network(1)
    with pytest.raises(InvalidArgumentError, match="none of full-cone, address-restricted"):
        net.nat("203.0.113.1", "cone")
    with pytest.raises(InvalidArgumentError, match="none of endpoint-independent"):
        net.nat("203.0.113.1", mapping="symmetric")
    with pytest.raises(InvalidArgumentError, match="mapping_timeout"):
        net.nat("203.0.113.1", mapping_timeout=0.0)
    with pytest.raises(InvalidArgumentError, match="ports"):
        net.nat("203.0.113.1", ports=(5000, 4000))
    with pytest.raises(InvalidArgumentError, match="not an IP address"):
        net.nat("home")
    net.nat("203.0.113.1")
    with pytest.raises(InvalidArgumentError, match="already belongs to nat1"):
        net.host("203.0.113.1")


def test_what_is_let_in_for_an_address_that_has_gone_is_lost_and_does_not_come_out_again() -> None:
    world = Outside("full-cone")
    outside = world.x1.sees(world.a)
    world.a.socket.host.remove_address("192.168.1.2")
    assert not world.x1.reaches(world.a, outside)
    assert (world.net.drops["no route"], world.nat.counters.outbound) == (1, 1)


def test_an_outsider_cannot_grow_the_tables() -> None:
    world = Outside(mapping="address-and-port-dependent", filtering="endpoint-independent", max_mappings=50)
    outside = world.x1.sees(world.a)
    flood = [Endpoint(world.x1.socket.host, port) for port in range(10_000, 10_200)]
    for endpoint in flood:
        endpoint.send(outside, settle=0.001)
    world.net.run_until(world.net.now + 1.0)
    assert len(world.a.take()) == 200
    assert len(world.nat._by_inside) == 25, "the other half is for those inside"
    assert len(world.nat.mappings) == 1
