"""webrtc_stack: a WebRTC protocol stack written from scratch.

    import webrtc_stack as rtc

    async with rtc.Client() as client, client.create_peer_connection() as pc: ...

Every layer is also useful alone: `from webrtc_stack import sdp, stun, ice, dtls, sctp, datachannel, peer, sim`.

The names of the client API are loaded when first used, so that importing one low layer costs that layer only, and no
event loop. Nothing here ever imports a codec, a web server or a terminal library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .aio import (
        AudioConstraints,
        AudioTrack,
        BufferedAmountLow,
        Client,
        ClientConfig,
        Constraint,
        DataChannel,
        DataChannelAnnounced,
        DataChannelClosed,
        DataChannelClosing,
        DataChannelEvent,
        DataChannelOpened,
        DataChannelState,
        DeviceInfo,
        DeviceKind,
        DtmfSender,
        DtmfTone,
        EncodedTrack,
        FacingMode,
        KeyframeRequest,
        MediaEngine,
        MediaTrack,
        Observable,
        PeerConnection,
        PerfectNegotiator,
        ReceiveParameters,
        Receiver,
        RemoteTrack,
        ScreenConstraints,
        Sender,
        SendingStopped,
        SendParameters,
        SignalingChannel,
        TrackAdded,
        TrackEnded,
        TrackEvent,
        TrackMuted,
        TrackRemoved,
        TrackState,
        TrackUnmuted,
        Transceiver,
        VideoConstraints,
        VideoTrack,
    )
    from .base import Fingerprint
    from .dtls import Certificate
    from .errors import (
        AuthenticationFailed,
        BufferFull,
        ConnectionLost,
        DeviceBusy,
        DeviceError,
        DeviceNotFound,
        DtlsAlertError,
        FingerprintMismatch,
        InvalidAccessError,
        InvalidArgumentError,
        InvalidStateError,
        MessageTooLarge,
        NegotiationError,
        NotSupportedError,
        ParseError,
        PermissionDenied,
        ProtocolError,
        ResourceError,
        SctpAbortError,
        SdpParseError,
        SecurityError,
        StunErrorResponse,
        TimedOut,
        TooManyStreams,
        TransportError,
        UsageError,
        WebRTCError,
    )
    from .peer import (
        AddressRewrite,
        BundlePolicy,
        Codec,
        CodecParameters,
        ConnectionState,
        Encoding,
        Explanation,
        HeaderExtension,
        IceCandidate,
        IceServer,
        IceTcp,
        IceTransportPolicy,
        MediaKind,
        OutgoingFrame,
        PeerSnapshot,
        ReceivedFrame,
        RewriteMode,
        RtcpMuxPolicy,
        RtpCapabilities,
        SdpType,
        SessionDescription,
        SignalingState,
    )
    from .sdp import Direction

__all__ = [
    "AddressRewrite",
    "AudioConstraints",
    "AudioTrack",
    "AuthenticationFailed",
    "BufferFull",
    "BufferedAmountLow",
    "BundlePolicy",
    "Certificate",
    "Client",
    "ClientConfig",
    "Codec",
    "CodecParameters",
    "ConnectionLost",
    "ConnectionState",
    "Constraint",
    "DataChannel",
    "DataChannelAnnounced",
    "DataChannelClosed",
    "DataChannelClosing",
    "DataChannelEvent",
    "DataChannelOpened",
    "DataChannelState",
    "DeviceBusy",
    "DeviceError",
    "DeviceInfo",
    "DeviceKind",
    "DeviceNotFound",
    "Direction",
    "DtlsAlertError",
    "DtmfSender",
    "DtmfTone",
    "EncodedTrack",
    "Encoding",
    "Explanation",
    "FacingMode",
    "Fingerprint",
    "FingerprintMismatch",
    "HeaderExtension",
    "IceCandidate",
    "IceServer",
    "IceTcp",
    "IceTransportPolicy",
    "InvalidAccessError",
    "InvalidArgumentError",
    "InvalidStateError",
    "KeyframeRequest",
    "MediaEngine",
    "MediaKind",
    "MediaTrack",
    "MessageTooLarge",
    "NegotiationError",
    "NotSupportedError",
    "Observable",
    "OutgoingFrame",
    "ParseError",
    "PeerConnection",
    "PeerSnapshot",
    "PerfectNegotiator",
    "PermissionDenied",
    "ProtocolError",
    "ReceiveParameters",
    "ReceivedFrame",
    "Receiver",
    "RemoteTrack",
    "ResourceError",
    "RewriteMode",
    "RtcpMuxPolicy",
    "RtpCapabilities",
    "ScreenConstraints",
    "SctpAbortError",
    "SdpParseError",
    "SdpType",
    "SecurityError",
    "SendParameters",
    "Sender",
    "SendingStopped",
    "SessionDescription",
    "SignalingChannel",
    "SignalingState",
    "StunErrorResponse",
    "TimedOut",
    "TooManyStreams",
    "TrackAdded",
    "TrackEnded",
    "TrackEvent",
    "TrackMuted",
    "TrackRemoved",
    "TrackState",
    "TrackUnmuted",
    "Transceiver",
    "TransportError",
    "UsageError",
    "VideoConstraints",
    "VideoTrack",
    "WebRTCError",
    "__version__",
]

_DOORS = ("errors", "base", "dtls", "peer", "aio")
"""Where `__getattr__` looks for a name, cheapest first."""
_DOOR_OF = {"Direction": "sdp", "TrackAdded": "aio", "TrackRemoved": "aio"}
"""Names that more than one door has, or that no other one has."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for door in (_DOOR_OF[name],) if name in _DOOR_OF else _DOORS:
            module = import_module(f"{__name__}.{door}")
            if hasattr(module, name):
                value = globals()[name] = getattr(module, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
