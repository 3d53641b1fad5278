"""What Python shows and plays: the moving picture, a tone, a melody, and the parrot that says again what it heard.

Everything here needs the codecs of PyAV; `open_studio` gives None without them, and the demo goes on with what needs no
codec: data, and the visitor's camera handed back as it came.
"""

from __future__ import annotations

import array
import asyncio
import math
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from ...aio import AudioTrack, VideoTrack
from ..failures import has

if TYPE_CHECKING:
    from av import AudioFrame

PICTURE: Final = (640, 360, 25)
"""Width, height, pictures a second."""
PLAYED: Final = ("off", "tone", "melody")
VIDEO_CODECS: Final = ("VP8", "VP9", "H264", "AV1")
SAMPLE_RATE: Final = 48_000
FRAME_SECONDS: Final = 0.02
TONE_HZ: Final = 440.0
LONGEST_SPEECH: Final = 10.0
"""Seconds that the parrot keeps; of a longer speech it says the end."""
SILENCE_DB: Final = -90.0
_LATE: Final = 0.3
"""Seconds after which sound is left out rather than hurried."""

_NOTES: Final = {"C4": 261.63, "D4": 293.66, "E4": 329.63, "F4": 349.23, "G4": 392.0, "A4": 440.0, "G3": 196.0}
_ODE: Final = "E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 E4. D4_ D4- E4 E4 F4 G4 G4 F4 E4 D4 C4 C4 D4 E4 D4. C4_ C4-"
"""The theme of Beethoven's ninth: `.` one and a half beats, `_` half a beat, `-` two."""
_BEAT: Final = 0.42
_LENGTHS: Final = {".": 1.5, "_": 0.5, "-": 2.0}


def melody() -> list[tuple[float, float]]:
    """Frequency in Hz and length in seconds of every note, in order."""
    notes = []
    for word in _ODE.split():
        notes.append((_NOTES[word[:2]], _BEAT * _LENGTHS.get(word[2:], 1.0)))
    return notes


class Studio:
    """Makes the tracks of one connection after the other. Only where PyAV is installed."""

    def __init__(self) -> None:
        from ... import devices

        self._devices = devices
        engine = devices.engine()
        self.codecs = [name for name in VIDEO_CODECS if engine.can_encode(f"video/{name}")]
        """The video codecs that pictures can be encoded by, by name."""

    def picture(self) -> VideoTrack:
        """The moving picture with its counter, from 0 on, until the track is stopped."""
        width, height, rate = PICTURE
        return self._devices.test_picture(width, height, rate, label="made in Python")

    def level(self, frame: AudioFrame) -> float:
        """How loud a frame is: decibels under full scale, -90 for silence."""
        samples = self._devices.mono_samples(frame)
        power = sum(value * value for value in samples) / max(1, len(samples))
        return max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB


def open_studio() -> Studio | None:
    """None without PyAV."""
    return Studio() if has("av") else None


class Music:
    """A track that plays a tone, a melody, or nothing: then nothing is sent."""

    def __init__(self) -> None:
        self.track = AudioTrack(label="music made in Python")
        self.playing = "off"
        self.frequency = 0.0
        """Hz of what sounds now; 0 for nothing."""
        self._changed = asyncio.Event()
        self._phase = 0.0

    def play(self, what: str) -> None:
        """One of `PLAYED`; anything else is silence."""
        self.playing = what if what in PLAYED else "off"
        self._changed.set()

    async def run(self) -> None:
        """Plays until the track ends or the task is cancelled."""
        while not self.track.ended:
            self.frequency = 0.0
            while self.playing == "off":
                self._changed.clear()
                await self._changed.wait()
            await self._play(self.playing)

    async def _play(self, what: str) -> None:
        notes = melody() if what == "melody" else [(TONE_HZ, 3600.0)]
        pace = _Pace()
        while True:
            for frequency, seconds in notes:
                self.frequency = frequency
                frames = round(seconds / FRAME_SECONDS)
                for number in range(frames):
                    if self.playing != what or self.track.ended:
                        return
                    pluck = 1.0 if what == "tone" else math.exp(-1.6 * number * FRAME_SECONDS)
                    last = what == "melody" and number == frames - 1
                    self.track.write(_frame(self._samples(frequency, 0.35 * pluck, fade=last), pace.media_time))
                    await pace.next()

    def _samples(self, frequency: float, amplitude: float, *, fade: bool) -> list[int]:
        count = round(SAMPLE_RATE * FRAME_SECONDS)
        step, phase, peak = 2 * math.pi * frequency / SAMPLE_RATE, self._phase, amplitude * 32767
        made = [int(peak * (math.sin(at) + 0.12 * math.sin(2 * at))) for at in (phase + step * n for n in range(count))]
        self._phase = (phase + step * count) % (2 * math.pi)
        if fade:  # so that the next note does not begin with a click
            made = [value * (count - n) // count for n, value in enumerate(made)]
        return made


class Parrot:
    """Listens while it is told to, and says it again afterwards: never both, so that nothing can howl."""

    def __init__(self, studio: Studio) -> None:
        self.track = AudioTrack(label="your voice, again")
        self.level = SILENCE_DB
        """Of what comes in now, in decibels."""
        self.heard = 0
        """Frames."""
        self.state = "idle"
        self._studio = studio
        self._taped: deque[Any] = deque(maxlen=round(LONGEST_SPEECH / FRAME_SECONDS))
        self._speech = asyncio.Event()

    def hold(self, held: bool) -> None:
        """Whether the button is held: True starts a recording, False plays it."""
        if held:
            self._taped.clear()
            self._speech.clear()
            self.state = "listening"
        elif self.state == "listening":
            self.state = "speaking" if self._taped else "idle"
            if self._taped:
                self._speech.set()

    async def listen(self, heard: Any) -> None:
        """Reads a remote track to its end."""
        async for frame in heard.frames():
            self.heard += 1
            self.level = self._studio.level(frame)
            if self.state == "listening":
                self._taped.append(frame)

    def silence(self) -> None:
        """Nobody is heard any more."""
        self.level = SILENCE_DB

    async def speak(self) -> None:
        """Says what was taped, whenever there is something to say."""
        while not self.track.ended:
            await self._speech.wait()
            self._speech.clear()
            pace = _Pace()
            for frame in list(self._taped):
                if self.state != "speaking" or self.track.ended:
                    break  # the button is held again
                frame.time_base = Fraction(1, frame.sample_rate)
                frame.pts = round(pace.media_time * frame.sample_rate)
                self.track.write(frame)
                await pace.next(frame.samples / frame.sample_rate)
            if self.state == "speaking":
                self.state = "idle"


class _Pace:
    """Media time that goes with the loop's clock, frame by frame."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.media_time = self._loop.time()

    async def next(self, seconds: float = FRAME_SECONDS) -> None:
        self.media_time += seconds
        ahead = self.media_time - self._loop.time()
        if ahead < -_LATE:
            self.media_time = self._loop.time()
        await asyncio.sleep(max(0.0, ahead))


def _frame(samples: list[int], media_time: float) -> AudioFrame:
    import av

    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.planes[0].update(array.array("h", samples).tobytes())
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = round(media_time * SAMPLE_RATE), Fraction(1, SAMPLE_RATE)
    return frame
