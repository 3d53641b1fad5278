"""Tracks that need no device: a tone, and the moving test picture with its counter.

    track = devices.test_picture(width=320, height=240, fps=15)      # in a running event loop
    sound = devices.tone(440)
    ...
    track.stop()

They are paced by the event loop's own clock, so under a simulated loop they run in virtual time. A source that comes
late (a loop that was busy) leaves pictures out rather than letting its time lag behind; sound is written late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import av

from ..aio import AudioTrack, MediaTrack, VideoTrack
from .picture import TestPicture
from .sound import Sine

LEAD = 0.02
"""Seconds until the first frame, so that whoever made a track can begin to read it."""
_LATE = 0.5
"""Seconds a source of sound may lag before it gives up catching up: a suspended machine, not a busy one."""


def tone(
    frequency: float = 440.0,
    *,
    sample_rate: int = 48_000,
    channels: int = 1,
    amplitude: float = 0.4,
    label: str = "",
) -> AudioTrack:
    """A track that plays a sine until it is stopped, in frames of 20 ms. Errors: `InvalidArgumentError`."""
    sine = Sine(frequency, sample_rate=sample_rate, channels=channels, amplitude=amplitude)
    track = AudioTrack(label=label or f"tone of {frequency:g} Hz")
    keep_pace(track, sine.samples_per_frame / sample_rate, lambda number: track.write(sine.frame()), may_skip=False)
    return track


def test_picture(
    width: int = 640, height: int = 480, fps: float = 30.0, *, first: int = 0, label: str = ""
) -> VideoTrack:
    """A track of the moving test picture until it is stopped; the counter starts at `first`.

    Errors: `InvalidArgumentError` for a size too small for the counter.
    """
    picture = TestPicture(width, height, fps)
    track = VideoTrack(label=label or f"test picture {picture.width}x{picture.height}")

    def write(number: int) -> None:
        frame: av.VideoFrame = picture.draw(first + number)
        track.write(frame)

    keep_pace(track, 1 / fps, write, may_skip=True)
    return track


test_picture.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test where it is imported


def keep_pace(track: MediaTrack, interval: float, write: Callable[[int], None], *, may_skip: bool) -> None:
    """Calls `write(0)`, `write(1)`, ... every `interval` seconds until the track ends."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        start, number = loop.time() + LEAD, 0
        await asyncio.sleep(LEAD)
        while not track.ended:
            write(number)
            number += 1
            late = loop.time() - (start + number * interval)
            if may_skip and late > interval:
                number += int(late / interval)
            elif late > _LATE:
                start += late
            await asyncio.sleep(max(0.0, start + number * interval - loop.time()))

    attach(track, run(), f"source of {track.label}")


def attach(track: MediaTrack, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Runs a coroutine as the source of a track: the end of either is the end of the other."""
    task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)

    def stop(_: MediaTrack) -> None:
        task.cancel()

    track.on_end(stop)

    def finished(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            track.end(f"its source failed: {error}")

    task.add_done_callback(finished)
    return task
