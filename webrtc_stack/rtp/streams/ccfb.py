"""Congestion control feedback of RFC 8888, both sides: arrivals and ECN marks by stream.

Unlike transport-wide feedback it needs no header extension: RTP sequence numbers of each SSRC serve. `CcfbReceiver`
builds messages at an interval; `CcfbSender` remembers what left and turns messages into `PacketResult`s.

Spec: RFC 8888 sections 3.1, 4, 5. Reports of one stream overlap only where a late packet has to be told; they then
repeat the arrivals told before.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...base import NEVER, Drops, Instant, Unwrapper
from ...errors import InvalidArgumentError
from ..ntp import compact_ntp, unix_to_ntp
from ..rtcp import ARRIVAL_OVERRANGE, ARRIVAL_UNAVAILABLE, ArrivalReport, Ccfb, CcfbStream
from .twcc import PacketResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CcfbConfig:
    """Tunables of RFC 8888 feedback."""

    interval: float = 0.1
    """Seconds between two messages; RFC 8888 section 5 proposes 50 to 200 ms."""
    max_streams: int = 64
    """SSRCs followed; the one silent longest goes."""
    max_pending: int = 1000
    """Arrivals of one stream waiting for the next message; the message leaves early at half of it."""
    max_reports: int = 500
    """Packets one message may span for one stream: 2 bytes each, so it fits a datagram."""
    history: int = 256
    """Numbers behind the newest whose arrivals are kept, so that a message for a late packet does not call its
    neighbours lost, which were told before (RFC 8888 section 3.1 wants overlapping reports to agree)."""
    max_in_flight: int = 8192
    """Sent packets remembered, all streams together."""
    wall_epoch: float = 0.0
    """Unix seconds of instant 0: the report timestamp is wall time, that of our sender reports."""

    def __post_init__(self) -> None:
        if self.interval <= 0 or min(self.max_streams, self.max_pending, self.max_in_flight) < 1:
            raise InvalidArgumentError("interval is positive, and every limit at least 1")
        if not 1 <= self.max_reports <= 16384:
            raise InvalidArgumentError(f"max_reports is 1 to 16384 (RFC 8888 section 3.1), got {self.max_reports}")


class _Followed:
    __slots__ = ("begin", "pending", "told", "unwrapper")

    def __init__(self) -> None:
        self.unwrapper = Unwrapper(16)
        self.begin: int | None = None
        self.pending: dict[int, tuple[Instant, int]] = {}
        self.told: dict[int, tuple[Instant, int]] = {}


class CcfbReceiver:
    """Records arrivals by stream; builds feedback."""

    __slots__ = ("_config", "_next", "_streams", "drops")

    def __init__(self, config: CcfbConfig | None = None) -> None:
        self._config = config or CcfbConfig()
        self._streams: dict[int, _Followed] = {}
        self._next: Instant = NEVER
        self.drops = Drops()

    def __len__(self) -> int:
        return len(self._streams)

    def receive(self, ssrc: int, sequence_number: int, now: Instant, ecn: int = 0) -> None:
        """A packet came. Of duplicates the first arrival counts, and an ECN-CE mark of any (section 3.1)."""
        stream = self._streams.pop(ssrc, None) or _Followed()
        self._streams[ssrc] = stream  # the last in the order of the table: most recently heard
        if len(self._streams) > self._config.max_streams:
            del self._streams[next(iter(self._streams))]
            self.drops.add("stream")
        number = stream.unwrapper.unwrap(sequence_number)
        before = stream.pending.get(number)
        if before is not None:
            if ecn == 3:
                stream.pending[number] = (before[0], 3)
            return
        if len(stream.pending) >= self._config.max_pending:
            self.drops.add("full")
            return
        stream.pending[number] = (now, ecn)
        if len(stream.pending) * 2 >= self._config.max_pending:
            self._next = now
        elif self._next == NEVER:
            self._next = now + self._config.interval

    def next_timeout(self) -> Instant:
        return self._next

    def messages(self, sender_ssrc: int, now: Instant) -> list[Ccfb]:
        """The feedback that is due at `now`; each message holds at most `max_reports` packets."""
        if now < self._next:
            return []
        self._next = NEVER
        timestamp = compact_ntp(unix_to_ntp(self._config.wall_epoch + now))
        found: list[Ccfb] = []
        parts: list[CcfbStream] = []
        room = self._config.max_reports
        for ssrc, stream in self._streams.items():
            for begin, reports in self._runs(stream, now):
                if parts and len(reports) > room:
                    found.append(Ccfb(sender_ssrc=sender_ssrc, streams=tuple(parts), report_timestamp=timestamp))
                    parts, room = [], self._config.max_reports
                parts.append(CcfbStream(ssrc, begin & 0xFFFF, tuple(reports)))
                room -= len(reports) + 4  # the head of a stream is worth four reports
        if parts:
            found.append(Ccfb(sender_ssrc=sender_ssrc, streams=tuple(parts), report_timestamp=timestamp))
        return found

    def _runs(self, stream: _Followed, now: Instant) -> list[tuple[int, list[ArrivalReport | None]]]:
        if not stream.pending:
            return []
        if stream.begin is not None:
            self._with_those_told_before(stream, stream.begin)
        arrivals = sorted(stream.pending.items())
        stream.pending.clear()
        if not arrivals:
            return []
        limit = self._config.max_reports
        begin = arrivals[0][0] if stream.begin is None else min(stream.begin, arrivals[0][0])
        runs: list[tuple[int, list[ArrivalReport | None]]] = []
        reports: list[ArrivalReport | None] = []
        for number, (arrival, ecn) in arrivals:
            if number - begin >= limit:
                if reports:
                    runs.append((begin, reports))
                    begin += len(reports)
                    reports = []
                if number - begin >= limit:
                    begin = number
            reports.extend([None] * (number - begin - len(reports)))
            offset = int((now - arrival) * 1024 + 0.5)
            reports.append(ArrivalReport(ecn & 3, min(max(offset, 0), ARRIVAL_OVERRANGE)))
        runs.append((begin, reports))
        stream.begin = max(stream.begin or 0, begin + len(reports))
        oldest = stream.begin - self._config.history
        stream.told.update(arrivals)
        stream.told = {number: told for number, told in stream.told.items() if number >= oldest}
        return runs

    def _with_those_told_before(self, stream: _Followed, begin: int) -> None:
        late = [number for number in stream.pending if number < begin]
        for number in late:
            if number < begin - self._config.history or number in stream.told:
                del stream.pending[number]
                self.drops.add("duplicate" if number in stream.told else "too_old")
        first = min(stream.pending, default=begin)
        for number, told in stream.told.items():
            if number > first:
                stream.pending[number] = told


class _Sent:
    __slots__ = ("reported_lost", "sent_at", "size")

    def __init__(self, size: int, sent_at: Instant) -> None:
        self.size = size
        self.sent_at = sent_at
        self.reported_lost = False


class CcfbSender:
    """Remembers what left; turns feedback into results, each packet's arrival told once."""

    __slots__ = ("_clock", "_config", "_in_flight", "_unwrappers", "drops", "feedback_received")

    def __init__(self, config: CcfbConfig | None = None) -> None:
        self._config = config or CcfbConfig()
        self._in_flight: dict[tuple[int, int], _Sent] = {}
        self._unwrappers: dict[int, Unwrapper] = {}
        self._clock = Unwrapper(32)
        self.feedback_received = 0
        self.drops = Drops()

    def __len__(self) -> int:
        return len(self._in_flight)

    def sent(self, ssrc: int, sequence_number: int, size: int, now: Instant) -> None:
        """A packet leaves. The oldest is forgotten when too many fly."""
        unwrapper = self._unwrappers.pop(ssrc, None) or Unwrapper(16)
        self._unwrappers[ssrc] = unwrapper
        if len(self._unwrappers) > self._config.max_streams:
            del self._unwrappers[next(iter(self._unwrappers))]
        self._in_flight[ssrc, unwrapper.unwrap(sequence_number)] = _Sent(size, now)
        if len(self._in_flight) > self._config.max_in_flight:
            del self._in_flight[next(iter(self._in_flight))]
            self.drops.add("forgotten")

    def receive(self, message: Ccfb) -> list[PacketResult]:
        """What a message says of packets still remembered. Cost: bounded by the message's own size."""
        self.feedback_received += 1
        clock = self._clock.unwrap(message.report_timestamp) / 65536
        results = []
        for ssrc, begin, reports in message.streams:
            unwrapper = self._unwrappers.get(ssrc)
            if unwrapper is None:
                self.drops.add("unknown_ssrc", len(reports))
                continue
            first = unwrapper.peek(begin)
            for offset, report in enumerate(reports):
                key = (ssrc, first + offset)
                entry = self._in_flight.get(key)
                if entry is None:
                    continue
                number = (begin + offset) & 0xFFFF
                if report is None:
                    if not entry.reported_lost:
                        entry.reported_lost = True
                        results.append(PacketResult(number, ssrc, entry.size, entry.sent_at, False, None))
                    continue
                del self._in_flight[key]
                known = report.arrival_offset not in (ARRIVAL_OVERRANGE, ARRIVAL_UNAVAILABLE)
                arrival = clock - report.arrival_offset / 1024 if known else None
                results.append(PacketResult(number, ssrc, entry.size, entry.sent_at, True, arrival, report.ecn))
        return results
