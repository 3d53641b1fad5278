"""Whole calls on the virtual network with real codecs: pictures are counted and tones measured at the far end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

import webrtc_stack as rtc
from tests.support.peers import Signalling, two_peers
from webrtc_stack import devices, sim

from .calls import AUDIO_CODECS, VIDEO_CODECS


@asynccontextmanager
async def connections(
    net: sim.Network, loss: float = 0.0
) -> AsyncIterator[tuple[rtc.PeerConnection, rtc.PeerConnection]]:
    net.default_link = sim.LinkConfig(latency=0.02, loss=loss)
    async with two_peers(net, engine=devices.engine()) as (left, right):
        yield left, right


async def connect(left: rtc.PeerConnection, right: rtc.PeerConnection) -> None:
    await Signalling(left, right, delay=0.01, trickle=True).negotiate()
    for pc in (left, right):
        await pc.connection_state.wait_for("connected", timeout=20)


def prefer(transceiver: rtc.Transceiver, mime_type: str) -> None:
    codecs = rtc.Sender.get_capabilities(transceiver.kind).codecs
    transceiver.set_codec_preferences([codec for codec in codecs if codec.mime_type.lower() == mime_type.lower()])


async def taken(track: Any, count: int) -> list[Any]:
    frames: list[Any] = []
    async with asyncio.timeout(30):
        async for frame in track.frames(limit=200):
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


def receiver_of(pc: rtc.PeerConnection, kind: str) -> rtc.Receiver:
    return next(receiver for receiver in pc.receivers if receiver.track.kind == kind)


@pytest.mark.parametrize("mime_type", VIDEO_CODECS)
def test_pictures_arrive_readable_and_in_order(mime_type: str) -> None:
    async def main(net: sim.Network) -> None:
        async with connections(net) as (left, right):
            track = devices.test_picture(160, 120, 15)
            prefer(left.add_transceiver(track), mime_type)
            await connect(left, right)
            counters = [devices.read_counter(frame) for frame in await taken(receiver_of(right, "video").track, 20)]
            assert counters[0] is not None and counters == list(range(counters[0], counters[0] + 20))
            track.stop()

    sim.run(main)


@pytest.mark.parametrize("mime_type", AUDIO_CODECS)
def test_a_tone_arrives_at_its_frequency(mime_type: str) -> None:
    async def main(net: sim.Network) -> None:
        async with connections(net) as (left, right):
            track = devices.tone(620)
            prefer(left.add_transceiver(track), mime_type)
            await connect(left, right)
            frames = await taken(receiver_of(right, "audio").track, 60)
            rate = frames[-1].sample_rate
            samples = devices.mono_samples(frames[20:])
            assert devices.dominant_frequency(samples, rate) == pytest.approx(620, abs=2)
            times = [float(frame.pts * frame.time_base) for frame in frames]
            assert [b - a for a, b in pairwise(times)] == pytest.approx([0.02] * 59, abs=0.001)
            track.stop()

    sim.run(main)


def test_a_call_with_losses_is_recorded_without_transcoding(tmp_path: Path) -> None:
    path = tmp_path / "call.mkv"

    async def main(net: sim.Network) -> devices.Recorder:
        async with connections(net, loss=0.03) as (left, right):
            picture, sound = devices.test_picture(160, 120, 15), devices.tone(620)
            left.add_track(picture, "s")
            left.add_track(sound, "s")
            await connect(left, right)
            recorder = devices.Recorder(path)
            for receiver in right.receivers:
                recorder.add_encoded(receiver)
            await recorder.start()
            await asyncio.sleep(6)
            await recorder.stop()
            picture.stop()
            sound.stop()
            return recorder

    recorder = sim.run(main)
    assert recorder.notes == [] and recorder.counters.frames_written > 300
    with av.open(str(path)) as container:
        pictures = [(frame.time or 0.0, devices.read_counter(frame)) for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = list(container.decode(audio=0))
    counters = [counter for _, counter in pictures if counter is not None]
    assert len(counters) == len(pictures) > 70 and counters == sorted(counters)
    for (time, counter), (later, next_counter) in pairwise(pictures):
        assert counter is not None and next_counter is not None
        assert later - time == pytest.approx((next_counter - counter) / 15, abs=0.005)
    assert devices.dominant_frequency(devices.mono_samples(sound), 48_000) == pytest.approx(620, abs=2)
    assert abs((sound[-1].time or 0.0) - pictures[-1][0]) < 0.3


def test_a_file_is_sent_without_decoding_it(tmp_path: Path) -> None:
    path = tmp_path / "clip.webm"

    async def record() -> None:
        recorder = devices.Recorder(path)
        recorder.add_track(track := devices.test_picture(160, 120, 15))
        await recorder.start()
        await asyncio.sleep(4)
        track.stop()
        await recorder.stop()

    async def main(net: sim.Network) -> None:
        async with connections(net) as (left, right):
            player = await devices.play(path, encoded=True, loop=True)
            assert isinstance(player.video, rtc.EncodedTrack) and player.video.codec.mime_type == "video/VP8"
            left.add_track(player.video)
            await connect(left, right)
            counters = [devices.read_counter(frame) for frame in await taken(receiver_of(right, "video").track, 80)]
            steps = {(b or 0) - (a or 0) for a, b in pairwise(counters)}
            assert None not in counters and 1 in steps and len(steps) == 2, "and it begins again"
            player.stop()
            await player.finished()

    sim.run(lambda _: record())
    sim.run(main)
