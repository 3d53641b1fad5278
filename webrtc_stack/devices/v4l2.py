"""What a camera on Linux can do, asked of its driver: sizes, frame rates, pixel formats.

FFmpeg tells this in its log only; the driver tells it as structures. Stepwise sizes are left out (their largest and
smallest are given); so are formats that FFmpeg would not decode here.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Ioctl = Callable[[int, int, bytearray], object]
"""As `fcntl.ioctl` with a mutable buffer: raises `OSError` when the driver says no."""

VIDIOC_QUERYCAP = 0x80685600
VIDIOC_ENUM_FMT = 0xC0405602
VIDIOC_ENUM_FRAMESIZES = 0xC02C564A
VIDIOC_ENUM_FRAMEINTERVALS = 0xC034564B
_VIDEO_CAPTURE = 0x1
_DEVICE_CAPS = 0x80000000
_BUFFER_VIDEO_CAPTURE = 1
_DISCRETE = 1
_MOST = 64
"""Entries of one list that are read: a driver that goes on is broken."""

PIXEL_FORMATS = {
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "MJPG": "mjpeg",
    "NV12": "nv12",
    "YU12": "yuv420p",
    "H264": "h264",
}
"""The driver's four letters, and FFmpeg's name for `input_format`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMode:
    """One way to run a camera."""

    width: int
    height: int
    frame_rate: float
    input_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFacts:
    """What a driver tells of a video node; `captures` is false for metadata and output nodes."""

    card: str
    bus: str
    captures: bool
    modes: tuple[CameraMode, ...]


def ask_camera(path: Path, ioctl: Ioctl | None = None) -> CameraFacts:
    """Errors: `OSError` when the node cannot be opened or is no video device."""
    if ioctl is None:
        if not sys.platform.startswith("linux"):
            raise OSError("video4linux is Linux's")
        import fcntl  # absent on Windows

        ioctl = fcntl.ioctl
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return _ask(descriptor, ioctl)
    finally:
        os.close(descriptor)


def _ask(descriptor: int, ioctl: Ioctl) -> CameraFacts:
    head = bytearray(104)
    ioctl(descriptor, VIDIOC_QUERYCAP, head)
    card, bus = (bytes(head[a:b]).split(b"\0")[0].decode(errors="replace") for a, b in ((16, 48), (48, 80)))
    capabilities, device = struct.unpack_from("=II", head, 84)
    captures = bool((device if capabilities & _DEVICE_CAPS else capabilities) & _VIDEO_CAPTURE)
    modes: list[CameraMode] = []
    if captures:
        for code in _formats(descriptor, ioctl):
            name = PIXEL_FORMATS.get(struct.pack("=I", code).decode("latin-1"))
            if name is None:
                continue
            for width, height in _sizes(descriptor, ioctl, code):
                for rate in _rates(descriptor, ioctl, code, width, height):
                    modes.append(CameraMode(width=width, height=height, frame_rate=rate, input_format=name))
    return CameraFacts(card=card, bus=bus, captures=captures, modes=tuple(modes))


def _entries(descriptor: int, ioctl: Ioctl, request: int, template: bytes) -> Iterator[bytearray]:
    """The entries of one of the driver's lists, whose index is the first word."""
    for index in range(_MOST):
        entry = bytearray(template)
        struct.pack_into("=I", entry, 0, index)
        try:
            ioctl(descriptor, request, entry)
        except OSError:
            return  # EINVAL: the list has ended; ENOTTY: there is none
        yield entry


def _formats(descriptor: int, ioctl: Ioctl) -> Iterator[int]:
    for entry in _entries(descriptor, ioctl, VIDIOC_ENUM_FMT, struct.pack("=II56x", 0, _BUFFER_VIDEO_CAPTURE)):
        yield struct.unpack_from("=I", entry, 44)[0]


def _sizes(descriptor: int, ioctl: Ioctl, code: int) -> Iterator[tuple[int, int]]:
    for entry in _entries(descriptor, ioctl, VIDIOC_ENUM_FRAMESIZES, struct.pack("=II36x", 0, code)):
        kind, *numbers = struct.unpack_from("=7I", entry, 8)
        if kind == _DISCRETE:
            yield numbers[0], numbers[1]
        else:  # stepwise: one entry tells all
            yield numbers[0], numbers[3]
            yield numbers[1], numbers[4]
            return


def _rates(descriptor: int, ioctl: Ioctl, code: int, width: int, height: int) -> Iterator[float]:
    found = False
    template = struct.pack("=4I36x", 0, code, width, height)
    for entry in _entries(descriptor, ioctl, VIDIOC_ENUM_FRAMEINTERVALS, template):
        kind, numerator, denominator = struct.unpack_from("=3I", entry, 16)
        if numerator and denominator:
            found = True
            yield denominator / numerator
        if kind != _DISCRETE:  # stepwise: the first interval is the shortest
            break
    if not found:
        yield 30.0
