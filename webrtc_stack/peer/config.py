"""What a peer is told when it is made.

Spec: W3C webrtc-pc section 4.2 (RTCConfiguration), RFC 7064 (stun: URIs), RFC 7065 (turn: URIs), RFC 9429 section
4.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from ..base import SYSTEM_ENTROPY, Entropy
from ..dtls import Certificate, SrtpProfile
from ..errors import InvalidArgumentError, NotSupportedError, ParseError
from ..ice import AddressRewrite
from ..trace import NO_TRACE, KeyLog, PacketLog, Trace
from ..turn import TurnUri
from .carriers import IceTcp, RelayServer


class BundlePolicy(StrEnum):
    BALANCED = "balanced"
    MAX_COMPAT = "max-compat"
    MAX_BUNDLE = "max-bundle"


class RtcpMuxPolicy(StrEnum):
    REQUIRE = "require"


class IceTransportPolicy(StrEnum):
    ALL = "all"
    RELAY = "relay"


STUN_PORT: Final = 3478


@dataclass(frozen=True, slots=True)
class IceServer:
    """STUN and TURN servers by URI: `stun:host:port`, `turn:host:port?transport=udp|tcp`, `turns:host:port`.

    Every server given is asked, in parallel. TURN servers want `username` and `credential`.
    """

    urls: str | Sequence[str]
    username: str | None = field(default=None, kw_only=True)
    credential: str | None = field(default=None, kw_only=True, repr=False)

    def stun_servers(self) -> list[tuple[str, int]]:
        """(host, port) of each `stun:` URI; a host may be a name.

        Errors: `InvalidArgumentError`, `NotSupportedError`.
        """
        return [_stun_uri(url) for url in self._urls() if not _is_turn(url)]

    def turn_servers(self) -> list[RelayServer]:
        """Each `turn:` and `turns:` URI. Errors: `InvalidArgumentError`, `NotSupportedError`."""
        return [self._turn_server(url) for url in self._urls() if _is_turn(url)]

    def _urls(self) -> list[str]:
        urls = [self.urls] if isinstance(self.urls, str) else list(self.urls)
        if not urls:
            raise InvalidArgumentError("an ICE server needs at least one URL, such as 'stun:192.0.2.1:3478'")
        return urls

    def _turn_server(self, url: str) -> RelayServer:
        try:
            uri = TurnUri.parse(url)
        except ParseError as error:
            raise InvalidArgumentError(f"{url!r}: {error}") from None
        if uri.transport == "dtls":
            raise NotSupportedError(f"{url}: TURN over DTLS is not supported; use turns:...?transport=tcp")
        if not self.username or self.credential is None:
            raise InvalidArgumentError(f"{url} needs a username and a credential (W3C webrtc-pc section 4.2.1)")
        return RelayServer(url, uri, self.username, self.credential)


def _is_turn(url: str) -> bool:
    return url.partition(":")[0].lower() in ("turn", "turns")


def _stun_uri(url: str) -> tuple[str, int]:
    scheme, colon, rest = url.partition(":")
    if scheme.lower() == "stuns" and colon:
        raise NotSupportedError("stuns: servers are not supported; use stun: URLs, or a turns: server")
    if scheme.lower() != "stun" or not rest:
        raise InvalidArgumentError(f"an ICE server URL looks like 'stun:host:port' or 'turn:host:port', got {url!r}")
    rest = unquote(rest.removeprefix("//"))
    if "?" in rest:
        raise InvalidArgumentError(f"stun: URLs have no query part, got {url!r}")
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise InvalidArgumentError(
                f"an IPv6 address stands in brackets, as in 'stun:[2001:db8::1]:3478', got {url!r}"
            )
        port_text = tail[1:]
    else:
        host, _, port_text = rest.partition(":")
    if not host:
        raise InvalidArgumentError(f"no host in {url!r}")
    if not port_text:
        return host, STUN_PORT
    if not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text) < 65536):
        raise InvalidArgumentError(f"the port is a number from 1 to 65535, got {port_text!r} in {url!r}")
    return host, int(port_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """One peer connection. Everything has a working default.

    W3C members carry their W3C names; the rest is what a browser would not let you say.
    """

    ice_servers: Sequence[IceServer] = ()
    ice_transport_policy: IceTransportPolicy = IceTransportPolicy.ALL
    """`relay`: nothing but relayed candidates is used or announced, so the peer learns no address of ours."""
    ice_candidate_pool_size: int = 0
    """Above 0: gathering begins when the connection is made, so that candidates are there when a description is set.
    There is one bundle, so any number means one."""
    ice_tcp: IceTcp = IceTcp.ACTIVE
    ice_lite: bool = False
    """For servers that everybody reaches: host candidates alone, no checks of our own; the peer asks, and controls.
    Announced as `a=ice-lite`; between two lite peers nothing connects. Takes no `ice_servers`."""
    nat_1to1: Sequence[AddressRewrite | str] = ()
    """For machines behind a NAT that maps ports one to one (a cloud's public address): what host candidates are
    announced as. `["203.0.113.5"]` is for every address of IPv4; `AddressRewrite` says more."""
    mdns_candidates: bool = False
    """Host candidates name `.local` names, published by multicast DNS, in place of addresses, as browsers do without
    a camera allowed. A real network needs the extra `mdns` for it."""
    relay_families: Sequence[int] = (4, 6)
    """Relayed addresses wished for from each TURN server: 4, 6 or both; a server gives what it has."""
    bundle_policy: BundlePolicy = BundlePolicy.BALANCED
    rtcp_mux_policy: RtcpMuxPolicy = RtcpMuxPolicy.REQUIRE
    certificates: Sequence[Certificate] = ()
    """The first one is used; without any, one is made for this peer alone, so that two calls cannot be linked."""
    max_message_size: int = 262_144
    """Largest message we take, in bytes, announced in SDP. 256 KiB is what browsers announce at least."""
    receive_window_bytes: int = 16 * 1024 * 1024
    """Unread messages of all channels together; above it the peer has to wait."""
    send_buffer_bytes: int = 16 * 1024 * 1024
    """Unsent and unacknowledged bytes of all channels together; above it `send` waits."""
    dtls_mtu: int = 1200
    """Largest DTLS datagram in bytes: fits IPv6's smallest path with room for a tunnel, as browsers choose it."""
    srtp_profiles: Sequence[SrtpProfile] = (
        SrtpProfile.AEAD_AES_128_GCM,
        SrtpProfile.AEAD_AES_256_GCM,
        SrtpProfile.AES128_CM_SHA1_80,
    )
    """How media may be protected, best first. AES-GCM costs least; browsers speak all three."""
    wall_epoch: float = 0.0
    """Unix time of instant 0, for certificate dates. A driver fills it in."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE
    key_log: KeyLog | None = None
    packet_log: PacketLog | None = None

    def __post_init__(self) -> None:
        for server in self.ice_servers:
            server.stun_servers(), server.turn_servers()
        if self.ice_transport_policy == IceTransportPolicy.RELAY and not self.relay_servers():
            raise InvalidArgumentError("ice_transport_policy 'relay' needs a TURN server among ice_servers")
        if self.ice_lite and any(server.stun_servers() or server.turn_servers() for server in self.ice_servers):
            raise InvalidArgumentError("an ICE-lite peer has host candidates alone: leave ice_servers empty")
        for rule in self.rewrites():
            rule.check()
        if not 0 <= self.ice_candidate_pool_size <= 255:
            raise InvalidArgumentError(f"ice_candidate_pool_size is 0 to 255, got {self.ice_candidate_pool_size}")
        if self.ice_tcp not in tuple(IceTcp):
            raise InvalidArgumentError(f"ice_tcp is one of {', '.join(IceTcp)}, got {self.ice_tcp!r}")
        if tuple(self.relay_families) not in ((4,), (6,), (4, 6)):
            raise InvalidArgumentError(f"relay_families are (4,), (6,) or (4, 6), got {tuple(self.relay_families)}")
        if not 1024 <= self.max_message_size <= 1024 * 1024 * 1024:
            raise InvalidArgumentError(f"max_message_size is 1 KiB to 1 GiB, got {self.max_message_size}")
        if not 576 <= self.dtls_mtu <= 65507:
            raise InvalidArgumentError(f"dtls_mtu is 576 to 65507 bytes, got {self.dtls_mtu}")

    def rewrites(self) -> tuple[AddressRewrite, ...]:
        """`nat_1to1`, each as a rule."""
        return tuple(AddressRewrite(one) if isinstance(one, str) else one for one in self.nat_1to1)

    def relay_servers(self) -> tuple[RelayServer, ...]:
        """Every TURN server, in order."""
        return tuple(one for server in self.ice_servers for one in server.turn_servers())
