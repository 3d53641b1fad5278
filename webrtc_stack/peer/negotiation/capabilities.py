"""What this stack can send and receive: codecs and header extensions, in the order of preference.

Spec: RFC 7742 and 7874 (the codecs that must be there), W3C webrtc-pc sections 5.2.2 (getCapabilities), 5.4
(setCodecPreferences). `red`, `ulpfec` and `flexfec` for video are left out: browsers would wrap every packet in RED.
`audio/red` is there for those who ask for it by `set_codec_preferences`, and is never in the default order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ...errors import InvalidArgumentError
from ...rtp import Uri
from ..parameters import Codec, HeaderExtension, MediaKind
from .codecs import carries_media, same_codec


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpCapabilities:
    """W3C RTCRtpCapabilities."""

    codecs: tuple[Codec, ...]
    header_extensions: tuple[HeaderExtension, ...]


_AUDIO_FEEDBACK: Final = ("transport-cc",)
_VIDEO_FEEDBACK: Final = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")


def _audio(name: str, clock_rate: int, channels: int = 1, fmtp: str = "", feedback: tuple[str, ...] = ()) -> Codec:
    return Codec(
        mime_type=f"audio/{name}", clock_rate=clock_rate, channels=channels, sdp_fmtp_line=fmtp, feedback=feedback
    )


def _video(name: str, fmtp: str = "") -> Codec:
    return Codec(mime_type=f"video/{name}", clock_rate=90000, sdp_fmtp_line=fmtp, feedback=_VIDEO_FEEDBACK)


def _h264(profile: str, mode: int) -> Codec:
    return _video("H264", f"level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}")


RED: Final = _audio("red", 48000, 2)
RTX: Final = Codec(mime_type="video/rtx", clock_rate=90000)

# The payload types are those of Chromium where it has the codec: a peer's log then reads as people are used to.
DEFAULT_PAYLOAD_TYPES: Final[tuple[tuple[Codec, int], ...]] = (
    (_audio("opus", 48000, 2, "minptime=10;useinbandfec=1", _AUDIO_FEEDBACK), 111),
    (_audio("G722", 8000), 9),
    (_audio("PCMU", 8000), 0),
    (_audio("PCMA", 8000), 8),
    (_audio("CN", 8000), 13),
    (_audio("telephone-event", 48000), 110),
    (_audio("telephone-event", 8000), 126),
    (RED, 63),
    (_video("VP8"), 96),
    (_video("VP9", "profile-id=0"), 98),
    (_h264("42e01f", 1), 108),
    (_h264("42e01f", 0), 114),
    (_h264("42001f", 1), 102),
    (_h264("42001f", 0), 104),
    (_h264("4d001f", 1), 116),
    (_h264("64001f", 1), 112),
    (_video("AV1", "level-idx=5;profile=0;tier=0"), 45),
    (_video("H265", "level-id=93;profile-id=1;tier-flag=0;tx-mode=SRST"), 49),
)
"""Every codec with the payload type that it gets if nothing is in the way; its retransmissions get the next one."""

# Ids are few, and the first get them: what routes and what times come before what adorns.
_AUDIO_EXTENSIONS: Final = (
    HeaderExtension(uri=Uri.MID),
    HeaderExtension(uri=Uri.TRANSPORT_CC),
    HeaderExtension(uri=Uri.AUDIO_LEVEL),
    HeaderExtension(uri=Uri.ABS_SEND_TIME),
    HeaderExtension(uri=Uri.ABS_CAPTURE_TIME),
)
_VIDEO_EXTENSIONS: Final = (
    HeaderExtension(uri=Uri.MID),
    HeaderExtension(uri=Uri.TRANSPORT_CC),
    HeaderExtension(uri=Uri.RID),
    HeaderExtension(uri=Uri.REPAIRED_RID),
    HeaderExtension(uri=Uri.ABS_SEND_TIME),
    HeaderExtension(uri=Uri.VIDEO_ORIENTATION),
    HeaderExtension(uri=Uri.DEPENDENCY_DESCRIPTOR),
    HeaderExtension(uri=Uri.PLAYOUT_DELAY),
    HeaderExtension(uri=Uri.ABS_CAPTURE_TIME),
    HeaderExtension(uri=Uri.TRANSMISSION_OFFSET),
    HeaderExtension(uri=Uri.COLOR_SPACE),
    HeaderExtension(uri=Uri.VIDEO_CONTENT_TYPE),
    HeaderExtension(uri=Uri.VIDEO_TIMING),
)


def default_codecs(kind: MediaKind) -> tuple[Codec, ...]:
    """The codecs offered without any preference, RTX included for video."""
    found = tuple(codec for codec, _ in DEFAULT_PAYLOAD_TYPES if codec.kind is kind and codec is not RED)
    return (*found, RTX) if kind is MediaKind.VIDEO else found


def default_header_extensions(kind: MediaKind) -> tuple[HeaderExtension, ...]:
    """The header extensions offered unless the application chooses."""
    return _AUDIO_EXTENSIONS if kind is MediaKind.AUDIO else _VIDEO_EXTENSIONS


def capabilities(kind: MediaKind | str) -> RtpCapabilities:
    """W3C getCapabilities: what `set_codec_preferences` accepts. Errors: `InvalidArgumentError`."""
    try:
        kind = MediaKind(kind)
    except ValueError:
        raise InvalidArgumentError(f"unknown kind {str(kind)[:20]!r}; allowed are audio and video") from None
    codecs = default_codecs(kind)
    return RtpCapabilities(
        codecs=(*codecs, RED) if kind is MediaKind.AUDIO else codecs,
        header_extensions=default_header_extensions(kind),
    )


def preferred_codecs(kind: MediaKind, codecs: Iterable[Codec]) -> tuple[Codec, ...]:
    """Checks preferences and completes them from the capabilities; doubles are dropped, none means the default.

    A codec may leave feedback empty: it then has what this stack can.
    Errors: `InvalidArgumentError` for a codec that this stack cannot, or for a list of nothing but helpers such as RTX.
    Spec: W3C webrtc-pc section 5.4, setCodecPreferences (its InvalidModificationError).
    """
    known = capabilities(kind).codecs
    found: list[Codec] = []
    for wanted in codecs:
        ours = next((one for one in known if same_codec(one, wanted)), None)
        if ours is None:
            fmtp = f" {wanted.sdp_fmtp_line[:60]}" if wanted.sdp_fmtp_line else ""
            raise InvalidArgumentError(
                f"{wanted.mime_type[:40]}/{wanted.clock_rate}{fmtp} is not among the {kind} capabilities; "
                f"choose from capabilities({kind.value!r})"
            )
        chosen = Codec(
            mime_type=ours.mime_type,
            clock_rate=ours.clock_rate,
            channels=ours.channels,
            sdp_fmtp_line=wanted.sdp_fmtp_line or ours.sdp_fmtp_line,
            feedback=wanted.feedback or ours.feedback,
        )
        if not any(same_codec(chosen, one) for one in found):
            found.append(chosen)
    if found and not any(carries_media(one) for one in found):
        raise InvalidArgumentError("preferences need a codec that carries media, not only retransmission and the like")
    return tuple(found)
