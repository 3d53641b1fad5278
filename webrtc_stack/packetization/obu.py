"""AV1's open bitstream units (OBU) and its LEB128 numbers.

An OBU is kept here as RTP carries it: header, extension if any, payload, without a size field.

Spec: AV1 bitstream specification sections 4.10.5, 5.3.1-5.3.3, 5.9.2 (its first bits), 6.2.2.
"""

from __future__ import annotations

from enum import IntEnum

from ..errors import InvalidArgumentError, ParseError

_HAS_EXTENSION = 0x04
_HAS_SIZE = 0x02
_MAX_LEB128 = 8


class ObuType(IntEnum):
    SEQUENCE_HEADER = 1
    TEMPORAL_DELIMITER = 2
    FRAME_HEADER = 3
    TILE_GROUP = 4
    METADATA = 5
    FRAME = 6
    REDUNDANT_FRAME_HEADER = 7
    TILE_LIST = 8
    PADDING = 15


# RTP carries neither: packets delimit temporal units themselves, and tile lists belong to large-scale decoding.
NOT_CARRIED = frozenset((ObuType.TEMPORAL_DELIMITER, ObuType.TILE_LIST))
TEMPORAL_DELIMITER = b"\x12\x00"


def read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and the offset behind it. Errors: `ParseError`."""
    value = 0
    for index, octet in enumerate(data[at : at + _MAX_LEB128]):
        value |= (octet & 0x7F) << (7 * index)
        if octet < 0x80:
            return value, at + index + 1
    raise ParseError("LEB128 does not end", offset=at, field="OBU size")


def write_leb128(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def obu_type(obu: bytes) -> int:
    return obu[0] >> 3 & 0x0F


def strip_size(obu: bytes) -> bytes:
    """One OBU without its size field, if it has one. Errors: `ParseError` if that does not fit its length."""
    if not obu:
        raise ParseError("empty", offset=0, field="OBU")
    first = obu[0]
    head = 2 if first & _HAS_EXTENSION else 1
    if len(obu) < head:
        raise ParseError("truncated", offset=len(obu), field="OBU header")
    if not first & _HAS_SIZE:
        return obu
    size, at = read_leb128(obu, head)
    if at + size != len(obu):
        raise ParseError(f"size field is {size}, the unit has {len(obu) - at} bytes", offset=head, field="OBU size")
    return bytes((first & ~_HAS_SIZE,)) + obu[1:head] + obu[at:]


def add_size(obu: bytes) -> bytes:
    """One OBU with a size field: the low-overhead format."""
    first = obu[0]
    head = 2 if first & _HAS_EXTENSION else 1
    return bytes((first | _HAS_SIZE,)) + obu[1:head] + write_leb128(len(obu) - head) + obu[head:]


def split_temporal_unit(unit: bytes) -> list[bytes]:
    """The OBUs of a temporal unit in the low-overhead format, without their size fields.

    The last one may come without a size field and then reaches to the end. Errors: `InvalidArgumentError`.
    """
    obus = []
    at = 0
    end = len(unit)
    try:
        while at < end:
            first = unit[at]
            head = at + (2 if first & _HAS_EXTENSION else 1)
            if first & 0x80 or head > end:
                raise ParseError("not an OBU header", offset=at)
            if first & _HAS_SIZE:
                size, body = read_leb128(unit, head)
                if body + size > end:
                    raise ParseError(f"size field is {size}, {end - body} bytes are left", offset=head)
                obus.append(bytes((first & ~_HAS_SIZE,)) + unit[at + 1 : head] + unit[body : body + size])
                at = body + size
            else:
                obus.append(unit[at:])
                at = end
    except ParseError as error:
        raise InvalidArgumentError(f"the frame is no temporal unit of AV1: {error}") from None
    return obus


def starts_sequence(obus: list[bytes]) -> bool:
    """Whether OBUs begin a coded video sequence: a sequence header, and the first frame is a key frame."""
    types = [obu_type(obu) for obu in obus]
    if ObuType.SEQUENCE_HEADER not in types:
        return False
    for obu, kind in zip(obus, types, strict=True):
        if kind in (ObuType.FRAME, ObuType.FRAME_HEADER):
            head = 2 if obu[0] & _HAS_EXTENSION else 1
            # show_existing_frame is 0, frame_type is KEY_FRAME (0)
            return len(obu) > head and not obu[head] & 0xE0
    return False
