"""The agent's own candidates: bases with their sockets, and what servers saw them as.

What a base is announced as may differ from where it is bound: behind a NAT that maps one to one a rule names the public
address, and a hidden host has a name in its place.

Spec: RFC 8445 sections 5.1.1.1 (host), 5.1.1.2 (server-reflexive, relayed), 5.1.2, 5.1.3 (redundant ones); RFC 6544
section 5.1 (TCP).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..base import Address, Candidate, CandidateType, Entropy, SocketId, TcpType, canonical_ip
from .candidates import HOST_ORIGIN, Base, Foundations, LocalOrigin, base_preference, candidate_priority
from .config import AddressRewrite, IceConfig, RewriteMode
from .hiding import HostNames
from .sources import Found

_NAT_PREFERENCE: Final = 101
"""How far the public address of a rewriting rule lies below the host candidate; STUN servers take 1 to 100."""


class Announced(NamedTuple):
    """A candidate that the peer was told of, the base that is behind it, and the address that it means."""

    candidate: Candidate
    base: Base
    address: Address


class LocalCandidates:
    """Bases by socket; `announced` is what was told to the peer in this generation."""

    __slots__ = (
        "_config",
        "_counts",
        "_foundations",
        "announced",
        "bases",
        "names",
        "relay_protocols",
        "ufrag",
        "urls",
    )

    def __init__(self, config: IceConfig, entropy: Entropy) -> None:
        self._config = config
        self.names = HostNames(entropy)
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
        if related is not None and self._config.hide_hosts and related.host in self.own_hosts:
            related = _unspecified(related.host)
        host = address.host
        if origin.type is CandidateType.HOST:
            rule = self._rule(host)
            if rule is not None and rule.mode is RewriteMode.REPLACE:
                host = canonical_ip(rule.public)
            elif self._config.hide_hosts:
                host = self.names.of(host)
        return Candidate(
            foundation=self._foundations.of(origin.type, address.host, origin.url or "", origin.transport),
            transport=origin.transport,
            priority=candidate_priority(origin.type, preference, transport=origin.transport),
            host=host,
            port=address.port,
            type=origin.type,
            related_host=None if related is None else related.host,
            related_port=None if related is None else related.port,
            tcp_type=origin.tcp_type,
            ufrag=self.ufrag,
        )

    def _rule(self, host: str) -> AddressRewrite | None:
        rules = [rule for rule in self._config.rewrite if rule.applies_to(host)]
        return next((rule for rule in rules if rule.local is not None), rules[0] if rules else None)

    def announcements(self, base: Base) -> list[Announced]:
        """What to tell the peer of a base: its candidate, and the public address that a rule adds."""
        if not base.origin.announce:
            return []
        rule = self._rule(base.address.host) if base.origin.type is CandidateType.HOST else None
        if rule is None:
            return [Announced(base.candidate, base, base.address)]
        public = Address(canonical_ip(rule.public), base.address.port)
        if rule.mode is RewriteMode.REPLACE:
            return [Announced(base.candidate, base, public)]
        plain = Announced(base.candidate, base, base.address)
        if base.origin.transport != "udp" or public == base.address:
            return [plain]
        reflexive = self._reflexive(base, public, base.local_preference - _NAT_PREFERENCE, "rewritten")
        return [plain, Announced(reflexive, base, public)]

    def hides(self, base: Base) -> bool:
        """Whether the candidate of a base has a name in place of its address."""
        return base.origin.type is CandidateType.HOST and base.candidate.is_mdns

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
        # A name tells the peer less than an address, so with hidden hosts the address is not redundant.
        if (address == base.address and not self.hides(base)) or self.known(address, base, but=base.candidate):
            return None
        return self._reflexive(base, address, base.local_preference - 1 - order % 100, server, kind)

    def _reflexive(
        self,
        base: Base,
        address: Address,
        preference: int,
        server: str,
        kind: CandidateType = CandidateType.SRFLX,
    ) -> Candidate:
        related = _unspecified(base.address.host) if self.hides(base) else base.address
        return Candidate(
            foundation=self._foundations.of(kind, base.address.host, server),
            priority=candidate_priority(kind, preference),
            host=address.host,
            port=address.port,
            type=kind,
            related_host=related.host,
            related_port=related.port,
            ufrag=self.ufrag,
        )

    def known(self, address: Address, base: Base, but: Candidate | None = None) -> Candidate | None:
        """The announced candidate at `address` that `base` is behind."""
        for one in self.announced:
            if one.base is base and one.address == address and (one.candidate != but or not one.candidate.is_mdns):
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
        related = _unspecified(base.address.host) if self.hides(base) else base.address
        return Candidate(
            foundation=base.candidate.foundation,
            transport=base.origin.transport,
            priority=base.check_priority,
            host=mapped.host,
            port=mapped.port,
            type=CandidateType.PRFLX,
            related_host=related.host,
            related_port=related.port,
            tcp_type=base.origin.tcp_type,
        )


def _unspecified(host: str) -> Address:
    """In place of an address that is to stay hidden: what browsers write."""
    return Address("::" if ":" in host else "0.0.0.0", 0)
