"""A sender: one track, or frames, or packets, going out in one section.

Three levels: a raw track is encoded (`sending.py`); an `EncodedTrack`, or frames given to `send_frame`, go out as they
are; `send_rtp` sends packets, with numbering, ids and extensions made right for this connection.

Spec: W3C webrtc-pc section 5.2 (RTCRtpSender). `send_frame`, `send_rtp` and `keyframe_requests` are ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InvalidAccessError, InvalidArgumentError, InvalidStateError, NotSupportedError, UsageError
from ..peer import (
    Codec,
    CodecParameters,
    MediaKind,
    OutgoingFrame,
    RtpCapabilities,
    TransceiverHandle,
    TransceiverView,
    capabilities,
)
from ..rtp import RtpPacket
from ..sdp import Direction
from .dtmf import DtmfSender
from .encoded_track import EncodedFrameLike, EncodedSubscription, EncodedTrack, codec_of, encoded_frame
from .engine import EncoderCounters
from .parameters import SendParameters, checked_encodings, extension_parameters, is_media, same_mime
from .sending import Sending
from .subscription import Broadcast, Subscription
from .timeline import MediaTimeline
from .tracks import MediaTrack, RawTrack

if TYPE_CHECKING:
    from ..peer import stats as w3c
    from .media import MediaHub


_SENDING = (Direction.SENDRECV, Direction.SENDONLY)


class KeyframeRequest(NamedTuple):
    """The peer cannot go on without a key frame of this layer; `rid` is None without simulcast."""

    rid: str | None


class _Forwarding(EncodedSubscription[OutgoingFrame]):
    """An encoded track's way into a sender: no queue and no task; what the sender refuses counts as dropped."""

    __slots__ = ("_codec", "_sender", "_track")

    def __init__(self, hub: Broadcast[OutgoingFrame], limit: int, *, sender: Sender, track: EncodedTrack) -> None:
        super().__init__(hub, limit, video=track.kind is MediaKind.VIDEO, on_loss=track.request_keyframe)
        self._sender = sender
        self._track = track
        self._codec = track.codec

    def push(self, item: OutgoingFrame) -> None:
        if self._track.codec is not self._codec:  # a relay whose source has changed its codec
            self._codec = self._track.codec
            self._sender._refresh()
        if not self.ended and self.accepts(item) and not self._sender._forward(item):
            self.lost(item)

    def end(self, error: Exception | None = None) -> None:
        if not self.ended:
            super().end(error)
            self._sender._refresh()


class Sender:
    """The sending half of a transceiver. `pc.add_track` and `pc.add_transceiver` make it."""

    def __init__(
        self, hub: MediaHub, handle: TransceiverHandle, kind: MediaKind, view: Callable[[], TransceiverView]
    ) -> None:
        self._hub = hub
        self._handle = handle
        self._view = view
        self.kind = kind
        self.dtmf: DtmfSender | None = DtmfSender(hub, handle, view) if kind is MediaKind.AUDIO else None
        """Telephone tones; None for video."""
        self._implementation: str | None = None
        self._track: MediaTrack | None = None
        self._streams: tuple[str, ...] = ()
        self._timeline = MediaTimeline()
        self._sending: Sending | None = None
        self._task: asyncio.Task[Any] | None = None
        self._forwarding: Subscription[OutgoingFrame] | None = None
        self._forwarded: EncodedTrack | None = None
        self._failed: tuple[MediaTrack, CodecParameters | None] | None = None
        self._told_ended: MediaTrack | None = None
        self._requests = Broadcast[KeyframeRequest]()
        self.stopped_reason = ""
        """Why nothing is sent although there is a track: it ended, or encoding it failed; else empty."""
        self.frames_dropped = 0
        """Frames that encoders had no time for, and encoded ones that could not be sent."""
        self.encoded: dict[str | None, EncoderCounters] = {}
        """What the encoders of each layer did before the present one."""

    def __repr__(self) -> str:
        reason = self.idle_reason
        return f"Sender({self.kind}, {self._track!r}{f', idle: {reason}' if reason else ''})"

    # --- what is sent -----------------------------------------------------------------------------------------------

    @property
    def track(self) -> MediaTrack | None:
        return self._track

    @property
    def streams(self) -> tuple[str, ...]:
        """The ids of the media streams that the peer is told the track belongs to."""
        return self._streams

    @property
    def idle_reason(self) -> str:
        """Why nothing can be sent at this moment, and what to do about it, in words; empty when it can."""
        if self.stopped_reason:
            return self.stopped_reason
        view = self._view()
        if view.stopped or view.stopping:
            return "the transceiver is stopped; add another one"
        if self._track is None:
            return "there is no track; give it one by replace_track or add_track, or send frames by send_frame"
        if view.direction not in _SENDING:
            return f"the transceiver's direction is {view.direction}; set it to sendrecv or sendonly, and negotiate"
        if view.current_direction is None:
            return "nothing is negotiated yet"
        if view.current_direction not in _SENDING:
            return f"the direction agreed on is {view.current_direction}; negotiate again, or the peer wants nothing"
        return "" if self._hub.may_send(view) else "the connection does not stand (yet)"

    async def replace_track(self, track: MediaTrack | None) -> None:
        """Sends another track, or nothing, from now on, without negotiation.

        Errors: `InvalidArgumentError` for a track of the other kind; `InvalidStateError` for a stopped transceiver;
        `InvalidAccessError` for an encoded track whose codec was not negotiated.
        """
        if track is not None:
            check_kind(track, self.kind)
            plan = self._view().plan
            if isinstance(track, EncodedTrack) and plan is not None and plan.send_codecs:
                self._codec_for(track)
        self._hub.require_live(self._view())
        self._hub.core.update_sender(self._handle, self._hub.now(), has_track=track is not None)
        self._set_track(track)
        self._hub.wake()

    def set_streams(self, *streams: str) -> None:
        """Tells the peer that the track belongs to these media streams; asks for negotiation."""
        self._hub.require_live(self._view())
        self._hub.core.set_streams(self._handle, streams, self._hub.now())
        self._streams = tuple(streams)
        self._hub.wake()

    def send_frame(self, frame: EncodedFrameLike, *, rid: str | None = None) -> bool:
        """Sends one encoded frame as it is. False: it was not taken (no connection yet, not the direction, paused,
        or the queue is full); the next one should be a key frame then.

        Errors: `UsageError` kinds for a frame that can never be sent: codec not negotiated, unknown layer.
        """
        if self._view().plan is None:
            return False
        return self._send_encoded(encoded_frame(frame), rid)

    def send_rtp(
        self, packets: Sequence[RtpPacket], *, rid: str | None = None, codec: Codec | str | None = None
    ) -> int:
        """Sends RTP packets of any source: their gaps survive, and a new source goes on where the last one was.
        `codec`, or its MIME type, says what they carry, whatever payload type their source has chosen; without it
        their payload types must have been negotiated. Returns: how many were taken; none before there is a connection.

        Errors: `InvalidAccessError` for an unknown layer.
        """
        if self._view().plan is None:
            return 0
        chosen = None if codec is None else codec_of(codec)
        taken = self._hub.core.send_packets(self._handle, packets, self._hub.now(), rid=rid, codec=chosen)
        self._hub.wake()
        return taken

    def keyframe_requests(self) -> Subscription[KeyframeRequest]:
        """The peer's requests for key frames, merged and rate-limited; of interest to who sends encoded frames."""
        return self._requests.subscribe(8)

    # --- parameters -------------------------------------------------------------------------------------------------

    @staticmethod
    def get_capabilities(kind: MediaKind | str) -> RtpCapabilities:
        """What this stack can send of a kind."""
        return capabilities(kind)

    def get_parameters(self) -> SendParameters:
        """The encodings, and what was negotiated so far."""
        view = self._view()
        plan = view.plan
        if plan is None:
            return SendParameters(encodings=view.encodings)
        return SendParameters(
            codecs=plan.send_codecs,
            header_extensions=extension_parameters(plan.send_extensions),
            cname=plan.cname,
            reduced_size=plan.reduced_size,
            encodings=view.encodings,
        )

    async def set_parameters(self, parameters: SendParameters) -> None:
        """Changes the encodings: `active`, `max_bitrate`, `max_framerate`, `scale_resolution_down_by`.

        Errors: `InvalidArgumentError` when number, order or rids differ, or a value is out of range.
        """
        self._hub.require_live(self._view())
        before = self._view().encodings
        if [one.rid for one in parameters.encodings] != [one.rid for one in before]:
            raise InvalidArgumentError("encodings keep their number, order and rids; begin with get_parameters()")
        encodings = checked_encodings(self.kind, parameters.encodings)
        self._hub.core.set_encodings(self._handle, encodings, self._hub.now())
        self._refresh()
        self._hub.wake()

    async def get_stats(self) -> w3c.StatsReport:
        """The statistics of what this sender sends, and of all that belongs to it."""
        return self._hub.selected_stats(self)

    @property
    def encoder_implementation(self) -> str | None:
        """FFmpeg's name of the encoder to use (`h264_vaapi`); None: the engine's preference. For raw tracks."""
        return self._implementation

    @encoder_implementation.setter
    def encoder_implementation(self, name: str | None) -> None:
        self._implementation = name
        if self._sending is not None:
            self._sending.implementation = name

    # --- called by the connection -----------------------------------------------------------------------------------

    def _set_track(self, track: MediaTrack | None, streams: tuple[str, ...] | None = None) -> None:
        self._track = track
        self._failed = self._told_ended = None
        self.stopped_reason = ""
        if streams is not None:
            self._streams = streams
        if track is not None:
            track.on_end(self._on_track_end)
        self._refresh()

    def _on_track_end(self, track: MediaTrack) -> None:
        if track is self._track:
            self._refresh()

    def _codec_for(self, track: MediaTrack) -> CodecParameters:
        """The negotiated codec that `track` goes out by. Errors: `InvalidAccessError`, `NotSupportedError`."""
        plan = self._view().plan
        codecs = [] if plan is None else [codec for codec in plan.send_codecs if is_media(codec.codec)]
        names = ", ".join(dict.fromkeys(codec.codec.mime_type for codec in codecs)) or "none"
        if isinstance(track, EncodedTrack):
            for codec in codecs:
                if same_mime(codec.codec.mime_type, track.codec.mime_type):
                    return codec
            raise InvalidAccessError(
                f"the track is {track.codec.mime_type}, negotiated are {names}; set_codec_preferences and negotiate"
            )
        for codec in codecs:
            if self._hub.engine.can_encode(codec.codec.mime_type):
                return codec
        raise NotSupportedError(f"the media engine encodes none of the negotiated codecs ({names})")

    def _refresh(self) -> None:
        """Brings what goes out in line with track, direction, codec and encodings. May be said at any time."""
        track = self._track
        view = self._view()
        plan = view.plan
        if track is not None and track.ended and self._told_ended is not track:
            self._told_ended = track
            self._stopped(track, track.end_reason, None)
        if track is None or track.ended or plan is None or not self._hub.may_send(view) or not plan.send_codecs:
            self._stop()
            return
        try:
            codec = self._codec_for(track)
        except (UsageError, NotSupportedError) as error:
            self._fail(track, None, error)
            return
        if self._failed == (track, codec):
            return
        self._failed = None
        self.stopped_reason = ""
        if isinstance(track, EncodedTrack):
            self._start_forwarding(track)
            return
        if not isinstance(track, RawTrack):
            self._fail(track, codec, InvalidArgumentError(f"a {type(track).__name__} gives no frames"))
            return
        if self._sending is None or self._sending.track is not track:
            self._stop()
            self._sending = Sending(self._hub, track, self._timeline, self._send_encoded, self.encoded)
            self._task = self._hub.tasks.start(self._run(self._sending), name=f"encode {self.kind}")
        self._sending.implementation = self._implementation
        rids = plan.send_rids
        encodings = list(enumerate(view.encodings))
        chosen = [(n, one) for n, one in encodings if one.rid in rids] if rids else encodings[:1]
        self._sending.configure(codec, chosen, plan.max_bitrate)

    def _start_forwarding(self, track: EncodedTrack) -> None:
        if self._forwarded is track:
            return
        self._stop()

        def make(hub: Broadcast[OutgoingFrame], limit: int) -> Subscription[OutgoingFrame]:
            return _Forwarding(hub, limit, sender=self, track=track)

        self._forwarded = track
        self._forwarding = track.forward_to(make)

    def _stop(self) -> None:
        task, self._task = self._task, None
        if self._sending is not None:
            self.frames_dropped += self._sending.dropped
        self._sending = None
        if task is not None:
            task.cancel()
        forwarding, self._forwarding, self._forwarded = self._forwarding, None, None
        if forwarding is not None:
            self.frames_dropped += forwarding.dropped
            forwarding.close()

    async def _run(self, sending: Sending) -> None:
        try:
            await sending.run()
        except Exception as error:
            self._fail(sending.track, sending.codec, error)

    def _fail(self, track: MediaTrack, codec: CodecParameters | None, error: Exception) -> None:
        """Encoding is not possible: told once, and tried again only with another track or codec."""
        if self._track is not track or self._failed == (track, codec):
            return
        self._stop()
        self._failed = (track, codec)
        self._stopped(track, f"{type(error).__name__}: {error}", error)

    def _stopped(self, track: MediaTrack, reason: str, error: Exception | None) -> None:
        self.stopped_reason = reason
        self._hub.sending_stopped(self, track, reason, error)

    def _send_encoded(self, frame: OutgoingFrame, rid: str | None) -> bool:
        sent = self._hub.core.send_frame(self._handle, frame, self._hub.now(), rid=rid)
        self._hub.wake()
        return sent

    def _forward(self, frame: OutgoingFrame) -> bool:
        track = self._forwarded
        if track is None:
            return False
        now = self._hub.now()
        moved = frame._replace(
            media_time=self._timeline.map(track, frame.media_time, now), codec=frame.codec or track.codec.mime_type
        )
        try:
            return self._send_encoded(moved, None)
        except InvalidStateError:
            return False
        except UsageError as error:
            self._fail(track, self._codec_for(track), error)
            return False

    def _keyframe_requested(self, rid: str | None) -> None:
        self._requests.put(KeyframeRequest(rid))
        if self._sending is not None:
            self._sending.request_keyframe(rid)
        elif self._forwarded is not None:
            self._forwarded.request_keyframe()

    def _suggest_bitrate(self, bps: int) -> None:
        if self._sending is not None:
            self._sending.suggest(bps)

    def _finish(self) -> None:
        self._stop()
        self._track = None
        self._requests.end()
        if self.dtmf is not None:
            self.dtmf._finish()


def check_kind(track: MediaTrack, kind: MediaKind) -> None:
    if not isinstance(track, MediaTrack):
        raise InvalidArgumentError(f"a track is wanted, got {type(track).__name__}")
    if track.kind is not kind:
        raise InvalidArgumentError(f"the transceiver is for {kind}, the track is {track.kind}")
