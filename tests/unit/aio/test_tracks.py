"""Tracks and constraints: bounded queues, identity, the end."""

from __future__ import annotations

import asyncio
import gc
from fractions import Fraction
from typing import Any, NamedTuple

import pytest

from webrtc_stack.aio.constraints import Constraint, VideoConstraints, constraint_of
from webrtc_stack.aio.tracks import AUDIO_QUEUE, AudioTrack, VideoTrack, new_id
from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError


class Frame(NamedTuple):
    pts: int | None
    black: bool = False
    time_base: Fraction = Fraction(1, 10)


def video(**options: Any) -> VideoTrack:
    return VideoTrack(blank=lambda frame: frame._replace(black=True), **options)


def write(track: VideoTrack | AudioTrack, *frames: Frame) -> None:
    for frame in frames:
        track.write(frame)  # type: ignore[arg-type]  # nothing but pts and time_base is read of a frame


async def rest(subscription: Any) -> list[Any]:
    return [frame async for frame in subscription]


def test_every_reader_sees_every_frame_by_a_queue_of_its_own() -> None:
    async def main() -> None:
        track = video()
        first, second = track.frames(), track.frames(limit=10)
        write(track, Frame(1), Frame(2), Frame(3))
        track.stop()
        assert await rest(first) == [Frame(2), Frame(3)]
        assert first.dropped == 1
        assert await rest(second) == [Frame(1), Frame(2), Frame(3)]
        assert second.dropped == 0
        assert await rest(track.frames()) == []

    asyncio.run(main())


def test_audio_keeps_its_order_and_the_newest_second() -> None:
    async def main() -> None:
        track = AudioTrack()
        reader = track.frames()
        write(track, *(Frame(n) for n in range(AUDIO_QUEUE + 7)))
        track.end("the device is gone")
        assert [frame.pts for frame in await rest(reader)] == list(range(7, AUDIO_QUEUE + 7))
        assert reader.dropped == 7
        assert track.end_reason == "the device is gone"

    asyncio.run(main())


def test_a_reader_that_breaks_off_or_is_forgotten_costs_nothing() -> None:
    async def main() -> None:
        track = video()

        async def read_one() -> Any:
            async for frame in track.frames():
                return frame
            return None

        task = asyncio.create_task(read_one())
        await asyncio.sleep(0)
        assert track.consumers == 1
        gc.collect()  # a waiting reader is not garbage, though the track holds it weakly
        write(track, Frame(1))
        assert await task == Frame(1)
        assert track.consumers == 0
        with track.frames() as frames:
            assert track.consumers == 1
        assert track.consumers == 0
        assert await rest(frames) == []

    asyncio.run(main())


def test_a_disabled_video_track_shows_one_black_frame_a_second_and_audio_silence() -> None:
    async def main() -> None:
        track = video()
        reader = track.frames(limit=100)
        track.enabled = False
        write(track, *(Frame(n) for n in range(25)))
        track.enabled = True
        write(track, Frame(25))
        track.stop()
        assert await rest(reader) == [Frame(0, True), Frame(10, True), Frame(20, True), Frame(25)]
        sound = AudioTrack(blank=lambda frame: frame._replace(black=True))
        hearer = sound.frames()
        sound.enabled = False
        write(sound, Frame(0), Frame(1))
        sound.stop()
        assert await rest(hearer) == [Frame(0, True), Frame(1, True)]

    asyncio.run(main())


def test_an_ended_track_keeps_its_first_reason_and_takes_no_more() -> None:
    async def main() -> None:
        track = video(label="camera")
        told: list[str] = []
        track.on_end(lambda ended: told.append(ended.end_reason))
        waiting = asyncio.create_task(track.ready_state.wait_for("ended"))
        await asyncio.sleep(0)
        track.end("unplugged")
        track.stop()
        await waiting
        assert (track.ended, track.end_reason, told) == (True, "unplugged", ["unplugged"])
        with pytest.raises(InvalidStateError, match="unplugged"):
            write(track, Frame(1))

    asyncio.run(main())


def test_a_frame_without_time_is_refused_before_anybody_sees_it() -> None:
    async def main() -> None:
        track = video()
        reader = track.frames()
        with pytest.raises(InvalidArgumentError, match="pts"):
            write(track, Frame(None))
        assert len(reader) == 0
        with pytest.raises(InvalidArgumentError, match="at least one"):
            track.frames(limit=0)

    asyncio.run(main())


def test_identifiers_are_uuids_and_depend_on_the_entropy_alone() -> None:
    assert new_id(SeededEntropy(1)) == new_id(SeededEntropy(1)) != new_id(SeededEntropy(2))
    assert len(new_id()) == 36
    assert new_id()[14] == "4"


def test_constraints_have_a_short_form_and_refuse_what_nothing_meets() -> None:
    wanted = VideoConstraints(width=1280, frame_rate=Constraint(max=30))
    assert constraint_of(wanted.width) == Constraint(ideal=1280)
    assert constraint_of(wanted.height) is None
    rate = constraint_of(wanted.frame_rate)
    assert rate is not None
    assert rate.is_required
    with pytest.raises(InvalidArgumentError, match="above max"):
        Constraint(min=2, max=1)
    with pytest.raises(InvalidArgumentError, match="numbers"):
        Constraint(min="low")
