"""What a NAT and a stateful firewall have in common: they remember who inside has spoken to whom outside.

A *mapping* ties an endpoint inside to one outside, for all remote addresses or for some (`NatBehaviour`); it remembers
to whom it was used, and that is what the filter asks. A firewall is the same with every endpoint tied to itself.

Invariants: an outside endpoint belongs to one inside endpoint at a time; a mapping that was not used for its lifetime
is as if it had never been; the tables are bounded (`max_mappings`, and `_MAX_PEERS` in each mapping).

Spec: RFC 4787 (UDP), RFC 5382 (TCP). Left out: ICMP, fragments, application level gateways.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ..base import Address, Instant
from ..errors import InvalidArgumentError
from .box import Box
from .packet import Flag, Packet, Segment, Transport
from .realm import Realm

if TYPE_CHECKING:
    from .network import Network

_MAX_PEERS: Final = 4096


class NatBehaviour(StrEnum):
    """On what part of the remote address something depends (RFC 4787 section 4.1 for mappings, 5 for filters)."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"

    def scope(self, remote: Address) -> str | Address | None:
        """The part itself."""
        if self is NatBehaviour.ENDPOINT_INDEPENDENT:
            return None
        return remote.host if self is NatBehaviour.ADDRESS_DEPENDENT else remote


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallConfig:
    """What a stateful box lets through. Times are seconds."""

    filtering: NatBehaviour = NatBehaviour.ADDRESS_AND_PORT_DEPENDENT
    """Who outside may answer: what most routers do is the default."""
    mapping_timeout: float = 30.0
    """For UDP, since the last packet from inside: what many routers do, where RFC 4787 REQ-5 wants two minutes."""
    inbound_refresh: bool = False
    """Whether packets from outside keep a mapping alive too (RFC 4787 REQ-6 leaves that open; it lets outsiders)."""
    tcp_timeout: float = 7440.0
    """For a connection (RFC 5382 REQ-5)."""
    tcp_closing_timeout: float = 240.0
    """For one that is being opened, or closed by either side (the same)."""
    udp: bool | Container[int] = True
    """Whether UDP may leave, or to which ports. What may not is dropped in silence."""
    tcp: bool | Container[int] = True
    """Whether TCP connections may be made to outside, or to which ports."""
    reject: bool = False
    """Refused TCP connections are reset at once instead of being left without an answer."""
    max_mappings: int = 10_000
    """Mappings at a time; who wants one more gets none, until one expires."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "filtering", behaviour(self.filtering))
        for name in ("mapping_timeout", "tcp_timeout", "tcp_closing_timeout"):
            if getattr(self, name) <= 0:
                raise InvalidArgumentError(f"{name} is in seconds and positive, got {getattr(self, name)}")
        if self.max_mappings < 1:
            raise InvalidArgumentError(f"max_mappings is at least 1, got {self.max_mappings}")


def behaviour(value: NatBehaviour | str) -> NatBehaviour:
    """`value` as a `NatBehaviour`. Errors: `InvalidArgumentError`."""
    try:
        return NatBehaviour(value)
    except ValueError:
        raise InvalidArgumentError(f"{value!r} is none of {', '.join(NatBehaviour)}") from None


class Mapping:
    """One line of the table. `peers` has the time of the last packet to each part of the outside that the filter
    looks at, least recently used first."""

    __slots__ = ("closing", "inside", "keys", "last", "opened", "outside", "peers", "transport")

    def __init__(self, transport: Transport, inside: Address, outside: Address) -> None:
        self.transport = transport
        self.inside = inside
        self.outside = outside
        self.last: Instant = 0.0
        self.peers: dict[str | Address | None, Instant] = {}
        self.keys: list[_Key] = []
        self.opened = False
        """TCP: someone outside has answered."""
        self.closing = False
        """TCP: a FIN or a reset was seen."""

    def __repr__(self) -> str:
        return f"Mapping({self.transport} {self.inside} = {self.outside})"


_Key = tuple[Transport, Address, str | Address | None]


class StatefulBox(Box):
    """Mappings and filters. A subclass says what endpoint outside a mapping gets."""

    mapping = NatBehaviour.ENDPOINT_INDEPENDENT
    hairpin = False

    def __init__(
        self,
        network: Network,
        name: str,
        outer: Realm,
        addresses: tuple[str, ...],
        config: FirewallConfig,
    ) -> None:
        super().__init__(network, name, outer, addresses)
        self.config = config
        self._by_inside: dict[_Key, Mapping] = {}
        self._by_outside: dict[tuple[Transport, Address], Mapping] = {}
        self._fixed: dict[tuple[Transport, Address], Address] = {}
        """Endpoints inside that are always reachable, with their endpoint outside; `_fixed_back` the other way."""
        self._fixed_back: dict[tuple[Transport, Address], Address] = {}

    # --- what a subclass decides ------------------------------------------------------------------------------------

    @abstractmethod
    def allocate(self, transport: Transport, inside: Address) -> Address | None:
        """An endpoint outside for a new mapping, or None when there is none."""
        ...

    def to_outer(self, destination: Address) -> Address:
        """What the outer network calls a destination."""
        return destination

    def to_inner(self, source: Address) -> Address:
        """What the inner network calls a source."""
        return source

    def fixed_outside(self, transport: Transport, inside: Address) -> Address | None:
        """The endpoint outside that someone inside has without a mapping."""
        return self._fixed.get((transport, inside))

    def fixed_inside(self, transport: Transport, outside: Address) -> Address | None:
        """The other way."""
        return self._fixed_back.get((transport, outside))

    # --- the table --------------------------------------------------------------------------------------------------

    @property
    def mappings(self) -> list[Mapping]:
        """Those that live, oldest first."""
        return [mapping for mapping in self._by_outside.values() if self._lives(mapping)]

    def mapped(self, inside: Address, remote: Address, transport: Transport | str = Transport.UDP) -> Address | None:
        """How `inside` is seen by `remote`, as things are now; None when there is no mapping."""
        kind = Transport(transport)
        fixed = self.fixed_outside(kind, inside)
        if fixed is not None:
            return fixed
        mapping = self._by_inside.get((kind, inside, self.mapping.scope(remote)))
        return mapping.outside if mapping is not None and self._lives(mapping) else None

    def fix(self, inside: Address, outside: Address, transport: Transport | str) -> None:
        """Ties two endpoints for good; anybody outside may speak to them."""
        kind = Transport(transport)
        self._fixed[kind, inside] = outside
        self._fixed_back[kind, outside] = inside

    def clear(self) -> None:
        """Forgets every mapping, as if the power had failed."""
        self._by_inside.clear()
        self._by_outside.clear()

    def _lifetime(self, mapping: Mapping) -> float:
        if mapping.transport is Transport.UDP:
            return self.config.mapping_timeout
        return self.config.tcp_timeout if mapping.opened and not mapping.closing else self.config.tcp_closing_timeout

    def _lives(self, mapping: Mapping) -> bool:
        return self.network.now - mapping.last <= self._lifetime(mapping)

    def _forget(self, mapping: Mapping) -> None:
        self.counters.mappings_expired += 1
        del self._by_outside[mapping.transport, mapping.outside]
        for key in mapping.keys:
            del self._by_inside[key]

    def _find_inside(self, key: _Key) -> Mapping | None:
        mapping = self._by_inside.get(key)
        if mapping is not None and not self._lives(mapping):
            self._forget(mapping)
            return None
        return mapping

    def is_free(self, transport: Transport, outside: Address) -> bool:
        """Whether nobody has this endpoint; whose time is over loses it."""
        if (transport, outside) in self._fixed_back:
            return False
        mapping = self._by_outside.get((transport, outside))
        if mapping is not None and not self._lives(mapping):
            self._forget(mapping)
            return True
        return mapping is None

    def _has_room(self) -> bool:
        if len(self._by_inside) < self.config.max_mappings:
            return True
        for mapping in list(self._by_outside.values()):
            if not self._lives(mapping):
                self._forget(mapping)
        return len(self._by_inside) < self.config.max_mappings

    def _create(self, key: _Key) -> Mapping | str:
        transport, inside, _ = key
        if not self._has_room():
            return "table full"
        outside = self.allocate(transport, inside)
        if outside is None:
            return "no outside port"
        mapping = Mapping(transport, inside, outside)
        mapping.keys.append(key)
        self._by_inside[key] = self._by_outside[transport, outside] = mapping
        self.counters.mappings_created += 1
        return mapping

    def _touch(self, mapping: Mapping, remote: Address) -> None:
        now = mapping.last = self.network.now
        scope = self.config.filtering.scope(remote)
        if scope is None:
            return
        peers = mapping.peers
        peers.pop(scope, None)
        if len(peers) >= _MAX_PEERS:
            del peers[next(iter(peers))]
        peers[scope] = now

    def _allows(self, mapping: Mapping, remote: Address) -> bool:
        scope = self.config.filtering.scope(remote)
        if scope is None:
            return True
        last = mapping.peers.get(scope)
        return last is not None and self.network.now - last <= self._lifetime(mapping)

    @staticmethod
    def _observe(mapping: Mapping, packet: Packet, inbound: bool) -> None:
        """Follows a TCP connection as far as its lifetime asks."""
        segment = packet.segment
        if segment is not None:
            if segment.flags & (Flag.FIN | Flag.RST):
                mapping.closing = True
            elif segment.flags & Flag.SYN:
                mapping.closing = False
            if inbound:
                mapping.opened = True

    # --- from inside ------------------------------------------------------------------------------------------------

    def outbound(self, packet: Packet) -> None:
        remote = self.to_outer(packet.destination)
        hairpin = remote.host in self.addresses
        if hairpin and not self.hairpin:
            self.drop(packet, "no hairpin")
            return
        fixed = self.fixed_outside(packet.transport, packet.source)
        note = "fixed mapping"
        if fixed is None:
            refusal = self._refusal(packet, remote)
            if refusal is not None:
                self.drop(packet, refusal)
                if self.config.reject:
                    self._reset(packet)
                return
            key = (packet.transport, packet.source, self.mapping.scope(remote))
            found: Mapping | str | None = self._find_inside(key)
            note = "known mapping"
            if found is None:
                if packet.segment is not None and packet.segment.flags != Flag.SYN:
                    self.drop(packet, "no connection")
                    return
                found = self._create(key)
                note = "new mapping"
            if isinstance(found, str):
                self.drop(packet, found)
                return
            self._touch(found, remote)
            self._observe(found, packet, inbound=False)
            fixed = found.outside
        translated = packet._replace(source=fixed, destination=remote)
        if hairpin:
            self.counters.hairpinned += 1
            self.inbound(translated)
        else:
            self.pass_out(translated, self._words(packet, translated, note))

    def _refusal(self, packet: Packet, remote: Address) -> str | None:
        if packet.segment is not None and packet.segment.flags != Flag.SYN:
            return None
        allowed = self.config.udp if packet.transport is Transport.UDP else self.config.tcp
        if isinstance(allowed, bool):
            return None if allowed else f"{packet.transport} blocked"
        return None if remote.port in allowed else f"{packet.transport} port blocked"

    def _reset(self, packet: Packet) -> None:
        if packet.segment is not None:
            answer = Segment(Flag.RST | Flag.ACK, 0, packet.segment.seq + 1)
            self.pass_in(
                Packet(Transport.TCP, packet.destination, packet.source, segment=answer), f"{self.name}: refused"
            )

    # --- from outside -----------------------------------------------------------------------------------------------

    def inbound(self, packet: Packet) -> None:
        inside = self.fixed_inside(packet.transport, packet.destination)
        if inside is None:
            mapping = self._by_outside.get((packet.transport, packet.destination))
            if mapping is None or not self._lives(mapping):
                if mapping is not None:
                    self._forget(mapping)
                self.drop(packet, "no mapping")
                return
            if not self._allows(mapping, packet.source):
                self.drop(packet, "filtered")
                return
            if self.config.inbound_refresh or mapping.transport is Transport.TCP:
                self._touch(mapping, packet.source)
            self._observe(mapping, packet, inbound=True)
            self._expect_answer(mapping, packet.source)
            inside = mapping.inside
        translated = packet._replace(source=self.to_inner(packet.source), destination=inside)
        self.pass_in(translated, self._words(packet, translated, "let in"))

    def _expect_answer(self, mapping: Mapping, remote: Address) -> None:
        """An answer leaves by the mapping that its question came in by. Half of the table is for those inside only."""
        key = (mapping.transport, mapping.inside, self.mapping.scope(remote))
        if key not in self._by_inside and len(self._by_inside) < self.config.max_mappings // 2:
            self._by_inside[key] = mapping
            mapping.keys.append(key)

    def _words(self, before: Packet, after: Packet, what: str) -> str:
        if not self.network.keep_log:
            return ""
        changed = [
            f"{old} -> {new}"
            for old, new in ((before.source, after.source), (before.destination, after.destination))
            if old != new
        ]
        return f"{self.name}: {', '.join([what, *changed])}"
