"""ICE: finds a path to the peer and keeps it. See README.md."""

from .agent import IceAgent
from .candidates import HOST_ORIGIN, LocalOrigin, candidate_priority, pair_priority
from .config import AddressRewrite, IceConfig, RewriteMode, StunServer
from .events import (
    AttributesReceived,
    CandidateError,
    CandidateGathered,
    Closed,
    GatheringState,
    GatheringStateChanged,
    IceEvent,
    IceState,
    IceStateChanged,
    PairSelected,
    RoleChanged,
)
from .pair import PairSnapshot, PairState
from .state import IceCounters

__all__ = [
    "HOST_ORIGIN",
    "AddressRewrite",
    "AttributesReceived",
    "CandidateError",
    "CandidateGathered",
    "Closed",
    "GatheringState",
    "GatheringStateChanged",
    "IceAgent",
    "IceConfig",
    "IceCounters",
    "IceEvent",
    "IceState",
    "IceStateChanged",
    "LocalOrigin",
    "PairSelected",
    "PairSnapshot",
    "PairState",
    "RewriteMode",
    "RoleChanged",
    "StunServer",
    "candidate_priority",
    "pair_priority",
]
