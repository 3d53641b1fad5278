"""Extended reports: blocks about loss, timing and call quality.

Spec: RFC 3611 sections 3, 4.1 to 4.7, and 4.4 with 4.5 as RFC 5760 left them (RRTR and DLRR give a receiver that sends
nothing its round trip time). Reserved bits are written as zero. Other blocks are kept as their bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from ...errors import InvalidArgumentError, ParseError
from .packet import PacketType, build, pack, too_short

_BLOCK: Final = struct.Struct(">BBH")
_SSRC: Final = struct.Struct(">I")
_RANGE: Final = struct.Struct(">IHH")
_U64: Final = struct.Struct(">Q")
_DLRR: Final = struct.Struct(">III")
_STATISTICS: Final = struct.Struct(">IHHIIIIIIBBBB")
_VOIP: Final = struct.Struct(">IBBBBHHHHbbBBBBBBBBHHH")
_FIELD: Final = "rtcp.xr"


class XrBlockType(IntEnum):
    LOSS_RLE = 1
    DUPLICATE_RLE = 2
    PACKET_RECEIPT_TIMES = 3
    RECEIVER_REFERENCE_TIME = 4
    DLRR = 5
    STATISTICS_SUMMARY = 6
    VOIP_METRICS = 7


class XrBlock(Protocol):
    """What a block can do: give its head's two fields and its content."""

    def parts(self) -> tuple[int, int, bytes]:
        """(block type, type-specific byte, content of whole words)."""
        ...


def _exact(content: bytes, size: int, block: str) -> None:
    if len(content) != size:
        raise ParseError(f"{len(content)} bytes, expected {size}", field=f"{_FIELD}.{block}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLengthBlock:
    """Which packets were lost, or (`duplicates`) came more than once, in run lengths and bit vectors.

    Only each 2**`thinning`-th sequence number counts. `chunks` are 16-bit words as on the wire, without the null that
    fills the last word.
    """

    duplicates: bool = False
    thinning: int = 0
    ssrc: int
    begin_sequence_number: int
    end_sequence_number: int
    """One beyond the last."""
    chunks: tuple[int, ...]

    @classmethod
    def read(cls, block_type: int, specific: int, content: bytes) -> RunLengthBlock:
        if len(content) < 8:
            raise too_short(content, 8, f"{_FIELD}.rle")
        ssrc, begin, end = _RANGE.unpack_from(content)
        chunks = struct.unpack_from(f">{(len(content) - 8) // 2}H", content, 8)
        if chunks and not chunks[-1]:
            chunks = chunks[:-1]
        return cls(
            duplicates=block_type == XrBlockType.DUPLICATE_RLE,
            thinning=specific & 15,
            ssrc=ssrc,
            begin_sequence_number=begin,
            end_sequence_number=end,
            chunks=chunks,
        )

    def parts(self) -> tuple[int, int, bytes]:
        content = pack(_RANGE, "a block", self.ssrc, self.begin_sequence_number, self.end_sequence_number)
        chunks = self.chunks if len(self.chunks) % 2 == 0 else (*self.chunks, 0)
        content += pack(struct.Struct(f">{len(chunks)}H"), "a run-length block", *chunks)
        kind = XrBlockType.DUPLICATE_RLE if self.duplicates else XrBlockType.LOSS_RLE
        return kind, _thinning(self.thinning), content

    def bits(self) -> Iterator[tuple[int, bool]]:
        """(sequence number, bit) of each number reported on: True for received (or not duplicated), as the bits say."""
        step = 1 << self.thinning
        number = (self.begin_sequence_number + step - 1) // step * step
        left = ((self.end_sequence_number - self.begin_sequence_number) & 0xFFFF) - (
            number - self.begin_sequence_number
        )
        for chunk in self.chunks:
            if not chunk:
                return
            if chunk & 0x8000:
                run = [bool(chunk >> shift & 1) for shift in range(14, -1, -1)]
            else:
                run = [bool(chunk & 0x4000)] * (chunk & 0x3FFF)
            for bit in run:
                if left <= 0:
                    return
                yield number & 0xFFFF, bit
                number += step
                left -= step


def _thinning(value: int) -> int:
    if not 0 <= value <= 15:
        raise InvalidArgumentError(f"thinning is 0 to 15, not {value}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketReceiptTimes:
    """When packets arrived, in the units of their RTP timestamps."""

    thinning: int = 0
    ssrc: int
    begin_sequence_number: int
    end_sequence_number: int
    times: tuple[int, ...]

    @classmethod
    def read(cls, block_type: int, specific: int, content: bytes) -> PacketReceiptTimes:
        if len(content) < 8:
            raise too_short(content, 8, f"{_FIELD}.receipt-times")
        ssrc, begin, end = _RANGE.unpack_from(content)
        times = struct.unpack_from(f">{(len(content) - 8) // 4}I", content, 8)
        return cls(thinning=specific & 15, ssrc=ssrc, begin_sequence_number=begin, end_sequence_number=end, times=times)

    def parts(self) -> tuple[int, int, bytes]:
        content = pack(_RANGE, "a block", self.ssrc, self.begin_sequence_number, self.end_sequence_number)
        content += pack(struct.Struct(f">{len(self.times)}I"), "receipt times", *self.times)
        return XrBlockType.PACKET_RECEIPT_TIMES, _thinning(self.thinning), content


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverReferenceTime:
    """RRTR: the wall clock of somebody who may send no reports of its own; 64 bits of NTP time."""

    ntp_timestamp: int

    @classmethod
    def read(cls, block_type: int, specific: int, content: bytes) -> ReceiverReferenceTime:
        _exact(content, 8, "rrtr")
        return cls(ntp_timestamp=_U64.unpack(content)[0])

    def parts(self) -> tuple[int, int, bytes]:
        return XrBlockType.RECEIVER_REFERENCE_TIME, 0, pack(_U64, "an RRTR block", self.ntp_timestamp)


class DlrrItem(NamedTuple):
    """The last RRTR of `ssrc` (compact NTP time), and how long ago it came. Units: 1/65536 s."""

    ssrc: int
    last_rr: int
    delay_since_last_rr: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DelaySinceLastRr:
    """DLRR: the answers to RRTR blocks."""

    items: tuple[DlrrItem, ...]

    @classmethod
    def read(cls, block_type: int, specific: int, content: bytes) -> DelaySinceLastRr:
        if len(content) % 12:
            raise ParseError(f"{len(content)} bytes, expected a multiple of 12", field=f"{_FIELD}.dlrr")
        return cls(items=tuple([DlrrItem(*item) for item in _DLRR.iter_unpack(content)]))

    def parts(self) -> tuple[int, int, bytes]:
        return XrBlockType.DLRR, 0, b"".join([pack(_DLRR, "a DLRR block", *item) for item in self.items])


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsSummary:
    """Counts of loss and duplicates, and spans of jitter and TTL (or hop limit); `flags` say which of them count.

    Units: jitter in units of the RTP clock; deviations and means as RFC 3611 section 4.6 defines them.
    """

    flags: int = 0
    """0x80 losses, 0x40 duplicates, 0x20 jitter, 0x18: 0x08 TTL or 0x10 hop limit."""
    ssrc: int
    begin_sequence_number: int
    end_sequence_number: int
    lost_packets: int = 0
    duplicate_packets: int = 0
    min_jitter: int = 0
    max_jitter: int = 0
    mean_jitter: int = 0
    deviation_jitter: int = 0
    min_ttl: int = 0
    max_ttl: int = 0
    mean_ttl: int = 0
    deviation_ttl: int = 0

    @classmethod
    def read(cls, block_type: int, specific: int, content: bytes) -> StatisticsSummary:
        _exact(content, _STATISTICS.size, "statistics-summary")
        ssrc, begin, end, lost, duplicates, *rest = _STATISTICS.unpack(content)
        return cls(
            flags=specific & 0xF8,
            ssrc=ssrc,
            begin_sequence_number=begin,
            end_sequence_number=end,
            lost_packets=lost,
            duplicate_packets=duplicates,
            min_jitter=rest[0],
            max_jitter=rest[1],
            mean_jitter=rest[2],
            deviation_jitter=rest[3],
            min_ttl=rest[4],
            max_ttl=rest[5],
            mean_ttl=rest[6],
            deviation_ttl=rest[7],
        )

    def parts(self) -> tuple[int, int, bytes]:
        if not 0 <= self.flags <= 0xF8 or self.flags & 7:
            raise InvalidArgumentError(f"flags are the five high bits, not {self.flags:#x}")
        content = pack(
            _STATISTICS,
            "a statistics summary",
            *(self.ssrc, self.begin_sequence_number, self.end_sequence_number),
            *(self.lost_packets, self.duplicate_packets),
            *(self.min_jitter, self.max_jitter, self.mean_jitter, self.deviation_jitter),
            *(self.min_ttl, self.max_ttl, self.mean_ttl, self.deviation_ttl),
        )
        return XrBlockType.STATISTICS_SUMMARY, self.flags, content


@dataclass(frozen=True, slots=True, kw_only=True)
class VoipMetrics:
    """Call quality, as the integers of RFC 3611 section 4.7.

    Units: rates and densities 1/256; durations and delays milliseconds; levels dBm (signed); R factors and `rerl` as
    they are; MOS times ten. 127 means "not known" for levels, `rerl`, R factors and MOS.
    """

    ssrc: int
    loss_rate: int = 0
    discard_rate: int = 0
    burst_density: int = 0
    gap_density: int = 0
    burst_duration_ms: int = 0
    gap_duration_ms: int = 0
    round_trip_delay_ms: int = 0
    end_system_delay_ms: int = 0
    signal_level: int = 127
    noise_level: int = 127
    rerl: int = 127
    gmin: int = 16
    r_factor: int = 127
    external_r_factor: int = 127
    mos_lq: int = 127
    mos_cq: int = 127
    receiver_config: int = 0
    jitter_buffer_nominal_ms: int = 0
    jitter_buffer_maximum_ms: int = 0
    jitter_buffer_absolute_maximum_ms: int = 0

    @classmethod
    def read(cls, block_type: int, specific: int, content: bytes) -> VoipMetrics:
        _exact(content, _VOIP.size, "voip-metrics")
        v = _VOIP.unpack(content)
        return cls(
            ssrc=v[0],
            loss_rate=v[1],
            discard_rate=v[2],
            burst_density=v[3],
            gap_density=v[4],
            burst_duration_ms=v[5],
            gap_duration_ms=v[6],
            round_trip_delay_ms=v[7],
            end_system_delay_ms=v[8],
            signal_level=v[9],
            noise_level=v[10],
            rerl=v[11],
            gmin=v[12],
            r_factor=v[13],
            external_r_factor=v[14],
            mos_lq=v[15],
            mos_cq=v[16],
            receiver_config=v[17],
            jitter_buffer_nominal_ms=v[19],
            jitter_buffer_maximum_ms=v[20],
            jitter_buffer_absolute_maximum_ms=v[21],
        )

    def parts(self) -> tuple[int, int, bytes]:
        content = pack(
            _VOIP,
            "VoIP metrics",
            *(self.ssrc, self.loss_rate, self.discard_rate, self.burst_density, self.gap_density),
            *(self.burst_duration_ms, self.gap_duration_ms, self.round_trip_delay_ms, self.end_system_delay_ms),
            *(self.signal_level, self.noise_level, self.rerl, self.gmin, self.r_factor, self.external_r_factor),
            *(self.mos_lq, self.mos_cq, self.receiver_config, 0),
            *(self.jitter_buffer_nominal_ms, self.jitter_buffer_maximum_ms, self.jitter_buffer_absolute_maximum_ms),
        )
        return XrBlockType.VOIP_METRICS, 0, content


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownXrBlock:
    """A block of another type, as its bytes."""

    block_type: int
    type_specific: int = 0
    content: bytes = b""

    def parts(self) -> tuple[int, int, bytes]:
        return self.block_type, self.type_specific, self.content


_READERS: Final[dict[int, Callable[[int, int, bytes], XrBlock]]] = {
    XrBlockType.LOSS_RLE: RunLengthBlock.read,
    XrBlockType.DUPLICATE_RLE: RunLengthBlock.read,
    XrBlockType.PACKET_RECEIPT_TIMES: PacketReceiptTimes.read,
    XrBlockType.RECEIVER_REFERENCE_TIME: ReceiverReferenceTime.read,
    XrBlockType.DLRR: DelaySinceLastRr.read,
    XrBlockType.STATISTICS_SUMMARY: StatisticsSummary.read,
    XrBlockType.VOIP_METRICS: VoipMetrics.read,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedReport:
    """XR: blocks of `ssrc`."""

    ssrc: int
    blocks: tuple[XrBlock, ...]
    padding: int = 0

    @classmethod
    def read(cls, count: int, body: bytes, padding: int) -> ExtendedReport:
        if len(body) < 4:
            raise too_short(body, 4, _FIELD)
        blocks: list[XrBlock] = []
        position, end = 4, len(body)
        while position < end:
            if position + 4 > end:
                raise too_short(body, position + 4, f"{_FIELD}.block")
            block_type, specific, words = _BLOCK.unpack_from(body, position)
            after = position + 4 + 4 * words
            if after > end:
                raise ParseError(f"a block of {words} words does not fit", offset=4 + position, field=f"{_FIELD}.block")
            content = body[position + 4 : after]
            reader = _READERS.get(block_type)
            if reader is None:
                blocks.append(UnknownXrBlock(block_type=block_type, type_specific=specific, content=content))
            else:
                blocks.append(reader(block_type, specific, content))
            position = after
        return cls(ssrc=_SSRC.unpack_from(body)[0], blocks=tuple(blocks), padding=padding)

    def serialize(self) -> bytes:
        out = [pack(_SSRC, "an extended report", self.ssrc)]
        for block in self.blocks:
            block_type, specific, content = block.parts()
            if len(content) % 4:
                raise InvalidArgumentError(f"a block of {len(content)} bytes, expected a multiple of 4")
            out.append(pack(_BLOCK, "a block", block_type, specific, len(content) // 4) + content)
        return build(PacketType.XR, 0, b"".join(out), self.padding)
