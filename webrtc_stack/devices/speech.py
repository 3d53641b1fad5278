"""PCM in and out, for whoever speaks and listens by program: a voice agent, a test, a bridge to a telephone.

    speech = devices.Speech(sample_rate=24_000)          # in a running event loop
    pc.add_track(speech.track)
    speech.say(pcm)                                      # 16-bit PCM of any length, as a synthesizer gives it
    await speech.finished()                              # or speech.hush(): it was interrupted

    async for pcm in devices.pcm(track, 16_000): ...     # 20 ms of 16-bit mono each, as a recognizer takes it

Time goes on while nothing is said: silence is written, so encoders, jitter buffers and the far end see one unbroken
stream. Paced by the event loop's clock, like every synthetic source.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Protocol

import av

from ..aio import AudioTrack
from ..errors import BufferFull, InvalidArgumentError, InvalidStateError
from .sound import SampleConverter
from .synthetic import keep_pace

FRAMES_PER_SECOND = 50
FRAME_TIME = 1 / FRAMES_PER_SECOND
"""Seconds a frame: what Opus and telephones use."""


class _Heard(Protocol):
    def frames(self) -> AsyncIterator[av.AudioFrame]: ...


class Speech:
    """A track that says what it is given, 20 ms at a time, and is silent otherwise."""

    def __init__(
        self, sample_rate: int = 24_000, channels: int = 1, *, max_seconds: float = 120.0, label: str = "speech"
    ) -> None:
        """`max_seconds` may wait to be said; more is refused. Errors: `InvalidArgumentError`."""
        if not 8_000 <= sample_rate <= 96_000 or channels not in (1, 2):
            raise InvalidArgumentError(
                f"speech has 8000 to 96000 samples a second in 1 or 2 channels, got {sample_rate}"
            )
        self.sample_rate, self.channels = sample_rate, channels
        self._width = 2 * channels
        self._limit = round(max_seconds * sample_rate) * self._width
        self._unsaid = bytearray()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.track = AudioTrack(label=label)
        """To be added to any number of connections; `stop()` ends the speech."""
        self.track.on_end(lambda _: self._quiet.set())
        keep_pace(self.track, FRAME_TIME, self._write, may_skip=False)

    @property
    def speaking(self) -> bool:
        """Whether something waits to be said."""
        return not self._quiet.is_set()

    @property
    def unsaid(self) -> float:
        """Seconds that wait to be said; a sample of which only a part has come does not count yet."""
        return len(self._unsaid) // self._width / self.sample_rate

    def say(self, pcm: bytes | bytearray | memoryview) -> None:
        """Says it after what waits already. Pieces may end anywhere, inside a sample too: its rest begins the
        next piece, however much later that comes.

        Errors: `BufferFull` above `max_seconds`, `InvalidStateError` once the track has ended; nothing is taken then.
        """
        if self.track.ended:
            raise InvalidStateError("this speech is over: its track has ended")
        if len(self._unsaid) + len(pcm) > self._limit:
            raise BufferFull(f"{self.unsaid:.1f} s wait to be said already; wait for finished(), or allow more")
        self._unsaid += pcm
        if len(self._unsaid) >= self._width:
            self._quiet.clear()

    def hush(self) -> float:
        """Forgets what waits, at once; what is said next begins with a whole sample.

        Returns: the seconds that will not be said.
        """
        left = self.unsaid
        self._unsaid.clear()
        self._quiet.set()
        return left

    async def finished(self) -> None:
        """Waits until nothing is left to say: all is said, hushed, or the track has ended."""
        await self._quiet.wait()

    def _write(self, number: int) -> None:
        begin, end = (at * self.sample_rate // FRAMES_PER_SECOND for at in (number, number + 1))
        size = min(end - begin, len(self._unsaid) // self._width) * self._width  # whole samples only
        piece = bytes(self._unsaid[:size])
        del self._unsaid[:size]
        frame = av.AudioFrame(format="s16", layout="stereo" if self.channels == 2 else "mono", samples=end - begin)
        frame.planes[0].update(piece.ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate = self.sample_rate
        frame.pts, frame.time_base = begin, Fraction(1, self.sample_rate)
        self.track.write(frame)
        if len(self._unsaid) < self._width:
            self._quiet.set()


async def pcm(
    track: _Heard, sample_rate: int = 16_000, channels: int = 1, *, frame_time: float = FRAME_TIME
) -> AsyncIterator[bytes]:
    """What a track brings as 16-bit PCM, interleaved, in pieces of exactly `frame_time` seconds; ends with the track.

    A remote track comes by its jitter buffer, with what was lost concealed.
    """
    size = round(sample_rate * frame_time) * 2 * channels
    if size <= 0 or channels not in (1, 2):
        raise InvalidArgumentError("pieces need at least one sample, in 1 or 2 channels")
    converter = SampleConverter(sample_rate, channels)
    held = bytearray()
    async for frame in track.frames():
        held += converter.convert(frame)
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
