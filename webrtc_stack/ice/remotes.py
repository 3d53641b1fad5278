"""The peer's candidates: those that were signalled, and peer-reflexive ones learned from its checks.

Spec: RFC 8445 sections 5.3, 7.3.1.3; RFC 8838 section 11 (a signalled candidate that was learned before).
"""

from __future__ import annotations

from collections import deque

from ..base import Address, Candidate, CandidateType, TcpType
from .candidates import Remote

_MAX_IGNORED = 64


class RemoteCandidates:
    """By address and transport; both kinds are bounded."""

    __slots__ = ("_by_key", "_learned", "_learned_count", "_max_learned", "_max_signalled", "ignored")

    def __init__(self, max_signalled: int, max_learned: int) -> None:
        self._max_signalled = max_signalled
        self._max_learned = max_learned
        self._learned: deque[Remote] = deque()
        self._learned_count = 0
        self._by_key: dict[tuple[Address, str], Remote] = {}
        self.ignored: deque[tuple[Candidate, str]] = deque(maxlen=_MAX_IGNORED)
        """Signalled ones that cannot be used, and why."""

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def all(self) -> list[Remote]:
        """In the order in which they came to be known."""
        return list(self._by_key.values())

    def get(self, address: Address, transport: str) -> Remote | None:
        return self._by_key.get((address, transport))

    def ignore(self, candidate: Candidate, reason: str) -> None:
        """Notes why a signalled candidate is not used; the oldest notes go."""
        if (candidate, reason) not in self.ignored:
            self.ignored.append((candidate, reason))

    def signalled(self, candidate: Candidate, address: Address) -> Remote | None:
        """Takes a signalled candidate. None when there are too many; a known one is returned as it is."""
        key = (address, candidate.transport)
        known = self._by_key.get(key)
        if known is None:
            if len(self._by_key) - len(self._learned) >= self._max_signalled:
                return None
            known = self._by_key[key] = Remote(address, candidate, learned=False)
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

    def learn(self, address: Address, priority: int, transport: str = "udp") -> Remote:
        """A peer-reflexive candidate with the PRIORITY that its check carried.

        Over TCP it is active: it connected (RFC 6544 section 7.2).
        """
        self._learned_count += 1
        candidate = Candidate(
            foundation=f"p{self._learned_count}",
            transport=transport,
            priority=priority,
            host=address.host,
            port=address.port,
            type=CandidateType.PRFLX,
            tcp_type=TcpType.ACTIVE if transport == "tcp" else None,
        )
        remote = self._by_key[address, transport] = Remote(address, candidate, learned=True)
        self._learned.append(remote)
        return remote

    def forget(self, remote: Remote) -> None:
        """Drops a learned candidate."""
        self._learned.remove(remote)
        del self._by_key[remote.address, remote.candidate.transport]
