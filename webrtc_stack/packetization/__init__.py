"""Payload formats: frames to RTP payloads and back. See README.md."""

from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    DepacketizerCounters,
    EncodedFrame,
    Packetizer,
    PayloadFormat,
    RtpPacketLike,
)
from .registry import encoding_names, payload_format

__all__ = [
    "DEFAULT_DEPACKETIZER_CONFIG",
    "DEFAULT_MAX_PAYLOAD_BYTES",
    "Depacketizer",
    "DepacketizerConfig",
    "DepacketizerCounters",
    "EncodedFrame",
    "Packetizer",
    "PayloadFormat",
    "RtpPacketLike",
    "encoding_names",
    "payload_format",
]
