"""Network address translation in all the kinds that RFC 4787 describes.

    nat = net.nat("203.0.113.1", "symmetric", hairpin=False)
    alice = nat.host("192.168.1.2")

`NAT_KINDS` has the kinds by the names that everybody uses; a `NatConfig`, or keywords, say it in the RFC's words.

Implemented of RFC 4787: mapping (REQ-1), pooling of outside addresses (REQ-2), port assignment with and without
preservation and never overloaded (REQ-3), parity (REQ-4), expiry and refresh (REQ-5, REQ-6), filtering (REQ-8),
hairpinning with the outside address as source (REQ-9). TCP goes by the same mapping and filtering (RFC 5382).
Left out: contiguity of ports (REQ-4's other half), ICMP, fragments.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ..base import Address, canonical_ip, random_below
from ..errors import InvalidArgumentError
from .packet import Transport
from .realm import Realm
from .stateful import FirewallConfig, NatBehaviour, StatefulBox, behaviour

if TYPE_CHECKING:
    from .network import Network

_RANDOM_TRIES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NatConfig(FirewallConfig):
    """What a NAT does. The default is a usual router at home: "port restricted"."""

    mapping: NatBehaviour = NatBehaviour.ENDPOINT_INDEPENDENT
    hairpin: bool = True
    """Whether hosts inside reach one another by their outside addresses (REQ-9)."""
    port_preservation: bool = False
    """The port outside is the one inside as long as nobody has it; else, and for further mappings, any."""
    port_parity: bool = True
    """Even ports for even ones (REQ-4), for RTP with RTCP on the next port."""
    paired: bool = True
    """With several outside addresses: a host inside has one of them for everything (REQ-2)."""
    ports: tuple[int, int] = (1024, 65535)
    """First and last port outside."""

    def __post_init__(self) -> None:
        FirewallConfig.__post_init__(self)
        object.__setattr__(self, "mapping", behaviour(self.mapping))
        first, last = self.ports
        if not 1 <= first <= last <= 65535:
            raise InvalidArgumentError(f"ports are a first and a last one from 1 to 65535, got {self.ports}")


_INDEPENDENT, _ADDRESS, _PORT = NatBehaviour

NAT_KINDS: Final[Table[str, NatConfig]] = MappingProxyType(
    {
        "full-cone": NatConfig(mapping=_INDEPENDENT, filtering=_INDEPENDENT),
        "address-restricted": NatConfig(mapping=_INDEPENDENT, filtering=_ADDRESS),
        "port-restricted": NatConfig(mapping=_INDEPENDENT, filtering=_PORT),
        "address-symmetric": NatConfig(mapping=_ADDRESS, filtering=_ADDRESS),
        "symmetric": NatConfig(mapping=_PORT, filtering=_PORT),
        "symmetric-preserving": NatConfig(mapping=_PORT, filtering=_PORT, port_preservation=True),
        "udp-blocked": NatConfig(udp=False),
    }
)
"""The kinds of RFC 3489's words and their likes, in the words of RFC 4787."""


class Nat(StatefulBox):
    """A NAT. Made by `net.nat(...)`, or `box.nat(...)` behind another one."""

    def __init__(
        self, network: Network, name: str, outer: Realm, addresses: tuple[str, ...], config: NatConfig
    ) -> None:
        super().__init__(network, name, outer, addresses, config)
        self.mapping = config.mapping
        self.hairpin = config.hairpin
        self._ports = config
        self._paired: dict[str, str] = {}
        self._retired: set[tuple[Transport, Address]] = set()
        self._one_to_one: dict[str, str] = {}
        self._one_to_one_back: dict[str, str] = {}

    def map_port(self, outside_port: int, inside: Address, transport: Transport | str = Transport.UDP) -> Address:
        """A port forwarding: anybody reaches `inside` at this port, from where it answers too. Returns: the address.

        Errors: `InvalidArgumentError` when the port is taken."""
        own = [ip for ip in self.addresses if (":" in ip) == inside.is_ipv6]
        outside = next((Address(ip, outside_port) for ip in own), None)
        if outside is None or not self.is_free(Transport(transport), outside):
            raise InvalidArgumentError(f"port {outside_port} of {self.name} is taken, or of another family")
        self.fix(inside, outside, transport)
        return outside

    def map_address(self, outside: str, inside: str) -> None:
        """One to one, as clouds do: the host `inside` has all ports of `outside`, which must be one of this NAT's, and
        nothing is filtered. Errors: `InvalidArgumentError` when the address is not ours or has a host already."""
        outside, inside = canonical_ip(outside), canonical_ip(inside)
        if outside not in self.addresses or outside in self._one_to_one_back:
            raise InvalidArgumentError(f"{outside} is not a free address of {self.name}")
        self._one_to_one[inside] = outside
        self._one_to_one_back[outside] = inside

    def rebind(self, outside: str | Sequence[str] | None = None) -> None:
        """All mappings are gone, and those that come instead have other ports; or other addresses, when `outside` is
        given: from Wi-Fi to a mobile network. Nobody is told. TCP connections through it hang.

        Errors: `InvalidArgumentError` when an address is taken; then nothing has changed."""
        retired = set(self._by_outside)
        if outside is not None:
            chosen = (outside,) if isinstance(outside, str) else tuple(outside)
            self._own([canonical_ip(ip) for ip in chosen])
            self._paired.clear()
        self._retired = retired
        self.counters.rebinds += 1
        self.clear()

    def fixed_outside(self, transport: Transport, inside: Address) -> Address | None:
        ip = self._one_to_one.get(inside.host)
        return Address(ip, inside.port) if ip is not None else super().fixed_outside(transport, inside)

    def fixed_inside(self, transport: Transport, outside: Address) -> Address | None:
        ip = self._one_to_one_back.get(outside.host)
        return Address(ip, outside.port) if ip is not None else super().fixed_inside(transport, outside)

    def allocate(self, transport: Transport, inside: Address) -> Address | None:
        ip = self._pooled(inside.host, self.family_outside(inside))
        if ip is None:
            return None
        if self._ports.port_preservation and self._is_new(transport, Address(ip, inside.port)):
            return Address(ip, inside.port)
        first, last = self._ports.ports
        step = 2 if self._ports.port_parity and last > first else 1
        if step == 2 and (first ^ inside.port) & 1:
            first += 1
        count = (last - first) // step + 1
        start = random_below(self.entropy, count)
        for _ in range(_RANDOM_TRIES):
            address = Address(ip, first + step * start)
            if self._is_new(transport, address):
                return address
            start = random_below(self.entropy, count)
        for offset in range(count):
            address = Address(ip, first + step * ((start + offset) % count))
            if self.is_free(transport, address):
                return address
        return None

    def family_outside(self, inside: Address) -> bool:
        """Whether a mapping for `inside` is IPv6 outside."""
        return inside.is_ipv6

    def _is_new(self, transport: Transport, address: Address) -> bool:
        return (transport, address) not in self._retired and self.is_free(transport, address)

    def _pooled(self, inside: str, ipv6: bool) -> str | None:
        """The outside address for somebody."""
        usable = [ip for ip in self.addresses if (":" in ip) == ipv6 and ip not in self._one_to_one_back]
        if not usable:
            return None
        if not self._ports.paired:
            return usable[random_below(self.entropy, len(usable))]
        known = self._paired.get(inside)
        if known not in usable:
            known = self._paired[inside] = usable[len(self._paired) % len(usable)]
        return known
