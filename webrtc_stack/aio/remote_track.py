"""The track that a receiver gives: what the peer sends, decoded while somebody reads.

A decoder exists only while there are readers, and any number of them share it. Audio comes by playout: the jitter
buffer's time, with gaps concealed. A decoder that fails on a frame asks for a key frame and goes on; one that cannot
be made, or fails again and again, ends the reading with its error, and the next reader tries anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..base import Instant
from ..errors import NotSupportedError
from ..peer import CodecParameters, MediaKind, ReceivedFrame
from ..peer.stats import FrameMeter, PlayoutMeter
from .encoded_track import EncodedSubscription
from .engine import Decoder, DecoderCounters, summed
from .subscription import Broadcast, Subscription
from .tracks import AUDIO_QUEUE, RawTrack

if TYPE_CHECKING:
    from .receiver import Receiver

DECODE_QUEUE = 50
"""Encoded frames waiting for the decoder: a second of audio, more than one of video."""
MAX_FAILURES = 50
"""Frames in a row that a decoder may fail on: two seconds of video."""
DEFAULT_GAP = 0.02
"""Seconds that a lost audio frame stands for until two frames have told better."""


class RemoteTrack(RawTrack[Any]):
    """What the peer sends; `frames()` decodes it. Muted until the first packet comes."""

    def __init__(self, receiver: Receiver, id: str) -> None:
        super().__init__(receiver.kind, label=f"remote {receiver.kind}", id=id)
        self._receiver = receiver
        self._blank = receiver._hub.blank
        self._task: asyncio.Task[Any] | None = None
        self.mute_state.set(True)
        self.decoder: Decoder | None = None
        """The one at work, for its counters; None while nobody reads."""
        self.decoded = DecoderCounters()
        """What the decoders before it did."""
        self.decode_failures = 0
        self.frames_concealed = 0
        self.shown = FrameMeter()
        """Delays and freezes of decoded pictures, for statistics."""
        self.frames_dropped = 0
        """Encoded frames that the decoder had no time for."""
        self.processing_delay = 0.0
        """Seconds from the first packet to what was decoded of it, summed over pictures, or over samples of sound."""
        self.playout = PlayoutMeter()
        """What readers took of the sound, each frame as it was first taken."""
        self._taken = 0

    def frames(self, *, limit: int | None = None) -> Subscription[Any]:
        """An own queue of decoded frames from now on (video: from the next key frame); ends when the track does."""
        if self.kind is MediaKind.AUDIO:
            subscription = self._broadcast.subscribe(AUDIO_QUEUE if limit is None else limit, self._listening)
        else:
            subscription = super().frames(limit=limit)
        if not self.ended and (self._task is None or self._task.done()):
            self._task = self._receiver._hub.tasks.start(self._decode(), name=f"decode {self.kind}")
        return subscription

    def _listening(self, hub: Broadcast[Any], limit: int) -> Subscription[Any]:
        return _Listening(hub, limit, self)

    def _was_taken(self, frame: Any, number: int, written_at: Instant) -> None:
        """A reader has the `number`th frame; the first one to have it plays it, as far as statistics go."""
        rate = getattr(frame, "sample_rate", 0)
        if number > self._taken and rate:
            self._taken = number
            self.playout.taken(frame.samples, rate, self._receiver._hub.now() - written_at)

    async def _decode(self) -> None:
        failure: Exception | None = None
        try:
            with self._receiver._frames_to_decode(DECODE_QUEUE) as queue:
                await asyncio.sleep(0)  # the reader that asked for this is about to hold its subscription
                await self._decode_all(queue)
        except Exception as error:
            failure = error
        finally:
            decoder, self.decoder = self.decoder, None
            if decoder is not None:
                self.decoded = summed(self.decoded, decoder.counters)
                await self._receiver._hub.offload.run(decoder.close)
        if failure is not None:
            self._broadcast.fail(failure)

    async def _decode_all(self, queue: Subscription[ReceivedFrame]) -> None:
        offload = self._receiver._hub.offload
        codec: CodecParameters | None = None
        failures, last_time, gap = 0, None, DEFAULT_GAP
        async for frame in queue:
            if not self.consumers:
                break
            self.frames_dropped = queue.dropped
            if last_time is not None and 0 < frame.media_time - last_time < 1:
                gap = frame.media_time - last_time
            last_time = frame.media_time
            if self.decoder is None or (frame.codec != codec and not frame.lost):
                if frame.lost:
                    continue
                await self._change_decoder(frame.codec)
                codec = frame.codec
            decoder = self.decoder
            assert decoder is not None
            try:
                if frame.lost:
                    self.frames_concealed += 1
                    decoded = await offload.run(decoder.conceal, gap)
                else:
                    decoded = await offload.run(decoder.decode, frame)
            except NotSupportedError:
                raise
            except Exception:  # whatever a codec makes of damaged data
                failures += 1
                self.decode_failures += 1
                if failures >= MAX_FAILURES:
                    raise
                self._receiver.request_keyframe(frame.rid)
                continue
            failures = 0
            if self.ended:
                return
            self._conceals = frame.lost
            now = self._receiver._hub.now()
            for one in decoded:
                self.write(one)
                if self.kind is MediaKind.VIDEO:
                    self.shown.frame(now)
                if frame.received_at is not None:
                    units = 1 if self.kind is MediaKind.VIDEO else getattr(one, "samples", 0)
                    self.processing_delay += (now - frame.received_at) * units

    async def _change_decoder(self, codec: CodecParameters) -> None:
        hub = self._receiver._hub
        old, self.decoder = self.decoder, None
        if old is not None:
            self.decoded = summed(self.decoded, old.counters)
            await hub.offload.run(old.close)
        await hub.offload.run(self._make_decoder, codec)

    def _make_decoder(self, codec: CodecParameters) -> None:
        """Runs in a thread, and keeps what it made: who waits for it may be cancelled meanwhile."""
        self.decoder = self._receiver._hub.engine.decoder(codec)

    def _finished(self) -> None:
        if self._task is not None:
            self._task.cancel()
        super()._finished()


class _Listening(Subscription[Any]):
    """A reader's queue of sound, which knows how long each frame waited in it."""

    __slots__ = ("_track", "_written")

    def __init__(self, hub: Broadcast[Any], limit: int, track: RemoteTrack) -> None:
        super().__init__(hub, limit)
        self._track = track
        self._written: deque[tuple[int, Instant]] = deque(maxlen=limit)

    def push(self, item: Any) -> None:
        self._written.append((self._track.frames_written, self._track._receiver._hub.now()))
        super().push(item)

    async def __anext__(self) -> Any:
        frame = await super().__anext__()
        self._track._was_taken(frame, *self._written.popleft())
        return frame

    def close(self) -> None:
        super().close()
        self._written.clear()


def frame_queue(
    hub: Broadcast[ReceivedFrame], limit: int, receiver: Receiver, rid: Callable[[], str | None]
) -> EncodedSubscription[ReceivedFrame]:
    """A queue for received frames: of video it begins with a key frame, and asks for one when it had to drop."""
    video = receiver.kind is MediaKind.VIDEO
    return EncodedSubscription(hub, limit, video=video, on_loss=lambda: receiver.request_keyframe(rid()))
