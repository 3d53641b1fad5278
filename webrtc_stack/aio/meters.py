"""What statistics want to know of sound and pictures as they pass.

Spec: W3C webrtc-stats sections 6.4 (totalInterFrameDelay, freezeCount, pauseCount), 6.8 (audioLevel, totalAudioEnergy).
"""

from __future__ import annotations

from collections import deque

from ..base import Instant

FREEZE_FACTOR, FREEZE_MARGIN = 3.0, 0.15
"""A frame that comes later than three usual intervals, and by this many seconds more than one, ends a freeze."""
PAUSE = 5.0
"""Seconds without a frame after which it is a pause, and no freeze."""
USUAL = 30
"""Frames over which the usual interval is taken."""


class SoundMeter:
    """Loudness of what one track sends, told by the encoder. `level` is linear, 0 to 1."""

    __slots__ = ("energy", "level")

    def __init__(self) -> None:
        self.level: float | None = None
        self.energy = 0.0

    def heard(self, dbov: int, duration: float) -> None:
        """A packet of `duration` seconds at -`dbov` dBov."""
        self.level = 0.0 if dbov >= 127 else 10 ** (-dbov / 20)
        self.energy += self.level * self.level * duration


class PictureMeter:
    """The rhythm in which pictures are handed to the application."""

    __slots__ = ("_last", "_recent", "delay", "freezes", "frozen", "paused", "pauses", "shown", "squared_delay")

    def __init__(self) -> None:
        self.shown = 0
        self.delay = 0.0
        self.squared_delay = 0.0
        self.freezes = 0
        self.frozen = 0.0
        self.pauses = 0
        self.paused = 0.0
        self._last: Instant | None = None
        self._recent: deque[float] = deque(maxlen=USUAL)

    def show(self, now: Instant) -> None:
        """A picture is handed over."""
        self.shown += 1
        last, self._last = self._last, now
        if last is None:
            return
        step = now - last
        usual = sum(self._recent) / len(self._recent) if self._recent else step
        self.delay += step
        self.squared_delay += step * step
        if step >= PAUSE:
            self.pauses += 1
            self.paused += step
        elif self._recent and step >= max(FREEZE_FACTOR * usual, usual + FREEZE_MARGIN):
            self.freezes += 1
            self.frozen += step
        else:
            self._recent.append(step)

    def rest(self) -> None:
        """Nobody looks for now: the time until the next picture is none of ours."""
        self._last = None
