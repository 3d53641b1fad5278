"""Record headers: where each record of a datagram lies, and what it claims to be.

Nothing here decrypts. Both forms are known: the 13-byte header of DTLS 1.2 (and of plaintext in 1.3), and the
unified header of encrypted 1.3 records, which is told by its first byte 001xxxxx.

Spec: RFC 6347 section 4.1; RFC 9147 section 4. Left out: connection identifiers (RFC 9146; a unified header with the
C bit cannot be measured without a negotiated length, so it is refused).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ..errors import ParseError

HEADER_BYTES: Final = 13
_HEADER: Final = struct.Struct("!BHQH")
SEQUENCE_MASK: Final = (1 << 48) - 1


class Record(NamedTuple):
    """One record behind a plain header. `number` is epoch and sequence number as they stand there, 64 bits."""

    content_type: int
    version: int
    number: int
    payload: bytes

    @property
    def epoch(self) -> int:
        return self.number >> 48

    @property
    def sequence(self) -> int:
        return self.number & SEQUENCE_MASK


class UnifiedRecord(NamedTuple):
    """One encrypted DTLS 1.3 record: the low bits of its epoch, its (masked) number, and what is sealed."""

    epoch_bits: int
    masked_number: bytes
    header: bytes
    payload: bytes


def parse_record(data: bytes, offset: int = 0) -> tuple[Record | UnifiedRecord, int]:
    """Reads the record at `offset`.

    Returns: the record, and the offset behind it.
    Errors: `ParseError` when header or payload do not fit, or the first byte is no record's.
    """
    remaining = len(data) - offset
    if remaining < 1:
        raise ParseError("no record left", offset=offset, field="record")
    if data[offset] >> 5 == 1:
        return _parse_unified(data, offset)
    if remaining < HEADER_BYTES:
        raise ParseError(f"{HEADER_BYTES} bytes wanted, {remaining} left", offset=offset, field="record header")
    content_type, version, number, length = _HEADER.unpack_from(data, offset)
    start = offset + HEADER_BYTES
    if start + length > len(data):
        raise ParseError(f"{length} bytes wanted, {len(data) - start} left", offset=start, field="record payload")
    return Record(content_type, version, number, bytes(data[start : start + length])), start + length


def _parse_unified(data: bytes, offset: int) -> tuple[UnifiedRecord, int]:
    first = data[offset]
    if first & 0x10:
        raise ParseError("a connection identifier that was never negotiated", offset=offset, field="unified header")
    number_bytes = 2 if first & 0x08 else 1
    has_length = bool(first & 0x04)
    start = offset + 1 + number_bytes + (2 if has_length else 0)
    if start > len(data):
        raise ParseError("the header is cut off", offset=offset, field="unified header")
    end = start + int.from_bytes(data[start - 2 : start], "big") if has_length else len(data)
    if end > len(data):
        raise ParseError(f"{end - start} bytes wanted, {len(data) - start} left", offset=start, field="record payload")
    record = UnifiedRecord(
        first & 0x03,
        bytes(data[offset + 1 : offset + 1 + number_bytes]),
        bytes(data[offset:start]),
        bytes(data[start:end]),
    )
    return record, end


def serialize_record(content_type: int, version: int, number: int, payload: bytes) -> bytes:
    """A record with a plain header."""
    return _HEADER.pack(content_type, version, number, len(payload)) + payload
