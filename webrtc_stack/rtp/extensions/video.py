"""Values of the header extensions that describe video: orientation, content, timing, colour space.

Spec: 3GPP TS 26.114 section 7.4.5 (orientation, one-byte form), and the pages of the webrtc.org experiments
video-content-type, video-timing, color-space. Reserved bits are read as nothing and written as zero.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ...errors import InvalidArgumentError, ParseError
from .values import in_range, wrong_size


class VideoOrientation(NamedTuple):
    """How to show the picture: turned clockwise by `rotation` (0, 90, 180, 270) degrees, mirrored first if `flip`.

    `back_camera` tells which way the camera looks.
    """

    rotation: int = 0
    flip: bool = False
    back_camera: bool = False


class VideoTiming(NamedTuple):
    """Where a frame spent its time. Units: milliseconds since capture, each up to 65535.

    `by_timer` and `by_size` say why this frame was chosen; both network fields belong to middleboxes.
    """

    encode_start_ms: int = 0
    encode_finish_ms: int = 0
    packetization_finish_ms: int = 0
    pacer_exit_ms: int = 0
    network_ms: int = 0
    network2_ms: int = 0
    by_timer: bool = False
    by_size: bool = False


class HdrMetadata(NamedTuple):
    """Mastering display and light levels (SMPTE ST 2086), as the integers of the wire.

    Units: `luminance_max` nits, `luminance_min` 1/10000 nits, chromaticities (x, y) 1/50000, light levels nits.
    """

    luminance_max: int
    luminance_min: int
    primary_red: tuple[int, int]
    primary_green: tuple[int, int]
    primary_blue: tuple[int, int]
    white_point: tuple[int, int]
    max_content_light_level: int
    max_frame_average_light_level: int


class ColorSpace(NamedTuple):
    """ITU-T H.273 numbers of primaries, transfer and matrix; range and chroma siting as Matroska numbers them."""

    primaries: int
    transfer: int
    matrix: int
    range: int = 0
    chroma_siting_horizontal: int = 0
    chroma_siting_vertical: int = 0
    hdr: HdrMetadata | None = None


def parse_orientation(data: bytes) -> VideoOrientation:
    if len(data) != 1:
        raise wrong_size(data, "1", "video-orientation")
    bits = data[0]
    return VideoOrientation((bits & 3) * 90, bool(bits & 4), bool(bits & 8))


def serialize_orientation(value: VideoOrientation) -> bytes:
    if value.rotation not in (0, 90, 180, 270):
        raise InvalidArgumentError(f"a rotation is 0, 90, 180 or 270 degrees, not {value.rotation}")
    return bytes((value.rotation // 90 | value.flip << 2 | value.back_camera << 3,))


def parse_content_type(data: bytes) -> int:
    """The byte as it is: bit 0 is set for screen content, the others have had experimental meanings."""
    if len(data) != 1:
        raise wrong_size(data, "1", "video-content-type")
    return data[0]


def serialize_content_type(value: int) -> bytes:
    return bytes((in_range(value, 0, 255, "a content type"),))


_TIMING: Final = struct.Struct(">BHHHHHH")


def parse_timing(data: bytes) -> VideoTiming:
    if len(data) == 12:
        data = b"\0" + data  # the first version had no flags
    if len(data) != 13:
        raise wrong_size(data, "13, or 12", "video-timing")
    flags, start, finish, packetized, sent, network, network2 = _TIMING.unpack(data)
    return VideoTiming(start, finish, packetized, sent, network, network2, bool(flags & 1), bool(flags & 2))


def serialize_timing(value: VideoTiming) -> bytes:
    try:
        return _TIMING.pack(value.by_timer | value.by_size << 1, *value[:6])
    except struct.error:
        raise InvalidArgumentError(f"times of a frame are 0 to 65535 ms, not {value[:6]}") from None


_HDR: Final = struct.Struct(">12H")


def parse_color_space(data: bytes) -> ColorSpace:
    if len(data) not in (4, 28):
        raise wrong_size(data, "4 or 28", "color-space")
    primaries, transfer, matrix, siting = data[:4]
    hdr: HdrMetadata | None = None
    if len(data) == 28:
        v = _HDR.unpack_from(data, 4)
        hdr = HdrMetadata(v[0], v[1], (v[2], v[3]), (v[4], v[5]), (v[6], v[7]), (v[8], v[9]), v[10], v[11])
    if siting > 0x3F:
        raise ParseError(f"range and siting {siting:#04x} use reserved bits", offset=3, field="color-space")
    return ColorSpace(primaries, transfer, matrix, siting >> 4, siting >> 2 & 3, siting & 3, hdr)


def serialize_color_space(value: ColorSpace) -> bytes:
    for name in ("primaries", "transfer", "matrix"):
        in_range(getattr(value, name), 0, 255, name)
    for name in ("range", "chroma_siting_horizontal", "chroma_siting_vertical"):
        in_range(getattr(value, name), 0, 3, name)
    siting = value.range << 4 | value.chroma_siting_horizontal << 2 | value.chroma_siting_vertical
    data = bytes((value.primaries, value.transfer, value.matrix, siting))
    hdr = value.hdr
    if hdr is None:
        return data
    try:
        return data + _HDR.pack(
            *(hdr.luminance_max, hdr.luminance_min, *hdr.primary_red, *hdr.primary_green, *hdr.primary_blue),
            *(*hdr.white_point, hdr.max_content_light_level, hdr.max_frame_average_light_level),
        )
    except struct.error:
        raise InvalidArgumentError(f"fields of HDR metadata are 0 to 65535: {hdr}") from None
