"""Messages that came before their channel: kept a while, within bounds.

They happen when the peer uses a negotiated channel that this side has not made yet, when a peer sends unordered before
its DATA_CHANNEL_OPEN was acknowledged, and when a stream's next life begins before we know that its last one is over.
RFC 8832 section 6 would close such a channel at once; waiting first costs nothing and saves all of these.

Invariant: what is kept still counts against the receive window, so whoever fills this buffer blocks only himself.
"""

from __future__ import annotations

from ..base import NEVER, Instant


class EarlyMessages:
    """A bounded table stream -> messages, each stream with one deadline that starts with its first message."""

    __slots__ = ("_limit_bytes", "_limit_messages", "_messages", "_streams", "_timeout", "size")

    def __init__(self, *, limit_messages: int, limit_bytes: int, timeout: float) -> None:
        self._limit_messages = limit_messages
        self._limit_bytes = limit_bytes
        self._timeout = timeout
        self._streams: dict[int, tuple[Instant, list[tuple[int, bytes]]]] = {}
        self._messages = 0
        self.size = 0
        """Bytes kept."""

    def add(self, stream_id: int, ppid: int, data: bytes, now: Instant) -> bool:
        """Keeps one message; False if there is no room."""
        if self._messages >= self._limit_messages or self.size + len(data) > self._limit_bytes:
            return False
        entry = self._streams.get(stream_id)
        if entry is None:
            entry = self._streams[stream_id] = (now + self._timeout, [])
        entry[1].append((ppid, data))
        self._messages += 1
        self.size += len(data)
        return True

    def take(self, stream_id: int) -> list[tuple[int, bytes]]:
        """Everything kept for one stream, oldest first; it is kept no longer."""
        entry = self._streams.pop(stream_id, None)
        if entry is None:
            return []
        self._messages -= len(entry[1])
        self.size -= sum(len(data) for _, data in entry[1])
        return entry[1]

    def expired(self, now: Instant) -> list[int]:
        """Streams whose time is over; the caller takes their messages."""
        return [stream_id for stream_id, (deadline, _) in self._streams.items() if deadline <= now]

    def next_deadline(self) -> Instant:
        # One timeout for all, and a dict keeps the order of insertion: the first entry is due first.
        for deadline, _ in self._streams.values():
            return deadline
        return NEVER

    def streams(self) -> list[int]:
        return list(self._streams)
