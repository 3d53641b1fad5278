"""Names that must become addresses first: STUN servers by name, and candidates of the peer (`….local` above all)."""

from __future__ import annotations

from typing import NamedTuple

from ..base import NEVER, Candidate, Instant


class PendingName(NamedTuple):
    """A name being resolved: for a remote candidate, or for the STUN server of this index."""

    deadline: Instant
    candidate: Candidate | None
    server: int


class Names:
    """Names by the number of their `ResolveName`, bounded in count and time."""

    __slots__ = ("_limit", "_next", "_pending", "_timeout")

    def __init__(self, limit: int, timeout: float) -> None:
        self._limit = limit
        self._timeout = timeout
        self._next = 1
        self._pending: dict[int, PendingName] = {}

    def ask(self, candidate: Candidate | None, server: int, now: Instant) -> int | None:
        """A number to ask under, or None when too many are being resolved."""
        if len(self._pending) >= self._limit:
            return None
        number = self._next
        self._next += 1
        self._pending[number] = PendingName(now + self._timeout, candidate, server)
        return number

    def answered(self, number: int) -> PendingName | None:
        """What the number was asked for; None when it is unknown or too late."""
        return self._pending.pop(number, None)

    def take_expired(self, now: Instant) -> list[PendingName]:
        late = [number for number, pending in self._pending.items() if now >= pending.deadline]
        return [self._pending.pop(number) for number in late]

    def clear(self) -> None:
        self._pending.clear()

    @property
    def candidates_pending(self) -> bool:
        return any(pending.candidate is not None for pending in self._pending.values())

    @property
    def servers_pending(self) -> bool:
        return any(pending.candidate is None for pending in self._pending.values())

    def next_deadline(self) -> Instant:
        return min((pending.deadline for pending in self._pending.values()), default=NEVER)
