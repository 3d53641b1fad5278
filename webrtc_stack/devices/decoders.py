"""Decodes received frames through FFmpeg; broken data is counted, and never harms what follows.

Every frame that comes out bears `pts` and `time_base` in the media clock of its codec: `pts * time_base` is the
`media_time` of the received frame. A video decoder gives pictures at once, without reordering (calls have no
B-pictures). A broken picture is a `ParseError`, which tells whoever reads to ask for a key frame; until that comes the
decoder gives nothing. Broken sound is concealed, without an error.

Lost sound is filled by repeating the last frame, fading over 60 ms into silence. Left out: Opus' own concealment and
its in-band FEC, which FFmpeg's decoders do not offer to those who hand them single packets.
"""

from __future__ import annotations

import array
from fractions import Fraction
from time import perf_counter
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from ..aio import DecodableFrame
from ..errors import InvalidStateError, NotSupportedError, ParseError
from .codec_names import AUDIO, VIDEO
from .counters import MediaDecoderCounters
from .failures import MEDIA_FAILURES
from .video_encoder import has_codec

_LONGEST_CONCEALMENT = 1.0
"""Seconds of sound made up at a time: a longer gap is one, and no sound."""
_FADE = 0.06
_LARGEST_FRAME = 16 << 20
"""Bytes; a larger encoded frame is no frame of a call."""


def _first_decoder(names: tuple[str, ...], mime_type: str) -> str:
    for name in names:
        if has_codec(name, "r"):
            return name
    raise NotSupportedError(f"this FFmpeg has no decoder for {mime_type}; any of {', '.join(names)} would do")


class VideoDecoder:
    """One stream of encoded pictures to pictures; see `aio.Decoder`."""

    def __init__(self, mime_type: str, clock_rate: int = 90_000) -> None:
        names = VIDEO.get(mime_type.lower())
        if names is None:
            raise NotSupportedError(
                f"{mime_type} is no video codec that can be decoded here; known are {', '.join(VIDEO)}"
            )
        self._name = _first_decoder(names.decoders, mime_type)
        self._layered = mime_type.lower() == "video/vp9"
        self._clock_rate = clock_rate
        self._context: VideoCodecContext | None = self._open()
        self._needs_keyframe = False
        self._counters = MediaDecoderCounters()

    @property
    def implementation_name(self) -> str:
        return self._name

    @property
    def counters(self) -> MediaDecoderCounters:
        return self._counters

    @property
    def needs_keyframe(self) -> bool:
        """Whether the decoder waits for a key frame, having met broken data."""
        return self._needs_keyframe

    def decode(self, frame: DecodableFrame) -> list[Any]:
        """The pictures that become visible by one received frame; none while a key frame is waited for.

        Errors: `ParseError` when the frame is broken: ask for a key frame, and go on.
        """
        if self._context is None:
            raise InvalidStateError("the decoder is closed")
        if self._needs_keyframe and not frame.keyframe:
            return []
        began = perf_counter()
        pictures: list[av.VideoFrame] = []
        try:
            if not 0 < len(frame.data) <= _LARGEST_FRAME:
                raise ValueError(f"{len(frame.data)} bytes are no frame")
            for piece in self._pieces(frame):
                pictures = self._context.decode(av.Packet(piece)) or pictures
        except MEDIA_FAILURES as error:
            self._counters.frames_corrupted += 1
            self._needs_keyframe = True
            self._context = self._open()  # no reference to a broken picture survives
            raise ParseError(f"{self._name} cannot decode a frame of {len(frame.data)} bytes: {error}") from error
        self._needs_keyframe = False
        pts, time_base = round(frame.media_time * self._clock_rate), Fraction(1, self._clock_rate)
        counters = self._counters
        for picture in pictures[-1:]:
            picture.pts, picture.time_base = pts, time_base
            counters.frames_decoded += 1
            counters.key_frames_decoded += frame.keyframe
            counters.frame_width, counters.frame_height = picture.width, picture.height
        counters.total_decode_time += perf_counter() - began
        return pictures[-1:]

    def conceal(self, duration: float) -> list[Any]:
        """Nothing: the last picture stays where it is."""
        return []

    def close(self) -> None:
        """Frees the decoder. Idempotent."""
        self._context = None

    def _pieces(self, frame: DecodableFrame) -> list[bytes]:
        """The frame, or for VP9 with spatial layers each layer's: they follow one another without an index."""
        sizes: tuple[int, ...] = getattr(getattr(frame, "facts", None), "layer_sizes", ()) if self._layered else ()
        if len(sizes) < 2 or sum(sizes) != len(frame.data):
            return [frame.data]
        pieces, start = [], 0
        for size in sizes:
            pieces.append(frame.data[start : start + size])
            start += size
        return pieces

    def _open(self) -> VideoCodecContext:
        context = av.CodecContext.create(self._name, "r")
        assert isinstance(context, VideoCodecContext)
        context.flags |= Flags.low_delay
        context.thread_count = 1  # frame threads delay; one thread decodes 1080p30 many times over
        if self._name == "libdav1d":
            context.options = {"max_frame_delay": "1"}
        context.open()
        return context


class AudioDecoder:
    """One stream of packets to sound; see `aio.Decoder`."""

    def __init__(self, mime_type: str, clock_rate: int, channels: int | None = None) -> None:
        names = AUDIO.get(mime_type.lower())
        if names is None:
            raise NotSupportedError(
                f"{mime_type} is no audio codec that can be decoded here; known are {', '.join(AUDIO)}"
            )
        self._name = _first_decoder(names.decoders, mime_type)
        self._rate = names.sample_rate
        self._channels = channels or names.channels
        self._clock_rate = clock_rate
        self._context: AudioCodecContext | None = self._open()
        self._counters = MediaDecoderCounters()
        self._last: bytes = b""
        self._next_time: float | None = None
        self._concealed = 0.0

    @property
    def implementation_name(self) -> str:
        return self._name

    @property
    def counters(self) -> MediaDecoderCounters:
        return self._counters

    def decode(self, frame: DecodableFrame) -> list[Any]:
        """The samples of one packet. Never raises for what a peer sent; broken data becomes 20 ms of concealment."""
        if self._context is None:
            raise InvalidStateError("the decoder is closed")
        if not frame.data:  # nothing was said: comfort noise, discontinuous transmission
            self._next_time = frame.media_time
            return self.conceal(0.02)
        began = perf_counter()
        try:
            if len(frame.data) > _LARGEST_FRAME:
                raise ValueError(f"{len(frame.data)} bytes are no frame")
            pieces = self._context.decode(av.Packet(frame.data))
        except MEDIA_FAILURES:
            self._counters.frames_corrupted += 1
            self._context = self._open()
            self._next_time = frame.media_time
            return self.conceal(0.02)
        time = frame.media_time
        for piece in pieces:
            piece.pts, piece.time_base = round(time * self._clock_rate), Fraction(1, self._clock_rate)
            time += piece.samples / piece.sample_rate
            self._counters.frames_decoded += 1
        self._next_time, self._concealed = time, 0.0
        if pieces:
            self._remember(pieces[-1])
        self._counters.total_decode_time += perf_counter() - began
        return list(pieces)

    def conceal(self, duration: float) -> list[Any]:
        """Sound of `duration` seconds in place of what was lost: the last frame again, fading into silence."""
        if self._context is None:
            raise InvalidStateError("the decoder is closed")
        samples = round(min(max(duration, 0.0), _LONGEST_CONCEALMENT) * self._rate)
        if samples == 0:
            return []
        made = av.AudioFrame(format="s16", layout="stereo" if self._channels == 2 else "mono", samples=samples)
        made.planes[0].update(self._faded(samples))
        made.sample_rate = self._rate
        if self._next_time is not None:
            made.pts, made.time_base = round(self._next_time * self._clock_rate), Fraction(1, self._clock_rate)
            self._next_time += samples / self._rate
        self._counters.concealed_samples += samples
        self._counters.concealment_events += self._concealed == 0.0
        self._concealed += samples / self._rate
        return [made]

    def close(self) -> None:
        """Frees the decoder. Idempotent."""
        self._context = None

    def _remember(self, piece: av.AudioFrame) -> None:
        """Keeps the last 20 ms, if s16 and interleaved; another form is not worth converting: silence conceals it."""
        width = 2 * self._channels
        known = piece.format.name == "s16" and len(piece.layout.channels) == self._channels
        data = bytes(memoryview(piece.planes[0])[: piece.samples * width]) if known else b""
        self._last = data[-width * round(0.02 * self._rate) :]

    def _faded(self, samples: int) -> bytes:
        wanted = samples * self._channels
        fading = round(_FADE * self._rate)
        start = round(self._concealed * self._rate)
        if not self._last or start >= fading:
            return bytes(2 * wanted)
        last = array.array("h", self._last)
        made = array.array("h", bytes(2 * wanted))
        for n in range(min(samples, fading - start)):
            gain = 1 - (start + n) / fading
            for channel in range(self._channels):
                at = n * self._channels + channel
                made[at] = int(last[(start * self._channels + at) % len(last)] * gain)
        return made.tobytes()

    def _open(self) -> AudioCodecContext:
        context = av.CodecContext.create(self._name, "r")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = self._rate
        context.layout = "stereo" if self._channels == 2 else "mono"
        context.thread_count = 1
        context.open()
        return context
