"""Sender and receiver reports.

Spec: RFC 3550 sections 6.4.1, 6.4.2, 6.4.3. Profile-specific extensions are kept as bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from ...errors import InvalidArgumentError
from .packet import PacketType, build, pack, too_short

_BLOCK: Final = struct.Struct(">IIIIII")
_SENDER: Final = struct.Struct(">IQIII")
_SSRC: Final = struct.Struct(">I")


class ReportBlock(NamedTuple):
    """How one source is received.

    `fraction_lost` is in 1/256 since the last report, `packets_lost` cumulative and signed (24 bits),
    `highest_sequence_number` extended by its cycles, `jitter` in units of the RTP clock, `last_sr` the compact NTP
    time of the last sender report, `delay_since_last_sr` in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int = 0
    packets_lost: int = 0
    highest_sequence_number: int = 0
    jitter: int = 0
    last_sr: int = 0
    delay_since_last_sr: int = 0


def _read_blocks(body: bytes, position: int, count: int, field: str) -> tuple[tuple[ReportBlock, ...], bytes]:
    end = position + 24 * count
    if end > len(body):
        raise too_short(body, end, field)
    blocks = []
    for at in range(position, end, 24):
        ssrc, losses, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, at)
        lost = losses & 0xFFFFFF
        if lost & 0x800000:
            lost -= 0x1000000
        blocks.append(ReportBlock(ssrc, losses >> 24, lost, highest, jitter, last_sr, delay))
    return tuple(blocks), body[end:]


def _write_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    out = []
    for block in blocks:
        lost = block.packets_lost
        if not -0x800000 <= lost <= 0x7FFFFF or not 0 <= block.fraction_lost <= 255:
            raise InvalidArgumentError(f"losses of {block} do not fit; clamp them (RFC 3550 section A.3)")
        losses = block.fraction_lost << 24 | (lost & 0xFFFFFF)
        out.append(pack(_BLOCK, "a report block", block.ssrc, losses, *block[3:]))
    return b"".join(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    """SR: what was sent until a moment, told in both clocks, and reports about what is received."""

    ssrc: int
    ntp_timestamp: int
    """64 bits, UQ32.32."""
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()
    extension: bytes = b""
    padding: int = 0

    @classmethod
    def read(cls, count: int, body: bytes, padding: int) -> SenderReport:
        if len(body) < 24:
            raise too_short(body, 24, "rtcp.sr")
        ssrc, ntp_timestamp, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body)
        reports, extension = _read_blocks(body, 24, count, "rtcp.sr.reports")
        return cls(
            ssrc=ssrc,
            ntp_timestamp=ntp_timestamp,
            rtp_timestamp=rtp_timestamp,
            packet_count=packet_count,
            octet_count=octet_count,
            reports=reports,
            extension=extension,
            padding=padding,
        )

    def serialize(self) -> bytes:
        counts = (self.packet_count & 0xFFFFFFFF, self.octet_count & 0xFFFFFFFF)  # they wrap (section 6.4.1)
        info = pack(_SENDER, "a sender report", self.ssrc, self.ntp_timestamp, self.rtp_timestamp, *counts)
        body = info + _write_blocks(self.reports) + self.extension
        return build(PacketType.SR, len(self.reports), body, self.padding)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverReport:
    """RR: reports of somebody who sends nothing, or more reports than fit an SR."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()
    extension: bytes = b""
    padding: int = 0

    @classmethod
    def read(cls, count: int, body: bytes, padding: int) -> ReceiverReport:
        if len(body) < 4:
            raise too_short(body, 4, "rtcp.rr")
        reports, extension = _read_blocks(body, 4, count, "rtcp.rr.reports")
        return cls(ssrc=_SSRC.unpack_from(body)[0], reports=reports, extension=extension, padding=padding)

    def serialize(self) -> bytes:
        body = pack(_SSRC, "a receiver report", self.ssrc) + _write_blocks(self.reports) + self.extension
        return build(PacketType.RR, len(self.reports), body, self.padding)
