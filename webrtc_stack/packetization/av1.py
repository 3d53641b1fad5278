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
from .cutting import cut_obus, join_temporal_unit
from .obu import NOT_CARRIED, TEMPORAL_DELIMITER, ObuType, obu_type, split_temporal_unit, starts_sequence
from .obu_payloads import CONTINUES, parse_elements

_N = 0x08


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
        payloads = cut_obus(elements, self._max)
        if starts_sequence(elements):
            payloads[0] = bytes((payloads[0][0] | _N,)) + payloads[0][1:]
        return payloads


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
        if payload[0] & CONTINUES:
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
        data, obus = join_temporal_unit(payloads, self._prefix)
        if not obus:
            raise ParseError("a temporal unit without OBUs", field="AV1 payload")
        keyframe = bool(payloads[0][0] & _N) or starts_sequence(obus)
        layers = [obu[1] for obu in obus if obu[0] & 4]
        temporal_id = layers[0] >> 5 if layers else 0
        spatial_id = layers[-1] >> 3 & 3 if layers else 0
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
