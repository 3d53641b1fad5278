"""NAT64 and DNS64: how hosts that have IPv6 only reach those that have IPv4 only.

    mobile = net.nat64("64:ff9b::/96", outside="203.0.113.64")
    phone = mobile.host("2001:db8::2")

Destinations in the prefix are IPv4 ones and leave translated, from an IPv4 address of the box. Every other one is IPv6
and passes as it is, in both directions and without a filter: put a firewall behind or before it for that. `resolve`
gives hosts inside an address in the prefix for a name that has IPv4 addresses only, and for `ipv4only.arpa`, by which a
program finds out the prefix; without IPv4 of their own they get no IPv4 addresses.

Spec: RFC 6146 (translation), RFC 6147 (DNS64), RFC 6052 (addresses), RFC 7050 (discovery of the prefix).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from ..base import Address
from ..errors import InvalidArgumentError
from .nat import Nat, NatConfig
from .packet import Packet
from .realm import Realm

if TYPE_CHECKING:
    from .network import Network

_LENGTHS: Final = (32, 40, 48, 56, 64, 96)
_WELL_KNOWN_NAME: Final = "ipv4only.arpa"
_WELL_KNOWN: Final = ("192.0.0.170", "192.0.0.171")


class Prefix:
    """An IPv6 prefix that IPv4 addresses are embedded in (RFC 6052 section 2.2)."""

    def __init__(self, text: str) -> None:
        """Errors: `InvalidArgumentError` unless it is a prefix of 32, 40, 48, 56, 64 or 96 bits."""
        try:
            network = ipaddress.IPv6Network(text)
        except ValueError as error:
            raise InvalidArgumentError(f"not an IPv6 prefix: {text[:64]!r}") from error
        if network.prefixlen not in _LENGTHS:
            raise InvalidArgumentError(f"a prefix for IPv4 has 32, 40, 48, 56, 64 or 96 bits, not {network.prefixlen}")
        self.network = network
        self._bytes = network.prefixlen // 8

    def embed(self, ipv4: str) -> str:
        """The IPv6 address that stands for `ipv4`."""
        whole = bytearray(self.network.network_address.packed)
        at = self._bytes
        for byte in ipaddress.IPv4Address(ipv4).packed:
            at += at == 8  # bits 64 to 71 stay zero
            whole[at] = byte
            at += 1
        return str(ipaddress.IPv6Address(bytes(whole)))

    def extract(self, ipv6: str) -> str | None:
        """The IPv4 address in `ipv6`, None when that is not in the prefix."""
        address = ipaddress.IPv6Address(ipv6)
        if address not in self.network:
            return None
        places = [at + (self._bytes <= 8 <= at) for at in range(self._bytes, self._bytes + 4)]
        return str(ipaddress.IPv4Address(bytes(address.packed[at] for at in places)))


class Nat64(Nat):
    """A NAT64. Made by `net.nat64(...)`."""

    def __init__(
        self,
        network: Network,
        name: str,
        outer: Realm,
        addresses: tuple[str, ...],
        config: NatConfig,
        prefix: str,
    ) -> None:
        if any(":" in ip for ip in addresses):
            raise InvalidArgumentError("the outside of a NAT64 is IPv4; its inside addresses are known outside anyway")
        self.prefix = Prefix(prefix)
        super().__init__(network, name, outer, addresses, config)

    def routes(self, ip: str) -> bool:
        return ":" in ip

    def resolved(self, name: str, hosts: tuple[str, ...], has_ipv4: bool) -> tuple[str, ...]:
        if name == _WELL_KNOWN_NAME:
            hosts = _WELL_KNOWN
        native = tuple(ip for ip in hosts if ":" in ip)
        if native:
            return hosts if has_ipv4 else native
        synthesized = tuple(self.prefix.embed(ip) for ip in hosts)
        return (*synthesized, *hosts) if has_ipv4 else synthesized

    def family_outside(self, inside: Address) -> bool:
        return False

    def to_outer(self, destination: Address) -> Address:
        ipv4 = self.prefix.extract(destination.host)
        return destination if ipv4 is None else Address(ipv4, destination.port)

    def to_inner(self, source: Address) -> Address:
        return Address(self.prefix.embed(source.host), source.port)

    def outbound(self, packet: Packet) -> None:
        if not packet.source.is_ipv6:
            self.drop(packet, "no IPv4 inside")
        elif self.prefix.extract(packet.destination.host) is None:
            self.pass_out(packet, f"{self.name}: IPv6, as it is")
        else:
            super().outbound(packet)

    def inbound(self, packet: Packet) -> None:
        if packet.destination.is_ipv6:
            self.pass_in(packet, f"{self.name}: IPv6, as it is")
        else:
            super().inbound(packet)
