"""Offer and answer as a pure function: state and description in, state and plan out. See README.md beside this file."""

from .apply import close, rollback, set_local_description, set_remote_description
from .candidates import (
    CandidateAdded,
    TrickledCandidate,
    add_remote_candidate,
    default_destination,
    with_candidates,
)
from .capabilities import RtpCapabilities, capabilities
from .create import create_answer, create_offer
from .needed import negotiation_needed
from .rtp_plan import RemoteSource, RtpPlan, TrackChange
from .sections import ICE_OPTIONS
from .transceivers import (
    Transceiver,
    add_track,
    add_transceiver,
    remove_track,
    set_codec_preferences,
    stop_transceiver,
    transceiver,
    update_transceiver,
)
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
    "RemoteSource",
    "RtpCapabilities",
    "RtpPlan",
    "SdpType",
    "SignalingState",
    "TrackChange",
    "Transceiver",
    "TransportPlan",
    "TrickledCandidate",
    "Wishes",
    "add_remote_candidate",
    "add_track",
    "add_transceiver",
    "capabilities",
    "close",
    "create_answer",
    "create_offer",
    "default_destination",
    "negotiation_needed",
    "remove_track",
    "rollback",
    "set_codec_preferences",
    "set_local_description",
    "set_remote_description",
    "stop_transceiver",
    "transceiver",
    "update_transceiver",
    "with_candidates",
]
