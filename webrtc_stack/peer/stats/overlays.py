"""What floors above know and a peer without codecs cannot: encoding, decoding, sources, playout.

The client API fills these values; a member that is None is not known and stays absent. Members have the names and the
units of the statistics that they become.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..parameters import MediaKind, TransceiverHandle

StreamKey: TypeAlias = tuple[TransceiverHandle, str | None]
"""A transceiver and the rid of one of its encodings; None without simulcast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundOverlay:
    """What the encoder of one encoding did. For audio W3C has the first member alone; the others are passed over."""

    target_bitrate: float | None = None
    encoder_implementation: str | None = None
    total_encode_time: float | None = None
    frames_encoded: int | None = None
    key_frames_encoded: int | None = None
    total_encoded_bytes_target: int | None = None
    frame_width: int | None = None
    frame_height: int | None = None
    frames_per_second: float | None = None
    qp_sum: int | None = None
    power_efficient_encoder: bool | None = None
    scalability_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundOverlay:
    """What became of a received stream: decoded, concealed, rendered. Members that W3C has for the other kind of media
    alone are passed over."""

    track_identifier: str | None = None
    """The id of the receiver's track, if it is not the one that the peer signalled."""
    decoder_implementation: str | None = None
    power_efficient_decoder: bool | None = None
    frames_decoded: int | None = None
    key_frames_decoded: int | None = None
    frames_rendered: int | None = None
    frames_dropped: int | None = None
    """By the decoder or behind it; what the session dropped before is added."""
    frame_width: int | None = None
    frame_height: int | None = None
    frames_per_second: float | None = None
    total_decode_time: float | None = None
    total_processing_delay: float | None = None
    """From the first packet of a frame to its decoded picture or samples, summed."""
    total_inter_frame_delay: float | None = None
    total_squared_inter_frame_delay: float | None = None
    pause_count: int | None = None
    total_pauses_duration: float | None = None
    freeze_count: int | None = None
    total_freezes_duration: float | None = None
    total_samples_received: int | None = None
    concealed_samples: int | None = None
    silent_concealed_samples: int | None = None
    concealment_events: int | None = None
    audio_level: float | None = None
    """Of the decoded samples: better than what the packets say, which is used without it."""
    total_audio_energy: float | None = None
    total_samples_duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOverlay:
    """The track that a sender sends."""

    track_identifier: str
    kind: MediaKind
    audio_level: float | None = None
    total_audio_energy: float | None = None
    total_samples_duration: float | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    frames_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayoutOverlay:
    """The playout of one received audio track."""

    total_samples_duration: float | None = None
    total_playout_delay: float | None = None
    total_samples_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlays:
    """Everything that is known above at one moment; what is not in it stays unknown."""

    outbound: Mapping[StreamKey, OutboundOverlay] = field(default_factory=dict)
    inbound: Mapping[StreamKey, InboundOverlay] = field(default_factory=dict)
    sources: Mapping[TransceiverHandle, SourceOverlay] = field(default_factory=dict)
    playouts: Mapping[TransceiverHandle, PlayoutOverlay] = field(default_factory=dict)
    available_outgoing_bitrate: float | None = None
    """What the peer said that it can take (REMB), bits a second."""


NO_OVERLAYS: Final = Overlays()
