"""What a `PeerCore` reports, as past-tense values. Channel events are those of the `datachannel` room, unchanged."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..base import Address, Candidate
from ..errors import WebRTCError
from .description import IceCandidate


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


class PeerClosed(NamedTuple):
    """The final event. `error` is None when either side closed on purpose."""

    reason: str
    error: WebRTCError | None
