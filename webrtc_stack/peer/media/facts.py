"""Facts of streams, by the names of W3C's statistics in snake_case.

What the session cannot know (decoding, rendering, encoding) is not here; who does adds it. A member that is None is
not known.

Units: seconds; instants on the session's clock, but `remote_timestamp`, which is Unix seconds of the peer's clock.

Spec: W3C webrtc-stats sections 6.2 to 6.8 (RTCReceivedRtpStreamStats, RTCInboundRtpStreamStats,
RTCRemoteInboundRtpStreamStats, RTCSentRtpStreamStats, RTCOutboundRtpStreamStats, RTCRemoteOutboundRtpStreamStats).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...base import Instant
from ..parameters import CodecParameters, MediaKind, TransceiverHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """What says which stream it is. `payload_type` and `codec` are the ones in use, None before the first packet."""

    handle: TransceiverHandle
    mid: str | None
    rid: str | None
    kind: MediaKind
    ssrc: int
    rtx_ssrc: int | None = None
    codec: CodecParameters | None = None

    @property
    def payload_type(self) -> int | None:
        return None if self.codec is None else self.codec.payload_type


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFacts(StreamFacts):
    """One received source, its RTX stream included. Bytes are of payloads, the others `header_bytes_received`."""

    active: bool = True
    """False once the source has ended."""
    packets_received: int = 0
    bytes_received: int = 0
    header_bytes_received: int = 0
    packets_lost: int = 0
    """By RFC 3550: what came by retransmission was lost all the same."""
    jitter: float = 0.0
    packets_discarded: int = 0
    """Came too late to be played, by the jitter buffer."""
    last_packet_received_timestamp: Instant | None = None
    retransmitted_packets_received: int = 0
    retransmitted_bytes_received: int = 0
    nack_count: int = 0
    """NACK messages sent."""
    pli_count: int = 0
    fir_count: int = 0
    frames_received: int = 0
    key_frames_received: int = 0
    frames_dropped: int = 0
    """Whole frames not given out, since they build on what is missing."""
    frames_assembled_from_multiple_packets: int = 0
    total_assembly_time: float = 0.0
    jitter_buffer_delay: float = 0.0
    """Summed over what left the jitter buffer; 0 without playout delivery."""
    jitter_buffer_target_delay: float = 0.0
    jitter_buffer_minimum_delay: float = 0.0
    jitter_buffer_emitted_count: int = 0
    """Frames of video; samples (ticks of the RTP clock) of audio."""
    audio_level: float | None = None
    """0 to 1, from the last packet that told it."""
    total_audio_energy: float | None = None
    stream_ids: tuple[str, ...] = ()
    track_identifier: str = ""
    cname: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundFacts(StreamFacts):
    """One sent encoding. Retransmissions are part of the packets and bytes, as W3C has it."""

    encoding_index: int = 0
    active: bool = False
    packets_sent: int = 0
    bytes_sent: int = 0
    header_bytes_sent: int = 0
    retransmitted_packets_sent: int = 0
    retransmitted_bytes_sent: int = 0
    frames_sent: int = 0
    key_frames_sent: int = 0
    huge_frames_sent: int = 0
    frames_refused: int = 0
    """Frames that the application gave and that were not sent: no keys yet, direction, paused, queue full."""
    total_packet_send_delay: float = 0.0
    nack_count: int = 0
    pli_count: int = 0
    fir_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInboundFacts(StreamFacts):
    """What the peer says of one stream of ours, in its reports. `timestamp` is when the last one came."""

    timestamp: Instant = 0.0
    packets_received: int = 0
    packets_lost: int = 0
    jitter: float = 0.0
    fraction_lost: float = 0.0
    round_trip_time: float | None = None
    total_round_trip_time: float = 0.0
    round_trip_time_measurements: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteOutboundFacts(StreamFacts):
    """What the peer says of one stream that it sends us, in its sender reports."""

    timestamp: Instant = 0.0
    remote_timestamp: float = 0.0
    packets_sent: int = 0
    bytes_sent: int = 0
    reports_sent: int = 0
    round_trip_time: float | None = None
    """By extended reports (RRTR and DLRR), where negotiated."""
    total_round_trip_time: float = 0.0
    round_trip_time_measurements: int = 0
