"""Offer and answer as a pure function: state and description in, state and plan out. See README.md beside this file."""

from .apply import close, rollback, set_local_description, set_remote_description
from .candidates import (
    CandidateAdded,
    TrickledCandidate,
    add_remote_candidate,
    default_destination,
    with_candidates,
)
from .create import create_answer, create_offer, negotiation_needed
from .sections import ICE_OPTIONS
from .values import (
    ROLLBACK,
    Applied,
    Created,
    Description,
    DtlsRole,
    LocalTransport,
    MediaPlan,
    NegotiationConfig,
    NegotiationState,
    Plan,
    SdpType,
    SignalingState,
    TransportPlan,
    Wishes,
)

__all__ = [
    "Applied",
    "CandidateAdded",
    "Created",
    "Description",
    "DtlsRole",
    "ICE_OPTIONS",
    "LocalTransport",
    "MediaPlan",
    "NegotiationConfig",
    "NegotiationState",
    "Plan",
    "ROLLBACK",
    "SdpType",
    "SignalingState",
    "TransportPlan",
    "TrickledCandidate",
    "Wishes",
    "add_remote_candidate",
    "close",
    "create_answer",
    "create_offer",
    "default_destination",
    "negotiation_needed",
    "rollback",
    "set_local_description",
    "set_remote_description",
    "with_candidates",
]
