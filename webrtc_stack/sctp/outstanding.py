"""Chunks that were sent and are not acknowledged: SACK processing, loss detection, abandonment, flight size.

A SACK costs what it newly tells: TSNs below the cumulative point leave at its head, gap blocks are compared as
intervals with those of the SACK before, and only chunks below a gap that are still in flight (`_suspects`) are looked
at again. A chunk that was retransmitted is suspected again only by TSNs first sent after its retransmission.

Spec: RFC 9260 sections 6.2.1, 6.3.3, 7.2.4; RFC 3758 section 3.5.
Invariants: keys of `chunks` are consecutive, from `cumulative + 1` to `next_tsn - 1`; `flight` is the sum of the sizes
of those in flight. TSNs are unwrapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from heapq import heappop, heappush
from typing import Final

from ..base import Instant
from .chunks import ForwardTsnChunk
from .data_tracker import TSN_MASK
from .send_queue import Message

MISSING_REPORTS: Final = 3
"""RFC 9260 section 7.2.4."""


class Fate(IntEnum):
    """What has become of a chunk."""

    FLYING = 0
    ACKED = 1
    """By a gap block: the peer may still take that back."""
    LOST = 2
    """Waits to be sent again."""
    ABANDONED = 3
    """Given up; FORWARD TSN will tell."""


_FLYING: Final = Fate.FLYING
_ACKED: Final = Fate.ACKED
_LOST: Final = Fate.LOST
_ABANDONED: Final = Fate.ABANDONED


class Sent:
    """One chunk that was sent, ready to be sent again."""

    __slots__ = ("boundary", "chunk", "fate", "message", "misses", "retransmits", "sent_at", "size")

    def __init__(self, chunk: bytes, message: Message, sent_at: Instant, fate: Fate = Fate.FLYING) -> None:
        self.chunk = chunk
        self.sent_at = sent_at
        self.size = len(chunk)
        self.message = message
        self.fate = fate
        self.misses = 0
        self.retransmits = 0
        self.boundary = 0
        """Only TSNs above it testify that this chunk is missing."""


class Outstanding:
    """The sending half's view of TSNs."""

    __slots__ = (
        "_gaps",
        "_hole_top",
        "_lost",
        "_suspects",
        "abandoned",
        "advanced",
        "chunks",
        "cumulative",
        "flight",
        "forward_tsn_due",
        "newly_lost",
        "next_tsn",
        "partial_reliability",
        "sampled_at",
    )

    def __init__(self, initial_tsn: int) -> None:
        self.next_tsn = initial_tsn
        self.cumulative = initial_tsn - 1
        self.advanced = initial_tsn - 1
        """Advanced.Peer.Ack.Point: how far the peer may go once it knows what was abandoned."""
        self.chunks: dict[int, Sent] = {}
        self.flight = 0
        self.partial_reliability = False
        """Whether the peer understands FORWARD TSN; without it every message is reliable."""
        self.forward_tsn_due = False
        self.newly_lost = False
        """Set when a chunk was declared lost by missing reports; the caller takes it back."""
        self.abandoned: list[Message] = []
        """Messages given up since the caller last looked."""
        self.sampled_at: Instant | None = None
        """When the newest of the chunks just acknowledged was sent, if none of them was sent twice or believed lost:
        then it measures the round trip (Karn's rule). The caller takes it back."""
        self._gaps: list[tuple[int, int]] = []
        self._hole_top = initial_tsn - 1
        self._suspects: dict[int, Sent] = {}
        self._lost: list[int] = []

    def unwrap(self, tsn: int) -> int:
        """The unwrapped form of a TSN from the wire: the one nearest to the cumulative point."""
        distance = (tsn - self.cumulative) & TSN_MASK
        return self.cumulative + (distance if distance < 0x80000000 else distance - 0x100000000)

    @property
    def has_gaps(self) -> bool:
        """Whether the last acknowledgment had gap blocks."""
        return bool(self._gaps)

    # --- acknowledgments ------------------------------------------------------------------------------------------

    def acknowledge(self, cumulative: int) -> int:
        """Everything up to `cumulative` (not above `next_tsn - 1`) has arrived. Returns: bytes newly acknowledged."""
        chunks = self.chunks
        acked = 0
        flight = self.flight
        sent: Sent | None = None
        ambiguous = False
        for tsn in range(self.cumulative + 1, cumulative + 1):
            sent = chunks.pop(tsn)
            fate = sent.fate
            if fate is _FLYING:
                acked += sent.size
                flight -= sent.size
                if sent.retransmits:
                    ambiguous = True
            elif fate is _LOST:
                acked += sent.size
                ambiguous = True
        # The last chunk of the range is the newest; one acknowledged by a gap block before says nothing new.
        if sent is not None and sent.fate is _FLYING and not ambiguous:
            self.sampled_at = sent.sent_at
        self.flight = flight
        self.cumulative = cumulative
        if cumulative > self.advanced:
            self.advanced = cumulative
        return acked

    def acknowledge_gaps(
        self, blocks: list[tuple[int, int]], *, acked_cumulative: bool, in_recovery: bool, now: Instant
    ) -> int:
        """Takes the gap blocks (ascending, disjoint, within what was sent). Returns: bytes newly acknowledged.

        `acked_cumulative`: this SACK has moved the cumulative point. Sets `newly_lost`.
        """
        old = self._gaps
        if old and old[0][0] <= self.cumulative:
            floor = self.cumulative
            old = [(max(start, floor + 1), end) for start, end in old if end > floor]
        self._gaps = blocks
        chunks = self.chunks
        acked = 0
        highest = 0
        newest = 0.0
        ambiguous = False
        for start, end in _difference(blocks, old):
            for tsn in range(start, end + 1):
                sent = chunks[tsn]
                fate = sent.fate
                if fate is _FLYING:
                    self.flight -= sent.size
                elif fate is not _LOST:
                    continue
                if sent.retransmits or fate is _LOST:
                    ambiguous = True
                sent.fate = Fate.ACKED
                acked += sent.size
                highest = tsn
                newest = sent.sent_at
        if ambiguous:
            self.sampled_at = None
        elif highest:
            self.sampled_at = newest
        for start, end in _difference(old, blocks):
            # The peer took an acknowledgment back (RFC 9260 section 6.2.1 D iii).
            for tsn in range(start, end + 1):
                sent = chunks[tsn]
                if sent.fate is _ACKED:
                    sent.fate = Fate.FLYING
                    self.flight += sent.size
                    self._suspects[tsn] = sent
        if not blocks:
            return acked
        self._find_suspects(blocks)
        if in_recovery and acked_cumulative:
            highest = blocks[-1][1]
        if highest and self._suspects:
            self._report_missing(highest, now)
        return acked

    def _find_suspects(self, blocks: list[tuple[int, int]]) -> None:
        low = max(self._hole_top, self.cumulative) + 1
        for start, end in blocks:
            if end < low:
                continue
            for tsn in range(low, start):
                sent = self.chunks[tsn]
                if sent.fate is _FLYING:
                    self._suspects[tsn] = sent
            low = end + 1
        self._hole_top = low - 1

    def _report_missing(self, highest: int, now: Instant) -> None:
        suspects = self._suspects
        floor = self.cumulative
        for tsn, sent in list(suspects.items()):
            if tsn <= floor or sent.fate is not _FLYING:
                del suspects[tsn]
            elif tsn < highest and sent.boundary < highest:
                sent.misses += 1
                if sent.misses >= MISSING_REPORTS:
                    del suspects[tsn]
                    self.newly_lost = True
                    self._lose(tsn, sent, now)

    def _lose(self, tsn: int, sent: Sent, now: Instant) -> None:
        """A chunk in flight counts as lost: it is given up or waits to be sent again."""
        message = sent.message
        if self.partial_reliability and (
            message.expires <= now
            or (message.max_retransmits is not None and sent.retransmits >= message.max_retransmits)
        ):
            self.abandon(message)
            return
        self.flight -= sent.size
        sent.fate = Fate.LOST
        heappush(self._lost, tsn)

    def lose_first(self, now: Instant) -> bool:
        """The first chunk in flight counts as lost. Returns: whether there was one."""
        for tsn, sent in self.chunks.items():
            if sent.fate is _FLYING:
                self._suspects.pop(tsn, None)
                self._lose(tsn, sent, now)
                return True
        return False

    # --- time-outs ------------------------------------------------------------------------------------------------

    def lose_all(self, now: Instant) -> None:
        """The retransmission timer expired: everything in flight counts as lost."""
        for tsn, sent in list(self.chunks.items()):  # giving a message up may add a chunk
            if sent.fate is _FLYING:
                self._lose(tsn, sent, now)
        self._suspects.clear()
        self._hole_top = self.cumulative

    # --- retransmission -------------------------------------------------------------------------------------------

    def has_lost(self, now: Instant) -> bool:
        """Whether a chunk waits to be sent again; gives up those whose lifetime has passed meanwhile."""
        return self.peek_lost(now) is not None

    def peek_lost(self, now: Instant) -> Sent | None:
        """The first chunk that waits to be sent again."""
        lost = self._lost
        while lost:
            sent = self.chunks.get(lost[0])
            if sent is not None and sent.fate is _LOST:
                if not self.partial_reliability or sent.message.expires > now:
                    return sent
                self.abandon(sent.message)
            heappop(lost)
        return None

    def take_lost(self) -> Sent:
        """Puts the chunk that `peek_lost` showed in flight again."""
        tsn = heappop(self._lost)
        sent = self.chunks[tsn]
        sent.fate = Fate.FLYING
        sent.misses = 0
        sent.retransmits += 1
        sent.boundary = self.next_tsn - 1
        self.flight += sent.size
        if tsn <= self._hole_top:
            self._suspects[tsn] = sent
        return sent

    # --- abandonment ----------------------------------------------------------------------------------------------

    def abandon(self, message: Message) -> None:
        """Gives a message up: all its chunks, and the rest that was never sent.

        A message partly sent gets one more TSN that stands for the rest: the peer may have all that was sent, so
        without it there would be nothing to move it past the fragments it keeps.
        """
        if message.abandoned:
            return
        message.abandoned = True
        self.abandoned.append(message)
        for tsn in range(max(message.first_tsn, self.cumulative + 1), message.last_tsn + 1):
            sent = self.chunks[tsn]
            if sent.fate is _FLYING:
                self.flight -= sent.size
            sent.fate = Fate.ABANDONED
        if message.offset < message.size:
            tsn = self.next_tsn
            self.next_tsn = tsn + 1
            message.last_tsn = tsn
            self.chunks[tsn] = Sent(b"", message, 0.0, Fate.ABANDONED)
        self.advance()

    def advance(self) -> None:
        """Moves the advanced point over abandoned chunks; a FORWARD TSN is due if there is anything to tell."""
        chunks = self.chunks
        advanced = self.advanced
        while (sent := chunks.get(advanced + 1)) is not None and sent.fate is _ABANDONED:
            advanced += 1
        self.advanced = advanced
        if advanced > self.cumulative:
            self.forward_tsn_due = True

    def forward_tsn(self, room: int) -> bytes:
        """The FORWARD TSN chunk, at most `room` bytes: it goes as far as the streams it must name fit."""
        self.forward_tsn_due = False
        streams: dict[int, int] = {}
        point = self.cumulative
        limit = (room - 8) // 4
        for tsn in range(self.cumulative + 1, self.advanced + 1):
            message = self.chunks[tsn].message
            if not message.unordered:
                if message.stream.id not in streams and len(streams) >= limit:
                    break
                streams[message.stream.id] = message.ssn
            point = tsn
        return ForwardTsnChunk(new_cumulative_tsn=point & TSN_MASK, streams=tuple(streams.items())).serialize()


def _difference(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The intervals of `a` that `b` does not cover. Both ascending and disjoint."""
    if not a:
        return
    at, count = 0, len(b)
    for start, end in a:
        while at < count and b[at][1] < start:
            at += 1
        low = start
        look = at
        while look < count and b[look][0] <= end:
            if b[look][0] > low:
                yield low, b[look][0] - 1
            low = b[look][1] + 1
            look += 1
        if look > at:
            at = look - 1
        if low <= end:
            yield low, end
