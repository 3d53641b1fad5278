"""Everything ends: in bounded time, at any moment, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc

import pytest

import webrtc_stack as rtc
from tests.support.peers import Signalling, connected_channels, two_peers
from webrtc_stack import sim
from webrtc_stack.datachannel import DataChannels


async def close_in(pc: rtc.PeerConnection, net: sim.Network) -> float:
    start = net.now
    await pc.close()
    assert pc.connection_state.value == "closed"
    return net.now - start


async def next_channel(pc: rtc.PeerConnection) -> rtc.DataChannel | None:
    async for channel in pc.data_channels():
        return channel
    return None


def test_closing_a_connection_that_never_began_is_immediate() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, _):
            assert await close_in(left, net) == 0
            await left.close()

    sim.run(main)


@pytest.mark.parametrize("moment", [0.0, 0.002, 0.01, 0.03, 0.05, 0.07, 0.09, 0.2, 1.0])
def test_close_takes_at_most_two_seconds_at_any_moment_against_a_silent_peer(moment: float) -> None:
    async def main(net: sim.Network) -> None:
        net.default_link = sim.LinkConfig(latency=0.01)
        net.names["stun.example"] = ("10.0.0.2",)
        net.resolve_delay = 0.05
        config = rtc.ClientConfig(ice_servers=[rtc.IceServer("stun:stun.example")])
        async with two_peers(net, config=config) as (left, right):
            channel = left.create_data_channel("x")
            task = asyncio.create_task(Signalling(left, right, delay=0.005, trickle=True).negotiate())
            await asyncio.sleep(moment)
            net.link(net.hosts[0], net.hosts[1], up=False)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await close_in(left, net) <= 2.0
            assert channel.ready_state.value == "closed"
            assert await close_in(right, net) <= 2.0

    sim.run(main)


def test_a_client_closes_everything_it_made_side_by_side() -> None:
    async def main(net: sim.Network) -> None:
        host = net.host("10.0.0.1")
        async with rtc.Client(runtime=host) as client:
            connections = [client.create_peer_connection() for _ in range(20)]
            for pc in connections:
                pc.create_data_channel("x")
                await pc.set_local_description()
            await asyncio.sleep(1)
            assert len(host.sockets) == 20
        assert [pc.connection_state.value for pc in connections] == ["closed"] * 20
        assert not host.sockets
        assert not client.connections
        with pytest.raises(rtc.InvalidStateError, match="closed"):
            client.create_peer_connection()

    sim.run(main)


def test_waiters_learn_that_the_connection_is_gone() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (left, right):
            ours, theirs = await connected_channels(left, right)
            waiting = [
                asyncio.create_task(theirs.receive()),
                asyncio.create_task(right.connection_state.wait_for("failed")),
                asyncio.create_task(next_channel(right)),
            ]
            await asyncio.sleep(0.1)
            await right.close()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(results[0], rtc.ConnectionLost)
            assert isinstance(results[1], rtc.ConnectionLost)
            assert results[2] is None
            assert ours.ready_state.value != "open" or await ours.ready_state.wait_for("closed", timeout=5)

    sim.run(main)


def test_two_hundred_cycles_leave_no_task_socket_or_object_behind() -> None:
    async def main(net: sim.Network) -> None:
        net.keep_log = False
        net.default_link = sim.LinkConfig(latency=0.002)
        net.names["stun.example"] = ("10.0.0.2",)
        config = rtc.ClientConfig(ice_servers=[rtc.IceServer("stun:stun.example")])
        moments = (0.0, 0.003, 0.006, 0.01, 0.015, 0.03, 0.5)
        for cycle in range(200):
            async with two_peers(net, config=config) as (left, right):
                left.create_data_channel("x")
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(Signalling(left, right, delay=0.001, trickle=True).negotiate())
                    await asyncio.sleep(moments[cycle % len(moments)])
                    task.cancel()
            assert len(asyncio.all_tasks()) == 1
            assert not any(host.sockets for host in net.hosts)
        await asyncio.sleep(60)
        assert net.next_instant() == float("inf"), "a timer outlived its connection"

    def alive() -> int:
        gc.collect()
        return sum(isinstance(thing, (rtc.PeerConnection, DataChannels)) for thing in gc.get_objects())

    before = alive()  # what other tests of this process still hold
    sim.run(main)
    assert alive() <= before


def test_failures_in_the_background_surface_when_the_client_ends() -> None:
    async def main(net: sim.Network) -> None:
        with pytest.raises(ExceptionGroup, match="background"):
            async with two_peers(net) as (left, _):
                left.ice_gathering_state.set = None  # type: ignore[method-assign, assignment]
                left.create_data_channel("x")
                await left.set_local_description()
                await asyncio.sleep(1)

    sim.run(main)
