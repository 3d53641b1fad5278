"""Five hundred connections on real sockets, half of them relayed, closed at any moment: all they took is given back."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import webrtc_stack as rtc
from webrtc_stack.base import Address
from webrtc_stack.cli.turn.service import TurnService
from webrtc_stack.cli.turn.streams import listen_stream
from webrtc_stack.io import AsyncioRuntime, LocalAddress
from webrtc_stack.turn import PeerPolicy, TurnServerConfig

CONFIG = rtc.ClientConfig(include_loopback=True, ice_servers=[rtc.IceServer("stun:localhost:9")])
"""A name to be resolved and a server that never answers, so that closing meets both."""
MOMENTS = (0.0, 0.0005, 0.002, 0.004, 0.006, 0.01, None)
"""Seconds into the connect at which everything is closed; None: once a message has arrived."""
CYCLES = 250
"""Of each kind."""
WARM = 100
"""Cycles after which allocators have what they need."""
GROWTH = 3 << 20
"""Bytes that the process may grow by in the rest, 300 connections: an allocator's page here and there, and the paths
that the TURN server keeps in mind. Ten kilobytes kept by each connection would be as much."""
HOST = "127.0.0.1"
PORT = 34780


def descriptors() -> int:
    fds = Path("/proc/self/fd")
    if not fds.is_dir():
        pytest.skip("this system does not list a process's descriptors in /proc")
    return sum(1 for _ in fds.iterdir())


async def connect(left: rtc.PeerConnection, right: rtc.PeerConnection) -> None:
    channel = left.create_data_channel("x")
    for source, target in ((left, right), (right, left)):
        await source.set_local_description()
        await asyncio.sleep(0)
        assert source.local_description is not None
        await target.set_remote_description(source.local_description)

    async def trickle(source: rtc.PeerConnection, target: rtc.PeerConnection) -> None:
        async for candidate in source.ice_candidates():
            await target.add_ice_candidate(candidate)

    async with asyncio.TaskGroup() as group:
        pumps = [group.create_task(trickle(left, right)), group.create_task(trickle(right, left))]
        await channel.send("hello")
        async for incoming in right.data_channels():
            assert await incoming.receive() == "hello"
            break
        for pump in pumps:
            pump.cancel()


def resident_bytes() -> int:
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


@asynccontextmanager
async def turn_server() -> AsyncIterator[TurnService]:
    """Over UDP and TCP on loopback, where nothing else would allow relaying to loopback."""
    runtime = AsyncioRuntime()
    config = TurnServerConfig(
        users={"alice": "secret"},
        policy=PeerPolicy.of(private=True, loopback=True),
        own_addresses=(Address(HOST, PORT),),
        max_allocations_per_user=1000,
    )
    service = TurnService(config, runtime, relay_hosts={4: HOST})
    service.listen(LocalAddress("lo", HOST), PORT)
    listener, _ = listen_stream(service, LocalAddress("lo", HOST), PORT)
    try:
        yield service
    finally:
        listener.close()
        service.close()
        await runtime.aclose()


def relayed(transport: str) -> rtc.ClientConfig:
    server = rtc.IceServer(f"turn:{HOST}:{PORT}?transport={transport}", username="alice", credential="secret")
    return rtc.ClientConfig(
        include_loopback=True, use_ipv6=False, ice_servers=[server], ice_transport_policy=rtc.IceTransportPolicy.RELAY
    )


async def cycle(moment: float | None, config: rtc.ClientConfig = CONFIG) -> None:
    async with rtc.Client(config) as client:
        left, right = client.create_peer_connection(), client.create_peer_connection()
        task = asyncio.create_task(connect(left, right))
        done, _ = await asyncio.wait([task], timeout=10 if moment is None else moment)
        assert done or moment is not None, "no message arrived"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def counts(threads: int) -> tuple[int, int, int]:
    """Tasks, descriptors, threads; a resolver's thread may need a moment to end, so this waits for it (bounded)."""
    for _ in range(300):
        if threading.active_count() <= threads:
            break
        await asyncio.sleep(0.1)
    return len(asyncio.all_tasks()), descriptors(), threading.active_count()


async def both_kinds(number: int) -> None:
    moment = MOMENTS[number % len(MOMENTS)]
    await cycle(moment)
    await cycle(moment if moment is None else 2 * moment, relayed("tcp" if number % 4 == 3 else "udp"))


def test_five_hundred_cycles_leave_nothing_behind() -> None:
    async def main() -> None:
        async with turn_server() as service:
            threads = threading.active_count()
            for config in (CONFIG, relayed("udp"), relayed("tcp")):
                await cycle(None, config)  # what is loaded once is loaded now
            before = await counts(threads)
            for number in range(CYCLES):
                if number == WARM:
                    early = resident_bytes()
                await both_kinds(number)
            assert await counts(threads) == before
            assert resident_bytes() - early < GROWTH
            for _ in range(50):  # those cut off before their allocation was answered are given back a moment later
                if not service.server.allocations:
                    break
                await asyncio.sleep(0.1)
            assert not service.server.allocations

    asyncio.run(main())
