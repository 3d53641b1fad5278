"""Media tracks: sources of frames that senders send and applications read.

    track = rtc.VideoTrack(label="made in Python")
    track.write(av_frame)                            # whoever produces
    async for frame in track.frames(): ...           # whoever consumes, each with its own bounded queue

Three kinds are written locally: `VideoTrack` and `AudioTrack` carry raw frames, `EncodedTrack` (its own file) carries
encoded ones. Everything runs on the event loop's thread; a device with a thread of its own hands frames over by
`loop.call_soon_threadsafe(track.write, frame)`.

A disabled track shows black (one frame a second) or plays silence, to every consumer. A video consumer that is slow
sees the newest frames, an audio consumer the newest second; both count what they lost in `dropped`.

Spec: W3C mediacapture-streams section 4.3.1 (MediaStreamTrack). Left out: `clone`, constraints on live tracks.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..base import SYSTEM_ENTROPY, Entropy
from ..errors import InvalidStateError
from ..peer import MediaKind
from ..peer.stats import SoundMeter
from .engine import load_engine, media_time_of
from .levels import peak_of
from .observable import Observable
from .subscription import Broadcast, Subscription

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
else:
    AudioFrame = VideoFrame = Any

F = TypeVar("F")

VIDEO_QUEUE = 2
"""Frames: one for the jitter of the loop; an older picture is of no use to anybody who is late."""
AUDIO_QUEUE = 50
"""Frames: a second of 20 ms ones. Sound that is later than that disturbs more than a gap."""
BLACK_INTERVAL = 1.0
"""Seconds of media between two black frames of a disabled video track."""


def new_id(entropy: Entropy = SYSTEM_ENTROPY) -> str:
    """A UUID of version 4, as browsers name tracks and streams."""
    raw = bytearray(entropy.bytes(16))
    raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


_QUEUES = {MediaKind.VIDEO: VIDEO_QUEUE, MediaKind.AUDIO: AUDIO_QUEUE}


class TrackState(StrEnum):
    LIVE = "live"
    ENDED = "ended"


class MediaTrack:
    """What every track has: an identity, and a life that ends once."""

    def __init__(self, kind: MediaKind | str, *, label: str = "", id: str = "", entropy: Entropy = SYSTEM_ENTROPY):
        self.kind = MediaKind(kind)
        self.id = id or new_id(entropy)
        self.label = label
        self.ready_state: Observable[TrackState] = Observable(
            TrackState.LIVE, name=f"{kind} track {label or self.id!r}"
        )
        self.mute_state: Observable[bool] = Observable(False, name=f"muted state of {kind} track")
        """Whether the source gives nothing for now; `.value`, `.changes()`, `.wait_for()`."""
        self._enabled = True
        self._on_end: list[Callable[[MediaTrack], None]] = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.label or self.id!r}, {self.ready_state.value})"

    @property
    def enabled(self) -> bool:
        """False: the application wants nothing to be seen or heard for now."""
        return self._enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        if value != self._enabled:
            self._enabled = bool(value)
            self._enabled_changed()

    @property
    def muted(self) -> bool:
        return self.mute_state.value

    @property
    def ended(self) -> bool:
        return self.ready_state.value is TrackState.ENDED

    @property
    def end_reason(self) -> str:
        """Why the track ended, in words; empty while it lives."""
        return self.ready_state.reason

    def stop(self) -> None:
        """The application wants no more of it. Idempotent."""
        self.end("stopped")

    def end(self, reason: str) -> None:
        """The source says that nothing will follow, and why. Idempotent; the first reason counts."""
        if self.ended:
            return
        self.ready_state.set(TrackState.ENDED, reason)
        self.ready_state.end(reason)
        self.mute_state.end(reason)
        self._finished()
        callbacks, self._on_end = self._on_end, []
        for callback in callbacks:
            callback(self)

    def on_end(self, callback: Callable[[MediaTrack], None]) -> None:
        """Calls `callback(track)` once when the track ends: for who holds a device open on its behalf."""
        if self.ended:
            callback(self)
        else:
            self._on_end.append(callback)

    def set_muted(self, muted: bool) -> None:
        """The source says that it pauses, or goes on. Not for applications: they have `enabled`."""
        self.mute_state.set(muted)

    def _finished(self) -> None:
        """Ends what a kind of track hands out."""

    def _enabled_changed(self) -> None:
        """What a kind of track does about it."""


class RawTrack(MediaTrack, Generic[F]):
    """A track of raw frames. `blank` makes a frame black or silent; by default the media engine does."""

    def __init__(
        self,
        kind: MediaKind | str,
        *,
        label: str = "",
        id: str = "",
        blank: Callable[[Any], Any] | None = None,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> None:
        super().__init__(kind, label=label, id=id, entropy=entropy)
        self._blank = blank
        self._broadcast = Broadcast[F]()
        self._black_at = float("-inf")
        self._frame: F | None = None
        self._last_time: float | None = None
        self._interval: float | None = None
        self.frames_written = 0
        self.sound = SoundMeter()
        """What was written of audio: samples, levels, energy, for statistics."""
        self._conceals = False
        """What is written stands for what did not come."""

    def write(self, frame: F) -> None:
        """Hands a frame to every consumer; never waits.

        Errors: `InvalidStateError` once the track has ended; `InvalidArgumentError` for a frame without time.
        """
        if self.ended:
            raise InvalidStateError(f"the {self.kind} track has ended ({self.end_reason}); make a new one")
        media_time = media_time_of(frame)
        self.frames_written += 1
        self._frame = frame
        if self.kind is MediaKind.VIDEO:
            self._measure(media_time)
        else:
            samples, rate = getattr(frame, "samples", 0), getattr(frame, "sample_rate", 0)
            if rate:
                self.sound.sound(peak_of(frame), samples, rate, concealed=self._conceals)
        if not self._enabled:
            if self.kind is MediaKind.VIDEO:
                if self._black_at <= media_time < self._black_at + BLACK_INTERVAL:
                    return
                self._black_at = media_time
            if self._blank is None:
                self._blank = load_engine().blank
            frame = self._blank(frame)
        self._broadcast.put(frame)

    def frames(self, *, limit: int | None = None) -> Subscription[F]:
        """An own queue of frames from now on, at most `limit` of them; ends when the track does."""
        return self._broadcast.subscribe(_QUEUES[self.kind] if limit is None else limit)

    @property
    def frames_per_second(self) -> float | None:
        """Of the last second or so, by media time; None before there are two frames."""
        return 1.0 / self._interval if self._interval else None

    def _measure(self, media_time: float) -> None:
        last, self._last_time = self._last_time, media_time
        if last is not None and 0 < media_time - last < 5:
            interval, step = self._interval, media_time - last
            self._interval = step if interval is None else interval + (step - interval) * min(step, 1.0)

    @property
    def consumers(self) -> int:
        """How many read frames now: a source that nobody watches may rest."""
        return len(self._broadcast)

    @property
    def last_frame(self) -> F | None:
        """The frame that was written last, as it was written."""
        return self._frame

    def _enabled_changed(self) -> None:
        self._black_at = float("-inf")

    def _finished(self) -> None:
        self._broadcast.end()


class VideoTrack(RawTrack["VideoFrame"]):
    """Raw pictures: `av.VideoFrame`."""

    def __init__(
        self,
        *,
        label: str = "",
        id: str = "",
        blank: Callable[[Any], Any] | None = None,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> None:
        super().__init__(MediaKind.VIDEO, label=label, id=id, blank=blank, entropy=entropy)


class AudioTrack(RawTrack["AudioFrame"]):
    """Raw samples: `av.AudioFrame`."""

    def __init__(
        self,
        *,
        label: str = "",
        id: str = "",
        blank: Callable[[Any], Any] | None = None,
        entropy: Entropy = SYSTEM_ENTROPY,
    ) -> None:
        super().__init__(MediaKind.AUDIO, label=label, id=id, blank=blank, entropy=entropy)
