"""An address space: who answers for which IP address, and the links between them.

There is one public realm, and one more inside of each box (NAT, firewall). An address means something within its realm
only, so 192.168.1.2 may exist behind any number of NATs. What a realm does not know goes to its gateway, the inner face
of its box; the public realm has none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..base import Address, Entropy
from ..errors import InvalidArgumentError
from .link import Link, LinkConfig
from .packet import Packet

if TYPE_CHECKING:
    from .network import Network

GATEWAY: Final = "gateway"
"""The name of a realm's gateway where a link wants the address of an end."""


class Node(Protocol):
    """Whatever a packet can reach: a host, a face of a box."""

    name: str
    down: set[str]

    def deliver(self, source: Address, destination: Address, data: bytes, ecn: int) -> None:
        """A datagram has arrived."""
        ...

    def receive(self, packet: Packet) -> None:
        """The same for any packet."""
        ...


class Gateway(Node, Protocol):
    """The inner face of a box."""

    def admits(self, ip: str) -> bool:
        """Whether the address `ip`, inside, is known outside as well (it is routed, not translated)."""
        ...

    def expose(self, ip: str) -> None:
        """Such an address has come."""
        ...

    def outer_realm(self, ip: str) -> Realm | None:
        """Where else the address `ip`, inside, is known."""
        ...

    def conceal(self, ip: str) -> None:
        """Such an address has gone."""
        ...

    def resolved(self, name: str, hosts: tuple[str, ...], has_ipv4: bool) -> tuple[str, ...]:
        """What the box's DNS makes of an answer for someone inside, who has IPv4 or not."""
        ...


class Realm:
    """One address space."""

    def __init__(self, network: Network, name: str, entropy: Entropy, gateway: Gateway | None = None) -> None:
        self.name = name
        self.gateway = gateway
        self.default_link: LinkConfig | None = None
        """What ends that were never linked have between them; None for that of the `Network`."""
        self.gateway_link = LinkConfig()
        """What the way to a gateway is unless it was linked: it takes no time and loses nothing."""
        self.names: dict[str, tuple[str, ...]] = {}
        """Multicast DNS of this network."""
        self.by_ip: dict[str, Node] = {}
        self._network = network
        self._entropy = entropy
        self._links: dict[tuple[str, str], Link] = {}
        self._link_configs: dict[tuple[str, str], LinkConfig] = {}

    def __repr__(self) -> str:
        return f"Realm({self.name}, {len(self.by_ip)} addresses)"

    def add(self, ip: str, node: Node) -> None:
        """`node` answers for `ip` from now on. Errors: `InvalidArgumentError` when somebody does already."""
        known = self.by_ip.get(ip)
        if known is not None:
            raise InvalidArgumentError(f"{ip} already belongs to {known.name}")
        if self.gateway is not None and self.gateway.admits(ip):
            self.gateway.expose(ip)
        self.by_ip[ip] = node

    def remove(self, ip: str) -> None:
        """Nobody answers for `ip` any more."""
        if self.by_ip.pop(ip, None) is not None and self.gateway is not None and self.gateway.admits(ip):
            self.gateway.conceal(ip)

    def outside_of(self, ip: str) -> Realm | None:
        """The network outside where `ip` is known too, if any."""
        return None if self.gateway is None else self.gateway.outer_realm(ip)

    def configure(self, source: str, destination: str, config: LinkConfig | None, changes: dict[str, Any]) -> None:
        """Sets or changes one direction between two addresses."""
        key = (source, destination)
        present = self._link_configs.get(key) or self._default(source, destination)
        chosen = self._link_configs[key] = replace(config or present, **changes)
        if key in self._links:
            self._links[key].config = chosen

    def _default(self, source: str, destination: str) -> LinkConfig:
        if GATEWAY in (source, destination):
            return self.gateway_link
        return self.default_link or self._network.default_link

    def link(self, source: str, destination: str) -> Link:
        """The link of one direction, made when it is first used."""
        key = (source, destination)
        link = self._links.get(key)
        if link is None:
            config = self._link_configs.get(key) or self._default(source, destination)
            link = self._links[key] = Link(config, self._entropy.fork(f"link {source} {destination}"))
        return link
