"""Datagrams on a stream: two bytes of length in front of each.

Spec: RFC 4571 section 2, as RFC 6544 section 3 uses it for ICE and all that follows it on the same stream.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from ...errors import ParseError

MAX_FRAME_BYTES: Final = 0xFFFF
_LENGTH: Final = struct.Struct("!H")


def frame_many(datagrams: Iterable[bytes]) -> bytes:
    """Datagrams of at most 65535 bytes as the bytes to write. Cost: two C calls and one copy a datagram."""
    pack = _LENGTH.pack
    return b"".join([pack(len(data)) + data for data in datagrams])


class StreamFramer:
    """Cuts a stream into datagrams; holds at most one that is incomplete.

    Nothing on such a stream is malformed: every length is a length. So a `limit` ends what is no datagram of ours.
    """

    __slots__ = ("_buffer", "_limit", "error")

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._buffer = b""
        self._limit = limit
        self.error: ParseError | None = None
        """Why the stream cannot be read on; None while it can."""

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    def receive(self, data: bytes) -> list[bytes]:
        """The datagrams that `data` completes; empty ones are left out. Never raises: look at `error`.

        Cost: O(bytes), one copy a datagram.
        """
        if self.error is not None:
            return []
        buffer = self._buffer + data if self._buffer else data
        datagrams: list[bytes] = []
        at, size = 0, len(buffer)
        while size - at >= 2:
            end = at + 2 + (length := buffer[at] << 8 | buffer[at + 1])
            if length > self._limit:
                self.error = ParseError(f"a datagram of {length} bytes, at most {self._limit} are allowed", offset=at)
                self._buffer = b""
                return datagrams
            if end > size:
                break
            if length:
                datagrams.append(buffer[at + 2 : end])
            at = end
        self._buffer = buffer[at:]
        return datagrams
