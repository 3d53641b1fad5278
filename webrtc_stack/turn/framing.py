"""STUN messages and ChannelData on a byte stream: where one ends and the next begins.

A `Framer` takes what came from TCP or TLS and gives whole messages, padding removed; each is then what a datagram
would have been. It holds at most one incomplete message. A stream that is not TURN cannot be resynchronised: `error`
says so, and nothing more comes out.

Spec: RFC 8656 section 12.5 and 3.1 (first two bits tell the two apart), RFC 8489 section 6.2.2.
"""

from __future__ import annotations

from typing import Final

from ..errors import InvalidArgumentError, ParseError
from ..stun import HEADER_BYTES, MAGIC_COOKIE
from .channel_data import CHANNEL_HEADER_BYTES

_COOKIE: Final = MAGIC_COOKIE.to_bytes(4, "big")
LARGEST_FRAME: Final = HEADER_BYTES + 0xFFFF


class Framer:
    """Cuts a stream into messages."""

    __slots__ = ("_buffer", "_max_frame_bytes", "_wanted", "error")

    def __init__(self, max_frame_bytes: int = LARGEST_FRAME) -> None:
        """`max_frame_bytes`: a message that announces more ends the stream; 65555 is all that the formats can say.

        Errors: `InvalidArgumentError` below 64.
        """
        if max_frame_bytes < 64:
            raise InvalidArgumentError(f"max_frame_bytes must be at least 64, got {max_frame_bytes}")
        self._max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()
        self._wanted = 0
        self.error: ParseError | None = None
        """Why the stream cannot be read on; None while it can."""

    @property
    def buffered(self) -> int:
        """Bytes of a message that has not come to its end."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes. Never raises: look at `error`.

        Cost: O(bytes), one copy a message.
        """
        if self.error is not None:
            return []
        waiting = self._buffer
        if waiting:
            waiting += data
            if len(waiting) < self._wanted:
                return []  # a message that drips in costs nothing but its own bytes
        buffer = bytes(waiting) if waiting else data
        frames: list[bytes] = []
        at, size, wanted = 0, len(buffer), 0
        broken: ParseError | None = None
        while size - at >= CHANNEL_HEADER_BYTES:
            first = buffer[at]
            length = buffer[at + 2] << 8 | buffer[at + 3]
            if first < 4:
                end = following = HEADER_BYTES + length
                if length & 3:
                    broken = _error(f"a STUN message of {length} bytes", at + 2)
                    break
                if size - at >= 8 and buffer[at + 4 : at + 8] != _COOKIE:
                    broken = _error("the magic cookie is missing", at + 4)
                    break
            elif 0x40 <= first <= 0x7F:
                end = CHANNEL_HEADER_BYTES + length
                following = end + (-length & 3)
            else:
                broken = _error(f"neither STUN nor ChannelData begins with {first:#04x}", at)
                break
            if end > self._max_frame_bytes:
                broken = _error(f"a message of {end} bytes, at most {self._max_frame_bytes} are allowed", at + 2)
                break
            if at + following > size:
                wanted = following if size - at >= 8 else 8  # a STUN message is looked at again with its cookie
                break
            frames.append(buffer[at : at + end])
            at += following
        self._wanted = wanted
        self.error = broken
        self._buffer = bytearray(buffer[at:]) if broken is None else bytearray()
        return frames


def _error(message: str, offset: int) -> ParseError:
    return ParseError(message, offset=offset, field="stream")
