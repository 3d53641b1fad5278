"""A raw track on its way out: one task that reads frames, encodes them off the event loop, and sends.

Back-pressure: while a frame is being encoded the track's queue goes on by its own rule, so a video encoder that is
slower than real time sees the newest pictures only; `dropped` counts the others. Simulcast layers have an encoder
each and are encoded one after another from the same frame.

An encoder that fails is replaced by a new one; when that fails too, several times in a row, the sending ends, with a
reason, and nothing else: neither the call nor the track, which other
senders may use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..base import Instant
from ..errors import InvalidStateError, NotSupportedError, UsageError
from ..peer import CodecParameters, Encoding, MediaKind, OutgoingFrame
from ..peer.stats import FrameMeter
from .engine import EncodedChunk, Encoder, EncoderCounters, EncoderSettings, MediaEngine, media_time_of, summed
from .offload import Offload
from .subscription import Subscription
from .timeline import MediaTimeline
from .tracks import RawTrack

BITS_PER_PIXEL = 0.07
"""What live encoders need for a picture that pleases: 1.9 Mbit/s for 1280x720 at 30 frames a second."""
MIN_VIDEO_BITRATE = 60_000
MAX_VIDEO_BITRATE = 2_500_000
"""Bits a second without a wish of the application: what browsers begin to stop at."""
DEFAULT_FRAMERATE = 30.0
MAX_FAILURES = 5
"""Frames in a row that cannot be encoded, each time by a new encoder, before the sending ends."""


class Layer:
    """One encoding of a track: its encoder, and when it wants a frame."""

    def __init__(self, encoding: Encoding, index: int, totals: dict[str | None, EncoderCounters]) -> None:
        self.encoding = encoding
        self.index = index
        self.encoder: Encoder | None = None
        self.codec: CodecParameters | None = None
        self.settings: EncoderSettings | None = None
        self.wants_keyframe = True
        self.suggested: int | None = None
        self._next_due = float("-inf")
        self.target_bitrate: int | None = None
        self.implementation = ""
        self.meter = FrameMeter()
        """When frames came out of the encoder, for statistics."""
        self._encoded_at: Instant | None = None
        self.bytes_target = 0.0
        """What the encoded frames should have had by the target bitrate."""
        self._totals = totals
        totals.setdefault(encoding.rid, EncoderCounters())

    def due(self, media_time: float) -> bool:
        """Whether `max_framerate` leaves room for a frame of this time."""
        rate = self.encoding.max_framerate
        if not self.encoding.active or rate == 0:
            return False
        if rate is None:
            return True
        interval = 1.0 / rate
        if media_time < self._next_due - interval / 8 and media_time > self._next_due - 2 * interval:
            return False
        self._next_due = max(self._next_due, media_time - interval) + interval
        return True

    def bitrate(self, frame: Any, kind: MediaKind, ceiling: int | None) -> int | None:
        """Bits a second: the application's wish or a default for the size, under what the peer takes and suggests."""
        wanted = self.encoding.max_bitrate
        if wanted is None and kind is MediaKind.VIDEO:
            scale = self.encoding.scale_resolution_down_by or 1.0
            pixels = getattr(frame, "width", 640) * getattr(frame, "height", 360) / (scale * scale)
            rate = min(self.encoding.max_framerate or DEFAULT_FRAMERATE, DEFAULT_FRAMERATE)
            wanted = min(max(int(pixels * rate * BITS_PER_PIXEL), MIN_VIDEO_BITRATE), MAX_VIDEO_BITRATE)
        limits = [limit for limit in (wanted, ceiling, self.suggested) if limit is not None]
        return min(limits) if limits else None

    def work(
        self,
        make: Callable[[CodecParameters, EncoderSettings], Encoder],
        codec: CodecParameters,
        settings: EncoderSettings,
        frame: Any,
        keyframe: bool,
    ) -> list[EncodedChunk]:
        """Runs in a thread: encodes, by a new encoder where codec or settings ask for it."""
        fixed = _without_bitrate(settings)
        encoder = self.encoder
        if encoder is None or self.codec != codec or self.settings != fixed:
            self.close()
            encoder = self.encoder = make(codec, settings)
            self.implementation = encoder.implementation_name
            self.codec, self.settings, self.target_bitrate = codec, fixed, settings.bitrate
            keyframe = True
        elif settings.bitrate is not None and settings.bitrate != self.target_bitrate:
            encoder.set_bitrate(settings.bitrate)
            self.target_bitrate = settings.bitrate
        return encoder.encode(frame, keyframe=keyframe)

    def encoded(self, now: Instant) -> None:
        """A frame came out of the encoder."""
        self.meter.frame(now)
        gap = 1 / DEFAULT_FRAMERATE if self._encoded_at is None else min(now - self._encoded_at, 1.0)
        self._encoded_at = now
        if self.target_bitrate is not None:
            self.bytes_target += self.target_bitrate / 8 * gap

    def close(self) -> None:
        """Runs in a thread."""
        encoder, self.encoder = self.encoder, None
        if encoder is not None:
            rid = self.encoding.rid
            self._totals[rid] = summed(self._totals[rid], encoder.counters)
            encoder.close()

    def counters(self) -> EncoderCounters:
        """Of this encoder and those before it."""
        encoder, before = self.encoder, self._totals[self.encoding.rid]
        return before if encoder is None else summed(before, encoder.counters)


def _without_bitrate(settings: EncoderSettings) -> EncoderSettings:
    return EncoderSettings(
        framerate=settings.framerate,
        width=settings.width,
        height=settings.height,
        scale_resolution_down_by=settings.scale_resolution_down_by,
        implementation=settings.implementation,
        options=settings.options,
    )


class SendingHost(Protocol):
    """What a sending needs of its owner: a hub, or a shared encoder."""

    @property
    def engine(self) -> MediaEngine: ...

    @property
    def offload(self) -> Offload: ...

    def now(self) -> Instant: ...


class Sending:
    """One raw track going out by one sender, from `run` to the end of the track or the task."""

    def __init__(
        self,
        hub: SendingHost,
        track: RawTrack[Any],
        timeline: MediaTimeline,
        send: Callable[[OutgoingFrame, str | None], bool],
        totals: dict[str | None, EncoderCounters],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._hub = hub
        self.track = track
        self._timeline = timeline
        self._send = send
        self._totals = totals
        self._wanted = wanted
        self._frames: Subscription[Any] | None = None
        self.layers: list[Layer] = []
        self.codec: CodecParameters | None = None
        self.implementation: str | None = None
        self._ceiling: int | None = None
        self.frames_refused = 0
        self.failures = 0
        """Of encoders, in a row."""
        self.frame_size: tuple[int, int] | None = None

    @property
    def dropped(self) -> int:
        """Frames that the encoder had no time for."""
        return self._frames.dropped if self._frames is not None else 0

    def configure(self, codec: CodecParameters, encodings: list[tuple[int, Encoding]], ceiling: int | None) -> None:
        """What the next frame is encoded by: the codec, the encodings by their index, the peer's limit."""
        self.codec = codec
        self._ceiling = ceiling
        known = {layer.index: layer for layer in self.layers}
        layers = []
        for index, encoding in encodings:
            layer = known.get(index) or Layer(encoding, index, self._totals)
            if encoding.active and not layer.encoding.active:
                layer.wants_keyframe = True
            layer.encoding = encoding
            layers.append(layer)
        self.layers = layers

    def request_keyframe(self, rid: str | None) -> None:
        for layer in self.layers:
            if rid is None or layer.encoding.rid == rid:
                layer.wants_keyframe = True

    def suggest(self, bps: int) -> None:
        """What the path is thought to carry for this track; shared evenly among its layers."""
        active = [layer for layer in self.layers if layer.encoding.active]
        for layer in active:
            layer.suggested = max(bps // len(active), MIN_VIDEO_BITRATE)

    async def run(self) -> None:
        """Reads and sends until the track ends. Errors: whatever an encoder raises."""
        all_layers: dict[Layer, None] = {}  # in the order of their making
        try:
            with self.track.frames() as self._frames:
                async for frame in self._frames:
                    if not self._wanted():
                        continue
                    all_layers.update(dict.fromkeys(self.layers))
                    await self._one(frame)
        finally:
            for layer in all_layers:
                await self._hub.offload.run(layer.close)

    async def _one(self, frame: Any) -> None:
        now = self._hub.now()
        media_time = media_time_of(frame)
        self._timeline.map(self.track, media_time, now)
        offset = self._timeline.offset
        width = getattr(frame, "width", None)
        if width:
            self.frame_size = (width, frame.height)
        for layer in self.layers:
            codec = self.codec
            if codec is None or not layer.due(media_time):
                continue
            settings = EncoderSettings(
                bitrate=layer.bitrate(frame, self.track.kind, self._ceiling),
                framerate=layer.encoding.max_framerate,
                scale_resolution_down_by=layer.encoding.scale_resolution_down_by or 1.0,
                implementation=self.implementation,
            )
            keyframe, layer.wants_keyframe = layer.wants_keyframe, False
            try:
                chunks = await self._hub.offload.run(
                    layer.work, self._hub.engine.encoder, codec, settings, frame, keyframe
                )
            except NotSupportedError:
                raise
            except Exception:  # whatever a codec makes of it: a new one may do better
                self.failures += 1
                if self.failures >= MAX_FAILURES:
                    raise
                layer.wants_keyframe = True
                await self._hub.offload.run(layer.close)
                continue
            self.failures = 0
            for chunk in chunks:
                layer.encoded(self._hub.now())
                outgoing = OutgoingFrame(
                    chunk.data,
                    chunk.media_time + offset,
                    chunk.keyframe,
                    duration=chunk.duration or None,
                    codec=codec.codec.mime_type,
                    capture_time=now,
                    audio_level=chunk.audio_level,
                    voice=chunk.voice,
                )
                try:
                    taken = self._send(outgoing, layer.encoding.rid)
                except InvalidStateError:
                    taken = False  # a direction that changed, or a close: whoever did it ends this task, too
                except UsageError:
                    layer.wants_keyframe = True
                    raise
                if not taken:
                    self.frames_refused += 1
                    layer.wants_keyframe = True
