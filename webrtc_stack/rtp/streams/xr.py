"""Round-trip time for who sends nothing: receiver reference times (RRTR) and their answers (DLRR).

A receiver that sends no media gets no report blocks, so sender reports tell it no round-trip time. It writes its NTP
time into an RRTR beside its regular report; the other side answers with a DLRR, which says how long it held that time;
what is left of now minus both is the round trip. `XrReporter` is both sides: give it to `Reporter.compound`, and hand
it each extended report that came.

Each RRTR is answered once, in the next regular report: answered again and again, as RFC 3611 allows, an old time would
only be measured anew. An RTT is taken only from an answer to a time that was sent from here.

Spec: RFC 3611 sections 4.4, 4.5, and 5.1 for `rcvr-rtt`. Left out: its limit on a block's size (see `max_answers`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ...base import Instant
from ...errors import InvalidArgumentError
from ...trace import NO_TRACE, Trace
from ..ntp import compact_ntp, seconds_to_compact, unix_to_ntp
from ..rtcp import DelaySinceLastRr, DlrrItem, ExtendedReport, ReceiverReferenceTime, RtcpPacket, XrBlock
from .receiver import round_trip_time


@dataclass(frozen=True, slots=True, kw_only=True)
class XrConfig:
    """Tunables of extended reports."""

    wall_epoch: float = 0.0
    """Unix seconds of instant 0, as in `SenderConfig`: one value for all streams of a peer."""
    ask: bool = True
    """Write reference times while nothing is sent. False where the other side did not negotiate them."""
    answer: bool = True
    """Answer the reference times of others."""
    answer_only_as_sender: bool = False
    """Answer only while media is sent: `rcvr-rtt=sender`. False is `all`."""
    max_waiting: int = 64
    """Sources whose reference time waits for an answer; more are refused. A report takes most of them along."""
    max_answers: int = 31
    """Answers in one report: as many as a report has blocks, 376 bytes."""
    report_memory: int = 16
    """Reference times remembered for RTT: at one a second, an answer may be this many seconds late."""
    rtt_smoothing: float = 0.125
    """Weight of a new RTT, as TCP's (RFC 6298)."""
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if self.max_waiting < 1 or not 1 <= self.max_answers <= 5461:
            raise InvalidArgumentError(
                "max_waiting is 1 or more, max_answers 1 to 5461, which is what a block can hold"
            )
        if self.report_memory < 1 or not 0 < self.rtt_smoothing <= 1:
            raise InvalidArgumentError("report_memory is 1 or more, rtt_smoothing above 0 and at most 1")


@dataclass(slots=True)
class XrCounters:
    """What was written and read."""

    references_sent: int = 0
    references_received: int = 0
    references_refused: int = 0
    """No place: `max_waiting` others wait for an answer."""
    answers_sent: int = 0
    answers_received: int = 0
    """That measured an RTT."""
    answers_ignored: int = 0
    """For our SSRC, but answering no reference time that we remember."""


class XrReporter:
    """RRTR and DLRR of one session with one other end, which may have several SSRCs."""

    __slots__ = ("_asked", "_waiting", "config", "counters", "rtt", "rtt_latest", "rtt_measurements")

    def __init__(self, config: XrConfig | None = None) -> None:
        self.config = config or XrConfig()
        self._asked: deque[tuple[int, int]] = deque(maxlen=self.config.report_memory)
        self._waiting: dict[int, tuple[int, Instant]] = {}
        self.counters = XrCounters()
        self.rtt: float | None = None
        """Seconds, smoothed."""
        self.rtt_latest: float | None = None
        self.rtt_measurements = 0

    def __len__(self) -> int:
        """How many sources wait for an answer."""
        return len(self._waiting)

    def report(self, ssrc: int, now: Instant, *, sending: bool = False) -> ExtendedReport | None:
        """What goes beside the regular report of `ssrc` at `now`; None when there is nothing to say.

        `sending` tells whether sender reports go out: they measure the RTT already, so no reference time is written.
        The answers given are forgotten, and the time written is remembered: what is returned must be sent.
        """
        config = self.config
        blocks: list[XrBlock] = []
        if config.ask and not sending:
            ntp = unix_to_ntp(config.wall_epoch + now)
            self._asked.append((ssrc, compact_ntp(ntp)))
            self.counters.references_sent += 1
            blocks.append(ReceiverReferenceTime(ntp_timestamp=ntp))
        if self._waiting and config.answer and (sending or not config.answer_only_as_sender):
            chosen = list(self._waiting)[: config.max_answers]
            items = []
            for source in chosen:
                reference, arrival = self._waiting.pop(source)
                items.append(DlrrItem(source, reference, seconds_to_compact(now - arrival)))
            self.counters.answers_sent += len(items)
            blocks.append(DelaySinceLastRr(items=tuple(items)))
        return ExtendedReport(ssrc=ssrc, blocks=tuple(blocks)) if blocks else None

    def receive(self, report: ExtendedReport, now: Instant) -> float | None:
        """Digests an extended report. Returns: the RTT measured in seconds, or None."""
        measured: float | None = None
        for block in report.blocks:
            if isinstance(block, ReceiverReferenceTime):
                self._take_reference(report.ssrc, block.ntp_timestamp, now)
            elif isinstance(block, DelaySinceLastRr):
                for item in block.items:
                    rtt = self._take_answer(item, now)
                    measured = measured if rtt is None else rtt
        return measured

    def receive_many(self, packets: Iterable[RtcpPacket], now: Instant) -> float | None:
        """`receive` for each extended report of a compound packet."""
        measured: float | None = None
        for packet in packets:
            if isinstance(packet, ExtendedReport):
                rtt = self.receive(packet, now)
                measured = measured if rtt is None else rtt
        return measured

    def forget(self, ssrc: int) -> None:
        """A source is gone: it gets no answer. No error if it is not there."""
        self._waiting.pop(ssrc, None)

    def _take_reference(self, ssrc: int, ntp_timestamp: int, now: Instant) -> None:
        if not self.config.answer:
            return
        if ssrc not in self._waiting and len(self._waiting) >= self.config.max_waiting:
            self.counters.references_refused += 1
            return
        self.counters.references_received += 1
        self._waiting[ssrc] = (compact_ntp(ntp_timestamp), now)

    def _take_answer(self, item: DlrrItem, now: Instant) -> float | None:
        if (item.ssrc, item.last_rr) not in self._asked:
            if any(item.ssrc == ssrc for ssrc, _ in self._asked):
                self.counters.answers_ignored += 1
            return None  # a report answers everybody at once; most items are of others
        ntp = unix_to_ntp(self.config.wall_epoch + now)
        rtt = round_trip_time(ntp, item.last_rr, item.delay_since_last_rr)
        if rtt is None:
            self.counters.answers_ignored += 1
            return None
        self.rtt_latest = rtt
        self.rtt = rtt if self.rtt is None else self.rtt + self.config.rtt_smoothing * (rtt - self.rtt)
        self.rtt_measurements += 1
        self.counters.answers_received += 1
        if self.config.trace:
            self.config.trace.event(now, "rtt_measured", ssrc=item.ssrc, rtt=rtt)
        return rtt
