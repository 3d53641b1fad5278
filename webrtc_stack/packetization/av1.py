"""AV1 over RTP, both directions.

Frames are temporal units in the low-overhead bitstream format. Size fields and temporal delimiters are taken off for
the way and put back on arrival, so that a unit comes out as encoders write it.

The dependency descriptor is a header extension, not part of the payload. What it needs to know of a frame is in
`Av1Facts`; without it, receivers go on after a loss at the next coded video sequence.

Left out: cutting a unit into one RTP frame a spatial layer (all layers of a unit share its last marker).

Spec: RTP Payload Format For AV1 (AOM) sections 4.3-4.5, 5; AV1 bitstream specification 5.3, 7.5.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InvalidArgumentError, ParseError
from .assembler import KEY_START, NO_START, START, FrameAssembler, Joined
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    DepacketizerConfig,
    Packetizer,
    PayloadFormat,
)
from .obu import (
    NOT_CARRIED,
    TEMPORAL_DELIMITER,
    ObuType,
    add_size,
    obu_type,
    read_leb128,
    split_temporal_unit,
    starts_sequence,
    strip_size,
    write_leb128,
)

_Z, _Y, _N = 0x80, 0x40, 0x08
_MAX_COUNTED = 3  # W has two bits


class Av1Facts(NamedTuple):
    """The types of a temporal unit's OBUs in order; the layers of its first and last OBU that name any."""

    obu_types: tuple[int, ...]
    temporal_id: int = 0
    spatial_id: int = 0


class Av1Packetizer(Packetizer):
    """Cuts temporal units."""

    def __init__(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> None:
        if max_payload_bytes < 8:
            raise InvalidArgumentError(f"max_payload_bytes is {max_payload_bytes}, too small for AV1")
        self._max = max_payload_bytes

    def packetize(self, frame: bytes) -> list[bytes]:
        """The payloads of one temporal unit, given as OBUs in the low-overhead format.

        Errors: `InvalidArgumentError` for another form, or if nothing but delimiters is in it.
        """
        return self.packetize_obus(split_temporal_unit(frame))

    def packetize_obus(self, obus: list[bytes]) -> list[bytes]:
        """The payloads of one temporal unit whose OBUs lie apart already, without size fields."""
        elements = [obu for obu in obus if obu_type(obu) not in NOT_CARRIED]
        if not elements:
            raise InvalidArgumentError("the temporal unit holds no OBU that RTP carries")
        payloads = _cut(elements, self._max)
        if starts_sequence(elements):
            payloads[0] = bytes((payloads[0][0] | _N,)) + payloads[0][1:]
        return payloads


def _cut(elements: list[bytes], limit: int) -> list[bytes]:
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
        head = _Z if at else 0
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
                head |= _Y
                break
        if counted:
            parts[-2] = b""  # W tells that the last element has no length
            head |= (len(parts) // 2) << 4
        payloads.append(b"".join((bytes((head,)), *parts)))
    return payloads


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
        if bool(head & _Z) != bool(fragments):
            raise ParseError("a fragment is missing", offset=0, field="AV1 aggregation header")
        if fragments:
            fragments.append(elements[0])
            if len(elements) == 1 and head & _Y:
                continue
            elements[0] = b"".join(fragments)
            fragments = []
        if head & _Y:
            fragments = [elements.pop()]
        obus += [strip_size(element) for element in elements]
    if fragments:
        raise ParseError("the last fragment is missing", field="AV1 aggregation header")
    return obus


class Av1Depacketizer(FrameAssembler):
    """Puts temporal units together. `facts` of a frame are `Av1Facts`.

    `temporal_delimiter` says whether units begin with a temporal delimiter, as decoders expect of a stream.
    """

    def __init__(
        self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG, *, temporal_delimiter: bool = True
    ) -> None:
        super().__init__(config)
        self._prefix = TEMPORAL_DELIMITER if temporal_delimiter else b""

    def _start(self, payload: bytes) -> int:
        if payload[0] & _Z:
            return NO_START
        if payload[0] & _N:
            return KEY_START
        try:
            first = obu_type(parse_elements(payload)[0])
        except ParseError:
            return NO_START
        if first == ObuType.SEQUENCE_HEADER:
            return KEY_START
        # A unit may hold several frames, so behind a gap a frame's beginning need not be its unit's.
        return START if self._expected < 0 or first == ObuType.TEMPORAL_DELIMITER else NO_START

    def _join(self, payloads: list[bytes]) -> Joined:
        obus = [obu for obu in join_obus(payloads) if obu_type(obu) not in NOT_CARRIED]
        if not obus:
            raise ParseError("a temporal unit without OBUs", field="AV1 payload")
        keyframe = bool(payloads[0][0] & _N) or starts_sequence(obus)
        layers = [obu[1] for obu in obus if obu[0] & 4]
        temporal_id = layers[0] >> 5 if layers else 0
        spatial_id = layers[-1] >> 3 & 3 if layers else 0
        data = self._prefix + b"".join([add_size(obu) for obu in obus])
        return Joined(data, keyframe, Av1Facts(tuple([obu_type(obu) for obu in obus]), temporal_id, spatial_id))


class Av1Format(PayloadFormat):
    """AV1. Parameters `profile`, `level_idx` and `tier` tell what a receiver decodes."""

    encoding_name = "AV1"

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> Av1Packetizer:
        return Av1Packetizer(max_payload_bytes)

    def depacketizer(
        self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG, *, temporal_delimiter: bool = True
    ) -> Av1Depacketizer:
        return Av1Depacketizer(config, temporal_delimiter=temporal_delimiter)
