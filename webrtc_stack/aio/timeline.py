"""The media time of what a sender sends, whatever its tracks count from.

A sender's stream has one time that never goes back. Each track has its own, from any origin: a file begins at 0, a
camera at the time since the machine was started. The first one is taken as it is; whatever follows it (a replaced
track, a file that starts over) is moved so that the stream goes on where real time has brought it.
"""

from __future__ import annotations

from ..base import Instant

JUMP_BACK = 0.2
"""Seconds: more than frames may be out of order (they never are, in real time)."""
JUMP_AHEAD = 10.0
"""Seconds that media time may lead real time since the last frame; a pause of any length is none."""


class MediaTimeline:
    """Maps the media time of the present source to that of the stream. Units: seconds."""

    __slots__ = ("_last_in", "_last_now", "_last_out", "_offset", "_source")

    def __init__(self) -> None:
        self._source: object = None
        self._offset = 0.0
        self._last_in = 0.0
        self._last_out: float | None = None
        self._last_now: Instant = 0.0

    def map(self, source: object, media_time: float, now: Instant) -> float:
        """The time in the stream of a frame of `source`, taken at `now`."""
        if self._last_out is None:
            self._source = source
        else:
            elapsed = max(now - self._last_now, 0.0)
            ahead = media_time - self._last_in
            if source is not self._source or ahead < -JUMP_BACK or ahead > elapsed + JUMP_AHEAD:
                self._source = source
                self._offset = self._last_out + max(elapsed, 0.001) - media_time
        self._last_in = media_time
        self._last_now = now
        self._last_out = media_time + self._offset
        return self._last_out

    @property
    def offset(self) -> float:
        """What is added to the media times of the present source."""
        return self._offset
