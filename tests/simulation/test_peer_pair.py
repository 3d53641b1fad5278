"""Two whole peers on the virtual network: driver, ICE, DTLS, SCTP and data channels, without a socket."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
from pathlib import Path

import pytest

import webrtc_stack as rtc
from tests.support import replay
from tests.support.peers import Signalling, connected_channels, two_peers
from tests.support.programs import find_program
from webrtc_stack import sim
from webrtc_stack.trace import JsonLinesSink, KeyLog, MemorySink, PacketLog, Trace


async def exchange(net: sim.Network, *, trickle: bool = True, messages: int = 20) -> str:
    """Connects two peers, sends both ways, closes; the digest of everything on the wire."""
    async with two_peers(net) as (left, right):
        ours, theirs = await connected_channels(left, right, trickle=trickle)
        for number in range(messages):
            await ours.send(f"to the right {number}")
            await theirs.send(bytes([number]) * 500 * number)
        for number in range(messages):
            assert await theirs.receive() == f"to the right {number}"
            assert await ours.receive() == bytes([number]) * 500 * number
    return net.digest()


def run_exchange(seed: int) -> str:
    """One run by seed, for replay in another process."""
    net = sim.Network(seed, default_link=sim.LinkConfig(latency=0.02, jitter=0.005, loss=0.02, reorder=0.02))
    return sim.run(exchange, network=net)


IDENTITY = ("ice-ufrag", "ice-pwd", "fingerprint")


@pytest.mark.parametrize("trickle", [True, False], ids=["trickle", "vanilla"])
def test_two_peers_connect_and_exchange_messages(trickle: bool) -> None:
    async def main(net: sim.Network) -> None:
        await exchange(net, trickle=trickle)

    sim.run(main, seed=1)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert run_exchange(5) == run_exchange(5) != run_exchange(6)


def test_connections_of_one_host_share_no_keys_and_no_credentials() -> None:
    def identities(seed: int) -> list[tuple[str, ...]]:
        async def main(net: sim.Network) -> list[tuple[str, ...]]:
            host = net.host("10.0.0.1")
            async with rtc.Client(runtime=host) as one, rtc.Client(runtime=host) as other:
                made = [client.create_peer_connection() for client in (one, one, other)]
                for pc in made:
                    pc.create_data_channel("x")
                    await pc.set_local_description()
                return [identity(pc) for pc in made]

        return sim.run(main, seed=seed)

    def identity(pc: rtc.PeerConnection) -> tuple[str, ...]:
        assert pc.local_description is not None
        lines = pc.local_description.sdp.splitlines()
        return tuple(next(one for one in lines if one.startswith(f"a={name}:")) for name in IDENTITY)

    first = identities(1)
    for values in zip(*first, strict=True):
        assert len(set(values)) == 3
    assert identities(1) == first
    assert identities(2) != first


def test_ipv6_only_hosts_connect() -> None:
    async def main(net: sim.Network) -> None:
        net.host("fd00::1")
        net.host("fd00::2")
        await exchange(net)

    sim.run(main)


def test_a_dead_interface_does_not_delay_a_path_that_works() -> None:
    async def main(net: sim.Network) -> float:
        left = net.host("10.0.0.1", "10.9.0.1")
        net.host("10.0.0.2")
        left.down.add("10.9.0.1")
        async with two_peers(net) as (offerer, answerer):
            await connected_channels(offerer, answerer, delay=0)
            return net.now

    assert sim.run(main) < 0.5


def test_a_connect_takes_the_stated_round_trips() -> None:
    """Host candidates, trickle, signalling at one network latency, 50 ms a round trip.

    Half a round trip for the offer; one for the answerer's check, while the answer travels; two for DTLS; one and a
    half for SCTP, whose COOKIE ECHO carries the opening of the channel.
    """

    async def main(net: sim.Network) -> float:
        net.default_link = sim.LinkConfig(latency=0.025)
        async with two_peers(net) as (offerer, answerer):
            await connected_channels(offerer, answerer, delay=0.025)
            return net.now / 0.05

    assert round(sim.run(main), 3) == 5.0


def test_data_channels_survive_a_bad_network() -> None:
    async def main(net: sim.Network) -> None:
        net.default_link = sim.LinkConfig(latency=0.03, jitter=0.02, loss=0.1, reorder=0.05, duplicate=0.05)
        await exchange(net, messages=40)

    for seed in range(5):
        sim.run(main, seed=seed)


def test_ice_restart_carries_data_on() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (offerer, answerer):
            ours, theirs = await connected_channels(offerer, answerer)
            needed = aiter(offerer.negotiation_needed())
            await anext(needed)  # for the channel
            before = offerer.local_description
            offerer.restart_ice()
            await anext(needed)
            await Signalling(offerer, answerer, delay=0.01, trickle=True).negotiate()
            assert before is not None
            assert offerer.local_description is not None
            ufrag = offerer.local_description.sdp.partition("a=ice-ufrag:")[2].split()[0]
            assert f"a=ice-ufrag:{ufrag}\r\n" not in before.sdp
            await ours.send("still here")
            assert await theirs.receive() == "still here"
            await offerer.ice_connection_state.wait_for(lambda state: state in ("connected", "completed"), timeout=10)

    sim.run(main)


def test_an_offered_restart_that_is_taken_back_leaves_everything_as_it_was() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (offerer, answerer):
            ours, theirs = await connected_channels(offerer, answerer)
            before = offerer.local_description
            offerer.restart_ice()
            await offerer.set_local_description()
            assert offerer.local_description != before
            await asyncio.sleep(0.1)
            await offerer.set_local_description(rtc.SessionDescription(type=rtc.SdpType.ROLLBACK))
            assert offerer.local_description == before
            await ours.send("still here")
            assert await theirs.receive() == "still here"
            await asyncio.sleep(40)
            assert offerer.connection_state.value == answerer.connection_state.value == "connected"

    sim.run(main)


def test_offers_that_cross_are_settled_by_taking_one_back() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (polite, other):
            polite.create_data_channel("p")
            other.create_data_channel("o")
            await polite.set_local_description()
            await other.set_local_description()
            assert other.local_description is not None
            await polite.set_remote_description(other.local_description)
            assert polite.signaling_state.value == "have-remote-offer"
            await polite.set_local_description()
            await polite.wait_gathering_complete(timeout=5)
            await other.wait_gathering_complete(timeout=5)
            assert polite.local_description is not None
            await other.set_remote_description(polite.local_description)
            async for candidate in other.ice_candidates():
                await polite.add_ice_candidate(candidate)
            labels = {(await anext(aiter(pc.data_channels()))).label for pc in (polite, other)}
            assert labels == {"p", "o"}

    sim.run(main)


def test_a_path_that_dies_is_noticed_and_heals() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (offerer, answerer):
            ours, theirs = await connected_channels(offerer, answerer)
            died = net.now
            net.link(net.hosts[0], net.hosts[1], up=False)
            await offerer.connection_state.wait_for("disconnected", timeout=7)
            await ours.send("into the dark")
            net.link(net.hosts[0], net.hosts[1], up=True)
            await offerer.connection_state.wait_for("connected", timeout=20)
            assert await theirs.receive() == "into the dark"
            net.link(net.hosts[0], net.hosts[1], up=False)
            died = net.now
            await offerer.connection_state.wait_for("failed", timeout=30)
            assert net.now - died <= 30

    sim.run(main)


def test_closing_tells_the_peer_at_once() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (offerer, answerer):
            ours, theirs = await connected_channels(offerer, answerer)
            start = net.now
            await offerer.close()
            assert net.now - start < 0.2
            assert [message async for message in theirs] == []
            await answerer.connection_state.wait_for("closed", timeout=1)
            assert ours.error is None and theirs.error is None

    sim.run(main)


def test_a_wrong_fingerprint_fails_with_words() -> None:
    async def main(net: sim.Network) -> None:
        async with two_peers(net) as (offerer, answerer):
            offerer.create_data_channel("x")
            await offerer.set_local_description()
            await offerer.wait_gathering_complete(timeout=5)
            assert offerer.local_description is not None
            line = next(line for line in offerer.local_description.sdp.split("\r\n") if "fingerprint" in line)
            forged = offerer.local_description.sdp.replace(line, line[:-2] + ("00" if line[-2:] != "00" else "11"))
            await answerer.set_remote_description(rtc.SessionDescription(type=rtc.SdpType.OFFER, sdp=forged))
            await answerer.set_local_description()
            await answerer.wait_gathering_complete(timeout=5)
            assert answerer.local_description is not None
            await offerer.set_remote_description(answerer.local_description)
            with pytest.raises(rtc.ConnectionLost, match="fingerprint"):
                await answerer.connection_state.wait_for("connected", timeout=10)
            assert answerer.connection_state.value == "failed"
            await offerer.connection_state.wait_for("failed", timeout=10)

    sim.run(main)


def test_trace_keys_and_packets_are_written_from_every_room(tmp_path: Path) -> None:
    events, lines = MemorySink(), io.StringIO()
    capture = io.BytesIO()
    packet_log = PacketLog(capture)
    keys = io.StringIO()
    config = rtc.ClientConfig(trace=Trace(events), key_log=KeyLog(keys, packet_log=packet_log), packet_log=packet_log)

    async def main(net: sim.Network) -> None:
        async with two_peers(net, config=config, answerer_config=rtc.ClientConfig()) as (offerer, answerer):
            await connected_channels(offerer, answerer)

    sim.run(main)
    sink = JsonLinesSink(lines)
    for event in events.events:
        sink.record(event)
    rooms = {json.loads(line)["room"] for line in lines.getvalue().splitlines()}
    assert {"peer", "ice", "dtls", "sctp", "datachannel"} <= rooms
    assert {event.source for event in events.events} == {"pc1"}
    assert keys.getvalue().startswith("CLIENT_RANDOM ")
    tshark = find_program("tshark")
    path = tmp_path / "capture.pcapng"
    path.write_bytes(capture.getvalue())
    shown = subprocess.run(
        [tshark, "-r", path, "-T", "fields", "-e", "_ws.col.Protocol", "-e", "_ws.col.Info"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for word in ("STUN", "DTLS", "SCTP", "DATA_CHANNEL_OPEN", "INIT"):
        assert word in shown, shown


def test_a_run_replays_in_another_process() -> None:
    replay.assert_replays("tests.simulation.test_peer_pair:run_exchange")
