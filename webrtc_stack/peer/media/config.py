"""Tunables of a media session."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...base import SYSTEM_ENTROPY, Entropy
from ...errors import InvalidArgumentError
from ...rtp import streams
from ...trace import NO_TRACE, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaConfig:
    """How one peer's media is carried. Every queue's limit is here, with what happens when it is full."""

    max_datagram_bytes: int = 1200
    """UDP payload of a media packet at most, SRTP tag included: what every path carries, as browsers have it."""
    wall_epoch: float = 0.0
    """Unix seconds of instant 0: sender reports and capture times carry wall time."""

    max_early_datagrams: int = 128
    """Datagrams that came before the keys: the first flight of a browser that is quicker with DTLS. Later ones are
    dropped."""
    max_queued_packets: int = 4096
    """Packets of one encoding waiting to be polled: a large key frame at 4K and more. A frame that does not fit is
    refused whole (`send_frame` returns False), and a key frame asked for."""
    max_pending_packets: int = 4096
    """Packets of one stream waiting for `poll_events`, in `PacketsReceived`. The newest are dropped when full."""
    max_pending_frames: int = 512
    """Frames of one stream waiting for `poll_events`; ten seconds of audio. The newest are dropped when full."""
    max_pending_events: int = 1024
    """Other events waiting for `poll_events`; more are dropped."""
    max_learned_sources: int = 32
    """SSRCs of one section that signalling did not announce: simulcast layers and their RTX, found by RID or payload
    type. When full, the one silent longest goes if it was silent for `learned_timeout`; else the new one is refused."""
    learned_timeout: float = 5.0
    """Seconds of silence after which a learned source may lose its place: the RTCP interval of RFC 3550."""
    silence_timeout: float = 10.0
    """Seconds without a packet after which a source counts as ended. Opus without sound sends some packets a second."""
    max_frame_bytes: int = 4 << 20
    """Larger frames are dropped, received or sent: some ten times a large 4K key frame."""

    wait_for_keyframe: bool = True
    """Give out nothing of a video stream that builds on what is missing. False gives every whole frame."""
    keyframe_patience: float = 0.2
    """Seconds after the first packet of a video stream within which its first key frame may still be on the way."""
    video_reorder_packets: int = 512
    """Packets behind a missing one while a retransmission is waited for: a second at 5 Mbit/s."""
    video_reorder_time: float = 0.6
    """The same in seconds of media time: two round trips of 200 ms, and some."""
    audio_reorder_packets: int = 16
    """The same for audio delivered without playout: late sound is of no use."""
    audio_reorder_time: float = 0.1

    video_report_interval: float = 1.0
    """Seconds between regular RTCP reports where there is video: what browsers do."""
    audio_report_interval: float = 2.0
    """Seconds where there is only audio. RFC 3550 says five; the round-trip time is wanted sooner."""
    rtcp_bandwidth_bps: int = 200_000
    """What RTCP may take: 5 % of 4 Mbit/s. It spaces feedback packets some 10 ms apart."""
    report_packet_results: bool = False
    """Hand up what transport-wide feedback says of each packet, for whoever estimates bandwidth."""
    max_collisions: int = 8
    """Times that an SSRC of ours is changed since the peer uses it: chance makes none, and a peer that hunts ours down
    shall not make us send key frames for ever."""
    max_sections: int = 256
    """Media sections served at once."""

    nack: streams.NackConfig = field(default_factory=streams.NackConfig)
    keyframes: streams.KeyframeConfig = field(default_factory=streams.KeyframeConfig)
    history: streams.HistoryConfig = field(default_factory=streams.HistoryConfig)
    twcc: streams.TwccConfig = field(default_factory=streams.TwccConfig)
    audio_playout: streams.JitterBufferConfig = field(
        default_factory=lambda: streams.JitterBufferConfig(clock_rate=48_000, min_delay=0.02)
    )
    video_playout: streams.JitterBufferConfig = field(
        default_factory=lambda: streams.JitterBufferConfig(loss_grace=0.05)
    )
    sync: streams.SyncConfig = field(default_factory=streams.SyncConfig)

    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if not 400 <= self.max_datagram_bytes <= 65_000:
            raise InvalidArgumentError(f"max_datagram_bytes is 400 to 65000, got {self.max_datagram_bytes}")
        limits = (
            *(self.max_queued_packets, self.max_pending_packets, self.max_pending_frames, self.max_pending_events),
            *(self.max_early_datagrams, self.max_frame_bytes, self.max_sections, self.rtcp_bandwidth_bps),
        )
        if min(limits) < 1 or self.max_learned_sources < 0 or self.max_collisions < 0:
            raise InvalidArgumentError("every limit is at least 1, max_learned_sources and max_collisions not negative")
        if min(self.silence_timeout, self.video_report_interval, self.audio_report_interval) <= 0:
            raise InvalidArgumentError("silence_timeout and report intervals are seconds above 0")
