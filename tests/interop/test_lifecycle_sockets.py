"""Two hundred connections on real sockets, closed at any moment, leave tasks, descriptors and threads as they were."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import webrtc_stack as rtc

CONFIG = rtc.ClientConfig(include_loopback=True, ice_servers=[rtc.IceServer("stun:localhost:9")])
"""A name to be resolved and a server that never answers, so that closing meets both."""
MOMENTS = (0.0, 0.0005, 0.002, 0.004, 0.006, 0.01, None)
"""Seconds into the connect at which everything is closed; None: once a message has arrived."""
CYCLES = 200


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


async def cycle(moment: float | None) -> None:
    async with rtc.Client(CONFIG) as client:
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


def test_two_hundred_cycles_leave_nothing_behind() -> None:
    async def main() -> None:
        threads = threading.active_count()
        await cycle(None)  # what is loaded once is loaded now
        before = await counts(threads)
        for number in range(CYCLES):
            await cycle(MOMENTS[number % len(MOMENTS)])
        assert await counts(threads) == before

    asyncio.run(main())
