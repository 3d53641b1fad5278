"""The beginning of VP9's uncompressed frame header: what kind of frame it is, and how large.

Spec: VP9 bitstream specification sections 6.2, 7.2 (up to the frame size).
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ParseError
from .bits import BitReader

_SYNC_CODE = 0x498342
_SRGB = 7
# The header up to the frame size is at most 12 bytes; a little more does no harm.
_ENOUGH = 16


class Vp9FrameHeader(NamedTuple):
    """`width`, `height` and the colour fields are 0 where the header does not state them."""

    profile: int
    show_existing_frame: bool = False
    frame_to_show: int = 0
    key_frame: bool = False
    show_frame: bool = False
    error_resilient: bool = False
    bit_depth: int = 0
    color_space: int = 0
    full_range: bool = False
    subsampling: tuple[int, int] = (0, 0)
    width: int = 0
    height: int = 0

    @classmethod
    def parse(cls, frame: bytes) -> Vp9FrameHeader:
        """Reads the header at the beginning of `frame`. Errors: `ParseError`."""
        bits = BitReader(frame[:_ENOUGH])
        if bits.read(2) != 2:
            raise ParseError("frame marker is not 2", offset=0, field="VP9 frame header")
        profile = bits.read(1) | bits.read(1) << 1
        if profile == 3 and bits.flag():
            raise ParseError("reserved bit of profile 3 is set", offset=0, field="VP9 frame header")
        if bits.flag():
            return cls(profile, True, bits.read(3))
        key_frame = not bits.flag()
        show_frame, error_resilient = bits.flag(), bits.flag()
        if not key_frame:
            return cls(profile, key_frame=False, show_frame=show_frame, error_resilient=error_resilient)
        if bits.read(24) != _SYNC_CODE:
            raise ParseError("sync code is wrong", offset=1, field="VP9 frame header")
        depth = 8
        if profile >= 2:
            depth = 12 if bits.flag() else 10
        color_space = bits.read(3)
        odd = profile in (1, 3)
        if color_space == _SRGB:
            if not odd:
                raise ParseError(f"sRGB in profile {profile}", field="VP9 frame header")
            full_range, subsampling = True, (0, 0)
            bits.read(1)
        else:
            full_range = bits.flag()
            subsampling = (1, 1)
            if odd:
                subsampling = (bits.read(1), bits.read(1))
                bits.read(1)
        width, height = bits.read(16) + 1, bits.read(16) + 1
        return cls(
            profile,
            False,
            0,
            True,
            show_frame,
            error_resilient,
            depth,
            color_space,
            full_range,
            subsampling,
            width,
            height,
        )


def is_key_frame(frame: bytes) -> bool | None:
    """Whether `frame` is a key frame by its first byte; None if that is no VP9 frame header."""
    if not frame or frame[0] >> 6 != 2:
        return None
    first = frame[0]
    if first & 0x30 == 0x30:  # profile 3: one reserved bit more
        return not first & 0x06
    return not first & 0x0C
