"""Counters that every machine keeps, and the reasons why it dropped something.

A room declares its own slotted dataclass of integers; what was refused is counted by a short fixed reason, so that
"why did nothing arrive" always has an answer. Reasons are literals of the code, never bytes from the network, so the
table cannot grow.
"""

from __future__ import annotations


class Drops:
    """How many inputs were refused, by reason."""

    __slots__ = ("by_reason",)

    def __init__(self) -> None:
        self.by_reason: dict[str, int] = {}

    def add(self, reason: str, count: int = 1) -> None:
        self.by_reason[reason] = self.by_reason.get(reason, 0) + count

    @property
    def total(self) -> int:
        return sum(self.by_reason.values())

    def __getitem__(self, reason: str) -> int:
        return self.by_reason.get(reason, 0)

    def __repr__(self) -> str:
        return f"Drops({self.by_reason})"
