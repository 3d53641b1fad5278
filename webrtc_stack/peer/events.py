"""What a `PeerCore` reports, as past-tense values. Channel events are those of the `datachannel` room, those of
media those of `media`, unchanged."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..base import Address, Candidate
from ..errors import WebRTCError
from .description import IceCandidate
from .parameters import MediaKind, TransceiverHandle


class ConnectionState(StrEnum):
    """RTCPeerConnectionState (W3C webrtc-pc section 4.3.3)."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


class SignalingStateChanged(NamedTuple):
    state: str


class ConnectionStateChanged(NamedTuple):
    """`reason` says in words why; empty where the state speaks for itself."""

    state: ConnectionState
    reason: str


class IceConnectionStateChanged(NamedTuple):
    state: str


class IceGatheringStateChanged(NamedTuple):
    state: str


class IceCandidateGathered(NamedTuple):
    """A candidate to be signalled; None says that this generation has no more."""

    candidate: IceCandidate | None


class IceCandidateErrored(NamedTuple):
    """A STUN or TURN server could not be used: `code` is its error code, or 701 when it never answered."""

    url: str
    code: int
    reason: str


class SelectedPairChanged(NamedTuple):
    """Data flows between these two candidates from now on."""

    local: Candidate
    remote: Candidate
    remote_address: Address


class NegotiationNeeded(NamedTuple):
    """An offer would say something new. Coalesced; checked again whenever signalling becomes stable."""


class TransceiverAdded(NamedTuple):
    """A transceiver of ours, or one that a remote offer made."""

    handle: TransceiverHandle
    kind: MediaKind


class TransceiverChanged(NamedTuple):
    """Its mid, directions, codecs or state of being stopped moved; `PeerCore.transceiver` tells how it is now."""

    handle: TransceiverHandle


class TransceiverRemoved(NamedTuple):
    """It has been stopped by both sides, or its offer was rolled back: the handle names nothing any more."""

    handle: TransceiverHandle


class TrackAdded(NamedTuple):
    """The peer begins to send: W3C's `track` event."""

    handle: TransceiverHandle
    track_id: str
    stream_ids: tuple[str, ...]


class TrackRemoved(NamedTuple):
    """The peer will send no more."""

    handle: TransceiverHandle


class PeerClosed(NamedTuple):
    """The final event. `error` is None when either side closed on purpose."""

    reason: str
    error: WebRTCError | None
