"""The media half of a peer connection: transceivers by handle, events of the core to whom they concern.

The hub owns every task that media needs; they end with the connection. It gives senders and receivers what they need
of the core and knows nothing of codecs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..base import Entropy, Instant
from ..errors import InvalidAccessError, InvalidArgumentError, InvalidStateError
from ..peer import (
    BitrateSuggested,
    Codec,
    Encoding,
    FramesReceived,
    KeyframeRequested,
    MediaKind,
    Muted,
    PacketsReceived,
    PeerCore,
    ToneReceived,
    ToneSent,
    TransceiverAdded,
    TransceiverChanged,
    TransceiverHandle,
    TransceiverRemoved,
    TransceiverView,
    Unmuted,
    capabilities,
)
from ..peer import TrackAdded as CoreTrackAdded
from ..peer import TrackRemoved as CoreTrackRemoved
from ..peer import stats as w3c
from ..sdp import Direction
from .encoded_track import EncodedTrack
from .engine import MediaEngine
from .offload import Offload
from .overlays import overlays_of
from .parameters import checked_encodings, same_mime
from .resources import MediaResources
from .sender import Sender, check_kind
from .tasks import TaskScope
from .track_events import (
    SendingStopped,
    TrackAdded,
    TrackEnded,
    TrackEventHub,
    TrackMuted,
    TrackRemoved,
    TrackUnmuted,
)
from .tracks import MediaTrack, new_id
from .transceiver import Transceiver

if TYPE_CHECKING:
    from .receiver import Receiver

_SENDING = (Direction.SENDRECV, Direction.SENDONLY)
_RECEIVING = (Direction.SENDRECV, Direction.RECVONLY)


class MediaHub:
    """Made by a peer connection, one each."""

    def __init__(
        self,
        core: PeerCore,
        resources: MediaResources,
        *,
        now: Callable[[], Instant],
        wake: Callable[[], None],
        entropy: Entropy,
        on_failure: Callable[[Exception], None] | None,
    ) -> None:
        self.core = core
        self.now = now
        self.wake = wake
        self.tasks = TaskScope(on_failure)
        self.events = TrackEventHub()
        self.closed = False
        self.over = asyncio.Event()
        """Set when the connection is over."""
        self._resources = resources
        self._entropy = entropy.fork("tracks")
        self.suggested_bitrate: int | None = None
        self._ready = False
        self._transceivers: dict[TransceiverHandle, Transceiver] = {}

    @property
    def engine(self) -> MediaEngine:
        return self._resources.engine

    @property
    def offload(self) -> Offload:
        return self._resources.offload

    def blank(self, frame: Any) -> Any:
        return self.engine.blank(frame)

    def new_id(self) -> str:
        return new_id(self._entropy)

    # --- looking ----------------------------------------------------------------------------------------------------

    def may_send(self, view: TransceiverView) -> bool:
        """True when media can go out: connected, negotiated, and in a direction that sends."""
        return (
            self._ready
            and not self.closed
            and not (view.stopping or view.stopped)
            and view.plan is not None
            and view.plan.direction in _SENDING
        )

    def may_receive(self, view: TransceiverView) -> bool:
        return not (self.closed or view.stopped) and view.plan is not None and view.plan.direction in _RECEIVING

    def require_live(self, view: TransceiverView) -> None:
        """Errors: `InvalidStateError` for a stopped transceiver or a closed connection."""
        if self.closed:
            raise InvalidStateError("the peer connection is closed; make a new one")
        if view.stopping or view.stopped:
            raise InvalidStateError("the transceiver is stopped; add another one")

    @property
    def transceivers(self) -> list[Transceiver]:
        """Those that are not stopped, in the order of their making."""
        if not self.closed:
            for view in self.core.transceivers():
                if view.handle not in self._transceivers and not (view.stopping or view.stopped):
                    self._ensure(view.handle, view.kind)
        return [one for one in self._transceivers.values() if not one.stopped]

    # --- commands ---------------------------------------------------------------------------------------------------

    def add_track(self, track: MediaTrack, streams: Sequence[str]) -> Sender:
        self._check_track(track)
        handle = self.core.add_track(track.kind, self.now(), track_id=track.id, stream_ids=tuple(streams))
        transceiver = self._ensure(handle, track.kind)
        self._give(transceiver, track, tuple(streams))
        return transceiver.sender

    def add_transceiver(
        self,
        track_or_kind: MediaTrack | MediaKind | str,
        *,
        direction: Direction | str,
        streams: Sequence[str],
        send_encodings: Iterable[Encoding],
    ) -> Transceiver:
        track = track_or_kind if isinstance(track_or_kind, MediaTrack) else None
        try:
            kind = track.kind if track is not None else MediaKind(track_or_kind)  # type: ignore[arg-type]
        except ValueError:
            raise InvalidArgumentError(f"a track, audio or video is wanted, got {track_or_kind!r}") from None
        if track is not None:
            self._check_track(track)
        try:
            direction = Direction(direction)
        except ValueError:
            raise InvalidArgumentError(f"direction is one of {', '.join(Direction)}, got {direction!r}") from None
        encodings = checked_encodings(kind, send_encodings)
        handle = self.core.add_transceiver(
            kind,
            self.now(),
            direction=direction,
            stream_ids=tuple(streams),
            track_id=track.id if track is not None else "",
            has_track=track is not None,
            encodings=encodings,
        )
        transceiver = self._ensure(handle, kind)
        self._give(transceiver, track, tuple(streams))
        return transceiver

    def remove_track(self, sender: Sender) -> None:
        if self.closed:
            raise InvalidStateError("the peer connection is closed; make a new one")
        if not any(one.sender is sender for one in self._transceivers.values()):
            raise InvalidAccessError("the sender belongs to another peer connection")
        if sender.track is not None:
            self.core.remove_track(sender._handle, self.now())
            sender._set_track(None)
            self.wake()

    def _check_track(self, track: MediaTrack) -> None:
        if self.closed:
            raise InvalidStateError("the peer connection is closed; make a new one")
        if not isinstance(track, MediaTrack):
            raise InvalidArgumentError(f"a track is wanted, got {type(track).__name__}")
        check_kind(track, track.kind)
        if any(one.sender.track is track for one in self.transceivers):
            raise InvalidAccessError("the track is sent by this connection already; use its sender")

    def _give(self, transceiver: Transceiver, track: MediaTrack | None, streams: tuple[str, ...]) -> None:
        if isinstance(track, EncodedTrack) and transceiver._prefers is None:
            self.core.set_codec_preferences(transceiver.handle, _preferring(track), self.now())
        transceiver.sender._set_track(track, streams)
        self.wake()

    def _ensure(self, handle: TransceiverHandle, kind: MediaKind) -> Transceiver:
        transceiver = self._transceivers.get(handle)
        if transceiver is None:
            transceiver = self._transceivers[handle] = Transceiver(self, handle, kind, self.new_id())
        return transceiver

    # --- events -----------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The way to the peer stands, with keys: from now on media goes out."""
        if not self._ready:
            self._ready = True
            self.negotiated()

    def negotiated(self) -> None:
        """A description was applied: codecs may be others even where no transceiver has changed."""
        for transceiver in self.transceivers:
            transceiver.sender._refresh()

    def frames_received(self, event: FramesReceived) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is not None:
            transceiver.receiver._on_frames(event.rid, event.frames)

    def packets_received(self, event: PacketsReceived) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is not None:
            transceiver.receiver._on_packets(event.rid, event.packets)

    def _added(self, event: TransceiverAdded) -> None:
        if any(view.handle == event.handle for view in self.core.transceivers()):  # else it is gone already
            self._ensure(event.handle, event.kind)

    def _changed(self, event: TransceiverChanged) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is None or transceiver.stopped:
            return
        view = transceiver._view()
        if view.stopping or view.stopped:
            self._end(transceiver, "the transceiver was stopped")
        else:
            transceiver.sender._refresh()
            transceiver.receiver._review()

    def _removed(self, event: TransceiverRemoved) -> None:
        transceiver = self._transceivers.pop(event.handle, None)
        if transceiver is not None:
            self._end(transceiver, "the transceiver was stopped")

    def _end(self, transceiver: Transceiver, reason: str) -> None:
        track = transceiver.receiver.track
        was_live = not track.ended
        transceiver._end(reason)
        if was_live:
            self.track_ended(transceiver, reason)

    def track_ended(self, transceiver: Transceiver, reason: str) -> None:
        self.events.put(TrackEnded(transceiver.receiver.track, transceiver, reason))

    def sending_stopped(self, sender: Sender, track: MediaTrack, reason: str, error: Exception | None) -> None:
        self.events.put(SendingStopped(sender, track, reason, error))

    def _track_added(self, event: CoreTrackAdded) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is None:
            return
        receiver = transceiver.receiver
        receiver.streams = tuple(event.stream_ids)
        if event.track_id and not receiver.announced:
            receiver.track.id = event.track_id
        receiver.announced = True
        self.events.put(TrackAdded(receiver.track, receiver, transceiver, receiver.streams))

    def _track_removed(self, event: CoreTrackRemoved) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is not None:
            receiver = transceiver.receiver
            receiver.track.set_muted(True)
            self.events.put(TrackRemoved(receiver.track, receiver, transceiver, receiver.streams))

    def _muted(self, event: Muted) -> None:
        self._set_muted(event.handle, True)

    def _unmuted(self, event: Unmuted) -> None:
        self._set_muted(event.handle, False)

    def _set_muted(self, handle: TransceiverHandle, muted: bool) -> None:
        transceiver = self._transceivers.get(handle)
        if transceiver is None or transceiver.stopped or transceiver.receiver.track.muted == muted:
            return
        track = transceiver.receiver.track
        track.set_muted(muted)
        self.events.put((TrackMuted if muted else TrackUnmuted)(track, transceiver))

    def _keyframe_requested(self, event: KeyframeRequested) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is not None:
            transceiver.sender._keyframe_requested(event.rid)

    def _tone_received(self, event: ToneReceived) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is not None:
            transceiver.receiver._on_tone(event.digit, event.duration)

    def _tone_sent(self, event: ToneSent) -> None:
        transceiver = self._transceivers.get(event.handle)
        if transceiver is not None and transceiver.sender.dtmf is not None:
            transceiver.sender.dtmf._tone_sent(event.digit)

    def _bitrate_suggested(self, event: BitrateSuggested) -> None:
        self.suggested_bitrate = event.bps
        senders = [one.sender for one in self.transceivers if one.kind is MediaKind.VIDEO and one.sender.track]
        for sender in senders:
            sender._suggest_bitrate(event.bps // len(senders))

    # --- statistics -------------------------------------------------------------------------------------------------

    def stats(self) -> w3c.StatsReport:
        """What the core and the codecs count, in W3C's schema."""
        return w3c.collect(self.core, overlays_of(self), self.now())

    def selected_stats(self, selector: Sender | Receiver | MediaTrack | None) -> w3c.StatsReport:
        """What belongs to a sender, a receiver, or the one of them that has a track. Errors: `InvalidAccessError`."""
        if selector is None:
            return self.stats()
        halves: list[Sender | Receiver] = []
        for one in self.transceivers:
            halves += (one.sender, one.receiver)
        if isinstance(selector, MediaTrack):
            having = [half for half in halves if half.track is selector]
            if len(having) != 1:
                raise InvalidAccessError(f"{len(having)} senders and receivers have that track; ask for one of them")
            selector = having[0]
        elif selector not in halves:
            raise InvalidAccessError("the sender or receiver belongs to another connection, or is stopped")
        collect = w3c.collect_sender if isinstance(selector, Sender) else w3c.collect_receiver
        return collect(self.core, selector._handle, overlays_of(self), self.now())

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self, reason: str) -> None:
        """The connection is over: every track of it ends, every task is asked to. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self.over.set()
        for transceiver in self._transceivers.values():
            if not transceiver.stopped:
                self._end(transceiver, reason)
        self.events.end()
        self.tasks.cancel()

    async def close(self, timeout: float) -> bool:
        """Waits for the tasks to end. False when one would not within `timeout` seconds."""
        return await self.tasks.close(timeout)


def _preferring(track: EncodedTrack) -> list[Codec]:
    """The capabilities with the track's codec in front."""
    codecs = capabilities(track.kind).codecs
    wanted = [codec for codec in codecs if same_mime(codec.mime_type, track.codec.mime_type)]
    if not wanted:
        raise InvalidArgumentError(f"{track.codec.mime_type} is not among the {track.kind} capabilities")
    return [*wanted, *(codec for codec in codecs if codec not in wanted)]


MEDIA_HANDLERS: dict[type, Callable[[MediaHub, Any], None]] = {
    FramesReceived: MediaHub.frames_received,
    PacketsReceived: MediaHub.packets_received,
    TransceiverAdded: MediaHub._added,
    TransceiverChanged: MediaHub._changed,
    TransceiverRemoved: MediaHub._removed,
    CoreTrackAdded: MediaHub._track_added,
    CoreTrackRemoved: MediaHub._track_removed,
    Muted: MediaHub._muted,
    Unmuted: MediaHub._unmuted,
    KeyframeRequested: MediaHub._keyframe_requested,
    ToneReceived: MediaHub._tone_received,
    ToneSent: MediaHub._tone_sent,
    BitrateSuggested: MediaHub._bitrate_suggested,
}
"""What a connection hands to its hub."""
