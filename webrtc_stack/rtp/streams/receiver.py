"""One received SSRC: its sequence numbers, losses, jitter, sender reports, and the report block about it.

The state machine of RFC 3550 appendix A.1 with one liberty: `probation` is 0 by default, since signalling named the
source and SRTP authenticated the packet; the table (`receivers.py`) sets it for sources that nobody announced. After
a restart (two packets in a row behind a jump) the transit time of A.8 starts anew as well, or the jump between the two
clocks would stand in the jitter for a hundred packets. For the same reason a jump of the timestamps alone does not
count (`max_transit_jump`).

Two numberings leave this class. The *index* of a packet is unwrapped once and grows for ever, across restarts too:
buffers and NACK lists use it. The *extended highest sequence number* of reports starts again at a restart, as A.1 says.

Spec: RFC 3550 sections 6.4.1, A.1, A.3, A.8. Retransmitted packets (RFC 4588 section 6.3) are not counted here: give
them to `index_of`, which only numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from ...base import Instant
from ...errors import InvalidArgumentError
from ..ntp import compact_ntp, compact_to_seconds, ntp_to_unix, seconds_to_compact
from ..packets import RtpPacket
from ..rtcp.reports import ReportBlock, SenderReport

_MOD: Final = 1 << 16
_NO_BAD_SEQUENCE: Final = _MOD + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """Tunables of one received stream."""

    clock_rate: int = 90_000
    """Hz of the RTP clock: 90 kHz is every video format's."""
    probation: int = 0
    """Packets that must come in sequence before the source counts; RFC 3550 proposes 2 where nothing announced it."""
    max_dropout: int = 3000
    """A forward jump below this is loss, a larger one perhaps a restart. RFC 3550 A.1: a minute at 50 packets/s."""
    max_misorder: int = 100
    """Packets this far behind are still late ones, not a restart. RFC 3550 A.1."""
    max_transit_jump: float = 5.0
    """Seconds. The transit time of A.8 that changes by more tells of a jump of the timestamps, not of jitter: browsers
    begin an RTX stream with padding at timestamp 0, go on at the media's, and a day of jitter would be reported for
    minutes. The packet counts all the same. `inf` is A.8 to the letter."""

    def __post_init__(self) -> None:
        if self.clock_rate <= 0:
            raise InvalidArgumentError(f"clock_rate is in Hz and positive, got {self.clock_rate}")
        if not self.max_transit_jump > 0:
            raise InvalidArgumentError(f"max_transit_jump is in seconds and positive, got {self.max_transit_jump}")
        if self.probation < 0:
            raise InvalidArgumentError(f"probation is a number of packets, got {self.probation}")
        if not 0 < self.max_misorder <= self.max_dropout <= _MOD - self.max_misorder:
            raise InvalidArgumentError("0 < max_misorder <= max_dropout <= 65536 - max_misorder must hold")


class SenderClock(NamedTuple):
    """What the last sender report said: one moment in both clocks, and when we learned it.

    Units: `ntp_time` Unix seconds of the sender's wall clock, `arrival` our instant.
    """

    ntp_time: float
    rtp_timestamp: int
    arrival: Instant


class ReceivedStream:
    """Statistics of one SSRC. `receive` is the hot path: plain integers in, one integer out."""

    __slots__ = (
        "_bad_sequence",
        "_base_sequence",
        "_clock_rate",
        "_cycles",
        "_expected_prior",
        "_index_base",
        "_jitter_q4",
        "_last_sr",
        "_max_dropout",
        "_max_jump",
        "_max_misorder",
        "_max_sequence",
        "_min_sequential",
        "_probation",
        "_received_prior",
        "_run_received",
        "_transit",
        "bytes_received",
        "discarded",
        "last_arrival",
        "late_or_duplicate",
        "packets_received",
        "remote_octet_count",
        "remote_packet_count",
        "restarts",
        "sender_clock",
        "ssrc",
    )

    def __init__(self, ssrc: int, config: ReceiverConfig | None = None) -> None:
        config = config or ReceiverConfig()
        self.ssrc = ssrc
        self._clock_rate = config.clock_rate
        self._max_dropout = config.max_dropout
        self._max_misorder = config.max_misorder
        self._max_jump = min(config.max_transit_jump * config.clock_rate, 2.0**31)
        self._min_sequential = self._probation = config.probation
        self._max_sequence = -1
        self._base_sequence = 0
        self._bad_sequence = _NO_BAD_SEQUENCE
        self._cycles = 0
        self._index_base = _MOD
        self._run_received = 0
        self._expected_prior = 0
        self._received_prior = 0
        self._transit: int | None = None
        self._jitter_q4 = 0
        self._last_sr = 0
        self.sender_clock: SenderClock | None = None
        self.remote_packet_count = 0
        self.remote_octet_count = 0
        self.packets_received = 0
        """Since the beginning, duplicates included, restarts or not."""
        self.bytes_received = 0
        self.late_or_duplicate = 0
        self.discarded = 0
        """Packets not counted: on probation, or the first one behind a jump."""
        self.restarts = 0
        self.last_arrival: Instant | None = None

    @property
    def valid(self) -> bool:
        """Whether the source has passed its probation."""
        return self._max_sequence >= 0 and self._probation == 0

    def receive(self, packet: RtpPacket, now: Instant, size: int | None = None) -> int | None:
        """Counts a packet. Returns: its index, or None when it does not count (probation, or an unconfirmed jump).

        `size` is what `bytes_received` grows by; the payload's length when not given.
        """
        length = len(packet.payload) if size is None else size
        return self.receive_plain(packet.sequence_number, packet.timestamp, now, length)

    def receive_plain(self, sequence_number: int, timestamp: int, now: Instant, size: int) -> int | None:
        """`receive` for whoever has the fields and no packet."""
        highest = self._max_sequence
        if highest < 0:
            self._start(sequence_number)
            if self._probation:
                self._probation -= 1
                if self._probation:
                    self.discarded += 1
                    return None
            highest = sequence_number
        elif self._probation:
            if sequence_number == (highest + 1) & 0xFFFF:
                self._probation -= 1
                self._max_sequence = sequence_number
                if self._probation:
                    self.discarded += 1
                    return None
                self._start(sequence_number)
            else:
                self._probation = max(self._min_sequential - 1, 1)
                self._max_sequence = sequence_number
                self.discarded += 1
                return None
        ahead = (sequence_number - self._max_sequence) & 0xFFFF
        if ahead < self._max_dropout:
            if sequence_number < self._max_sequence:
                self._cycles += _MOD
            self._max_sequence = sequence_number
            if not ahead and self._run_received:
                self.late_or_duplicate += 1
            index = self._index_base + self._cycles + sequence_number
        elif ahead <= _MOD - self._max_misorder:
            if sequence_number != self._bad_sequence:
                self._bad_sequence = (sequence_number + 1) & 0xFFFF
                self.discarded += 1
                return None
            self._index_base += self._cycles + 2 * _MOD  # beyond every index given so far, and every late one
            self._start(sequence_number)
            self.restarts += 1
            index = self._index_base + sequence_number
        else:
            self.late_or_duplicate += 1
            index = self._index_base + self._cycles + self._max_sequence - (_MOD - ahead)
        self._run_received += 1
        self.packets_received += 1
        self.bytes_received += size
        self.last_arrival = now
        transit = (int(now * self._clock_rate) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            distance = (transit - self._transit) & 0xFFFFFFFF
            if distance & 0x80000000:
                distance = 0x100000000 - distance
            if distance <= self._max_jump:
                self._jitter_q4 += distance - ((self._jitter_q4 + 8) >> 4)
        self._transit = transit
        return index

    def _start(self, sequence_number: int) -> None:
        self._base_sequence = sequence_number
        self._max_sequence = sequence_number
        self._bad_sequence = _NO_BAD_SEQUENCE
        self._cycles = 0
        self._run_received = 0
        self._expected_prior = 0
        self._received_prior = 0
        self._transit = None

    def set_clock_rate(self, clock_rate: int) -> None:
        """The sender goes on with a payload type of another clock: jitter is measured anew (RFC 7160 section 4.1)."""
        if clock_rate <= 0:
            raise InvalidArgumentError(f"clock_rate is in Hz and positive, got {clock_rate}")
        self._clock_rate = clock_rate
        self._transit = None
        self._jitter_q4 = 0

    def index_of(self, sequence_number: int) -> int | None:
        """The index of a number near the highest one, without counting it. None before the first packet."""
        highest = self._max_sequence
        if highest < 0:
            return None
        distance = (sequence_number - highest) & 0xFFFF
        if distance >= 0x8000:
            distance -= _MOD
        return self._index_base + self._cycles + highest + distance

    # --- statistics ---------------------------------------------------------------------------------------------------

    @property
    def highest_sequence_number(self) -> int:
        """Extended by the cycles, 32 bits."""
        return (self._cycles + max(self._max_sequence, 0)) & 0xFFFFFFFF

    @property
    def expected(self) -> int:
        """Packets that should have come since the (re)start."""
        if not self._run_received:
            return 0
        return self._cycles + self._max_sequence - self._base_sequence + 1

    @property
    def packets_lost(self) -> int:
        """Cumulative, negative with duplicates; clamped to the 24 bits of a report block."""
        return min(max(self.expected - self._run_received, -0x800000), 0x7FFFFF)

    @property
    def jitter(self) -> int:
        """Interarrival jitter in units of the RTP clock (RFC 3550 A.8, the integer form)."""
        return min(self._jitter_q4 >> 4, 0xFFFFFFFF)

    @property
    def jitter_seconds(self) -> float:
        return self._jitter_q4 / 16 / self._clock_rate

    # --- reports ------------------------------------------------------------------------------------------------------

    def receive_sender_report(self, report: SenderReport, now: Instant) -> None:
        """Takes note of a sender report of this SSRC; one of another is the caller's mistake and is ignored."""
        if report.ssrc != self.ssrc:
            return
        self._last_sr = compact_ntp(report.ntp_timestamp)
        self.sender_clock = SenderClock(ntp_to_unix(report.ntp_timestamp), report.rtp_timestamp, now)
        self.remote_packet_count = report.packet_count
        self.remote_octet_count = report.octet_count

    def report_block(self, now: Instant) -> ReportBlock:
        """The block for the next report. Starts a new interval for `fraction_lost`: call it once a report."""
        expected = self.expected
        expected_interval = expected - self._expected_prior
        lost_interval = expected_interval - (self._run_received - self._received_prior)
        self._expected_prior = expected
        self._received_prior = self._run_received
        fraction = 0
        if expected_interval > 0 and lost_interval > 0:
            fraction = min((lost_interval << 8) // expected_interval, 255)
        delay = 0
        if self.sender_clock is not None:
            delay = seconds_to_compact(now - self.sender_clock.arrival)
        return ReportBlock(
            self.ssrc,
            fraction,
            self.packets_lost,
            self.highest_sequence_number,
            self.jitter,
            self._last_sr,
            delay,
        )


def round_trip_time(now_ntp: int, last_sr: int, delay_since_last_sr: int) -> float | None:
    """RTT from a report block (or a DLRR sub-block): now minus LSR minus DLSR, as 32-bit compact NTP.

    `now_ntp` is the 64-bit NTP time of the block's arrival. Returns: seconds; None when the block carries no LSR, or
    when the difference is negative beyond clock rounding or above 18 hours' half: then it answers no report of ours.

    Spec: RFC 3550 section 6.4.1; RFC 3611 section 4.5 for DLRR.
    """
    if not last_sr:
        return None
    span = (compact_ntp(now_ntp) - last_sr - delay_since_last_sr) & 0xFFFFFFFF
    if span >= 0xFFFF0000:  # less than a second below zero: a peer that rounds up on a short path
        return 0.0
    if span >= 0x80000000:
        return None
    return compact_to_seconds(span)
