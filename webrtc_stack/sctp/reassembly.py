"""From DATA chunks to messages: fragments joined, ordered streams put in order.

A message is found by (stream, message id). With DATA the id of an ordered message is its stream sequence number, and
an unordered one is a run of consecutive TSNs; I-DATA (RFC 8260) will bring ids of its own.

Spec: RFC 9260 sections 6.5, 6.6, 6.9; RFC 3758 section 3.6; RFC 6525 section 5.2.2.
Invariants: `buffered_bytes` is what is held here, each fragment charged `FRAGMENT_OVERHEAD` beside its bytes, so that
tiny fragments cannot hold far more memory than the receive window says. Limits are the caller's: it asks before `add`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .chunks import FLAG_BEGIN, FLAG_END, FLAG_UNORDERED
from .events import AssociationEvent, MessageReceived

FRAGMENT_OVERHEAD: Final = 128
_WHOLE: Final = FLAG_BEGIN | FLAG_END
_SSN_MASK: Final = 0xFFFF
_SSN_HALF: Final = 0x8000


class _Ordered:
    """Fragments of one ordered message, by TSN."""

    __slots__ = ("first", "fragments", "last", "ppid")

    def __init__(self) -> None:
        self.fragments: dict[int, bytes] = {}
        self.first: int | None = None
        self.last: int | None = None
        self.ppid = 0

    def is_complete(self) -> bool:
        first, last = self.first, self.last
        return first is not None and last is not None and len(self.fragments) == last - first + 1

    def size(self) -> int:
        return sum(map(len, self.fragments.values())) + FRAGMENT_OVERHEAD * len(self.fragments)


class _Run:
    """Fragments with consecutive TSNs, all of one unordered message."""

    __slots__ = ("end", "has_begin", "has_end", "parts", "ppid", "start")

    def __init__(self, tsn: int, ppid: int, data: bytes, flags: int) -> None:
        self.start = tsn
        self.end = tsn
        self.parts = [data]
        self.ppid = ppid
        self.has_begin = bool(flags & FLAG_BEGIN)
        self.has_end = bool(flags & FLAG_END)

    def size(self) -> int:
        return sum(map(len, self.parts)) + FRAGMENT_OVERHEAD * len(self.parts)


class InStream:
    """What one incoming stream waits for."""

    __slots__ = ("by_end", "by_start", "next_ssn", "waiting")

    def __init__(self) -> None:
        self.next_ssn = 0
        self.waiting: dict[int, _Ordered] = {}
        """Ordered messages that are incomplete or out of turn, by stream sequence number."""
        self.by_start: dict[int, _Run] = {}
        self.by_end: dict[int, _Run] = {}

    def turn(self, ssn: int) -> int:
        """How many messages come before this one."""
        return (ssn - self.next_ssn) & _SSN_MASK


class Reassembly:
    """All incoming streams of one association."""

    __slots__ = ("_loose", "buffered_bytes", "delivered_bytes", "streams")

    def __init__(self) -> None:
        self.streams: dict[int, InStream] = {}
        self._loose: dict[int, InStream] = {}
        """Streams with incomplete unordered messages: a FORWARD TSN looks at these, not at all."""
        self.buffered_bytes = 0
        self.delivered_bytes = 0
        """Sum over all messages delivered by `add` and `skip`, ever."""

    def add(
        self, tsn: int, flags: int, stream_id: int, ssn: int, ppid: int, data: bytes, out: list[AssociationEvent]
    ) -> None:
        """Takes one new chunk; appends the messages it completes, in order, to `out`."""
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.streams[stream_id] = InStream()
        if flags & FLAG_UNORDERED:
            if flags & _WHOLE == _WHOLE:
                self.delivered_bytes += len(data)
                out.append(MessageReceived(stream_id, ppid, data))
            else:
                self._add_unordered(stream, tsn, flags, stream_id, ppid, data, out)
            return
        if ssn == stream.next_ssn and flags & _WHOLE == _WHOLE and ssn not in stream.waiting:
            stream.next_ssn = (ssn + 1) & _SSN_MASK
            self.delivered_bytes += len(data)
            out.append(MessageReceived(stream_id, ppid, data))
        else:
            if (ssn - stream.next_ssn) & _SSN_MASK >= _SSN_HALF:
                return  # a sequence number from the past under a new TSN: the peer broke the order, nothing to join
            message = stream.waiting.get(ssn)
            if message is None:
                message = stream.waiting[ssn] = _Ordered()
            message.fragments[tsn] = data
            self.buffered_bytes += len(data) + FRAGMENT_OVERHEAD
            if flags & FLAG_BEGIN:
                message.first = tsn
                message.ppid = ppid
            if flags & FLAG_END:
                message.last = tsn
            if ssn != stream.next_ssn or not (message.first is not None and message.last is not None):
                return
        if stream.waiting:
            self._deliver_ordered(stream, stream_id, out)

    def _deliver_ordered(self, stream: InStream, stream_id: int, out: list[AssociationEvent]) -> None:
        waiting = stream.waiting
        while True:
            message = waiting.get(stream.next_ssn)
            if message is None or not message.is_complete():
                return
            del waiting[stream.next_ssn]
            stream.next_ssn = (stream.next_ssn + 1) & _SSN_MASK
            self._hand_over(message, stream_id, out)

    def _hand_over(self, message: _Ordered, stream_id: int, out: list[AssociationEvent]) -> None:
        fragments = message.fragments
        assert message.first is not None and message.last is not None
        try:
            data = b"".join([fragments[tsn] for tsn in range(message.first, message.last + 1)])
        except KeyError:
            # Fragments of other TSNs under the same sequence number: the peer mixed two messages.
            self.buffered_bytes -= message.size()
            return
        self.buffered_bytes -= len(data) + FRAGMENT_OVERHEAD * len(fragments)
        self.delivered_bytes += len(data)
        out.append(MessageReceived(stream_id, message.ppid, data))

    def _add_unordered(
        self,
        stream: InStream,
        tsn: int,
        flags: int,
        stream_id: int,
        ppid: int,
        data: bytes,
        out: list[AssociationEvent],
    ) -> None:
        run = _Run(tsn, ppid, data, flags)
        self.buffered_bytes += len(data) + FRAGMENT_OVERHEAD
        if not run.has_begin:
            left = stream.by_end.get(tsn - 1)
            if left is not None and not left.has_end:
                del stream.by_end[tsn - 1]
                left.parts.append(data)
                left.end = tsn
                left.has_end = run.has_end
                run = left
        if not run.has_end:
            right = stream.by_start.get(tsn + 1)
            if right is not None and not right.has_begin:
                del stream.by_start[tsn + 1]
                if run.start in stream.by_start:
                    del stream.by_start[run.start]
                run.parts += right.parts
                run.end = right.end
                run.has_end = right.has_end
        if run.has_begin and run.has_end:
            stream.by_start.pop(run.start, None)
            stream.by_end.pop(run.end, None)
            message = b"".join(run.parts)
            self.buffered_bytes -= len(message) + FRAGMENT_OVERHEAD * len(run.parts)
            self.delivered_bytes += len(message)
            out.append(MessageReceived(stream_id, run.ppid, message))
            if not stream.by_start:
                self._loose.pop(stream_id, None)
        else:
            stream.by_start[run.start] = run
            stream.by_end[run.end] = run
            self._loose[stream_id] = stream

    def skip(self, cumulative: int, streams: Iterable[tuple[int, int]], out: list[AssociationEvent]) -> None:
        """FORWARD TSN: the sender gave up what lies at or below `cumulative`, and these (stream, sequence number)."""
        for stream_id, ssn in streams:
            stream = self.streams.get(stream_id)
            if stream is None:
                stream = self.streams[stream_id] = InStream()
            distance = (ssn - stream.next_ssn) & _SSN_MASK
            if distance >= _SSN_HALF:
                continue
            if stream.waiting:
                # Whole messages that waited for the abandoned ones are still good, in their order.
                skipped = [key for key in stream.waiting if (key - stream.next_ssn) & _SSN_MASK <= distance]
                for key in sorted(skipped, key=stream.turn):
                    message = stream.waiting.pop(key)
                    if message.is_complete():
                        self._hand_over(message, stream_id, out)
                    else:
                        self.buffered_bytes -= message.size()
            stream.next_ssn = (ssn + 1) & _SSN_MASK
            self._deliver_ordered(stream, stream_id, out)
        for stream_id, stream in list(self._loose.items()):
            for run in [run for run in stream.by_start.values() if run.start <= cumulative]:
                del stream.by_start[run.start], stream.by_end[run.end]
                self.buffered_bytes -= run.size()
            if not stream.by_start:
                del self._loose[stream_id]

    def reset(self, stream_ids: Iterable[int]) -> None:
        """The peer reset these streams: what is incomplete there never will be complete."""
        for stream_id in stream_ids:
            stream = self.streams.pop(stream_id, None)
            self._loose.pop(stream_id, None)
            if stream is not None:
                self.buffered_bytes -= sum(message.size() for message in stream.waiting.values())
                self.buffered_bytes -= sum(run.size() for run in stream.by_start.values())
