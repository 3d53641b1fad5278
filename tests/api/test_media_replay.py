"""A call depends on its seed alone: media of both kinds, a lossy link, a relay, in another process and hash order."""

from __future__ import annotations

import asyncio

from tests.support import replay
from tests.support.calls_api import a_call
from tests.support.fake_media import camera, microphone, take
from webrtc_stack import sim
from webrtc_stack.base import SeededEntropy


def media_digest(seed: int) -> str:
    """Everything that a call with sound, pictures both ways and a relay puts on the wire."""
    network = sim.Network(seed)

    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            net.default_link = sim.LinkConfig(latency=0.02, jitter=0.01, loss=0.05)
            entropy = SeededEntropy(seed)
            for make, rate in ((camera, 30), (microphone, 50)):
                track = make(entropy=entropy)
                call.left.add_track(track, "both")
                call.background.play(track, rate)
            call.left.create_data_channel("x")
            await call.negotiate()
            video = next(one for one in call.right.receivers if one.kind == "video")
            call.right.add_track(video.relay())
            await call.negotiate(call.right)
            echoed = await call.track_from(call.left, "video")
            await take(echoed.frames(), 20)
            await take((await call.track_from(call.right, "audio")).frames(), 20)
            await asyncio.sleep(1)

    sim.run(main, network=network)
    return network.digest()


def test_a_call_replays_in_another_process() -> None:
    replay.assert_replays("tests.api.test_media_replay:media_digest")
