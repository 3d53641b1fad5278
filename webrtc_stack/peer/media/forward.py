"""Forwarding: packets of somebody else's stream become packets of ours, and what was lost stays lost.

A source keeps its distances: sequence numbers and timestamps are moved by one offset each, so that a gap arrives as a
gap and the receiver asks for what is missing (of us, who may have it from a retransmission by then). A new source, or
one that jumps, goes on where the last one ended, so that the receiver sees one stream.

Spec: RFC 7667 section 3.7 (selective forwarding; sequence numbers and timestamps of a projected stream).
"""

from __future__ import annotations

from typing import Final

from ...base import Instant, Unwrapper
from ...rtp import RtpPacket, streams

_JUMP: Final = 3000
"""A source that jumps further has begun anew (RFC 3550 A.1)."""
_WINDOW: Final = 1024
"""Late packets are forwarded so far behind the newest: what an SRTP receiver's replay window still takes."""


class Forwarder:
    """The rewriting of one outgoing stream."""

    __slots__ = ("_first", "_highest", "_seen", "_source", "_time_offset", "_unwrapper", "duplicates", "late")

    def __init__(self) -> None:
        self._source: int | None = None
        self._unwrapper = Unwrapper(16)
        self._first = 0
        self._highest = 0
        self._seen: set[int] = set()
        self._time_offset = 0
        self.late = 0
        self.duplicates = 0

    def restart(self) -> None:
        """Something else was sent in between: the next packet goes on behind that."""
        self._source = None

    def stamp(
        self, out: RtpPacket, source: RtpPacket, sent: streams.SentStream, continue_at: int, now: Instant
    ) -> RtpPacket | None:
        """Gives `out` its numbers. Returns: `out`, or None if this packet was sent before or comes too late.

        `continue_at` is the timestamp with which a new source goes on.
        """
        number = source.sequence_number
        index = self._unwrapper.peek(number)
        if source.ssrc != self._source or abs(index - self._highest) > _JUMP:
            self._source = source.ssrc
            self._unwrapper = Unwrapper(16)
            self._first = self._highest = index = self._unwrapper.unwrap(number)
            self._seen = set()
            self._time_offset = continue_at - source.timestamp
            out.timestamp = continue_at & 0xFFFFFFFF
            self._seen.add(index)
            return sent.stamp(out, now)
        out.timestamp = (source.timestamp + self._time_offset) & 0xFFFFFFFF
        if index > self._highest:
            self._unwrapper.unwrap(number)
            sent.sequence_number = (sent.sequence_number + index - self._highest - 1) & 0xFFFF
            self._highest = index
            self._seen.add(index)
            if len(self._seen) > 2 * _WINDOW:
                oldest = index - _WINDOW
                self._seen = {one for one in self._seen if one >= oldest}
            return sent.stamp(out, now)
        if index < self._first or index < self._highest - _WINDOW:
            self.late += 1
            return None
        if index in self._seen:
            self.duplicates += 1
            return None
        self._seen.add(index)
        after = sent.sequence_number
        sent.sequence_number = (after - 1 - (self._highest - index)) & 0xFFFF
        sent.stamp(out, now)
        sent.sequence_number = after
        return out
