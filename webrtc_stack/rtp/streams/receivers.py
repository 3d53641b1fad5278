"""All received SSRCs of one session, bounded; and who speaks under whose SSRC.

Sources that signalling announced (`expect`) are always served. Others share a small number of places: a new one takes
the place of the one silent longest, if that is silent long enough, and is refused otherwise. So a flood of SSRCs, which
only an authenticated peer can send, costs a fixed amount of memory and never evicts a stream that plays.

Collisions (RFC 3550 section 8.2), decided for a pair of peers or an SFU:

* our own SSRC comes in: from a place known for it, it is our own packet coming back (a loop) and is dropped; otherwise
  the other side chose the same number: `Verdict.COLLISION`, and we leave that SSRC with a BYE and take another one.
* our own SSRC stands in a packet's list of contributing sources: the same, where `check_csrcs` asks for it.
* one foreign SSRC comes from two places: while the first still speaks, the second is refused; after `source_timeout`
  of silence the source has moved (a new ICE pair) and is followed. Without a source nothing is checked.

Spec: RFC 3550 sections 6.3.5, 8.2. Left out: CNAME comparison, since browsers of one page share a CNAME across SSRCs;
collisions among foreign contributing sources, which are their mixer's to solve.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from ...base import Drops, Instant
from ...errors import InvalidArgumentError, TooManyStreams
from ...trace import NO_TRACE, Trace
from ..packets import RtpPacket
from .receiver import ReceivedStream, ReceiverConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiversConfig:
    """Limits of the table."""

    max_expected: int = 256
    """Announced SSRCs: a large conference on one transport, with RTX and FEC beside each stream."""
    max_unexpected: int = 32
    """SSRCs that nobody announced: simulcast layers and RTX by RID, before they are known."""
    unexpected_timeout: float = 5.0
    """Seconds of silence after which an unannounced source may lose its place: the RTCP interval of RFC 3550."""
    source_timeout: float = 2.0
    """Seconds of silence after which an SSRC may come from another place. Below ICE's 5 s of failing consent."""
    max_conflicts: int = 16
    """Places remembered as carrying our own SSRC; the oldest is forgotten."""
    conflict_timeout: float = 50.0
    """Seconds: ten RTCP intervals, as RFC 3550 section 8.2 asks."""
    check_csrcs: bool = False
    """Take a packet that lists our own SSRC among its contributing sources for a loop or a collision, as RFC 3550
    section 8.2 has it. Off: a bridge that sends all its listeners one mix names the listener too, and would be mute."""
    unexpected: ReceiverConfig = field(default_factory=lambda: ReceiverConfig(probation=2))
    """How an unannounced source is treated: two packets in sequence before it counts."""
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if self.max_expected < 1 or self.max_unexpected < 0 or self.max_conflicts < 1:
            raise InvalidArgumentError("the table needs a place for one expected SSRC and one conflict at least")


class Verdict(Enum):
    """What a table says of a packet's source."""

    ACCEPTED = "accepted"
    NOT_COUNTED = "not counted"
    """On probation, or the first packet behind a jump: drop it."""
    FLOOD = "flood"
    FOREIGN_SOURCE = "foreign source"
    LOOP = "loop"
    COLLISION = "collision"
    """Our own SSRC is used by somebody else: send BYE for it and choose another one."""


class Arrival:
    """The answer to one packet: verdict, the stream and the packet's index where accepted."""

    __slots__ = ("index", "stream", "verdict")

    def __init__(self, verdict: Verdict, stream: ReceivedStream | None = None, index: int = -1) -> None:
        self.verdict = verdict
        self.stream = stream
        self.index = index


class _Entry:
    __slots__ = ("expected", "last_heard", "source", "stream")

    def __init__(self, stream: ReceivedStream, *, expected: bool, source: Hashable, now: Instant) -> None:
        self.stream = stream
        self.expected = expected
        self.source = source
        self.last_heard = now


class Receivers:
    """The table of received streams."""

    __slots__ = ("_conflicts", "_entries", "_expected", "_own", "_trace", "config", "drops")

    def __init__(self, config: ReceiversConfig | None = None) -> None:
        self.config = config or ReceiversConfig()
        self._trace = self.config.trace
        self._entries: dict[int, _Entry] = {}
        self._expected = 0
        self._own: set[int] = set()
        self._conflicts: dict[Hashable, Instant] = {}
        self.drops = Drops()

    def expect(self, ssrc: int, config: ReceiverConfig, now: Instant = 0.0) -> ReceivedStream:
        """Announces an SSRC; one that was already heard unannounced starts again with `config`.

        Errors: `TooManyStreams` when the table is full.
        """
        entry = self._entries.get(ssrc)
        if entry is not None and entry.expected:
            return entry.stream
        if self._expected >= self.config.max_expected:
            raise TooManyStreams(f"{self._expected} SSRCs are expected, max_expected allows no more")
        stream = ReceivedStream(ssrc, config)
        self._entries[ssrc] = _Entry(stream, expected=True, source=None, now=now)
        self._expected += 1
        return stream

    def forget(self, ssrc: int) -> None:
        """Removes a source: BYE, or signalling took it away. No error if it is not there."""
        entry = self._entries.pop(ssrc, None)
        if entry is not None and entry.expected:
            self._expected -= 1

    def set_own(self, ssrcs: Iterable[int]) -> None:
        """The SSRCs that this side sends with."""
        self._own = set(ssrcs)

    def get(self, ssrc: int) -> ReceivedStream | None:
        entry = self._entries.get(ssrc)
        return None if entry is None else entry.stream

    def streams(self) -> list[ReceivedStream]:
        """Every source that counts, in the order in which they were first heard or announced."""
        return [entry.stream for entry in self._entries.values() if entry.stream.valid]

    def __len__(self) -> int:
        return len(self._entries)

    def receive(self, packet: RtpPacket, now: Instant, source: Hashable = None, size: int | None = None) -> Arrival:
        """Counts a packet for its SSRC. `source` is where it came from (a `PathId`), None if that is not checked."""
        ssrc = packet.ssrc
        entry = self._entries.get(ssrc)
        if ssrc in self._own:
            return self._own_number(ssrc, source, now)
        if packet.csrcs and self.config.check_csrcs:
            for csrc in packet.csrcs:
                if csrc in self._own:
                    return self._own_number(csrc, source, now)
        if entry is None:
            entry = self._admit(ssrc, source, now)
            if entry is None:
                return self._refuse(Verdict.FLOOD)
        elif source is not None and source != entry.source:
            if entry.source is not None and now - entry.last_heard < self.config.source_timeout:
                return self._refuse(Verdict.FOREIGN_SOURCE)
            if self._trace and entry.source is not None:
                self._trace.event(now, "source_moved", ssrc=ssrc)
            entry.source = source
        entry.last_heard = now
        index = entry.stream.receive(packet, now, size)
        if index is None:
            return self._refuse(Verdict.NOT_COUNTED)
        return Arrival(Verdict.ACCEPTED, entry.stream, index)

    def _refuse(self, verdict: Verdict) -> Arrival:
        self.drops.add(verdict.value)
        return Arrival(verdict)

    def _own_number(self, ssrc: int, source: Hashable, now: Instant) -> Arrival:
        limit = now - self.config.conflict_timeout
        self._conflicts = {place: at for place, at in self._conflicts.items() if at >= limit}
        known = source in self._conflicts
        self._conflicts.pop(source, None)
        self._conflicts[source] = now
        while len(self._conflicts) > self.config.max_conflicts:
            del self._conflicts[next(iter(self._conflicts))]
        if self._trace:
            self._trace.event(now, "ssrc_collided", ssrc=ssrc, loop=known)
        return self._refuse(Verdict.LOOP if known else Verdict.COLLISION)

    def _admit(self, ssrc: int, source: Hashable, now: Instant) -> _Entry | None:
        if len(self._entries) - self._expected >= self.config.max_unexpected:
            others = [(entry.last_heard, key) for key, entry in self._entries.items() if not entry.expected]
            if not others:
                return None
            last_heard, oldest = min(others)
            if now - last_heard < self.config.unexpected_timeout:
                return None
            del self._entries[oldest]
            if self._trace:
                self._trace.event(now, "source_evicted", ssrc=oldest)
        entry = _Entry(ReceivedStream(ssrc, self.config.unexpected), expected=False, source=source, now=now)
        self._entries[ssrc] = entry
        if self._trace:
            self._trace.event(now, "source_appeared", ssrc=ssrc)
        return entry
