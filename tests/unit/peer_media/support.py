"""Pairs of media sessions with keys, plans as a negotiation would make them, and synthetic frames."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from webrtc_stack.base import SeededEntropy
from webrtc_stack.peer.media import FramesReceived, MediaConfig, MediaSession, OutgoingFrame, ReceivedFrame
from webrtc_stack.peer.negotiation.rtp_plan import RemoteSource, RtpPlan
from webrtc_stack.peer.parameters import Codec, CodecParameters, Encoding, SourceIds, TransceiverHandle
from webrtc_stack.rtp import Uri
from webrtc_stack.sdp import Direction
from webrtc_stack.sim import LinkConfig, MachinePair
from webrtc_stack.srtp import Profile, SrtpContext

AUDIO = TransceiverHandle(1)
VIDEO = TransceiverHandle(2)

VIDEO_FEEDBACK = ("nack", "nack pli", "ccm fir", "transport-cc", "goog-remb")
VP8 = CodecParameters(
    payload_type=96,
    codec=Codec(mime_type="video/VP8", clock_rate=90_000, feedback=VIDEO_FEEDBACK),
    rtx_payload_type=97,
)
H264 = CodecParameters(
    payload_type=102,
    codec=Codec(
        mime_type="video/H264",
        clock_rate=90_000,
        sdp_fmtp_line="level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        feedback=VIDEO_FEEDBACK,
    ),
    rtx_payload_type=103,
)
OPUS = CodecParameters(
    payload_type=111,
    codec=Codec(
        mime_type="audio/opus",
        clock_rate=48_000,
        channels=2,
        sdp_fmtp_line="minptime=10;useinbandfec=1",
        feedback=("transport-cc",),
    ),
)
RED = CodecParameters(
    payload_type=63,
    codec=Codec(mime_type="audio/red", clock_rate=48_000, channels=2, sdp_fmtp_line="111/111"),
)
PCMU = CodecParameters(payload_type=0, codec=Codec(mime_type="audio/PCMU", clock_rate=8000, channels=1))
NOISE = CodecParameters(payload_type=13, codec=Codec(mime_type="audio/CN", clock_rate=8000, channels=1))
TONES = CodecParameters(
    payload_type=110,
    codec=Codec(mime_type="audio/telephone-event", clock_rate=48_000, channels=1, sdp_fmtp_line="0-15"),
)
AUDIO_EXTENSIONS: dict[int, str] = {
    1: Uri.AUDIO_LEVEL,
    2: Uri.ABS_SEND_TIME,
    3: Uri.TRANSPORT_CC,
    4: Uri.MID,
    12: Uri.ABS_CAPTURE_TIME,
}
VIDEO_EXTENSIONS: dict[int, str] = {
    2: Uri.ABS_SEND_TIME,
    3: Uri.TRANSPORT_CC,
    4: Uri.MID,
    5: Uri.PLAYOUT_DELAY,
    10: Uri.RID,
    11: Uri.REPAIRED_RID,
    12: Uri.ABS_CAPTURE_TIME,
    13: Uri.VIDEO_ORIENTATION,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A section of a plan."""

    transceiver: TransceiverHandle | None
    mid: str
    kind: str
    rtp: RtpPlan | None


def audio(side: int, **changes: Any) -> Plan:
    """The audio section of side 0 or 1."""
    plan = RtpPlan(
        direction=Direction.SENDRECV,
        send_codecs=(OPUS, PCMU, TONES, NOISE),
        receive_codecs=(OPUS, PCMU, TONES, NOISE),
        send_extensions=AUDIO_EXTENSIONS,
        receive_extensions=AUDIO_EXTENSIONS,
        reduced_size=True,
        sources=(SourceIds(ssrc=1000 + side),),
        encodings=(Encoding(),),
        remote_sources=(RemoteSource(1000 + (1 - side), None, f"peer{1 - side}"),),
        cname=f"peer{side}",
        remote_stream_ids=("stream",),
        remote_track_id=f"audio-of-{1 - side}",
    )
    return Plan(transceiver=AUDIO, mid="0", kind="audio", rtp=replace(plan, **changes))


def video(side: int, **changes: Any) -> Plan:
    """The video section of side 0 or 1."""
    plan = RtpPlan(
        direction=Direction.SENDRECV,
        send_codecs=(VP8, H264),
        receive_codecs=(VP8, H264),
        send_extensions=VIDEO_EXTENSIONS,
        receive_extensions=VIDEO_EXTENSIONS,
        reduced_size=True,
        sources=(SourceIds(ssrc=2000 + side, rtx_ssrc=2100 + side),),
        encodings=(Encoding(),),
        remote_sources=(RemoteSource(2000 + (1 - side), 2100 + (1 - side), f"peer{1 - side}"),),
        cname=f"peer{side}",
        remote_stream_ids=("stream",),
        remote_track_id=f"video-of-{1 - side}",
    )
    return Plan(transceiver=VIDEO, mid="1", kind="video", rtp=replace(plan, **changes))


LAYERS = ("h", "m", "l")


def simulcast_sender(**changes: Any) -> Plan:
    """Three layers sent, as a browser does: no SSRC is announced."""
    return video(
        0,
        direction=Direction.SENDONLY,
        sources=tuple(SourceIds(ssrc=3000 + n, rtx_ssrc=3100 + n) for n in range(3)),
        encodings=tuple(Encoding(rid=rid) for rid in LAYERS),
        send_rids=LAYERS,
        remote_sources=(),
        **changes,
    )


def simulcast_receiver(**changes: Any) -> Plan:
    return video(
        1, direction=Direction.RECVONLY, sources=(), encodings=(), remote_sources=(), receive_rids=LAYERS, **changes
    )


def keys(seed: int = 0, profile: Profile = Profile.AEAD_AES_128_GCM) -> tuple[SrtpContext, SrtpContext]:
    """One direction: the context that protects and the one that unprotects."""
    entropy = SeededEntropy(f"keys {seed}")
    key, salt = entropy.bytes(profile.key_bytes), entropy.bytes(profile.parameters.salt_bytes)
    return SrtpContext(profile, key, salt), SrtpContext(profile, key, salt)


def session(side: int, seed: int = 1, **config: Any) -> MediaSession:
    return MediaSession(
        MediaConfig(entropy=SeededEntropy(f"{seed} side {side}"), wall_epoch=1_700_000_000.0 + side * 5, **config)
    )


def connect(left: MediaSession, right: MediaSession, *, now: float = 0.0, profile: Any = None) -> None:
    """Gives both their keys."""
    chosen = Profile.AEAD_AES_128_GCM if profile is None else profile
    one, other = keys(1, chosen), keys(2, chosen)
    left.set_keys(one[0], other[1], now)
    right.set_keys(other[0], one[1], now)


def pair(
    left: Sequence[Plan] | None = None, right: Sequence[Plan] | None = None, *, seed: int = 1, **config: Any
) -> tuple[MediaSession, MediaSession]:
    """Two connected sessions, audio and video both ways unless told otherwise."""
    sessions = session(0, seed, **config), session(1, seed, **config)
    sessions[0].configure([audio(0), video(0)] if left is None else left, 0.0)
    sessions[1].configure([audio(1), video(1)] if right is None else right, 0.0)
    connect(*sessions)
    return sessions


# --- frames -----------------------------------------------------------------------------------------------------------


def vp8_frame(number: int, *, keyframe: bool, size: int = 3000) -> bytes:
    """Bytes with the head of a VP8 frame (RFC 6386 section 9.1), then its number, then a pattern."""
    tag = (0 if keyframe else 1) | 1 << 4 | min(size // 4, 0x7FFFF) << 5
    head = tag.to_bytes(3, "little")
    if keyframe:
        head += b"\x9d\x01\x2a" + struct.pack("<HH", 320, 240)
    body = head + struct.pack(">I", number)
    pattern = SeededEntropy(f"frame {number}").bytes(32)
    return (body + pattern * (size // 32 + 1))[:size]


def opus_packet(number: int, size: int = 80) -> bytes:
    """A 20 ms CELT packet with a number inside."""
    return (bytes((0xFC,)) + struct.pack(">I", number) + SeededEntropy(f"opus {number}").bytes(32) * 4)[:size]


@dataclass
class Source:
    """Gives frames to a session as time goes by."""

    session: MediaSession
    handle: TransceiverHandle
    rid: str | None = None
    fps: float = 30.0
    size: int = 3000
    keyframe_next: bool = True
    sent: dict[int, bytes] = field(default_factory=dict)
    number: int = 0
    refused: int = 0

    def tick(self, now: float) -> None:
        """One frame."""
        if self.handle == AUDIO:
            data = opus_packet(self.number)
            frame = OutgoingFrame(data, self.number * 0.02, duration=0.02, audio_level=30, voice=True, capture_time=now)
        else:
            data = vp8_frame(self.number, keyframe=self.keyframe_next, size=self.size + (self.number % 7) * 100)
            frame = OutgoingFrame(data, self.number / self.fps, keyframe=self.keyframe_next, capture_time=now)
        if self.session.send_frame(self.handle, frame, now, self.rid):
            self.sent[self.number] = data
            self.keyframe_next = False
        else:
            self.refused += 1
        self.number += 1


class Call:
    """Two sessions on a link, with sources that tick, until a virtual time; key frame requests are served."""

    def __init__(
        self,
        left: MediaSession,
        right: MediaSession,
        *,
        seed: int = 1,
        link: LinkConfig | None = None,
        reverse_link: LinkConfig | None = None,
        serve_keyframes: bool = True,
    ) -> None:
        self.pair: MachinePair[bytes] = MachinePair(
            left, right, seed=seed, link=link or LinkConfig(latency=0.02), reverse_link=reverse_link, on_event=self._on
        )
        self.sessions = (left, right)
        self.sources: list[tuple[int, float, Source]] = []
        self.events: tuple[list[Any], list[Any]] = ([], [])
        self.frames: tuple[list[ReceivedFrame], list[ReceivedFrame]] = ([], [])
        self.actions: list[tuple[float, Any]] = []
        self.serve_keyframes = serve_keyframes

    def _on(self, side: int, event: Any, now: float) -> None:
        self.events[side].append(event)
        if isinstance(event, FramesReceived):
            self.frames[side].extend(event.frames)
        if type(event).__name__ == "KeyframeRequested" and self.serve_keyframes:
            for where, _, source in self.sources:
                if where == side and source.handle == event.handle and source.rid == event.rid:
                    source.keyframe_next = True

    def add(self, side: int, handle: TransceiverHandle, **settings: Any) -> Source:
        source = Source(self.sessions[side], handle, **settings)
        interval = 0.02 if handle == AUDIO else 1 / source.fps
        self.sources.append((side, interval, source))
        return source

    def at(self, time: float, action: Any) -> None:
        """`action(now)` at that time."""
        self.actions.append((time, action))

    def run(self, seconds: float, *, drain: float = 2.0) -> None:
        """Lets sources tick for `seconds`, then the rest arrive."""
        start = self.pair.now
        agenda: list[tuple[float, int, Any]] = []
        for order, (_, interval, source) in enumerate(self.sources):
            agenda += [(start + n * interval, order, source.tick) for n in range(int(seconds / interval))]
        agenda += [(start + time, 1000 + n, action) for n, (time, action) in enumerate(self.actions)]
        self.actions.clear()
        for time, _, action in sorted(agenda, key=lambda item: item[:2]):
            self.pair.run(until=time)
            action(self.pair.now)
            self.pair.settle()
        self.pair.run(until=start + seconds + drain)

    def of(self, side: int, kind: type) -> list[Any]:
        return [event for event in self.events[side] if isinstance(event, kind)]

    def frames_of(self, side: int, kind: str, rid: str | None = None) -> list[ReceivedFrame]:
        return [
            frame for frame in self.frames[side] if frame.codec.codec.kind == kind and (rid is None or frame.rid == rid)
        ]
