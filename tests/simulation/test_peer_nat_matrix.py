"""Whole peers on every two kinds of networks, with every kind of server: they connect exactly where they can.

What must happen follows from three facts, not from a table of what did: whether datagrams can meet without a server,
what each side can learn from the server that it has, and who reaches a relay. Round trips are those between two
neighbours (peer and peer, peer and server: 50 ms); so a check through a relay takes two of them.
"""

from __future__ import annotations

import asyncio
import itertools
from functools import cache

import pytest

import webrtc_stack as rtc
from tests.support.peers import connected_channels
from tests.support.relays import PASSWORD, PORT, USER, turn_service
from webrtc_stack import sim
from webrtc_stack.cli.turn.streams import listen_stream
from webrtc_stack.examples import nat_alone

LATENCY = 0.025
ROUND_TRIP = 2 * LATENCY
NAME, SERVER, TLS_PORT = "turn.example.org", "203.0.113.10", 5349
SITES = ("public", *sim.NAT_KINDS, "double", "nat64")
SERVERS = {
    "none": None,
    "stun": f"stun:{NAME}:{PORT}",
    "turn-udp": f"turn:{NAME}:{PORT}",
    "turn-tcp": f"turn:{NAME}:{PORT}?transport=tcp",
    "turn-tls": f"turns:{NAME}:{TLS_PORT}",
}
FAILED_BY = 36.0
"""Seconds: 15 of patience beside the 20 that a check lives."""
STATED = {
    # Half a round trip for the offer; one for the check, while the answer travels; two for DTLS, one and a half for
    # SCTP.
    "open": 5.1,
    # The answerer's check dies in the offerer's filter: the offerer's own begins when the answer is there.
    "open from inside": 6.1,
    # As long to learn one's own address (a second one with TURN, that asks who we are), to tell it, to check anew.
    "met": 8.5,
    # The first check of one side dies in the other's filter, and is repeated after 250 ms.
    "met at the second try": 11.5,
    # Allocation and permission (three), and everything behind them twice as far.
    "turn-udp": 14.5,
    "turn-tcp": 15.5,
    "turn-tls": 16.5,
}
"""Round trips from `set_local_description` to a channel open at both ends, signalling included."""


def site(net: sim.Network, kind: str, number: int) -> sim.Host:
    """A host on a network of this kind."""
    outside = f"198.51.100.{number}"
    match kind:
        case "public":
            return net.host(outside)
        case "double":
            carrier = net.nat(outside, "port-restricted")
            return carrier.nat(f"100.64.{number}.2", "port-restricted").host(f"192.168.{number}.2")
        case "nat64":
            return net.nat64(outside=outside).host(f"2001:db8:{number}::2")
        case _:
            return net.nat(outside, kind).host(f"192.168.{number}.2")


def serve(net: sim.Network) -> None:
    """STUN and TURN at one server, by name: hosts with IPv6 only reach it through DNS64."""
    host = net.host(SERVER)
    net.names[NAME] = (SERVER,)
    service = turn_service(host)
    (local,) = host.local_addresses()
    listen_stream(service, local, PORT)
    listen_stream(service, local, TLS_PORT, sim.VirtualCertificate((NAME,)))


def config(servers: str) -> rtc.ClientConfig:
    url = SERVERS[servers]
    return rtc.ClientConfig(ice_servers=[rtc.IceServer(url, username=USER, credential=PASSWORD)] if url else [])


@cache
def meet(left: str, right: str) -> bool:
    """Whether datagrams meet, each side knowing how a server sees the other. Two equal NATs in a row are one."""
    left, right = ("port-restricted" if kind == "double" else kind for kind in (left, right))
    return nat_alone.meet(left, right)


def way(left: str, right: str, servers: str) -> str | None:
    """What must come of it: one of `STATED`, or None for no connection."""
    kinds = {left, right}
    if "nat64" in kinds and len(kinds) == 1:
        return "open"  # IPv6 passes as it is
    blocked, translated = "udp-blocked" in kinds, "nat64" in kinds  # TCP to a peer would need one that listens
    if not blocked and not translated:
        if "public" in kinds:
            # Who is reachable learns the other's address from its check.
            return "open" if left == "public" else "open from inside"
        if servers in ("stun", "turn-udp") and meet(left, right):
            # A symmetric NAT's real address is known only when its check has come through.
            late = any("symmetric" in kind for kind in kinds) and "address-restricted" in kinds
            return "met at the second try" if late else "met"
    if servers in ("none", "stun") or (blocked and servers == "turn-udp"):
        return None
    return servers


class Met:
    """How a connection went."""

    def __init__(self, pc: rtc.PeerConnection, now: float) -> None:
        self.connected = pc.connection_state.value is rtc.ConnectionState.CONNECTED
        self.seconds = now
        self.pair = pc.snapshot().ice.selected_pair

    @property
    def relayed(self) -> bool:
        return self.pair is not None and "relay" in (self.pair.local.type, self.pair.remote.type)


def connect(net: sim.Network, left: sim.Host, right: sim.Host, servers: str) -> Met:
    """Two peers try; comes back a little after they are connected, or when one has failed."""

    async def main(net: sim.Network) -> Met:
        settings = config(servers)
        async with rtc.Client(settings, runtime=left) as one, rtc.Client(settings, runtime=right) as other:
            offerer, answerer = one.create_peer_connection(), other.create_peer_connection()
            trying = asyncio.create_task(connected_channels(offerer, answerer, delay=LATENCY))
            failing = asyncio.create_task(offerer.connection_state.wait_for(rtc.ConnectionState.FAILED))
            await asyncio.wait({trying, failing}, return_when=asyncio.FIRST_COMPLETED)
            now = net.now
            if not failing.done():
                ours, theirs = await trying
                await ours.send("there")
                assert await theirs.receive() == "there"
                await asyncio.sleep(2.0)  # a better pair than the first may be nominated
            met = Met(offerer, now)
            for task in (trying, failing):
                task.cancel()
            await asyncio.gather(trying, failing, return_exceptions=True)
            return met

    return sim.run(main, network=net)


def network() -> sim.Network:
    return sim.Network(1, default_link=sim.LinkConfig(latency=LATENCY))


def problem(met: Met, expected: str | None) -> str | None:
    """What is not as it must be."""
    if not met.connected:
        if expected is not None:
            return "did not connect"
        return None if met.seconds <= FAILED_BY else f"failed after {met.seconds:.1f} s only"
    trips = met.seconds / ROUND_TRIP
    if expected is None:
        return "connected, which cannot be"
    if met.relayed is not expected.startswith("turn"):
        return f"took {met.pair}"
    return f"{trips:.2f} round trips" if trips > STATED[expected] else None


@pytest.mark.parametrize("servers", SERVERS)
@pytest.mark.parametrize("left", SITES)
def test_peers_connect_exactly_where_they_can_and_as_soon_as_stated(left: str, servers: str) -> None:
    problems = []
    for right in SITES:
        net = network()
        hosts = site(net, left, 1), site(net, right, 2)
        serve(net)
        found = problem(connect(net, *hosts, servers), way(left, right, servers))
        if found is not None:
            problems.append(f"{left} and {right} with {servers}: {found}")
    assert not problems


@pytest.mark.parametrize("servers", SERVERS)
@pytest.mark.parametrize("kind", sim.NAT_KINDS)
def test_behind_one_nat_peers_meet_inside(kind: str, servers: str) -> None:
    net = network()
    home = net.nat("198.51.100.1", kind)
    hosts = home.host("192.168.1.2"), home.host("192.168.1.3")
    serve(net)
    net.link(*hosts, latency=0.001)
    for host in hosts:
        net.link(host, home, latency=0.001)
    met = connect(net, *hosts, servers)
    assert met.connected and met.pair is not None
    assert {met.pair.local.type, met.pair.remote.type} == {"host"}


@pytest.mark.parametrize("servers", SERVERS)
@pytest.mark.parametrize("hairpin", [False, True])
def test_two_homes_of_one_carrier_meet_where_it_sends_back_what_is_for_itself(hairpin: bool, servers: str) -> None:
    net = network()
    carrier = net.nat("198.51.100.1", "full-cone", hairpin=hairpin)
    left, right = (carrier.nat(f"100.64.0.{number}", "full-cone").host(f"192.168.{number}.2") for number in (1, 2))
    serve(net)
    met = connect(net, left, right, servers)
    knows = servers in ("stun", "turn-udp")
    assert met.connected is (servers.startswith("turn") or (knows and hairpin))
    if met.connected:
        assert met.relayed is not (knows and hairpin)


def test_every_pair_is_tried_with_every_server() -> None:
    ways = [way(*cell) for cell in itertools.product(SITES, SITES, SERVERS)]
    assert len(ways) == 500
    assert {one for one in ways if one is not None} == set(STATED)
    assert None in ways
