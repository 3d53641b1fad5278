"""The addresses of this machine, and which of them to use.

The only doorway to `ifaddr`. `local_addresses` says what there is; `select_addresses` is a pure filter, so that every
decision about interfaces can be tested without having them.

Spec: RFC 8445 section 5.1.1.1 (which addresses make host candidates), RFC 8981 (temporary addresses),
RFC 8835 section 3.2, RFC 8421 section 4 (both families by turns). Loopback is left out unless there is nothing else: a
peer elsewhere cannot use it, and two programs on one machine reach each other by any other address too.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import ifaddr

from ..errors import InvalidArgumentError
from . import kernel
from .runtime import LocalAddress, LocalAddressLike

_IF_INET6: Final = Path("/proc/net/if_inet6")
_TEMPORARY, _DAD_FAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40
"""Flags of an IPv6 address in Linux (`IFA_F_...`)."""
_SIOCGIFFLAGS: Final = 0x8913
_IFF_UP, _IFF_RUNNING = 0x1, 0x40


class _Flags(NamedTuple):
    usable: bool
    temporary: bool
    deprecated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Which local addresses become sockets."""

    include_loopback: bool | None = None
    """None: only when there is nothing else, so that two programs on a machine without a network still connect."""
    interfaces: Collection[str] | Callable[[str, str], bool] | None = None
    """Names to use, or a predicate of (interface, host); None: all."""
    ipv4: bool = True
    ipv6: bool = True
    link_local: bool = False
    """Left out by default: without the interface's name, which no candidate carries, a peer cannot reach them."""
    limit: int = 16
    """Sockets at most: each pairs with every remote candidate. Machines with dozens of container bridges exist."""

    def __post_init__(self) -> None:
        if isinstance(self.interfaces, str):
            raise InvalidArgumentError(f"interfaces is a collection of names: write ({self.interfaces!r},)")
        if self.limit < 1:
            raise InvalidArgumentError(f"limit must be at least 1, got {self.limit}")


def local_addresses(in_use: Collection[str] = ()) -> list[LocalAddress]:
    """Every usable unicast address, loopback included, each once, in an order that does not depend on the system's.

    Where an interface has a temporary IPv6 address, the stable ones with the same prefix are left out: they would
    tell who this is. Tentative, failed and deprecated addresses are left out where the system says which they are
    (Linux), and those of interfaces that are down or have no carrier. Hosts `in_use` are listed, last, while they can
    be used at all: a temporary address that is deprecated after a day carries the calls that have it.
    """
    found = _read_interfaces()
    return usable_addresses(found, _read_flags(), down=_read_down({name for name, _, _ in found}), in_use=in_use)


def _read_interfaces() -> list[LocalAddress]:
    found: list[LocalAddress] = []
    try:
        adapters = list(ifaddr.get_adapters())
    except OSError:
        return []  # no netlink (some sandboxes): the caller reports that nothing could be gathered
    for adapter in adapters:
        for ip in adapter.ips:
            if isinstance(ip.ip, str):
                found.append(LocalAddress(adapter.name, ip.ip))
            else:
                host, _, scope_id = ip.ip
                found.append(LocalAddress(adapter.name, host, scope_id))
    return found


def _read_down(interfaces: Iterable[str]) -> set[str]:
    """The interfaces on which nothing can leave: the kernel keeps their addresses."""
    down: set[str] = set()
    if not kernel.IS_LINUX:
        return down
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for name in interfaces:
            try:
                answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sh14x", name.encode()[:15], 0))
            except OSError:
                continue  # gone meanwhile, or a sandbox that does not tell
            (flags,) = struct.unpack_from("=h", answer, 16)
            if not (flags & _IFF_UP and flags & _IFF_RUNNING):
                down.add(name)
    return down


def _read_flags() -> dict[str, _Flags]:
    try:
        lines = _IF_INET6.read_text().splitlines()
    except OSError:
        return {}  # not Linux, or IPv6 is off
    return parse_if_inet6(lines)


def parse_if_inet6(lines: Iterable[str]) -> dict[str, _Flags]:
    """Reads Linux's table of IPv6 addresses: address, index, prefix length, scope, flags, name, in hexadecimal."""
    table: dict[str, _Flags] = {}
    for line in lines:
        words = line.split()
        try:
            host = str(ipaddress.IPv6Address(bytes.fromhex(words[0])))
            flags = int(words[4], 16)
        except (ValueError, IndexError):
            continue  # a line of a later kernel that we do not know
        usable = not flags & (_DAD_FAILED | _TENTATIVE)
        table[host] = _Flags(usable, bool(flags & _TEMPORARY), bool(flags & _DEPRECATED))
    return table


def usable_addresses(
    found: Iterable[LocalAddressLike],
    flags: dict[str, _Flags],
    *,
    down: Collection[str] = (),
    in_use: Collection[str] = (),
) -> list[LocalAddress]:
    """The pure half of `local_addresses`."""
    kept: dict[str, tuple[tuple[bool, str, int, bytes], LocalAddress]] = {}
    private: set[tuple[str, bytes]] = set()
    known = _Flags(True, False)
    for interface, host, scope_id in found:
        try:
            ip = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            continue  # nothing that a socket could be bound to
        flag = flags.get(str(ip), known)
        if ip.is_unspecified or ip.is_multicast or not flag.usable or interface in down:
            continue
        if isinstance(ip, ipaddress.IPv6Address):
            if ip.ipv4_mapped is not None or ip.is_site_local:
                continue  # RFC 8445: neither makes a candidate
            if flag.temporary and not flag.deprecated:
                private.add((interface, ip.packed[:8]))
        elif ip == ipaddress.IPv4Address("255.255.255.255"):
            continue
        scope = scope_id if ip.version == 6 and ip.is_link_local else 0
        order = (ip.is_loopback, interface, ip.version, ip.packed)
        kept.setdefault(f"{ip}%{scope}", (order, LocalAddress(interface, str(ip), scope)))
    usable, old = [], []
    for _, address in sorted(kept.values()):
        flag = flags.get(address.host, known)
        prefix = ipaddress.ip_address(address.host).packed[:8]
        if not flag.deprecated and ((address.interface, prefix) not in private or flag.temporary):
            usable.append(address)
        elif address.host in in_use:
            old.append(address)
    return usable + old


def select_addresses(addresses: Sequence[LocalAddressLike], policy: AddressPolicy) -> list[LocalAddress]:
    """The addresses that the policy allows, the best first.

    IPv6 and IPv4 alternate in proportion to their number, IPv6 first; within a family the order is the one given. ICE
    prefers and checks in this order, so that neither a broken IPv6 nor a broken IPv4 holds the other up, and the
    limit leaves something of both. Loopback comes last.

    Spec: RFC 8421 section 4.
    """
    wanted = policy.interfaces
    chosen: list[LocalAddress] = []
    loopback: list[LocalAddress] = []
    for given in addresses:
        address = LocalAddress(*given)
        if callable(wanted):
            if not wanted(address.interface, address.host):
                continue
        elif wanted is not None and address.interface not in wanted:
            continue
        ip = ipaddress.ip_address(address.host)
        if not (policy.ipv4 if ip.version == 4 else policy.ipv6):
            continue
        if ip.is_loopback:
            loopback.append(address)
        elif policy.link_local or not ip.is_link_local:
            chosen.append(address)
    if policy.include_loopback or (policy.include_loopback is None and not chosen):
        return (interleave(chosen) + interleave(loopback))[: policy.limit]
    return interleave(chosen)[: policy.limit]


def interleave(addresses: Sequence[LocalAddress]) -> list[LocalAddress]:
    """Merges the families evenly, IPv6 first: 2 and 4 of them give 6 4 4 6 4 4. Spec: RFC 8421 section 4."""
    families = [[one for one in addresses if (":" in one.host) is ipv6] for ipv6 in (True, False)]
    places = (
        ((2 * index + rank) / (2 * len(family)), rank, one)
        for rank, family in enumerate(families)
        for index, one in enumerate(family)
    )
    first = [family[0] for family in families if family]
    merged = [one for _, _, one in sorted(places, key=lambda place: place[:2])]
    # whatever the proportion, the first two are one of each
    return first + [one for one in merged if one not in first]
