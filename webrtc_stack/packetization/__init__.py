"""Payload formats: frames to RTP payloads and back. See README.md."""

from .av1 import Av1Facts, Av1Format
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
from .h264 import H264Facts, H264Format
from .h264_profile import H264Profile, ProfileLevelId, answer_profile_level_id, same_h264_format
from .h265 import H265Facts, H265Format
from .registry import encoding_names, payload_format
from .vp8 import Vp8Descriptor, Vp8Facts, Vp8Format
from .vp9 import Vp9Facts, Vp9Format
from .vp9_descriptor import Vp9Descriptor, Vp9GroupPicture, Vp9ScalabilityStructure
from .vp9_header import Vp9FrameHeader

__all__ = [
    "DEFAULT_DEPACKETIZER_CONFIG",
    "DEFAULT_MAX_PAYLOAD_BYTES",
    "Av1Facts",
    "Av1Format",
    "Depacketizer",
    "DepacketizerConfig",
    "DepacketizerCounters",
    "EncodedFrame",
    "H264Facts",
    "H264Format",
    "H264Profile",
    "H265Facts",
    "H265Format",
    "Packetizer",
    "PayloadFormat",
    "ProfileLevelId",
    "RtpPacketLike",
    "Vp8Descriptor",
    "Vp8Facts",
    "Vp8Format",
    "Vp9Descriptor",
    "Vp9Facts",
    "Vp9Format",
    "Vp9FrameHeader",
    "Vp9GroupPicture",
    "Vp9ScalabilityStructure",
    "answer_profile_level_id",
    "encoding_names",
    "payload_format",
    "same_h264_format",
]
