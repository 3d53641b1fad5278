"""Encodes pictures through FFmpeg for a live call: one in, one out, at once.

The encoder is opened with the first picture, and opened anew, beginning with a key frame, when the pictures' size
changes or a new bitrate cannot be told to it while it runs. FFmpeg can do the latter for x264 only; for the others a
change of bitrate is damped (`_Restarts`), since a key frame each second would cost more than a better bitrate gains.

Units: bits a second, seconds of media time. Left out: simulcast in one encoder (each layer has its own), SVC.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Mapping
from fractions import Fraction
from time import perf_counter
from typing import Any

import av
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from ..aio import EncodedChunk, EncoderCounters, EncoderSettings
from ..errors import DeviceError, InvalidArgumentError, InvalidStateError, NotSupportedError
from .codec_names import CHANGES_BITRATE_IN_PLACE, VIDEO, Parameters, video_encoder_options, video_encoder_profile
from .failures import MEDIA_FAILURES
from .pictures import even, own_picture

_CLOCK = Fraction(1, 90_000)
_DEFAULT_FRAMERATE = 30.0
_KEYFRAME_INTERVAL = 3000
"""Pictures between key frames that nobody asked for: 100 s at 30 a second. Receivers ask when they need one."""
_IN_FLIGHT = 64
"""Pictures whose times are kept for an encoder that is late with them; hardware is, by a few."""
_SMALL_CHANGE = 0.1
_SETTLING_TIME = 3.0
_QP_OF_QUALITY = 118
"""FFmpeg's FF_QP2LAMBDA: what an encoder tells as quality is the quantizer times this."""
_MINIMUM_BITRATE = 10_000


class _Restarts:
    """When a new bitrate is worth a key frame: a change above 10 %; a cut at once, a rise 3 s after the last start."""

    def __init__(self, bitrate: int) -> None:
        self.wanted = self.current = bitrate
        self.since = float("-inf")

    def due(self, media_time: float) -> bool:
        change = self.wanted / self.current - 1
        if abs(change) <= _SMALL_CHANGE:
            return False
        # A time before the last start is a source that began anew.
        return change < -_SMALL_CHANGE or not 0 <= media_time - self.since < _SETTLING_TIME


class VideoEncoder:
    """One stream of pictures to one stream of encoded pictures; see `aio.Encoder`.

    Errors: `NotSupportedError` if this FFmpeg has no encoder for the codec, `DeviceError` if the one asked for by
    name (`EncoderSettings.implementation`) cannot be opened: a missing card, a missing driver.
    """

    def __init__(self, mime_type: str, parameters: Parameters, settings: EncoderSettings) -> None:
        names = VIDEO.get(mime_type.lower())
        if names is None:
            raise NotSupportedError(
                f"{mime_type} is no video codec that can be encoded here; known are {', '.join(VIDEO)}"
            )
        self._parameters = parameters
        self._settings = settings
        self._name = settings.implementation or _first_available(names.encoders, mime_type)
        self._checked = settings.implementation is None
        self._framerate = settings.framerate or _DEFAULT_FRAMERATE
        self._restarts: _Restarts | None = _Restarts(settings.bitrate) if settings.bitrate else None
        self._context: VideoCodecContext | None = None
        self._size = (0, 0)
        self._pts = 0
        self._first_time: float | None = None
        self._last_time = 0.0
        self._in_flight: deque[tuple[int, float]] = deque(maxlen=_IN_FLIGHT)
        self._keyframe_wanted = False
        self._closed = False
        self._counters = EncoderCounters()
        self.restarts = 0
        """How often the encoder was opened anew, for a new size or bitrate."""
        if not self._checked:
            self._probe(mime_type)

    @property
    def implementation_name(self) -> str:
        return self._name

    @property
    def counters(self) -> EncoderCounters:
        return self._counters

    @property
    def bitrate(self) -> int | None:
        """What the running encoder aims at; None before the first picture, if nothing was asked for."""
        return self._restarts.current if self._restarts else None

    def set_bitrate(self, bps: int) -> None:
        """Aims at `bps` from the next picture on; see the module for when this costs a key frame."""
        if bps <= 0:
            raise InvalidArgumentError(f"a bitrate of {bps} is none; to send nothing, make the encoding inactive")
        bps = max(_MINIMUM_BITRATE, bps)
        if self._restarts is None:
            self._restarts = _Restarts(bps)
        self._restarts.wanted = bps
        if self._context is None:
            self._restarts.current = bps

    def encode(self, frame: av.VideoFrame, *, keyframe: bool = False) -> list[EncodedChunk]:
        """Encodes one picture of any size and pixel format.

        Errors: `InvalidArgumentError` for a frame that cannot be converted; `DeviceError` when the encoder fails.
        """
        if self._closed:
            raise InvalidStateError("the encoder is closed")
        began = perf_counter()
        size = self._target_size(frame)
        picture = own_picture(frame, *size)
        media_time = self._time_of(frame)
        context = self._ready(size, media_time)
        self._keyframe_wanted = self._keyframe_wanted or keyframe
        pts = self._pts_of(media_time)
        self._in_flight.append((pts, media_time))
        picture.pts, picture.time_base = pts, _CLOCK
        picture.pict_type = PictureType.I if self._keyframe_wanted else PictureType.NONE
        try:
            packets = context.encode(picture)
        except MEDIA_FAILURES as error:
            self._context = None
            raise DeviceError(f"the encoder {self._name} failed: {error}") from error
        self._keyframe_wanted = False
        chunks = [self._chunk(packet) for packet in packets if packet.size]
        self._counters.total_encode_time += perf_counter() - began
        return chunks

    def close(self) -> None:
        """Frees the encoder. Idempotent."""
        self._closed = True
        self._release()

    # --- the running encoder ---------------------------------------------------------------------------------------

    def _target_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        settings = self._settings
        if settings.width and settings.height:
            return even(settings.width), even(settings.height)
        scale = max(1.0, settings.scale_resolution_down_by)
        return even(frame.width / scale), even(frame.height / scale)

    def _time_of(self, frame: av.VideoFrame) -> float:
        if frame.pts is None or not frame.time_base:
            return self._last_time + 1 / self._framerate if self._first_time is not None else 0.0
        return float(frame.pts * frame.time_base)

    def _pts_of(self, media_time: float) -> int:
        """The encoder's own clock: strictly rising, whatever the source's does, and near it as long as it rises."""
        if self._first_time is None:
            self._first_time = media_time
        pts = round((media_time - self._first_time) / _CLOCK)
        if pts <= self._pts and self._in_flight:  # time stood still or went back
            pts = self._pts + round(1 / (self._framerate * _CLOCK))
            self._first_time = media_time - float(pts * _CLOCK)
        self._pts, self._last_time = pts, media_time
        return pts

    def _ready(self, size: tuple[int, int], media_time: float) -> VideoCodecContext:
        if self._context is not None and size == self._size:
            restarts = self._restarts
            if restarts is None or restarts.wanted == restarts.current:
                return self._context
            if self._name in CHANGES_BITRATE_IN_PLACE and restarts.wanted <= self._ceiling:
                self._context.bit_rate = restarts.current = restarts.wanted
                return self._context
            if not restarts.due(media_time):
                return self._context
        if self._context is not None:
            self.restarts += 1
        self._release()
        if self._restarts is None:
            self._restarts = _Restarts(default_bitrate(*size, self._framerate))
        self._restarts.current = self._restarts.wanted
        self._restarts.since = media_time
        self._context = self._open(size, self._restarts.current)
        self._size = size
        self._keyframe_wanted = True
        self._counters.frame_width, self._counters.frame_height = size
        return self._context

    def _open(self, size: tuple[int, int], bitrate: int) -> VideoCodecContext:
        threads = 1 if size[0] * size[1] <= 640 * 480 else min(4, os.cpu_count() or 1)
        if self._name == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: it writes its settings to the terminal otherwise
        # x264 is told a lower bitrate while it runs, but not a higher one than this
        self._ceiling = bitrate
        try:
            # VA-API encodes pictures that lie on the card: PyAV carries them there
            on_card = self._name.endswith("_vaapi")
            context = av.CodecContext.create(self._name, "w", HWAccel("vaapi") if on_card else None)
            if not isinstance(context, VideoCodecContext):
                raise DeviceError(f"{self._name} is no encoder for video")
            context.width, context.height = size
            context.pix_fmt = "nv12" if on_card else "yuv420p"
            context.bit_rate = bitrate
            context.framerate = Fraction(self._framerate).limit_denominator(1001)
            context.time_base = _CLOCK
            context.gop_size = _KEYFRAME_INTERVAL
            context.max_b_frames = 0
            context.thread_count = threads
            if (profile := video_encoder_profile(self._name, self._parameters)) is not None:
                context.profile = profile  # by the option of this name some versions of FFmpeg mean a number
            options = video_encoder_options(self._name, self._parameters, bitrate, threads)
            context.options = {**options, **self._settings.options}
            context.open()
        except MEDIA_FAILURES as error:
            raise DeviceError(f"the encoder {self._name} cannot be opened for {size[0]}x{size[1]}: {error}") from error
        return context

    def _probe(self, mime_type: str) -> None:
        """Opens the encoder that was asked for by name once, so that what is missing is known now and not in a call."""
        try:
            name = av.codec.Codec(self._name, "w").name
        except MEDIA_FAILURES as error:
            raise DeviceError(f"this FFmpeg has no encoder {self._name} for {mime_type}: {error}") from error
        self._open((320, 240), self.bitrate or default_bitrate(320, 240, self._framerate))
        self._name = name

    def _release(self) -> None:
        context, self._context = self._context, None
        self._in_flight.clear()
        if context is None:
            return
        try:
            context.encode(None)  # SVT-AV1 and the hardware encoders want to be told the end before they are freed
        except MEDIA_FAILURES:
            return  # it is going away all the same

    def _chunk(self, packet: av.Packet[Any]) -> EncodedChunk:
        counters = self._counters
        counters.frames_encoded += 1
        keyframe = packet.is_keyframe
        counters.key_frames_encoded += keyframe
        quantizer = _quantizer(packet)
        if quantizer is not None:
            counters.qp_sum = (counters.qp_sum or 0) + quantizer
        media_time = self._last_time
        while self._in_flight:
            pts, candidate = self._in_flight[0]
            if packet.pts is not None and pts > packet.pts:
                break
            media_time = candidate
            if len(self._in_flight) == 1:
                break  # kept, so that `_pts_of` knows that a picture went before
            self._in_flight.popleft()
            if pts == packet.pts:
                break
        return EncodedChunk(bytes(packet), media_time, keyframe, 1 / self._framerate)


def _quantizer(packet: av.Packet[Any]) -> int | None:
    """What the encoder tells of a picture's quantizer; None if it, or an older PyAV, does not."""
    if not hasattr(packet, "has_sidedata") or not packet.has_sidedata("quality_stats"):
        return None
    try:
        (quality,) = struct.unpack_from("<i", memoryview(packet.get_sidedata("quality_stats")))
    except (TypeError, struct.error):  # before PyAV 17 its bytes cannot be read
        return None
    return round(quality / _QP_OF_QUALITY) if quality > 0 else None


def default_bitrate(width: int, height: int, framerate: float) -> int:
    """What a picture of that size is worth in a call, in bits a second: 0.1 bit a pixel, 100,000 to 4,000,000."""
    return round(min(4_000_000, max(100_000, width * height * framerate * 0.1)))


def _first_available(names: tuple[str, ...], mime_type: str) -> str:
    for name in names:
        if has_codec(name, "w"):
            return name
    raise NotSupportedError(f"this FFmpeg has no encoder for {mime_type}; any of {', '.join(names)} would do")


_known: dict[tuple[str, str], bool] = {}


def has_codec(name: str, mode: str) -> bool:
    """Whether FFmpeg, as PyAV brings it, has that encoder (`w`) or decoder (`r`)."""
    known = _known.get((name, mode))
    if known is None:
        try:
            av.codec.Codec(name, "w" if mode == "w" else "r")
            known = True
        except MEDIA_FAILURES:
            known = False
        _known[name, mode] = known
    return known


def supported_options(implementation: str) -> Mapping[str, str]:
    """The options that an encoder is opened with here, for whoever wants to change one by `EncoderSettings.options`."""
    return video_encoder_options(implementation, {}, 1_000_000, 1)
