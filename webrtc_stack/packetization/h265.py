"""H.265 over RTP, both directions: single NAL units, aggregation packets, fragmentation units.

Frames are access units as Annex B byte streams. Small units that follow each other share an aggregation packet, units
that do not fit are cut into equal fragments. What comes out has four-byte start codes.

Left out: decoding order numbers (DONL, DOND; `sprop-max-don-diff` above 0 is refused), PACI packets, the transmission
of one layer set over several streams.

Spec: RFC 7798 sections 1.1.4, 4.1, 4.2, 4.4.1-4.4.3, 7.1; ITU-T H.265 7.3.1.2, 7.3.6.1, table 7-1.
"""

from __future__ import annotations

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
from .cutting import join_annex_b, pack_annex_b
from .nal_payloads import END_BIT, START_BIT, NalPayloads, aggregate_units, join_payloads, pack_units, split_aggregate

VPS: Final = 32
SPS: Final = 33
PPS: Final = 34
ACCESS_UNIT_DELIMITER: Final = 35
PREFIX_SEI: Final = 39
_AP: Final = 48
_FU: Final = 49
_LAYOUT: Final = NalPayloads(2, 1, 0x3F, 0, _AP, _AP, _FU, "aggregation packet", "FU")
# Intra random access pictures: BLA, IDR, CRA and two reserved ones.
_FIRST_IRAP: Final = 16
_LAST_IRAP: Final = 23


class H265NalHeader(NamedTuple):
    """The two bytes before every NAL unit; `tid` is nuh_temporal_id_plus1. Spec: RFC 7798 section 1.1.4."""

    f: int
    type: int
    layer_id: int
    tid: int

    @classmethod
    def parse(cls, data: bytes) -> H265NalHeader:
        if len(data) < 2:
            raise ParseError("truncated", offset=len(data), field="H.265 NAL unit header")
        first, second = data[0], data[1]
        return cls(first >> 7, first >> 1 & 0x3F, (first & 1) << 5 | second >> 3, second & 7)

    def serialize(self) -> bytes:
        return bytes((self.f << 7 | self.type << 1 | self.layer_id >> 5, (self.layer_id & 0x1F) << 3 | self.tid))


class H265FuHeader(NamedTuple):
    """The byte behind the payload header of a fragment. Spec: RFC 7798 section 4.4.3."""

    start: bool
    end: bool
    type: int

    @classmethod
    def parse(cls, octet: int) -> H265FuHeader:
        return cls(bool(octet & START_BIT), bool(octet & END_BIT), octet & 0x3F)


class H265Facts(NamedTuple):
    """The types of a frame's NAL units, in order, and the lowest temporal id (nuh_temporal_id_plus1)."""

    nal_types: tuple[int, ...]
    tid: int


class H265Packetizer(Packetizer):
    """Cuts access units."""

    def __init__(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> None:
        if max_payload_bytes < 4:
            raise InvalidArgumentError(f"max_payload_bytes is {max_payload_bytes}, too small for H.265")
        self._max = max_payload_bytes

    def packetize(self, frame: bytes) -> list[bytes]:
        """The payloads of one access unit, an Annex B byte stream."""
        return pack_annex_b(_LAYOUT, frame, self._max, _aggregate)

    def packetize_units(self, units: list[bytes]) -> list[bytes]:
        """The payloads of one access unit whose NAL units lie apart already."""
        return pack_units(_LAYOUT, units, self._max, _aggregate)


def _aggregate(units: list[bytes]) -> bytes:
    headers = [H265NalHeader.parse(unit) for unit in units]
    head = H265NalHeader(
        max(one.f for one in headers),
        _AP,
        min(one.layer_id for one in headers),
        min(one.tid for one in headers),
    )
    return aggregate_units(head.serialize(), units)


def parse_aggregation(payload: bytes) -> list[bytes]:
    """The NAL units of an aggregation packet. Errors: `ParseError`."""
    return split_aggregate(_LAYOUT, payload)


def join_units(payloads: list[bytes]) -> list[bytes]:
    """The NAL units that payloads, in order and without a gap, make up. Errors: `ParseError`."""
    return join_payloads(_LAYOUT, payloads)


class H265Depacketizer(FrameAssembler):
    """Puts access units together. `facts` of a frame are `H265Facts`."""

    def __init__(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> None:
        super().__init__(config)
        self._strict = config.wait_for_keyframe
        # The parameter sets seen at all, and those of the last key frame: what a key frame without them has lost.
        self._known: frozenset[int] = frozenset()
        self._repeated: frozenset[int] = frozenset()

    def _start(self, payload: bytes) -> int:
        if len(payload) < 2:
            return NO_START
        kind = payload[0] >> 1 & 0x3F
        slice_at = 2
        inside: tuple[int, ...] = (kind,)
        if kind == _FU:
            if len(payload) < 3 or not payload[2] & START_BIT:
                return NO_START
            kind = payload[2] & 0x3F
            inside = (kind,)
            slice_at = 3
        elif kind == _AP:
            try:
                units = parse_aggregation(payload)
            except ParseError:
                return NO_START
            inside = tuple([unit[0] >> 1 & 0x3F for unit in units])
            kind = inside[0]
            slice_at = 6
        key = any(_is_irap(one) or one == SPS for one in inside)
        found = KEY_START if key else START
        if kind in (VPS, ACCESS_UNIT_DELIMITER):
            return found
        irap = _is_irap(kind)
        if kind in (SPS, PPS, PREFIX_SEI) or irap:
            before = VPS if kind == SPS else SPS
            if before in self._repeated or (self._strict and before not in self._known):
                return NO_START
            if not irap:
                return found
        if self._expected < 0 or (kind <= _LAST_IRAP and len(payload) > slice_at and payload[slice_at] & 0x80):
            return found  # the bit is first_slice_segment_in_pic_flag
        return NO_START

    def _join(self, payloads: list[bytes]) -> Joined:
        data, types, places = join_annex_b(_LAYOUT, payloads)
        tid = min([data[place + 1] & 7 for place in places])
        keyframe = any(_FIRST_IRAP <= one <= _LAST_IRAP for one in types)
        return Joined(data, keyframe, H265Facts(types, tid))

    def _admits(self, joined: Joined, lost: bool) -> bool:
        if joined.keyframe:
            return SPS in self._known or SPS in joined.facts.nal_types
        return not lost

    def _given_out(self, joined: Joined) -> None:
        sets = frozenset(joined.facts.nal_types) & {VPS, SPS}
        if sets:
            self._known |= sets
        if joined.keyframe:
            self._repeated = sets


def _is_irap(kind: int) -> bool:
    return _FIRST_IRAP <= kind <= _LAST_IRAP


class H265Format(PayloadFormat):
    """H.265. Parameters `profile_id`, `tier_flag`, `level_id`, `tx_mode` and others of RFC 7798 describe the stream."""

    encoding_name = "H265"

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        super().__init__(parameters)
        if self.integer("sprop_max_don_diff", 0) > 0:
            raise NotSupportedError("sprop-max-don-diff is above 0: decoding order numbers are not served")

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> H265Packetizer:
        return H265Packetizer(max_payload_bytes)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> H265Depacketizer:
        return H265Depacketizer(config)
