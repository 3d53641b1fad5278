"""Tracks of encoded frames: what an application, a relay or a shared encoder gives to senders as it is.

    track = rtc.EncodedTrack("video", "video/H264")
    pc.add_track(track)
    track.write(rtc.OutgoingFrame(data, media_time=1.5, keyframe=True))
    async for _ in track.keyframe_requests(): ...           # make the next frame a key frame

Requests of any number of senders are merged: one is outstanding until a key frame is written, repeated once a second.

A reader that is too slow for video loses everything up to the next key frame, which is asked for, since pictures with
holes are of no use; a reader of audio loses the oldest. Both count. A reader of video that comes late begins with a
key frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from ..base import SYSTEM_ENTROPY, Entropy
from ..errors import InvalidStateError
from ..peer import Codec, MediaKind, OutgoingFrame
from .subscription import Broadcast, Subscription
from .tracks import MediaTrack

VIDEO_QUEUE = 64
"""Frames: two seconds at 30 a second, far beyond any hiccup of a loop."""
AUDIO_QUEUE = 100
"""Frames: two seconds of 20 ms ones."""
REPEAT_REQUEST = 1.0
"""Seconds after which a request for a key frame that brought none is passed on again."""

_CLOCK_RATES = {"audio/opus": 48_000}


class EncodedFrameLike(Protocol):
    """What a frame must have to be sent on: `EncodedFrame`, `EncodedChunk` and received frames have it."""

    @property
    def data(self) -> bytes: ...

    @property
    def media_time(self) -> float: ...

    @property
    def keyframe(self) -> bool: ...


def encoded_frame(frame: EncodedFrameLike) -> OutgoingFrame:
    """The same frame as one to be sent; what a received one says of loudness, capture and rotation goes along."""
    if isinstance(frame, OutgoingFrame):
        return frame
    return OutgoingFrame(
        frame.data,
        frame.media_time,
        frame.keyframe,
        duration=getattr(frame, "duration", None),
        capture_time=getattr(frame, "capture_time", None),
        audio_level=getattr(frame, "audio_level", None),
        rotation=getattr(frame, "rotation", None),
    )


def codec_of(codec: Codec | str) -> Codec:
    """A codec by its MIME type, with the clock rate that goes with it."""
    if isinstance(codec, Codec):
        return codec
    audio = codec.lower().startswith("audio/")
    rate = _CLOCK_RATES.get(codec.lower(), 8_000) if audio else 90_000
    return Codec(
        mime_type=codec, clock_rate=rate, channels=(2 if codec.lower() == "audio/opus" else 1) if audio else None
    )


E = TypeVar("E", bound=EncodedFrameLike)


class EncodedSubscription(Subscription[E]):
    """A queue of encoded frames that never holds a picture whose predecessors it has dropped."""

    __slots__ = ("_on_loss", "_started", "_video")

    def __init__(self, hub: Broadcast[E], limit: int, *, video: bool, on_loss: Callable[[], None]) -> None:
        super().__init__(hub, limit)
        self._video = video
        self._on_loss = on_loss
        self._started: set[str | None] = set()

    def accepts(self, item: E) -> bool:
        """False for a picture that builds on one that this reader has not seen; it is counted, a key frame wanted."""
        if not self._video:
            return True
        rid: str | None = getattr(item, "rid", None)
        if item.keyframe:
            self._started.add(rid)
        elif rid not in self._started:
            self.dropped += 1
            self._on_loss()  # a reader can come between a key frame and the notice that anything comes at all
            return False
        return True

    def lost(self, item: E) -> None:
        """`item` was accepted and could not be delivered: for video nothing is of use before the next key frame."""
        self.dropped += 1
        if self._video:
            self._started.discard(getattr(item, "rid", None))
            self._on_loss()

    def push(self, item: E) -> None:
        if not self._video:
            super().push(item)
        elif self.accepts(item):
            if len(self._items) >= self._limit:
                self.dropped += len(self._items)
                self._items.clear()
                self._started = {getattr(item, "rid", None)} if item.keyframe else set()
                if not item.keyframe:
                    self.dropped += 1
                    self._on_loss()
                    return
            self._items.append(item)
            self._wake()


class EncodedTrack(MediaTrack):
    """A track of frames that are encoded already, all by one codec."""

    def __init__(
        self,
        kind: MediaKind | str,
        codec: Codec | str,
        *,
        label: str = "",
        id: str = "",
        on_keyframe_request: Callable[[], None] | None = None,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> None:
        super().__init__(kind, label=label, id=id, entropy=entropy)
        self.codec = codec_of(codec)
        self._on_keyframe_request = on_keyframe_request
        self._broadcast = Broadcast[OutgoingFrame]()
        self._requests = Broadcast[None]()
        self._requested_at: float | None = None
        self.frames_written = 0
        self.keyframe_requests_made = 0
        self.keyframe_requests_merged = 0

    def write(self, frame: EncodedFrameLike) -> None:
        """Hands a frame to every consumer; never waits. While the track is disabled frames go nowhere.

        Errors: `InvalidStateError` once the track has ended.
        """
        if self.ended:
            raise InvalidStateError(f"the {self.kind} track has ended ({self.end_reason}); make a new one")
        self.frames_written += 1
        if frame.keyframe:
            self._requested_at = None
        if self.enabled:
            self._broadcast.put(encoded_frame(frame))

    def encoded_frames(self, *, limit: int | None = None) -> Subscription[OutgoingFrame]:
        """An own queue of frames from the next key frame on; ends when the track does."""
        video = self.kind is MediaKind.VIDEO

        def make(hub: Broadcast[OutgoingFrame], limit: int) -> Subscription[OutgoingFrame]:
            return EncodedSubscription(hub, limit, video=video, on_loss=self.request_keyframe)

        if limit is None:
            limit = VIDEO_QUEUE if video else AUDIO_QUEUE
        subscription = self._broadcast.subscribe(limit, make)
        self._consumers_changed()
        if video and not self.ended:
            self.request_keyframe()
        return subscription

    def forward_to(
        self, make: Callable[[Broadcast[OutgoingFrame], int], Subscription[OutgoingFrame]]
    ) -> Subscription[OutgoingFrame]:
        """Binds a consumer that has no queue; the caller keeps it, and closes it."""
        subscription = self._broadcast.subscribe(1, make)
        self._consumers_changed()
        if self.kind is MediaKind.VIDEO and not self.ended:
            self.request_keyframe()
        return subscription

    @property
    def consumers(self) -> int:
        return len(self._broadcast)

    def keyframe_requests(self) -> Subscription[None]:
        """Yields when the next frame should be a key frame; merged, and never missed by a late reader."""
        subscription = self._requests.subscribe(1)
        if self._requested_at is not None:
            subscription.push(None)
        return subscription

    def request_keyframe(self) -> None:
        """Asks the source for a key frame, unless one was asked for just now and has not come yet."""
        now = asyncio.get_running_loop().time()
        if self._requested_at is not None and now - self._requested_at < REPEAT_REQUEST:
            self.keyframe_requests_merged += 1
            return
        self._requested_at = now
        self.keyframe_requests_made += 1
        self._requests.put(None)
        if self._on_keyframe_request is not None:
            self._on_keyframe_request()

    def _consumers_changed(self) -> None:
        """Somebody reads who did not before."""

    def _enabled_changed(self) -> None:
        if self.enabled and self.kind is MediaKind.VIDEO and self.consumers:
            self.request_keyframe()

    def _finished(self) -> None:
        self._broadcast.end()
        self._requests.end()
