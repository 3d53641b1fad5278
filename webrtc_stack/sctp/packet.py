"""The SCTP packet: common header, CRC32c, chunks. The doorway to the `crc32c` package.

Spec: RFC 9260 sections 3, 3.1, 6.8 and appendix A. RFC 8261: ports are kept, addresses do not exist; the checksum is
always written and verified. Left out: zero checksum (RFC 9653).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from crc32c import crc32c as _crc32c

from ..errors import ParseError
from ..hot import twin
from .chunks import CHUNK_HEADER, Chunk, parse_chunk

crc32c = twin("crc32c", _crc32c)

COMMON_HEADER: Final = struct.Struct(">HHI")
HEADER_BYTES: Final = 12
_CHECKSUM: Final = struct.Struct("<I")
_ZERO: Final = bytes(4)


def checksum_seed(header: bytes) -> int:
    """The checksum over the first eight bytes and a zero checksum: what every packet of one direction shares."""
    seed: int = crc32c(header + _ZERO)
    return seed


def seal(header: bytes, seed: int, body: bytes) -> bytes:
    """A whole packet from its first eight bytes, their `checksum_seed` and its chunks."""
    return header + _CHECKSUM.pack(crc32c(body, seed)) + body


def checksum_is_right(data: bytes) -> bool:
    """Whether the CRC32c of a packet of at least 12 bytes is what it says."""
    right: bool = _CHECKSUM.pack(crc32c(data[12:], crc32c(data[:8] + _ZERO))) == data[8:12]
    return right


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet as a value."""

    source_port: int
    destination_port: int
    verification_tag: int
    chunks: tuple[Chunk, ...]

    @classmethod
    def parse(cls, data: bytes) -> Packet:
        """Verifies the checksum and parses every chunk. Errors: `ParseError`."""
        if len(data) < HEADER_BYTES:
            raise ParseError(f"{len(data)} bytes, a packet has at least {HEADER_BYTES}", offset=0, field="header")
        if not checksum_is_right(data):
            raise ParseError("the CRC32c does not fit the packet", offset=8, field="checksum")
        source, destination, tag = COMMON_HEADER.unpack_from(data)
        chunks = tuple(parse_chunk(kind, flags, body) for kind, flags, body in split_chunks(data))
        return cls(source_port=source, destination_port=destination, verification_tag=tag, chunks=chunks)

    def serialize(self) -> bytes:
        """The packet with its checksum."""
        header = COMMON_HEADER.pack(self.source_port, self.destination_port, self.verification_tag)
        return seal(header, checksum_seed(header), b"".join([chunk.serialize() for chunk in self.chunks]))


def split_chunks(data: bytes, offset: int = HEADER_BYTES) -> list[tuple[int, int, bytes]]:
    """(type, flags, body) of each chunk. Errors: `ParseError` when a length does not fit."""
    found = []
    end = len(data)
    while offset < end:
        if offset + 4 > end:
            raise ParseError(f"{end - offset} bytes left, a chunk has at least 4", offset=offset, field="chunk")
        kind, flags, length = CHUNK_HEADER.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            raise ParseError(f"length {length}, {end - offset} bytes left", offset=offset, field="chunk")
        found.append((kind, flags, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found
