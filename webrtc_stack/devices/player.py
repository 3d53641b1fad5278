"""Files in: plays a file as tracks, in real time.

    player = await devices.play("clip.mkv", loop=True)
    pc.add_track(player.video); pc.add_track(player.audio)
    ...
    await player.finished()          # or player.stop()

Reading and decoding run in one thread a file, a little ahead; frames are written when they are due by the event
loop's clock, so that under a simulated loop a film lasts no time. With `encoded=True` streams whose codec a call can
carry come as `EncodedTrack`s, without decoding; those that cannot (B-pictures, a codec of files only) are decoded.
An encoded file cannot answer a request for a key frame: a receiver that joins late waits for the file's next one.
"""

from __future__ import annotations

import asyncio
import heapq
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av

from ..aio import AudioTrack, EncodedChunk, EncodedTrack, MediaTrack, VideoTrack
from ..errors import DeviceError, InvalidArgumentError
from .failures import MEDIA_FAILURES, device_error
from .synthetic import LEAD
from .worker import Worker

_STEP = 0.25
"""Seconds of media read at a time."""
_MOST = 512
"""Entries read at a time, whatever their time."""
_SPREAD = 2.0
"""Seconds that one stream may run ahead of another that gives nothing: a film is not read whole for a short sound."""

_ENCODED = {
    "vp8": "video/VP8",
    "vp9": "video/VP9",
    "h264": "video/H264",
    "hevc": "video/H265",
    "av1": "video/AV1",
    "opus": "audio/opus",
    "pcm_mulaw": "audio/PCMU",
    "pcm_alaw": "audio/PCMA",
    "adpcm_g722": "audio/G722",
    "g722": "audio/G722",
}
"""FFmpeg's name of a codec, and the MIME type under which a call carries it."""
_TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}


class _Entry(NamedTuple):
    """Something due at `time` (seconds of the file) on a track."""

    time: float
    order: int
    kind: str
    item: Any


class _Reader:
    """The file, in the worker's thread: entries by time, with what repeats at the end if it loops."""

    def __init__(self, path: str, *, loop: bool, encoded: bool) -> None:
        container = av.open(path)
        self._container = container
        self._loop = loop
        self.streams: dict[str, Any] = {}
        self.mime_types: dict[str, str] = {}
        self._filters: dict[str, Any] = {}
        for kind, streams in (("audio", container.streams.audio), ("video", container.streams.video)):
            if len(streams):
                self.streams[kind] = streams[0]
                if encoded:
                    self._consider_encoded(kind, streams[0])
        if not self.streams:
            container.close()
            raise DeviceError(f"{path} has neither sound nor pictures")
        self._origin = (container.start_time or 0) / av.time_base
        self._offset = 0.0
        self.end = 0.0
        self._order = 0
        self._packets = self._demux()
        self._reached = dict.fromkeys(self.streams, 0.0)
        self.finished = False

    def _consider_encoded(self, kind: str, stream: Any) -> None:
        context = stream.codec_context
        name = getattr(context.codec, "canonical_name", context.name)
        name = {"libdav1d": "av1", "libopus": "opus", "libvpx": "vp8", "libvpx-vp9": "vp9"}.get(name, name)
        mime_type = _ENCODED.get(name)
        if mime_type is None or (kind == "video" and context.has_b_frames):
            return
        if mime_type in ("audio/PCMU", "audio/PCMA") and (context.sample_rate, context.channels) != (8_000, 1):
            return
        self.mime_types[kind] = mime_type
        extradata = context.extradata or b""
        if name in _TO_ANNEX_B and extradata[:1] == b"\x01":  # avcC or hvcC: lengths instead of start codes
            self._filters[kind] = av.BitStreamFilterContext(_TO_ANNEX_B[name], stream)

    def _demux(self) -> Iterator[Any]:
        return self._container.demux(*self.streams.values())

    def read_until(self, time: float) -> list[_Entry]:
        """Entries of every stream up to `time` at least, unless there are no more, or very many."""
        entries: list[_Entry] = []
        while not self.finished and len(entries) < _MOST:
            if min(self._reached.values()) >= time or max(self._reached.values()) >= time + _SPREAD:
                break
            packet = next(self._packets, None)
            if packet is None:
                self._at_end()
                continue
            entries += self._entries_of(packet)
        return entries

    def _at_end(self) -> None:
        if not self._loop or self.end <= self._offset:
            self.finished = True
            return
        self._offset = self.end
        self._container.seek(self._container.start_time or 0)
        self._packets = self._demux()

    def _entries_of(self, packet: Any) -> list[_Entry]:
        kind = packet.stream.type
        if kind in self.mime_types:
            packets = self._filters[kind].filter(packet) if kind in self._filters and packet.size else [packet]
            return [self._encoded(kind, piece) for piece in packets if piece.size]
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            return []  # a damaged place in a file is passed over
        return [self._raw(kind, frame) for frame in frames]

    def _at(self, kind: str, pts: int | None, time_base: Fraction | None, duration: float) -> float:
        time = float(pts * time_base) - self._origin if pts is not None and time_base else None
        time = self._reached[kind] if time is None else max(0.0, time) + self._offset
        self._reached[kind] = max(self._reached[kind], time)
        self.end = max(self.end, time + duration)
        return time

    def _raw(self, kind: str, frame: Any) -> _Entry:
        if isinstance(frame, av.AudioFrame):
            rate, duration = frame.sample_rate, frame.samples / frame.sample_rate
        else:
            rate = 90_000
            duration = 1 / float(self.streams[kind].average_rate or 30)
        time = self._at(kind, frame.pts, frame.time_base, duration)
        frame.pts, frame.time_base = round(time * rate), Fraction(1, rate)
        self._order += 1
        return _Entry(time, self._order, kind, frame)

    def _encoded(self, kind: str, packet: Any) -> _Entry:
        duration = float(packet.duration * packet.time_base) if packet.duration else 0.02
        time = self._at(kind, packet.pts, packet.time_base, duration)
        self._order += 1
        return _Entry(
            time, self._order, kind, EncodedChunk(bytes(packet), time, kind == "audio" or packet.is_keyframe, duration)
        )

    def close(self) -> None:
        self._container.close()


class Player:
    """A file that plays. `audio` and `video` are its tracks, None where it has none; made by `play`."""

    def __init__(self, path: str, reader: _Reader, worker: Worker) -> None:
        self._path, self._reader, self._worker = path, reader, worker
        self._name = Path(path).name
        self._tracks: dict[str, Any] = {kind: self._track(kind) for kind in reader.streams}
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"player of {self._name}")
        for track in self._tracks.values():
            track.on_end(self._on_end)

    @property
    def audio(self) -> AudioTrack | EncodedTrack | None:
        return self._tracks.get("audio")

    @property
    def video(self) -> VideoTrack | EncodedTrack | None:
        return self._tracks.get("video")

    @property
    def tracks(self) -> tuple[MediaTrack, ...]:
        return tuple(self._tracks.values())

    async def finished(self) -> None:
        """Waits until the file has been played, or was stopped."""
        await asyncio.wait([self._task])

    def stop(self) -> None:
        """Ends the tracks and closes the file. Idempotent."""
        for track in self._tracks.values():
            track.stop()

    def _track(self, kind: str) -> Any:
        mime_type = self._reader.mime_types.get(kind)
        if mime_type is not None:
            return EncodedTrack(kind, mime_type, label=self._name)
        return VideoTrack(label=self._name) if kind == "video" else AudioTrack(label=self._name)

    def _on_end(self, _: MediaTrack) -> None:
        if all(track.ended for track in self._tracks.values()):
            self._task.cancel()

    async def _run(self) -> None:
        reason = "the file has ended"
        try:
            await self._play()
        except asyncio.CancelledError:
            reason = "stopped"
            raise
        except MEDIA_FAILURES as error:
            reason = str(device_error(error, self._path))
        finally:
            self._worker.close(self._reader.close)
            for track in self._tracks.values():
                track.end(reason)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        heap: list[_Entry] = list(await self._worker.run(self._reader.read_until, 2 * _STEP))
        heapq.heapify(heap)
        start, step = loop.time() + LEAD, 1
        while heap or not self._reader.finished:
            ahead = loop.create_task(self._worker.run(self._reader.read_until, (step + 2) * _STEP))
            try:
                while heap and heap[0].time < step * _STEP:
                    entry = heapq.heappop(heap)
                    delay = start + entry.time - loop.time()
                    if delay > 0:
                        await asyncio.sleep(delay)
                    self._write(entry)
                more = await ahead
            except asyncio.CancelledError:
                ahead.cancel()
                raise
            for entry in more:
                heapq.heappush(heap, entry)
            step += 1
        rest = start + self._reader.end - loop.time()
        if rest > 0:  # the last frame lasts, too
            await asyncio.sleep(rest)

    def _write(self, entry: _Entry) -> None:
        track = self._tracks[entry.kind]
        if not track.ended:
            track.write(entry.item)


async def play(path: str | os.PathLike[str], *, loop: bool = False, encoded: bool = False) -> Player:
    """Plays a file, or anything that FFmpeg opens by a URL, as tracks.

    Errors: `DeviceNotFound`, `PermissionDenied`, `DeviceError` when it cannot be opened or holds no media.
    """
    name = os.fspath(path)
    if not name:
        raise InvalidArgumentError("a file to play needs a name")
    worker = Worker("webrtc-player")
    try:
        reader = await worker.run(lambda: _Reader(name, loop=loop, encoded=encoded))
    except MEDIA_FAILURES as error:
        worker.close()
        raise device_error(error, name) from error
    except BaseException:
        worker.close()
        raise
    return Player(name, reader, worker)
