"""One stream's packet index: rollover counter, guess, replay window of any size.

In order, which is nearly always, one number moves: everything in `base + 1 .. top` has been seen, and `seen` is a
bitmask for what lies at `base` and before it. Only a gap brings the mask up to date, so a large window costs no more
than a small one.

Spec: RFC 3711 sections 3.3.1 (the guess), 3.3.2 (replay).
"""

from __future__ import annotations

from typing import Final

from .refused import Refused

INDEX_LIMIT: Final = 1 << 48
"""RTP indices are 32 bits of rollover counter and 16 of sequence number. RFC 3711 section 9.2."""
RTCP_INDEX_LIMIT: Final = 1 << 31


class ReplayWindow:
    """Which indices of one stream were taken. `top` is the highest, -1 when there is none."""

    __slots__ = ("base", "seen", "size", "top")

    def __init__(self, size: int) -> None:
        self.size = size
        self.top = -1
        self.base = -1
        self.seen = 0
        """Bit n: index `base - n` was taken. Bits that have left the window may linger until the next gap."""

    def guess(self, sequence: int) -> int:
        """The index nearest to `top` that ends in `sequence`.

        Before the first rollover nothing can be older than index 0, so there a number far ahead is taken as it is
        (the specification's pseudo-code would wrap to rollover counter 2**32 - 1).
        """
        top = self.top
        delta = sequence - (top & 0xFFFF)
        if delta > 0x8000:
            delta -= 0x10000
        elif delta < -0x8000:
            delta += 0x10000
        index = top + delta
        return index if index >= 0 else index + 0x10000

    def refusal(self, index: int, limit: int) -> Refused | None:
        """Why `index` may not be taken (again), or None. Changes nothing."""
        if index > self.top:
            return None if index < limit else Refused.KEY_LIMIT
        if self.top - index >= self.size:
            return Refused.TOO_OLD
        if index > self.base or self.seen >> (self.base - index) & 1:
            return Refused.REPLAYED
        return None

    def accept(self, index: int) -> None:
        """Takes note of an index that `refusal` let through (a repeated one changes nothing)."""
        ahead = index - self.top
        if ahead == 1:
            self.top = index
        elif ahead > 0:
            # Amounts from the wire never shift further than the window: beyond it all that was seen is forgotten.
            self.seen = self._mask() << ahead & (1 << self.size) - 1 | 1 if ahead < self.size else 1
            self.top = self.base = index
        elif index <= self.base:
            self.seen |= 1 << (self.base - index)

    def _mask(self) -> int:
        """The bitmask counted from `top`."""
        run = self.top - self.base
        if run >= self.size:
            return (1 << self.size) - 1
        return self.seen << run | (1 << run) - 1

    @property
    def state(self) -> tuple[int, int, int]:
        return self.top, self.base, self.seen

    def restore(self, state: tuple[int, int, int]) -> None:
        self.top, self.base, self.seen = state
