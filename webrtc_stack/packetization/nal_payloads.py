"""NAL units in RTP payloads, as H.264 and H.265 have them alike: alone, several in one payload, one over several.

Both formats keep the unit's own header where it is and put their type of payload into it; they differ in how long it
is, where the type lies in it, and in numbers. `NalPayloads` are these differences.

Spec: RFC 6184 sections 5.6-5.8 (STAP-A, FU-A); RFC 7798 sections 4.4.1-4.4.3 (AP, FU).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ..errors import InvalidArgumentError, ParseError
from .nal import START_CODE, split_annex_b
from .split import split_evenly

START_BIT: Final = 0x80
END_BIT: Final = 0x40


class NalPayloads(NamedTuple):
    """One format's numbers. The type of a unit is `header[0] >> shift & mask`."""

    header_bytes: int
    shift: int
    mask: int
    lowest_type: int
    first_own_type: int
    """Types from here on are RTP's own."""
    aggregate: int
    fragment: int
    aggregate_name: str
    fragment_name: str


def pack_annex_b(
    layout: NalPayloads, stream: bytes, limit: int, aggregate: Callable[[list[bytes]], bytes]
) -> list[bytes]:
    """The payloads of a byte stream, as `pack_units` makes them of its units.

    Errors: `InvalidArgumentError` for another form, and for a unit that RTP cannot carry.
    """
    return pack_units(layout, split_annex_b(stream), limit, aggregate)


def join_annex_b(layout: NalPayloads, payloads: list[bytes]) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
    """The byte stream that payloads, in order and without a gap, make up.

    Returns: the stream, the types of its units, and where each begins behind its start code. Errors: `ParseError`.
    """
    units = join_payloads(layout, payloads)
    shift, mask = layout.shift, layout.mask
    place = len(START_CODE)
    places = []
    for unit in units:
        places.append(place)
        place += len(unit) + len(START_CODE)
    kinds = tuple([unit[0] >> shift & mask for unit in units])
    return START_CODE + START_CODE.join(units), kinds, tuple(places)


def pack_units(
    layout: NalPayloads, units: list[bytes], limit: int, aggregate: Callable[[list[bytes]], bytes]
) -> list[bytes]:
    """Payloads of at most `limit` bytes: small units that follow each other by `aggregate`, large ones cut evenly.

    Errors: `InvalidArgumentError` for a unit that RTP cannot carry.
    """
    payloads: list[bytes] = []
    waiting: list[bytes] = []
    header_bytes, shift, mask, _, first_own_type = layout[:5]
    room = limit - header_bytes
    for unit in units:
        size = len(unit)
        if size < header_bytes or unit[0] >> shift & mask >= first_own_type:
            raise InvalidArgumentError(
                f"a NAL unit is too short, or of a type that RTP uses for itself ({first_own_type} to {mask})"
            )
        if size + 2 > room and waiting:
            payloads.append(waiting[0] if len(waiting) == 1 else aggregate(waiting))
            waiting = []
            room = limit - header_bytes
        if size + 2 <= room:
            waiting.append(unit)
            room -= size + 2
        elif size <= limit:
            payloads.append(unit)
        else:
            payloads += _cut(layout, unit, limit)
    if waiting:
        payloads.append(waiting[0] if len(waiting) == 1 else aggregate(waiting))
    return payloads


def aggregate_units(header: bytes, units: list[bytes]) -> bytes:
    """The payload of several units, each behind its length."""
    parts = [header]
    for unit in units:
        parts += (len(unit).to_bytes(2, "big"), unit)
    return b"".join(parts)


def _cut(layout: NalPayloads, unit: bytes, limit: int) -> list[bytes]:
    header_bytes, shift, mask = layout[:3]
    kind = unit[0] >> shift & mask
    head = _with_type(layout, unit, layout.fragment)
    return split_evenly(
        unit[header_bytes:],
        head + bytes((START_BIT | kind,)),
        head + bytes((kind,)),
        limit,
        head + bytes((END_BIT | kind,)),
    )


def _with_type(layout: NalPayloads, unit: bytes, kind: int) -> bytes:
    """The header of a unit or payload, with another type in it."""
    header_bytes, shift, mask = layout[:3]
    return bytes((unit[0] & ~(mask << shift) | kind << shift,)) + unit[1:header_bytes]


def split_aggregate(layout: NalPayloads, payload: bytes) -> list[bytes]:
    """The NAL units of a payload that carries several. Errors: `ParseError`."""
    header_bytes, shift, mask, lowest_type, first_own_type = layout[:5]
    units = []
    at = header_bytes
    end = len(payload)
    while at < end:
        if at + 2 > end:
            raise ParseError("length truncated", offset=at, field=layout.aggregate_name)
        size = payload[at] << 8 | payload[at + 1]
        at += 2
        unit = payload[at : at + size]
        if size < header_bytes or len(unit) < size:
            raise ParseError("unit truncated", offset=at, field=layout.aggregate_name)
        if not lowest_type <= unit[0] >> shift & mask < first_own_type:
            raise ParseError(f"a unit of type {unit[0] >> shift & mask}", offset=at, field=layout.aggregate_name)
        units.append(unit)
        at += size
    if not units:
        raise ParseError("empty", field=layout.aggregate_name)
    return units


def join_payloads(layout: NalPayloads, payloads: list[bytes]) -> list[bytes]:
    """The NAL units that payloads, in order and without a gap, make up. Errors: `ParseError`."""
    header_bytes, shift, mask, lowest_type, first_own_type, aggregate, fragment, _, name = layout
    body = header_bytes + 1
    units: list[bytes] = []
    fragments: list[bytes] = []
    middle = b""
    for payload in payloads:
        if fragments:
            if payload.startswith(middle):
                fragments.append(payload[body:])
                continue
            # The last fragment differs from the middle ones in the end bit (nothing else may come here). H.264 has a
            # reserved bit, which is ignored.
            if (
                len(payload) < body
                or payload[:header_bytes] != middle[:header_bytes]
                or payload[header_bytes] & (START_BIT | END_BIT | mask) != END_BIT | middle[header_bytes]
            ):
                raise ParseError("a fragmented unit does not go on", field=name)
            fragments.append(payload[body:])
            units.append(b"".join(fragments))
            fragments = []
            continue
        if len(payload) < header_bytes:
            raise ParseError("truncated", offset=len(payload), field="NAL unit header")
        kind = payload[0] >> shift & mask
        if lowest_type <= kind < first_own_type:
            units.append(payload)
        elif kind == fragment:
            if len(payload) < body or not payload[header_bytes] & START_BIT:
                raise ParseError("a fragmented unit without its beginning", field=name)
            original = payload[header_bytes] & mask
            if original >= first_own_type:
                raise ParseError(f"a fragmented unit of type {original}", field=name)
            fragments = [_with_type(layout, payload, original), payload[body:]]
            if payload[header_bytes] & END_BIT:  # a whole unit in one fragment: forbidden, but seen and harmless
                units.append(b"".join(fragments))
                fragments = []
            middle = payload[:header_bytes] + bytes((original,))
        elif kind == aggregate:
            units += split_aggregate(layout, payload)
        else:
            raise ParseError(f"payloads of type {kind} are not served", field="NAL unit type")
    if fragments:
        raise ParseError("a fragmented unit without its end", field=name)
    return units
