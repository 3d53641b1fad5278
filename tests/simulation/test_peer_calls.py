"""Audio and video through whole peers on a virtual network: `PeerCore`'s commands and events, frames end to end.

What the client API makes of it is in tests/api; what single streams do, in test_media_*.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

import webrtc_stack as rtc
from tests.support.peers import Signalling, two_peers
from webrtc_stack import sim
from webrtc_stack.dtls import SrtpProfile
from webrtc_stack.errors import NegotiationError
from webrtc_stack.peer import (
    MediaKind,
    TrackAdded,
    TrackRemoved,
    TransceiverChanged,
    TransceiverHandle,
    TransceiverRemoved,
)
from webrtc_stack.peer.media import FramesReceived, OutgoingFrame
from webrtc_stack.peer.negotiation import capabilities
from webrtc_stack.sdp import Direction

FRAME_BYTES = 3000


class Call:
    """Two connected peers; `events` are those of each, in order."""

    def __init__(self, net: sim.Network, a: rtc.PeerConnection, b: rtc.PeerConnection) -> None:
        self.net, self.a, self.b = net, a, b
        self.events: dict[rtc.PeerConnection, list[Any]] = {a: [], b: []}
        for pc in (a, b):
            self._tap(pc)

    def _tap(self, pc: rtc.PeerConnection) -> None:
        hand_up = pc._driver._on_events

        def tapped(events: list[Any]) -> None:
            self.events[pc] += events
            hand_up(events)

        pc._driver._on_events = tapped

    def of(self, pc: rtc.PeerConnection, kind: type) -> list[Any]:
        return [event for event in self.events[pc] if type(event) is kind]

    def frames(self, pc: rtc.PeerConnection, handle: int | None = None) -> list[int]:
        """The numbers of the frames that came up, by the byte that `send` has put in."""
        return [
            frame.data[-1]
            for event in self.of(pc, FramesReceived)
            if handle is None or event.handle == handle
            for frame in event.frames
        ]

    async def negotiate(self, offerer: rtc.PeerConnection | None = None) -> None:
        offerer = offerer or self.a
        answerer = self.b if offerer is self.a else self.a
        await Signalling(offerer, answerer, delay=0.01, trickle=True).negotiate()

    async def connect(self) -> None:
        await self.negotiate()
        for pc in (self.a, self.b):
            await pc.connection_state.wait_for("connected", timeout=10)

    async def send(self, pc: rtc.PeerConnection, handle: TransceiverHandle, numbers: range) -> list[bool]:
        """One VP8 frame each thirtieth of a second, every tenth a key frame."""
        taken = []
        for number in numbers:
            key = number % 10 == 0
            head = bytes([0x10 if key else 0x11, 0, 0]) + (b"\x9d\x01\x2a\xa0\x00\x78\x00" if key else b"")
            data = head + bytes([number]) * FRAME_BYTES
            frame = OutgoingFrame(data=data, media_time=number / 30, keyframe=key)
            taken.append(pc.core.send_frame(handle, frame, pc.runtime.time()))
            pc.wake()
            await asyncio.sleep(1 / 30)
        return taken


@asynccontextmanager
async def call(net: sim.Network, **link: Any) -> AsyncIterator[Call]:
    net.default_link = sim.LinkConfig(latency=0.02, **link)
    async with two_peers(net) as (a, b):
        yield Call(net, a, b)


def run(main: Callable[[sim.Network], Coroutine[Any, Any, None]], seed: int = 1) -> None:
    sim.run(main, seed=seed, deadline=300)


def test_a_call_without_data_channels_connects_carries_frames_and_says_goodbye() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net) as one:
            video = one.a.core.add_track(MediaKind.VIDEO, 0.0, track_id="camera", stream_ids=("s",))
            await one.connect()
            (added,) = one.of(one.b, TrackAdded)
            assert (added.track_id, added.stream_ids) == ("camera", ("s",))
            assert all(await one.send(one.a, video, range(30)))
            await asyncio.sleep(0.2)
            assert one.frames(one.b) == list(range(30))
            assert one.b.snapshot().channels == ()
            before = one.a.runtime.time()
            await one.a.close()
            assert one.a.runtime.time() - before < 0.5
            await one.b.connection_state.wait_for("closed", timeout=2)

    run(main)


def test_data_channels_join_a_call_that_had_none() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net) as one:
            one.a.core.add_track(MediaKind.AUDIO, 0.0, track_id="microphone")
            await one.connect()
            ours = one.b.create_data_channel("late")
            await one.negotiate(one.b)
            theirs = await anext(aiter(one.a.data_channels()))
            await ours.send("hello")
            assert await theirs.receive() == "hello"

    run(main)


def test_lost_packets_of_a_call_are_repaired() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net, loss=0.05, reorder=0.02) as one:
            video = one.a.core.add_track(MediaKind.VIDEO, 0.0, track_id="camera")
            await one.connect()
            await one.send(one.a, video, range(200))
            await asyncio.sleep(1)
            came = one.frames(one.b)
            assert len(came) == len(set(came))
            assert len(came) >= 180
            (facts,) = one.b.core.media.inbound()
            assert facts.retransmitted_packets_received > 0 and facts.nack_count > 0

    run(main, seed=5)


def test_hold_stops_frames_and_resuming_brings_them_back() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net) as one:
            core = one.a.core
            video = core.add_track(MediaKind.VIDEO, 0.0, track_id="camera")
            await one.connect()
            core.set_direction(video, Direction.INACTIVE, one.a.runtime.time())
            await one.negotiate()
            assert len(one.of(one.b, TrackRemoved)) == 1
            assert not any(await one.send(one.a, video, range(10)))
            core.set_direction(video, Direction.SENDRECV, one.a.runtime.time())
            await one.negotiate()
            assert all(await one.send(one.a, video, range(10, 20)))
            await asyncio.sleep(0.2)
            assert one.frames(one.b) == list(range(10, 20))

    run(main)


def test_a_stopped_transceiver_leaves_and_its_section_is_used_again() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net) as one:
            core = one.a.core
            first = core.add_track(MediaKind.VIDEO, 0.0, track_id="camera")
            one.a.create_data_channel("keeps the transport")
            await one.connect()
            core.stop_transceiver(first, one.a.runtime.time())
            assert not any(await one.send(one.a, first, range(1)))
            await one.negotiate()
            assert [event.handle for event in one.of(one.a, TransceiverRemoved)] == [first]
            second = core.add_track(MediaKind.VIDEO, one.a.runtime.time(), track_id="screen")
            await one.negotiate()
            assert one.a.local_description is not None
            assert one.a.local_description.sdp.count("m=video") == 1
            await one.send(one.a, second, range(10))
            await asyncio.sleep(0.2)
            assert one.frames(one.b)[-10:] == list(range(10))

    run(main)


def test_another_codec_alone_is_a_change_of_the_transceiver() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net) as one:
            core = one.a.core
            video = core.add_track(MediaKind.VIDEO, 0.0, track_id="camera")
            await one.connect()
            one.events[one.b].clear()
            vp9 = [codec for codec in capabilities(MediaKind.VIDEO).codecs if codec.name == "VP9"]
            core.set_codec_preferences(video, vp9, one.a.runtime.time())
            await one.negotiate()
            assert len(one.of(one.b, TransceiverChanged)) >= 1
            plan = core.transceiver(video).plan
            assert plan is not None and plan.send_codecs[0].codec.name == "VP9"

    run(main)


def test_media_goes_on_through_an_ice_restart() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net) as one:
            video = one.a.core.add_track(MediaKind.VIDEO, 0.0, track_id="camera")
            await one.connect()
            sending = asyncio.create_task(one.send(one.a, video, range(120)))
            await asyncio.sleep(0.5)
            ufrag = one.a.core.transport.ice.local_parameters.ufrag
            one.a.restart_ice()
            await one.negotiate()
            assert all(await sending)
            await asyncio.sleep(0.5)
            assert one.a.core.transport.ice.local_parameters.ufrag != ufrag
            assert one.frames(one.b) == list(range(120))

    run(main)


@pytest.mark.parametrize("profile", [0x0001, 0x0007, 0x0008])
def test_each_protection_profile_carries_media(profile: int) -> None:
    async def main(net: sim.Network) -> None:
        net.default_link = sim.LinkConfig(latency=0.02)
        config = rtc.ClientConfig(srtp_profiles=(SrtpProfile(profile),))
        async with two_peers(net, config=config) as (a, b):
            one = Call(net, a, b)
            video = a.core.add_track(MediaKind.VIDEO, 0.0, track_id="camera")
            await one.connect()
            await one.send(a, video, range(10))
            await asyncio.sleep(0.2)
            assert one.frames(b) == list(range(10))
            assert a.snapshot().dtls.srtp_profile == SrtpProfile(profile).name

    run(main)


def test_an_offer_with_too_many_sections_is_refused_and_changes_nothing() -> None:
    async def main(net: sim.Network) -> None:
        async with call(net) as one:
            for number in range(200):
                one.a.core.add_transceiver(MediaKind.AUDIO, 0.0, track_id=f"t{number}")
                one.b.core.add_transceiver(MediaKind.VIDEO, 0.0, track_id=f"t{number}")
            offer = await one.a.create_offer()
            with pytest.raises(NegotiationError, match="sections"):
                await one.b.set_remote_description(offer)
            assert one.b.signaling_state.value == "stable"
            assert len(one.b.core.transceivers()) == 200

    run(main)
