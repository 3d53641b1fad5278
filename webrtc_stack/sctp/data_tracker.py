"""Which TSNs have arrived: the cumulative point, the islands above it, duplicates, and when to acknowledge.

TSNs are unwrapped: plain integers that never decrease along the association.

Spec: RFC 9260 sections 3.3.4, 6.2, 6.7; RFC 3758 section 3.6.
Invariants: `gaps` are disjoint, ascending, never adjacent, and all above `cumulative + 1`.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import Final

from .chunks import SACK_HEADER
from .registry import ChunkType

TSN_MASK: Final = 0xFFFFFFFF
MAX_AHEAD: Final = 65_535
"""Gap blocks are 16-bit offsets: what lies further ahead could not be acknowledged, so it is not taken."""
_MAX_DUPLICATES: Final = 32
"""Duplicates are information for the sender's statistics; more than this in one SACK tells nothing new."""


class DataTracker:
    """The receiving half's view of TSNs."""

    __slots__ = ("cumulative", "duplicates", "gaps")

    def __init__(self, initial_tsn: int) -> None:
        self.cumulative = initial_tsn - 1
        self.gaps: list[list[int]] = []
        self.duplicates: list[int] = []

    def unwrap(self, tsn: int) -> int:
        """The unwrapped form of a TSN from the wire: the one nearest to the cumulative point."""
        distance = (tsn - self.cumulative) & TSN_MASK
        return self.cumulative + (distance if distance < 0x80000000 else distance - 0x100000000)

    def has(self, tsn: int) -> bool:
        """Whether this TSN has arrived before."""
        if tsn <= self.cumulative:
            return True
        gaps = self.gaps
        at = bisect_right(gaps, tsn, key=_start)
        return at > 0 and tsn <= gaps[at - 1][1]

    def is_acceptable(self, tsn: int) -> bool:
        return tsn - self.cumulative <= MAX_AHEAD

    def note_duplicate(self, tsn: int) -> None:
        if len(self.duplicates) < _MAX_DUPLICATES:
            self.duplicates.append(tsn)

    def add(self, tsn: int) -> None:
        """Takes a TSN that `has` not arrived."""
        gaps = self.gaps
        if tsn == self.cumulative + 1:
            if gaps and gaps[0][0] == tsn + 1:
                tsn = gaps.pop(0)[1]
            self.cumulative = tsn
            return
        if not gaps or tsn > gaps[-1][1] + 1:
            gaps.append([tsn, tsn])
            return
        at = bisect_right(gaps, tsn, key=_start)
        left = at > 0 and gaps[at - 1][1] == tsn - 1
        right = at < len(gaps) and gaps[at][0] == tsn + 1
        if left and right:
            gaps[at - 1][1] = gaps.pop(at)[1]
        elif left:
            gaps[at - 1][1] = tsn
        elif right:
            gaps[at][0] = tsn
        else:
            gaps.insert(at, [tsn, tsn])

    def skip_to(self, tsn: int) -> None:
        """The sender gave up everything up to `tsn`."""
        if tsn <= self.cumulative:
            return
        gaps = self.gaps
        while gaps and gaps[0][0] <= tsn + 1:
            tsn = max(tsn, gaps.pop(0)[1])
        self.cumulative = tsn

    def sack(self, window: int, room: int) -> bytes:
        """A SACK chunk of at most `room` bytes; forgets the duplicates it tells about."""
        gaps, duplicates = self.gaps, self.duplicates
        cumulative = self.cumulative
        if not gaps and not duplicates:
            return SACK_HEADER.pack(ChunkType.SACK, 0, 16, cumulative & TSN_MASK, window, 0, 0)
        blocks = gaps[: (room - 16) // 4]
        told = duplicates[: (room - 16) // 4 - len(blocks)]
        self.duplicates = []
        numbers = [bound - cumulative for block in blocks for bound in block]
        length = 16 + 4 * (len(blocks) + len(told))
        head = SACK_HEADER.pack(ChunkType.SACK, 0, length, cumulative & TSN_MASK, window, len(blocks), len(told))
        return head + struct.pack(f">{len(numbers)}H{len(told)}I", *numbers, *[tsn & TSN_MASK for tsn in told])


def _start(block: list[int]) -> int:
    return block[0]
