"""Handshake messages out of fragments: any size, any order, duplicated, overlapping; delivered whole and in order.

Fragments of the message that is due next and of a few after it are kept; what lies behind is reported as `OLD`, which
tells the endpoint that the peer retransmits. Memory is bounded by the *claimed* length of what is kept.

Fragments of epoch 0 are not authenticated. One that contradicts what is kept (another length or type) replaces it:
the peer's retransmission then heals what a forged fragment broke, while the opposite rule would let a single forged
fragment stop a handshake for good. An authenticated fragment is never replaced by an unauthenticated one.

Spec: RFC 6347 section 4.2.3.
"""

from __future__ import annotations

from enum import Enum

from .messages import Fragment, HandshakeMessage


class Outcome(Enum):
    """What became of a fragment."""

    KEPT = "kept"
    DUPLICATE = "duplicate_fragment"
    OLD = "old_message"
    TOO_LARGE = "message_too_large"
    TOO_FAR_AHEAD = "message_too_far_ahead"
    NO_ROOM = "reassembly_full"
    CONTRADICTS = "contradicts_authenticated"


class _Partial:
    """One message under assembly: its bytes and which of them have come, as sorted, disjoint spans."""

    __slots__ = ("buffer", "epoch", "length", "spans", "type")

    def __init__(self, kind: int, length: int, epoch: int) -> None:
        self.type = kind
        self.length = length
        self.epoch = epoch
        self.buffer = bytearray(length)
        self.spans: list[tuple[int, int]] = []

    @property
    def complete(self) -> bool:
        return not self.length or (len(self.spans) == 1 and self.spans[0] == (0, self.length))

    def add(self, start: int, data: bytes) -> bool:
        """Takes what is new of `data`; bytes that are there already stay. False if nothing was new."""
        end = start + len(data)
        merged: list[tuple[int, int]] = []
        gaps: list[tuple[int, int]] = []
        position, low, high = start, start, end
        for span_start, span_end in self.spans:
            if span_end < start or span_start > end:
                merged.append((span_start, span_end))
                continue
            if position < span_start:
                gaps.append((position, min(span_start, end)))
            position = max(position, span_end)
            low, high = min(low, span_start), max(high, span_end)
        if position < end:
            gaps.append((position, end))
        if not gaps:
            return False
        for gap_start, gap_end in gaps:
            self.buffer[gap_start:gap_end] = data[gap_start - start : gap_end - start]
        merged.append((low, high))
        merged.sort()
        self.spans = merged
        return True


class Reassembler:
    """Collects fragments and hands out messages in the order of their `message_seq`."""

    __slots__ = ("_max_ahead", "_max_bytes", "_max_message_bytes", "_partial", "buffered_bytes", "next_seq")

    def __init__(self, *, max_message_bytes: int, max_bytes: int, max_ahead: int = 10) -> None:
        self._max_message_bytes = max_message_bytes
        self._max_bytes = max_bytes
        self._max_ahead = max_ahead
        self._partial: dict[int, _Partial] = {}
        self.buffered_bytes = 0
        """Claimed bytes of all messages under assembly."""
        self.next_seq = 0
        """The `message_seq` that is due next."""

    def push(self, fragment: Fragment, epoch: int) -> Outcome:
        """Takes one fragment that came in a record of `epoch`."""
        seq = fragment.message_seq
        if seq < self.next_seq:
            return Outcome.OLD
        if seq >= self.next_seq + self._max_ahead:
            return Outcome.TOO_FAR_AHEAD
        if fragment.length > self._max_message_bytes:
            return Outcome.TOO_LARGE
        partial = self._partial.get(seq)
        if partial is not None and (
            partial.length != fragment.length or partial.type != fragment.type or partial.epoch != epoch
        ):
            if partial.epoch > epoch:
                return Outcome.CONTRADICTS
            self._forget(seq)
            partial = None
        if partial is None:
            if not self._make_room(seq, fragment.length):
                return Outcome.NO_ROOM
            partial = self._partial[seq] = _Partial(fragment.type, fragment.length, epoch)
            self.buffered_bytes += fragment.length
            if not fragment.length:
                return Outcome.KEPT
        return Outcome.KEPT if partial.add(fragment.offset, fragment.data) else Outcome.DUPLICATE

    def _make_room(self, seq: int, length: int) -> bool:
        """Whether `length` bytes more fit; the message due next may push out the ones furthest ahead."""
        while self.buffered_bytes + length > self._max_bytes:
            furthest = max(self._partial, default=seq)
            if furthest <= seq:
                return False
            self._forget(furthest)
        return True

    def _forget(self, seq: int) -> None:
        self.buffered_bytes -= self._partial.pop(seq).length

    def pop(self) -> HandshakeMessage | None:
        """The next message if it is complete."""
        partial = self._partial.get(self.next_seq)
        if partial is None or not partial.complete:
            return None
        message = HandshakeMessage(partial.type, self.next_seq, bytes(partial.buffer), partial.epoch)
        self._forget(self.next_seq)
        self.next_seq += 1
        return message

    def clear(self) -> None:
        """Drops everything under assembly."""
        self._partial.clear()
        self.buffered_bytes = 0
