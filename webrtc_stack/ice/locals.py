"""The agent's own candidates: bases with their sockets, and what servers saw them as.

Spec: RFC 8445 sections 5.1.1.1 (host), 5.1.1.2 (server-reflexive, relayed), 5.1.2, 5.1.3 (redundant ones); RFC 6544
section 5.1 (TCP).
"""

from __future__ import annotations

from typing import NamedTuple

from ..base import Address, Candidate, CandidateType, SocketId, TcpType
from .candidates import HOST_ORIGIN, Base, Foundations, LocalOrigin, base_preference, candidate_priority
from .sources import Found


class Announced(NamedTuple):
    """A candidate that the peer was told of, the base that is behind it, and the address that it means."""

    candidate: Candidate
    base: Base
    address: Address


class LocalCandidates:
    """Bases by socket; `announced` is what was told to the peer in this generation."""

    __slots__ = ("_counts", "_foundations", "announced", "bases", "relay_protocols", "ufrag", "urls")

    def __init__(self) -> None:
        self._foundations = Foundations()
        self._counts: dict[tuple[CandidateType, str, TcpType | None], int] = {}
        self.bases: dict[SocketId, Base] = {}
        self.announced: list[Announced] = []
        self.urls: dict[Candidate, str] = {}
        """Which server each candidate came from, if from one."""
        self.relay_protocols: dict[Candidate, str] = {}
        """How we reach the server of each relayed candidate."""
        self.ufrag = ""

    def add(self, address: Address, socket: SocketId, origin: LocalOrigin = HOST_ORIGIN) -> Base:
        """A bound socket, or what serves as one."""
        kind = (origin.type, origin.transport, origin.tcp_type)
        index = self._counts.get(kind, 0)
        self._counts[kind] = index + 1
        preference = base_preference(index, address.host, origin)
        base = Base(socket, address, preference, self._candidate(address, preference, origin), origin)
        self.bases[socket] = base
        self._note_origin(base)
        return base

    def _candidate(self, address: Address, preference: int, origin: LocalOrigin) -> Candidate:
        related = origin.related
        return Candidate(
            foundation=self._foundations.of(origin.type, address.host, origin.url or "", origin.transport),
            transport=origin.transport,
            priority=candidate_priority(origin.type, preference, transport=origin.transport),
            host=address.host,
            port=address.port,
            type=origin.type,
            related_host=None if related is None else related.host,
            related_port=None if related is None else related.port,
            tcp_type=origin.tcp_type,
            ufrag=self.ufrag,
        )

    def _note_origin(self, base: Base) -> None:
        origin = base.origin
        if origin.url is not None:
            self.urls[base.candidate] = origin.url
        if origin.relay_protocol is not None:
            self.relay_protocols[base.candidate] = origin.relay_protocol

    @property
    def own_hosts(self) -> frozenset[str]:
        """The addresses of this machine."""
        return frozenset(b.address.host for b in self.bases.values() if b.origin.type is CandidateType.HOST)

    def remove(self, socket: SocketId) -> Base | None:
        """Forgets a socket and all candidates on it."""
        base = self.bases.pop(socket, None)
        if base is not None:
            self.announced = [one for one in self.announced if one.base is not base]
        return base

    def begin(self, ufrag: str) -> None:
        """A new generation: nothing is announced yet, and candidates name the new ufrag."""
        self.ufrag = ufrag
        self.announced = []
        self.urls = {}
        self.relay_protocols = {}
        for base in self.bases.values():
            base.candidate = self._candidate(base.address, base.local_preference, base.origin)
            self._note_origin(base)

    def found(self, found: Found) -> Candidate | None:
        """The candidate for what a source found; None if it is redundant: no NAT, or another server saw the same."""
        base, kind, address, server, order = found
        related = base.address
        if address == related or self.known(address, base) is not None:
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

    def known(self, address: Address, base: Base) -> Candidate | None:
        """The announced candidate at `address` that `base` is behind."""
        for one in self.announced:
            if one.base is base and one.address == address:
                return one.candidate
        return None

    def seen_as(self, base: Base, mapped: Address) -> Candidate:
        """What the peer sees us as on this base: the base's candidate, a known one, or a peer-reflexive one.

        Over TCP each connection has a port of its own, so the address alone says whether there is a NAT.
        """
        active = base.origin.tcp_type is TcpType.ACTIVE
        if mapped == base.address or (active and mapped.host == base.address.host):
            return base.candidate
        known = self.known(mapped, base)
        if known is not None:
            return known
        return Candidate(
            foundation=base.candidate.foundation,
            transport=base.origin.transport,
            priority=base.check_priority,
            host=mapped.host,
            port=mapped.port,
            type=CandidateType.PRFLX,
            related_host=base.address.host,
            related_port=base.address.port,
            tcp_type=base.origin.tcp_type,
        )
