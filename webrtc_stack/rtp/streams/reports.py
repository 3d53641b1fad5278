"""When RTCP is sent, and what a report consists of.

`ReportScheduler` decides when: regular reports at the randomised interval of RFC 3550, with a minimum that may be
reduced below five seconds; feedback (NACK, PLI, transport-cc) at once where AVPF was negotiated, held to the RTCP
bandwidth by a distance between two feedback packets. `Reporter` decides what: SR or RR, SDES, XR (`xr.py`), BYE, as
values that `rtcp.serialize_compound` writes.

The AVPF bookkeeping is for the transports of WebRTC, which have two ends: T_dither_max is 0, so feedback is never
delayed to see whether somebody else says it. Instead of RFC 4585's alternation (one early packet, then wait for twice
the interval) a feedback packet may follow the last RTCP packet after one interval T_rr: the same mean rate, and less
waiting. The minimum of regular reports is that RFC's T_rr_interval.

Spec: RFC 3550 sections 6.2, 6.3.1 to 6.3.7, 6.4, A.7; RFC 4585 sections 3.4, 3.5; RFC 5506 (reduced size). Left out:
BYE back-off for more than 50 members (section 6.3.7) and SSRC sampling (RFC 2762).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...base import NEVER, SYSTEM_ENTROPY, Entropy, Instant, random_unit
from ...errors import InvalidArgumentError
from ..rtcp import Bye, ReceiverReport, ReportBlock, RtcpPacket, SdesChunk, SdesItem, SdesType, SourceDescription
from .receiver import ReceivedStream
from .sender import SentStream
from .xr import XrReporter

_COMPENSATION: Final = 2.71828 - 1.5
"""Timer reconsideration converges below the wanted rate; this makes up for it (RFC 3550 section 6.3.1)."""
_MAX_BLOCKS: Final = 31
_OVERHEAD_BYTES: Final = 28
"""IPv4 and UDP headers, which count as RTCP bandwidth (section 6.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig:
    """Tunables of RTCP."""

    session_bandwidth_bps: int = 1_000_000
    """What the media may take; RTCP gets a share of it."""
    rtcp_fraction: float = 0.05
    """That share, as RFC 3550 recommends."""
    sender_fraction: float = 0.25
    """Senders' part of the RTCP bandwidth while they are at most so large a part of the members."""
    minimum_interval: float = 1.0
    """Seconds between regular reports at least, before randomising: RFC 3550's 5 s is too slow for RTT and lip sync;
    1 s is what browsers do for video."""
    reduced_minimum: bool = True
    """Take 360 / session bandwidth in kbit/s where that is shorter than `minimum_interval` (section 6.2)."""
    early_feedback: bool = True
    """AVPF (RTP/SAVPF) was negotiated; else feedback waits for the next regular report."""
    reduced_size: bool = True
    """a=rtcp-rsize was negotiated: feedback may go without SR or RR in front."""
    initial_packet_bytes: int = 120
    """First guess of the mean RTCP packet: SR with one block, SDES, IP and UDP headers."""
    max_report_packets: int = 4
    """RRs in one compound packet beyond the first: 155 sources a report. More take turns."""
    entropy: Entropy = SYSTEM_ENTROPY

    def __post_init__(self) -> None:
        if self.session_bandwidth_bps <= 0 or self.minimum_interval < 0 or self.max_report_packets < 1:
            raise InvalidArgumentError("bandwidth is positive, minimum_interval not negative, max_report_packets >= 1")
        if not 0 < self.rtcp_fraction <= 1 or not 0 < self.sender_fraction < 1:
            raise InvalidArgumentError("rtcp_fraction and sender_fraction are shares between 0 and 1")


def rtcp_interval(
    *,
    members: int,
    senders: int,
    rtcp_bytes_per_second: float,
    we_sent: bool,
    average_bytes: float,
    minimum: float,
    sender_fraction: float = 0.25,
) -> float:
    """The deterministic interval T_d, in seconds. Spec: RFC 3550 sections 6.3.1, A.7."""
    bandwidth = rtcp_bytes_per_second
    count = members
    if senders <= members * sender_fraction:
        if we_sent:
            bandwidth *= sender_fraction
            count = senders
        else:
            bandwidth *= 1 - sender_fraction
            count -= senders
    return max(average_bytes * count / bandwidth, minimum)


class ReportScheduler:
    """The RTCP timer of one session. Ask `due(now)` when `next_timeout()` has come, and tell `sent` what left."""

    __slots__ = (
        "_average_bytes",
        "_bytes_per_second",
        "_config",
        "_entropy",
        "_feedback_wanted",
        "_initial",
        "_last_interval",
        "_last_regular",
        "_last_sent",
        "_minimum",
        "_regular_at",
        "members",
        "regular_sent",
        "senders",
        "we_sent",
    )

    def __init__(self, config: ReportConfig, now: Instant) -> None:
        self._config = config
        self._entropy = config.entropy.fork("rtcp interval")
        self._bytes_per_second = config.session_bandwidth_bps * config.rtcp_fraction / 8
        reduced = 360_000 / config.session_bandwidth_bps
        self._minimum = min(config.minimum_interval, reduced) if config.reduced_minimum else config.minimum_interval
        self._average_bytes = float(config.initial_packet_bytes)
        self._initial = True
        self._last_regular = now
        self._last_sent: Instant | None = None
        self._last_interval = 0.0
        self._feedback_wanted = False
        self.members = 2
        self.senders = 1
        self.we_sent = False
        self.regular_sent = 0
        self._regular_at: Instant = now + self._draw()

    def _deterministic(self, minimum: float) -> float:
        return rtcp_interval(
            members=self.members,
            senders=self.senders,
            rtcp_bytes_per_second=self._bytes_per_second,
            we_sent=self.we_sent,
            average_bytes=self._average_bytes,
            minimum=minimum,
            sender_fraction=self._config.sender_fraction,
        )

    def _draw(self) -> float:
        minimum = self._minimum / 2 if self._initial else self._minimum
        self._last_interval = self._deterministic(minimum) * (random_unit(self._entropy) + 0.5) / _COMPENSATION
        return self._last_interval

    def set_members(self, members: int, senders: int, we_sent: bool, now: Instant) -> None:
        """Who takes part. Fewer than before: the next report comes sooner (reverse reconsideration, section 6.3.4)."""
        if members < 1 or senders < 0 or senders > members:
            raise InvalidArgumentError(f"{senders} senders among {members} members")
        if members < self.members:
            share = members / self.members
            self._regular_at = now + share * max(self._regular_at - now, 0.0)
            self._last_regular = now - share * max(now - self._last_regular, 0.0)
        self.members, self.senders, self.we_sent = members, senders, we_sent

    def request_feedback(self) -> None:
        """There is feedback to send; `next_timeout` says when it may leave."""
        self._feedback_wanted = True

    def withdraw_feedback(self) -> None:
        """What was to be fed back has settled itself."""
        self._feedback_wanted = False

    def _feedback_at(self) -> Instant:
        if not self._feedback_wanted or not self._config.early_feedback:
            return NEVER
        return 0.0 if self._last_sent is None else self._last_sent + self._deterministic(0.0)

    def next_timeout(self) -> Instant:
        return min(self._regular_at, self._feedback_at())

    def due(self, now: Instant) -> str:
        """What may be sent at `now`. Returns: "regular", "feedback" or "" (nothing; the timer may have moved on)."""
        if now >= self._regular_at:
            again = self._last_regular + self._draw()  # timer reconsideration, section 6.3.6
            if again <= now:
                return "regular"
            self._regular_at = again
        return "feedback" if now >= self._feedback_at() else ""

    def sent(self, size: int, now: Instant, *, regular: bool) -> None:
        """An RTCP packet of `size` payload bytes left; whatever feedback was wanted is taken to be in it."""
        self._average_bytes += (size + _OVERHEAD_BYTES - self._average_bytes) / 16
        self._last_sent = now
        self._feedback_wanted = False
        if regular:
            self._initial = False
            self.regular_sent += 1
            self._last_regular = now
            self._regular_at = now + self._draw()

    def received(self, size: int) -> None:
        """An RTCP packet came: its size counts for the mean (section 6.3.3)."""
        self._average_bytes += (size + _OVERHEAD_BYTES - self._average_bytes) / 16


class Reporter:
    """Builds what is due. One a session: it remembers whose turn it is where not all sources fit one report."""

    __slots__ = ("_config", "_reported", "_turn", "cname", "ssrc")

    def __init__(self, ssrc: int, cname: str, config: ReportConfig | None = None) -> None:
        if not 0 < len(cname.encode()) <= 255:
            raise InvalidArgumentError(f"a CNAME has 1 to 255 bytes of UTF-8, got {len(cname.encode())}")
        self._config = config or ReportConfig()
        self.ssrc = ssrc
        """Whom receiver reports come from while nothing is sent."""
        self.cname = cname
        self._reported: dict[int, int] = {}
        self._turn = 0

    def compound(
        self,
        now: Instant,
        *,
        sent: Sequence[SentStream] = (),
        received: Sequence[ReceivedStream] = (),
        feedback: Sequence[RtcpPacket] = (),
        xr: XrReporter | None = None,
    ) -> list[RtcpPacket]:
        """A full compound packet: reports, SDES, the extended report if there is something to say, then feedback.

        Streams that have sent nothing yet give no SR (their clock pair would be invented), sources from which nothing
        came since their last block give none. With `xr` who sends nothing asks for its round-trip time.
        """
        blocks = self._blocks(received, now)
        packets: list[RtcpPacket] = []
        active = [stream for stream in sent if stream.last_packet_at is not None][:_MAX_BLOCKS]
        for stream in active:
            packets.append(stream.sender_report(now, tuple(blocks[:_MAX_BLOCKS])))
            blocks = blocks[_MAX_BLOCKS:]
        source = active[0].ssrc if active else self.ssrc
        while blocks or not packets:
            packets.append(ReceiverReport(ssrc=source, reports=tuple(blocks[:_MAX_BLOCKS])))
            blocks = blocks[_MAX_BLOCKS:]
        name = (SdesItem(SdesType.CNAME, self.cname.encode()),)
        chunks = tuple(SdesChunk(stream.ssrc, name) for stream in active) or (SdesChunk(self.ssrc, name),)
        packets.append(SourceDescription(chunks=chunks))
        extended = None if xr is None else xr.report(source, now, sending=bool(active))
        if extended is not None:
            packets.append(extended)
        packets.extend(feedback)
        return packets

    def feedback(self, packets: Sequence[RtcpPacket]) -> list[RtcpPacket]:
        """Feedback outside the regular reports: alone where reduced size was negotiated, else behind RR and CNAME."""
        if self._config.reduced_size:
            return list(packets)
        name = SourceDescription.with_cname(self.ssrc, self.cname)
        return [ReceiverReport(ssrc=self.ssrc), name, *packets]

    def bye(
        self,
        now: Instant,
        *,
        sent: Sequence[SentStream] = (),
        received: Sequence[ReceivedStream] = (),
        reason: str = "",
    ) -> list[RtcpPacket]:
        """A last compound packet that says goodbye for every sent stream, and for the reporter's own SSRC."""
        ssrcs = tuple(dict.fromkeys((self.ssrc, *(stream.ssrc for stream in sent))))[:_MAX_BLOCKS]
        text = reason.encode()[:255] or None
        return self.compound(now, sent=sent, received=received, feedback=[Bye(ssrcs=ssrcs, reason=text)])

    def _blocks(self, received: Sequence[ReceivedStream], now: Instant) -> list[ReportBlock]:
        fresh = [s for s in received if s.valid and s.packets_received != self._reported.get(s.ssrc, 0)]
        limit = _MAX_BLOCKS * self._config.max_report_packets
        if len(fresh) > limit:
            start = self._turn % len(fresh)
            fresh = (fresh[start:] + fresh[:start])[:limit]
            self._turn = start + limit
        blocks = [stream.report_block(now) for stream in fresh]
        known = {stream.ssrc for stream in received}
        self._reported = {ssrc: count for ssrc, count in self._reported.items() if ssrc in known}
        self._reported.update((stream.ssrc, stream.packets_received) for stream in fresh)
        return blocks
