"""What a media session hands up, and what it is given to send: values.

Spec: W3C webrtc-pc section 4.7 (muted), section 7 (DTMF); encoded frames after the manner of WebRTC Encoded Transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from ...base import Instant
from ...rtp import RtpPacket, streams
from ..parameters import CodecParameters, TransceiverHandle


class OutgoingFrame(NamedTuple):
    """One encoded frame to be sent: a picture, or one packet time of sound.

    `media_time` is seconds from the start of the stream; only differences matter. `codec` is a MIME type that was
    negotiated, None the first one. `capture_time` is when it was captured, on the session's clock; with it
    abs-capture-time is sent where negotiated. `audio_level` is -dBov (0 the loudest, 127 silence). `rotation` is that
    of the picture, clockwise degrees, None where it is not known.
    """

    data: bytes
    media_time: float
    keyframe: bool = False
    duration: float | None = None
    codec: str | None = None
    capture_time: Instant | None = None
    audio_level: int | None = None
    voice: bool = False
    rotation: int | None = None


class ReceivedFrame(NamedTuple):
    """One encoded frame as a decoder takes it, or (`lost`) the place of one that did not come.

    `timestamp` is the RTP timestamp, `media_time` seconds since the first frame of the stream. `capture_time` is when
    the sender captured it, on our clock as well as reports tell, None before the first report. `facts` are the payload
    format's own. `lost` frames come by playout delivery only: no data, due at the playout time of what is missing.
    `received_at` is when the first packet of the frame came, None for what did not come.
    """

    data: bytes
    codec: CodecParameters
    timestamp: int
    media_time: float
    keyframe: bool
    follows_loss: bool
    capture_time: Instant | None
    audio_level: int | None
    rid: str | None
    ssrc: int
    facts: Any = None
    lost: bool = False
    rotation: int | None = None
    received_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class PacketsReceived:
    """RTP packets in the order of their arrival, retransmitted ones unwrapped."""

    handle: TransceiverHandle
    rid: str | None
    packets: list[RtpPacket]


@dataclass(frozen=True, slots=True)
class FramesReceived:
    """Whole frames, in order."""

    handle: TransceiverHandle
    rid: str | None
    frames: list[ReceivedFrame]


@dataclass(frozen=True, slots=True)
class KeyframeRequested:
    """The encoder of this encoding shall make a key frame. Wishes of the peer are merged and rate-limited."""

    handle: TransceiverHandle
    rid: str | None


@dataclass(frozen=True, slots=True)
class SourceStarted:
    """The first packet of a source came, or the first one after its end."""

    handle: TransceiverHandle
    rid: str | None
    ssrc: int


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """A source has left: `bye`, `timeout`, `evicted`, `direction` or `removed`."""

    handle: TransceiverHandle
    ssrc: int
    reason: str


@dataclass(frozen=True, slots=True)
class Muted:
    """Nothing comes any more: every source ended, or the direction allows none."""

    handle: TransceiverHandle


@dataclass(frozen=True, slots=True)
class Unmuted:
    """Packets come (again)."""

    handle: TransceiverHandle


@dataclass(frozen=True, slots=True)
class ToneReceived:
    """A key press of the peer is over. Units: `duration` in seconds."""

    handle: TransceiverHandle
    digit: str
    duration: float


@dataclass(frozen=True, slots=True)
class ToneSent:
    """A tone begins; `digit` is empty when all are done."""

    handle: TransceiverHandle
    digit: str


@dataclass(frozen=True, slots=True)
class BitrateSuggested:
    """The peer's estimate of what may be sent in all (REMB)."""

    bps: int


@dataclass(frozen=True, slots=True)
class PacketResults:
    """What transport-wide feedback told of sent packets: food for a bandwidth estimator."""

    results: list[streams.PacketResult]


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over; always the last event."""

    reason: str


MediaEvent: TypeAlias = (
    PacketsReceived
    | FramesReceived
    | KeyframeRequested
    | SourceStarted
    | SourceEnded
    | Muted
    | Unmuted
    | ToneReceived
    | ToneSent
    | BitrateSuggested
    | PacketResults
    | Closed
)
