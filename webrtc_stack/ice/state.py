"""What the parts of an agent share: the names of its timers, its counters, and its role."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Timer(Enum):
    """Why the agent wants to be woken."""

    PACE = "the next check may leave"
    RESEND = "a check is to be repeated"
    EXPIRE = "a check is given up"
    NOMINATE = "patience for a better pair ends"
    PROBE = "a consent check is due"
    LIVENESS = "silence changes the state"
    GIVE_UP = "checking has taken too long"
    RETRY = "a better pair that failed is checked again"
    GATHER = "a STUN server is to be asked again or given up"
    NAMES = "a name was not resolved in time"
    FAREWELL = "the paths of before a restart are given up"


TimerKey = tuple[Timer, int]
"""A timer and the generation it belongs to."""


@dataclass(slots=True)
class IceCounters:
    """What happened, in numbers."""

    datagrams_received: int = 0
    requests_received: int = 0
    requests_sent: int = 0
    retransmissions: int = 0
    responses_received: int = 0
    responses_sent: int = 0
    consent_requests_sent: int = 0
    pairs_formed: int = 0
    peer_reflexive: int = 0
    role_conflicts: int = 0
    nominations: int = 0
    selections: int = 0
    selected_pair_changes: int = 0
    """How often the pair that carries data became another one, or none."""
    data_packets_sent: int = 0
    data_packets_received: int = 0
    data_bytes_sent: int = 0
    data_bytes_received: int = 0


class Role:
    """Who controls, and the number that settles conflicts. Survives restarts."""

    __slots__ = ("controlling", "tie_breaker")

    def __init__(self, controlling: bool, tie_breaker: int) -> None:
        self.controlling = controlling
        self.tie_breaker = tie_breaker
