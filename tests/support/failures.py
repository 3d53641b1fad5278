"""Connections that cannot come about, staged one by one on the virtual network, each with its right diagnosis."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import webrtc_stack as rtc
from tests.support.peers import connected_channels
from tests.support.relays import ice_server, relay_only, turn_service
from webrtc_stack import sim
from webrtc_stack.base import SeededEntropy
from webrtc_stack.dtls import SrtpProfile
from webrtc_stack.peer import Explanation, Verdict
from webrtc_stack.sim.tls import VirtualCertificate
from webrtc_stack.turn import PeerPolicy

LONG = 45.0
"""Virtual seconds after which everything that can fail has failed."""
SERVER = "203.0.113.10"
NOBODY = "203.0.113.99"

Stage = Callable[[sim.Network], Coroutine[Any, Any, Explanation]]
STAGES: dict[str, tuple[Verdict, Stage]] = {}


def stage(verdict: Verdict) -> Callable[[Stage], Stage]:
    """Registers a staged connection under its name, with the verdict it must get."""

    def register(function: Stage) -> Stage:
        STAGES[function.__name__] = (verdict, function)
        return function

    return register


def stun(host: str = SERVER) -> rtc.IceServer:
    return rtc.IceServer(f"stun:{host}:3478")


def with_servers(*servers: rtc.IceServer) -> rtc.ClientConfig:
    return rtc.ClientConfig(ice_servers=servers)


@asynccontextmanager
async def peers(
    left: sim.Host, right: sim.Host, config: rtc.ClientConfig | None = None, other: rtc.ClientConfig | None = None
) -> AsyncIterator[tuple[rtc.PeerConnection, rtc.PeerConnection]]:
    async with rtc.Client(config, runtime=left) as ours, rtc.Client(other, runtime=right) as theirs:
        yield ours.create_peer_connection(), theirs.create_peer_connection()


def plain(text: str) -> str:
    return text


def no_candidates(text: str) -> str:
    return re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", text)


async def exchange(
    left: rtc.PeerConnection,
    right: rtc.PeerConnection,
    *,
    offer: Callable[[str], str] = plain,
    answer: Callable[[str], str] = plain,
) -> None:
    """An offer and an answer with all candidates in them, each changed on its way."""
    left.create_data_channel("test")
    for source, target, change in ((left, right, offer), (right, left, answer)):
        await source.set_local_description()
        await source.wait_gathering_complete(timeout=30)
        description = source.local_description
        assert description is not None
        await target.set_remote_description(rtc.SessionDescription(type=description.type, sdp=change(description.sdp)))


async def explained(pc: rtc.PeerConnection, after: float = LONG) -> Explanation:
    await asyncio.sleep(after)
    return pc.explain()


def apart(net: sim.Network) -> tuple[sim.Host, sim.Host, sim.Host]:
    """Two hosts that do not reach each other, and one that both reach."""
    left, right, server = net.host("10.1.0.1"), net.host("10.2.0.1"), net.host(SERVER)
    net.link(left, right, up=False)
    return left, right, server


def behind(net: sim.Network, kind: str) -> tuple[sim.Host, sim.Host, sim.Host]:
    """Two hosts, each behind a NAT of this kind, and a server outside."""
    left = net.nat("198.51.100.1", kind).host("192.168.1.2")
    right = net.nat("198.51.100.2", kind).host("192.168.2.2")
    return left, right, net.host(SERVER)


# --- nothing is wrong -----------------------------------------------------------------------------------------------


@stage(Verdict.CONNECTED)
async def two_hosts_of_one_network_connect(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await connected_channels(left, right)
        return await explained(left, 1.0)


@stage(Verdict.CONNECTED)
async def symmetric_nats_connect_through_a_relay(net: sim.Network) -> Explanation:
    left_host, right_host, server = behind(net, "symmetric")
    turn_service(server)
    async with peers(left_host, right_host, with_servers(ice_server(server)), with_servers(stun())) as (left, right):
        await connected_channels(left, right)
        return await explained(left)


@stage(Verdict.NOT_STARTED)
async def nothing_was_tried(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, _):
        return await explained(left, 1.0)


@stage(Verdict.CONNECTING)
async def it_is_too_early_to_tell(net: sim.Network) -> Explanation:
    left_host, right_host, _ = apart(net)
    async with peers(left_host, right_host) as (left, right):
        await exchange(left, right)
        return await explained(left, 1.0)


@stage(Verdict.PEER_CLOSED)
async def the_peer_says_goodbye(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await connected_channels(left, right)
        await right.close()
        return await explained(left, 3.0)


@stage(Verdict.CLOSED)
async def we_say_goodbye(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await connected_channels(left, right)
        await left.close()
        return left.explain()


# --- signalling -----------------------------------------------------------------------------------------------------


@stage(Verdict.NO_ANSWER)
async def the_answer_never_comes(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, _):
        left.create_data_channel("test")
        await left.set_local_description()
        return await explained(left)


@stage(Verdict.OFFER_NOT_ANSWERED)
async def we_give_no_answer(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        left.create_data_channel("test")
        await left.set_local_description()
        assert left.local_description is not None
        await right.set_remote_description(left.local_description)
        return await explained(right)


@stage(Verdict.NO_REMOTE_CANDIDATES)
async def candidates_are_never_signalled(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await exchange(left, right, offer=no_candidates, answer=no_candidates)
        return await explained(left)


@stage(Verdict.WRONG_ICE_CREDENTIALS)
async def the_answer_has_another_password(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await exchange(left, right, answer=lambda sdp: re.sub(r"(a=ice-pwd:).*\r\n", rf"\1{'x' * 24}\r\n", sdp))
        return await explained(left)


@stage(Verdict.WRONG_ICE_CREDENTIALS)
async def the_answer_is_that_of_an_earlier_attempt(net: sim.Network) -> Explanation:
    left_host, right_host = net.host("10.0.0.1"), net.host("10.0.0.2")
    async with rtc.Client(runtime=left_host) as ours, rtc.Client(runtime=right_host) as theirs:
        left = ours.create_peer_connection()
        left.create_data_channel("test")
        await left.set_local_description()
        await left.wait_gathering_complete(timeout=30)
        assert left.local_description is not None
        answers = []
        other = rtc.ClientConfig(entropy=SeededEntropy("a later attempt"))
        for answerer in (theirs.create_peer_connection(), theirs.create_peer_connection(other)):
            await answerer.set_remote_description(left.local_description)
            await answerer.set_local_description()
            await answerer.wait_gathering_complete(timeout=30)
            assert answerer.local_description is not None
            answers.append(answerer)
        stale = answers[0].local_description
        assert stale is not None
        await answers[0].close()
        await left.set_remote_description(stale)
        return await explained(left)


# --- addresses ------------------------------------------------------------------------------------------------------


@stage(Verdict.NO_LOCAL_ADDRESS)
async def there_is_no_address_to_connect_from(net: sim.Network) -> Explanation:
    nowhere = rtc.ClientConfig(interfaces=("none",))
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2"), nowhere) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.LOCAL_ADDRESS_LOST)
async def the_interface_vanishes(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await connected_channels(left, right)
        await asyncio.sleep(5.0)
        net.hosts[0].remove_address("10.0.0.1")
        return await explained(left)


@stage(Verdict.MDNS_UNRESOLVED)
async def the_peer_hides_behind_names(net: sim.Network) -> Explanation:
    def hide(sdp: str) -> str:
        return re.sub(r"(a=candidate:\S+ \d+ udp \d+) \S+", r"\1 4e1f8a52-7c1e-4f6e-9a53-0e2b9a1c77aa.local", sdp)

    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await exchange(left, right, offer=hide, answer=hide)
        return await explained(left)


@stage(Verdict.ADDRESS_FAMILY_MISMATCH)
async def one_has_ipv4_and_the_other_ipv6(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("fd00::2")) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.REMOTE_CANDIDATES_UNUSABLE)
async def the_peer_has_tcp_only(net: sim.Network) -> Explanation:
    def tcp(sdp: str) -> str:
        return re.sub(r"(a=candidate:\S+ \d+) udp", r"\1 tcp", sdp)

    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await exchange(left, right, offer=no_candidates, answer=tcp)
        return await explained(left)


# --- the way --------------------------------------------------------------------------------------------------------


@stage(Verdict.NO_SERVERS)
async def two_networks_and_no_server(net: sim.Network) -> Explanation:
    left_host, right_host, _ = apart(net)
    async with peers(left_host, right_host) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.UDP_BLOCKED)
async def udp_is_blocked_and_there_is_no_turn(net: sim.Network) -> Explanation:
    left_host = net.nat("198.51.100.1", "udp-blocked").host("192.168.1.2")
    server, second, right_host = net.host(SERVER), net.host("203.0.113.11"), net.host("203.0.113.50")
    turn_service(server), turn_service(second)
    config = with_servers(stun(), stun("203.0.113.11"))
    async with peers(left_host, right_host, config, config) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.NO_DIRECT_PATH)
async def both_nats_are_symmetric_and_there_is_no_turn(net: sim.Network) -> Explanation:
    left_host, right_host, server = behind(net, "symmetric")
    turn_service(server)
    async with peers(left_host, right_host, with_servers(stun()), with_servers(stun())) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.ONE_WAY)
async def nothing_of_ours_arrives(net: sim.Network) -> Explanation:
    left_host, right_host = net.host("10.0.0.1"), net.host("10.0.0.2")
    net.link_one_way(left_host, right_host, up=False)
    async with peers(left_host, right_host) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.STUN_SERVER_SILENT)
async def the_stun_server_is_silent(net: sim.Network) -> Explanation:
    left_host, right_host, server = behind(net, "port-restricted")
    turn_service(server)
    async with peers(left_host, right_host, with_servers(stun(NOBODY)), with_servers(stun())) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.STUN_NAME_UNRESOLVED)
async def the_stun_name_is_not_resolved(net: sim.Network) -> Explanation:
    left_host, right_host, server = behind(net, "port-restricted")
    turn_service(server)
    config = with_servers(stun("stun.nowhere.example"))
    async with peers(left_host, right_host, config, with_servers(stun())) as (left, right):
        await exchange(left, right)
        return await explained(left)


# --- relays ---------------------------------------------------------------------------------------------------------


@stage(Verdict.TURN_CREDENTIALS_REFUSED)
async def the_turn_password_is_wrong(net: sim.Network) -> Explanation:
    left_host, right_host, server = apart(net)
    turn_service(server)
    config = with_servers(ice_server(server, password="wrong"))
    async with peers(left_host, right_host, config) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.TURN_QUOTA_REACHED)
async def the_turn_quota_is_reached(net: sim.Network) -> Explanation:
    left_host, right_host, server = apart(net)
    turn_service(server, max_allocations_per_user=0)
    async with peers(left_host, right_host, with_servers(ice_server(server))) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.TURN_PEER_FORBIDDEN)
async def the_relay_may_not_reach_the_peer(net: sim.Network) -> Explanation:
    left_host, right_host, server = apart(net)
    turn_service(server, policy=PeerPolicy.of())
    async with peers(left_host, right_host, with_servers(ice_server(server))) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.TURN_CERTIFICATE_INVALID)
async def the_turn_certificate_is_bad(net: sim.Network) -> Explanation:
    left_host, right_host, server = apart(net)
    certificate = VirtualCertificate(names=("turn.example.org",))
    server.listen(server.local_addresses()[0], port=3478, tls=certificate, on_accept=lambda stream: None)
    config = with_servers(ice_server(server, "turns", "?transport=tcp"))
    async with peers(left_host, right_host, config) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.TURN_CONNECTION_REFUSED)
async def nothing_listens_at_the_turn_port(net: sim.Network) -> Explanation:
    left_host, right_host, server = apart(net)
    config = with_servers(ice_server(server, "turn", "?transport=tcp"))
    async with peers(left_host, right_host, config) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.TURN_NAME_UNRESOLVED)
async def the_turn_name_is_not_resolved(net: sim.Network) -> Explanation:
    left_host, right_host, _ = apart(net)
    async with peers(left_host, right_host, with_servers(ice_server("turn.nowhere.example"))) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.TURN_SERVER_SILENT)
async def the_turn_server_is_silent(net: sim.Network) -> Explanation:
    left_host, right_host, _ = apart(net)
    async with peers(left_host, right_host, with_servers(ice_server(NOBODY))) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.RELAY_ONLY_WITHOUT_RELAY)
async def only_relays_are_allowed_and_there_is_none(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2"), relay_only(ice_server(NOBODY))) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.CHECKS_UNANSWERED)
async def the_peer_is_gone_before_it_was_reached(net: sim.Network) -> Explanation:
    left_host, right_host, server = apart(net)
    turn_service(server)
    async with peers(left_host, right_host, with_servers(ice_server(server))) as (left, right):
        net.link(server, right_host, up=False)
        await exchange(left, right)
        return await explained(left)


# --- behind ICE -----------------------------------------------------------------------------------------------------


@stage(Verdict.DTLS_FINGERPRINT_MISMATCH)
async def the_certificate_is_not_the_announced_one(net: sim.Network) -> Explanation:
    def forge(sdp: str) -> str:
        return re.sub(r"(a=fingerprint:sha-256 ).*\r\n", rf"\1{':'.join(['AB'] * 32)}\r\n", sdp)

    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await exchange(left, right, answer=forge)
        return await explained(left)


@stage(Verdict.DTLS_REFUSED)
async def the_peer_refuses_our_certificate(net: sim.Network) -> Explanation:
    def forge(sdp: str) -> str:
        return re.sub(r"(a=fingerprint:sha-256 ).*\r\n", rf"\1{':'.join(['AB'] * 32)}\r\n", sdp)

    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await exchange(left, right, offer=forge)
        return await explained(left)


@stage(Verdict.DTLS_UNANSWERED)
async def dtls_is_too_large_for_the_way(net: sim.Network) -> Explanation:
    left_host, right_host = net.host("10.0.0.1"), net.host("10.0.0.2")
    net.link(left_host, right_host, mtu=140)
    async with peers(left_host, right_host) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.DTLS_INTERRUPTED)
async def the_large_flights_of_dtls_are_lost(net: sim.Network) -> Explanation:
    left_host, right_host = net.host("10.0.0.1"), net.host("10.0.0.2")
    net.link(left_host, right_host, mtu=170)
    async with peers(left_host, right_host) as (left, right):
        await exchange(left, right)
        return await explained(left)


@stage(Verdict.PEER_SILENT)
async def the_peer_goes_silent(net: sim.Network) -> Explanation:
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2")) as (left, right):
        await connected_channels(left, right)
        await asyncio.sleep(5.0)
        net.link(net.hosts[0], net.hosts[1], up=False)
        return await explained(left)


@stage(Verdict.DATA_CHANNELS_UNANSWERED)
async def the_peer_knows_nothing_of_data(net: sim.Network) -> Explanation:
    left_host, right_host = net.host("10.0.0.1"), net.host("10.0.0.2")
    async with peers(left_host, right_host) as (left, right):
        right.core.transport.enable_data = lambda now: None  # type: ignore[method-assign]
        await exchange(left, right)
        return await explained(left, 20.0)


@stage(Verdict.MEDIA_UNPROTECTED)
async def no_srtp_profile_is_in_common(net: sim.Network) -> Explanation:
    ours, theirs = (
        rtc.ClientConfig(srtp_profiles=(profile,))
        for profile in (SrtpProfile.AEAD_AES_128_GCM, SrtpProfile.AES128_CM_SHA1_80)
    )
    async with peers(net.host("10.0.0.1"), net.host("10.0.0.2"), ours, theirs) as (left, right):
        left.add_transceiver(rtc.MediaKind.AUDIO)
        await exchange(left, right)
        return await explained(left, 2.0)
