"""The media methods of a peer connection, in the words of W3C; all work is the hub's.

Spec: W3C webrtc-pc sections 5.1 (addTrack, removeTrack, addTransceiver), 8 (getStats).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from ..peer import Encoding, MediaKind
from ..sdp import Direction
from .media import MediaHub
from .receiver import Receiver
from .sender import Sender
from .stream import EventStream
from .track_events import TrackEvent
from .tracks import MediaTrack
from .transceiver import Transceiver

if TYPE_CHECKING:
    from ..peer import stats as w3c


class MediaApi:
    """What `PeerConnection` is for media."""

    _media: MediaHub

    def add_track(self, track: MediaTrack, *streams: str) -> Sender:
        """Sends a track, by a transceiver that is free or a new one; asks for negotiation. `streams` are ids of media
        streams: what the peer should play in step belongs to one.

        Errors: `InvalidAccessError` when the track is sent already; `InvalidStateError` when closed.
        """
        return self._media.add_track(track, streams)

    def add_transceiver(
        self,
        track_or_kind: MediaTrack | MediaKind | str,
        *,
        direction: Direction | str = Direction.SENDRECV,
        streams: Iterable[str] = (),
        send_encodings: Iterable[Encoding] = (),
    ) -> Transceiver:
        """A new transceiver; asks for negotiation. Several `send_encodings`, each with its `rid`, are simulcast.

        Errors: `InvalidArgumentError`, `InvalidStateError` when closed.
        """
        return self._media.add_transceiver(
            track_or_kind, direction=direction, streams=tuple(streams), send_encodings=send_encodings
        )

    def remove_track(self, sender: Sender) -> None:
        """Stops sending; the peer learns it by negotiation. Errors: `InvalidAccessError` for another one's sender."""
        self._media.remove_track(sender)

    @property
    def transceivers(self) -> list[Transceiver]:
        """Those that are not stopped, in the order of their making."""
        return self._media.transceivers

    @property
    def senders(self) -> list[Sender]:
        return [transceiver.sender for transceiver in self._media.transceivers]

    @property
    def receivers(self) -> list[Receiver]:
        return [transceiver.receiver for transceiver in self._media.transceivers]

    def track_events(self) -> EventStream[TrackEvent]:
        """Everything that happens to tracks; begins with those that the peer sends now."""
        return self._media.events.follow()

    async def get_stats(self, selector: Sender | Receiver | MediaTrack | None = None) -> w3c.StatsReport:
        """The statistics of all, or of what a sender, a receiver or a track is about.

        Errors: `InvalidAccessError` for a track that no sender or receiver, or more than one, has.
        """
        return self._media.selected_stats(selector)

    async def stats(self, interval: float = 1.0) -> AsyncIterator[w3c.StatsReport]:
        """A report now, and another every `interval` seconds; ends with the connection."""
        while not self._media.closed:
            yield self._media.stats()
            try:
                async with asyncio.timeout(interval):
                    await self._media.over.wait()
            except TimeoutError:
                continue
