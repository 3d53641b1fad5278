"""The retransmission time-out.

Spec: RFC 9260 sections 6.3.1, 6.3.3 (E2). One difference: doubling ends with the next progress of the cumulative TSN,
not with the next measurement. On a path that loses much nearly every acknowledgment covers a retransmission and
measures nothing, and the time-out would stay at its maximum although the path works.
"""

from __future__ import annotations

from ..base import Instant

_ALPHA = 1 / 8
_BETA = 1 / 4
_GRANULARITY = 0.001


class RtoEstimator:
    """Smoothed round-trip time and the time-out that follows from it, in seconds."""

    __slots__ = ("_base", "_maximum", "_minimum", "rto", "rttvar", "srtt")

    def __init__(self, initial: float, minimum: float, maximum: float) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self.srtt: float | None = None
        self.rttvar: float | None = None
        self.rto: Instant = initial
        self._base: Instant = initial

    def sample(self, rtt: float) -> None:
        """Takes one measurement of a chunk that was sent once (Karn's rule is the caller's)."""
        if rtt < 0:
            return
        if self.srtt is None or self.rttvar is None:
            self.srtt = rtt
            self.rttvar = rtt / 2
        else:
            self.rttvar = (1 - _BETA) * self.rttvar + _BETA * abs(self.srtt - rtt)
            self.srtt = (1 - _ALPHA) * self.srtt + _ALPHA * rtt
        rto = self.srtt + 4 * max(self.rttvar, _GRANULARITY)
        self.rto = self._base = min(max(rto, self._minimum), self._maximum)

    def back_off(self) -> None:
        """A timer expired: twice as long next time."""
        self.rto = min(self.rto * 2, self._maximum)

    def progress(self) -> None:
        """The peer acknowledged something: what was measured last holds again."""
        self.rto = self._base
