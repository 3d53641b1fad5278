"""What waits for `poll_events`, in an order that does not depend on how packets were bundled into bursts.

Sources that began, then what was received (sections in their order), then wishes of the peer and tones sent, then
sources that ended.
"""

from __future__ import annotations

from ...base import Drops
from .events import MediaEvent, Muted, SourceEnded, SourceStarted, Unmuted
from .inbound import Inbound
from .section import Section


class Happenings:
    """Bounded lists of events; a beginning and an end of one source between two polls cancel each other."""

    __slots__ = ("_drops", "_limit", "ended", "others", "started")

    def __init__(self, limit: int, drops: Drops) -> None:
        self._limit = limit
        self._drops = drops
        self.started: list[MediaEvent] = []
        self.others: list[MediaEvent] = []
        self.ended: list[MediaEvent] = []

    def __bool__(self) -> bool:
        return bool(self.started or self.others or self.ended)

    def _add(self, events: list[MediaEvent], event: MediaEvent) -> None:
        if len(events) < self._limit:
            events.append(event)
        else:
            self._drops.add("events not polled")

    def happened(self, event: MediaEvent) -> None:
        """Something that is neither the beginning nor the end of a source; said once while it waits."""
        if event not in self.others:
            self._add(self.others, event)

    def told(self, event: MediaEvent) -> None:
        """The same for what counts each time."""
        self._add(self.others, event)

    def source_began(self, inbound: Inbound) -> None:
        handle = inbound.section.handle
        for event in self.ended:
            if isinstance(event, SourceEnded) and event.ssrc == inbound.ssrc and event.handle == handle:
                self.ended.remove(event)
                return
        self._add(self.started, SourceStarted(handle, inbound.rid, inbound.ssrc))

    def source_ended(self, inbound: Inbound, reason: str) -> None:
        self._add(self.ended, SourceEnded(inbound.section.handle, inbound.ssrc, reason))

    def unmuted(self, section: Section) -> None:
        if section.muted:
            section.muted = False
            silence = Muted(section.handle)
            if silence in self.ended:
                self.ended.remove(silence)
            else:
                self._add(self.started, Unmuted(section.handle))

    def muted(self, section: Section) -> None:
        if not section.muted:
            section.muted = True
            self._add(self.ended, Muted(section.handle))
