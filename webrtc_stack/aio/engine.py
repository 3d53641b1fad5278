"""The media engine: who encodes, decodes and opens devices, as Protocols.

The client API knows media only through these. `load_engine()` is the one door to an implementation: the room
`devices`, on PyAV, loaded when first needed. Another one (a test's, a vendor's) is given to `Client(engine=...)`.

Frames are PyAV's own `av.VideoFrame` and `av.AudioFrame`: what is read of them here are `pts` and `time_base`.
Encoders and decoders are called from one thread at a time, not always the same one, and never by the event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..errors import InvalidArgumentError, NotSupportedError
from ..peer import CodecParameters
from .constraints import AudioConstraints, DeviceInfo, ScreenConstraints, VideoConstraints

if TYPE_CHECKING:
    from .tracks import AudioTrack, VideoTrack

ENGINE_MODULE = "webrtc_stack.devices"


class EncodedChunk(NamedTuple):
    """What an encoder gives: one picture, or one packet of audio. Units: seconds."""

    data: bytes
    media_time: float
    keyframe: bool = True
    duration: float = 0.0
    audio_level: int | None = None
    """Of the samples, in -dBov: 0 is the loudest, 127 silence. None: not measured."""
    voice: bool = False


class DecodableFrame(Protocol):
    """What a decoder reads of a received frame (`peer.media.ReceivedFrame` has it all)."""

    @property
    def data(self) -> bytes: ...

    @property
    def codec(self) -> CodecParameters: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def media_time(self) -> float: ...

    @property
    def keyframe(self) -> bool: ...

    @property
    def follows_loss(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """How to encode. Units: bits a second, frames a second, pixels. None: the encoder's own choice.

    Without `width` and `height` pictures keep the size of the frames, divided by `scale_resolution_down_by`; an
    encoder follows a change of that size by itself, beginning with a key frame.
    """

    bitrate: int | None = None
    framerate: float | None = None
    width: int | None = None
    height: int | None = None
    scale_resolution_down_by: float = 1.0
    implementation: str | None = None
    """FFmpeg's name of an encoder (`h264_vaapi`, `libsvtav1`); None: the engine's preference."""
    options: dict[str, str] = field(default_factory=dict)
    """Options for that encoder, beside the engine's own for real time."""


@dataclass(slots=True)
class EncoderCounters:
    """Running totals, named as W3C `outbound-rtp` names them. `total_encode_time` in seconds."""

    frames_encoded: int = 0
    key_frames_encoded: int = 0
    total_encode_time: float = 0.0
    qp_sum: int | None = None
    frame_width: int = 0
    frame_height: int = 0


@dataclass(slots=True)
class DecoderCounters:
    """Running totals, named as W3C `inbound-rtp` names them. `total_decode_time` in seconds."""

    frames_decoded: int = 0
    key_frames_decoded: int = 0
    total_decode_time: float = 0.0
    qp_sum: int | None = None
    frame_width: int = 0
    frame_height: int = 0
    concealed_samples: int = 0
    concealment_events: int = 0


C = TypeVar("C", EncoderCounters, DecoderCounters)


def summed(one: C, other: C) -> C:
    """Totals over two codecs that worked one after the other; of sizes the later one's."""
    members: dict[str, Any] = {}
    for member in fields(one):
        first, second = getattr(one, member.name), getattr(other, member.name)
        if member.name in ("frame_width", "frame_height"):
            members[member.name] = second or first
        elif first is None or second is None:
            members[member.name] = second if first is None else first
        else:
            members[member.name] = first + second
    return type(one)(**members)


class Encoder(Protocol):
    @property
    def implementation_name(self) -> str: ...

    @property
    def counters(self) -> EncoderCounters: ...

    def encode(self, frame: Any, *, keyframe: bool = False) -> list[EncodedChunk]:
        """Takes one av frame; gives what is ready, with the media times of the frames it came from."""
        ...

    def set_bitrate(self, bps: int) -> None: ...

    def close(self) -> None: ...


class Decoder(Protocol):
    @property
    def implementation_name(self) -> str: ...

    @property
    def counters(self) -> DecoderCounters: ...

    def decode(self, frame: DecodableFrame) -> list[Any]:
        """Takes one received frame; gives av frames whose `pts * time_base` is its `media_time`."""
        ...

    def conceal(self, duration: float) -> list[Any]:
        """What to play for `duration` seconds of lost audio; nothing for video."""
        ...

    def close(self) -> None: ...


class MediaEngine(Protocol):
    def encoder(self, codec: CodecParameters, settings: EncoderSettings) -> Encoder:
        """Errors: `NotSupportedError`."""
        ...

    def decoder(self, codec: CodecParameters) -> Decoder:
        """Errors: `NotSupportedError`."""
        ...

    def can_encode(self, mime_type: str) -> bool: ...

    def can_decode(self, mime_type: str) -> bool: ...

    def blank(self, frame: Any) -> Any:
        """A frame of the same form and time, black or silent: what a disabled track shows."""
        ...

    async def open_audio(self, constraints: AudioConstraints) -> AudioTrack:
        """Errors: `DeviceError` kinds."""
        ...

    async def open_video(self, constraints: VideoConstraints) -> VideoTrack: ...

    async def open_screen(self, constraints: ScreenConstraints) -> VideoTrack: ...

    async def devices(self) -> Sequence[DeviceInfo]: ...


def load_engine() -> MediaEngine:
    """The engine of the room `devices`. Errors: `NotSupportedError` when PyAV is not installed."""
    try:
        engine: MediaEngine = import_module(ENGINE_MODULE).engine()
    except ImportError as error:
        raise NotSupportedError(
            f"encoding, decoding and devices need the extra `media` (pip install 'webrtc-stack[media]'): {error}"
        ) from error
    return engine


def media_time_of(frame: Any) -> float:
    """`pts * time_base` in seconds. Errors: `InvalidArgumentError` for a frame that has none."""
    pts, time_base = getattr(frame, "pts", None), getattr(frame, "time_base", None)
    if pts is None or not time_base:
        raise InvalidArgumentError("the frame has no pts or time_base; set both, they are its media time")
    return float(pts * time_base)
