"""What a stream of media is made of, as values: codecs, header extensions, encodings.

These are the words that negotiation, the media session, the statistics and the client API share. A `Codec` is what
one side can do; `CodecParameters` is what was agreed for one section, with its payload types.

Spec: W3C webrtc-pc section 5.2 (RTCRtpCodec, RTCRtpCodecParameters, RTCRtpEncodingParameters,
RTCRtpHeaderExtensionParameters), section 5.4 (directions).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from ..sdp import Direction

TransceiverHandle = NewType("TransceiverHandle", int)
"""Names a transceiver of one peer, from its making to the end; handles are never used again."""


class MediaKind(StrEnum):
    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A codec with its parameters, without payload types.

    `feedback` are the kinds of RTCP feedback that go with it, as `a=rtcp-fb` writes them (`nack pli`).
    """

    mime_type: str
    """`audio/opus`, `video/VP8`; compared without regard to case."""
    clock_rate: int
    channels: int | None = None
    """Audio channels; None for video."""
    sdp_fmtp_line: str = ""
    feedback: tuple[str, ...] = ()

    @property
    def kind(self) -> MediaKind:
        return MediaKind(self.mime_type.partition("/")[0].lower())

    @property
    def name(self) -> str:
        """The encoding name: `opus`, `VP8`."""
        return self.mime_type.partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecParameters:
    """A codec as agreed for one section and one direction."""

    payload_type: int
    codec: Codec
    rtx_payload_type: int | None = None
    """The payload type of its retransmissions (RFC 4588); None if there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderExtension:
    """A header extension that we can speak; `direction` is ours, as in `a=extmap`."""

    uri: str
    direction: Direction = Direction.SENDRECV


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One encoding that a sender sends: one, or one a simulcast layer.

    Units: `max_bitrate` bits a second, `max_framerate` frames a second.
    """

    rid: str | None = None
    active: bool = True
    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceIds:
    """The SSRCs of one encoding: of the media, and of its retransmissions if any."""

    ssrc: int
    rtx_ssrc: int | None = None
