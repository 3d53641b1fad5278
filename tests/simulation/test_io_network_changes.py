"""A connection whose machine changes its addresses: nobody asks for anything, and it goes on."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.peers import connected_channels, two_peers
from webrtc_stack import sim


@pytest.mark.parametrize(
    "steps", [("add", "remove"), ("remove", "add")], ids=["make before break", "break before make"]
)
def test_a_connection_moves_to_the_address_that_came(steps: tuple[str, str]) -> None:
    async def main(net: sim.Network) -> None:
        machine = net.host("10.1.0.1")
        net.host("10.2.0.1")
        async with two_peers(net) as (left, right):
            ours, theirs = await connected_channels(left, right)
            for step in steps:
                await asyncio.sleep(1.0)
                if step == "add":
                    machine.add_address("10.1.0.2")
                else:
                    machine.remove_address("10.1.0.1")
            await ours.send("still here")
            assert await asyncio.wait_for(theirs.receive(), 10.0) == "still here"
            await theirs.send("so am I")
            assert await asyncio.wait_for(ours.receive(), 10.0) == "so am I"
            pair = left.snapshot().ice.selected_pair
            assert pair is not None
            assert pair.local.host == "10.1.0.2"
            assert left.connection_state.value == "connected"

    sim.run(main, network=sim.Network(1, default_link=sim.LinkConfig(latency=0.01)))
