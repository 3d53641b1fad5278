"""Two whole peers over TURN relays, on the virtual network."""

from __future__ import annotations

import asyncio

import pytest

import webrtc_stack as rtc
from tests.support.calls import Calls, count_calls
from tests.support.peers import Signalling, connected_channels, two_peers
from tests.support.relays import PASSWORD, PORT, USER, ice_server, relay_only, turn_service
from webrtc_stack import sim
from webrtc_stack.base import CandidateType, Datagram, Transmit
from webrtc_stack.cli.turn.streams import listen_stream

LATENCY = sim.LinkConfig(latency=0.01)


def networks(net: sim.Network) -> tuple[sim.Host, sim.Host, sim.Host]:
    """Two hosts that do not reach each other, and a server that both reach."""
    left, right, server = net.host("10.1.0.1"), net.host("10.2.0.1"), net.host("203.0.113.10")
    net.link(left, right, up=False)
    return left, right, server


def kinds(pc: rtc.PeerConnection) -> tuple[str, str]:
    pair = pc.snapshot().ice.selected_pair
    assert pair is not None
    return pair.local.type, pair.remote.type


@pytest.mark.parametrize("relaying", ["left", "both"])
def test_hosts_that_cannot_reach_each_other_meet_through_a_relay(relaying: str) -> None:
    async def main(net: sim.Network) -> None:
        _, _, server = networks(net)
        service = turn_service(server)
        config = rtc.ClientConfig(ice_servers=[ice_server(server)])
        answerer = config if relaying == "both" else rtc.ClientConfig()
        async with two_peers(net, config=config, answerer_config=answerer) as (left, right):
            ours, theirs = await connected_channels(left, right)
            assert net.now < 1.0
            assert "relay" in kinds(left)
            for number in range(50):
                await ours.send(bytes([number]) * 1000 * number)
                await theirs.send(f"back {number}")
            for number in range(50):
                assert await theirs.receive() == bytes([number]) * 1000 * number
                assert await ours.receive() == f"back {number}"
            assert service.server.allocations
            told = (await left.get_stats()).of_type("local-candidate")
            relays = [(one.relay_protocol, one.url) for one in told if one.candidate_type == "relay"]
            assert relays == [("udp", f"turn:203.0.113.10:{PORT}")]
        await asyncio.sleep(1.0)
        assert not service.server.allocations, "closing gives them back"

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_relay_only_announces_and_uses_nothing_else() -> None:
    async def main(net: sim.Network) -> None:
        net.host("10.1.0.1"), net.host("10.2.0.1")
        server = net.host("203.0.113.10")
        turn_service(server)
        async with two_peers(net, config=relay_only(ice_server(server))) as (left, right):
            ours, theirs = await connected_channels(left, right)
            await ours.send("through two relays")
            assert await theirs.receive() == "through two relays"
            for pc in (left, right):
                assert kinds(pc) == ("relay", "relay")
                snapshot = pc.snapshot().ice
                assert {one.type for one in snapshot.local_candidates} == {CandidateType.RELAY}
                assert pc.local_description is not None
                assert "10.1.0.1" not in pc.local_description.sdp
        direct = [sent for sent in net.log if {sent.source.host, sent.destination.host} == {"10.1.0.1", "10.2.0.1"}]
        assert direct == []

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_a_direct_path_is_taken_where_there_is_one() -> None:
    async def main(net: sim.Network) -> None:
        net.host("10.1.0.1"), net.host("10.2.0.1")
        server = net.host("203.0.113.10")
        turn_service(server)
        async with two_peers(net, config=rtc.ClientConfig(ice_servers=[ice_server(server)])) as (left, right):
            await connected_channels(left, right)
            await asyncio.sleep(1.0)
            assert kinds(left) == kinds(right) == ("host", "host")

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_a_dead_server_delays_nothing_but_the_end_of_gathering() -> None:
    async def main(net: sim.Network) -> None:
        _, _, server = networks(net)
        turn_service(server)
        dead = rtc.IceServer("turn:203.0.113.99", username="a", credential="b")
        config = rtc.ClientConfig(ice_servers=[dead, ice_server(server)])
        async with two_peers(net, config=config) as (left, right):
            connecting = asyncio.create_task(connected_channels(left, right))
            await left.connection_state.wait_for(rtc.ConnectionState.CONNECTED)
            assert net.now < 1.0
            await connecting
            await left.wait_gathering_complete(timeout=30)
            assert net.now < 6.0

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_all_servers_are_asked_and_each_gives_a_candidate() -> None:
    async def main(net: sim.Network) -> None:
        net.host("10.1.0.1"), net.host("10.2.0.1")
        servers = [net.host(f"203.0.113.{number}") for number in (10, 11, 12)]
        for server in servers:
            turn_service(server)
        config = rtc.ClientConfig(ice_servers=[ice_server(server) for server in servers])
        async with two_peers(net, config=config) as (left, _):
            left.create_data_channel("x")
            await left.set_local_description()
            await left.wait_gathering_complete(timeout=10)
            relays = [one for one in left.snapshot().ice.local_candidates if one.type == CandidateType.RELAY]
            assert [one.host for one in relays] == ["203.0.113.10", "203.0.113.11", "203.0.113.12"]
            assert [one.priority for one in relays] == sorted((one.priority for one in relays), reverse=True)

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_one_server_for_both_gives_both_kinds_of_candidates() -> None:
    """`stun:` and `turn:` at one port, the usual configuration: the answers come on one path."""

    async def main(net: sim.Network) -> None:
        server = net.host("203.0.113.10")
        left = net.nat("198.51.100.1", "full-cone").host("192.168.1.2")
        turn_service(server)
        ice = [rtc.IceServer("stun:203.0.113.10"), ice_server(server)]
        async with rtc.Client(rtc.ClientConfig(ice_servers=ice), runtime=left) as client:
            pc = client.create_peer_connection()
            pc.create_data_channel("x")
            await pc.set_local_description()
            await pc.wait_gathering_complete(timeout=10)
            assert net.now < 1.0
            kinds = {one.type: one.host for one in pc.snapshot().ice.local_candidates}
            assert kinds[CandidateType.SRFLX] == "198.51.100.1"
            assert kinds[CandidateType.RELAY] == "203.0.113.10"

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_every_transport_to_a_server_gives_a_relay() -> None:
    async def main(net: sim.Network) -> None:
        server, host = net.host("203.0.113.10"), net.host("10.1.0.1")
        service = turn_service(server)
        listen_stream(service, server.local_addresses()[0], PORT)
        listen_stream(service, server.local_addresses()[0], 5349, sim.VirtualCertificate(("203.0.113.10",)))
        urls = ["turn:203.0.113.10", "turn:203.0.113.10?transport=tcp", "turns:203.0.113.10"]
        config = rtc.ClientConfig(ice_servers=[rtc.IceServer(urls, username=USER, credential=PASSWORD)])
        async with rtc.Client(config, runtime=host) as client:
            pc = client.create_peer_connection()
            pc.create_data_channel("x")
            await pc.set_local_description()
            await pc.wait_gathering_complete(timeout=10)
            relays = [one for one in pc.snapshot().ice.local_candidates if one.type == CandidateType.RELAY]
            assert len(relays) == 3
            assert pc.snapshot().time < 1.0

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_where_udp_is_blocked_tcp_connects_and_the_statistics_say_so() -> None:
    async def main(net: sim.Network) -> None:
        net.firewall(udp=False).host("10.1.0.1"), net.host("10.2.0.1")
        passive = rtc.ClientConfig(ice_tcp=rtc.IceTcp.PASSIVE)
        async with two_peers(net, config=rtc.ClientConfig(), answerer_config=passive) as (left, right):
            ours, theirs = await connected_channels(left, right)
            await ours.send("over a stream")
            assert await theirs.receive() == "over a stream"
            for pc, local, remote in ((left, "active", "passive"), (right, "passive", "active")):
                report = await pc.get_stats()
                (transport,) = report.of_type("transport")
                pairs = {one.id: one for one in report.of_type("candidate-pair")}
                pair = pairs[transport.selected_candidate_pair_id or ""]
                ends = report[pair.local_candidate_id], report[pair.remote_candidate_id]
                assert [one.to_json()["tcpType"] for one in ends] == [local, remote]
                assert {one.to_json()["protocol"] for one in ends} == {"tcp"}

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_the_server_that_relays_tells_the_address_outside_too() -> None:
    """A TURN server alone is enough to meet directly, after an ICE restart as well."""

    async def main(net: sim.Network) -> None:
        for number in (1, 2):
            net.nat(f"198.51.100.{number}", "port-restricted").host(f"192.168.{number}.2")
        server = net.host("203.0.113.10")
        turn_service(server)
        async with two_peers(net, config=rtc.ClientConfig(ice_servers=[ice_server(server)])) as (left, right):
            ours, theirs = await connected_channels(left, right)
            for _ in range(2):
                assert "relay" not in kinds(left)
                gathered = [one for one in left.snapshot().ice.local_candidates if one.type == CandidateType.SRFLX]
                assert [one.host for one in gathered] == ["198.51.100.1"]
                told = (await left.get_stats()).of_type("local-candidate")
                urls = {one.url for one in told if one.candidate_type == "srflx"} - {None}  # of before the restart
                assert urls == {f"turn:203.0.113.10:{PORT}"}
                left.restart_ice()
                await Signalling(left, right, delay=0.01, trickle=True).negotiate()
                await asyncio.sleep(2.0)
            await ours.send("still direct")
            assert await theirs.receive() == "still direct"

    sim.run(main, network=sim.Network(1, default_link=LATENCY))


def test_a_relay_costs_no_python_call_a_datagram_and_one_copy() -> None:
    """DTLS and media leave and arrive as ChannelData: what a relay adds is per burst."""

    async def main(net: sim.Network) -> None:
        net.host("10.1.0.1"), net.host("10.2.0.1")
        server = net.host("203.0.113.10")
        turn_service(server)
        async with two_peers(net, config=relay_only(ice_server(server))) as (left, right):
            await connected_channels(left, right)
            await asyncio.sleep(1.0)  # the channel is bound
            transport = left.core.transport
            path, carriers = transport.ice.selected_path, transport.carriers
            assert path is not None

            def there_and_back(count: int) -> tuple[Calls, Calls]:
                packets = [bytes([number % 256]) * 1000 for number in range(count)]
                leaving = count_calls(carriers.wrap, [Transmit(path, packet) for packet in packets], net.now)
                frames = leaving.result
                assert [frame.data[4:] for frame in frames] == packets
                assert {frame.data[:1] for frame in frames} == {b"\x40"}
                arriving = count_calls(carriers.unwrap, [Datagram(*frame) for frame in frames], net.now)
                assert [one.data for one in arriving.result] == packets
                return leaving, arriving

            few, many = there_and_back(4), there_and_back(204)
            for one, other, native in zip(few, many, (3, 6), strict=True):
                assert one.python == other.python
                assert other.native - one.native <= 200 * native

    sim.run(main, network=sim.Network(1, default_link=LATENCY))
