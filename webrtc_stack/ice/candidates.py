"""Candidates: priorities, foundations, which may be paired, and the local and remote ones as the agent keeps them.

Spec: RFC 8445 sections 5.1.1.3 (foundations), 5.1.2 (priorities), 6.1.2.2 (families and link-local), 6.1.2.3.
"""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple

from ..base import Address, Candidate, CandidateType, SocketId, TcpType

TYPE_PREFERENCES: Final = {
    CandidateType.HOST: 126,
    CandidateType.PRFLX: 110,
    CandidateType.SRFLX: 100,
    CandidateType.RELAY: 0,
}
"""RFC 8445 section 5.1.2.2."""


def candidate_priority(kind: CandidateType, local_preference: int, component: int = 1) -> int:
    """The priority of a candidate."""
    return TYPE_PREFERENCES[kind] << 24 | local_preference << 8 | 256 - component


def pair_priority(controlling: int, controlled: int) -> int:
    """The priority of a pair from its candidates' ones, by who controls."""
    return (min(controlling, controlled) << 32) + 2 * max(controlling, controlled) + (controlling > controlled)


def is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


def is_link_local(host: str) -> bool:
    return ":" in host and ipaddress.ip_address(host).is_link_local


def is_usable_remote(address: Address) -> bool:
    """False for what no peer can have: unspecified, multicast and broadcast addresses, ports 0 and 9 (discard)."""
    ip = ipaddress.ip_address(address.host)
    return not (ip.is_unspecified or ip.is_multicast or address.host == "255.255.255.255") and address.port not in (
        0,
        9,
    )


class LocalOrigin(NamedTuple):
    """What a local address is. The default is a UDP socket of this machine."""

    type: CandidateType = CandidateType.HOST
    """`relay` for an address on a TURN server."""
    transport: str = "udp"
    tcp_type: TcpType | None = None
    related: Address | None = None
    """How the TURN server sees us."""
    url: str | None = None
    """Of the TURN server."""
    relay_protocol: str | None = None
    """How we reach it: udp, tcp or tls."""
    preference: int = 0
    """Lowers the local preference among addresses of the same type."""
    announce: bool = True


HOST_ORIGIN: Final = LocalOrigin()


class Base:
    """A local socket to check from: a host candidate and the preference all candidates on it share."""

    __slots__ = ("address", "candidate", "link_local", "local_preference", "loopback", "socket")

    def __init__(self, socket: SocketId, address: Address, local_preference: int, candidate: Candidate) -> None:
        self.socket = socket
        self.address = address
        self.local_preference = local_preference
        self.candidate = candidate
        self.loopback = is_loopback(address.host)
        self.link_local = is_link_local(address.host)


class Remote:
    """A candidate of the peer at one transport address."""

    __slots__ = ("address", "candidate", "learned", "link_local", "loopback")

    def __init__(self, address: Address, candidate: Candidate, *, learned: bool) -> None:
        self.address = address
        self.candidate = candidate
        self.learned = learned
        """Peer-reflexive: found by a check rather than signalled."""
        self.loopback = is_loopback(address.host)
        self.link_local = is_link_local(address.host)


def may_pair(base: Base, remote: Remote, own_hosts: frozenset[str]) -> bool:
    """Whether a signalled candidate is worth checking from `base`.

    Families never mix, link-local IPv6 only meets its like. Loopback reaches only this machine, so it is paired with
    loopback and with our own addresses (browsers on the same machine do cross them).
    """
    if base.address.is_ipv6 != remote.address.is_ipv6 or base.link_local != remote.link_local:
        return False
    if base.loopback == remote.loopback:
        return True
    return remote.address.host in own_hosts


class Foundations:
    """Numbers for (type, base address, server): equal for candidates that share their fate."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], str] = {}

    def of(self, kind: CandidateType, base_host: str, server: str = "") -> str:
        return self._known.setdefault((kind.value, base_host, server), str(len(self._known) + 1))


LOCAL_PREFERENCE_STEP: Final = 128
"""Distance between the preferences of two local addresses; leaves room for candidates of several servers."""


def local_preference(index: int, host: str) -> int:
    """The preference of the `index`-th local address: in the order of arrival, loopback and link-local last.

    The driver's order is the policy (RFC 8421 wants it to alternate families); loopback serves no peer elsewhere.
    """
    top = 0x3FFF if is_loopback(host) else 0x7FFF if is_link_local(host) else 0xFFFF
    return top - LOCAL_PREFERENCE_STEP * (index % 100)
