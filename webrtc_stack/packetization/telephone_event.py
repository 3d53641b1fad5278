"""Telephone events: key presses as packets beside the sound.

A payload says which event, how loud, how long so far, and whether it is over. `TelephoneEventReceiver` makes events of
payloads, each once, whatever was lost or doubled; sending is in `telephone_event_sender`.

Invariant: the receiver keeps one event.

Spec: RFC 4733 sections 2.3, 2.4.1 (`events`), 2.5.1, 2.5.2, 3.2. Left out: section 4 (tones), state events (section
2.5.1.1, duration 0), RED inside (section 2.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ..base import Drops
from ..errors import InvalidArgumentError, ParseError
from .audio import AudioPacketizer, OrderedDepacketizer, RatedAudioFormat
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    EncodedFrame,
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


class TelephoneEventFormat(RatedAudioFormat):
    """telephone-event, at the rate of the sound beside it. Parameter: `events`, as in `a=fmtp:101 0-15`."""

    encoding_name = "telephone-event"
    clock_rate = 8000
    clock_rates = range(1000, 1 << 32)

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        clock_rate: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(parameters, clock_rate=clock_rate, channels=channels)
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
