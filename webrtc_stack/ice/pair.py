"""A candidate pair: its state, what was learned about it, and its statistics."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from ..base import Address, Candidate, Instant, PathId
from .candidates import Base, Remote, pair_priority


class PairState(StrEnum):
    """RFC 8445 section 6.1.2.6, in W3C's words."""

    FROZEN = "frozen"
    WAITING = "waiting"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Tier(IntEnum):
    """Kinds of paths, the best last: a relay costs a detour, TCP waits for what was lost."""

    RELAYED = 0
    TCP = 1
    DIRECT = 2


class PairSnapshot(NamedTuple):
    """A pair for statistics (W3C `RTCIceCandidatePairStats`).

    `generation` and `number` together name the pair for its whole life. Packets and bytes are those of data, which the
    layer above told by `data_sent` and `data_received`; checks have counts of their own.
    """

    path: PathId
    local: Candidate
    remote: Candidate
    state: PairState
    priority: int
    nominated: bool
    selected: bool
    rtt: float | None
    """The last measured, seconds."""
    total_rtt: float
    requests_sent: int
    requests_received: int
    responses_sent: int
    responses_received: int
    consent_requests_sent: int
    generation: int
    number: int
    remote_address: Address
    packets_sent: int
    packets_received: int
    bytes_sent: int
    bytes_received: int
    last_sent_at: Instant | None
    """When data left on it last; None before any did."""
    last_received_at: Instant | None
    retransmissions: int
    """Those of `requests_sent` that repeated an earlier one."""
    failure: str | None = None
    """Why it failed, in words; None unless it did."""
    local_address: Address | None = None
    """Where its base is bound; the candidate may name a hidden host or a rewritten address."""


class CandidatePair:
    """One local base and one remote candidate. State only; `Checklist` and `Session` decide."""

    __slots__ = (
        "answered_at",
        "base",
        "bytes_received",
        "bytes_sent",
        "consent_requests_sent",
        "doubted",
        "failure",
        "falls",
        "foundation",
        "last_received_at",
        "last_sent_at",
        "local",
        "nominate_on_success",
        "nominated",
        "number",
        "packets_received",
        "packets_sent",
        "path",
        "priority",
        "probe_at",
        "promoted_at",
        "remote",
        "requests_received",
        "requests_sent",
        "responses_received",
        "responses_sent",
        "rests_until",
        "retransmissions",
        "rtt",
        "selected_at",
        "silent_since",
        "state",
        "total_rtt",
        "transaction_id",
        "tried_at",
        "unanswered",
        "use_candidate_at",
        "vouched",
    )

    def __init__(self, number: int, path: PathId, base: Base, remote: Remote, controlling: bool) -> None:
        self.number = number
        self.path = path
        self.base = base
        self.remote = remote
        self.local: Candidate = base.candidate
        """What the peer sees us as: the base's host candidate until an answer says otherwise."""
        self.foundation = (base.candidate.foundation, remote.candidate.foundation)
        self.state = PairState.FROZEN
        self.failure: str | None = None
        self.priority = 0
        self.prioritize(controlling)
        self.nominated = False
        self.nominate_on_success = False
        self.vouched = False
        """The peer proved on this path that it knows our password."""
        self.transaction_id: bytes | None = None
        """The check in progress."""
        self.rtt: float | None = None
        self.total_rtt = 0.0
        self.requests_sent = 0
        self.retransmissions = 0
        self.requests_received = 0
        self.responses_sent = 0
        self.responses_received = 0
        self.consent_requests_sent = 0
        self.packets_sent = 0
        self.packets_received = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self.last_sent_at: Instant | None = None
        self.last_received_at: Instant | None = None
        # --- consent ---
        self.answered_at: Instant = 0.0
        """When the last check that was answered had been sent."""
        self.promoted_at: Instant = 0.0
        """When it was selected on other evidence than a recent answer."""
        self.use_candidate_at: Instant = 0.0
        self.probe_at: Instant = 0.0
        self.unanswered = 0
        self.silent_since: Instant = 0.0
        """When the first of the unanswered consent checks was sent."""
        self.doubted = False
        """There is evidence that the peer has moved: it is asked in haste until it answers."""
        # --- selection ---
        self.selected_at: Instant = 0.0
        self.falls = 0
        """How often in a row it was selected and fell silent soon."""
        self.rests_until: Instant = 0.0
        """Until then it is not moved to while another pair works."""
        self.tried_at: Instant = 0.0
        """When, being failed, it was last put up for another check."""

    @property
    def valid(self) -> bool:
        return self.state is PairState.SUCCEEDED

    @property
    def suspect(self) -> bool:
        """Three consent checks in a row went unanswered, long enough that a fourth was sent: not mere loss."""
        return self.unanswered > 3

    @property
    def tier(self) -> Tier:
        """What kind of path it is. Only a higher tier is worth leaving a nominated pair that works."""
        if self.base.candidate.type == "relay" or self.remote.candidate.type == "relay":
            return Tier.RELAYED
        return Tier.TCP if self.base.origin.transport == "tcp" else Tier.DIRECT

    def prioritize(self, controlling: bool) -> None:
        """Computes the priority anew, after a change of role or of the remote candidate."""
        ours, theirs = self.base.candidate.priority, self.remote.candidate.priority
        self.priority = pair_priority(ours, theirs) if controlling else pair_priority(theirs, ours)

    def measured(self, rtt: float) -> None:
        self.rtt = rtt
        self.total_rtt += rtt

    def __str__(self) -> str:
        return f"{self.base.address}>{self.remote.address}"

    def snapshot(self, selected: bool, generation: int) -> PairSnapshot:
        return PairSnapshot(
            path=self.path,
            local=self.local,
            remote=self.remote.candidate,
            state=self.state,
            priority=self.priority,
            nominated=self.nominated,
            selected=selected,
            rtt=self.rtt,
            total_rtt=self.total_rtt,
            requests_sent=self.requests_sent,
            requests_received=self.requests_received,
            responses_sent=self.responses_sent,
            responses_received=self.responses_received,
            consent_requests_sent=self.consent_requests_sent,
            generation=generation,
            number=self.number,
            remote_address=self.remote.address,
            packets_sent=self.packets_sent,
            packets_received=self.packets_received,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            last_sent_at=self.last_sent_at,
            last_received_at=self.last_received_at,
            retransmissions=self.retransmissions,
            failure=self.failure,
            local_address=self.base.address,
        )
