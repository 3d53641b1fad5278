"""Sending telephone events: which report of a key press leaves when.

`TelephoneEventSender` is told the time and says what to send; it opens nothing and draws no random number. It hears
nothing from the network, so it keeps the verbs of a machine without being one: there is no `receive` and no end of
life.

An event longer than 0xFFFF ticks goes on as further segments: a new time stamp, no marker.

Invariants: at most `max_queued` events wait; an event's three end packets precede the next event's first.

Spec: RFC 4733 sections 2.5.1.2 to 2.5.1.4; W3C WebRTC 1.0 section 7 (`insertDTMF`: characters, limits of durations and
gaps).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from ..base import NEVER, Instant
from ..errors import BufferFull, InvalidArgumentError
from ..trace import NO_TRACE, Trace
from .telephone_event import DTMF, MAX_SEGMENT, TelephoneEvent, event_of


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

    A source of packets rather than a machine: it receives nothing and is never closed, so it has neither `receive`
    nor a final event, and whoever drops it owes it nothing. What the contract says of time, misuse, polls and bounded
    queues holds: an earlier `now` counts as the last one, and a packet that is due keeps `next_timeout` in the past.

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
