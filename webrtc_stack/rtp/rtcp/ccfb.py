"""Congestion control feedback: arrival and ECN mark of each packet, for several streams in one message.

Spec: RFC 8888 section 3.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from ...errors import InvalidArgumentError, ParseError
from .packet import PacketType, TransportFormat, build, pack, too_short

ARRIVAL_UNAVAILABLE: Final = 0x1FFF
"""`arrival_offset` of a packet that arrived after the report's time."""
ARRIVAL_OVERRANGE: Final = 0x1FFE
"""`arrival_offset` of a packet that arrived 8189/1024 s or longer ago."""
_MAX_REPORTS: Final = 16384
_HEAD: Final = struct.Struct(">IHH")
_U32: Final = struct.Struct(">I")
_FIELD: Final = "rtcp.ccfb"


class ArrivalReport(NamedTuple):
    """One packet that arrived: its ECN mark, and how long before the report's time. Units: 1/1024 s."""

    ecn: int
    arrival_offset: int


class CcfbStream(NamedTuple):
    """The packets of one stream from `begin_sequence_number` on; None for one that did not arrive."""

    ssrc: int
    begin_sequence_number: int
    reports: tuple[ArrivalReport | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ccfb:
    """RFC 8888 feedback. `report_timestamp` is a compact NTP time (UQ16.16) of the receiver's clock."""

    sender_ssrc: int
    streams: tuple[CcfbStream, ...]
    report_timestamp: int
    padding: int = 0

    @classmethod
    def read(cls, body: bytes, padding: int) -> Ccfb:
        end = len(body) - 4
        if end < 4 or len(body) % 4:
            raise too_short(body, 8, _FIELD)
        position = 4
        streams = []
        while position < end:
            if position + 8 > end:
                raise ParseError("a stream's head does not fit", offset=4 + position, field=_FIELD)
            ssrc, begin, count = _HEAD.unpack_from(body, position)
            position += 8
            if count > _MAX_REPORTS:
                raise ParseError(f"{count} reports, at most {_MAX_REPORTS}", offset=2 + position, field=_FIELD)
            after = position + 2 * count
            if after > end:
                raise ParseError(f"{count} reports do not fit", offset=4 + position, field=_FIELD)
            streams.append(
                CcfbStream(
                    ssrc,
                    begin,
                    tuple(
                        [
                            ArrivalReport(word >> 13 & 3, word & 0x1FFF) if word & 0x8000 else None
                            for word in struct.unpack_from(f">{count}H", body, position)
                        ]
                    ),
                )
            )
            position = (after + 3) & ~3
        return cls(
            sender_ssrc=_U32.unpack_from(body)[0],
            streams=tuple(streams),
            report_timestamp=_U32.unpack_from(body, end)[0],
            padding=padding,
        )

    def serialize(self) -> bytes:
        out = bytearray(pack(_U32, "feedback", self.sender_ssrc))
        for ssrc, begin, reports in self.streams:
            if len(reports) > _MAX_REPORTS:
                raise InvalidArgumentError(f"{len(reports)} reports, at most {_MAX_REPORTS}; split them")
            out += pack(_HEAD, "a stream's feedback", ssrc, begin, len(reports))
            for report in reports:
                word = 0
                if report is not None:
                    if not 0 <= report.ecn <= 3 or not 0 <= report.arrival_offset <= 0x1FFF:
                        raise InvalidArgumentError(f"{report} has 2 and 13 bits")
                    word = 0x8000 | report.ecn << 13 | report.arrival_offset
                out += word.to_bytes(2, "big")
            out += bytes(-len(out) & 3)
        out += pack(_U32, "feedback", self.report_timestamp)
        return build(PacketType.RTPFB, TransportFormat.CCFB, bytes(out), self.padding)
