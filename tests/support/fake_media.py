"""A media engine of small numbered frames: everything above codecs is tested by it, in virtual time, without PyAV.

A raw frame is a `FakeFrame` with a number; its "encoding" is a frame that looks to payload formats like VP8, VP9, Opus
or PCMU and carries the number. The engine counts what is done with it, fails when told to, and can be slow (by a
`SlowOffload`, in virtual seconds).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar, TypeVarTuple

import webrtc_stack as rtc
from webrtc_stack.aio import DecoderCounters, EncodedChunk, EncoderCounters, EncoderSettings
from webrtc_stack.aio.offload import Offload
from webrtc_stack.errors import NotSupportedError
from webrtc_stack.peer import CodecParameters, MediaKind

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TICK = Fraction(1, 1000)


@dataclass(frozen=True)
class FakeFrame:
    """A picture or 20 ms of sound, known by its number."""

    number: int
    pts: int
    time_base: Fraction = TICK
    width: int = 640
    height: int = 360
    samples: int = 960
    sample_rate: int = 48_000
    black: bool = False
    keyframe: bool = False
    concealed: bool = False


_BODY = struct.Struct(">IHH?")


def encode_body(frame: FakeFrame, size: int) -> bytes:
    return _BODY.pack(frame.number, frame.width, frame.height, frame.black) + bytes(max(size - _BODY.size, 0))


class FakeEncoder:
    def __init__(self, engine: FakeEngine, codec: CodecParameters, settings: EncoderSettings) -> None:
        self.engine = engine
        self.mime = codec.codec.mime_type.lower()
        self.settings = settings
        self.bitrate = settings.bitrate
        self.counters = EncoderCounters()
        self.implementation_name = f"fake {settings.implementation or codec.codec.name}"
        self.closed = False

    def encode(self, frame: FakeFrame, *, keyframe: bool = False) -> list[EncodedChunk]:
        assert not self.closed
        if self.engine.fail_encoding:
            raise RuntimeError("the encoder broke")
        counters = self.counters
        keyframe = keyframe or counters.frames_encoded == 0
        scale = self.settings.scale_resolution_down_by
        scaled = replace(frame, width=int(frame.width / scale), height=int(frame.height / scale))
        counters.frames_encoded += 1
        counters.key_frames_encoded += keyframe
        counters.total_encode_time += 0.001
        counters.frame_width, counters.frame_height = scaled.width, scaled.height
        self.engine.encoded += 1
        self.engine.keyframes += keyframe
        body = encode_body(scaled, 300 if keyframe else 100)
        return [EncodedChunk(wrap(self.mime, body, keyframe), float(frame.pts * frame.time_base), keyframe, 0.0)]

    def set_bitrate(self, bps: int) -> None:
        self.bitrate = bps

    def close(self) -> None:
        self.closed = True


class FakeDecoder:
    def __init__(self, engine: FakeEngine, codec: CodecParameters) -> None:
        self.engine = engine
        self.mime = codec.codec.mime_type.lower()
        self.counters = DecoderCounters()
        self.implementation_name = f"fake {codec.codec.name}"
        self.closed = False
        self._last = -1

    def decode(self, frame: Any) -> list[FakeFrame]:
        assert not self.closed
        if self.engine.fail_decoding:
            raise RuntimeError("the decoder broke")
        number, width, height, black = _BODY.unpack_from(unwrap(self.mime, frame.data))
        self.counters.frames_decoded += 1
        self.counters.key_frames_decoded += frame.keyframe
        self.counters.total_decode_time += 0.001
        self.counters.frame_width, self.counters.frame_height = width, height
        self._last = number
        pts = round(frame.media_time / TICK)
        return [FakeFrame(number, pts, width=width, height=height, black=black, keyframe=frame.keyframe)]

    def conceal(self, duration: float) -> list[FakeFrame]:
        self.counters.concealment_events += 1
        return [FakeFrame(self._last, 0, concealed=True)]

    def close(self) -> None:
        self.closed = True


def wrap(mime: str, body: bytes, keyframe: bool) -> bytes:
    """A body in the clothes of a codec."""
    match mime:
        case "video/vp8":
            if keyframe:
                return b"\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01" + body
            return b"\x11\x00\x00" + body
        case "video/vp9":
            return (b"\x82\x49\x83\x42\x00\x27\xf0\x16\x70" if keyframe else b"\x86") + body
        case "audio/opus":
            return b"\xf8" + body
        case _:
            return body + bytes(160 - len(body)) if len(body) < 160 else body


def unwrap(mime: str, data: bytes) -> bytes:
    match mime:
        case "video/vp8":
            return data[3:] if data[0] & 1 else data[10:]
        case "video/vp9":
            return data[1:] if data[0] == 0x86 else data[9:]
        case "audio/opus":
            return data[1:]
        case _:
            return data


class FakeEngine:
    """Implements `aio.MediaEngine`."""

    CODECS = frozenset({"video/vp8", "video/vp9", "audio/opus", "audio/pcmu"})

    def __init__(self) -> None:
        self.encoders: list[FakeEncoder] = []
        self.decoders: list[FakeDecoder] = []
        self.encoded = 0
        self.keyframes = 0
        self.fail_encoding = False
        self.fail_decoding = False
        self.can = set(self.CODECS)

    def encoder(self, codec: CodecParameters, settings: EncoderSettings) -> FakeEncoder:
        self._check(codec.codec.mime_type)
        self.encoders.append(FakeEncoder(self, codec, settings))
        return self.encoders[-1]

    def decoder(self, codec: CodecParameters) -> FakeDecoder:
        self._check(codec.codec.mime_type)
        self.decoders.append(FakeDecoder(self, codec))
        return self.decoders[-1]

    def _check(self, mime_type: str) -> None:
        if mime_type.lower() not in self.can:
            raise NotSupportedError(f"no codec for {mime_type}")

    def can_encode(self, mime_type: str) -> bool:
        return mime_type.lower() in self.can

    def can_decode(self, mime_type: str) -> bool:
        return mime_type.lower() in self.can

    def blank(self, frame: FakeFrame) -> FakeFrame:
        return replace(frame, black=True)

    async def open_audio(self, constraints: rtc.AudioConstraints) -> rtc.AudioTrack:
        return rtc.AudioTrack(label="microphone", blank=self.blank)

    async def open_video(self, constraints: rtc.VideoConstraints) -> rtc.VideoTrack:
        return rtc.VideoTrack(label="camera", blank=self.blank)

    async def open_screen(self, constraints: rtc.ScreenConstraints) -> rtc.VideoTrack:
        return rtc.VideoTrack(label="screen", blank=self.blank)

    async def devices(self) -> Sequence[rtc.DeviceInfo]:
        return [rtc.DeviceInfo(device_id="mic", kind=rtc.DeviceKind.AUDIO_INPUT, label="microphone")]

    @property
    def open_codecs(self) -> int:
        """How many encoders and decoders are not closed."""
        codecs: list[FakeEncoder | FakeDecoder] = [*self.encoders, *self.decoders]
        return sum(not codec.closed for codec in codecs)


class SlowOffload(Offload):
    """Work that takes virtual time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        result = function(*args)
        await asyncio.sleep(self.seconds)
        return result


class Source:
    """Writes numbered frames into a track in virtual time, until it is cancelled or the track ends."""

    def __init__(self, track: Any, fps: float) -> None:
        self.track = track
        self.fps = fps
        self.number = 0

    def write(self) -> None:
        number = self.number
        self.number += 1
        pts = round(number * 1000 / self.fps)
        if isinstance(self.track, rtc.EncodedTrack):
            frame = FakeFrame(number, pts)
            keyframe = self.track.kind is MediaKind.AUDIO or number % 30 == 0 or self.wants_keyframe
            self.wants_keyframe = False
            data = wrap(self.track.codec.mime_type.lower(), encode_body(frame, 200), keyframe)
            self.track.write(rtc.OutgoingFrame(data, pts / 1000, keyframe))
        else:
            self.track.write(FakeFrame(number, pts))

    wants_keyframe = False

    async def run(self) -> None:
        while not self.track.ended:
            self.write()
            await asyncio.sleep(1 / self.fps)


def camera(**options: Any) -> rtc.VideoTrack:
    return rtc.VideoTrack(blank=lambda frame: replace(frame, black=True), **options)


def microphone(**options: Any) -> rtc.AudioTrack:
    return rtc.AudioTrack(blank=lambda frame: replace(frame, black=True), **options)


class Background:
    """Tasks of a test, cancelled when it is over."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.append(task)
        return task

    def play(self, track: Any, fps: float = 30.0) -> Source:
        source = Source(track, fps)
        self.start(source.run())
        return source

    async def __aenter__(self) -> Background:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            if not task.done():
                task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def take(source: Any, count: int, *, timeout: float = 10.0) -> list[Any]:
    """The next `count` entries of an iterator."""
    found: list[Any] = []
    async with asyncio.timeout(timeout):
        async for one in source:
            found.append(one)
            if len(found) == count:
                break
    return found
