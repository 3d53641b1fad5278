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
        BufferedAmountLow,
        Client,
        ClientConfig,
        DataChannel,
        DataChannelAnnounced,
        DataChannelClosed,
        DataChannelClosing,
        DataChannelEvent,
        DataChannelOpened,
        DataChannelState,
        Observable,
        PeerConnection,
    )
    from .base import Fingerprint
    from .dtls import Certificate
    from .errors import (
        AuthenticationFailed,
        BufferFull,
        ConnectionLost,
        DtlsAlertError,
        FingerprintMismatch,
        InvalidAccessError,
        InvalidArgumentError,
        InvalidStateError,
        MessageTooLarge,
        NegotiationError,
        NotSupportedError,
        ParseError,
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
        BundlePolicy,
        ConnectionState,
        IceCandidate,
        IceServer,
        IceTransportPolicy,
        PeerSnapshot,
        RtcpMuxPolicy,
        SdpType,
        SessionDescription,
        SignalingState,
    )

__all__ = [
    "AuthenticationFailed",
    "BufferFull",
    "BufferedAmountLow",
    "BundlePolicy",
    "Certificate",
    "Client",
    "ClientConfig",
    "ConnectionLost",
    "ConnectionState",
    "DataChannel",
    "DataChannelAnnounced",
    "DataChannelClosed",
    "DataChannelClosing",
    "DataChannelEvent",
    "DataChannelOpened",
    "DataChannelState",
    "DtlsAlertError",
    "Fingerprint",
    "FingerprintMismatch",
    "IceCandidate",
    "IceServer",
    "IceTransportPolicy",
    "InvalidAccessError",
    "InvalidArgumentError",
    "InvalidStateError",
    "MessageTooLarge",
    "NegotiationError",
    "NotSupportedError",
    "Observable",
    "ParseError",
    "PeerConnection",
    "PeerSnapshot",
    "ProtocolError",
    "ResourceError",
    "RtcpMuxPolicy",
    "SctpAbortError",
    "SdpParseError",
    "SdpType",
    "SecurityError",
    "SessionDescription",
    "SignalingState",
    "StunErrorResponse",
    "TimedOut",
    "TooManyStreams",
    "TransportError",
    "UsageError",
    "WebRTCError",
    "__version__",
]

_DOORS = ("errors", "base", "dtls", "peer", "aio")
"""Where `__getattr__` looks for a name, cheapest first."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for door in _DOORS:
            module = import_module(f"{__name__}.{door}")
            if hasattr(module, name):
                value = globals()[name] = getattr(module, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
