"""`webrtc-stack trace`: a trace file as a timeline, the steps of connecting with their durations, and what was dropped.

The format is that of `webrtc_stack.trace`: a JSON object a line with `time`, `source`, `room`, `name`, `data`. A
line that is not of this form is counted and left out.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..dtls import HandshakeType
from ..trace import TraceEvent
from . import wording
from .failures import CommandError

MAX_LINE_CHARACTERS: Final = 1_000_000
MAX_EVENTS: Final = 5_000_000

_EPILOG: Final = """examples:
  webrtc-stack demo --trace t.jsonl        write a trace, then:
  webrtc-stack trace t.jsonl
  webrtc-stack trace t.jsonl --room ice --room dtls
  webrtc-stack trace t.jsonl --name pair   only events with "pair" in their name
  webrtc-stack trace t.jsonl --summary     only the steps of connecting and what was dropped"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Shows a trace file (JSON lines, from --trace) as a readable timeline for each connection."
    parser.epilog = _EPILOG
    parser.add_argument("file", type=Path, help="the trace file")
    parser.add_argument(
        "--room", metavar="ROOM", action="append", default=[], help="only this layer: ice, dtls, sctp …"
    )
    parser.add_argument(
        "--name", metavar="TEXT", action="append", default=[], help="only events whose name has this in it"
    )
    parser.add_argument("--source", metavar="NAME", action="append", default=[], help="only this connection: pc1 …")
    parser.add_argument("--summary", action="store_true", help="no timeline, only the summary")


def parse_line(line: str) -> TraceEvent | None:
    """One event; None for a line that is not one."""
    try:
        value = json.loads(line)
        time, data = value["time"], value.get("data") or {}
        if isinstance(time, bool) or not isinstance(time, (int, float)) or not isinstance(data, dict):
            return None
        return TraceEvent(float(time), str(value["source"]), str(value["room"]), str(value["name"]), data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # the caller counts it: a trace that was cut off, or another kind of file


@dataclass(slots=True)
class Story:
    """The events of one connection and what they come to."""

    source: str
    events: list[TraceEvent] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    stories: dict[str, Story] = field(default_factory=dict)
    events: int = 0
    unreadable: int = 0


def read_trace(lines: Iterable[str]) -> Reading:
    """Sorts events by source; their order is kept. Cost: memory for at most `MAX_EVENTS` events."""
    reading = Reading()
    for line in lines:
        if not line.strip():
            continue
        event = parse_line(line) if len(line) <= MAX_LINE_CHARACTERS else None
        if event is None or reading.events >= MAX_EVENTS:
            reading.unreadable += 1
            continue
        reading.events += 1
        reading.stories.setdefault(event.source, Story(event.source)).events.append(event)
    return reading


# --- the steps of connecting -----------------------------------------------------------------------------------------


def _became(*states: str) -> Callable[[TraceEvent], bool]:
    return lambda event: event.data.get("new", event.data.get("state")) in states


MILESTONES: Final[tuple[tuple[str, str, str, Callable[[TraceEvent], bool]], ...]] = (
    ("local description set", "peer", "signaling_state_changed", lambda event: True),
    ("first candidate of our own", "ice", "candidate_gathered", lambda event: True),
    ("first check sent", "ice", "check_sent", lambda event: True),
    ("first pair works", "ice", "pair_succeeded", lambda event: True),
    ("a pair is selected", "ice", "pair_selected", lambda event: True),
    ("DTLS handshake begins", "dtls", "state_changed", _became("handshaking", "connecting")),
    ("DTLS is connected", "dtls", "state_changed", _became("connected")),
    ("SCTP is established", "sctp", "state_changed", _became("established")),
    ("connection reported", "peer", "connection_state_changed", _became("connected")),
    ("first channel opens", "datachannel", "channel_opened", lambda event: True),
)
"""What one waits for while connecting: title, room, name, and which of them."""


def milestones(events: Iterable[TraceEvent]) -> list[tuple[float, str]]:
    """The first moment of each milestone that came, in order of time."""
    found: dict[str, float] = {}
    for event in events:
        for title, room, name, accepts in MILESTONES:
            if title not in found and event.room == room and event.name == name and accepts(event):
                found[title] = event.time
    return sorted(((time, title) for title, time in found.items()), key=lambda item: item[0])


def drops(events: Iterable[TraceEvent]) -> Counter[str]:
    """How often something was refused, by room and reason."""
    counts: Counter[str] = Counter()
    for event in events:
        if "drop" in event.name or event.name.endswith(("_refused", "_ignored", "_lost")):
            reason = event.data.get("reason") or event.name
            count = event.data.get("count", 1)
            counts[f"{event.room}: {reason}"] += count if isinstance(count, int) and count > 0 else 1
    return counts


# --- drawing ---------------------------------------------------------------------------------------------------------


def render_event(event: TraceEvent, began: float, before: float) -> str:
    """One line: time since the beginning, time since the line before, room, name, data."""
    data = ", ".join(f"{name} {_value(_named(event, name, value))}" for name, value in event.data.items())
    step = event.time - before
    gap = f"+{wording.duration(step)}" if step >= 0.0005 else ""
    line = f"{event.time - began:10.4f} {gap:>9}  {event.room:<12} {event.name.replace('_', ' '):<26} {data}"
    return wording.printable(line.rstrip(), 400)


def _named(event: TraceEvent, name: str, value: Any) -> Any:
    """Numbers of a registry by their names."""
    if event.room == "dtls" and name == "type" and isinstance(value, int):
        try:
            return HandshakeType(value).name.lower()
        except ValueError:
            return value
    return value


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value if value and " " not in value else f"“{value}”"
    return json.dumps(value, separators=(",", ":")) if isinstance(value, (dict, list)) else str(value)


def render(reading: Reading, options: argparse.Namespace) -> Iterator[str]:
    """The whole report, line by line."""
    for story in reading.stories.values():
        if options.source and story.source not in options.source:
            continue
        began = story.events[0].time
        yield f"{wording.printable(story.source) or '(no name)'}: {len(story.events):,} events"
        if not options.summary:
            before = began
            for event in story.events:
                if (not options.room or event.room in options.room) and (
                    not options.name or any(name in event.name for name in options.name)
                ):
                    yield render_event(event, began, before)
                    before = event.time
        yield from _steps(story)
        refused = drops(story.events)
        if refused:
            yield "  Dropped or refused"
            for reason, count in refused.most_common():
                yield f"    {count:>7,} × {wording.printable(reason)}"
        yield ""
    if reading.unreadable:
        yield f"{reading.unreadable:,} lines are no trace events and were left out"


def _steps(story: Story) -> Iterator[str]:
    steps = milestones(story.events)
    if len(steps) < 2:
        return
    yield "  Connecting"
    first = before = steps[0][0]
    for time, title in steps:
        yield f"    {time - first:8.4f} s  {f'+{wording.duration(time - before)}':>10}  {title}"
        before = time


def run(options: argparse.Namespace) -> int:
    try:
        with options.file.open(encoding="utf-8", errors="replace") as file:
            reading = read_trace(file)
    except OSError as error:
        raise CommandError(f"cannot read {options.file}: {error.strerror}") from None
    if not reading.events:
        raise CommandError(f"{options.file} has no trace events; traces are written by --trace")
    for line in render(reading, options):
        print(line)
    return 0
