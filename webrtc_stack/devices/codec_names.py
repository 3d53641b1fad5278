"""Which of FFmpeg's codecs serves which MIME type, and the options that make it fit for a live call.

Every video encoder here gives one packet for each picture it is given, at once, with no reordering: no B-pictures, no
look-ahead, no frame-parallel threads. Key frames come when asked for (and very seldom else), carry what a receiver
needs to begin (parameter sets, sequence headers), and are whole in themselves.

Spec: RFC 6184 section 8.1 (`profile-level-id`), RFC 7587 section 6.1 (Opus parameters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ParseError
from ..packetization import H264Profile, ProfileLevelId

Parameters = dict[str, str]
"""`a=fmtp` of a codec: lower-case names with `_` for `-`, as `packetization` has them."""


def parse_fmtp(line: str) -> Parameters:
    """The parameters of an `a=fmtp` line, forgiving: what is no `name=value` is left out."""
    pairs = (item.partition("=") for item in line.split(";"))
    return {name.strip().lower().replace("-", "_"): value.strip() for name, mark, value in pairs if mark}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoCodecNames:
    """FFmpeg's names for one video codec. `encoders` and `decoders` are tried in order."""

    encoders: tuple[str, ...]
    decoders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioCodecNames:
    """FFmpeg's names for one audio codec, and the sampling that it works at.

    `sample_rate` is the codec's, which for G.722 is not its RTP clock rate (8000, RFC 3551 section 4.5.2).
    """

    encoder: str
    decoders: tuple[str, ...]
    sample_rate: int
    channels: int
    frame_time: float = 0.02


VIDEO: dict[str, VideoCodecNames] = {
    "video/vp8": VideoCodecNames(encoders=("libvpx",), decoders=("vp8", "libvpx")),
    "video/vp9": VideoCodecNames(encoders=("libvpx-vp9",), decoders=("vp9", "libvpx-vp9")),
    "video/h264": VideoCodecNames(encoders=("libx264", "libopenh264"), decoders=("h264",)),
    "video/h265": VideoCodecNames(encoders=("libx265",), decoders=("hevc",)),
    "video/av1": VideoCodecNames(encoders=("libsvtav1", "libaom-av1"), decoders=("libdav1d", "libaom-av1")),
}
AUDIO: dict[str, AudioCodecNames] = {
    "audio/opus": AudioCodecNames(encoder="libopus", decoders=("libopus", "opus"), sample_rate=48_000, channels=2),
    "audio/pcmu": AudioCodecNames(encoder="pcm_mulaw", decoders=("pcm_mulaw",), sample_rate=8_000, channels=1),
    "audio/pcma": AudioCodecNames(encoder="pcm_alaw", decoders=("pcm_alaw",), sample_rate=8_000, channels=1),
    "audio/g722": AudioCodecNames(encoder="g722", decoders=("g722",), sample_rate=16_000, channels=1),
}

CHANGES_BITRATE_IN_PLACE = frozenset({"libx264"})
"""Encoders that FFmpeg tells of a new bitrate while they run; any other is opened anew, which costs a key frame."""

_PROFILE_NAMES = {
    H264Profile.CONSTRAINED_BASELINE: "Baseline",  # x264 writes it as constrained
    H264Profile.BASELINE: "Baseline",
    H264Profile.MAIN: "Main",
    H264Profile.CONSTRAINED_HIGH: "High",
    H264Profile.HIGH: "High",
    H264Profile.PREDICTIVE_HIGH_444: "High",  # a decoder of 4:4:4 reads High, and 4:2:0 is what is sent
}


def h264_profile(parameters: Parameters) -> H264Profile:
    """The profile that `profile-level-id` asks for; Constrained Baseline, which everybody reads, if it does not say."""
    try:
        return ProfileLevelId.parse(parameters.get("profile_level_id", "42e01f")).profile
    except ParseError:
        return H264Profile.CONSTRAINED_BASELINE


def video_encoder_profile(name: str, parameters: Parameters) -> str | None:
    """The profile that the encoder `name` is set to, as FFmpeg calls it; None leaves it to the encoder."""
    return _PROFILE_NAMES[h264_profile(parameters)] if name in ("libx264", "h264_vaapi", "h264_v4l2m2m") else None


def video_encoder_options(name: str, parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    """FFmpeg's options for a live call with the encoder `name`; an encoder not known here gets none but the common."""
    make = _OPTIONS.get(name)
    return make(parameters, bitrate, threads) if make else {}


def _vpx(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    return {
        "deadline": "realtime",
        "cpu-used": "6",
        "lag-in-frames": "0",
        "auto-alt-ref": "0",
        "error-resilient": "default",
        "undershoot-pct": "100",
        "overshoot-pct": "15",
        "max-intra-rate": "300",  # a key frame may take three frames' worth, so that it does not stall a slow path
        "minrate": str(bitrate),
        "maxrate": str(bitrate),  # equal to the bitrate: constant, as a path wants it
        "bufsize": str(bitrate),
        "qmin": "4",
        "qmax": "63",  # the full scale: nothing is left out to keep a low bitrate, so quality must give way
    }


def _vp9(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    return {**_vpx(parameters, bitrate, threads), "cpu-used": "8", "row-mt": "1", "aq-mode": "3"}


def _x264(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    return {
        "preset": "veryfast",
        "tune": "zerolatency",
        "forced-idr": "1",
        "maxrate": str(bitrate),
        "bufsize": str(bitrate // 2),  # half a second: the delay that a burst may cost
        # Annex B with the parameter sets before every key frame is FFmpeg's way as long as no global header is asked.
        "x264-params": "repeat-headers=1:annexb=1:scenecut=0:bframes=0",
    }


def _x265(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    kilobits = max(1, bitrate // 1000)
    return {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "forced-idr": "1",
        "x265-params": (
            f"log-level=none:repeat-headers=1:bframes=0:scenecut=0:vbv-maxrate={kilobits}:vbv-bufsize={kilobits}"
            f":pools={threads}:frame-threads=1"
        ),
    }


def _svt(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    # pred-struct 1 is low delay; rc 2 constant bitrate; rtc tunes for calls; scd and overlays would add frames.
    return {
        "preset": "10",
        "svtav1-params": f"pred-struct=1:lookahead=0:rc=2:rtc=1:scd=0:enable-overlays=0:lp={max(1, threads)}",
    }


def _aom(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    return {
        "usage": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "row-mt": "1",
        "aq-mode": "3",
        "error-resilience": "default",
        "minrate": str(bitrate),
        "maxrate": str(bitrate),
        "bufsize": str(bitrate),
    }


def _openh264(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    return {"allow_skip_frames": "0", "rc_mode": "bitrate", "profile": "constrained_baseline"}


def _nvenc(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    return {"preset": "p2", "tune": "ull", "zerolatency": "1", "delay": "0", "rc": "cbr", "forced-idr": "1", "bf": "0"}


def _vaapi(parameters: Parameters, bitrate: int, threads: int) -> dict[str, str]:
    return {"rc_mode": "CBR", "async_depth": "1", "bf": "0", "idr_interval": "0"}


_OPTIONS: dict[str, Callable[[Parameters, int, int], dict[str, str]]] = {
    "libvpx": _vpx,
    "libvpx-vp9": _vp9,
    "libx264": _x264,
    "libx265": _x265,
    "libsvtav1": _svt,
    "libaom-av1": _aom,
    "libopenh264": _openh264,
    "h264_nvenc": _nvenc,
    "hevc_nvenc": _nvenc,
    "av1_nvenc": _nvenc,
    "h264_vaapi": _vaapi,
    "hevc_vaapi": _vaapi,
    "vp8_vaapi": _vaapi,
    "vp9_vaapi": _vaapi,
    "av1_vaapi": _vaapi,
}


def opus_options(parameters: Parameters) -> dict[str, str]:
    """FFmpeg's options for Opus in a call, after what the peer asks for in `a=fmtp`."""
    options = {"application": "voip", "frame_duration": "20", "vbr": "on", "compression_level": "5"}
    if parameters.get("useinbandfec") == "1":
        # FEC is written only if loss is expected; 10 % is what a bad wireless path has.
        options |= {"fec": "1", "packet_loss": "10"}
    if parameters.get("usedtx") == "1":
        options["dtx"] = "1"
    if parameters.get("cbr") == "1":
        options["vbr"] = "off"
    return options
