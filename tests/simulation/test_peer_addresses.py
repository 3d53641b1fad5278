"""What a whole peer announces of its addresses: ICE-lite, one-to-one NATs, `.local` names, marks on its packets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import webrtc_stack as rtc
from tests.support.peers import connected_channels, two_peers
from tests.support.relays import ice_server
from webrtc_stack import sim
from webrtc_stack.base import Address, CandidateType
from webrtc_stack.peer.stats import IceRole

LATENCY = sim.LinkConfig(latency=0.01)
MDNS = rtc.ClientConfig(mdns_candidates=True)


def on_network(main: Any) -> None:
    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def hosts_of(pc: rtc.PeerConnection) -> set[str]:
    return {one.host for one in pc.snapshot().ice.local_candidates}


def sdp_of(pc: rtc.PeerConnection) -> str:
    assert pc.local_description is not None
    return pc.local_description.sdp


async def roles(*peers: rtc.PeerConnection) -> list[str]:
    return [one.ice_role or "" for pc in peers for one in (await pc.get_stats()).of_type("transport")]


@pytest.mark.parametrize("lite", ["offerer", "answerer"])
def test_a_lite_server_meets_a_full_peer_behind_a_nat(lite: str) -> None:
    async def main(net: sim.Network) -> None:
        box = net.nat("198.51.100.1", "symmetric")
        places: list[tuple[sim.Network | sim.Nat, str]] = [(net, "203.0.113.5"), (box, "192.168.1.2")]
        for place, address in places if lite == "offerer" else reversed(places):
            place.host(address)
        configs = [rtc.ClientConfig(ice_lite=role == lite) for role in ("offerer", "answerer")]
        async with two_peers(net, config=configs[0], answerer_config=configs[1]) as (left, right):
            ours, theirs = await connected_channels(left, right)
            await ours.send("hello")
            assert await theirs.receive() == "hello"
            served, visiting = (left, right) if lite == "offerer" else (right, left)
            assert "a=ice-lite" in sdp_of(served).splitlines()
            assert "a=ice-lite" not in sdp_of(visiting)
            assert await roles(served, visiting) == [IceRole.CONTROLLED, IceRole.CONTROLLING]
            await asyncio.sleep(60.0)
            assert {served.connection_state.value, visiting.connection_state.value} == {"connected"}

    on_network(main)


def test_a_lite_server_behind_a_closed_port_for_udp_is_reached_over_tcp() -> None:
    async def main(net: sim.Network) -> None:
        net.firewall(udp=False).host("198.51.100.2"), net.host("203.0.113.5")
        lite = rtc.ClientConfig(ice_lite=True, ice_tcp=rtc.IceTcp.PASSIVE)
        async with two_peers(net, answerer_config=lite) as (left, right):
            ours, theirs = await connected_channels(left, right)
            await theirs.send("over a stream")
            assert await ours.receive() == "over a stream"
            pair = right.snapshot().ice.selected_pair
            assert pair is not None and pair.local.transport == "tcp"

    on_network(main)


def test_a_one_to_one_nat_is_announced_by_its_public_address() -> None:
    async def main(net: sim.Network) -> None:
        net.nat("198.51.100.1", "symmetric").host("192.168.1.2")
        cloud = net.nat("203.0.113.5", "full-cone")
        cloud.host("10.0.0.5")
        for port in range(50_000, 50_010):
            cloud.map_port(port, Address("10.0.0.5", port))
        config = rtc.ClientConfig(nat_1to1=["203.0.113.5"], port_range=(50_000, 50_009))
        async with two_peers(net, answerer_config=config) as (left, right):
            await connected_channels(left, right)
            assert hosts_of(right) == {"203.0.113.5"}
            assert "10.0.0.5" not in sdp_of(right)

    on_network(main)


def test_hidden_hosts_announce_names_that_the_peer_resolves() -> None:
    async def main(net: sim.Network) -> None:
        net.host("10.0.0.1"), net.host("10.0.0.2")
        async with two_peers(net, config=MDNS) as (left, right):
            ours, theirs = await connected_channels(left, right)
            await ours.send("by name")
            assert await theirs.receive() == "by name"
            for pc, address in ((left, "10.0.0.1"), (right, "10.0.0.2")):
                assert hosts_of(pc) and all(host.endswith(".local") for host in hosts_of(pc))
                assert address not in sdp_of(pc)
                assert {one.type for one in pc.snapshot().ice.local_candidates} == {CandidateType.HOST}

    on_network(main)


def test_every_datagram_bears_the_mark() -> None:
    async def main(net: sim.Network) -> None:
        left, right = net.host("10.0.0.1"), net.host("10.0.0.2")
        async with two_peers(net, config=rtc.ClientConfig(dscp=46), answerer_config=rtc.ClientConfig()) as (a, b):
            await connected_channels(a, b)
            assert {socket.dscp for socket in left.sockets.values()} == {46}
            assert {socket.dscp for socket in right.sockets.values()} == {None}

    on_network(main)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"ice_lite": True, "ice_servers": [rtc.IceServer("stun:192.0.2.1")]}, "ice_servers"),
    ({"ice_lite": True, "ice_servers": [ice_server("192.0.2.1")]}, "ice_servers"),
    ({"nat_1to1": [rtc.AddressRewrite("203.0.113.5", "fd00::1")]}, "families"),
    ({"dscp": 64}, "0 to 63"),
]


@pytest.mark.parametrize(("members", "word"), MISTAKES)
def test_what_contradicts_itself_is_refused(members: dict[str, Any], word: str) -> None:
    with pytest.raises(rtc.InvalidArgumentError, match=word):
        rtc.ClientConfig(**members)
