"""The media engine of the client API: encoders, decoders and devices on PyAV. See `aio.MediaEngine`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import av

from ..aio import (
    AudioConstraints,
    AudioTrack,
    Decoder,
    DeviceInfo,
    Encoder,
    EncoderSettings,
    ScreenConstraints,
    VideoConstraints,
    VideoTrack,
)
from ..errors import InvalidArgumentError
from ..peer import CodecParameters, MediaKind
from .audio_encoder import AudioEncoder
from .capture import Opener, open_input
from .codec_names import AUDIO, VIDEO, parse_fmtp
from .comfort_noise import ComfortNoiseDecoder
from .decoders import AudioDecoder, VideoDecoder
from .enumerate import System, list_devices
from .opening import open_camera, open_display, open_microphone
from .pictures import black_like
from .sound import silence
from .video_encoder import VideoEncoder, has_codec

_COMFORT_NOISE = "audio/cn"


class Engine:
    """Implements `aio.MediaEngine`. Stateless: one may serve any number of clients.

    `system` says where devices are looked for, `opener` opens them; both are for tests and unusual sources.
    """

    def __init__(self, *, system: System | None = None, opener: Opener = open_input) -> None:
        self._system = system or System()
        self._opener = opener

    def encoder(self, codec: CodecParameters, settings: EncoderSettings) -> Encoder:
        """Errors: `NotSupportedError`; `DeviceError` for an implementation asked for by name that cannot be opened."""
        parameters = parse_fmtp(codec.codec.sdp_fmtp_line)
        if codec.codec.kind is MediaKind.VIDEO:
            return VideoEncoder(codec.codec.mime_type, parameters, settings)
        return AudioEncoder(codec.codec.mime_type, parameters, settings, codec.codec.channels)

    def decoder(self, codec: CodecParameters) -> Decoder:
        """Errors: `NotSupportedError`."""
        if codec.codec.kind is MediaKind.VIDEO:
            return VideoDecoder(codec.codec.mime_type, codec.codec.clock_rate)
        if codec.codec.mime_type.lower() == _COMFORT_NOISE:
            return ComfortNoiseDecoder(codec.codec.clock_rate)
        channels = codec.codec.channels
        if codec.codec.mime_type.lower() == "audio/opus" and parse_fmtp(codec.codec.sdp_fmtp_line).get("stereo") != "1":
            channels = 1  # always announced with two; what we did not ask for costs twice (RFC 7587 section 6.1)
        return AudioDecoder(codec.codec.mime_type, codec.codec.clock_rate, channels)

    def can_encode(self, mime_type: str) -> bool:
        """Whether this FFmpeg has an encoder for it."""
        mime_type = mime_type.lower()
        if mime_type in VIDEO:
            return any(has_codec(name, "w") for name in VIDEO[mime_type].encoders)
        return mime_type in AUDIO and has_codec(AUDIO[mime_type].encoder, "w")

    def can_decode(self, mime_type: str) -> bool:
        """Whether this FFmpeg has a decoder for it."""
        names = VIDEO.get(mime_type.lower()) or AUDIO.get(mime_type.lower())
        if mime_type.lower() == _COMFORT_NOISE:
            return True
        return names is not None and any(has_codec(name, "r") for name in names.decoders)

    def blank(self, frame: Any) -> Any:
        """A black picture or silence of the form and the time of `frame`."""
        if isinstance(frame, av.VideoFrame):
            return black_like(frame)
        if not isinstance(frame, av.AudioFrame):
            raise InvalidArgumentError(f"{type(frame).__name__} is neither av.VideoFrame nor av.AudioFrame")
        made = silence(frame.samples, frame.sample_rate, frame.layout.name)
        made.pts, made.time_base = frame.pts, frame.time_base
        return made

    async def open_audio(self, constraints: AudioConstraints) -> AudioTrack:
        """A microphone.

        Errors: `DeviceNotFound`, `OverconstrainedError`, `PermissionDenied`, `DeviceBusy`, `DeviceError`.
        """
        return await open_microphone(constraints, self._system, self._opener)

    async def open_video(self, constraints: VideoConstraints) -> VideoTrack:
        """A camera. Errors: as `open_audio`."""
        return await open_camera(constraints, self._system, self._opener)

    async def open_screen(self, constraints: ScreenConstraints) -> VideoTrack:
        """A screen. Errors: as `open_audio`."""
        return await open_display(constraints, self._system, self._opener)

    async def devices(self) -> Sequence[DeviceInfo]:
        """Every camera, microphone and screen that is there."""
        return [device.info for device in await asyncio.to_thread(list_devices, self._system)]


def engine() -> Engine:
    """The media engine on PyAV."""
    return Engine()
