"""One sent SSRC: numbers, counts, sender reports, and what the other side reports about it.

The sequence number is assigned by `stamp`, which is called when a packet really leaves (the pacer's moment), so what a
pacer drops leaves no hole. Round-trip times are taken only from blocks whose LSR names a report that this stream sent:
a peer that makes numbers up cannot move the RTT.

Spec: RFC 3550 sections 5.1 (random first sequence number and timestamp offset), 6.4.1, 6.4.3. The octet count excludes
header and padding.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ...base import SYSTEM_ENTROPY, Entropy, Instant, random_u16, random_u32
from ...errors import InvalidArgumentError
from ..ntp import compact_ntp, unix_to_ntp
from ..packets import RtpPacket
from ..rtcp.reports import ReportBlock, SenderReport
from .receiver import round_trip_time


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderConfig:
    """Tunables of one sent stream."""

    clock_rate: int = 90_000
    """Hz of the RTP clock."""
    wall_epoch: float = 0.0
    """Unix seconds of instant 0; sender reports carry wall time. One value for all streams of a peer."""
    report_memory: int = 16
    """Sender reports remembered for RTT: at one a second, an answer may be this many seconds late."""
    rtt_smoothing: float = 0.125
    """Weight of a new RTT, as TCP's (RFC 6298)."""
    entropy: Entropy = SYSTEM_ENTROPY

    def __post_init__(self) -> None:
        if self.clock_rate <= 0:
            raise InvalidArgumentError(f"clock_rate is in Hz and positive, got {self.clock_rate}")
        if self.report_memory < 1 or not 0 < self.rtt_smoothing <= 1:
            raise InvalidArgumentError("report_memory is 1 or more, rtt_smoothing above 0 and at most 1")


class SentStream:
    """State of one sent SSRC."""

    __slots__ = (
        "_last_timestamp",
        "_last_timestamp_at",
        "_reports",
        "_smoothing",
        "_wall_epoch",
        "blocks_ignored",
        "clock_rate",
        "last_packet_at",
        "octets_sent",
        "packets_sent",
        "remote_fraction_lost",
        "remote_highest_sequence_number",
        "remote_jitter",
        "remote_packets_lost",
        "rtt",
        "rtt_latest",
        "rtt_measurements",
        "sequence_number",
        "ssrc",
        "timestamp_offset",
    )

    def __init__(self, ssrc: int, config: SenderConfig | None = None) -> None:
        config = config or SenderConfig()
        entropy = config.entropy.fork(f"rtp sender {ssrc}")
        self.ssrc = ssrc
        self.clock_rate = config.clock_rate
        self._wall_epoch = config.wall_epoch
        self._smoothing = config.rtt_smoothing
        self.sequence_number = random_u16(entropy) & 0x7FFF
        """The next packet's. The first one is below 2**15: libsrtp loses its rollover guess otherwise."""
        self.timestamp_offset = random_u32(entropy)
        """What to add to a media clock that starts at 0."""
        self._reports: deque[int] = deque(maxlen=config.report_memory)
        self._last_timestamp = self.timestamp_offset
        self._last_timestamp_at: Instant | None = None
        self.packets_sent = 0
        self.octets_sent = 0
        self.last_packet_at: Instant | None = None
        self.remote_fraction_lost = 0.0
        """0 to 1, of the last interval reported."""
        self.remote_packets_lost = 0
        self.remote_highest_sequence_number = 0
        self.remote_jitter = 0.0
        """Seconds."""
        self.rtt: float | None = None
        """Seconds, smoothed."""
        self.rtt_latest: float | None = None
        self.rtt_measurements = 0
        self.blocks_ignored = 0

    def timestamp(self, media_time: float) -> int:
        """The RTP timestamp of `media_time`, in seconds from the start of the stream."""
        return (self.timestamp_offset + round(media_time * self.clock_rate)) & 0xFFFFFFFF

    def stamp(self, packet: RtpPacket, now: Instant, captured_at: Instant | None = None) -> RtpPacket:
        """Gives the packet its SSRC and sequence number and counts it as sent. Returns: the same packet.

        `captured_at` is the instant that the packet's timestamp stands for; `now` when not given.
        """
        packet.ssrc = self.ssrc
        packet.sequence_number = self.sequence_number
        self.sequence_number = (self.sequence_number + 1) & 0xFFFF
        self.packets_sent += 1
        self.octets_sent += len(packet.payload)
        self.last_packet_at = now
        if self._last_timestamp_at is None or packet.timestamp != self._last_timestamp:
            self._last_timestamp = packet.timestamp
            self._last_timestamp_at = now if captured_at is None else captured_at
        return packet

    def sender_report(self, now: Instant, blocks: tuple[ReportBlock, ...] = ()) -> SenderReport:
        """The sender report of this moment; its timestamp is the last packet's, carried on to `now`."""
        ntp = unix_to_ntp(self._wall_epoch + now)
        timestamp = self._last_timestamp
        if self._last_timestamp_at is not None:
            timestamp += round((now - self._last_timestamp_at) * self.clock_rate)
        self._reports.append(compact_ntp(ntp))
        return SenderReport(
            ssrc=self.ssrc,
            ntp_timestamp=ntp,
            rtp_timestamp=timestamp & 0xFFFFFFFF,
            packet_count=self.packets_sent & 0xFFFFFFFF,
            octet_count=self.octets_sent & 0xFFFFFFFF,
            reports=blocks,
        )

    def receive_report_block(self, block: ReportBlock, now: Instant) -> float | None:
        """Digests what a receiver says of this stream. Returns: the RTT measured in seconds, or None."""
        if block.ssrc != self.ssrc:
            self.blocks_ignored += 1
            return None
        self.remote_fraction_lost = block.fraction_lost / 256
        self.remote_packets_lost = block.packets_lost
        self.remote_highest_sequence_number = block.highest_sequence_number
        self.remote_jitter = block.jitter / self.clock_rate
        if block.last_sr not in self._reports:
            return None
        rtt = round_trip_time(unix_to_ntp(self._wall_epoch + now), block.last_sr, block.delay_since_last_sr)
        if rtt is None:
            return None
        self.rtt_latest = rtt
        self.rtt = rtt if self.rtt is None else self.rtt + self._smoothing * (rtt - self.rtt)
        self.rtt_measurements += 1
        return rtt
