"""Which packets are missing, and when to ask for them (again).

A gap is asked for at once, or after `reorder_wait` where the path reorders; again after a round trip and a margin (with
growing patience), up to `max_tries` times and not beyond `max_age`: a packet that would come too late is not worth its
bandwidth. When more than `max_missing` packets are missing, no retransmission will help: the list is emptied and a key
frame is wanted instead (`keyframe_needed`), which the owner turns into a PLI.

Numbers are indexes of `ReceivedStream` (unwrapped); the wire's 16 bits are made by `due`.

Spec: RFC 4585 section 6.2.1. Left out: loss ranges by codec (SLI), which nobody sends any more.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...base import NEVER, Instant
from ...errors import InvalidArgumentError
from ...trace import NO_TRACE, Trace
from ..rtcp import Nack


@dataclass(frozen=True, slots=True, kw_only=True)
class NackConfig:
    """Limits of NACK generation."""

    max_missing: int = 1000
    """Packets on the list; a second of video at 8 Mbit/s. Above it a key frame is cheaper."""
    max_age: float = 2.0
    """Seconds after which a missing packet is given up; no interactive jitter buffer waits longer."""
    max_tries: int = 10
    """Requests a packet: with 10 % loss both ways the chance that all fail is below 1e-7."""
    reorder_wait: float = 0.0
    """Seconds before the first request. 0: reordering is rare on the paths of today, and delay is what users feel."""
    initial_rtt: float = 0.1
    """Seconds between requests while no RTT is known."""
    min_interval: float = 0.02
    """Seconds between requests of one packet at least, however short the path: the sender's pacer needs time too."""
    max_interval: float = 0.5
    """Seconds between requests at most: a wrong RTT must not silence us."""
    repeat_margin: float = 0.01
    """Seconds beyond the round trip before a repetition. The round trip that reports measure is that of RTCP, which
    nobody queues; a retransmission waits for the sender's pacer (5 ms in browsers) and may meet more jitter than the
    last report did. Asked for again a moment too early, it comes twice: with no margin a third did."""
    backoff: float = 1.25
    """Factor by which patience grows with each try."""
    max_per_message: int = 253
    """Packets asked for in one go: even with a NACK item for each, the message fits a datagram of 1.2 KB."""
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if self.max_missing < 1 or self.max_tries < 1 or self.max_per_message < 1:
            raise InvalidArgumentError("max_missing, max_tries and max_per_message are 1 or more")
        if not 0 < self.min_interval <= self.max_interval or self.backoff < 1 or self.max_age <= 0:
            raise InvalidArgumentError("0 < min_interval <= max_interval, backoff >= 1, max_age > 0 must hold")
        if min(self.reorder_wait, self.initial_rtt, self.repeat_margin) < 0:
            raise InvalidArgumentError("reorder_wait, initial_rtt and repeat_margin are seconds and not negative")


class _Missing:
    __slots__ = ("next_at", "since", "tries")

    def __init__(self, since: Instant, next_at: Instant) -> None:
        self.since = since
        self.next_at = next_at
        self.tries = 0


@dataclass(slots=True)
class NackCounters:
    """What a generator did."""

    missing_found: int = 0
    requested: int = 0
    """Packets asked for, repetitions included."""
    recovered: int = 0
    """Missing packets that came after all."""
    given_up_age: int = 0
    given_up_tries: int = 0
    overflows: int = 0


class NackGenerator:
    """The list of missing packets of one stream."""

    __slots__ = ("_asked", "_config", "_highest", "_missing", "_next", "_rtt", "_trace", "counters", "keyframe_needed")

    def __init__(self, config: NackConfig | None = None) -> None:
        self._config = config or NackConfig()
        self._trace = self._config.trace
        self._missing: dict[int, _Missing] = {}
        self._asked: dict[int, None] = {}
        """What was asked for and is waited for no longer, the latest of it."""
        self._highest: int | None = None
        self._rtt = self._config.initial_rtt
        self._next: Instant = NEVER
        self.keyframe_needed = False
        """Set when the list was emptied; the owner asks for a key frame and resets it."""
        self.counters = NackCounters()

    def __len__(self) -> int:
        return len(self._missing)

    @property
    def missing(self) -> tuple[int, ...]:
        """Indexes still waited for, oldest first."""
        return tuple(self._missing)

    def was_asked(self, index: int) -> bool:
        """Whether a packet that is not missing now was asked for before: a copy is an answer, come late or twice."""
        return index in self._asked

    def awaits(self, index: int) -> bool:
        """Whether a packet was asked for, and may still come."""
        entry = self._missing.get(index)
        return index in self._asked if entry is None else entry.tries > 0

    def _done(self, index: int, entry: _Missing) -> None:
        if entry.tries:
            self._asked[index] = None
            if len(self._asked) > self._config.max_missing:
                del self._asked[next(iter(self._asked))]

    def set_rtt(self, rtt: float) -> None:
        """The round-trip time in seconds, when a new one is known."""
        if rtt >= 0:
            self._rtt = rtt

    def received(self, index: int, now: Instant) -> bool:
        """Takes note of a packet, in whatever way it came. Returns: whether it had been missing."""
        highest = self._highest
        if highest is None:
            self._highest = index
            return False
        if index == highest + 1:
            self._highest = index
            return False
        if index <= highest:
            entry = self._missing.pop(index, None)
            if entry is None:
                return False
            self._done(index, entry)
            self.counters.recovered += 1
            return True
        self._highest = index
        gap = index - highest - 1
        self.counters.missing_found += gap
        if gap + len(self._missing) > self._config.max_missing:
            self._overflow(now, gap)
            return False
        first = now + self._config.reorder_wait
        for number in range(highest + 1, index):
            self._missing[number] = _Missing(now, first)
        self._next = min(self._next, first)
        return False

    def _overflow(self, now: Instant, gap: int) -> None:
        self.counters.overflows += 1
        if self._trace:
            self._trace.event(now, "nack_list_emptied", missing=len(self._missing), gap=gap)
        self._missing.clear()
        self._next = NEVER
        self.keyframe_needed = True

    def keyframe_received(self, first_index: int) -> None:
        """Nothing before a key frame is needed any more: forgets what is missing before its first packet."""
        gone = []
        for number in self._missing:  # in ascending order, as found
            if number >= first_index:
                break
            gone.append(number)
        for number in gone:
            self._done(number, self._missing.pop(number))
        if not self._missing:
            self._next = NEVER

    def forget_before(self, index: int) -> None:
        """What the jitter buffer has passed is not asked for any longer."""
        self.keyframe_received(index)

    def next_timeout(self) -> Instant:
        return self._next

    def due(self, now: Instant) -> list[int]:
        """Indexes to be asked for now; each counts as asked. Call again while it fills `max_per_message`."""
        if now < self._next:
            return []
        config = self._config
        asked: list[int] = []
        gone: list[int] = []
        earliest = NEVER
        for number, entry in self._missing.items():
            if now >= entry.since + config.max_age:  # the very sum that `_next` holds, or rounding lets it spin
                self.counters.given_up_age += 1
                gone.append(number)
                continue
            if entry.next_at <= now:
                if entry.tries >= config.max_tries:
                    self.counters.given_up_tries += 1
                    gone.append(number)
                    continue
                if len(asked) < config.max_per_message:
                    patience = max(self._rtt + config.repeat_margin, config.min_interval) * config.backoff**entry.tries
                    entry.tries += 1
                    entry.next_at = now + min(patience, config.max_interval)
                    asked.append(number)
            earliest = min(earliest, entry.next_at, entry.since + config.max_age)
        for number in gone:
            self._done(number, self._missing.pop(number))
        self._next = earliest
        self.counters.requested += len(asked)
        if self._trace and (asked or gone):
            self._trace.event(now, "packets_requested", count=len(asked), given_up=len(gone))
        return asked

    def message(self, sender_ssrc: int, media_ssrc: int, now: Instant) -> Nack | None:
        """The NACK that is due, or None."""
        asked = self.due(now)
        return Nack.from_lost(sender_ssrc, media_ssrc, [n & 0xFFFF for n in asked]) if asked else None
