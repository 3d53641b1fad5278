"""Whom a relay may reach: by default the public internet and nothing else.

A relay speaks with the address of the machine it runs on. Whoever may use it reaches what that machine reaches, its own
loopback services and its neighbours included, unless somebody says no.

Spec: RFC 8656 sections 5, 21.1.3 and 21.1.4 (firewalls, loopback and own addresses); RFC 6890 (special addresses).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..errors import InvalidArgumentError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPolicy:
    """Ranges a relay may send to. `deny` wins over `allow`, `allow` over the defaults.

    An address that carries another one inside (IPv4-mapped, NAT64, 6to4, Teredo) is judged by both.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    allow_private: bool = False
    """Private, shared and unique local ranges: for a server inside the network it serves."""
    allow_loopback: bool = False
    """For tests on one machine."""

    @classmethod
    def of(
        cls, *, allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), private: bool = False, loopback: bool = False
    ) -> PeerPolicy:
        """The same from text. Errors: `InvalidArgumentError` for what is no address range."""
        return cls(
            allow=tuple(map(_network, allow)),
            deny=tuple(map(_network, deny)),
            allow_private=private,
            allow_loopback=loopback,
        )

    def refusal(self, host: str) -> str | None:
        """Why this host may not be reached; None if it may."""
        try:
            address: _Ip = ipaddress.ip_address(host)
        except ValueError:
            return "not an address"
        for one in (address, *_inside(address)):
            reason = self._judge(one)
            if reason is not None:
                return reason
        return None

    def _judge(self, address: _Ip) -> str | None:
        if any(address in network for network in self.deny):
            return "denied range"
        if any(address in network for network in self.allow):
            return None
        if address.is_multicast:
            return "multicast"
        if address.is_unspecified or (isinstance(address, ipaddress.IPv4Address) and address in _THIS_NETWORK):
            return "unspecified"
        if address.is_loopback:
            return None if self.allow_loopback else "loopback"
        if address.is_link_local:
            return "link-local"
        if address.is_reserved and not _carries(address):
            return "reserved"
        if not address.is_global and not _carries(address):
            return None if self.allow_private else "private"
        return None


_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")


def _carries(address: _Ip) -> bool:
    return bool(_inside(address))


def _inside(address: _Ip) -> list[_Ip]:
    """IPv4 addresses that a datagram to this IPv6 address may end at."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if int(address) >> 32 == 0 and int(address) > 1:  # IPv4-compatible, long deprecated
        return [ipaddress.IPv4Address(int(address))]
    return []


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InvalidArgumentError(f"not an address range: {text[:60]!r}; write 10.0.0.0/8 or fd00::/8") from None
