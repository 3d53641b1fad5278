"""A receiver: what the peer sends in one section, at three levels.

    async for frame in receiver.track.frames(): ...          # decoded (extra `media`)
    async for frame in receiver.encoded_frames(): ...        # encoded, with their facts
    async for packet in receiver.rtp_packets(): ...          # RTP, retransmissions unwrapped

Every reader has an own bounded queue. A slow reader of encoded video loses all up to the next key frame, which is asked
for; one of audio or packets loses the oldest; `dropped` counts. What nobody reads is not worked on.

While a track is read by `playout`, all frames of its section come at the jitter buffer's time.

Spec: W3C webrtc-pc section 5.3 (RTCRtpReceiver). `encoded_frames`, `rtp_packets`, `relay`, `dtmf` are ours. Left out:
contributing sources, `jitterBufferTarget`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..base import Instant
from ..peer import Codec, MediaKind, ReceivedFrame, RtpCapabilities, TransceiverHandle, TransceiverView, capabilities
from ..rtp import RtpPacket
from .dtmf import UNREAD_TONES, DtmfTone
from .encoded_track import AUDIO_QUEUE, VIDEO_QUEUE, EncodedTrack
from .parameters import ReceiveParameters, extension_parameters, is_media
from .relay import Relay
from .remote_track import RemoteTrack, frame_queue
from .subscription import Broadcast, Subscription

if TYPE_CHECKING:
    from ..peer import stats as w3c
    from .media import MediaHub

LAYER_SILENCE = 1.0
"""Seconds after which another layer is decoded, if none was chosen: the sender has switched this one off."""
PACKET_QUEUE = 1024
"""RTP packets: a second at 10 Mbit/s."""


class Receiver:
    """The receiving half of a transceiver."""

    def __init__(
        self,
        hub: MediaHub,
        handle: TransceiverHandle,
        kind: MediaKind,
        view: Callable[[], TransceiverView],
        track_id: str,
    ) -> None:
        self._hub = hub
        self._handle = handle
        self._view = view
        self.kind = kind
        self._decoded_rid: str | None = None
        self._layer: str | None = None
        self._layer_heard_at: Instant = 0.0
        self._playout_wanted = kind is MediaKind.AUDIO
        self._frames: dict[str | None, Broadcast[ReceivedFrame]] = {}
        self._packets: dict[str | None, Broadcast[RtpPacket]] = {}
        self._to_decode = Broadcast[ReceivedFrame]()
        self._tones = Broadcast[DtmfTone]()
        self._relays: dict[str | None, Relay] = {}
        self._delivery = (False, False, False)
        self._first_rid: str | None = None
        self.streams: tuple[str, ...] = ()
        """The ids of the media streams that the peer says the track belongs to."""
        self.announced = False
        """Whether the peer has ever said that it sends a track here."""
        self.track = RemoteTrack(self, track_id)

    def __repr__(self) -> str:
        return f"Receiver({self.kind}, {self.track!r})"

    # --- reading ----------------------------------------------------------------------------------------------------

    def encoded_frames(self, rid: str | None = None, *, limit: int | None = None) -> Subscription[ReceivedFrame]:
        """Whole frames as they are complete, of one layer, or of all; video begins with a key frame."""
        if limit is None:
            limit = VIDEO_QUEUE if self.kind is MediaKind.VIDEO else AUDIO_QUEUE
        hub = self._frames.setdefault(rid, Broadcast())
        subscription = hub.subscribe(limit, lambda hub, limit: frame_queue(hub, limit, self, lambda: rid))
        self._end_if_over(subscription)
        self._review()
        self._want_keyframe(rid)
        return subscription

    def rtp_packets(self, rid: str | None = None, *, limit: int = PACKET_QUEUE) -> Subscription[RtpPacket]:
        """RTP packets in the order of their arrival, of one layer, or of all; begins with a key frame of video soon."""
        subscription = self._packets.setdefault(rid, Broadcast()).subscribe(limit)
        self._end_if_over(subscription)
        self._review()
        self._want_keyframe(rid)
        return subscription

    def relay(self, rid: str | None = None) -> EncodedTrack:
        """A track that forwards what comes, as it is, to any number of senders; their key frame requests are merged.

        The same track for every call with this layer. Without a layer, of a simulcast the first that comes.
        """
        relay = self._relays.get(rid)
        if relay is None:
            relay = self._relays[rid] = Relay(self, rid)
            if self.track.ended:
                relay.track.end(self.track.end_reason)
        return relay.track

    def dtmf(self) -> Subscription[DtmfTone]:
        """The keys that the peer presses, each when it is released."""
        subscription = self._tones.subscribe(UNREAD_TONES)
        self._end_if_over(subscription)
        return subscription

    def request_keyframe(self, rid: str | None = None) -> None:
        """Asks the peer for a key frame; requests are merged and rate-limited below. Nothing for audio."""
        if self.kind is MediaKind.VIDEO and self._hub.may_receive(self._view()):
            self._hub.core.request_keyframe(self._handle, self._hub.now(), rid=rid)
            self._hub.wake()

    @property
    def decoded_rid(self) -> str | None:
        """Of a simulcast, the layer that `track.frames()` decodes; None: the first that comes, another when that one
        falls silent. A change takes effect with the new layer's next key frame, which is asked for."""
        return self._decoded_rid

    @decoded_rid.setter
    def decoded_rid(self, rid: str | None) -> None:
        self._decoded_rid = rid
        if self.track.consumers and rid is not None and rid != self._layer:
            self._want_keyframe(rid)

    @property
    def playout(self) -> bool:
        """Whether what `track.frames()` decodes comes at the jitter buffer's time: sound by default, pictures not. With
        both, tracks of one stream keep in step (lip sync); without, frames come as soon as they are whole, and what is
        lost is not concealed."""
        return self._playout_wanted

    @playout.setter
    def playout(self, value: bool) -> None:
        self._playout_wanted = bool(value)
        self._review()

    @property
    def rids(self) -> tuple[str, ...]:
        """The simulcast layers that the peer may send; empty without simulcast."""
        plan = self._view().plan
        return () if plan is None else plan.receive_rids

    # --- parameters -------------------------------------------------------------------------------------------------

    @staticmethod
    def get_capabilities(kind: MediaKind | str) -> RtpCapabilities:
        """What this stack can receive of a kind."""
        return capabilities(kind)

    def get_parameters(self) -> ReceiveParameters:
        """What was negotiated so far."""
        plan = self._view().plan
        if plan is None:
            return ReceiveParameters()
        return ReceiveParameters(
            codecs=plan.receive_codecs,
            header_extensions=extension_parameters(plan.receive_extensions),
            cname=next((source.cname for source in plan.remote_sources if source.cname), ""),
            reduced_size=plan.reduced_size,
            rids=plan.receive_rids,
        )

    async def get_stats(self) -> w3c.StatsReport:
        """The statistics of what this receiver receives, and of all that belongs to it."""
        return self._hub.selected_stats(self)

    # --- called by the connection and the track -----------------------------------------------------------------------

    def _frames_to_decode(self, limit: int) -> Subscription[ReceivedFrame]:
        """What the decoder reads: of audio also the marks of what was lost; of video from a key frame on."""

        if self._decoded_rid is not None:
            self._layer = self._decoded_rid

        def make(hub: Broadcast[ReceivedFrame], limit: int) -> Subscription[ReceivedFrame]:
            return frame_queue(hub, limit, self, lambda: self._layer)

        subscription = self._to_decode.subscribe(limit, make)
        self._want_keyframe(self._layer)
        self._end_if_over(subscription)
        self._review()
        return subscription

    def _want_keyframe(self, rid: str | None) -> None:
        if not self.track.muted:
            self.request_keyframe(rid)

    def _end_if_over(self, subscription: Subscription[Any]) -> None:
        if self.track.ended:
            subscription.end()

    def _review(self) -> None:
        """Tells the core what is read, so that it does no more than that. Cheap when nothing changed."""
        decodes = self.track.consumers > 0 or len(self._to_decode) > 0
        playout = decodes and self._playout_wanted
        wanted = (
            any(len(hub) for hub in self._packets.values()),
            (decodes and not playout)
            or any(len(hub) for hub in self._frames.values())
            or any(relay.track.consumers for relay in self._relays.values()),
            playout,
        )
        if wanted != self._delivery and not self._hub.closed:
            self._delivery = wanted
            packets, frames, playout = wanted
            self._hub.core.set_delivery(self._handle, self._hub.now(), packets=packets, frames=frames, playout=playout)
            self._hub.wake()

    def _on_frames(self, rid: str | None, frames: list[ReceivedFrame]) -> None:
        if self._first_rid is None:
            self._first_rid = rid
        for frame in self._of_the_layer(rid, frames):
            self._to_decode.put(frame)
        if self.kind is MediaKind.AUDIO:
            frames = [frame for frame in frames if not frame.lost]
        for key in (None,) if rid is None else (None, rid):
            hub = self._frames.get(key)
            if hub is not None:
                for frame in frames:
                    hub.put(frame)
            relay = self._relays.get(key)
            if relay is not None and (key == rid or rid == self._first_rid):
                relay.forward(frames)
        self._review()

    def _on_packets(self, rid: str | None, packets: list[RtpPacket]) -> None:
        for key in (None,) if rid is None else (None, rid):
            hub = self._packets.get(key)
            if hub is not None:
                for packet in packets:
                    hub.put(packet)
        self._review()

    def _on_tone(self, digit: str, duration: float) -> None:
        self._tones.put(DtmfTone(digit, duration))

    @property
    def _decoding_rid(self) -> str | None:
        return self._layer

    def _of_the_layer(self, rid: str | None, frames: list[ReceivedFrame]) -> list[ReceivedFrame]:
        """Those for the decoder. Another layer takes over with a key frame; until then the old one goes on."""
        now = self._hub.now()
        if rid == self._layer:
            self._layer_heard_at = now
            return frames
        if self._decoded_rid is None:
            wanted = self._layer is None or now - self._layer_heard_at > LAYER_SILENCE
        else:
            wanted = rid == self._decoded_rid
        for number, frame in enumerate(frames):
            if wanted and frame.keyframe:
                self._layer, self._layer_heard_at = rid, now
                return frames[number:]
        if wanted and len(self._to_decode):
            self._want_keyframe(rid)
        return []

    def _codec(self) -> Codec | None:
        """What will probably come: the first codec that was negotiated."""
        plan = self._view().plan
        codecs = () if plan is None else plan.receive_codecs
        return next((codec.codec for codec in codecs if is_media(codec.codec)), None)

    def _end(self, reason: str) -> None:
        """The transceiver was stopped or the connection is over."""
        self.track.end(reason)
        hubs: list[Broadcast[Any]] = [*self._frames.values(), *self._packets.values(), self._to_decode, self._tones]
        for hub in hubs:
            hub.end()
        for relay in self._relays.values():
            relay.track.end(reason)
