"""What a peer is told when it is made.

Spec: W3C webrtc-pc section 4.2 (RTCConfiguration), RFC 7064 (stun: URIs), RFC 9429 section 4.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from ..base import SYSTEM_ENTROPY, Entropy
from ..dtls import Certificate, SrtpProfile
from ..errors import InvalidArgumentError, NotSupportedError
from ..trace import NO_TRACE, KeyLog, PacketLog, Trace


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
    """A STUN server by URI, or several of them. Every server given is asked, in parallel.

    `turn:` and `turns:` URIs are refused until this stack relays: a server that is silently not used is worse.
    """

    urls: str | Sequence[str]
    username: str | None = field(default=None, kw_only=True)
    credential: str | None = field(default=None, kw_only=True, repr=False)

    def stun_servers(self) -> list[tuple[str, int]]:
        """(host, port) of each URI; a host may be a name. Errors: `InvalidArgumentError`, `NotSupportedError`."""
        urls = [self.urls] if isinstance(self.urls, str) else list(self.urls)
        if not urls:
            raise InvalidArgumentError("an ICE server needs at least one URL, such as 'stun:192.0.2.1:3478'")
        return [_stun_uri(url) for url in urls]


def _stun_uri(url: str) -> tuple[str, int]:
    scheme, colon, rest = url.partition(":")
    if scheme.lower() in ("turn", "turns", "stuns") and colon:
        raise NotSupportedError(f"{scheme}: servers are not supported yet; use stun: URLs, or leave this server out")
    if scheme.lower() != "stun" or not rest:
        raise InvalidArgumentError(f"an ICE server URL looks like 'stun:host:port', got {url!r}")
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
            server.stun_servers()
        if self.ice_transport_policy == IceTransportPolicy.RELAY:
            raise NotSupportedError("ice_transport_policy 'relay' needs TURN, which is not supported yet; use 'all'")
        if not 1024 <= self.max_message_size <= 1024 * 1024 * 1024:
            raise InvalidArgumentError(f"max_message_size is 1 KiB to 1 GiB, got {self.max_message_size}")
        if not 576 <= self.dtls_mtu <= 65507:
            raise InvalidArgumentError(f"dtls_mtu is 576 to 65507 bytes, got {self.dtls_mtu}")
