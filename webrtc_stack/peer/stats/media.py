"""Statistics of media: codecs, streams as each side sees them, sources, playout.

Spec: W3C webrtc-stats sections 6.1 to 6.13 (RTCRtpStreamStats, RTCCodecStats, RTCReceivedRtpStreamStats,
RTCInboundRtpStreamStats, RTCRemoteInboundRtpStreamStats, RTCSentRtpStreamStats, RTCOutboundRtpStreamStats,
RTCRemoteOutboundRtpStreamStats, RTCMediaSourceStats, RTCAudioSourceStats, RTCVideoSourceStats, RTCAudioPlayoutStats).
What is left out, and why: see README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..parameters import MediaKind
from .values import Stats, StatsType


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecStats(Stats):
    """A codec that some stream uses, in one direction."""

    type: ClassVar[StatsType] = StatsType.CODEC
    payload_type: int
    transport_id: str
    mime_type: str
    clock_rate: int | None = None
    channels: int | None = None
    sdp_fmtp_line: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpStreamStats(Stats):
    ssrc: int
    kind: MediaKind
    transport_id: str | None = None
    codec_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRtpStreamStats(RtpStreamStats):
    packets_received: int | None = None
    packets_lost: int | None = None
    """May be negative: duplicates count as received."""
    jitter: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRtpStreamStats(ReceivedRtpStreamStats):
    """A stream that we receive. Video alone has frames, audio alone has samples."""

    type: ClassVar[StatsType] = StatsType.INBOUND_RTP
    track_identifier: str
    mid: str | None = None
    remote_id: str | None = None
    frames_decoded: int | None = None
    key_frames_decoded: int | None = None
    frames_rendered: int | None = None
    frames_dropped: int | None = None
    frame_width: int | None = None
    frame_height: int | None = None
    frames_per_second: float | None = None
    total_decode_time: float | None = None
    total_inter_frame_delay: float | None = None
    total_squared_inter_frame_delay: float | None = None
    pause_count: int | None = None
    total_pauses_duration: float | None = None
    freeze_count: int | None = None
    total_freezes_duration: float | None = None
    last_packet_received_timestamp: float | None = None
    header_bytes_received: int | None = None
    packets_discarded: int | None = None
    bytes_received: int | None = None
    nack_count: int | None = None
    fir_count: int | None = None
    pli_count: int | None = None
    total_processing_delay: float | None = None
    jitter_buffer_delay: float | None = None
    jitter_buffer_target_delay: float | None = None
    jitter_buffer_emitted_count: int | None = None
    jitter_buffer_minimum_delay: float | None = None
    total_samples_received: int | None = None
    concealed_samples: int | None = None
    silent_concealed_samples: int | None = None
    concealment_events: int | None = None
    audio_level: float | None = None
    total_audio_energy: float | None = None
    total_samples_duration: float | None = None
    frames_received: int | None = None
    decoder_implementation: str | None = None
    playout_id: str | None = None
    power_efficient_decoder: bool | None = None
    frames_assembled_from_multiple_packets: int | None = None
    total_assembly_time: float | None = None
    retransmitted_packets_received: int | None = None
    retransmitted_bytes_received: int | None = None
    rtx_ssrc: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInboundRtpStreamStats(ReceivedRtpStreamStats):
    """What the peer reports of a stream that we send. `timestamp` is when its last report came."""

    type: ClassVar[StatsType] = StatsType.REMOTE_INBOUND_RTP
    local_id: str | None = None
    round_trip_time: float | None = None
    total_round_trip_time: float | None = None
    fraction_lost: float | None = None
    round_trip_time_measurements: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRtpStreamStats(RtpStreamStats):
    packets_sent: int | None = None
    bytes_sent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRtpStreamStats(SentRtpStreamStats):
    """A stream that we send: one encoding. Retransmissions are part of its packets and bytes."""

    type: ClassVar[StatsType] = StatsType.OUTBOUND_RTP
    mid: str | None = None
    media_source_id: str | None = None
    remote_id: str | None = None
    rid: str | None = None
    encoding_index: int | None = None
    header_bytes_sent: int | None = None
    retransmitted_packets_sent: int | None = None
    retransmitted_bytes_sent: int | None = None
    rtx_ssrc: int | None = None
    target_bitrate: float | None = None
    total_encoded_bytes_target: int | None = None
    frame_width: int | None = None
    frame_height: int | None = None
    frames_per_second: float | None = None
    frames_sent: int | None = None
    huge_frames_sent: int | None = None
    frames_encoded: int | None = None
    key_frames_encoded: int | None = None
    qp_sum: int | None = None
    total_encode_time: float | None = None
    total_packet_send_delay: float | None = None
    nack_count: int | None = None
    fir_count: int | None = None
    pli_count: int | None = None
    encoder_implementation: str | None = None
    power_efficient_encoder: bool | None = None
    active: bool | None = None
    scalability_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOutboundRtpStreamStats(SentRtpStreamStats):
    """What the peer says of a stream that it sends. `timestamp` is when its last report came."""

    type: ClassVar[StatsType] = StatsType.REMOTE_OUTBOUND_RTP
    local_id: str | None = None
    remote_timestamp: float | None = None
    """When the report left, by the peer's clock."""
    reports_sent: int | None = None
    round_trip_time: float | None = None
    total_round_trip_time: float | None = None
    round_trip_time_measurements: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSourceStats(Stats):
    """What a sender's track gives, before it is encoded."""

    type: ClassVar[StatsType] = StatsType.MEDIA_SOURCE
    track_identifier: str
    kind: MediaKind


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSourceStats(MediaSourceStats):
    audio_level: float | None = None
    total_audio_energy: float | None = None
    total_samples_duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSourceStats(MediaSourceStats):
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    frames_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPlayoutStats(Stats):
    """What was handed to whoever plays a received audio track."""

    type: ClassVar[StatsType] = StatsType.MEDIA_PLAYOUT
    kind: MediaKind
    total_samples_duration: float | None = None
    total_playout_delay: float | None = None
    total_samples_count: int | None = None
