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
from .dtmf import DtmfSender, DtmfTone
from .encoded_track import EncodedFrameLike, EncodedTrack
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
from .parameters import HeaderExtensionParameters, ReceiveParameters, RtpParameters, SendParameters
from .peer_connection import PeerConnection
from .perfect_negotiator import PerfectNegotiator, SignalingChannel, SignalingMessage
from .receiver import Receiver
from .remote_track import RemoteTrack
from .sender import KeyframeRequest, Sender
from .stream import EventStream
from .subscription import Broadcast, Subscription
from .track_events import (
    SendingStopped,
    TrackAdded,
    TrackEnded,
    TrackEvent,
    TrackMuted,
    TrackRemoved,
    TrackUnmuted,
)
from .tracks import AudioTrack, MediaTrack, RawTrack, TrackState, VideoTrack, new_id
from .transceiver import Transceiver

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
    "DtmfSender",
    "DtmfTone",
    "EncodedChunk",
    "EncodedFrameLike",
    "EncodedTrack",
    "Encoder",
    "EncoderCounters",
    "EncoderSettings",
    "EventStream",
    "FacingMode",
    "HeaderExtensionParameters",
    "KeyframeRequest",
    "MediaEngine",
    "MediaTrack",
    "Observable",
    "PeerConnection",
    "PerfectNegotiator",
    "RawTrack",
    "ReceiveParameters",
    "Receiver",
    "RemoteTrack",
    "RtpParameters",
    "ScreenConstraints",
    "SendParameters",
    "Sender",
    "SendingStopped",
    "SignalingChannel",
    "SignalingMessage",
    "Subscription",
    "TrackAdded",
    "TrackEnded",
    "TrackEvent",
    "TrackMuted",
    "TrackRemoved",
    "TrackState",
    "TrackUnmuted",
    "Transceiver",
    "VideoConstraints",
    "VideoTrack",
    "constraint_of",
    "load_engine",
    "media_time_of",
    "new_id",
]
