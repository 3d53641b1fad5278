"""The checklist of one component: pairs in order of priority, which to check next, and what makes room for what.

Spec: RFC 8445 sections 6.1.2 (forming, pruning, states), 6.1.4.2 (order of checks, triggered queue), 7.2.5.3.3
(unfreezing); RFC 8838 section 12 (pairs that come late). Because pairs are made from bases alone, a server-reflexive
candidate never needs pruning: its base has the same socket and a higher priority.
"""

from __future__ import annotations

from collections import deque

from ..base import PathId, PathTable
from .candidates import Base, Remote
from .pair import CandidatePair, PairState


class Checklist:
    """Pairs by path. A pair here has its path pinned."""

    __slots__ = ("_limit", "_paths", "_triggered", "formed", "pairs")

    def __init__(self, paths: PathTable, limit: int) -> None:
        self._paths = paths
        self._limit = limit
        self._triggered: deque[CandidatePair] = deque()
        self.pairs: dict[PathId, CandidatePair] = {}
        self.formed = 0
        """How many pairs were ever made."""

    def add(self, base: Base, remote: Remote, controlling: bool) -> tuple[CandidatePair | None, CandidatePair | None]:
        """Makes a pair, unless it exists.

        Returns: the pair, or None when the list is full of better ones; and the one that made room, if any.
        """
        path = self._paths.intern(base.socket, remote.address)
        known = self.pairs.get(path)
        if known is not None:
            return known, None
        evicted: CandidatePair | None = None
        pair = CandidatePair(self.formed + 1, path, base, remote, controlling)
        if len(self.pairs) >= self._limit:
            evicted = min(
                (one for one in self.pairs.values() if not one.valid),
                key=lambda one: (one.state is not PairState.FAILED, one.priority),
                default=None,
            )
            if evicted is None or (evicted.state is not PairState.FAILED and evicted.priority >= pair.priority):
                return None, None
            self.remove(evicted)
        self.formed += 1
        self._paths.pin(path)
        self.pairs[path] = pair
        self._set_initial_state(pair)
        return pair, evicted

    def _set_initial_state(self, pair: CandidatePair) -> None:
        """Waiting if its foundation is proven or nobody else tries it; else frozen behind the one that does."""
        for other in self.pairs.values():
            if other is pair or other.foundation != pair.foundation:
                continue
            if other.state is PairState.SUCCEEDED:
                break
            if other.state in (PairState.WAITING, PairState.IN_PROGRESS):
                return
        pair.state = PairState.WAITING

    def remove(self, pair: CandidatePair) -> None:
        if self.pairs.pop(pair.path, None) is not None:
            self._paths.unpin(pair.path)
            if pair in self._triggered:
                self._triggered.remove(pair)

    def clear(self) -> None:
        """Forgets everything and lets the paths go."""
        for pair in list(self.pairs.values()):
            self.remove(pair)

    def prioritize(self, controlling: bool) -> None:
        for pair in self.pairs.values():
            pair.prioritize(controlling)

    def trigger(self, pair: CandidatePair) -> None:
        """Puts a pair in front of the ordinary ones."""
        if pair.state is PairState.SUCCEEDED:
            return
        pair.state = PairState.WAITING
        pair.failure = None
        if pair not in self._triggered:
            self._triggered.append(pair)

    def succeeded(self, pair: CandidatePair) -> None:
        """Marks a pair valid, and lets those of the same foundation go."""
        pair.state = PairState.SUCCEEDED
        pair.failure = None
        if pair in self._triggered:
            self._triggered.remove(pair)
        for other in self.pairs.values():
            if other.state is PairState.FROZEN and other.foundation == pair.foundation:
                other.state = PairState.WAITING

    def fail(self, pair: CandidatePair, reason: str) -> None:
        """Gives a pair up, in words."""
        pair.state = PairState.FAILED
        pair.failure = reason
        pair.nominated = pair.nominate_on_success = False
        if pair in self._triggered:
            self._triggered.remove(pair)

    @property
    def has_work(self) -> bool:
        """Whether `next_check` would return a pair."""
        return bool(self._triggered) or any(
            pair.state in (PairState.WAITING, PairState.FROZEN) for pair in self.pairs.values()
        )

    @property
    def waiting(self) -> int:
        return sum(pair.state in (PairState.WAITING, PairState.FROZEN) for pair in self.pairs.values())

    def next_check(self) -> CandidatePair | None:
        """The pair to check now: triggered ones in order, then by priority; a frozen one when none is waiting."""
        while self._triggered:
            pair = self._triggered.popleft()
            if pair.state is PairState.WAITING:
                return pair
        best = self._best(PairState.WAITING)
        # Frozen pairs whose foundation is still being tried come last, but they come: a dead first pair of a
        # foundation must not hold the others back for the whole life of its check.
        return best if best is not None else self._best(PairState.FROZEN)

    def _best(self, state: PairState) -> CandidatePair | None:
        return max(
            (pair for pair in self.pairs.values() if pair.state is state),
            key=lambda pair: (pair.priority, -pair.number),
            default=None,
        )

    @property
    def exhausted(self) -> bool:
        """Every pair failed, or there is none."""
        return all(pair.state is PairState.FAILED for pair in self.pairs.values())
