"""Telephone events: key presses as packets beside the sound.

A payload says which event, how loud, how long so far, and whether it is over. `TelephoneEventSender` is told the time
and says when to send which payload; `TelephoneEventReceiver` makes events of payloads, each once, whatever was lost or
doubled. Neither opens anything or draws a random number, and the sender hears nothing from the network, so it keeps
the verbs of a machine without being one: there is no `receive` and no end of life.

An event longer than 0xFFFF ticks goes on as further segments: a new time stamp, no marker (RFC 4733 section 2.5.1.3).

Invariants: at most `max_queued` events wait; an event's three end packets precede the next event's first; the receiver
keeps one event.

Spec: RFC 4733 sections 2.3, 2.4.1 (`events`), 2.5.1, 2.5.2, 3.2; W3C WebRTC 1.0 section 7 (`insertDTMF`: characters,
limits of durations and gaps). Left out: RFC 4733 section 4 (tones), state events (section 2.5.1.1, duration 0), RED
inside (section 2.6).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..base import NEVER, Drops, Instant
from ..errors import BufferFull, InvalidArgumentError, ParseError
from ..trace import NO_TRACE, Trace
from .audio import AudioPacketizer, OrderedDepacketizer
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    EncodedFrame,
    PayloadFormat,
    RtpPacketLike,
)

DTMF: Final = "0123456789*#ABCD"
"""The character of each event 0 to 15."""
FLASH: Final = 16
MAX_SEGMENT: Final = 0xFFFF
MAX_BLOCKS: Final = 16
"""Events in one packet; a limit to the work that one packet can ask for."""


class TelephoneEvent(NamedTuple):
    """One report: `duration` so far, in ticks; `volume` in -dBm0, 0 (loud) to 63."""

    event: int
    end: bool
    volume: int
    duration: int

    @property
    def character(self) -> str | None:
        """The key, if the event is one."""
        return DTMF[self.event] if self.event < len(DTMF) else None

    @classmethod
    def parse_all(cls, payload: bytes) -> tuple[TelephoneEvent, ...]:
        """The reports of a payload, nearly always one. Errors: `ParseError`."""
        if not payload or len(payload) % 4:
            raise ParseError(f"{len(payload)} bytes, a report has 4", offset=0, field="telephone-event")
        if len(payload) > 4 * MAX_BLOCKS:
            raise ParseError(f"{len(payload) // 4} reports; at most {MAX_BLOCKS}", offset=0, field="telephone-event")
        return tuple(
            cls(
                payload[at],
                bool(payload[at + 1] & 0x80),
                payload[at + 1] & 0x3F,
                payload[at + 2] << 8 | payload[at + 3],
            )
            for at in range(0, len(payload), 4)
        )

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """The one report of a payload. Errors: `ParseError`."""
        found = cls.parse_all(payload)
        if len(found) > 1:
            raise ParseError(f"{len(found)} reports, one is wanted", offset=4, field="telephone-event")
        return found[0]

    def serialize(self) -> bytes:
        """The report as a payload. Errors: `InvalidArgumentError` for a field out of range."""
        if not (0 <= self.event <= 255 and 0 <= self.volume <= 63 and 0 <= self.duration <= MAX_SEGMENT):
            raise InvalidArgumentError(
                f"event {self.event}, volume {self.volume}, duration {self.duration}; allowed are 255, 63, 65535"
            )
        return bytes((self.event, self.volume | (0x80 if self.end else 0))) + self.duration.to_bytes(2, "big")


def event_of(character: str) -> int:
    """The event of a DTMF character, `a` to `d` in either case. Errors: `InvalidArgumentError`."""
    found = DTMF.find(character.upper()) if len(character) == 1 else -1
    if found < 0:
        raise InvalidArgumentError(f"{character!r} is no DTMF character; allowed are {DTMF}")
    return found


def parse_event_ranges(text: str) -> frozenset[int]:
    """The events of an `a=fmtp` list such as `0-15,66,70`. Errors: `ParseError`. Spec: RFC 4733 section 2.4.1."""
    found: set[int] = set()
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        words = (low, high) if dash else (low, low)
        if not all(one.isascii() and one.isdigit() and len(one) <= 3 for one in words):
            raise ParseError(f"{text!r} is no list of events", field="events")
        first, last = int(words[0]), int(words[1])
        if not first <= last <= 255:
            raise ParseError(f"events {first} to {last}; allowed are 0 to 255, upwards", field="events")
        found.update(range(first, last + 1))
    return frozenset(found)


def format_event_ranges(events: Iterable[int]) -> str:
    """The list for `a=fmtp`. Errors: `InvalidArgumentError` for an event beyond 0 to 255."""
    parts: list[list[int]] = []
    for event in sorted(set(events)):
        if not 0 <= event <= 255:
            raise InvalidArgumentError(f"event {event}; allowed are 0 to 255")
        if parts and parts[-1][1] == event - 1:
            parts[-1][1] = event
        else:
            parts.append([event, event])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


# --- sending --------------------------------------------------------------------------------------------------------


class EventPacket(NamedTuple):
    """What the sender wants sent: an RTP payload with its time stamp and marker."""

    payload: bytes
    timestamp: int
    marker: bool


class ToneStarted(NamedTuple):
    """An event began. `character` is the DTMF key, or None for another event."""

    event: int
    character: str | None


class TonesFinished(NamedTuple):
    """Everything queued was sent, the last gap included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelephoneEventSenderConfig:
    """How events are sent.

    `clock_rate` Hz, that of the sound beside which events go. `timestamp_offset` and `epoch` tie the two together:
    at `epoch` seconds the RTP time stamp of the sound is `timestamp_offset`.
    `update_interval` seconds between reports, RFC 4733's 50 ms. `end_interval` seconds between the three end packets;
    20 ms is one packet of sound: late enough to escape a burst of loss, early enough to fit any gap.
    `volume` -dBm0 (10 is what telephones send). `pause` seconds that a comma lasts (W3C: 2).
    `max_queued` events, commas included; more is `BufferFull`.
    """

    clock_rate: int = 8000
    timestamp_offset: int = 0
    epoch: Instant = 0.0
    update_interval: float = 0.05
    end_interval: float = 0.02
    volume: int = 10
    pause: float = 2.0
    max_queued: int = 256
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if self.clock_rate < 1000 or self.update_interval < 0.005 or self.end_interval < 0 or self.pause < 0:
            raise InvalidArgumentError("clock_rate is at least 1000, update_interval 5 ms, the others not negative")
        if self.update_interval * self.clock_rate > MAX_SEGMENT:
            raise InvalidArgumentError("update_interval is longer than one report can say at this clock rate")
        if not 0 <= self.volume <= 63 or self.max_queued < 1:
            raise InvalidArgumentError("volume is 0 to 63, max_queued at least 1")


class _Wish(NamedTuple):
    event: int  # -1 for a pause
    duration: float
    gap: float


@dataclass(slots=True)
class TelephoneEventSenderCounters:
    events: int = 0
    packets: int = 0
    segments: int = 0


class TelephoneEventSender:
    """Sends events one after the other. Call `poll_transmits` when `next_timeout` has come, or oftener.

    A report made at some time says how long the event will have lasted when the next one is due, so that a receiver
    which plays what it is told never falls silent in between.
    """

    def __init__(self, config: TelephoneEventSenderConfig | None = None) -> None:
        self.config = TelephoneEventSenderConfig() if config is None else config
        self.counters = TelephoneEventSenderCounters()
        self._trace = self.config.trace
        self._queue: deque[_Wish] = deque()
        self._events: list[ToneStarted | TonesFinished] = []
        self._now: Instant = -float("inf")
        self._free_at: Instant = -float("inf")  # when the next wish may begin
        self._busy = False  # an event is being sent
        self._wish = _Wish(-1, 0.0, 0.0)
        self._began: Instant = 0.0
        self._next_at: Instant = NEVER
        self._report = 0
        self._segment = 0  # time stamp of the segment
        self._before = 0  # ticks in earlier segments
        self._told = 0  # ticks told so far, all segments
        self._total = 0  # ticks in all; -1 while a key is held down
        self._ends_left = 0
        self._split = False  # the report being sent goes on in the next segment
        self._unfinished = False

    # --- commands ---------------------------------------------------------------------------------------------------

    def send_tones(self, tones: str, now: Instant, *, duration: float = 0.1, gap: float = 0.07) -> None:
        """Queues DTMF characters; a comma is a pause.

        Units: seconds; a tone lasts 0.04 to 6, a gap 0.03 to 6, and what is beyond is taken as the nearest, as
        `insertDTMF` has it. Errors: `InvalidArgumentError` for another character, `BufferFull`; nothing is queued then.
        """
        duration = min(max(duration, 0.04), 6.0)
        gap = min(max(gap, 0.03), 6.0)
        self._enqueue(
            [_Wish(-1, self.config.pause, 0.0) if one == "," else _Wish(event_of(one), duration, gap) for one in tones],
            now,
        )

    def send_event(self, event: int, now: Instant, *, duration: float | None = None, gap: float = 0.07) -> None:
        """Queues any event; without `duration` it lasts until `stop`. Errors: `InvalidArgumentError`, `BufferFull`."""
        if not 0 <= event <= 255:
            raise InvalidArgumentError(f"event {event}; allowed are 0 to 255")
        if (duration is not None and not 0 < duration <= 3600) or not 0 <= gap <= 60:
            raise InvalidArgumentError("a duration is above 0 and at most 3600 s, a gap at most 60 s")
        self._enqueue([_Wish(event, -1.0 if duration is None else duration, gap)], now)

    def stop(self, now: Instant) -> None:
        """Ends the event being sent, if any, where its last report said; what is queued goes on."""
        self._advance_clock(now)
        if self._busy and not self._ends_left:
            self._total = max(1, self._told)

    def clear(self) -> None:
        """Forgets what is queued; the event being sent goes on to its end."""
        self._queue.clear()

    def _enqueue(self, wishes: list[_Wish], now: Instant) -> None:
        if len(self._queue) + len(wishes) > self.config.max_queued:
            raise BufferFull(f"{len(self._queue)} events wait, {self.config.max_queued} may; wait for TonesFinished")
        self._advance_clock(now)
        if not self._busy and not self._queue:
            self._free_at = max(self._free_at, self._now)
        self._queue.extend(wishes)
        self._unfinished = self._unfinished or bool(wishes)

    # --- time and output --------------------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """How many events and pauses wait."""
        return len(self._queue)

    def next_timeout(self) -> Instant:
        """When to poll next; `NEVER` when idle."""
        if self._busy:
            return self._next_at
        return self._free_at if self._queue or self._unfinished else NEVER

    def handle_timeout(self, now: Instant) -> None:
        """Takes note of the time; packets come from `poll_transmits`."""
        self._advance_clock(now)

    def poll_events(self) -> list[ToneStarted | TonesFinished]:
        events, self._events = self._events, []
        return events

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[EventPacket]:
        """The packets that are due, at most `limit`."""
        self._advance_clock(now)
        now = self._now
        made: list[EventPacket] = []
        while len(made) < limit:
            if self._busy:
                if self._next_at > now:
                    break
                made.append(self._step())
            elif self._queue:
                if self._free_at > now:
                    break
                self._begin(self._queue.popleft())
            else:
                if self._unfinished and self._free_at <= now:
                    self._unfinished = False
                    self._events.append(TonesFinished())
                break
        self.counters.packets += len(made)
        return made

    def _advance_clock(self, now: Instant) -> None:
        self._now = max(self._now, now)

    def _begin(self, wish: _Wish) -> None:
        # What is late begins now: a slow caller stretches time rather than sending yesterday's reports at once.
        begins = max(self._free_at, self._now - self.config.update_interval)
        if wish.event < 0:
            self._free_at = begins + wish.duration
            return
        config = self.config
        self._wish = wish
        self._busy = True
        self._began = self._next_at = begins
        ticks = round((begins - config.epoch) * config.clock_rate)
        self._segment = (config.timestamp_offset + ticks) & 0xFFFFFFFF
        self._report = self._before = self._told = 0
        self._total = -1 if wish.duration < 0 else max(1, round(wish.duration * config.clock_rate))
        self._ends_left = 0
        self.counters.events += 1
        self.counters.segments += 1
        character = DTMF[wish.event] if wish.event < len(DTMF) else None
        self._events.append(ToneStarted(wish.event, character))
        if self._trace:
            self._trace.event(begins, "tone_started", event=wish.event, timestamp=self._segment)

    def _step(self) -> EventPacket:
        """The packet that is due now."""
        config = self.config
        if self._ends_left:
            self._ends_left -= 1
            packet = self._packet(end=True)
            self._after_end()
            return packet
        if not self._split:
            if self._report and 0 <= self._total <= self._told:
                self._ends_left = 2
                packet = self._packet(end=True)
                self._free_at = self._next_at + self._wish.gap
                self._after_end()
                return packet
            self._report += 1
            told = round(self._report * config.update_interval * config.clock_rate)
            self._told = told if self._total < 0 else min(told, self._total)
        if self._told - self._before > MAX_SEGMENT:
            # The report that fills the segment goes first, and at once the rest in the next segment.
            self._split = True
            packet = self._packet(end=False, duration=MAX_SEGMENT)
            self._before += MAX_SEGMENT
            self._segment = (self._segment + MAX_SEGMENT) & 0xFFFFFFFF
            self.counters.segments += 1
            return packet
        self._split = False
        self._schedule()
        return self._packet(end=False, marker=self._report == 1)

    def _schedule(self) -> None:
        config = self.config
        if 0 <= self._total <= self._told:
            self._next_at = self._began + self._total / config.clock_rate
        else:
            self._next_at = self._began + self._report * config.update_interval

    def _after_end(self) -> None:
        if not self._ends_left:
            self._busy = False
            self._next_at = NEVER
            if self._trace:
                self._trace.event(self._now, "tone_ended", event=self._wish.event, ticks=self._told)
            return
        # Repeats never run into the next event.
        self._next_at = min(self._next_at + self.config.end_interval, self._free_at)

    def _packet(self, *, end: bool, duration: int | None = None, marker: bool = False) -> EventPacket:
        told = self._told - self._before if duration is None else duration
        payload = TelephoneEvent(self._wish.event, end, self.config.volume, told).serialize()
        return EventPacket(payload, self._segment, marker)


# --- receiving ------------------------------------------------------------------------------------------------------


class EventStarted(NamedTuple):
    """An event began at the RTP time stamp `timestamp`."""

    event: int
    timestamp: int
    volume: int

    @property
    def character(self) -> str | None:
        return DTMF[self.event] if self.event < len(DTMF) else None


class EventEnded(NamedTuple):
    """It is over. `duration` in ticks, all segments; `end_lost`: no end packet came, so it is what was last told."""

    event: int
    timestamp: int
    duration: int
    volume: int
    end_lost: bool = False

    @property
    def character(self) -> str | None:
        return DTMF[self.event] if self.event < len(DTMF) else None


class TelephoneEventReceiver:
    """Events from payloads, each once. Give packets as they come: order does not matter within an event.

    An event whose end is lost ends when another begins, or by `advance` when the stream has gone on without it for
    `timeout_ticks` (default 0.25 s: five reports).
    """

    def __init__(
        self, clock_rate: int = 8000, *, timeout_ticks: int | None = None, events: frozenset[int] | None = None
    ) -> None:
        if clock_rate < 1:
            raise InvalidArgumentError(f"a clock of {clock_rate} Hz")
        self.drops = Drops()
        self.timeout_ticks = clock_rate // 4 if timeout_ticks is None else timeout_ticks
        self._accepted = events
        self._far = clock_rate * 30
        self._any = False
        self._open = False
        self._event = 0
        self._volume = 0
        self._start = 0
        self._segment = 0
        self._before = 0
        self._duration = 0  # of the segment

    def push(self, packet: RtpPacketLike) -> list[EventStarted | EventEnded]:
        """Takes one packet. Returns: what it tells that is new. Never raises: what cannot be read is counted."""
        try:
            reports = TelephoneEvent.parse_all(packet.payload)
        except ParseError:
            self.drops.add("malformed")
            return []
        out: list[EventStarted | EventEnded] = []
        timestamp = packet.timestamp
        for number, report in enumerate(reports):
            # Several reports in one packet follow each other in time, and only the last may be going on.
            over = report.end or number < len(reports) - 1
            self._take(report, timestamp, over, packet.marker and number == 0, out)
            timestamp = (timestamp + report.duration) & 0xFFFFFFFF
        return out

    def advance(self, timestamp: int) -> list[EventStarted | EventEnded]:
        """Tells the RTP time stamp that the stream has reached: ends an event whose end must be lost."""
        if not self._open:
            return []
        silent = (timestamp - self._segment - self._duration) & 0xFFFFFFFF
        if not self.timeout_ticks < silent < 0x80000000:
            return []
        return [self._end(lost=True)]

    def _take(
        self, report: TelephoneEvent, timestamp: int, over: bool, marker: bool, out: list[EventStarted | EventEnded]
    ) -> None:
        if self._accepted is not None and report.event not in self._accepted:
            self.drops.add("event not accepted")
            return
        if self._any:
            distance = (timestamp - self._segment) & 0xFFFFFFFF
            if distance == 0 and report.event == self._event:
                self._update(report, over, out)
                return
            goes_on = self._open and not marker and report.event == self._event and self._continues(distance)
            if goes_on:
                self._before += distance
                self._segment = timestamp
                self._duration = 0
                self._update(report, over, out)
                return
            behind = 0x100000000 - distance
            if distance >= 0x80000000 and not (marker and behind > self._far):
                self.drops.add("late or doubled")
                return
        if self._open:
            out.append(self._end(lost=True))
        self._any = self._open = True
        self._event, self._volume = report.event, report.volume
        self._start = self._segment = timestamp
        self._before = self._duration = 0
        out.append(EventStarted(report.event, timestamp, report.volume))
        self._update(report, over, out)

    def _continues(self, distance: int) -> bool:
        """Whether a time stamp `distance` after the segment's is one of its following segments (some may be lost)."""
        return 0 < distance <= 8 * MAX_SEGMENT and distance % MAX_SEGMENT == 0

    def _update(self, report: TelephoneEvent, over: bool, out: list[EventStarted | EventEnded]) -> None:
        if not self._open:
            self.drops.add("late or doubled")
            return
        self._duration = max(self._duration, report.duration)
        if over:
            out.append(self._end(lost=False))

    def _end(self, *, lost: bool) -> EventEnded:
        self._open = False
        return EventEnded(self._event, self._start, self._before + self._duration, self._volume, lost)


# --- the format -----------------------------------------------------------------------------------------------------


class TelephoneEventPacketizer(AudioPacketizer):
    """Lets through what `TelephoneEvent` can read; `TelephoneEventSender` says what to send when."""

    def packetize(self, frame: bytes) -> list[bytes]:
        try:
            TelephoneEvent.parse_all(frame)
        except ParseError as error:
            raise InvalidArgumentError(str(error)) from None
        return [frame]

    def timestamp_step(self, payload: bytes) -> int:
        """0: all reports of an event have the time stamp of its beginning."""
        return 0


class TelephoneEventDepacketizer(OrderedDepacketizer):
    """Gives each payload, with its reports (a tuple of `TelephoneEvent`) as facts.

    For events instead of reports, give packets to a `TelephoneEventReceiver`.
    """

    def _frames(self, packet: RtpPacketLike, missing: int) -> list[EncodedFrame]:
        reports = TelephoneEvent.parse_all(packet.payload)
        return [
            EncodedFrame(packet.payload, packet.timestamp, True, missing > 0, packet.sequence_number, facts=reports)
        ]


class TelephoneEventFormat(PayloadFormat):
    """telephone-event, at the rate of the sound beside it. Parameter: `events`, as in `a=fmtp:101 0-15`."""

    encoding_name = "telephone-event"
    kind = "audio"
    clock_rate = 8000

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        clock_rate: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(parameters)
        self.clock_rate = 8000 if clock_rate is None else clock_rate
        if self.clock_rate < 1000:
            raise InvalidArgumentError(f"telephone-event at {self.clock_rate} Hz")
        if channels not in (None, 1):
            raise InvalidArgumentError(f"telephone-event has one channel, not {channels}")
        try:
            self.events = parse_event_ranges(self.parameters.get("events", "0-15"))
        except ParseError as error:
            raise InvalidArgumentError(str(error)) from None

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> AudioPacketizer:
        return TelephoneEventPacketizer()

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        return TelephoneEventDepacketizer(config, self.clock_rate)

    def receiver(self) -> TelephoneEventReceiver:
        """A receiver of the events that this format announces."""
        return TelephoneEventReceiver(self.clock_rate, events=self.events)
