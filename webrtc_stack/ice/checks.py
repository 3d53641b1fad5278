"""Checks on their way: building the requests, and the book of transactions that wait for an answer.

Spec: RFC 8445 sections 7.1, 7.2.2, 7.2.4; RFC 7675 section 5.1 (consent checks are not retransmitted).
"""

from __future__ import annotations

from enum import Enum

from ..base import NEVER, IceParameters, Instant
from ..stun import Attribute, AttributeType, Message, MessageClass, Transaction
from .pair import CandidatePair


class Purpose(Enum):
    CHECK = "check"
    NOMINATE = "nominate"
    CONSENT = "consent"


class Check:
    """One request that was sent: for which pair, why, in which role, and its bytes for sending again."""

    __slots__ = ("controlling", "data", "pair", "purpose", "transaction", "use_candidate")

    def __init__(
        self,
        transaction: Transaction,
        pair: CandidatePair,
        purpose: Purpose,
        controlling: bool,
        use_candidate: bool,
        data: bytes,
    ) -> None:
        self.transaction = transaction
        self.pair = pair
        self.purpose = purpose
        self.controlling = controlling
        self.use_candidate = use_candidate
        self.data = data


def build_check(
    transaction_id: bytes,
    local: IceParameters,
    remote: IceParameters,
    *,
    priority: int,
    controlling: bool,
    tie_breaker: int,
    use_candidate: bool,
) -> bytes:
    """A connectivity check. `priority` is what a peer-reflexive candidate found by it would have."""
    attributes = [
        Attribute(AttributeType.USERNAME, f"{remote.ufrag}:{local.ufrag}"),
        Attribute(AttributeType.ICE_CONTROLLING if controlling else AttributeType.ICE_CONTROLLED, tie_breaker),
        Attribute(AttributeType.PRIORITY, priority),
    ]
    if use_candidate:
        attributes.insert(2, Attribute(AttributeType.USE_CANDIDATE))
    message = Message(message_class=MessageClass.REQUEST, transaction_id=transaction_id, attributes=tuple(attributes))
    return message.serialize(remote.pwd.encode())


class CheckBook:
    """Checks by transaction id, bounded: the oldest goes first."""

    __slots__ = ("_limit", "_open")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[bytes, Check] = {}

    def add(self, check: Check) -> None:
        if len(self._open) >= self._limit:
            del self._open[next(iter(self._open))]
        self._open[check.transaction.id] = check

    def get(self, transaction_id: bytes) -> Check | None:
        return self._open.get(transaction_id)

    def remove(self, check: Check) -> None:
        self._open.pop(check.transaction.id, None)

    def cancel(self, pair: CandidatePair, purpose: Purpose) -> None:
        """No more retransmissions for this pair's checks; late answers still count."""
        for check in self._open.values():
            if check.pair is pair and check.purpose is purpose:
                check.transaction.cancel()

    def forget(self, pair: CandidatePair) -> None:
        """Drops all checks of a pair that is gone."""
        for check in [one for one in self._open.values() if one.pair is pair]:
            self.remove(check)

    def clear(self) -> None:
        self._open.clear()

    def due(self, now: Instant) -> list[Check]:
        """Checks to be sent again."""
        return [check for check in self._open.values() if check.transaction.due(now)]

    def take_expired(self, now: Instant) -> list[Check]:
        """Checks to be given up, removed."""
        expired = [check for check in self._open.values() if check.transaction.expired(now)]
        for check in expired:
            self.remove(check)
        return expired

    def next_resend(self) -> Instant:
        return min((c.transaction.deadline for c in self._open.values() if not c.transaction.exhausted), default=NEVER)

    def next_expiry(self) -> Instant:
        return min((c.transaction.deadline for c in self._open.values() if c.transaction.exhausted), default=NEVER)

    def __len__(self) -> int:
        return len(self._open)
