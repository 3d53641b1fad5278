"""What happens to tracks, as values for `match`, and the queue that a follower of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .stream import EventStream

if TYPE_CHECKING:
    from .receiver import Receiver
    from .remote_track import RemoteTrack
    from .sender import Sender
    from .tracks import MediaTrack
    from .transceiver import Transceiver


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """The peer sends a track (again). `streams` are the ids of the media streams that it belongs to."""

    track: RemoteTrack
    receiver: Receiver
    transceiver: Transceiver
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """The peer does not send it any more: direction changed, or the transceiver was stopped."""

    track: RemoteTrack
    receiver: Receiver
    transceiver: Transceiver
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrackMuted:
    """Nothing comes from the peer for now."""

    track: RemoteTrack
    transceiver: Transceiver


@dataclass(frozen=True, slots=True)
class TrackUnmuted:
    """Media comes (again)."""

    track: RemoteTrack
    transceiver: Transceiver


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """The remote track is over for good: its transceiver was stopped, or the connection closed."""

    track: RemoteTrack
    transceiver: Transceiver
    reason: str


@dataclass(frozen=True, slots=True)
class SendingStopped:
    """A sender gives nothing any more: its track ended (`error` is None), or encoding it failed."""

    sender: Sender
    track: MediaTrack
    reason: str
    error: Exception | None


TrackEvent: TypeAlias = TrackAdded | TrackRemoved | TrackMuted | TrackUnmuted | TrackEnded | SendingStopped


class TrackEventHub:
    """Hands each event to every follower. A follower first hears which tracks there are, so it cannot come too late."""

    def __init__(self) -> None:
        self._followers: list[EventStream[TrackEvent]] = []
        self._present: dict[RemoteTrack, TrackAdded] = {}
        self._ended = False

    def follow(self) -> EventStream[TrackEvent]:
        stream = EventStream[TrackEvent]()
        for added in self._present.values():
            stream.put(added)
        if self._ended:
            stream.end()
        else:
            self._followers.append(stream)
        return stream

    def put(self, event: TrackEvent) -> None:
        match event:
            case TrackAdded():
                self._present[event.track] = event
            case TrackRemoved() | TrackEnded():
                self._present.pop(event.track, None)
            case _:
                pass
        for stream in self._followers:
            if not (isinstance(event, (TrackMuted, TrackUnmuted)) and event in stream):
                stream.put(event)

    def end(self) -> None:
        self._ended = True
        for stream in self._followers:
            stream.end()
        self._followers.clear()
        self._present.clear()
