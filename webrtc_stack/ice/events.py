"""What an agent reports, as past-tense values."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from ..base import Candidate, GatherAddresses, PathId, PublishName, ResolveName, WithdrawName
from ..stun import Attribute


class IceState(StrEnum):
    """W3C `RTCIceConnectionState`."""

    NEW = "new"
    CHECKING = "checking"
    CONNECTED = "connected"
    COMPLETED = "completed"
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    CLOSED = "closed"


class GatheringState(StrEnum):
    """W3C `RTCIceGatheringState`."""

    NEW = "new"
    GATHERING = "gathering"
    COMPLETE = "complete"


class CandidateGathered(NamedTuple):
    """A local candidate to signal."""

    candidate: Candidate


class GatheringStateChanged(NamedTuple):
    """`complete` is also end-of-candidates for the peer."""

    state: GatheringState


class IceStateChanged(NamedTuple):
    state: IceState


class PairSelected(NamedTuple):
    """Send on `path` from now on. It may change at any time."""

    path: PathId
    local: Candidate
    remote: Candidate


class RoleChanged(NamedTuple):
    """A role conflict was settled, or the peer is ICE-lite."""

    controlling: bool


class CandidateError(NamedTuple):
    """A STUN server gave nothing. `code` is its error code, or 701 when it was not reached; `address` and `port` are
    the local ones it was asked from, None when hidden or when it was not asked (W3C)."""

    url: str
    code: int
    reason: str
    address: str | None = None
    port: int | None = None


class AttributesReceived(NamedTuple):
    """An authenticated check carried comprehension-optional attributes that this room does not know."""

    path: PathId
    attributes: tuple[Attribute, ...]


class Closed(NamedTuple):
    """The end; nothing comes after it."""

    reason: str


IceEvent: TypeAlias = (
    AttributesReceived
    | CandidateError
    | CandidateGathered
    | Closed
    | GatherAddresses
    | GatheringStateChanged
    | IceStateChanged
    | PairSelected
    | PublishName
    | ResolveName
    | RoleChanged
    | WithdrawName
)
