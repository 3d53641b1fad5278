"""Chunks as values: `parse` a body, `serialize` to padded bytes. Total: a value or a `ParseError`.

The hot path (DATA and SACK) works on packed bytes and does not come by here; this is for everything else, and for
people. An unknown chunk type survives as `UnknownChunk`, an unknown parameter as its number.

Spec: RFC 9260 section 3.3, RFC 3758 section 3.2, RFC 6525 section 3.1. Left out: I-DATA and I-FORWARD-TSN (RFC 8260;
they appear as `UnknownChunk`), AUTH, ASCONF, PKTDROP.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Self, TypeAlias

from ..errors import ParseError
from .registry import ChunkType, ParameterType

CHUNK_HEADER: Final = struct.Struct(">BBH")
DATA_HEADER: Final = struct.Struct(">BBHIHHI")
SACK_HEADER: Final = struct.Struct(">BBHIIHH")
_DATA_FIELDS: Final = struct.Struct(">IHHI")
_INIT_FIELDS: Final = struct.Struct(">IIHHI")
_SACK_FIELDS: Final = struct.Struct(">IIHH")
_PAIR: Final = struct.Struct(">HH")
_U32: Final = struct.Struct(">I")
PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")

FLAG_END: Final = 0x01
FLAG_BEGIN: Final = 0x02
FLAG_UNORDERED: Final = 0x04
FLAG_IMMEDIATE: Final = 0x08
FLAG_TAG_REFLECTED: Final = 0x01


class Parameter(NamedTuple):
    """A type and its bytes: a parameter, or an error cause (which has the same form)."""

    type: int
    value: bytes

    def serialize(self) -> bytes:
        """With padding."""
        size = len(self.value)
        return _PAIR.pack(self.type, size + 4) + self.value + PADDING[size & 3]


def parse_parameters(data: bytes, offset: int = 0) -> tuple[Parameter, ...]:
    """The parameters from `offset` to the end. Errors: `ParseError` when a length does not fit."""
    found = []
    end = len(data)
    while offset < end:
        if offset + 4 > end:
            raise ParseError(f"{end - offset} bytes left, a parameter has at least 4", offset=offset, field="parameter")
        kind, length = _PAIR.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            raise ParseError(f"length {length}, {end - offset} bytes left", offset=offset, field="parameter")
        found.append(Parameter(kind, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return tuple(found)


def serialize_parameters(parameters: Iterable[Parameter]) -> bytes:
    """All of them; the last one without its padding, which belongs to the chunk (RFC 9260 section 3.2)."""
    items = tuple(parameters)
    data = b"".join([item.serialize() for item in items])
    return data[: len(data) - (-len(items[-1].value) & 3)] if items else data


def pack_chunk(kind: int, flags: int, body: bytes) -> bytes:
    """Header, body and padding."""
    size = len(body)
    return CHUNK_HEADER.pack(kind, flags, size + 4) + body + PADDING[size & 3]


def _need(body: bytes, size: int, field: str) -> None:
    if len(body) < size:
        raise ParseError(f"{len(body)} bytes, at least {size} are needed", offset=len(body), field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChunk:
    """User data. Spec: RFC 9260 section 3.3.1."""

    type: ClassVar[int] = ChunkType.DATA
    tsn: int
    stream_id: int
    stream_sequence_number: int
    ppid: int
    data: bytes
    flags: int = FLAG_BEGIN | FLAG_END

    @classmethod
    def parse(cls, flags: int, body: bytes) -> DataChunk:
        _need(body, 12, "DATA")
        tsn, stream_id, ssn, ppid = _DATA_FIELDS.unpack_from(body)
        return cls(tsn=tsn, stream_id=stream_id, stream_sequence_number=ssn, ppid=ppid, data=body[12:], flags=flags)

    def serialize(self) -> bytes:
        head = _DATA_FIELDS.pack(self.tsn, self.stream_id, self.stream_sequence_number, self.ppid)
        return pack_chunk(self.type, self.flags, head + self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitChunk:
    """Spec: RFC 9260 section 3.3.2."""

    type: ClassVar[int] = ChunkType.INIT
    initiate_tag: int
    advertised_receiver_window: int
    outbound_streams: int
    inbound_streams: int
    initial_tsn: int
    parameters: tuple[Parameter, ...] = ()
    flags: int = 0

    @classmethod
    def parse(cls, flags: int, body: bytes) -> InitChunk:
        _need(body, 16, "INIT")
        tag, window, outbound, inbound, tsn = _INIT_FIELDS.unpack_from(body)
        return cls(
            initiate_tag=tag,
            advertised_receiver_window=window,
            outbound_streams=outbound,
            inbound_streams=inbound,
            initial_tsn=tsn,
            parameters=parse_parameters(body, 16),
            flags=flags,
        )

    def serialize(self) -> bytes:
        head = _INIT_FIELDS.pack(
            self.initiate_tag,
            self.advertised_receiver_window,
            self.outbound_streams,
            self.inbound_streams,
            self.initial_tsn,
        )
        return pack_chunk(self.type, self.flags, head + serialize_parameters(self.parameters))

    def parameter(self, kind: int) -> bytes | None:
        """The value of the first parameter of this type."""
        return next((item.value for item in self.parameters if item.type == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitAckChunk(InitChunk):
    """Spec: RFC 9260 section 3.3.3."""

    type: ClassVar[int] = ChunkType.INIT_ACK


@dataclass(frozen=True, slots=True, kw_only=True)
class SackChunk:
    """Spec: RFC 9260 section 3.3.4. Gap blocks are (start, end) offsets from the cumulative TSN."""

    type: ClassVar[int] = ChunkType.SACK
    cumulative_tsn_ack: int
    advertised_receiver_window: int
    gap_ack_blocks: tuple[tuple[int, int], ...] = ()
    duplicate_tsns: tuple[int, ...] = ()
    flags: int = 0

    @classmethod
    def parse(cls, flags: int, body: bytes) -> SackChunk:
        _need(body, 12, "SACK")
        cumulative, window, gaps, duplicates = _SACK_FIELDS.unpack_from(body)
        if len(body) != 12 + 4 * (gaps + duplicates):
            raise ParseError(f"{gaps} gap blocks and {duplicates} duplicates in {len(body)} bytes", field="SACK")
        numbers = struct.unpack_from(f">{2 * gaps}H{duplicates}I", body, 12)
        return cls(
            cumulative_tsn_ack=cumulative,
            advertised_receiver_window=window,
            gap_ack_blocks=tuple(zip(numbers[0 : 2 * gaps : 2], numbers[1 : 2 * gaps : 2], strict=True)),
            duplicate_tsns=numbers[2 * gaps :],
            flags=flags,
        )

    def serialize(self) -> bytes:
        gaps, duplicates = len(self.gap_ack_blocks), len(self.duplicate_tsns)
        body = _SACK_FIELDS.pack(self.cumulative_tsn_ack, self.advertised_receiver_window, gaps, duplicates)
        body += b"".join([_PAIR.pack(start, end) for start, end in self.gap_ack_blocks])
        return pack_chunk(self.type, self.flags, body + struct.pack(f">{duplicates}I", *self.duplicate_tsns))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ParametersChunk:
    """A chunk that is a list of parameters or error causes."""

    type: ClassVar[int] = -1
    parameters: tuple[Parameter, ...] = ()
    flags: int = 0

    @classmethod
    def parse(cls, flags: int, body: bytes) -> Self:
        return cls(parameters=parse_parameters(body), flags=flags)

    def serialize(self) -> bytes:
        return pack_chunk(self.type, self.flags, serialize_parameters(self.parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatChunk(_ParametersChunk):
    """Spec: RFC 9260 section 3.3.5."""

    type: ClassVar[int] = ChunkType.HEARTBEAT


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatAckChunk(_ParametersChunk):
    """Spec: RFC 9260 section 3.3.6."""

    type: ClassVar[int] = ChunkType.HEARTBEAT_ACK


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortChunk(_ParametersChunk):
    """Its parameters are error causes. Spec: RFC 9260 section 3.3.7."""

    type: ClassVar[int] = ChunkType.ABORT


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorChunk(_ParametersChunk):
    """Its parameters are error causes. Spec: RFC 9260 section 3.3.10."""

    type: ClassVar[int] = ChunkType.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class ReConfigChunk(_ParametersChunk):
    """Spec: RFC 6525 section 3.1."""

    type: ClassVar[int] = ChunkType.RE_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownChunk:
    """Spec: RFC 9260 section 3.3.8."""

    type: ClassVar[int] = ChunkType.SHUTDOWN
    cumulative_tsn_ack: int
    flags: int = 0

    @classmethod
    def parse(cls, flags: int, body: bytes) -> ShutdownChunk:
        if len(body) != 4:
            raise ParseError(f"{len(body)} bytes, it has 4", field="SHUTDOWN")
        return cls(cumulative_tsn_ack=_U32.unpack(body)[0], flags=flags)

    def serialize(self) -> bytes:
        return pack_chunk(self.type, self.flags, _U32.pack(self.cumulative_tsn_ack))


@dataclass(frozen=True, slots=True, kw_only=True)
class _EmptyChunk:
    type: ClassVar[int] = -1
    flags: int = 0

    def serialize(self) -> bytes:
        return CHUNK_HEADER.pack(self.type, self.flags, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownAckChunk(_EmptyChunk):
    """Spec: RFC 9260 section 3.3.9."""

    type: ClassVar[int] = ChunkType.SHUTDOWN_ACK

    @classmethod
    def parse(cls, flags: int, body: bytes) -> ShutdownAckChunk:
        _none(body, "SHUTDOWN ACK")
        return cls(flags=flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieAckChunk(_EmptyChunk):
    """Spec: RFC 9260 section 3.3.12."""

    type: ClassVar[int] = ChunkType.COOKIE_ACK

    @classmethod
    def parse(cls, flags: int, body: bytes) -> CookieAckChunk:
        _none(body, "COOKIE ACK")
        return cls(flags=flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownCompleteChunk(_EmptyChunk):
    """Spec: RFC 9260 section 3.3.13."""

    type: ClassVar[int] = ChunkType.SHUTDOWN_COMPLETE

    @classmethod
    def parse(cls, flags: int, body: bytes) -> ShutdownCompleteChunk:
        _none(body, "SHUTDOWN COMPLETE")
        return cls(flags=flags)


def _none(body: bytes, field: str) -> None:
    if body:
        raise ParseError(f"{len(body)} bytes, it has none", field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieEchoChunk:
    """Spec: RFC 9260 section 3.3.11."""

    type: ClassVar[int] = ChunkType.COOKIE_ECHO
    cookie: bytes
    flags: int = 0

    @classmethod
    def parse(cls, flags: int, body: bytes) -> CookieEchoChunk:
        return cls(cookie=body, flags=flags)

    def serialize(self) -> bytes:
        return pack_chunk(self.type, self.flags, self.cookie)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardTsnChunk:
    """Spec: RFC 3758 section 3.2. `streams` are (stream identifier, stream sequence number) of what is skipped."""

    type: ClassVar[int] = ChunkType.FORWARD_TSN
    new_cumulative_tsn: int
    streams: tuple[tuple[int, int], ...] = ()
    flags: int = 0

    @classmethod
    def parse(cls, flags: int, body: bytes) -> ForwardTsnChunk:
        _need(body, 4, "FORWARD TSN")
        if len(body) & 3:
            raise ParseError(f"{len(body)} bytes, not a multiple of 4", field="FORWARD TSN")
        return cls(
            new_cumulative_tsn=_U32.unpack_from(body)[0],
            streams=tuple(_PAIR.unpack_from(body, at) for at in range(4, len(body), 4)),
            flags=flags,
        )

    def serialize(self) -> bytes:
        body = _U32.pack(self.new_cumulative_tsn) + b"".join([_PAIR.pack(*pair) for pair in self.streams])
        return pack_chunk(self.type, self.flags, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownChunk:
    """A chunk of a type this stack does not speak; kept whole, so that it can be reported."""

    type: int
    flags: int
    body: bytes

    def serialize(self) -> bytes:
        return pack_chunk(self.type, self.flags, self.body)


Chunk: TypeAlias = (
    DataChunk
    | InitChunk
    | InitAckChunk
    | SackChunk
    | HeartbeatChunk
    | HeartbeatAckChunk
    | AbortChunk
    | ShutdownChunk
    | ShutdownAckChunk
    | ErrorChunk
    | CookieEchoChunk
    | CookieAckChunk
    | ShutdownCompleteChunk
    | ReConfigChunk
    | ForwardTsnChunk
    | UnknownChunk
)

_PARSERS: Final = {
    int(kind.type): kind.parse
    for kind in (
        DataChunk,
        InitChunk,
        InitAckChunk,
        SackChunk,
        HeartbeatChunk,
        HeartbeatAckChunk,
        AbortChunk,
        ShutdownChunk,
        ShutdownAckChunk,
        ErrorChunk,
        CookieEchoChunk,
        CookieAckChunk,
        ShutdownCompleteChunk,
        ReConfigChunk,
        ForwardTsnChunk,
    )
}


def parse_chunk(kind: int, flags: int, body: bytes) -> Chunk:
    """The value of one chunk. Errors: `ParseError`."""
    parser = _PARSERS.get(kind)
    if parser is None:
        return UnknownChunk(type=kind, flags=flags, body=body)
    chunk: Chunk = parser(flags, body)
    return chunk


def unrecognized(parameter: Parameter) -> Parameter:
    """The parameter that reports another one as not understood (RFC 9260 section 3.3.3.1)."""
    return Parameter(ParameterType.UNRECOGNIZED_PARAMETER, parameter.serialize())
