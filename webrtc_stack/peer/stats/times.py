"""Instants as W3C tells them. Spec: HR-TIME section 3 (DOMHighResTimeStamp), webrtc-stats section 4.2."""

from __future__ import annotations

from ...base import Instant


class WallClock:
    """Turns the peer's monotonic instants into milliseconds since the Unix epoch."""

    __slots__ = ("_epoch", "timestamp")

    def __init__(self, wall_epoch: float, now: Instant) -> None:
        self._epoch = wall_epoch
        self.timestamp = self.at(now)
        """Of the report."""

    def at(self, instant: Instant) -> float:
        """The nearest microsecond: finer digits would be noise of the sum."""
        return round((self._epoch + instant) * 1000.0, 3)

    def known(self, instant: Instant | None) -> float | None:
        return None if instant is None else self.at(instant)
