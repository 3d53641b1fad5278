"""The client's requests on their way: what was asked, when it is asked again, when it is given up.

Spec: RFC 8489 section 6.2 (transactions), 6.2.1 and 6.2.2 (datagrams and streams).
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from ..base import NEVER, Entropy, Instant
from ..stun import (
    Attribute,
    Message,
    MessageClass,
    Method,
    RetransmissionConfig,
    Transaction,
    new_transaction_id,
)
from .credentials import Challenge


class Kind(Enum):
    ALLOCATE = "allocate"
    REFRESH = "refresh"
    RELEASE = "release"
    PERMISSION = "permission"
    CHANNEL = "channel"


METHODS = {
    Kind.ALLOCATE: Method.ALLOCATE,
    Kind.REFRESH: Method.REFRESH,
    Kind.RELEASE: Method.REFRESH,
    Kind.PERMISSION: Method.CREATE_PERMISSION,
    Kind.CHANNEL: Method.CHANNEL_BIND,
}


class Request:
    """One question to the server, through all its retries. `about` says for whom: hosts, or one channel's peer."""

    __slots__ = ("about", "attributes", "challenge", "data", "kind", "retries", "schedule", "transaction")

    def __init__(
        self,
        kind: Kind,
        attributes: tuple[Attribute, ...],
        schedule: RetransmissionConfig,
        about: tuple[object, ...] = (),
    ) -> None:
        self.kind = kind
        self.attributes = attributes
        self.schedule = schedule
        self.about = about
        self.retries = 0
        self.challenge: Challenge | None = None
        """What it was last signed with."""
        self.transaction: Transaction | None = None
        self.data = b""


class Requests:
    """All requests of one client: a queue of what is to be asked, and a table of what was."""

    __slots__ = ("_entropy", "_flying", "_max_in_flight", "_waiting")

    def __init__(self, entropy: Entropy, max_in_flight: int) -> None:
        self._entropy = entropy
        self._max_in_flight = max_in_flight
        self._waiting: deque[Request] = deque()
        self._flying: dict[bytes, Request] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flying)

    def add(self, request: Request, *, first: bool = False) -> None:
        """Asks (again); bounded by the caller, who asks once for each thing it has."""
        if request.transaction is not None:
            self._flying.pop(request.transaction.id, None)
            request.transaction = None
        if first:
            self._waiting.appendleft(request)
        else:
            self._waiting.append(request)

    def find(self, transaction_id: bytes) -> Request | None:
        return self._flying.get(transaction_id)

    def done(self, request: Request) -> None:
        """It was answered."""
        if request.transaction is not None:
            self._flying.pop(request.transaction.id, None)

    def clear(self) -> None:
        self._waiting.clear()
        self._flying.clear()

    def next_deadline(self) -> Instant:
        """When something is to be sent or given up; -NEVER when at once."""
        if self._waiting and len(self._flying) < self._max_in_flight:
            return -NEVER
        return min((one.transaction.deadline for one in self._flying.values() if one.transaction), default=NEVER)

    def take_expired(self, now: Instant) -> list[Request]:
        """Those that nobody answered in time; they are forgotten here."""
        expired = [one for one in self._flying.values() if one.transaction is not None and one.transaction.expired(now)]
        for request in expired:
            self.done(request)
        return expired

    def transmit(self, now: Instant, limit: int, challenge: Challenge | None) -> list[tuple[Request, bytes]]:
        """What is to be sent now, at most `limit`: repetitions first, then new ones, signed with `challenge`."""
        out: list[tuple[Request, bytes]] = []
        for request in self._flying.values():
            if len(out) >= limit:
                return out
            if request.transaction is not None and request.transaction.due(now):
                request.transaction.sent(now)
                out.append((request, request.data))
        while self._waiting and len(out) < limit and len(self._flying) < self._max_in_flight:
            request = self._waiting.popleft()
            transaction = Transaction(new_transaction_id(self._entropy), request.schedule)
            message = Message(
                method=METHODS[request.kind],
                message_class=MessageClass.REQUEST,
                transaction_id=transaction.id,
                attributes=request.attributes,
            )
            request.challenge = challenge
            request.data = message.serialize() if challenge is None else challenge.sign(message)
            request.transaction = transaction
            transaction.sent(now)
            self._flying[transaction.id] = request
            out.append((request, request.data))
        return out
