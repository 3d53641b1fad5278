"""Records tracks into a file: raw ones encoded, encoded and received ones as they are.

    async with devices.Recorder("call.mkv") as recorder:
        recorder.add_encoded(receiver)                   # what the peer sent, without transcoding
        recorder.add_track(microphone)                   # raw: encoded for the file
        await recorder.start()
        await asyncio.sleep(60)                          # or: await recorder.finished()

The file begins when every source has given something (video: a key frame, which is asked for), or after
`start_timeout`; a source that gave nothing until then is left out and noted in `notes`. Sources keep their own time:
each is placed by the moment its frames came and by its media time from then on, so that sound and picture stay
together however long the call. Losses leave gaps; a new resolution goes on in the same stream.

The file's thread encodes and writes; it ends with `stop()`, which finishes the file.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..aio import EncodedChunk, EncoderSettings
from ..errors import DeviceError, InvalidArgumentError, InvalidStateError, NotSupportedError, WebRTCError
from ..peer import MediaKind
from .audio_encoder import AudioEncoder
from .failures import MEDIA_FAILURES, device_error
from .sources import EncodedSource, PcmEncoder, RawSource
from .video_encoder import VideoEncoder
from .worker import Worker
from .writer import CONTAINERS, DEFAULTS, FileWriter, check_codec

_BUFFERED_FRAMES = 600
_BUFFERED_BYTES = 32 << 20
"""What one source may give before the file begins; then it begins without those that are late."""
_ASK_AGAIN = 1.0
_RAW_QUEUE = 30
"""Frames of a raw track that wait for the encoder: a recording should miss none, and a second of 1080p is 90 MB."""
_AUDIO_BITRATE = 64_000


@dataclass(slots=True, eq=False)
class _Input:
    """One source on its way into the file."""

    kind: MediaKind
    label: str
    mime_type: str | None
    channels: int
    run: Callable[[_Input], Any]
    encoder: Any = None
    buffer: deque[EncodedChunk] = field(default_factory=deque)
    buffered_bytes: int = 0
    offset: float | None = None
    number: int | None = None
    ended: bool = False


@dataclass(slots=True)
class RecorderCounters:
    frames_written: int = 0
    bytes_written: int = 0
    frames_dropped: int = 0
    """Before the first key frame, or of a source that is not in the file."""


class Recorder:
    """A file being written; `async with`, or `await start()` ... `await stop()`.

    `container` is `mp4`, `matroska`, `webm` or `wav`; by default the file's name tells.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, container: str | None = None, start_timeout: float = 5.0
    ) -> None:
        self.path = os.fspath(path)
        suffix = Path(self.path).suffix.lower().lstrip(".")
        self._container = CONTAINERS.get(container or suffix, container or suffix)
        if self._container not in DEFAULTS:
            raise InvalidArgumentError(
                f"cannot record to {self.path!r}: known are the extensions {', '.join(CONTAINERS)}"
            )
        self._start_timeout = start_timeout
        self._inputs: list[_Input] = []
        self._worker: Worker | None = None
        self._writer: FileWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._begun = False
        self._finished = asyncio.Event()
        self._origin = 0.0
        self._stopped = False
        self.error: WebRTCError | None = None
        """What ended the recording before its time; also raised by `stop`."""
        self.notes: list[str] = []
        """What is not in the file, and why."""
        self.counters = RecorderCounters()

    # --- sources ---------------------------------------------------------------------------------------------------

    def add_track(self, track: RawSource, *, mime_type: str | None = None, bitrate: int | None = None) -> None:
        """Records a raw track, encoded as `mime_type`, by default what suits the container.

        Errors: `NotSupportedError` for a codec that the container does not carry; `InvalidStateError` once recording.
        """
        kind = MediaKind(track.kind)
        video = kind is MediaKind.VIDEO
        mime_type = mime_type or DEFAULTS[self._container][0 if video else 1] or "video"
        settings = EncoderSettings(bitrate=bitrate or (None if video else _AUDIO_BITRATE))
        encoder: Any
        channels = 2
        if video:
            encoder = VideoEncoder(mime_type, {}, settings) if mime_type != "video" else None
        elif mime_type.lower() == "audio/l16":
            encoder = PcmEncoder(channels)
        else:
            channels = 2 if mime_type.lower() == "audio/opus" else 1
            encoder = AudioEncoder(mime_type, {"stereo": "1"}, settings, channels)

        async def run(entry: _Input) -> None:
            with track.frames(limit=_RAW_QUEUE) as frames:
                async for frame in frames:
                    assert self._worker is not None
                    for chunk in await self._worker.run(encoder.encode, frame):
                        await self._take(entry, chunk)

        self._add(_Input(kind, getattr(track, "label", "") or kind.value, mime_type, channels, run, encoder))

    def add_encoded(self, source: EncodedSource, *, kind: MediaKind | str | None = None) -> None:
        """Records encoded frames without transcoding: of an `EncodedTrack`, or of a `Receiver`.

        Errors: `NotSupportedError` for a codec that the container does not carry, if it is known by now; otherwise the
        source is left out and noted. `InvalidStateError` once recording.
        """
        codec = getattr(source, "codec", None)
        track = getattr(source, "track", None)
        found = kind or getattr(source, "kind", None) or getattr(track, "kind", None)
        if found is None:
            raise InvalidArgumentError("what is recorded has no kind; give kind='audio' or kind='video'")

        async def run(entry: _Input) -> None:
            asking = asyncio.get_running_loop().create_task(self._ask_for_keyframe(entry, source))
            try:
                async for frame in source.encoded_frames():
                    mime_type = _mime_type(frame) or entry.mime_type
                    if entry.mime_type is None:
                        try:
                            check_codec(self._container, mime_type or "a codec without a name")
                        except NotSupportedError as error:
                            self.notes.append(f"{entry.label}: {error}")
                            return
                        entry.mime_type = mime_type
                    elif mime_type is not None and mime_type.lower() != entry.mime_type.lower():
                        self.notes.append(f"{entry.label}: the codec changed to {mime_type}, the rest is left out")
                        return
                    chunk = EncodedChunk(
                        frame.data, frame.media_time, frame.keyframe, getattr(frame, "duration", None) or 0.0
                    )
                    await self._take(entry, chunk)
            finally:
                asking.cancel()

        mime_type = codec.mime_type if codec is not None else None
        label = getattr(source, "label", "") or getattr(track, "label", "") or str(found)
        self._add(_Input(MediaKind(found), label, mime_type, 2 if mime_type in (None, "audio/opus") else 1, run))

    def _add(self, entry: _Input) -> None:
        if self._tasks or self._stopped:
            raise InvalidStateError("a recording takes its sources before it starts")
        if entry.mime_type is not None:
            check_codec(self._container, entry.mime_type)
        if self._container == "wav" and self._inputs:
            raise InvalidArgumentError("a WAV file holds one source")
        self._inputs.append(entry)

    # --- life ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to listen to the sources. Errors: `InvalidStateError` without any, or a second time."""
        if self._tasks or self._stopped:
            raise InvalidStateError("the recording has been started before")
        if not self._inputs:
            raise InvalidStateError("there is nothing to record; add_track or add_encoded first")
        loop = asyncio.get_running_loop()
        self._worker = Worker("webrtc-recorder")
        self._timer = loop.call_later(self._start_timeout, self._late)
        for entry in self._inputs:
            self._tasks.append(loop.create_task(self._follow(entry), name=f"recording of {entry.label}"))

    async def stop(self) -> None:
        """Writes what is there and finishes the file. Idempotent.

        Errors: what ended the recording before (`error`); `DeviceError` when the file cannot be finished.
        """
        first = not self._stopped
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if first and self._worker is not None:
            worker = self._worker
            try:
                if self.error is None:
                    await self._begin()
                await worker.run(self._finish)
            except MEDIA_FAILURES as error:
                self.error = self.error or device_error(error, self.path)
            except WebRTCError as error:
                self.error = self.error or error
            finally:
                worker.close()
        self._finished.set()
        if self.error is not None and first:
            raise self.error

    async def finished(self) -> None:
        """Waits until every source has ended, or the recording failed, or was stopped."""
        await self._finished.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- frames ----------------------------------------------------------------------------------------------------

    async def _follow(self, entry: _Input) -> None:
        try:
            await entry.run(entry)
        except DeviceError as error:
            self._fail(error)
        except MEDIA_FAILURES as error:
            self._fail(error if isinstance(error, WebRTCError) else device_error(error, self.path))
        entry.ended = True
        if all(other.ended for other in self._inputs):
            self._finished.set()
        elif self._all_ready():
            await self._begin_or_fail()

    def _fail(self, error: WebRTCError) -> None:
        self.error = self.error or error
        self._finished.set()

    async def _ask_for_keyframe(self, entry: _Input, source: EncodedSource) -> None:
        while entry.kind is MediaKind.VIDEO and entry.offset is None:
            source.request_keyframe()
            await asyncio.sleep(_ASK_AGAIN)

    async def _take(self, entry: _Input, chunk: EncodedChunk) -> None:
        if self._begun:
            if entry.number is None:
                self.counters.frames_dropped += 1
            else:
                await self._write([(entry, chunk)])
            return
        if entry.kind is MediaKind.VIDEO and entry.offset is None and not chunk.keyframe:
            self.counters.frames_dropped += 1
            return
        if self._beginning is None:
            offset = asyncio.get_running_loop().time() - chunk.media_time
            # Frames come late, never early: the smallest delay is the truest.
            entry.offset = offset if entry.offset is None else min(entry.offset, offset)
        entry.buffer.append(chunk)
        entry.buffered_bytes += len(chunk.data)
        if len(entry.buffer) >= _BUFFERED_FRAMES or entry.buffered_bytes >= _BUFFERED_BYTES or self._all_ready():
            await self._begin()

    def _all_ready(self) -> bool:
        return all(entry.buffer or entry.ended for entry in self._inputs)

    def _late(self) -> None:
        loop = asyncio.get_running_loop()
        if any(entry.buffer for entry in self._inputs):
            self._tasks.append(loop.create_task(self._begin_or_fail()))
        elif not self._begun:
            self._timer = loop.call_later(self._start_timeout, self._late)

    async def _begin_or_fail(self) -> None:
        try:
            await self._begin()
        except MEDIA_FAILURES as error:
            self._fail(error if isinstance(error, WebRTCError) else device_error(error, self.path))
        except DeviceError as error:
            self._fail(error)

    async def _begin(self) -> None:
        """Opens the file, once, with the sources that have given something, and writes what has waited."""
        if self._beginning is None:
            present = [entry for entry in self._inputs if entry.buffer]
            if not present:
                return
            self._beginning = asyncio.get_running_loop().create_task(self._open_file(present))
        await asyncio.shield(self._beginning)

    async def _open_file(self, present: list[_Input]) -> None:
        assert self._worker is not None
        for entry in self._inputs:
            if not entry.buffer and not entry.ended:
                self.notes.append(f"{entry.label}: gave nothing in time, and is not in the file")
        self._origin = min(entry.buffer[0].media_time + (entry.offset or 0.0) for entry in present)
        declared = [(entry, entry.mime_type or "", entry.buffer[0].data) for entry in present]
        self._writer, numbers = await self._worker.run(self._open, declared)
        for entry, number in zip(present, numbers, strict=True):
            entry.number = number
        while any(entry.buffer for entry in present):  # more comes while this is written
            waiting = [(entry, chunk) for entry in present for chunk in entry.buffer]
            for entry in present:
                entry.buffer.clear()
            await self._write(sorted(waiting, key=lambda item: self._place(*item)))
        self._begun = True

    def _open(self, declared: list[tuple[_Input, str, bytes]]) -> tuple[FileWriter, list[int]]:
        """In the worker."""
        writer = FileWriter(self.path, self._container)
        try:
            numbers = [
                writer.add_video(mime_type, first)
                if entry.kind is MediaKind.VIDEO
                else writer.add_audio(mime_type, entry.channels)
                for entry, mime_type, first in declared
            ]
        except BaseException:
            writer.close()
            raise
        return writer, numbers

    def _place(self, entry: _Input, chunk: EncodedChunk) -> float:
        """Where in the file a frame belongs, in seconds."""
        return max(0.0, chunk.media_time + (entry.offset or 0.0) - self._origin)

    async def _write(self, chunks: list[tuple[_Input, EncodedChunk]]) -> None:
        assert self._worker is not None
        await self._worker.run(self._write_now, chunks)
        self.counters.frames_written += len(chunks)
        self.counters.bytes_written += sum(len(chunk.data) for _, chunk in chunks)

    def _write_now(self, chunks: list[tuple[_Input, EncodedChunk]]) -> None:
        """In the worker."""
        assert self._writer is not None
        for entry, chunk in chunks:
            if entry.number is not None:
                place = self._place(entry, chunk)
                self._writer.write(entry.number, chunk.data, place, chunk.keyframe, chunk.duration)

    def _finish(self) -> None:
        """In the worker: the rest of what encoders hold, and the end of the file."""
        try:
            for entry in self._inputs:
                if isinstance(entry.encoder, AudioEncoder) and self._writer is not None and entry.number is not None:
                    self._write_now([(entry, chunk) for chunk in entry.encoder.flush()])
                if entry.encoder is not None:
                    entry.encoder.close()
        finally:
            if self._writer is not None:
                self._writer.close()


def _mime_type(frame: Any) -> str | None:
    """The codec of an encoded frame: a name, or what was negotiated for a received one."""
    codec = getattr(frame, "codec", None)
    if codec is None or isinstance(codec, str):
        return codec
    return str(getattr(getattr(codec, "codec", codec), "mime_type", "")) or None
