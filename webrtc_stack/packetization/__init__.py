"""Payload formats: frames to RTP payloads and back. See README.md."""

from .audio import AudioPacketizer
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
from .comfort_noise import ComfortNoise
from .g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from .h264 import H264Facts, H264Format
from .h264_profile import H264Profile, ProfileLevelId, answer_profile_level_id, same_h264_format
from .h265 import H265Facts, H265Format
from .opus import OpusFacts, OpusParameters, recoverable_ticks
from .opus import parse_packet as parse_opus
from .red import RedBlock, RedFacts, RedPacketizer, parse_red, write_red
from .registry import encoding_names, payload_format
from .telephone_event import (
    EventEnded,
    EventStarted,
    TelephoneEvent,
    TelephoneEventReceiver,
    event_of,
    format_event_ranges,
    parse_event_ranges,
)
from .telephone_event_sender import (
    EventPacket,
    TelephoneEventSender,
    TelephoneEventSenderConfig,
    TonesFinished,
    ToneStarted,
)
from .vp8 import Vp8Descriptor, Vp8Facts, Vp8Format
from .vp9 import Vp9Facts, Vp9Format
from .vp9_descriptor import Vp9Descriptor, Vp9GroupPicture, Vp9ScalabilityStructure
from .vp9_header import Vp9FrameHeader

__all__ = [
    "AudioPacketizer",
    "Av1Facts",
    "Av1Format",
    "ComfortNoise",
    "DEFAULT_DEPACKETIZER_CONFIG",
    "DEFAULT_MAX_PAYLOAD_BYTES",
    "Depacketizer",
    "DepacketizerConfig",
    "DepacketizerCounters",
    "EncodedFrame",
    "EventEnded",
    "EventPacket",
    "EventStarted",
    "H264Facts",
    "H264Format",
    "H264Profile",
    "H265Facts",
    "H265Format",
    "OpusFacts",
    "OpusParameters",
    "Packetizer",
    "PayloadFormat",
    "ProfileLevelId",
    "RedBlock",
    "RedFacts",
    "RedPacketizer",
    "RtpPacketLike",
    "TelephoneEvent",
    "TelephoneEventReceiver",
    "TelephoneEventSender",
    "TelephoneEventSenderConfig",
    "ToneStarted",
    "TonesFinished",
    "Vp8Descriptor",
    "Vp8Facts",
    "Vp8Format",
    "Vp9Descriptor",
    "Vp9Facts",
    "Vp9Format",
    "Vp9FrameHeader",
    "Vp9GroupPicture",
    "Vp9ScalabilityStructure",
    "alaw_decode",
    "alaw_encode",
    "answer_profile_level_id",
    "encoding_names",
    "event_of",
    "format_event_ranges",
    "parse_event_ranges",
    "parse_opus",
    "parse_red",
    "payload_format",
    "recoverable_ticks",
    "same_h264_format",
    "ulaw_decode",
    "ulaw_encode",
    "write_red",
]
