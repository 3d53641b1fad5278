"""Transport-wide congestion control, both sides: who receives writes feedback, who sends reads it.

`TwccReceiver` takes the numbers of all packets of a transport with their arrivals and builds `TransportCc` values:
version 01 at an interval, version 02 when a packet asks for it. `TwccSender` gives out the numbers when packets leave
and turns feedback into facts about each of them. Both are bounded by configuration; neither estimates anything.

Spec: draft-holmer-rmcat-transport-wide-cc-extensions-01 sections 2, 3, and the page of transport-wide-cc-02.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from ...base import NEVER, Drops, Instant, Unwrapper
from ...errors import InvalidArgumentError
from ..extensions import TransportSequence
from ..rtcp import TransportCc

_MAX_SPAN: Final = 8.0
"""Seconds between two neighbours of one message; 16 signed bits of 250 us hold 8.19."""
_TICKS_PER_REFERENCE: Final = 256
_TICK: Final = 0.00025


class PacketResult(NamedTuple):
    """What became of one sent packet. `arrival` is on the receiver's clock (only differences mean something).

    Units: instants in seconds, `size` bytes. `arrival` is None when lost, or when feedback tells no times.
    """

    sequence_number: int
    ssrc: int
    size: int
    sent_at: Instant
    received: bool
    arrival: float | None
    ecn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwccConfig:
    """Tunables of transport-wide feedback."""

    interval: float = 0.1
    """Seconds between two messages of version 01: libwebrtc moves between 50 and 250 ms; 100 suits its estimator."""
    max_pending: int = 2000
    """Arrivals waiting for the next message; the message leaves early at half of it."""
    max_packets_per_message: int = 400
    """Arrivals in one message: at two bytes of delta each it stays below 1,000 bytes."""
    max_status_count: int = 8191
    """Numbers that one message spans: a run-length chunk's most. Older holes are not reported."""
    history: int = 512
    """Numbers behind the newest whose arrivals are kept: for version 02, which asks for what it wants to know, and so
    that a message for a late packet does not call its neighbours lost, which were told before."""
    max_in_flight: int = 8192
    """Sent packets remembered until feedback: at 30 Mbit/s about three seconds."""

    def __post_init__(self) -> None:
        if self.interval <= 0 or min(self.max_pending, self.max_packets_per_message, self.history) < 1:
            raise InvalidArgumentError("interval is positive, and every limit at least 1")
        if not 1 <= self.max_status_count <= 0xFFFF or not 1 <= self.max_in_flight <= 0x7FFF:
            raise InvalidArgumentError("max_status_count is at most 65535, max_in_flight at most 32767")


class TwccReceiver:
    """Records arrivals; builds feedback."""

    __slots__ = (
        "_asked",
        "_base",
        "_config",
        "_count",
        "_history",
        "_next",
        "_pending",
        "_told",
        "_unwrapper",
        "drops",
        "media_ssrc",
    )

    def __init__(self, config: TwccConfig | None = None) -> None:
        self._config = config or TwccConfig()
        self._unwrapper = Unwrapper(16)
        self._pending: dict[int, Instant] = {}
        self._history: dict[int, Instant] = {}
        self._told: dict[int, Instant] = {}
        self._asked: list[tuple[int, int, bool]] = []
        self._base: int | None = None
        self._count = 0
        self._next: Instant = NEVER
        self.media_ssrc = 0
        """The SSRC of the last packet: the message has a field for one, and any of the transport will do."""
        self.drops = Drops()

    def receive(self, sequence_number: int, ssrc: int, now: Instant) -> None:
        """A packet of version 01 came."""
        number = self._unwrapper.unwrap(sequence_number)
        self.media_ssrc = ssrc
        if number in self._pending:
            self.drops.add("duplicate")
            return
        if len(self._pending) >= self._config.max_pending:
            self.drops.add("full")
            return
        self._pending[number] = now
        if len(self._pending) * 2 >= self._config.max_pending:
            self._next = now
        elif self._next == NEVER:
            self._next = now + self._config.interval

    def receive_v2(self, value: TransportSequence, ssrc: int, now: Instant) -> None:
        """A packet of version 02 came; if it asks for feedback, that is due at once."""
        number = self._unwrapper.unwrap(value.sequence_number)
        self.media_ssrc = ssrc
        self._history.setdefault(number, now)
        while len(self._history) > self._config.history:
            del self._history[next(iter(self._history))]
        if value.feedback_count:
            if len(self._asked) >= 8:  # more requests than polls: the last ones cover the first ones' packets
                self._asked.pop(0)
                self.drops.add("request")
            self._asked.append((number, value.feedback_count, value.with_timing))
            self._next = now

    def next_timeout(self) -> Instant:
        return self._next

    def messages(self, sender_ssrc: int, now: Instant) -> list[TransportCc]:
        """The feedback that is due at `now`; empty before its time."""
        if now < self._next:
            return []
        self._next = NEVER
        found = [self._answer(sender_ssrc, *asked) for asked in self._asked]
        self._asked.clear()
        return found + self._periodic(sender_ssrc)

    def _periodic(self, sender_ssrc: int) -> list[TransportCc]:
        config = self._config
        if self._base is not None:
            self._with_those_told_before(self._base)
        arrivals = sorted(self._pending.items())
        self._pending.clear()
        if not arrivals:
            return []
        base = arrivals[0][0] if self._base is None else min(self._base, arrivals[0][0])
        found: list[TransportCc] = []
        part: list[tuple[int, float]] = []
        for number, arrival in arrivals:
            full = part and (
                len(part) >= config.max_packets_per_message
                or number - base >= config.max_status_count
                or abs(arrival - part[-1][1]) > _MAX_SPAN
            )
            if full:
                found.append(self._message(sender_ssrc, base, part[-1][0] - base + 1, part))
                base, part = part[-1][0] + 1, []
            if not part and number - base >= config.max_status_count:
                base = number
            part.append((number, arrival))
        found.append(self._message(sender_ssrc, base, part[-1][0] - base + 1, part))
        self._base = max(self._base or 0, part[-1][0] + 1)
        oldest = self._base - config.history
        self._told.update(arrivals)
        self._told = {number: arrival for number, arrival in self._told.items() if number >= oldest}
        return found

    def _with_those_told_before(self, base: int) -> None:
        """Fills up what lies between a late packet and `base`; one too late for that is left out."""
        late = [number for number in self._pending if number < base]
        for number in late:
            if number < base - self._config.history or number in self._told:
                del self._pending[number]
                self.drops.add("duplicate" if number in self._told else "too_old")
        first = min(self._pending, default=base)
        for number, arrival in self._told.items():
            if number > first:
                self._pending[number] = arrival

    def _message(self, sender_ssrc: int, base: int, count: int, arrivals: list[tuple[int, float]]) -> TransportCc:
        message = TransportCc.from_arrivals(
            sender_ssrc=sender_ssrc,
            media_ssrc=self.media_ssrc,
            feedback_count=self._count,
            base_sequence_number=base & 0xFFFF,
            status_count=count,
            arrivals=[(number & 0xFFFF, arrival) for number, arrival in arrivals],
        )
        self._count = (self._count + 1) & 0xFF
        return message

    def _answer(self, sender_ssrc: int, last: int, wanted: int, with_timing: bool) -> TransportCc:
        base = last - min(wanted, self._config.history, self._config.max_status_count) + 1
        arrivals: list[tuple[int, float]] = []
        for number in range(last, base - 1, -1):
            arrival = self._history.get(number)
            if arrival is None:
                continue
            if arrivals and abs(arrival - arrivals[-1][1]) > _MAX_SPAN:
                base = number + 1  # what is so much older is old news
                break
            arrivals.append((number, arrival))
        arrivals.reverse()
        if with_timing:
            return self._message(sender_ssrc, base, last - base + 1, arrivals)
        message = TransportCc(
            sender_ssrc=sender_ssrc,
            media_ssrc=self.media_ssrc,
            base_sequence_number=base & 0xFFFF,
            status_count=last - base + 1,
            reference_time=0,
            feedback_count=self._count,
            received=tuple((number & 0xFFFF, 0) for number, _ in arrivals),
            with_timing=False,
        )
        self._count = (self._count + 1) & 0xFF
        return message


class _Sent:
    __slots__ = ("reported_lost", "sent_at", "size", "ssrc")

    def __init__(self, ssrc: int, size: int, sent_at: Instant) -> None:
        self.ssrc = ssrc
        self.size = size
        self.sent_at = sent_at
        self.reported_lost = False


class TwccSender:
    """Numbers packets as they leave; turns feedback into results, each packet's arrival told once."""

    __slots__ = ("_config", "_in_flight", "_next", "_reference", "drops", "feedback_received")

    def __init__(self, config: TwccConfig | None = None, *, first: int = 0) -> None:
        self._config = config or TwccConfig()
        self._in_flight: dict[int, _Sent] = {}
        self._next = (1 << 16) + (first & 0xFFFF)
        self._reference = Unwrapper(24)
        self.feedback_received = 0
        self.drops = Drops()

    def __len__(self) -> int:
        return len(self._in_flight)

    def sent(self, ssrc: int, size: int, now: Instant) -> int:
        """A packet leaves. Returns: its transport-wide sequence number. The oldest is forgotten when too many fly."""
        number = self._next
        self._next += 1
        self._in_flight[number] = _Sent(ssrc, size, now)
        if len(self._in_flight) > self._config.max_in_flight:
            del self._in_flight[next(iter(self._in_flight))]
            self.drops.add("forgotten")
        return number & 0xFFFF

    def receive(self, message: TransportCc) -> list[PacketResult]:
        """What a message says of packets still remembered, in the order of their numbers.

        A packet told lost stays remembered: a later message may say that it came after all. Numbers never sent are
        ignored. Cost: bounded by the packets remembered, whatever the message claims.
        """
        self.feedback_received += 1
        highest = self._next - 1
        distance = (message.base_sequence_number - highest) & 0xFFFF
        base = highest + distance - (0x10000 if distance >= 0x8000 else 0)
        end = min(base + message.status_count, self._next)
        oldest = next(iter(self._in_flight), self._next)
        ticks = self._reference.unwrap(message.reference_time & 0xFFFFFF) * _TICKS_PER_REFERENCE
        arrivals: dict[int, float] = {}
        for number, delta in message.received:
            ticks += delta
            arrivals[base + ((number - message.base_sequence_number) & 0xFFFF)] = ticks * _TICK
        results = []
        for number in range(max(base, oldest), end):
            entry = self._in_flight.get(number)
            if entry is None:
                continue
            arrival = arrivals.get(number)
            if arrival is None:
                if not entry.reported_lost:
                    entry.reported_lost = True
                    results.append(PacketResult(number & 0xFFFF, entry.ssrc, entry.size, entry.sent_at, False, None))
                continue
            del self._in_flight[number]
            at = arrival if message.with_timing else None
            results.append(PacketResult(number & 0xFFFF, entry.ssrc, entry.size, entry.sent_at, True, at))
        return results
