"""The asyncio client API. See README.md; applications import these names from `webrtc_stack` itself."""

from .channel_events import (
    BufferedAmountLow,
    DataChannelAnnounced,
    DataChannelClosed,
    DataChannelClosing,
    DataChannelEvent,
    DataChannelOpened,
)
from .client import Client
from .config import ClientConfig
from .constraints import (
    AudioConstraints,
    Constrained,
    Constraint,
    DeviceInfo,
    DeviceKind,
    FacingMode,
    ScreenConstraints,
    VideoConstraints,
    constraint_of,
)
from .data_channel import DataChannel, DataChannelState
from .engine import (
    DecodableFrame,
    Decoder,
    DecoderCounters,
    EncodedChunk,
    Encoder,
    EncoderCounters,
    EncoderSettings,
    MediaEngine,
    load_engine,
    media_time_of,
)
from .observable import Observable
from .peer_connection import PeerConnection
from .stream import EventStream
from .subscription import Broadcast, Subscription
from .tracks import AudioTrack, MediaTrack, TrackState, VideoTrack, new_id

__all__ = [
    "AudioConstraints",
    "AudioTrack",
    "Broadcast",
    "BufferedAmountLow",
    "Client",
    "ClientConfig",
    "Constrained",
    "Constraint",
    "DataChannel",
    "DataChannelAnnounced",
    "DataChannelClosed",
    "DataChannelClosing",
    "DataChannelEvent",
    "DataChannelOpened",
    "DataChannelState",
    "DecodableFrame",
    "Decoder",
    "DecoderCounters",
    "DeviceInfo",
    "DeviceKind",
    "EncodedChunk",
    "Encoder",
    "EncoderCounters",
    "EncoderSettings",
    "EventStream",
    "FacingMode",
    "MediaEngine",
    "MediaTrack",
    "Observable",
    "PeerConnection",
    "ScreenConstraints",
    "Subscription",
    "TrackState",
    "VideoConstraints",
    "VideoTrack",
    "constraint_of",
    "load_engine",
    "media_time_of",
    "new_id",
]
