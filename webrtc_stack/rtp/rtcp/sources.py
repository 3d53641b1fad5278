"""Who the sources are and when they leave: SDES, BYE, APP; and packets of unknown type, kept as they came.

Spec: RFC 3550 sections 6.5 to 6.7. Texts are bytes, with a reading as UTF-8 beside them: a bad character in a name is
no reason to lose a report.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from ...errors import InvalidArgumentError, ParseError
from .packet import PacketType, build, pack, too_short

_SSRC: Final = struct.Struct(">I")


class SdesType(IntEnum):
    """Kinds of SDES items."""

    CNAME = 1
    NAME = 2
    EMAIL = 3
    PHONE = 4
    LOC = 5
    TOOL = 6
    NOTE = 7
    PRIV = 8
    H323_CADDR = 9
    APSI = 10
    RGRP = 11
    RTP_STREAM_ID = 12
    REPAIRED_RTP_STREAM_ID = 13
    CCID = 14
    MID = 15


class SdesItem(NamedTuple):
    """One item; `type` is an `SdesType` number or another one, `value` up to 255 bytes."""

    type: int
    value: bytes

    @property
    def text(self) -> str:
        """The value as UTF-8; what is not valid shows as replacement characters."""
        return self.value.decode("utf-8", "replace")

    @property
    def private(self) -> tuple[bytes, bytes] | None:
        """(prefix, value) of a PRIV item; None for others and for a damaged one."""
        value = self.value
        if self.type != SdesType.PRIV or not value or value[0] >= len(value):
            return None
        return value[1 : 1 + value[0]], value[1 + value[0] :]


class SdesChunk(NamedTuple):
    """What is told about one source."""

    ssrc: int
    items: tuple[SdesItem, ...]

    @property
    def cname(self) -> str | None:
        """The canonical name, or None."""
        for item in self.items:
            if item.type == SdesType.CNAME:
                return item.text
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescription:
    """SDES: items about up to 31 sources."""

    chunks: tuple[SdesChunk, ...]
    padding: int = 0

    @classmethod
    def with_cname(cls, ssrc: int, cname: str) -> SourceDescription:
        """The one that every compound packet carries."""
        return cls(chunks=(SdesChunk(ssrc, (SdesItem(SdesType.CNAME, cname.encode()),)),))

    @classmethod
    def read(cls, count: int, body: bytes, padding: int) -> SourceDescription:
        chunks = []
        position, end = 0, len(body)
        for _ in range(count):
            if position + 4 > end:
                raise too_short(body, position + 4, "rtcp.sdes.chunk")
            ssrc = _SSRC.unpack_from(body, position)[0]
            position += 4
            items = []
            while True:
                if position >= end:
                    raise ParseError("items without a null octet behind them", offset=4 + end, field="rtcp.sdes.items")
                kind = body[position]
                if not kind:
                    position = (position + 4) & ~3  # one to four null octets, up to a whole word
                    break
                after = position + 2 + body[position + 1] if position + 1 < end else end + 1
                if after > end:
                    raise ParseError("an item does not fit", offset=4 + position, field="rtcp.sdes.items")
                items.append(SdesItem(kind, body[position + 2 : after]))
                position = after
            chunks.append(SdesChunk(ssrc, tuple(items)))
        return cls(chunks=tuple(chunks), padding=padding)

    def serialize(self) -> bytes:
        out = bytearray()
        for chunk in self.chunks:
            out += pack(_SSRC, "an SDES chunk", chunk.ssrc)
            for kind, value in chunk.items:
                if not 0 < kind < 256 or len(value) > 255:
                    raise InvalidArgumentError(f"item {kind} of {len(value)} bytes; types are 1 to 255, values to 255")
                out.append(kind)
                out.append(len(value))
                out += value
            out += bytes(4 - len(out) % 4)
        return build(PacketType.SDES, len(self.chunks), bytes(out), self.padding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """BYE: sources that leave; `reason` is None where none is given."""

    ssrcs: tuple[int, ...]
    reason: bytes | None = None
    padding: int = 0

    @classmethod
    def read(cls, count: int, body: bytes, padding: int) -> Bye:
        at = 4 * count
        if at > len(body):
            raise too_short(body, at, "rtcp.bye")
        reason: bytes | None = None
        if at < len(body):
            after = at + 1 + body[at]
            if after > len(body):
                raise too_short(body, after, "rtcp.bye.reason")
            reason = body[at + 1 : after]
        return cls(ssrcs=struct.unpack_from(f">{count}I", body), reason=reason, padding=padding)

    def serialize(self) -> bytes:
        body = b"".join([pack(_SSRC, "a BYE", ssrc) for ssrc in self.ssrcs])
        if self.reason is not None:
            if len(self.reason) > 255:
                raise InvalidArgumentError(f"a reason has at most 255 bytes, not {len(self.reason)}")
            body += bytes((len(self.reason),)) + self.reason
            body += bytes(-len(body) & 3)
        return build(PacketType.BYE, len(self.ssrcs), body, self.padding)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """APP: an application's own; `name` is four bytes, `data` a multiple of four."""

    subtype: int
    ssrc: int
    name: bytes
    data: bytes = b""
    padding: int = 0

    @classmethod
    def read(cls, count: int, body: bytes, padding: int) -> App:
        if len(body) < 8:
            raise too_short(body, 8, "rtcp.app")
        return cls(subtype=count, ssrc=_SSRC.unpack_from(body)[0], name=body[4:8], data=body[8:], padding=padding)

    def serialize(self) -> bytes:
        if len(self.name) != 4:
            raise InvalidArgumentError(f"the name of an APP packet has 4 bytes, not {len(self.name)}")
        body = pack(_SSRC, "an APP packet", self.ssrc) + self.name + self.data
        return build(PacketType.APP, self.subtype, body, self.padding)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownPacket:
    """A packet, or a feedback format, that is not known here: written back as it came."""

    packet_type: int
    count: int
    """The five bits behind the padding flag: a count, a subtype or a format."""
    body: bytes
    padding: int = 0

    def serialize(self) -> bytes:
        if not 0 <= self.packet_type <= 255:
            raise InvalidArgumentError(f"packet types are 0 to 255, not {self.packet_type}")
        return build(self.packet_type, self.count, self.body, self.padding)
