"""OBUs in RTP payloads: cut over several, several in one, behind an aggregation header.

Spec: RTP Payload Format For AV1 (AOM) sections 4.3-4.5.
"""

from __future__ import annotations

from typing import Final

from ..errors import ParseError
from .obu import NOT_CARRIED, add_size, obu_type, read_leb128, strip_size, write_leb128

CONTINUES: Final = 0x80
"""Z: the first element continues an OBU of the packet before."""
GOES_ON: Final = 0x40
"""Y: the last element goes on in the next packet."""
_MAX_COUNTED: Final = 3  # W has two bits


def cut_obus(elements: list[bytes], limit: int) -> list[bytes]:
    """Payloads of nearly equal size. Up to three elements are counted by W, which saves the last one's length."""
    counted = len(elements) <= _MAX_COUNTED
    room = limit - 1
    lengths = sum(len(write_leb128(len(one))) for one in (elements[:-1] if counted else elements))
    total = sum(map(len, elements)) + lengths
    count = -(-total // room)
    if not counted:  # every packet cuts an element, whose rest needs a length of its own
        total += 3 * (count - 1)
        count = -(-total // room)
    size, larger = divmod(total, count)
    payloads: list[bytes] = []
    index = at = 0
    while index < len(elements):
        # Behind the planned packets (rounding of lengths) there is the full room.
        planned = len(payloads)
        left = min(room, size + (planned < larger)) if planned < count else room
        left = max(left, 4)
        head = CONTINUES if at else 0
        parts: list[bytes] = []
        last = b""
        while index < len(elements) and left > 0:
            element = elements[index]
            rest = len(element) - at
            if counted and (rest >= left or index == len(elements) - 1):
                take = min(rest, left)  # the last of this packet, without a length
                prefix = b""
            else:
                take = rest
                prefix = write_leb128(rest)
                if take + len(prefix) > left:
                    if left < 2:
                        break
                    take = left - len(write_leb128(left))
                    prefix = write_leb128(take)
            last = element[at : at + take]
            parts += (prefix, last)
            left -= take + len(prefix)
            at += take
            if at == len(element):
                index += 1
                at = 0
            else:
                head |= GOES_ON
                break
        if counted:
            parts[-2] = b""  # W tells that the last element has no length
            head |= (len(parts) // 2) << 4
        payloads.append(b"".join((bytes((head,)), *parts)))
    return payloads


def join_temporal_unit(payloads: list[bytes], prefix: bytes = b"") -> tuple[bytes, list[bytes]]:
    """The temporal unit that payloads, in order and without a gap, make up, without what RTP does not carry.

    Returns: the unit in the low-overhead format behind `prefix`, and the first three bytes of each OBU without its
    size field. Errors: `ParseError`.
    """
    obus = [obu for obu in join_obus(payloads) if obu_type(obu) not in NOT_CARRIED]
    return b"".join([prefix, *map(add_size, obus)]), [obu[:3] for obu in obus]


def parse_elements(payload: bytes) -> list[bytes]:
    """The OBU elements of one payload (whole OBUs or fragments). Errors: `ParseError`."""
    if len(payload) < 2:
        raise ParseError("empty", offset=len(payload), field="AV1 payload")
    counted = payload[0] >> 4 & 3
    at = 1
    end = len(payload)
    elements: list[bytes] = []
    while at < end:
        if counted and len(elements) == counted - 1:
            elements.append(payload[at:])
            return elements
        size, at = read_leb128(payload, at)
        if not size or at + size > end:
            raise ParseError("element longer than the packet, or empty", offset=at, field="AV1 payload")
        elements.append(payload[at : at + size])
        at += size
    if counted:
        raise ParseError("fewer elements than W", offset=end, field="AV1 payload")
    return elements


def join_obus(payloads: list[bytes]) -> list[bytes]:
    """The OBUs that payloads, in order and without a gap, make up; without size fields. Errors: `ParseError`."""
    obus: list[bytes] = []
    fragments: list[bytes] = []
    for payload in payloads:
        elements = parse_elements(payload)
        head = payload[0]
        if bool(head & CONTINUES) != bool(fragments):
            raise ParseError("a fragment is missing", offset=0, field="AV1 aggregation header")
        if fragments:
            fragments.append(elements[0])
            if len(elements) == 1 and head & GOES_ON:
                continue
            elements[0] = b"".join(fragments)
            fragments = []
        if head & GOES_ON:
            fragments = [elements.pop()]
        obus += [strip_size(element) for element in elements]
    if fragments:
        raise ParseError("the last fragment is missing", field="AV1 aggregation header")
    return obus
