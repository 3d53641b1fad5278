"""Time as an argument: instants and a table of named deadlines.

A machine never reads a clock. It is told `now`, and it keeps what it waits for in one `Deadlines` table whose keys
are an enum, so that a spinning timer has a name in the trace.

Units: an `Instant` is monotonic seconds with an arbitrary origin that all machines of one driver share.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeAlias, TypeVar

Instant: TypeAlias = float

NEVER: Final[Instant] = math.inf

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """A small table key -> instant. Keys are enum members, or tuples that begin with one.

    Cost: `next()` is O(n) over armed keys and cached until the table changes; tables hold a handful of entries.
    """

    __slots__ = ("_at", "_next", "fired")

    def __init__(self) -> None:
        self._at: dict[K, Instant] = {}
        self._next: Instant | None = NEVER
        self.fired: dict[K, int] = {}
        """How often each key came due: a spinning timer shows here."""

    def set(self, key: K, at: Instant) -> None:
        """Arms `key` for `at`, replacing an earlier deadline of the same key."""
        self._at[key] = at
        self._next = None

    def set_earliest(self, key: K, at: Instant) -> None:
        """Arms `key` for `at` unless it is already due sooner."""
        if at < self._at.get(key, NEVER):
            self.set(key, at)

    def clear(self, key: K) -> None:
        """Disarms `key`; no error if it was not armed."""
        if self._at.pop(key, None) is not None:
            self._next = None

    def clear_all(self) -> None:
        """Disarms everything: the end of a machine's life."""
        self._at.clear()
        self._next = NEVER

    def get(self, key: K) -> Instant | None:
        """The deadline of `key`, or None while it is not armed."""
        return self._at.get(key)

    def next(self) -> Instant:
        """The earliest deadline, `NEVER` when none is armed."""
        if self._next is None:
            self._next = min(self._at.values(), default=NEVER)
        return self._next

    def pop_due(self, now: Instant) -> list[K]:
        """Disarms and returns every key whose deadline is not after `now`, earliest first (ties: in arming order)."""
        if self.next() > now:
            return []
        due = sorted((key for key, at in self._at.items() if at <= now), key=self._at.__getitem__)
        for key in due:
            del self._at[key]
            self.fired[key] = self.fired.get(key, 0) + 1
        self._next = None
        return due

    def __contains__(self, key: object) -> bool:
        return key in self._at

    def __iter__(self) -> Iterator[K]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)
