"""The agent's own candidates: bases with their sockets, and what servers saw them as.

Spec: RFC 8445 sections 5.1.1.1 (host), 5.1.1.2 (server-reflexive), 5.1.2, 5.1.3 (redundant ones).
"""

from __future__ import annotations

from ..base import Address, Candidate, CandidateType, SocketId
from .candidates import Base, Foundations, candidate_priority, local_preference
from .sources import Found


class LocalCandidates:
    """Bases by socket; `announced` is what was told to the peer in this generation."""

    __slots__ = ("_count", "_foundations", "announced", "bases", "ufrag", "urls")

    def __init__(self) -> None:
        self._foundations = Foundations()
        self._count = 0
        self.bases: dict[SocketId, Base] = {}
        self.announced: list[Candidate] = []
        self.urls: dict[Candidate, str] = {}
        """Which server each announced candidate came from, if from one."""
        self.ufrag = ""

    def add(self, address: Address, socket: SocketId) -> Base:
        """A bound socket."""
        preference = local_preference(self._count, address.host)
        self._count += 1
        base = self.bases[socket] = Base(socket, address, preference, self._host(address, preference))
        return base

    def _host(self, address: Address, preference: int) -> Candidate:
        return Candidate(
            foundation=self._foundations.of(CandidateType.HOST, address.host),
            priority=candidate_priority(CandidateType.HOST, preference),
            host=address.host,
            port=address.port,
            type=CandidateType.HOST,
            ufrag=self.ufrag,
        )

    def remove(self, socket: SocketId) -> Base | None:
        """Forgets a socket and all candidates on it."""
        base = self.bases.pop(socket, None)
        if base is not None:
            self.announced = [
                one
                for one in self.announced
                if one != base.candidate and (one.related_host, one.related_port) != tuple(base.address)
            ]
        return base

    def begin(self, ufrag: str) -> None:
        """A new generation: nothing is announced yet, and candidates name the new ufrag."""
        self.ufrag = ufrag
        self.announced = []
        self.urls = {}
        for base in self.bases.values():
            base.candidate = self._host(base.address, base.local_preference)

    def found(self, found: Found) -> Candidate | None:
        """The candidate for what a source found; None if it is redundant: no NAT, or another server saw the same."""
        base, kind, address, server, order = found
        related = base.address
        if address == related or self.known(address, related) is not None:
            return None
        return Candidate(
            foundation=self._foundations.of(kind, related.host, server),
            priority=candidate_priority(kind, base.local_preference - 1 - order % 100),
            host=address.host,
            port=address.port,
            type=kind,
            related_host=related.host,
            related_port=related.port,
            ufrag=self.ufrag,
        )

    def known(self, address: Address, related: Address) -> Candidate | None:
        """The announced candidate at `address` whose base is `related`."""
        for one in self.announced:
            if (one.host, one.port, one.related_host, one.related_port) == (*address, *related):
                return one
        return None

    def seen_as(self, base: Base, mapped: Address) -> Candidate:
        """What the peer sees us as on this base: the host candidate, a known one, or a peer-reflexive one."""
        if mapped == base.address:
            return base.candidate
        known = self.known(mapped, base.address)
        if known is not None:
            return known
        return Candidate(
            foundation=base.candidate.foundation,
            priority=candidate_priority(CandidateType.PRFLX, base.local_preference),
            host=mapped.host,
            port=mapped.port,
            type=CandidateType.PRFLX,
            related_host=base.address.host,
            related_port=base.address.port,
        )
