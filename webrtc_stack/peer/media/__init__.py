"""The media half of a peer: SRTP datagrams in and out, frames and packets. See README.md."""

from .config import MediaConfig
from .events import (
    BitrateSuggested,
    Closed,
    FramesReceived,
    KeyframeRequested,
    MediaEvent,
    Muted,
    OutgoingFrame,
    PacketResults,
    PacketsReceived,
    ReceivedFrame,
    SourceEnded,
    SourceStarted,
    ToneReceived,
    ToneSent,
    Unmuted,
)
from .facts import InboundFacts, OutboundFacts, RemoteInboundFacts, RemoteOutboundFacts, StreamFacts
from .plan import MediaSectionPlan, RemoteSourcePlan, SectionPlan
from .session import MediaSession, Timer

__all__ = [
    "BitrateSuggested",
    "Closed",
    "FramesReceived",
    "InboundFacts",
    "KeyframeRequested",
    "MediaConfig",
    "MediaEvent",
    "MediaSectionPlan",
    "MediaSession",
    "Muted",
    "OutboundFacts",
    "OutgoingFrame",
    "PacketResults",
    "PacketsReceived",
    "ReceivedFrame",
    "RemoteInboundFacts",
    "RemoteOutboundFacts",
    "RemoteSourcePlan",
    "SectionPlan",
    "SourceEnded",
    "SourceStarted",
    "StreamFacts",
    "Timer",
    "ToneReceived",
    "ToneSent",
    "Unmuted",
]
