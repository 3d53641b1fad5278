"""A whole peer, still sans-IO: JSEP negotiation, the bundle of transports, `PeerCore`. See README.md."""

from ..datachannel import ChannelHandle, ChannelSnapshot
from .calls import TransceiverView
from .config import BundlePolicy, IceServer, IceTransportPolicy, PeerConfig, RtcpMuxPolicy
from .core import PeerCore
from .description import IceCandidate, SessionDescription
from .events import (
    ConnectionState,
    ConnectionStateChanged,
    IceCandidateErrored,
    IceCandidateGathered,
    IceConnectionStateChanged,
    IceGatheringStateChanged,
    NegotiationNeeded,
    PeerClosed,
    SelectedPairChanged,
    SignalingStateChanged,
    TrackAdded,
    TrackRemoved,
    TransceiverAdded,
    TransceiverChanged,
    TransceiverRemoved,
)
from .negotiation import SdpType, SignalingState
from .parameters import (
    Codec,
    CodecParameters,
    Encoding,
    HeaderExtension,
    MediaKind,
    SourceIds,
    TransceiverHandle,
)
from .snapshot import (
    DtlsSnapshot,
    IceSnapshot,
    PairSnapshot,
    PeerSnapshot,
    TransportCounters,
)
from .transport import DtlsState

__all__ = [
    "BundlePolicy",
    "ChannelHandle",
    "ChannelSnapshot",
    "Codec",
    "CodecParameters",
    "ConnectionState",
    "ConnectionStateChanged",
    "DtlsSnapshot",
    "DtlsState",
    "Encoding",
    "HeaderExtension",
    "IceCandidate",
    "IceCandidateErrored",
    "IceCandidateGathered",
    "IceConnectionStateChanged",
    "IceGatheringStateChanged",
    "IceServer",
    "IceSnapshot",
    "IceTransportPolicy",
    "MediaKind",
    "NegotiationNeeded",
    "PairSnapshot",
    "PeerClosed",
    "PeerConfig",
    "PeerCore",
    "PeerSnapshot",
    "RtcpMuxPolicy",
    "SdpType",
    "SelectedPairChanged",
    "SessionDescription",
    "SignalingState",
    "SignalingStateChanged",
    "SourceIds",
    "TrackAdded",
    "TrackRemoved",
    "TransceiverAdded",
    "TransceiverChanged",
    "TransceiverHandle",
    "TransceiverRemoved",
    "TransceiverView",
    "TransportCounters",
]
