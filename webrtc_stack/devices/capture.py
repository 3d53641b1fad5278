"""Frames from FFmpeg's input devices to tracks: one thread a device, which ends with its track.

The thread opens the device, reads and decodes, and hands frames to the event loop. A frame's media time is the loop's
clock when the first frame came, plus what the device's own timestamps advanced since: so tracks of several devices
share one clock. When the loop is busy, at most `_WAITING` frames wait, the oldest is dropped and counted.

A device that goes away ends its track, with the reason.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

from ..aio import AudioTrack, VideoTrack
from ..errors import DeviceError
from .failures import device_error

_WAITING = 8
_OPEN_TIMEOUT = 10.0
"""Seconds a device may take to open; a sleeping camera takes two."""
_READ_TIMEOUT = 5.0
"""Seconds without a frame after which a device counts as gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRequest:
    """What to open: FFmpeg's input format, its name for the device, and options."""

    format: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    video: bool = True
    label: str = ""


Opener = Callable[[CaptureRequest], InputContainer]


def open_input(request: CaptureRequest) -> InputContainer:
    """Opens an input device by FFmpeg. Errors: what PyAV raises."""
    return av.open(
        request.url, format=request.format, options=dict(request.options), timeout=(_OPEN_TIMEOUT, _READ_TIMEOUT)
    )


class Capture:
    """A device that feeds a track. `await start()` returns once it is open, or raises why it is not."""

    def __init__(self, request: CaptureRequest, track: VideoTrack | AudioTrack, opener: Opener = open_input) -> None:
        self._request, self._track, self._opener = request, track, opener
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: asyncio.Future[None] | None = None
        self._waiting: deque[Any] = deque()
        self._lock = threading.Lock()
        self._base: tuple[float, float] | None = None
        self.dropped = 0
        """Frames lost because the event loop was busy."""
        self.corrupted = 0

    async def start(self) -> None:
        """Errors: `DeviceNotFound`, `PermissionDenied`, `DeviceBusy`, `DeviceError`."""
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._track.on_end(lambda _: self._stop.set())
        thread = threading.Thread(target=self._run, name=f"webrtc-capture {self._request.url}", daemon=True)
        thread.start()
        try:
            await self._opened
        except asyncio.CancelledError:
            self._stop.set()
            raise

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        what = self._request.label or self._request.url
        try:
            container = self._opener(self._request)
        except Exception as error:  # whatever it is, somebody waits for it in the event loop
            self._tell(self._failed, device_error(error, what))
            return
        reason = f"{what} gives no more"
        try:
            stream = _stream_of(container, self._request)
            self._tell(self._is_open, None)
            self._read(container, stream)
        except DeviceError as error:
            self._tell(self._failed, error)
            reason = str(error)
        except Exception as error:  # of a device that fails only the track is left to tell
            reason = str(device_error(error, what))
        finally:
            container.close()
        if not self._stop.is_set():
            self._tell(self._gone, reason)

    def _read(self, container: InputContainer, stream: Any) -> None:
        for packet in container.demux(stream):
            if self._stop.is_set():
                return
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                self.corrupted += 1  # a torn picture of a camera; the next will do
                continue
            for frame in frames:
                self._hand_over(frame)

    def _hand_over(self, frame: Any) -> None:
        with self._lock:
            first = not self._waiting
            if len(self._waiting) >= _WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(frame)
        if first:
            self._tell(self._deliver, None)

    def _tell(self, function: Callable[[Any], None], value: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function, value)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            self._stop.set()

    # --- in the event loop -----------------------------------------------------------------------------------------

    def _is_open(self, _: None) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    def _failed(self, error: DeviceError) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)

    def _gone(self, reason: str) -> None:
        self._track.end(reason)

    def _deliver(self, _: None) -> None:
        with self._lock:
            frames = list(self._waiting)
            self._waiting.clear()
        for frame in frames:
            if self._track.ended:
                return
            self._retime(frame)
            self._track.write(frame)

    def _retime(self, frame: Any) -> None:
        assert self._loop is not None
        rate = frame.sample_rate if isinstance(frame, av.AudioFrame) else 90_000
        time = float(frame.pts * frame.time_base) if frame.pts is not None and frame.time_base else None
        if time is None:
            media_time = self._loop.time()
        else:
            if self._base is None:
                self._base = (self._loop.time(), time)
            media_time = self._base[0] + time - self._base[1]
        frame.pts, frame.time_base = round(media_time * rate), Fraction(1, rate)


def _stream_of(container: InputContainer, request: CaptureRequest) -> Any:
    streams: tuple[Any, ...] = tuple(container.streams.video if request.video else container.streams.audio)
    if not streams:
        raise DeviceError(f"{request.label or request.url} gives no {'pictures' if request.video else 'sound'}")
    streams[0].thread_type = "SLICE"  # frame threads would delay pictures
    return streams[0]
