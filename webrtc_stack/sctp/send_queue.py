"""Messages waiting to be sent: a queue a stream, served in turns, message by message.

A message's fragments have consecutive TSNs, so a stream keeps its turn until its message is wholly sent (without
I-DATA there is no interleaving). A reset of a stream waits until everything queued before it has been sent; what is
queued after it waits until the peer has answered.

Spec: RFC 9260 sections 6.6, 6.9; RFC 3758 section 3.5; RFC 6525 section 5.1.2; RFC 8831 section 6.4.
Invariants: `buffered_bytes` is the sum of all streams' `buffered`; a stream is in `active` exactly when it may send.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

from ..base import NEVER, Instant


class ResetState(IntEnum):
    """How far the reset of an outgoing stream is."""

    NONE = 0
    WAITING = 1
    """For the queue to drain, or for its turn."""
    REQUESTED = 2


class Message:
    """A user message on its way out."""

    __slots__ = (
        "abandoned",
        "data",
        "expires",
        "first_tsn",
        "last_tsn",
        "max_retransmits",
        "offset",
        "ppid",
        "size",
        "ssn",
        "stream",
        "unordered",
    )

    def __init__(
        self,
        stream: OutStream,
        ppid: int,
        data: bytes,
        unordered: bool,
        max_retransmits: int | None,
        expires: Instant,
    ) -> None:
        self.stream = stream
        self.ppid = ppid
        self.data = data
        self.size = len(data)
        self.unordered = unordered
        self.max_retransmits = max_retransmits
        self.expires = expires
        self.offset = 0
        self.ssn = 0
        self.first_tsn = 0
        self.last_tsn = 0
        self.abandoned = False


class OutStream:
    """One outgoing stream."""

    __slots__ = ("after_reset", "buffered", "id", "next_ssn", "queue", "reset", "told")

    def __init__(self, stream_id: int) -> None:
        self.id = stream_id
        self.queue: deque[Message] = deque()
        self.after_reset: deque[Message] = deque()
        self.next_ssn = 0
        self.buffered = 0
        self.told = 0
        """Bytes that left `buffered` since the last `BufferedAmountDecreased`."""
        self.reset = ResetState.NONE


class SendQueue:
    """All outgoing streams of one association."""

    __slots__ = ("active", "buffered_bytes", "changed", "streams", "wishes")

    def __init__(self) -> None:
        self.streams: dict[int, OutStream] = {}
        self.active: deque[OutStream] = deque()
        self.buffered_bytes = 0
        self.changed: dict[int, OutStream] = {}
        """Streams with something to tell: see `OutStream.told`."""
        self.wishes: dict[int, OutStream] = {}
        """Streams to be reset whose request is not sent yet."""

    def push(
        self, stream_id: int, ppid: int, data: bytes, unordered: bool, max_retransmits: int | None, expires: Instant
    ) -> None:
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.streams[stream_id] = OutStream(stream_id)
        message = Message(stream, ppid, data, unordered, max_retransmits, expires)
        stream.buffered += message.size
        self.buffered_bytes += message.size
        if stream.reset:
            stream.after_reset.append(message)
            return
        if not stream.queue:
            self.active.append(stream)
        stream.queue.append(message)

    def took(self, stream: OutStream, size: int) -> None:
        """`size` bytes of a stream are no longer waiting: sent for the first time, or dropped."""
        stream.buffered -= size
        stream.told += size
        self.buffered_bytes -= size
        self.changed[stream.id] = stream

    def finish_head(self) -> None:
        """The message whose turn it was is wholly sent or dropped: the next stream has its turn."""
        active = self.active
        stream = active[0]
        stream.queue.popleft()
        if not stream.queue:
            active.popleft()
        elif len(active) > 1:
            active.rotate(-1)

    def drop_expired(self, now: Instant) -> list[Message]:
        """Removes messages whose lifetime has passed and of which nothing is sent. Returns: them."""
        dropped = []
        for stream in self.streams.values():
            for queue in (stream.queue, stream.after_reset):
                stale = [message for message in queue if message.expires <= now and not message.offset]
                if stale:
                    gone = set(map(id, stale))
                    kept = [message for message in queue if id(message) not in gone]
                    queue.clear()
                    queue.extend(kept)
                    dropped += stale
                    self.took(stream, sum(message.size for message in stale))
            if not stream.queue and stream in self.active:
                self.active.remove(stream)
        return dropped

    def next_expiry(self) -> Instant:
        """The earliest end of a waiting message's lifetime."""
        return min(
            (
                message.expires
                for stream in self.streams.values()
                for queue in (stream.queue, stream.after_reset)
                for message in queue
            ),
            default=NEVER,
        )

    def wish_reset(self, stream_id: int) -> None:
        """This stream is to be reset behind what it has queued."""
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.streams[stream_id] = OutStream(stream_id)
        if stream.reset is ResetState.NONE:
            stream.reset = ResetState.WAITING
            self.wishes[stream_id] = stream

    def take_resettable(self, limit: int) -> list[OutStream]:
        """Up to `limit` streams whose reset may be requested now; they count as requested."""
        ready = [stream for stream in self.wishes.values() if not stream.queue][:limit]
        for stream in ready:
            stream.reset = ResetState.REQUESTED
            del self.wishes[stream.id]
        return ready

    def reset_done(self, stream: OutStream, performed: bool) -> None:
        """The peer has answered: sequence numbers begin anew if it did it, and what waited may go."""
        stream.reset = ResetState.NONE
        self.wishes.pop(stream.id, None)
        if performed:
            stream.next_ssn = 0
        if stream.after_reset:
            if not stream.queue:
                self.active.append(stream)
            stream.queue.extend(stream.after_reset)
            stream.after_reset.clear()
        elif performed and not stream.told:
            self.streams.pop(stream.id, None)

    def clear(self) -> None:
        """Forgets everything: a restart, or the end."""
        self.streams.clear()
        self.active.clear()
        self.changed.clear()
        self.wishes.clear()
        self.buffered_bytes = 0
