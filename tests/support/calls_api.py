"""A call between two client connections on the virtual network, with an engine of fake media."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import webrtc_stack as rtc
from tests.support.fake_media import Background, FakeEngine
from tests.support.peers import Signalling, two_peers
from webrtc_stack import sim


@dataclass
class Call:
    net: sim.Network
    left: rtc.PeerConnection
    right: rtc.PeerConnection
    engine: FakeEngine
    background: Background

    async def negotiate(self, offerer: rtc.PeerConnection | None = None) -> None:
        """One offer and answer, by the left side unless told otherwise; the first one also connects."""
        offerer = offerer or self.left
        answerer = self.right if offerer is self.left else self.left
        first = offerer.remote_description is None
        await Signalling(offerer, answerer, delay=0.01, trickle=first).negotiate()
        for pc in (self.left, self.right):
            await pc.connection_state.wait_for("connected", timeout=20)

    async def track_from(self, pc: rtc.PeerConnection, kind: str) -> rtc.RemoteTrack:
        """The first track of that kind that the peer of `pc` has added."""
        async with asyncio.timeout(10):
            async for event in pc.track_events():
                if isinstance(event, rtc.TrackAdded) and event.track.kind == kind:
                    return event.track
        raise AssertionError("the events ended without a track")


@asynccontextmanager
async def a_call(net: sim.Network, *, engine: FakeEngine | None = None, **options: Any) -> AsyncIterator[Call]:
    """Two connections that are not negotiated yet; afterwards no codec is left open and no task runs."""
    engine = engine or FakeEngine()
    if not options.pop("ideal", False):
        net.default_link = sim.LinkConfig(latency=0.01)
    async with Background() as background, two_peers(net, engine=engine, **options) as (left, right):
        yield Call(net, left, right, engine, background)
    assert engine.open_codecs == 0, "a codec was left open"
    assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()
