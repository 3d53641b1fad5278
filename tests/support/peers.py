"""Two client connections on a virtual network, and the signalling between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import webrtc_stack as rtc
from webrtc_stack import sim


class Signalling:
    """Carries descriptions and candidates both ways, `delay` virtual seconds each."""

    def __init__(self, offerer: rtc.PeerConnection, answerer: rtc.PeerConnection, *, delay: float, trickle: bool):
        self.offerer = offerer
        self.answerer = answerer
        self.delay = delay
        self.trickle = trickle

    async def negotiate(self) -> None:
        """One offer and its answer; candidates go on trickling until both sides have no more."""
        async with asyncio.TaskGroup() as group:
            await self.offerer.set_local_description()
            await self._send(self.offerer, self.answerer, group)
            await self.answerer.set_local_description()
            await self._send(self.answerer, self.offerer, group)

    async def _send(self, source: rtc.PeerConnection, target: rtc.PeerConnection, group: asyncio.TaskGroup) -> None:
        if not self.trickle:
            await source.wait_gathering_complete(timeout=10)
        assert source.local_description is not None
        description = rtc.SessionDescription.from_json(source.local_description.to_json())
        await asyncio.sleep(self.delay)
        await target.set_remote_description(description)
        if self.trickle:
            group.create_task(self._pump(source, target))

    async def _pump(self, source: rtc.PeerConnection, target: rtc.PeerConnection) -> None:
        async for candidate in source.ice_candidates():
            await asyncio.sleep(self.delay)
            await target.add_ice_candidate(rtc.IceCandidate.from_json(candidate.to_json()))
        await target.add_ice_candidate(None)


@asynccontextmanager
async def two_peers(
    net: sim.Network,
    *,
    config: rtc.ClientConfig | None = None,
    answerer_config: rtc.ClientConfig | None = None,
    engine: rtc.MediaEngine | None = None,
) -> AsyncIterator[tuple[rtc.PeerConnection, rtc.PeerConnection]]:
    """Two connections on two hosts of `net` (made here unless there are some), with one media engine if any."""
    while len(net.hosts) < 2:
        net.host(f"10.0.0.{len(net.hosts) + 1}")
    async with (
        rtc.Client(config, runtime=net.hosts[0], engine=engine) as left,
        rtc.Client(answerer_config or config, runtime=net.hosts[1], engine=engine) as right,
    ):
        yield left.create_peer_connection(), right.create_peer_connection()


async def connected_channels(
    offerer: rtc.PeerConnection,
    answerer: rtc.PeerConnection,
    *,
    delay: float = 0.01,
    trickle: bool = True,
    **options: object,
) -> tuple[rtc.DataChannel, rtc.DataChannel]:
    """Connects the two and returns both ends of one channel, open."""
    ours = offerer.create_data_channel("test", **options)  # type: ignore[arg-type]
    await Signalling(offerer, answerer, delay=delay, trickle=trickle).negotiate()
    theirs = await anext(aiter(answerer.data_channels()))
    await ours.opened(timeout=30)
    await theirs.opened(timeout=30)
    return ours, theirs
