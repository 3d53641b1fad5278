"""SCTP over DTLS: packets, chunks, and an association as a sans-IO machine. See README.md."""

from .association import Association
from .config import AssociationState, SctpConfig, SctpCounters, SctpSnapshot
from .events import (
    AssociationEstablished,
    AssociationEvent,
    AssociationRestarted,
    BufferedAmountDecreased,
    Closed,
    MessageAbandoned,
    MessageReceived,
    StreamResetFailed,
    StreamsReset,
    StreamsResetByPeer,
)

__all__ = [
    "Association",
    "AssociationEstablished",
    "AssociationEvent",
    "AssociationRestarted",
    "AssociationState",
    "BufferedAmountDecreased",
    "Closed",
    "MessageAbandoned",
    "MessageReceived",
    "SctpConfig",
    "SctpCounters",
    "SctpSnapshot",
    "StreamResetFailed",
    "StreamsReset",
    "StreamsResetByPeer",
]
