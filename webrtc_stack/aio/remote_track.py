"""The track that a receiver gives: what the peer sends, decoded while somebody reads.

A decoder exists only while there are readers, and any number of them share it. Audio comes by playout: the jitter
buffer's time, with gaps concealed. A decoder that fails on a frame asks for a key frame and goes on; one that cannot
be made, or fails again and again, ends the reading with its error, and the next reader tries anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import NotSupportedError
from ..peer import CodecParameters, MediaKind, ReceivedFrame
from ..peer.stats import FrameMeter
from .encoded_track import EncodedSubscription
from .engine import Decoder, DecoderCounters, summed
from .subscription import Broadcast, Subscription
from .tracks import RawTrack

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

    def frames(self, *, limit: int | None = None) -> Subscription[Any]:
        """An own queue of decoded frames from now on (video: from the next key frame); ends when the track does."""
        subscription = super().frames(limit=limit)
        if not self.ended and (self._task is None or self._task.done()):
            self._task = self._receiver._hub.tasks.start(self._decode(), name=f"decode {self.kind}")
        return subscription

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
            for one in decoded:
                self.write(one)
                if self.kind is MediaKind.VIDEO:
                    self.shown.frame(self._receiver._hub.now())

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


def frame_queue(
    hub: Broadcast[ReceivedFrame], limit: int, receiver: Receiver, rid: Callable[[], str | None]
) -> EncodedSubscription[ReceivedFrame]:
    """A queue for received frames: of video it begins with a key frame, and asks for one when it had to drop."""
    video = receiver.kind is MediaKind.VIDEO
    return EncodedSubscription(hub, limit, video=video, on_loss=lambda: receiver.request_keyframe(rid()))
