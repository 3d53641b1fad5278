"""The media half of a peer's commands: transceivers above, the media session below.

The transceivers themselves are values in the negotiation state; what is here changes them as W3C says, hands the
session each plan, and tells by events what became of them.

Spec: W3C webrtc-pc sections 5.1 (addTrack, removeTrack, addTransceiver), 5.2 to 5.4 (sender, receiver, transceiver).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..base import Instant, MachineBase
from ..errors import InvalidStateError
from ..rtp import RtpPacket
from ..sdp import Direction
from . import negotiation
from .events import TrackAdded, TrackRemoved, TransceiverAdded, TransceiverChanged, TransceiverRemoved
from .media import MediaSession, OutgoingFrame
from .negotiation import Plan, RtpPlan, Transceiver
from .parameters import Codec, Encoding, HeaderExtension, MediaKind, TransceiverHandle

MAX_TRANSCEIVERS = 256
"""As many as a media session serves. An offer of the peer that would make more is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransceiverView:
    """A transceiver at one moment. `plan` is what was agreed for its section; None while nothing is."""

    handle: TransceiverHandle
    kind: MediaKind
    mid: str | None
    direction: Direction
    current_direction: Direction | None
    stopping: bool
    stopped: bool
    track_id: str
    stream_ids: tuple[str, ...]
    encodings: tuple[Encoding, ...]
    plan: RtpPlan | None


class Calls(MachineBase[Any]):
    """What `PeerCore` can do with audio and video. Every command raises before it changes anything."""

    _state: negotiation.NegotiationState
    _plan: Plan | None

    def __init__(self) -> None:
        super().__init__()
        self._configured: set[TransceiverHandle] = set()
        """Sections that the session serves."""
        self._delivery: dict[TransceiverHandle, tuple[bool, bool, bool]] = {}
        """Packets, frames, playout: what was asked for, also before there was a section."""

    @property
    @abstractmethod
    def media(self) -> MediaSession:
        """The session below: SRTP, streams, RTCP."""

    @abstractmethod
    def _check_open(self) -> None: ...

    @abstractmethod
    def _check_negotiation(self, now: Instant) -> None: ...

    # --- looking ----------------------------------------------------------------------------------------------------

    def transceivers(self) -> tuple[TransceiverView, ...]:
        """All of them in the order they were made, stopped ones too until negotiation has removed them."""
        plans = self._rtp_plans()
        return tuple(_view(one, plans.get(one.handle)) for one in self._state.transceivers)

    def transceiver(self, handle: TransceiverHandle) -> TransceiverView:
        """One of them. Errors: `InvalidAccessError` for a handle that names none (any more)."""
        return _view(self._find(handle), self._rtp_plans().get(handle))

    def _rtp_plans(self) -> dict[TransceiverHandle, RtpPlan]:
        if self._plan is None:
            return {}
        return {
            media.transceiver: media.rtp
            for media in self._plan.media
            if media.transceiver is not None and media.rtp is not None
        }

    def _find(self, handle: TransceiverHandle) -> Transceiver:
        return negotiation.transceiver(self._state, handle)

    # --- transceivers -----------------------------------------------------------------------------------------------

    def add_transceiver(
        self,
        kind: MediaKind,
        now: Instant,
        *,
        direction: Direction = Direction.SENDRECV,
        stream_ids: Sequence[str] = (),
        track_id: str = "",
        has_track: bool = False,
        encodings: Sequence[Encoding] = (Encoding(),),
    ) -> TransceiverHandle:
        """Adds a section's worth of sending and receiving; the next offer has it. Errors: `UsageError` kinds."""
        now = self._advance(now)
        self._check_open()
        self._check_room()
        handle = TransceiverHandle(self._state.next_handle)
        self._state = negotiation.add_transceiver(
            self._state,
            kind,
            handle=handle,
            direction=direction,
            stream_ids=tuple(stream_ids),
            track_id=track_id,
            has_track=has_track,
            encodings=tuple(encodings),
        )
        self._emit(TransceiverAdded(handle, MediaKind(kind)))
        self._check_negotiation(now)
        return handle

    def _check_room(self) -> None:
        if len(self._state.transceivers) >= MAX_TRANSCEIVERS:
            raise InvalidStateError(f"a peer has at most {MAX_TRANSCEIVERS} transceivers; stop some of them")

    def add_track(
        self, kind: MediaKind, now: Instant, *, track_id: str, stream_ids: Sequence[str] = ()
    ) -> TransceiverHandle:
        """Finds a transceiver that may send the track, or makes one. Spec: W3C webrtc-pc section 5.1, addTrack."""
        now = self._advance(now)
        self._check_open()
        before = {one.handle for one in self._state.transceivers}
        self._check_room()
        self._state, handle = negotiation.add_track(self._state, kind, track_id=track_id, stream_ids=tuple(stream_ids))
        if handle in before:
            self._emit(TransceiverChanged(handle))
        else:
            self._emit(TransceiverAdded(handle, MediaKind(kind)))
        self._check_negotiation(now)
        return handle

    def remove_track(self, handle: TransceiverHandle, now: Instant) -> None:
        """Stops sending; the section stays. Spec: W3C webrtc-pc section 5.1, removeTrack. Idempotent."""
        now = self._advance(now)
        self._check_open()
        self._state = negotiation.remove_track(self._state, handle)
        self._check_negotiation(now)

    def set_direction(self, handle: TransceiverHandle, direction: Direction, now: Instant) -> None:
        """What we want from the next negotiation on. Errors: `InvalidStateError` once stopped."""
        now = self._advance(now)
        self._check_open()
        self._change(handle, now, direction=Direction(direction))

    def set_streams(self, handle: TransceiverHandle, stream_ids: Sequence[str], now: Instant) -> None:
        """The stream ids that the peer's track event shows, from the next negotiation on."""
        now = self._advance(now)
        self._check_open()
        self._change(handle, now, stream_ids=tuple(stream_ids))

    def set_codec_preferences(self, handle: TransceiverHandle, codecs: Sequence[Codec], now: Instant) -> None:
        """Which codecs are offered or answered, best first; none restores the default.

        Errors: `InvalidArgumentError` for a codec that `capabilities` does not name, or no media codec at all.
        """
        now = self._advance(now)
        self._check_open()
        self._change(handle, now, codec_preferences=tuple(codecs))

    def set_header_extensions(
        self, handle: TransceiverHandle, extensions: Sequence[HeaderExtension], now: Instant
    ) -> None:
        """Which header extensions are offered or answered."""
        now = self._advance(now)
        self._check_open()
        self._change(handle, now, header_extensions=tuple(extensions))

    def update_sender(self, handle: TransceiverHandle, now: Instant, **facts: Any) -> None:
        """What a replaced track changes without a negotiation: `has_track`, `track_id`. Errors: `InvalidStateError`."""
        now = self._advance(now)
        self._check_open()
        self._change(handle, now, **facts)

    def set_encodings(self, handle: TransceiverHandle, encodings: Sequence[Encoding], now: Instant) -> None:
        """Changes the parameters of the encodings; their number and rids stay. Errors: `UsageError` kinds."""
        now = self._advance(now)
        self._check_open()
        self._state = negotiation.update_transceiver(self._state, handle, encodings=tuple(encodings))
        if handle in self._configured:
            self.media.set_encodings(handle, tuple(encodings), now)

    def stop_transceiver(self, handle: TransceiverHandle, now: Instant) -> None:
        """Ends it for good: sending ends now, the section with the next negotiation. Idempotent."""
        now = self._advance(now)
        self._check_open()
        one = self._find(handle)
        if one.stopping or one.stopped:
            return
        self._state = negotiation.stop_transceiver(self._state, handle)
        self._configure_media(now)
        self._emit(TransceiverChanged(handle))
        self._check_negotiation(now)

    def _change(self, handle: TransceiverHandle, now: Instant, **changes: Any) -> None:
        self._state = negotiation.update_transceiver(self._state, handle, **changes)
        self._check_negotiation(now)

    # --- plans ------------------------------------------------------------------------------------------------------

    def _configure_media(self, now: Instant) -> None:
        """Tells the session the whole truth: every section that is in use."""
        plan = self._plan
        if plan is None:
            return
        living = {one.handle for one in self._state.transceivers if not (one.stopping or one.stopped)}
        served = [
            media for media in plan.media if media.alive and media.transceiver in living and media.rtp is not None
        ]
        self.media.configure(served, now)
        before = self._configured
        self._configured = {one.transceiver for one in served if one.transceiver is not None}
        self._delivery = {handle: forms for handle, forms in self._delivery.items() if handle in living}
        for handle in self._configured - before:
            if handle in self._delivery:
                packets, frames, playout = self._delivery[handle]
                self.media.set_delivery(handle, now, packets=packets, frames=frames, playout=playout)

    def _tell_transceivers(
        self, before: tuple[Transceiver, ...], agreed: dict[TransceiverHandle, RtpPlan], plan: Plan
    ) -> None:
        """Events for what a description, or a rollback, did to the transceivers and their tracks."""
        known = {one.handle: one for one in before}
        present = {one.handle: one for one in self._state.transceivers}
        for handle, one in present.items():
            if handle not in known:
                self._emit(TransceiverAdded(handle, one.kind))
        for change in plan.tracks:
            if change.added:
                self._emit(TrackAdded(change.transceiver, change.track_id, change.stream_ids))
            else:
                self._emit(TrackRemoved(change.transceiver))
        agreed_now = self._rtp_plans()
        for handle, one in present.items():
            if handle not in known or one != known[handle] or agreed_now.get(handle) != agreed.get(handle):
                self._emit(TransceiverChanged(handle))
        for handle in known:
            if handle not in present:
                self._emit(TransceiverRemoved(handle))

    def _is_served(self, handle: TransceiverHandle) -> bool:
        """False for a transceiver that is not negotiated yet, or stopped: senders race with negotiation.

        Errors: `InvalidAccessError` for a handle that never was one.
        """
        if handle in self._configured:
            return True
        if not 0 <= handle < self._state.next_handle:
            self._find(handle)
        return False

    # --- media ------------------------------------------------------------------------------------------------------

    def send_frame(self, handle: TransceiverHandle, frame: OutgoingFrame, now: Instant, rid: str | None = None) -> bool:
        """Sends one encoded frame. Returns: False where it was dropped, because nothing may be sent now."""
        now = self._advance(now)
        return self._is_served(handle) and self.media.send_frame(handle, frame, now, rid)

    def send_packets(
        self,
        handle: TransceiverHandle,
        packets: Sequence[RtpPacket],
        now: Instant,
        rid: str | None = None,
        *,
        codec: Codec | None = None,
    ) -> int:
        """Sends RTP packets of the application's own making; SSRC, numbers and extensions are made to fit.

        With `codec` the payload type becomes what that codec has here; without it the packets' own must have been
        negotiated. Returns: how many were taken.
        """
        now = self._advance(now)
        return self.media.send_packets(handle, packets, now, rid, codec=codec) if self._is_served(handle) else 0

    def request_keyframe(self, handle: TransceiverHandle, now: Instant, rid: str | None = None) -> None:
        """Asks the peer for a key frame, once a round trip at most; where nothing comes there is nothing to ask."""
        now = self._advance(now)
        if self._is_served(handle):
            self.media.request_keyframe(handle, now, rid)

    def insert_dtmf(
        self, handle: TransceiverHandle, tones: str, now: Instant, *, duration: float = 0.1, gap: float = 0.07
    ) -> None:
        """Replaces the tones that wait to be sent. Errors: `InvalidStateError` where none can be sent."""
        now = self._advance(now)
        if not self._is_served(handle):
            raise InvalidStateError("nothing is negotiated for this transceiver, so no tone can be sent yet")
        self.media.insert_dtmf(handle, tones, now, duration=duration, gap=gap)

    def cancel_dtmf(self, handle: TransceiverHandle, now: Instant) -> None:
        """Forgets the tones that wait; the one being sent ends."""
        now = self._advance(now)
        if self._is_served(handle):
            self.media.cancel_dtmf(handle, now)

    def set_delivery(
        self,
        handle: TransceiverHandle,
        now: Instant,
        *,
        packets: bool = False,
        frames: bool = False,
        playout: bool = False,
    ) -> None:
        """In which forms what is received comes up, also of a section that is still to be negotiated."""
        now = self._advance(now)
        self._find(handle)
        self._delivery[handle] = (packets, frames, playout)
        if handle in self._configured:
            self.media.set_delivery(handle, now, packets=packets, frames=frames, playout=playout)


def _view(one: Transceiver, plan: RtpPlan | None) -> TransceiverView:
    return TransceiverView(
        handle=one.handle,
        kind=one.kind,
        mid=one.mid,
        direction=one.direction,
        current_direction=one.current_direction,
        stopping=one.stopping,
        stopped=one.stopped,
        track_id=one.track_id,
        stream_ids=one.stream_ids,
        encodings=one.encodings,
        plan=plan,
    )
