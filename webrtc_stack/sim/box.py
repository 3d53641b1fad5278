"""A box between two networks: one face outside, one face inside, and an address space of its own behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..base import Address, Drops
from .packet import Packet, Transport
from .realm import GATEWAY, Realm

if TYPE_CHECKING:
    from .firewall import Firewall
    from .host import Host
    from .nat import Nat, NatConfig
    from .nat64 import Nat64
    from .network import Network


@dataclass(slots=True)
class BoxCounters:
    outbound: int = 0
    inbound: int = 0
    hairpinned: int = 0
    """From inside to inside by an outside address."""
    mappings_created: int = 0
    mappings_expired: int = 0
    rebinds: int = 0


class _InnerFace:
    """What hosts inside see of a box: their gateway."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.name = f"{box.name} inside"
        self.down: set[str] = set()

    def deliver(self, source: Address, destination: Address, data: bytes, ecn: int) -> None:
        self.box.outbound(Packet(Transport.UDP, source, destination, data, ecn))

    def receive(self, packet: Packet) -> None:
        self.box.outbound(packet)

    def admits(self, ip: str) -> bool:
        return self.box.routes(ip)

    def expose(self, ip: str) -> None:
        self.box.outer.add(ip, self.box)

    def outer_realm(self, ip: str) -> Realm | None:
        return self.box.outer if self.box.routes(ip) else None

    def conceal(self, ip: str) -> None:
        self.box.outer.remove(ip)

    def resolved(self, name: str, hosts: tuple[str, ...], has_ipv4: bool) -> tuple[str, ...]:
        return self.box.resolved(name, hosts, has_ipv4)


class Box(ABC):
    """What a NAT and a firewall have in common. Subclasses say what `outbound` and `inbound` do with a packet."""

    def __init__(self, network: Network, name: str, outer: Realm, addresses: tuple[str, ...] = ()) -> None:
        self.network = network
        self.name = name
        self.outer = outer
        self.addresses: tuple[str, ...] = ()
        """Its own, on the outer side."""
        self.down: set[str] = set()
        """Outside addresses whose interface is dead."""
        self.counters = BoxCounters()
        self.drops = Drops()
        self.entropy = network.entropy.fork(f"box {name}")
        self.face = _InnerFace(self)
        self.realm = Realm(network, name, self.entropy, self.face)
        self._own(addresses)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {', '.join(self.addresses) or 'no address'})"

    def _own(self, addresses: Sequence[str]) -> None:
        """Answers for these addresses outside, and for no others. Errors: `InvalidArgumentError`, nothing changed."""
        old = self.addresses
        for ip in old:
            self.outer.remove(ip)
        self.addresses = ()
        try:
            for ip in addresses:
                self.outer.add(ip, self)
                self.addresses = (*self.addresses, ip)
        except Exception:
            for ip in self.addresses:
                self.outer.remove(ip)
            for ip in old:
                self.outer.add(ip, self)
            self.addresses = old
            raise

    # --- building ---------------------------------------------------------------------------------------------------

    def host(self, *addresses: str, name: str | None = None) -> Host:
        """A new host inside; the address may exist elsewhere as well."""
        return self.network.host(*addresses, name=name, behind=self)

    def nat(
        self,
        outside: str | Sequence[str],
        config: NatConfig | str | None = None,
        *,
        name: str | None = None,
        **changes: Any,
    ) -> Nat:
        """A NAT behind this box, so a double NAT when this is one."""
        return self.network.nat(outside, config, name=name, behind=self, **changes)

    def firewall(self, *, name: str | None = None, **changes: Any) -> Firewall:
        """A firewall behind this box."""
        return self.network.firewall(name=name, behind=self, **changes)

    def nat64(self, prefix: str = "64:ff9b::/96", *, outside: str, name: str | None = None, **changes: Any) -> Nat64:
        """A NAT64 behind this box."""
        return self.network.nat64(prefix, outside=outside, name=name, behind=self, **changes)

    # --- what a subclass decides ------------------------------------------------------------------------------------

    def routes(self, ip: str) -> bool:
        """Whether an address inside is one outside too. Not with a NAT."""
        return False

    def resolved(self, name: str, hosts: tuple[str, ...], has_ipv4: bool) -> tuple[str, ...]:
        """What its DNS makes of an answer: nothing, mostly."""
        return hosts

    @abstractmethod
    def outbound(self, packet: Packet) -> None:
        """A packet has come from inside."""
        ...

    @abstractmethod
    def inbound(self, packet: Packet) -> None:
        """A packet has come from outside."""
        ...

    # --- packets ----------------------------------------------------------------------------------------------------

    def deliver(self, source: Address, destination: Address, data: bytes, ecn: int) -> None:
        """A datagram has arrived outside."""
        self.inbound(Packet(Transport.UDP, source, destination, data, ecn))

    def receive(self, packet: Packet) -> None:
        """Any packet has arrived outside."""
        self.inbound(packet)

    def pass_out(self, packet: Packet, note: str) -> None:
        """Sends a packet into the outer network."""
        self.counters.outbound += 1
        self.network.forward(self.outer, packet, self, packet.source.host, note)

    def pass_in(self, packet: Packet, note: str) -> None:
        """Sends a packet to someone inside."""
        self.counters.inbound += 1
        self.network.forward(self.realm, packet, self.face, GATEWAY, note)

    def drop(self, packet: Packet, reason: str) -> None:
        """Counts a packet and says in the log why it went no further."""
        self.drops.add(reason)
        self.network.record(packet, 0, f"{self.name}: dropped, {reason}")
