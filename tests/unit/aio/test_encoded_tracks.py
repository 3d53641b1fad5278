"""Encoded tracks: readers begin with key frames, requests are merged, and the media time of a sender never jumps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from webrtc_stack import sim
from webrtc_stack.aio.encoded_track import REPEAT_REQUEST, EncodedTrack, codec_of, encoded_frame
from webrtc_stack.aio.timeline import MediaTimeline
from webrtc_stack.errors import InvalidStateError
from webrtc_stack.peer import OutgoingFrame


def picture(number: int, *, key: bool = False) -> OutgoingFrame:
    return OutgoingFrame(str(number).encode(), number / 10, key)


def numbers(frames: list[Any]) -> list[int]:
    return [int(frame.data) for frame in frames]


async def rest(subscription: Any) -> list[Any]:
    return [frame async for frame in subscription]


def test_a_reader_of_video_begins_with_a_key_frame_and_asks_for_it() -> None:
    async def main(net: sim.Network) -> None:
        asked: list[float] = []
        track = EncodedTrack("video", "video/VP8", on_keyframe_request=lambda: asked.append(net.now))
        reader = track.encoded_frames()
        assert len(asked) == 1
        for number in range(6):
            track.write(picture(number, key=number == 3))
        track.stop()
        assert numbers(await rest(reader)) == [3, 4, 5]
        assert reader.dropped == 3

    sim.run(main)


def test_a_slow_reader_of_video_loses_everything_up_to_the_next_key_frame() -> None:
    async def main(net: sim.Network) -> None:
        track = EncodedTrack("video", "video/VP8")
        slow, quick = track.encoded_frames(limit=4), track.encoded_frames(limit=100)
        for number in range(12):
            track.write(picture(number, key=number in (0, 8)))
        track.stop()
        assert numbers(await rest(slow)) == [8, 9, 10, 11]
        assert slow.dropped == 8
        assert numbers(await rest(quick)) == list(range(12))
        assert track.keyframe_requests_made == 2  # one to begin with, one for the reader that fell behind

    sim.run(main)


def test_a_slow_reader_of_audio_loses_the_oldest() -> None:
    async def main(net: sim.Network) -> None:
        track = EncodedTrack("audio", "audio/opus")
        reader = track.encoded_frames(limit=3)
        for number in range(5):
            track.write(picture(number))
        track.stop()
        assert numbers(await rest(reader)) == [2, 3, 4]
        assert track.keyframe_requests_made == 0

    sim.run(main)


def test_requests_for_key_frames_are_merged_until_one_comes_and_repeated_when_none_does() -> None:
    async def main(net: sim.Network) -> None:
        track = EncodedTrack("video", "video/VP8")
        requests = track.keyframe_requests()
        for _ in range(10):
            track.request_keyframe()
        assert len(requests) == 1
        assert (track.keyframe_requests_made, track.keyframe_requests_merged) == (1, 9)
        assert len(track.keyframe_requests()) == 1, "a late reader misses nothing"
        await anext(requests)
        track.write(picture(0, key=True))
        track.request_keyframe()
        assert len(requests) == 1
        await anext(requests)
        await asyncio.sleep(REPEAT_REQUEST + 0.01)
        track.request_keyframe()
        assert len(requests) == 1
        assert track.keyframe_requests_made == 3

    sim.run(main)


def test_a_disabled_encoded_track_gives_nothing_and_goes_on_with_a_key_frame() -> None:
    async def main(net: sim.Network) -> None:
        track = EncodedTrack("video", "video/VP8")
        reader = track.encoded_frames()
        track.write(picture(0, key=True))
        track.enabled = False
        track.write(picture(1))
        track.enabled = True
        assert track.keyframe_requests_made == 2
        track.write(picture(2, key=True))
        track.end("over")
        assert numbers(await rest(reader)) == [0, 2]
        with pytest.raises(InvalidStateError, match="over"):
            track.write(picture(3))

    sim.run(main)


def test_codecs_are_named_by_their_mime_type() -> None:
    assert codec_of("audio/opus").clock_rate == 48_000
    assert codec_of("audio/PCMU").clock_rate == 8_000
    assert codec_of("video/H264").channels is None
    assert codec_of(codec_of("video/AV1")).name == "AV1"


def test_what_encoders_and_receivers_give_can_be_sent() -> None:
    class Chunk:
        data, media_time, keyframe, duration = b"x", 1.5, True, 0.02

    assert encoded_frame(Chunk()) == OutgoingFrame(b"x", 1.5, True, 0.02)


def test_the_media_time_of_a_stream_goes_on_where_real_time_is_when_its_source_changes() -> None:
    timeline = MediaTimeline()
    camera, file = object(), object()
    assert timeline.map(camera, 1000.0, 50.0) == 1000.0
    assert timeline.map(camera, 1000.1, 50.1) == 1000.1
    assert timeline.map(file, 0.0, 52.1) == pytest.approx(1002.1)
    assert timeline.map(file, 0.5, 52.6) == pytest.approx(1002.6)
    assert timeline.map(file, 0.0, 53.1) == pytest.approx(1003.1), "the file began again"
    assert timeline.map(file, 60.0, 113.1) == pytest.approx(1063.1), "a pause is no jump"
    assert timeline.map(file, 900.0, 113.2) == pytest.approx(1063.2), "a jump ahead of real time is one"
