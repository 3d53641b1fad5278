"""ChannelData: four bytes in front of a datagram, instead of a whole STUN message.

`ChannelData` is the codec; `wrap_many` and `unwrap` are its burst forms for the hot path: no Python call a packet, one
copy in each direction. Over UDP there is no padding; over a stream every message is padded to four bytes, which the
length does not count.

Spec: RFC 8656 sections 12 (channels), 12.4 and 12.5 (the message), 12.6 (padding on streams); RFC 7983 (first byte).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from ..base import PathId, Transmit
from ..errors import InvalidArgumentError, ParseError

FIRST_CHANNEL: Final = 0x4000
LAST_CHANNEL: Final = 0x4FFF
"""The last that a client should choose: RFC 7983 gave the numbers behind it away."""
LAST_OLD_CHANNEL: Final = 0x7FFF
"""The last that RFC 5766 knew. Clients of its time (coturn's among them) still choose from all of these, so they are
read everywhere."""
CHANNEL_HEADER_BYTES: Final = 4

make_transmit: Callable[[tuple[PathId, bytes, int]], Transmit] = partial(tuple.__new__, Transmit)
"""A `Transmit` without a Python-level call: it is a plain NamedTuple."""

_HEADER: Final = struct.Struct("!HH")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By the length modulo 4."""


def is_channel_data(data: bytes) -> bool:
    """Whether a datagram is ChannelData by its first byte, on a socket that others share (RFC 7983)."""
    return len(data) >= CHANNEL_HEADER_BYTES and 0x40 <= data[0] <= 0x4F


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelData:
    """One ChannelData message."""

    channel: int
    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> ChannelData:
        """Reads one message. What lies behind its length is padding and not looked at.

        Errors: `ParseError`.
        """
        if len(data) < CHANNEL_HEADER_BYTES:
            raise ParseError(f"a header has 4 bytes, got {len(data)}", offset=len(data), field="header")
        channel, length = _HEADER.unpack_from(data)
        if not FIRST_CHANNEL <= channel <= LAST_OLD_CHANNEL:
            raise ParseError(f"channel numbers are 0x4000 to 0x7fff, got {channel:#06x}", offset=0, field="channel")
        if length > len(data) - CHANNEL_HEADER_BYTES:
            raise ParseError(f"{length} bytes announced, {len(data) - 4} follow", offset=2, field="length")
        return cls(channel=channel, data=bytes(data[4 : 4 + length]))

    def serialize(self, *, padded: bool = False) -> bytes:
        """The message as bytes; `padded` to a multiple of four for a stream.

        Errors: `InvalidArgumentError` for a number or a length that does not fit.
        """
        if not FIRST_CHANNEL <= self.channel <= LAST_OLD_CHANNEL:
            raise InvalidArgumentError(f"channel numbers are 0x4000 to 0x7fff, got {self.channel:#x}")
        if len(self.data) > 0xFFFF:
            raise InvalidArgumentError(f"a datagram has at most 65535 bytes, got {len(self.data)}")
        return (
            _HEADER.pack(self.channel, len(self.data)) + self.data + (_PADDING[len(self.data) & 3] if padded else b"")
        )


def wrap_many(channel: int, datagrams: Iterable[bytes], *, padded: bool = False) -> list[bytes]:
    """Each datagram (of at most 65535 bytes) as a ChannelData message.

    Cost: two C calls and one copy a datagram.
    """
    pack = _HEADER.pack
    if padded:
        return [pack(channel, len(data)) + data + _PADDING[len(data) & 3] for data in datagrams]
    return [pack(channel, len(data)) + data for data in datagrams]


def unwrap(data: bytes) -> tuple[int, bytes] | None:
    """Channel number and datagram of one message; None for anything else. Never raises."""
    if len(data) < CHANNEL_HEADER_BYTES or not 0x40 <= data[0] <= 0x7F:
        return None
    channel, length = _HEADER.unpack_from(data)
    if length == len(data) - CHANNEL_HEADER_BYTES:
        return channel, data[4:]
    if length > len(data) - CHANNEL_HEADER_BYTES:
        return None
    return channel, data[4 : 4 + length]
