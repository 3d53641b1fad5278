"""One source, many peers: relays and shared encoders, with their key frame requests merged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

import webrtc_stack as rtc
from tests.support.fake_media import Background, FakeEngine, camera, microphone, take
from tests.support.peers import Signalling
from webrtc_stack import sim


class Star:
    """A server in the middle, one peer that sends to it, others that receive from it."""

    def __init__(self, net: sim.Network, engine: FakeEngine, stack: AsyncExitStack, background: Background) -> None:
        self.net = net
        self.engine = engine
        self.stack = stack
        self.background = background
        self.clients: list[rtc.Client] = []

    async def client(self) -> rtc.Client:
        host = self.net.host(f"10.0.0.{len(self.net.hosts) + 1}")
        client = await self.stack.enter_async_context(rtc.Client(runtime=host, engine=self.engine))
        self.clients.append(client)
        return client

    async def connect(self, offerer: rtc.PeerConnection, answerer: rtc.PeerConnection) -> None:
        await Signalling(offerer, answerer, delay=0.01, trickle=True).negotiate()
        for pc in (offerer, answerer):
            await pc.connection_state.wait_for("connected", timeout=10)


@asynccontextmanager
async def a_star(net: sim.Network) -> AsyncIterator[Star]:
    net.default_link = sim.LinkConfig(latency=0.01)
    engine = FakeEngine()
    async with Background() as background, AsyncExitStack() as stack:
        yield Star(net, engine, stack, background)
    assert engine.open_codecs == 0


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_relay_to_three_peers_encodes_once_and_merges_requests_for_key_frames(kind: str) -> None:
    async def main(net: sim.Network) -> None:
        async with a_star(net) as star:
            server = await star.client()
            source = (await star.client()).create_peer_connection()
            track = camera() if kind == "video" else microphone()
            source.add_track(track)
            star.background.play(track, 30 if kind == "video" else 50)
            upstream = server.create_peer_connection()
            await star.connect(source, upstream)
            relay = upstream.receivers[0].relay()
            assert relay is upstream.receivers[0].relay()
            viewers = []
            for _ in range(3):
                viewer = (await star.client()).create_peer_connection()
                downstream = server.create_peer_connection()
                downstream.add_track(relay, "relayed")
                await star.connect(downstream, viewer)
                viewers.append(viewer)
            streams = [viewer.receivers[0].track.frames(limit=1000) for viewer in viewers]
            seen = [await take(stream, 30) for stream in streams]
            for frames in seen:
                found = [frame.number for frame in frames if not frame.concealed]
                assert found == list(range(found[0], found[0] + len(found)))
            assert len(star.engine.encoders) == 1, "only the source encodes"
            if kind == "audio":
                return
            await asyncio.sleep(3)
            keyframes = star.engine.keyframes
            for viewer in viewers:
                viewer.receivers[0].request_keyframe()
            await asyncio.sleep(1)
            assert star.engine.keyframes == keyframes + 1

    sim.run(main)


def test_a_relay_goes_on_when_one_of_its_peers_leaves_and_ends_when_its_source_does() -> None:
    async def main(net: sim.Network) -> None:
        async with a_star(net) as star:
            server = await star.client()
            source = (await star.client()).create_peer_connection()
            track = camera()
            source.add_track(track)
            star.background.play(track)
            upstream = server.create_peer_connection()
            await star.connect(source, upstream)
            relay = upstream.receivers[0].relay()
            downstreams, viewers = [], []
            for _ in range(2):
                viewer = (await star.client()).create_peer_connection()
                downstream = server.create_peer_connection()
                sender = downstream.add_track(relay)
                await star.connect(downstream, viewer)
                downstreams.append(downstream)
                viewers.append(viewer)
            await take(viewers[1].receivers[0].track.frames(), 5)
            await downstreams[0].close()
            await take(viewers[1].receivers[0].track.frames(), 5)
            assert relay.consumers == 1
            await source.close()
            await upstream.connection_state.wait_for("closed", timeout=5)
            assert relay.ended
            assert sender.stopped_reason == relay.end_reason != ""
            assert downstreams[1].connection_state.value == "connected"

    sim.run(main)


def test_a_raw_track_is_encoded_once_for_three_peers_and_only_while_somebody_watches() -> None:
    async def main(net: sim.Network) -> None:
        async with a_star(net) as star:
            server = await star.client()
            track = camera()
            star.background.play(track)
            shared = server.encode_once(track, "video/VP8", max_bitrate=500_000)
            await asyncio.sleep(1)
            viewers, downstreams = [], []
            for _ in range(3):
                viewer = (await star.client()).create_peer_connection()
                downstream = server.create_peer_connection()
                downstream.add_track(shared)
                await star.connect(downstream, viewer)
                viewers.append(viewer)
                downstreams.append(downstream)
            seen = [await take(viewer.receivers[0].track.frames(limit=1000), 20) for viewer in viewers]
            assert all(len(frames) == 20 for frames in seen)
            (encoder,) = star.engine.encoders
            assert encoder.bitrate == 500_000
            for downstream in downstreams:
                await downstream.close()
            await asyncio.sleep(0.1)
            encoded = star.engine.encoded
            await asyncio.sleep(1)
            assert star.engine.encoded == encoded
            with pytest.raises(rtc.NotSupportedError, match="AV1"):
                server.encode_once(track, "video/AV1")
            with pytest.raises(rtc.InvalidArgumentError, match="video"):
                server.encode_once(track, "audio/opus")
            track.end("over")
            await asyncio.sleep(0.1)
            assert shared.end_reason == "over"

    sim.run(main)


def test_a_remote_track_can_be_sent_on_encoded_anew() -> None:
    async def main(net: sim.Network) -> None:
        async with a_star(net) as star:
            server = await star.client()
            source, viewer = [(await star.client()).create_peer_connection() for _ in range(2)]
            track = camera()
            source.add_track(track)
            star.background.play(track)
            upstream, downstream = server.create_peer_connection(), server.create_peer_connection()
            await star.connect(source, upstream)
            downstream.add_track(upstream.receivers[0].track)
            await star.connect(downstream, viewer)
            await take(viewer.receivers[0].track.frames(), 10)
            assert len(star.engine.encoders) == 2

    sim.run(main)
