"""Values of header extensions: those that others wrote down, and each form's edges."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from tests.support.vectors import cases
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import (
    CODECS,
    AbsCaptureTime,
    AudioLevel,
    ColorSpace,
    HdrMetadata,
    PlayoutDelay,
    SpatialLayer,
    TransportSequence,
    Uri,
    VideoLayersAllocation,
    VideoOrientation,
    VideoTiming,
    abs_send_time,
    compact_ntp,
    compact_to_seconds,
    ntp_to_abs_send_time,
    ntp_to_unix,
    parse_leb128,
    seconds_to_compact,
    serialize_leb128,
    unix_to_ntp,
)

_CASES = cases("rtp/rtp_extension_values.json")
_BY_URI = [pytest.param(case, id=case["id"]) for case in _CASES if case["uri"] in CODECS]
_LEB128 = [pytest.param(case, id=case["id"]) for case in _CASES if case["uri"].startswith("LEB128")]
_NTP = [pytest.param(case, id=case["id"]) for case in _CASES if case["uri"].startswith("NTP")]


def _layer(layer: SpatialLayer) -> dict[str, Any]:
    shown: dict[str, Any] = {"stream": layer.stream, "spatial": layer.spatial, "target_kbps": list(layer.target_kbps)}
    if layer.width:
        shown |= {"width": layer.width, "height": layer.height, "framerate": layer.framerate}
    return shown


def _shown(value: Any) -> dict[str, Any]:
    match value:
        case AudioLevel():
            return value._asdict()
        case PlayoutDelay():
            return {"min_delay": value.min_delay_ms // 10, "max_delay": value.max_delay_ms // 10, "unit": "10 ms"}
        case VideoLayersAllocation():
            layers = [_layer(layer) for layer in value.layers]
            return {"stream": value.stream, "streams": value.streams, "layers": layers}
    raise AssertionError(value)


@pytest.mark.parametrize("case", _BY_URI)
def test_noted_values_are_read_and_written(case: dict[str, Any]) -> None:
    codec = CODECS[case["uri"]]
    data = bytes.fromhex(case["hex"])
    if "error" in case:
        with pytest.raises(ParseError):
            codec.parse(data)
        return
    value = codec.parse(data)
    if isinstance(value, int):
        assert value in case["expect"].values()
    else:
        assert _shown(value) == case["expect"]
    assert codec.serialize(value) == data


@pytest.mark.parametrize("case", _LEB128)
def test_noted_leb128_numbers_are_read_and_written(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if "error" in case:
        with pytest.raises(ParseError):
            parse_leb128(data)
        return
    assert parse_leb128(data) == (case["expect"]["value"], len(data))
    assert serialize_leb128(case["expect"]["value"]) == data


@pytest.mark.parametrize("case", _NTP)
def test_noted_ntp_times_are_converted(case: dict[str, Any]) -> None:
    from datetime import datetime

    timestamp = int(case["hex"], 16)
    when = datetime.fromisoformat(case["expect"]["utc"]).replace(tzinfo=UTC).timestamp()
    assert ntp_to_unix(timestamp) == pytest.approx(when, abs=1e-6)
    assert abs(unix_to_ntp(when) - timestamp) < 2**32 / 1e6
    assert ntp_to_abs_send_time(timestamp) == pytest.approx(int(case["abs_send_time"], 16), abs=1)


def test_ntp_time_goes_on_in_2036() -> None:
    assert ntp_to_unix(0) == 2**32 - 2_208_988_800
    assert unix_to_ntp(float(2**32 - 2_208_988_800 + 5)) == 5 << 32


def test_compact_times_are_the_middle_bits_and_spans_saturate() -> None:
    assert compact_ntp(0x11112222_33334444) == 0x22223333
    assert seconds_to_compact(1.5) == 0x18000
    assert (seconds_to_compact(-1), seconds_to_compact(1e9)) == (0, 0xFFFFFFFF)
    assert compact_to_seconds(0x8000) == 0.5
    assert abs_send_time(64.0 + 1 / 2) == 1 << 17


_HDR = HdrMetadata(1000, 5, (34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450), 1000, 400)

_VALUES: list[tuple[Uri, Any, str]] = [
    (Uri.MID, "ünicode", "c3bc6e69636f6465"),
    (Uri.RID, "hi", "6869"),
    (Uri.REPAIRED_RID, "lo-1_x", "6c6f2d315f78"),
    (Uri.TRANSMISSION_OFFSET, -1, "ffffff"),
    (Uri.TRANSMISSION_OFFSET, 0x7FFFFF, "7fffff"),
    (Uri.CSRC_AUDIO_LEVEL, (0, 127, 5), "007f05"),
    (Uri.VIDEO_ORIENTATION, VideoOrientation(270, True, True), "0f"),
    (Uri.VIDEO_ORIENTATION, VideoOrientation(90), "01"),
    (Uri.TRANSPORT_CC_V2, TransportSequence(258), "0102"),
    (Uri.TRANSPORT_CC_V2, TransportSequence(258, 3, True), "01028003"),
    (Uri.PLAYOUT_DELAY, PlayoutDelay(0, 40950), "000fff"),
    (Uri.ABS_CAPTURE_TIME, AbsCaptureTime(2**64 - 1), "ff" * 8),
    (Uri.ABS_CAPTURE_TIME, AbsCaptureTime(1, -1), "0000000000000001" + "ff" * 8),
    (Uri.VIDEO_CONTENT_TYPE, 1, "01"),
    (Uri.VIDEO_TIMING, VideoTiming(1, 2, 3, 4, 5, 6, True, True), "03000100020003000400050006"),
    (Uri.COLOR_SPACE, ColorSpace(1, 2, 3, 2, 1, 2), "01020326"),
    (
        Uri.COLOR_SPACE,
        ColorSpace(9, 16, 9, 1, 1, 1, _HDR),
        "09100915" + "03e80005" + "84d03e80" + "33c286c4" + "1d4c0bb8" + "3d134042" + "03e80190",
    ),
    (Uri.VIDEO_LAYERS_ALLOCATION, VideoLayersAllocation(0, 1, ()), "00"),
    (Uri.DEPENDENCY_DESCRIPTOR, b"abc", "616263"),
]


@pytest.mark.parametrize(("uri", "value", "data"), _VALUES, ids=str)
def test_a_value_and_its_bytes_are_each_others(uri: Uri, value: Any, data: str) -> None:
    assert CODECS[uri].serialize(value).hex() == data
    assert CODECS[uri].parse(bytes.fromhex(data)) == value


def test_every_named_extension_but_the_wrapper_has_a_codec() -> None:
    assert set(CODECS) == set(Uri) - {Uri.ENCRYPTED}


def test_video_timing_of_the_first_version_had_no_flags() -> None:
    assert CODECS[Uri.VIDEO_TIMING].parse(bytes(11) + b"\5") == VideoTiming(network2_ms=5)


@pytest.mark.parametrize(
    ("uri", "data"),
    [
        *((uri, "") for uri in Uri if uri not in (Uri.ENCRYPTED, Uri.DEPENDENCY_DESCRIPTOR)),
        *((uri, "00" * 29) for uri in Uri if uri not in (Uri.ENCRYPTED, Uri.DEPENDENCY_DESCRIPTOR, Uri.MID)),
        (Uri.MID, "ff"),
        (Uri.RID, "6120"),
        (Uri.RID, "c3bc"),
        (Uri.COLOR_SPACE, "01020340"),
        (Uri.VIDEO_LAYERS_ALLOCATION, "20"),
        (Uri.VIDEO_LAYERS_ALLOCATION, "01"),
        (Uri.VIDEO_LAYERS_ALLOCATION, "0100"),
        (Uri.VIDEO_LAYERS_ALLOCATION, "010080"),
        (Uri.VIDEO_LAYERS_ALLOCATION, "01000102"),
        (Uri.VIDEO_LAYERS_ALLOCATION, "410001"),
    ],
)
def test_what_is_no_value_is_a_parse_error(uri: Uri, data: str) -> None:
    with pytest.raises(ParseError):
        CODECS[uri].parse(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("uri", "value"),
    [
        (Uri.MID, ""),
        (Uri.MID, "x" * 256),
        (Uri.RID, "a b"),
        (Uri.ABS_SEND_TIME, 1 << 24),
        (Uri.TRANSMISSION_OFFSET, 1 << 23),
        (Uri.TRANSPORT_CC, -1),
        (Uri.TRANSPORT_CC_V2, TransportSequence(1, 0x8000)),
        (Uri.PLAYOUT_DELAY, PlayoutDelay(20, 10)),
        (Uri.ABS_CAPTURE_TIME, AbsCaptureTime(-1)),
        (Uri.AUDIO_LEVEL, AudioLevel(128)),
        (Uri.CSRC_AUDIO_LEVEL, ()),
        (Uri.VIDEO_ORIENTATION, VideoOrientation(45)),
        (Uri.VIDEO_CONTENT_TYPE, 256),
        (Uri.VIDEO_TIMING, VideoTiming(65536)),
        (Uri.COLOR_SPACE, ColorSpace(256, 0, 0)),
        (Uri.COLOR_SPACE, ColorSpace(1, 1, 1, 4)),
        (Uri.COLOR_SPACE, ColorSpace(1, 1, 1, hdr=_HDR._replace(luminance_max=65536))),
        (Uri.VIDEO_LAYERS_ALLOCATION, VideoLayersAllocation(0, 5, (SpatialLayer(0, 0, (1,)),))),
        (Uri.VIDEO_LAYERS_ALLOCATION, VideoLayersAllocation(1, 1, (SpatialLayer(0, 0, (1,)),))),
        (Uri.VIDEO_LAYERS_ALLOCATION, VideoLayersAllocation(0, 1, (SpatialLayer(0, 0, ()),))),
        (
            Uri.VIDEO_LAYERS_ALLOCATION,
            VideoLayersAllocation(0, 1, (SpatialLayer(0, 1, (1,)), SpatialLayer(0, 0, (1,)))),
        ),
        (
            Uri.VIDEO_LAYERS_ALLOCATION,
            VideoLayersAllocation(0, 1, (SpatialLayer(0, 0, (1,), 2, 2, 3), SpatialLayer(0, 1, (1,)))),
        ),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_a_usage_error(uri: Uri, value: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        CODECS[uri].serialize(value)
