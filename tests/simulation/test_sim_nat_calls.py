"""Whole peers behind each kind of NAT connect where datagrams can meet, and nowhere else, by STUN alone."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import webrtc_stack as rtc
from tests.support.peers import connected_channels, two_peers
from webrtc_stack import sim
from webrtc_stack.base import SeededEntropy
from webrtc_stack.cli.turn.service import TurnService
from webrtc_stack.examples import nat_alone
from webrtc_stack.turn import TurnServerConfig

PATIENCE = 12.0


@pytest.mark.parametrize(("left", "right"), list(itertools.product(sim.NAT_KINDS, repeat=2)))
def test_peers_behind_two_nats_connect_exactly_where_their_datagrams_can_meet(left: str, right: str) -> None:
    async def main(net: sim.Network) -> bool:
        net.nat("203.0.113.1", left).host("192.168.1.2")
        net.nat("203.0.113.2", right).host("192.168.1.2")
        server = net.host("198.51.100.10")
        settings = TurnServerConfig(users={"nobody": "relays"}, entropy=SeededEntropy("server"))
        service = TurnService(settings, server, relay_hosts={})
        service.listen(server.local_addresses()[0], 3478)
        config = rtc.ClientConfig(ice_servers=[rtc.IceServer("stun:198.51.100.10:3478")])
        try:
            async with two_peers(net, config=config) as (one, other):
                try:
                    ours, theirs = await asyncio.wait_for(connected_channels(one, other), PATIENCE)
                except TimeoutError:
                    return False
                await ours.send("through both")
                assert await theirs.receive() == "through both"
                return True
        finally:
            service.close()

    found = sim.run(main, network=sim.Network(1, default_link=sim.LinkConfig(latency=0.01)))
    assert found is nat_alone.meet(left, right)
