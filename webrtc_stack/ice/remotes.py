"""The peer's candidates: those that were signalled, and peer-reflexive ones learned from its checks.

Spec: RFC 8445 sections 5.3, 7.3.1.3; RFC 8838 section 11 (a signalled candidate that was learned before).
"""

from __future__ import annotations

from collections import deque

from ..base import Address, Candidate, CandidateType
from .candidates import Remote


class RemoteCandidates:
    """By address; both kinds are bounded."""

    __slots__ = ("_learned", "_learned_count", "_max_learned", "_max_signalled", "by_address")

    def __init__(self, max_signalled: int, max_learned: int) -> None:
        self._max_signalled = max_signalled
        self._max_learned = max_learned
        self._learned: deque[Remote] = deque()
        self._learned_count = 0
        self.by_address: dict[Address, Remote] = {}

    def __len__(self) -> int:
        return len(self.by_address)

    def signalled(self, candidate: Candidate, address: Address) -> Remote | None:
        """Takes a signalled candidate. None when there are too many; a known one is returned as it is."""
        known = self.by_address.get(address)
        if known is None:
            if len(self.by_address) - len(self._learned) >= self._max_signalled:
                return None
            known = self.by_address[address] = Remote(address, candidate, learned=False)
        elif known.learned:  # signalling was slower than the check that came from there
            known.learned = False
            known.candidate = candidate
            self._learned.remove(known)
        return known

    @property
    def oldest_learned(self) -> tuple[Remote, ...]:
        """The learned ones in order of age, when there is no room for another; else nothing."""
        return tuple(self._learned) if len(self._learned) >= self._max_learned else ()

    @property
    def may_learn(self) -> bool:
        return len(self._learned) < self._max_learned

    def learn(self, address: Address, priority: int) -> Remote:
        """A peer-reflexive candidate with the PRIORITY that its check carried."""
        self._learned_count += 1
        candidate = Candidate(
            foundation=f"p{self._learned_count}",
            priority=priority,
            host=address.host,
            port=address.port,
            type=CandidateType.PRFLX,
        )
        remote = self.by_address[address] = Remote(address, candidate, learned=True)
        self._learned.append(remote)
        return remote

    def forget(self, remote: Remote) -> None:
        """Drops a learned candidate."""
        self._learned.remove(remote)
        del self.by_address[remote.address]
