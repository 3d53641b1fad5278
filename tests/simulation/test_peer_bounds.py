"""Nothing that is dead delays what lives, and everything ends in stated time: whole peers, virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

import webrtc_stack as rtc
from tests.support.peers import Signalling, connected_channels, two_peers
from tests.support.relays import PASSWORD, USER, ice_server, relay_only, turn_service
from webrtc_stack import sim

LATENCY = sim.LinkConfig(latency=0.025)
LEFT, RIGHT, SERVER = "10.1.0.1", "10.2.0.1", "203.0.113.10"
NOBODY, MUTE = "203.0.113.99", "203.0.113.50"
GATHERED_BY = 5.2
"""Seconds: a server is waited for as long as 5, the answer of a slow resolver as well."""
CLOSED_BY, RELEASED_BY = 2.0, 0.5


def network() -> sim.Network:
    """Two hosts that reach each other, one TURN server that works, and one machine that takes streams and is mute."""
    net = sim.Network(1, default_link=LATENCY)
    net.host(LEFT), net.host(RIGHT)
    turn_service(net.host(SERVER))
    mute = net.host(MUTE)
    mute.listen(mute.local_addresses()[0], port=443, on_accept=lambda stream: None)
    return net


def turn(url: str) -> rtc.IceServer:
    return rtc.IceServer(url, username=USER, credential=PASSWORD)


def dead_interface(net: sim.Network) -> None:
    """An address that looks like any other and reaches nobody."""
    host = net.hosts[0]
    host.add_address("10.9.0.1")
    host.down.add("10.9.0.1")


DEAD: dict[str, rtc.IceServer | Callable[[sim.Network], None]] = {
    "a dead interface": dead_interface,
    "a silent STUN server": rtc.IceServer(f"stun:{NOBODY}"),
    "a silent TURN server": turn(f"turn:{NOBODY}"),
    "a TURN server whose port nobody answers": turn(f"turn:{NOBODY}?transport=tcp"),
    "a TURN server that never ends the TLS handshake": turn(f"turns:{MUTE}:443"),
    "a TURN server that takes the stream and says nothing": turn(f"turn:{MUTE}:443?transport=tcp"),
    "a name that nobody resolves": rtc.IceServer("stun:nobody.example.org"),
    "a relay by a name that nobody resolves": turn("turn:nobody.example.org"),
    "a relay with a wrong password": ice_server(SERVER, password="wrong"),
}
COMBINED = "all of them"


async def negotiate(left: rtc.PeerConnection, right: rtc.PeerConnection) -> None:
    """Ends when both have gathered: nobody waits for it to connect."""
    await Signalling(left, right, delay=LATENCY.latency, trickle=True).negotiate()


def connect_time(*names: str, far: bool = False) -> tuple[float, float]:
    """Seconds to an open channel, and to the end of gathering, beside these dead things.

    `far`: the two reach each other through the relay only.
    """
    net = network()
    if far:
        net.link(net.hosts[0], net.hosts[1], up=False)

    async def main(net: sim.Network) -> tuple[float, float]:
        servers = [ice_server(SERVER)]
        for name in names:
            dead = DEAD[name]
            if isinstance(dead, rtc.IceServer):
                servers.insert(0, dead)
            else:
                dead(net)
        config = rtc.ClientConfig(ice_servers=servers)
        async with two_peers(net, config=config) as (left, right):
            gathered: list[float] = []

            async def watch() -> None:
                await left.wait_gathering_complete()
                gathered.append(net.now)

            watching = asyncio.create_task(watch())
            channel = left.create_data_channel("x")
            negotiating = asyncio.create_task(negotiate(left, right))
            await channel.opened(timeout=30)
            connected = net.now
            await asyncio.wait_for(watching, 30)
            await negotiating
            return connected, gathered[0]

    return sim.run(main, network=net)


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("name", [*DEAD, COMBINED])
def test_what_is_dead_delays_no_path_that_works(name: str, far: bool) -> None:
    alone, _ = connect_time(far=far)
    beside, gathered = connect_time(*(DEAD if name == COMBINED else [name]), far=far)
    # Pairs with nothing behind them are checked as well, one every 20 ms, each round before or between the good ones.
    assert beside <= alone + 0.1
    assert gathered <= GATHERED_BY


MOMENTS = (0.0, 0.01, 0.03, 0.06, 0.08, 0.12, 0.2, 0.3, 0.5, 0.8, 1.5)


@pytest.mark.parametrize("gone", [(), ("server",), ("peer",), ("server", "peer")])
@pytest.mark.parametrize("relayed", [False, True])
def test_closing_takes_bounded_time_at_every_moment_whoever_is_gone(relayed: bool, gone: tuple[str, ...]) -> None:
    for moment in MOMENTS:
        net = network()

        async def main(net: sim.Network, moment: float = moment) -> None:
            left, right, server, _ = net.hosts
            working = ice_server(server)
            config = relay_only(working) if relayed else rtc.ClientConfig(ice_servers=[working, turn(f"turn:{NOBODY}")])
            ours, theirs = rtc.Client(config, runtime=left), rtc.Client(config, runtime=right)
            one, other = ours.create_peer_connection(), theirs.create_peer_connection()
            connecting = asyncio.create_task(connected_channels(one, other, delay=LATENCY.latency))
            await asyncio.wait({connecting}, timeout=moment)
            if "server" in gone:
                server.down.add(SERVER)
            if "peer" in gone:
                right.down.add(RIGHT)
            begun = net.now
            await one.close()
            limit = CLOSED_BY + RELEASED_BY if gone else CLOSED_BY
            assert net.now - begun <= limit, f"closed at {moment} s, took {net.now - begun:.2f} s"
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            await ours.close()
            await theirs.close()

        sim.run(main, network=net)


@pytest.mark.parametrize("relayed", [False, True])
def test_a_peer_that_vanishes_is_missed_within_seven_seconds_and_given_up_within_thirty(relayed: bool) -> None:
    net = network()

    async def main(net: sim.Network) -> None:
        server = ice_server(SERVER)
        config = relay_only(server) if relayed else rtc.ClientConfig(ice_servers=[server])
        async with two_peers(net, config=config) as (left, right):
            await connected_channels(left, right)
            await asyncio.sleep(5.0)
            net.hosts[1].down.add(RIGHT)
            begun = net.now
            await left.connection_state.wait_for(rtc.ConnectionState.DISCONNECTED, timeout=60)
            assert net.now - begun <= 7.0
            await left.connection_state.wait_for(rtc.ConnectionState.FAILED, timeout=60)
            assert net.now - begun <= 30.5

    sim.run(main, network=net)


def test_an_address_that_goes_away_while_connecting_costs_its_own_pairs_only() -> None:
    for moment in (0.0, 0.02, 0.04, 0.06, 0.08, 0.1):
        net = network()

        async def main(net: sim.Network, moment: float = moment) -> None:
            host = net.hosts[0]
            host.add_address("10.3.0.1")
            async with two_peers(net) as (left, right):
                channel = left.create_data_channel("x")
                negotiating = asyncio.create_task(negotiate(left, right))
                await asyncio.sleep(moment)
                host.remove_address("10.3.0.1")
                await channel.opened(timeout=5)
                assert net.now <= 1.0, f"gone at {moment} s"
                await negotiating

        sim.run(main, network=net)


def test_dead_things_come_in_every_order_and_gathering_still_ends() -> None:
    names = [name for name, dead in DEAD.items() if isinstance(dead, rtc.IceServer)]
    for some in itertools.combinations(names, 3):
        _, gathered = connect_time(*some)
        assert gathered <= GATHERED_BY, some
