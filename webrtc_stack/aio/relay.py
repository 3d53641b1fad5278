"""One source to many peers without encoding again: a received stream, or a raw track that is encoded once.

    pc_b.add_track(receiver.relay())                                # forwards what comes, as it is
    shared = client.encode_once(camera, "video/VP8")                # one encoder for any number of senders
    for pc in peers: pc.add_track(shared)

Key frame requests of all peers are merged into one at the source.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgumentError, NotSupportedError
from ..peer import Codec, CodecParameters, Encoding, OutgoingFrame, ReceivedFrame
from .encoded_track import EncodedTrack, codec_of
from .engine import MediaEngine
from .offload import Offload
from .sending import Sending
from .timeline import MediaTimeline
from .tracks import RawTrack

if TYPE_CHECKING:
    from ..base import Instant
    from .receiver import Receiver


class Relay:
    """Forwards one layer of a receiver into an encoded track, while anybody takes it."""

    def __init__(self, receiver: Receiver, rid: str | None) -> None:
        self._receiver = receiver
        self._rid = rid
        self.track = RelayTrack(receiver, rid)

    def forward(self, frames: list[ReceivedFrame]) -> None:
        track = self.track
        if track.ended:
            return
        for frame in frames:
            if frame.codec.codec != track.codec:
                track.codec = frame.codec.codec
            track.write(frame)


class RelayTrack(EncodedTrack):
    """The track of a relay: what is asked of it goes to the peer that sends."""

    def __init__(self, receiver: Receiver, rid: str | None) -> None:
        kind = receiver.kind
        super().__init__(
            kind,
            receiver._codec() or codec_of("audio/opus" if kind == "audio" else "video/VP8"),
            label=f"relay of {receiver.track.label}",
            id=receiver._hub.new_id(),
            on_keyframe_request=lambda: receiver.request_keyframe(rid),
        )
        self._receiver = receiver

    def _consumers_changed(self) -> None:
        self._receiver._review()


class SharedEncoder:
    """Encodes a raw track into an `EncodedTrack` while anybody takes it. The client runs it."""

    def __init__(self, engine: MediaEngine, offload: Offload, track: RawTrack[Any], codec: Codec, encoding: Encoding):
        if codec.kind is not track.kind:
            raise InvalidArgumentError(f"{codec.mime_type} cannot encode a track of {track.kind}")
        if not engine.can_encode(codec.mime_type):
            raise NotSupportedError(f"the media engine does not encode {codec.mime_type}")
        self.engine = engine
        self.offload = offload
        self.output = EncodedTrack(
            track.kind, codec, label=f"{track.label or track.id} encoded", on_keyframe_request=self._keyframe_requested
        )
        self._sending = Sending(self, track, MediaTimeline(), self._write, {}, self._is_wanted)
        self._sending.configure(CodecParameters(payload_type=0, codec=codec), [(0, encoding)], None)

    def now(self) -> Instant:
        return asyncio.get_running_loop().time()

    def _keyframe_requested(self) -> None:
        self._sending.request_keyframe(None)

    def _is_wanted(self) -> bool:
        return self.output.consumers > 0

    def _write(self, frame: OutgoingFrame, rid: str | None) -> bool:
        if not self.output.ended:
            self.output.write(frame)
        return True

    async def run(self) -> None:
        """Until the raw track ends. An encoder that fails ends the encoded track, with its reason."""
        track = self._sending.track
        try:
            await self._sending.run()
            self.output.end(track.end_reason or "its source ended")
        except Exception as error:
            self.output.end(f"encoding failed: {type(error).__name__}: {error}")
        finally:
            self.output.end("its client closed")
