"""What a recorder takes, and plain samples as if they were a codec's."""

from __future__ import annotations

from typing import Any, Protocol

import av

from ..aio import EncodedChunk, media_time_of
from .sound import SampleConverter


class RawSource(Protocol):
    """What `add_track` takes: any raw track, local or remote."""

    @property
    def kind(self) -> Any: ...

    def frames(self, *, limit: int | None = None) -> Any: ...


class EncodedSource(Protocol):
    """What `add_encoded` takes: an `EncodedTrack`, or a `Receiver`."""

    def encoded_frames(self) -> Any: ...

    def request_keyframe(self) -> Any: ...


class PcmEncoder:
    """Plain samples for WAV: 16 bits, 48 kHz."""

    def __init__(self, channels: int) -> None:
        self._samples = SampleConverter(48_000, channels)

    def encode(self, frame: av.AudioFrame, *, keyframe: bool = False) -> list[EncodedChunk]:
        data = self._samples.convert(frame)
        return (
            [EncodedChunk(data, media_time_of(frame), True, len(data) / self._samples.octets_per_second)]
            if data
            else []
        )

    def close(self) -> None:
        """Nothing is held."""
