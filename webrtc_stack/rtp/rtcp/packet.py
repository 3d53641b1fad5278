"""What all RTCP packets share: the common header, padding, and the two numbering registries.

Spec: RFC 3550 sections 6.1, 6.4; RFC 5761 section 4 (telling RTP from RTCP).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, Protocol

from ...errors import InvalidArgumentError, ParseError

_HEADER: Final = struct.Struct(">BBH")


class PacketType(IntEnum):
    """IANA's RTCP packet types."""

    SR = 200
    RR = 201
    SDES = 202
    BYE = 203
    APP = 204
    RTPFB = 205
    PSFB = 206
    XR = 207


class TransportFormat(IntEnum):
    """Formats (FMT) of transport layer feedback, packet type RTPFB."""

    NACK = 1
    TMMBR = 3
    TMMBN = 4
    RAPID_RESYNCHRONIZATION = 5
    ECN = 8
    CCFB = 11
    TRANSPORT_CC = 15


class PayloadFormat(IntEnum):
    """Formats (FMT) of payload-specific feedback, packet type PSFB."""

    PLI = 1
    SLI = 2
    RPSI = 3
    FIR = 4
    APPLICATION = 15


class RtcpPacket(Protocol):
    """What every value of this folder is: something that writes itself, padding included."""

    @property
    def padding(self) -> int: ...

    def serialize(self) -> bytes: ...


def is_rtcp(data: bytes) -> bool:
    """Whether a packet on a path that carries both is RTCP: its second byte is 192 to 223."""
    return len(data) > 1 and 192 <= data[1] <= 223


def too_short(body: bytes, wanted: int, field: str) -> ParseError:
    return ParseError(f"{len(body)} bytes, {wanted} wanted", offset=4 + len(body), field=field)


def build(packet_type: int, count: int, body: bytes, padding: int = 0) -> bytes:
    """Header, body and padding. Errors: `InvalidArgumentError` when that is no whole number of words."""
    if not 0 <= count <= 31:
        raise InvalidArgumentError(f"an RTCP packet counts to 31, not {count}; send another one")
    first = 0x80 | count
    if padding:
        if not 0 < padding < 256:
            raise InvalidArgumentError(f"padding is 0 to 255 bytes, not {padding}")
        first |= 0x20
        body += bytes(padding - 1) + bytes((padding,))
    words, rest = divmod(len(body), 4)
    if rest or words > 0xFFFF:
        raise InvalidArgumentError(f"{len(body)} bytes behind the header, expected a multiple of 4 up to 262140")
    return _HEADER.pack(first, packet_type, words) + body


def pack(layout: struct.Struct, what: str, *values: int) -> bytes:
    """`layout.pack`, with the library's own error."""
    try:
        return layout.pack(*values)
    except struct.error:
        raise InvalidArgumentError(f"a field of {what} is out of its range: {values}") from None
