"""Pictures made fit for an encoder: converted, scaled, and never the caller's own object.

A frame may be on its way to several encoders in several threads at once, and an encoder is told its wishes (time, key
frame) by writing them on the frame: so each encoder works on a frame of its own.
"""

from __future__ import annotations

import av

from ..errors import InvalidArgumentError

_LARGEST = 16_384
"""Pixels a side: the largest that any encoder here takes."""


def even(value: float) -> int:
    """The nearest even number not above `value`, at least 2: 4:2:0 has one chroma sample for two pixels."""
    return max(2, int(value) & ~1)


def own_picture(frame: av.VideoFrame, width: int, height: int, pixel_format: str = "yuv420p") -> av.VideoFrame:
    """A new frame with the picture of `frame`, of that size and format.

    Errors: `InvalidArgumentError` for a frame that FFmpeg cannot convert.
    """
    if not 0 < width <= _LARGEST or not 0 < height <= _LARGEST:
        raise InvalidArgumentError(f"a picture of {width}x{height} cannot be encoded")
    if (frame.width, frame.height, frame.format.name) == (width, height, pixel_format):
        return _copied(frame)
    try:
        made = frame.reformat(width=width, height=height, format=pixel_format)
    except (av.FFmpegError, ValueError) as error:
        raise InvalidArgumentError(
            f"cannot convert {frame.format.name} {frame.width}x{frame.height} to {pixel_format} "
            f"{width}x{height}: {error}"
        ) from error
    return _copied(made) if made is frame else made


def _copied(frame: av.VideoFrame) -> av.VideoFrame:
    made = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, made.planes, strict=True):
        if source.line_size == target.line_size and source.buffer_size == target.buffer_size:
            target.update(source)  # type: ignore[arg-type]  # any buffer will do
        else:
            rows, stride, width = memoryview(source), source.line_size, target.line_size
            shared = min(stride, width)
            padding = bytes(width - shared)
            height = target.buffer_size // width
            target.update(b"".join(bytes(rows[y * stride : y * stride + shared]) + padding for y in range(height)))
    made.colorspace, made.color_range = frame.colorspace, frame.color_range
    return made


def black_like(frame: av.VideoFrame) -> av.VideoFrame:
    """A black picture of the size and the time of `frame`, in yuv420p."""
    made = av.VideoFrame(even(frame.width), even(frame.height), "yuv420p")
    for number, plane in enumerate(made.planes):
        plane.update((b"\x80" if number else b"\x10") * plane.buffer_size)
    made.pts, made.time_base = frame.pts, frame.time_base
    return made
