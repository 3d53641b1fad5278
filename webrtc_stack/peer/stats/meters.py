"""What only who decodes can know, by watching frames go by: delays, freezes, levels, energy. W3C's policy, no codec.

Feed a meter one picture or one stretch of sound at a time; `members()` goes into an overlay as it is.

Spec: W3C webrtc-stats sections 6.4 (freezes, pauses, delays between frames, samples), 6.9 (levels and energy of a
source), 6.11 (playout).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from ...base import Instant
from .overlays import PlayoutOverlay

PAUSE: Final = 5.0
"""Seconds without a picture that are a pause, not a freeze."""
FREEZE_FACTOR: Final = 3
FREEZE_MARGIN: Final = 0.15
"""A freeze is a gap of three mean ones, and of 150 ms more than the mean at least."""
GAPS_AVERAGED: Final = 30


class FrameMeter:
    """Watches pictures as they are shown, or handed to who shows them."""

    __slots__ = (
        "_gaps",
        "_last",
        "_recent",
        "frames",
        "freeze_count",
        "pause_count",
        "total_freezes_duration",
        "total_inter_frame_delay",
        "total_pauses_duration",
        "total_squared_inter_frame_delay",
    )

    def __init__(self) -> None:
        self._last: Instant | None = None
        self._gaps: deque[float] = deque(maxlen=GAPS_AVERAGED)
        self._recent: deque[Instant] = deque(maxlen=240)
        self.frames = 0
        self.total_inter_frame_delay = 0.0
        self.total_squared_inter_frame_delay = 0.0
        self.pause_count = 0
        self.total_pauses_duration = 0.0
        self.freeze_count = 0
        self.total_freezes_duration = 0.0

    def frame(self, now: Instant) -> None:
        """A picture is there."""
        self.frames += 1
        self._recent.append(now)
        last, self._last = self._last, now
        if last is None:
            return
        gap = max(now - last, 0.0)
        self.total_inter_frame_delay += gap
        self.total_squared_inter_frame_delay += gap * gap
        if gap > PAUSE:
            self.pause_count += 1
            self.total_pauses_duration += gap
            return  # no gap between pictures of a film
        if self._gaps:
            mean = sum(self._gaps) / len(self._gaps)
            if gap >= max(FREEZE_FACTOR * mean, mean + FREEZE_MARGIN):
                self.freeze_count += 1
                self.total_freezes_duration += gap
        self._gaps.append(gap)

    def frames_per_second(self, now: Instant) -> float | None:
        """Pictures in the second before `now`; None before the first one ever. Above 240 it says 240."""
        if not self.frames:
            return None
        recent = self._recent
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        return float(len(recent))

    def members(self, now: Instant) -> dict[str, Any]:
        """For an `InboundOverlay` of video."""
        return {
            "frames_rendered": self.frames,
            "frames_per_second": self.frames_per_second(now),
            "total_inter_frame_delay": self.total_inter_frame_delay,
            "total_squared_inter_frame_delay": self.total_squared_inter_frame_delay,
            "pause_count": self.pause_count,
            "total_pauses_duration": self.total_pauses_duration,
            "freeze_count": self.freeze_count,
            "total_freezes_duration": self.total_freezes_duration,
        }


class SoundMeter:
    """Watches sound go by: what a source gives, or what a decoder made, inventions for lost packets included."""

    __slots__ = (
        "_concealing",
        "audio_level",
        "concealed_samples",
        "concealment_events",
        "samples",
        "silent_concealed_samples",
        "total_audio_energy",
        "total_samples_duration",
    )

    def __init__(self) -> None:
        self._concealing = False
        self.audio_level: float | None = None
        self.total_audio_energy: float | None = None
        self.total_samples_duration = 0.0
        self.samples = 0
        self.concealed_samples = 0
        self.silent_concealed_samples = 0
        self.concealment_events = 0

    def sound(self, level: float | None, samples: int, sample_rate: int, *, concealed: bool = False) -> None:
        """A stretch of sound: its peak as a part of full scale (0 to 1; None: unknown), its samples of one channel.

        `concealed`: it stands for what did not come.
        """
        duration = samples / sample_rate
        if level is not None:
            self.audio_level = level = min(max(level, 0.0), 1.0)
            self.total_audio_energy = (self.total_audio_energy or 0.0) + duration * level * level
        self.total_samples_duration += duration
        self.samples += samples
        if concealed:
            self.concealed_samples += samples
            if level == 0:
                self.silent_concealed_samples += samples
            self.concealment_events += not self._concealing
        self._concealing = concealed

    def source_members(self) -> dict[str, Any]:
        """For a `SourceOverlay` of audio."""
        return {
            "audio_level": self.audio_level,
            "total_audio_energy": self.total_audio_energy,
            "total_samples_duration": self.total_samples_duration,
        }

    def members(self) -> dict[str, Any]:
        """For an `InboundOverlay` of audio."""
        return {
            **self.source_members(),
            "total_samples_received": self.samples,
            "concealed_samples": self.concealed_samples,
            "silent_concealed_samples": self.silent_concealed_samples,
            "concealment_events": self.concealment_events,
        }


class PlayoutMeter:
    """Watches sound being taken by whoever plays it.

    `delay` is what is known of the way from the decoder to the ear: how long the sound waited to be taken, and what the
    player adds, if it says so. What was made up for lost packets is `concealed_samples` of the stream, as W3C has it,
    and none of the playout's business.
    """

    __slots__ = ("samples", "total_playout_delay", "total_samples_duration")

    def __init__(self) -> None:
        self.samples = 0
        self.total_samples_duration = 0.0
        self.total_playout_delay = 0.0

    def taken(self, samples: int, sample_rate: int, delay: float) -> None:
        """A stretch of sound goes to the player: its samples of one channel, and their delay in seconds."""
        self.samples += samples
        self.total_samples_duration += samples / sample_rate
        self.total_playout_delay += max(delay, 0.0) * samples

    def members(self) -> PlayoutOverlay:
        """The overlay that this is."""
        return PlayoutOverlay(
            total_samples_duration=self.total_samples_duration,
            total_samples_count=self.samples,
            total_playout_delay=self.total_playout_delay,
        )
