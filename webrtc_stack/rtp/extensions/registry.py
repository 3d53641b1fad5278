"""The table from URI to codec: how the value of each extension is read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from . import layers, values, video
from .uri import Uri


class Codec(NamedTuple):
    """`parse` gives a value or a `ParseError`; `serialize` gives bytes or an `InvalidArgumentError`."""

    parse: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]


_RID: Final = Codec(values.parse_rid, values.serialize_rid)

CODECS: Final[Mapping[str, Codec]] = {
    str(uri): codec
    for uri, codec in {
        Uri.MID: Codec(values.parse_mid, values.serialize_mid),
        Uri.RID: _RID,
        Uri.REPAIRED_RID: _RID,
        Uri.TRANSMISSION_OFFSET: Codec(values.parse_offset, values.serialize_offset),
        Uri.AUDIO_LEVEL: Codec(values.parse_audio_level, values.serialize_audio_level),
        Uri.CSRC_AUDIO_LEVEL: Codec(values.parse_csrc_audio_levels, values.serialize_csrc_audio_levels),
        Uri.VIDEO_ORIENTATION: Codec(video.parse_orientation, video.serialize_orientation),
        Uri.ABS_SEND_TIME: Codec(values.parse_u24, values.serialize_u24),
        Uri.TRANSPORT_CC: Codec(values.parse_transport_cc, values.serialize_transport_cc),
        Uri.TRANSPORT_CC_V2: Codec(values.parse_transport_cc_02, values.serialize_transport_cc_02),
        Uri.PLAYOUT_DELAY: Codec(values.parse_playout_delay, values.serialize_playout_delay),
        Uri.ABS_CAPTURE_TIME: Codec(values.parse_abs_capture_time, values.serialize_abs_capture_time),
        Uri.VIDEO_CONTENT_TYPE: Codec(video.parse_content_type, video.serialize_content_type),
        Uri.VIDEO_TIMING: Codec(video.parse_timing, video.serialize_timing),
        Uri.COLOR_SPACE: Codec(video.parse_color_space, video.serialize_color_space),
        Uri.VIDEO_LAYERS_ALLOCATION: Codec(layers.parse_layers, layers.serialize_layers),
        # Its meaning depends on what came before in the stream: `DependencyReader` and `DependencyWriter` turn it
        # from and into bytes.
        Uri.DEPENDENCY_DESCRIPTOR: Codec(bytes, bytes),
    }.items()
}
"""By URI as text."""
