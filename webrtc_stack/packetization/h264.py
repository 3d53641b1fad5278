"""H.264 over RTP, both directions: single NAL units, STAP-A, FU-A (packetization modes 0 and 1).

Frames are access units as Annex B byte streams. Small units that follow each other share a STAP-A, units that do not
fit are cut into equal FU-A. What comes out has four-byte start codes.

Left out: the interleaved mode 2 (STAP-B, MTAP, FU-B), which no browser speaks.

Spec: RFC 6184 sections 5.1-5.8, 6.2, 6.3, 7.1, 8.1; ITU-T H.264 7.3.1, 7.3.3 (headers).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final, NamedTuple

from ..errors import InvalidArgumentError, NotSupportedError, ParseError
from .assembler import KEY_START, NO_START, START, FrameAssembler, Joined
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    DepacketizerConfig,
    Packetizer,
    PayloadFormat,
)
from .cutting import join_annex_b, pack_annex_b, split_annex_b
from .nal import START_CODE
from .nal_payloads import START_BIT, NalPayloads, aggregate_units, join_payloads, pack_units, split_aggregate

IDR: Final = 5
SEI: Final = 6
SPS: Final = 7
PPS: Final = 8
ACCESS_UNIT_DELIMITER: Final = 9
_STAP_A: Final = 24
_FU_A: Final = 28
_LAYOUT: Final = NalPayloads(1, 0, 0x1F, 1, _STAP_A, _STAP_A, _FU_A, "STAP-A", "FU-A")


class H264Facts(NamedTuple):
    """The types of a frame's NAL units, in order, and the profile-level-id of its SPS ("" without one)."""

    nal_types: tuple[int, ...]
    profile_level_id: str = ""


class H264Packetizer(Packetizer):
    """Cuts access units. In mode 0 every unit must fit into one payload."""

    def __init__(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES, *, packetization_mode: int = 1) -> None:
        if packetization_mode not in (0, 1):
            raise NotSupportedError(f"packetization-mode is {packetization_mode}, served are 0 and 1")
        if max_payload_bytes < 3:
            raise InvalidArgumentError(f"max_payload_bytes is {max_payload_bytes}, too small for H.264")
        self._max = max_payload_bytes
        self._mode = packetization_mode

    def packetize(self, frame: bytes) -> list[bytes]:
        """The payloads of one access unit, an Annex B byte stream.

        Errors: `InvalidArgumentError` for another form, or in mode 0 for a unit that is too large.
        """
        if self._mode == 1:
            return pack_annex_b(_LAYOUT, frame, self._max, _aggregate)
        return self.packetize_units(split_annex_b(frame))

    def packetize_units(self, units: list[bytes]) -> list[bytes]:
        """The payloads of one access unit whose NAL units lie apart already."""
        limit = self._max
        if self._mode == 0:
            largest = max(map(len, units), default=0)
            if largest > limit:
                raise InvalidArgumentError(
                    f"a NAL unit of {largest} bytes; packetization-mode 0 allows {limit}: encode smaller slices"
                )
            return [payload for unit in units for payload in pack_units(_LAYOUT, [unit], limit, _aggregate)]
        return pack_units(_LAYOUT, units, limit, _aggregate)


def _aggregate(units: list[bytes]) -> bytes:
    reference = max(unit[0] & 0x60 for unit in units)
    forbidden = 0x80 if any(unit[0] & 0x80 for unit in units) else 0
    return aggregate_units(bytes((forbidden | reference | _STAP_A,)), units)


def parse_stap_a(payload: bytes) -> list[bytes]:
    """The NAL units of a STAP-A. Errors: `ParseError`."""
    return split_aggregate(_LAYOUT, payload)


def join_units(payloads: list[bytes]) -> list[bytes]:
    """The NAL units that payloads, in order and without a gap, make up. Errors: `ParseError`."""
    return join_payloads(_LAYOUT, payloads)


class H264Depacketizer(FrameAssembler):
    """Puts access units together. `facts` of a frame are `H264Facts`.

    `parameter_sets` (SPS and PPS known from signalling) are put before key frames that bring none.
    """

    def __init__(
        self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG, *, parameter_sets: tuple[bytes, ...] = ()
    ) -> None:
        super().__init__(config)
        self._parameter_sets = list(parameter_sets)
        self._strict = config.wait_for_keyframe
        # No key frame is of use before an SPS. If this sender repeats it with each, one without has lost it.
        self._knows_sps = bool(parameter_sets)
        self._repeats_sps = False

    def _start(self, payload: bytes) -> int:
        kind = payload[0] & 0x1F
        slice_at = 1
        inside: tuple[int, ...] = (kind,)
        if kind == _FU_A:
            if len(payload) < 3 or not payload[1] & START_BIT:
                return NO_START
            kind = payload[1] & 0x1F
            inside = (kind,)
            slice_at = 2
        elif kind == _STAP_A:
            try:
                units = parse_stap_a(payload)
            except ParseError:
                return NO_START
            inside = tuple(unit[0] & 0x1F for unit in units)
            kind = inside[0]
            slice_at = 3 + 1
        found = KEY_START if IDR in inside or SPS in inside else START
        if kind in (SPS, ACCESS_UNIT_DELIMITER):
            return found
        if kind in (SEI, PPS, IDR) and (self._repeats_sps or (self._strict and not self._knows_sps)):
            return NO_START  # what comes before these in a key frame was lost
        if self._expected < 0 or kind in (SEI, PPS):
            return found
        if kind in (1, 2, IDR) and len(payload) > slice_at and payload[slice_at] & 0x80:
            return found  # first_mb_in_slice is 0: Exp-Golomb's single bit 1
        return NO_START

    def _join(self, payloads: list[bytes]) -> Joined:
        data, types, places = join_annex_b(_LAYOUT, payloads)
        keyframe = IDR in types
        profile = ""
        if SPS in types:
            number = types.index(SPS)
            sps = places[number]
            end = places[number + 1] - len(START_CODE) if number + 1 < len(places) else len(data)
            profile = data[sps + 1 : min(sps + 4, end)].hex()
        elif keyframe and self._parameter_sets:
            data = START_CODE + START_CODE.join(self._parameter_sets) + data
        return Joined(data, keyframe, H264Facts(types, profile))

    def _admits(self, joined: Joined, lost: bool) -> bool:
        if joined.keyframe:
            return self._knows_sps or SPS in joined.facts.nal_types
        return not lost

    def _given_out(self, joined: Joined) -> None:
        has_sps = SPS in joined.facts.nal_types
        self._knows_sps = self._knows_sps or has_sps
        if joined.keyframe:
            self._repeats_sps = has_sps


class H264Format(PayloadFormat):
    """H.264. Parameters: `packetization_mode`, `profile_level_id`, `sprop_parameter_sets` and those of RFC 6184."""

    encoding_name = "H264"

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        super().__init__(parameters)
        # Without the parameter the RFC means mode 0; the API's own default is what every browser speaks.
        self.packetization_mode = self.integer("packetization_mode", 1 if not self.parameters else 0)
        if self.packetization_mode not in (0, 1):
            raise NotSupportedError(f"packetization-mode is {self.packetization_mode}, served are 0 and 1")
        self._parameter_sets: tuple[bytes, ...] = ()
        sets = self.parameters.get("sprop_parameter_sets")
        if sets:
            try:
                self._parameter_sets = tuple(base64.b64decode(one, validate=True) for one in sets.split(","))
            except binascii.Error:
                raise InvalidArgumentError("sprop-parameter-sets is not base64 with commas") from None

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> H264Packetizer:
        return H264Packetizer(max_payload_bytes, packetization_mode=self.packetization_mode)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> H264Depacketizer:
        return H264Depacketizer(config, parameter_sets=self._parameter_sets)
