"""Candidates: priorities, foundations, which may be paired, and the local and remote ones as the agent keeps them.

Spec: RFC 8445 sections 5.1.1.3 (foundations), 5.1.2 (priorities), 6.1.2.2 (families and link-local), 6.1.2.3;
RFC 6544 sections 4.2 (priorities of TCP candidates) and 6.2 (active meets passive). Left out of the latter:
simultaneous open, which needs one port to connect and to listen, and which no browser does.
"""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple

from ..base import Address, Candidate, CandidateType, SocketId, TcpType
from ..errors import InvalidArgumentError

TYPE_PREFERENCES: Final = {
    CandidateType.HOST: 126,
    CandidateType.PRFLX: 110,
    CandidateType.SRFLX: 100,
    CandidateType.RELAY: 0,
}
"""RFC 8445 section 5.1.2.2."""

TCP_TYPE_PREFERENCES: Final = {
    CandidateType.HOST: 90,
    CandidateType.PRFLX: 80,
    CandidateType.SRFLX: 70,
    CandidateType.RELAY: 0,
}
"""RFC 6544 section 4.2 wants TCP below UDP of the same type; below all UDP but relays is what Chromium does."""


def candidate_priority(
    kind: CandidateType, local_preference: int, component: int = 1, *, transport: str = "udp"
) -> int:
    """The priority of a candidate."""
    preferences = TCP_TYPE_PREFERENCES if transport == "tcp" else TYPE_PREFERENCES
    return preferences[kind] << 24 | local_preference << 8 | 256 - component


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
    """What a local socket is: where its address comes from and how it is carried."""

    type: CandidateType = CandidateType.HOST
    """HOST: an address of this machine; RELAY: one on a TURN server."""
    transport: str = "udp"
    tcp_type: TcpType | None = None
    """Of TCP: ACTIVE connects, PASSIVE listens."""
    related: Address | None = None
    """Of a relay: how its server sees us."""
    url: str | None = None
    """The server's."""
    relay_protocol: str | None = None
    """How we reach the server: "udp", "tcp" or "tls"."""
    preference: int = 0
    """Lowers the preference among candidates of this type: the order of servers, UDP before TCP before TLS."""
    announce: bool = True
    """False: checks are sent from it, and the peer learns of it by them."""

    def check(self) -> None:
        """Errors: `InvalidArgumentError` for what no local socket can be."""
        if self.type not in (CandidateType.HOST, CandidateType.RELAY):
            raise InvalidArgumentError(f"a local socket is a host's or a relay's, not {self.type.value}")
        if self.transport not in ("udp", "tcp"):
            raise InvalidArgumentError(f"ICE runs over udp and tcp, not over {self.transport!r}")
        if (self.tcp_type in (TcpType.ACTIVE, TcpType.PASSIVE)) is not (self.transport == "tcp"):
            raise InvalidArgumentError("tcp_type is ACTIVE or PASSIVE over tcp, and None over udp")
        if not 0 <= self.preference < 0x10000:
            raise InvalidArgumentError(f"preference is from 0 to 65535, got {self.preference}")


HOST_ORIGIN: Final = LocalOrigin()
"""A UDP socket on an address of this machine."""


class Base:
    """A local socket to check from: its candidate and the preference all candidates on it share."""

    __slots__ = ("address", "candidate", "link_local", "local_preference", "loopback", "origin", "socket")

    def __init__(
        self,
        socket: SocketId,
        address: Address,
        local_preference: int,
        candidate: Candidate,
        origin: LocalOrigin = HOST_ORIGIN,
    ) -> None:
        self.socket = socket
        self.address = address
        self.local_preference = local_preference
        self.candidate = candidate
        self.origin = origin
        self.loopback = is_loopback(address.host)
        self.link_local = is_link_local(address.host)

    @property
    def check_priority(self) -> int:
        """What a peer-reflexive candidate found by checks from here has: their PRIORITY."""
        return candidate_priority(CandidateType.PRFLX, self.local_preference, transport=self.origin.transport)

    @property
    def asks_stun(self) -> bool:
        """Whether a STUN server can tell something about it: a relay and a TCP port are mapped by no NAT of ours."""
        return self.origin.type is CandidateType.HOST and self.origin.transport == "udp"


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

    Families never mix, nor transports; link-local IPv6 only meets its like. Loopback reaches only this machine, so it
    is paired with loopback and with our own addresses (browsers on the same machine do cross them); a relay elsewhere
    reaches neither. Over TCP the active side connects, so only an active base with a passive candidate is a pair; the
    passive side learns who connects from the checks that come.
    """
    origin = base.origin
    if origin.transport != remote.candidate.transport:
        return False
    if origin.transport == "tcp" and (origin.tcp_type, remote.candidate.tcp_type) != _TCP_DIRECTIONS:
        return False
    if base.address.is_ipv6 != remote.address.is_ipv6 or base.link_local != remote.link_local:
        return False
    if base.loopback == remote.loopback:
        return True
    return origin.type is CandidateType.HOST and remote.address.host in own_hosts


_TCP_DIRECTIONS: Final = (TcpType.ACTIVE, TcpType.PASSIVE)


class Foundations:
    """Numbers for (type, base address, server, transport): equal for candidates that share their fate."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, str], str] = {}

    def of(self, kind: CandidateType, base_host: str, server: str = "", transport: str = "udp") -> str:
        return self._known.setdefault((kind.value, base_host, server, transport), str(len(self._known) + 1))


LOCAL_PREFERENCE_STEP: Final = 128
"""Distance between the preferences of two local addresses; leaves room for candidates of several servers."""


def local_preference(index: int, host: str) -> int:
    """The preference of the `index`-th local address: in the order of arrival, loopback and link-local last.

    The driver's order is the policy (RFC 8421 wants it to alternate families); loopback serves no peer elsewhere.
    """
    top = 0x3FFF if is_loopback(host) else 0x7FFF if is_link_local(host) else 0xFFFF
    return top - LOCAL_PREFERENCE_STEP * (index % 100)


_DIRECTION_PREFERENCES: Final = {TcpType.ACTIVE: 6, TcpType.PASSIVE: 4, TcpType.SO: 2}
"""RFC 6544 section 4.2, for host candidates."""


def base_preference(index: int, host: str, origin: LocalOrigin) -> int:
    """The preference of the `index`-th base of its kind: over TCP its upper three bits are the direction's."""
    preference = max(0, local_preference(index, host) - origin.preference)
    if origin.tcp_type is not None:
        return _DIRECTION_PREFERENCES[origin.tcp_type] << 13 | preference >> 3
    return preference
