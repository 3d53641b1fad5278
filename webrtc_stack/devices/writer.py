"""Writes encoded frames into a container file, as they are: no transcoding, only the form that the container wants.

Video streams are declared from their first key frame, which FFmpeg itself reads for size and parameter sets; H.264 and
H.265 come as Annex B and are turned into MP4's form by FFmpeg's muxer. Times are seconds from the file's beginning.

WAV has no timestamps: gaps are filled with silence. Blocking: runs in a worker's thread.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
from av.container import InputContainer

from ..errors import DeviceError, NotSupportedError
from .failures import MEDIA_FAILURES

_CLOCK = Fraction(1, 90_000)
_LONGEST_SILENCE = 600.0
"""Seconds that are filled in at a time: a source that jumps hours ahead is broken."""
_SILENCE_AFTER = 0.04

CONTAINERS = {
    "mp4": "mp4",
    "m4v": "mp4",
    "m4a": "mp4",
    "mkv": "matroska",
    "mka": "matroska",
    "webm": "webm",
    "wav": "wav",
}
"""File name extensions, and FFmpeg's name of the container."""
CODECS = {
    "webm": frozenset({"video/vp8", "video/vp9", "video/av1", "audio/opus"}),
    "matroska": frozenset(
        {"video/vp8", "video/vp9", "video/av1", "video/h264", "video/h265"} | {"audio/opus", "audio/l16"}
    ),
    "mp4": frozenset({"video/vp9", "video/av1", "video/h264", "video/h265", "audio/opus"}),
    "wav": frozenset({"audio/l16", "audio/pcmu", "audio/pcma"}),
}
"""What each container takes here. `audio/l16` is plain samples, little-endian."""
DEFAULTS = {
    "webm": ("video/VP8", "audio/opus"),
    "matroska": ("video/H264", "audio/opus"),
    "mp4": ("video/H264", "audio/opus"),
    "wav": ("", "audio/L16"),
}
"""What raw tracks are encoded with, video and audio."""

_RAW = {"video/h264": "h264", "video/h265": "hevc"}
_FOURCC = {"video/vp8": b"VP80", "video/vp9": b"VP90", "video/av1": b"AV01"}
_AUDIO = {
    "audio/opus": ("libopus", 48_000),
    "audio/pcmu": ("pcm_mulaw", 8_000),
    "audio/pcma": ("pcm_alaw", 8_000),
    "audio/l16": ("pcm_s16le", 48_000),
}
_SILENT_OCTET = {"audio/pcmu": b"\xff", "audio/pcma": b"\xd5", "audio/l16": b"\x00"}


def check_codec(container: str, mime_type: str) -> None:
    """Errors: `NotSupportedError` when that container does not carry that codec."""
    if mime_type.lower() not in CODECS[container]:
        fitting = [name for name, codecs in CODECS.items() if mime_type.lower() in codecs]
        advice = f"; {' and '.join(fitting)} do" if fitting else ""
        raise NotSupportedError(f"{container} does not carry {mime_type} here{advice}")


@dataclass(slots=True)
class _Stream:
    mime_type: str
    stream: Any
    last_pts: int = -1
    octets_per_second: int = 0
    written: float = 0.0


class FileWriter:
    """One file. Declare the streams, write frames, close."""

    def __init__(self, path: str, container: str) -> None:
        self._container_name = container
        self._container = av.open(path, "w", format=container)
        self._streams: list[_Stream] = []
        self._templates: list[InputContainer] = []
        self._closed = False

    def add_video(self, mime_type: str, keyframe: bytes) -> int:
        """Declares a video stream by its first key frame; returns its number. Errors: `DeviceError`."""
        key = mime_type.lower()
        check_codec(self._container_name, key)
        try:
            template = cast(InputContainer, av.open(io.BytesIO(_as_file(key, keyframe)), format=_RAW.get(key, "ivf")))
            source = template.streams.video[0]
            if not source.codec_context.width:
                raise DeviceError(f"the first key frame of {mime_type} tells no size")
            stream = self._container.add_stream_from_template(source, opaque=True)
        except MEDIA_FAILURES as error:
            raise DeviceError(f"a stream of {mime_type} cannot be written: {error}") from error
        self._templates.append(template)
        self._streams.append(_Stream(key, stream))
        return len(self._streams) - 1

    def add_audio(self, mime_type: str, channels: int) -> int:
        """Declares an audio stream; returns its number. Errors: `DeviceError`."""
        key = mime_type.lower()
        check_codec(self._container_name, key)
        name, rate = _AUDIO[key]
        try:
            stream: Any = self._container.add_stream(name, rate=rate)
            stream.codec_context.layout = "stereo" if channels == 2 else "mono"
        except MEDIA_FAILURES as error:
            raise DeviceError(f"a stream of {mime_type} cannot be written: {error}") from error
        octets = rate * channels * (2 if key == "audio/l16" else 1)
        self._streams.append(_Stream(key, stream, octets_per_second=octets))
        return len(self._streams) - 1

    def write(self, number: int, data: bytes, time: float, keyframe: bool, duration: float) -> None:
        """Writes one frame; its time must be after that of the last one of the stream, or is made so by a tick."""
        stream = self._streams[number]
        if self._container_name == "wav":
            data = self._filled(stream, data, time)
            time = 0.0
        pts = max(stream.last_pts + 1, round(time / _CLOCK))
        stream.last_pts = pts
        packet: av.Packet[Any] = av.Packet(data)
        packet.stream = stream.stream
        packet.time_base = _CLOCK
        packet.pts = packet.dts = pts
        packet.duration = round(duration / _CLOCK)
        packet.is_keyframe = keyframe
        self._container.mux(packet)

    def _filled(self, stream: _Stream, data: bytes, time: float) -> bytes:
        gap = min(time - stream.written, _LONGEST_SILENCE)
        if gap > _SILENCE_AFTER:
            width = 2 if stream.mime_type == "audio/l16" else 1
            octets = round(gap * stream.octets_per_second) // (2 * width) * 2 * width
            data = _SILENT_OCTET[stream.mime_type] * octets + data
        stream.written = max(stream.written, time - gap if gap > _SILENCE_AFTER else stream.written)
        stream.written += len(data) / stream.octets_per_second
        return data

    def close(self) -> None:
        """Finishes the file. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            self._container.close()
        finally:
            for template in self._templates:
                template.close()


def _as_file(mime_type: str, keyframe: bytes) -> bytes:
    """A key frame as the smallest file that holds it: Annex B as it is, the others in IVF."""
    if mime_type in _RAW:
        return keyframe
    # IVF: signature, version, header size, codec, width and height (unknown), rate, scale, frames, unused; then frames
    head = b"DKIF" + struct.pack("<HH4sHHIIII", 0, 32, _FOURCC[mime_type], 0, 0, 90_000, 1, 1, 0)
    return head + struct.pack("<IQ", len(keyframe), 0) + keyframe
