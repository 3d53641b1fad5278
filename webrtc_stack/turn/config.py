"""Every tunable of the client, with unit, default and the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ..base import SYSTEM_ENTROPY, Address, Entropy, PathId
from ..errors import InvalidArgumentError
from ..stun import RetransmissionConfig, prepare_text
from ..trace import NO_TRACE, Trace

_FIRST_PATH: Final = PathId(1)
_REPETITIONS: Final = RetransmissionConfig(rto=0.5, rc=6, rm=8)
TRANSPORTS: Final = ("udp", "tcp", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnClientConfig:
    """Configuration of a `TurnClient`. Times are seconds."""

    server: Address
    """Where the server is: guards against being sent round in circles; the bytes themselves go to `path`."""
    path: PathId = _FIRST_PATH
    """The path to the server, issued by the driver."""
    transport: str = "udp"
    """How the path is carried: `udp`, `tcp` or `tls`. On streams nothing is repeated and ChannelData is padded."""
    username: str | None = None
    """None: the server wants no credentials."""
    password: str = field(default="", repr=False)
    username_anonymity: bool = True
    """Send USERHASH instead of USERNAME to servers that announce it."""
    require_sha256: bool = False
    """Refuse servers that know only MD5 and SHA-1. Off: hardly any server has more."""
    families: tuple[int, ...] = (4,)
    """Relayed addresses asked for: (4,), (6,), or (4, 6) for both in one allocation."""
    dont_fragment: bool = False
    """Ask for DF on what the server sends; given up where the server does not know it."""
    lifetime: float | None = None
    """Asked for; None leaves it to the server (600 s by the RFC)."""
    software: str | None = None
    """SOFTWARE of our Allocate requests; None tells nothing."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE

    # --- time ---
    retransmission: RetransmissionConfig = _REPETITIONS
    """Over UDP: sent at 0, 0.5, 1.5, 3.5, 7.5, 15.5 s, given up after 19.5 s: as long as a user would wait, half of
    what the RFC allows."""
    stream_timeout: float = 10.0
    """Over a stream: an answer not there by then will not come."""
    refresh_margin: float = 60.0
    """The allocation is refreshed so long before its end (RFC 8656 section 3.9), or at half time if that is later."""
    permission_lifetime: float = 300.0
    """Fixed by RFC 8656 section 9."""
    permission_refresh: float = 240.0
    """One minute before the end: three losses of a request fit."""
    channel_lifetime: float = 600.0
    """Fixed by RFC 8656 section 12."""
    channel_refresh: float = 230.0
    """A bound channel renews the permission too, so it goes by the permission's clock and a little before it."""
    retry_interval: float = 5.0
    """After a refresh that went unanswered, while there still is something to refresh."""
    close_timeout: float = 1.5
    """How long `close` waits for the server's word: sent at 0 and 0.5 s. The allocation ends by itself otherwise."""

    # --- bounds ---
    max_permissions: int = 256
    max_channels: int = 128
    max_in_flight: int = 8
    """Requests unanswered at a time; the rest waits, so that a burst of peers does not become one of losses."""
    max_peers_per_request: int = 16
    """Peers in one CreatePermission: the request stays under 600 bytes, also with IPv6 and SHA-256."""
    max_retries: int = 4
    """Times one request is asked again for nonce, realm or the like; a server that wants more is playing."""
    max_redirects: int = 3
    """Alternate servers followed in a row."""
    max_queue_bytes: int = 1 << 20
    """Datagrams waiting to be polled; beyond it the newest are lost, as datagrams may be."""
    max_held: int = 64
    """Datagrams a host that wait for its permission; beyond it the oldest are lost."""
    max_received_bytes: int = 4 << 20
    """Relayed datagrams waiting in events that nobody polls; beyond it the newest are lost."""

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            raise InvalidArgumentError(f"transport is one of {', '.join(TRANSPORTS)}, got {self.transport!r}")
        if self.families not in ((4,), (6,), (4, 6)):
            raise InvalidArgumentError(f"families are (4,), (6,) or (4, 6), got {self.families}")
        if self.username is not None:
            prepare_text(self.username)
            prepare_text(self.password)
            if not 0 < len(self.username.encode()) <= 508:
                raise InvalidArgumentError("a username has 1 to 508 bytes (RFC 8489 section 14.3)")
        if self.software is not None and len(self.software.encode()) > 763:
            raise InvalidArgumentError("software has at most 763 bytes")
        for name in ("max_permissions", "max_channels", "max_in_flight", "max_peers_per_request", "max_held"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.max_channels > 4096:
            raise InvalidArgumentError(f"there are 4096 channel numbers, got max_channels {self.max_channels}")
        if not 0 < self.permission_refresh < self.permission_lifetime:
            raise InvalidArgumentError("0 < permission_refresh < permission_lifetime")
        if not 0 < self.channel_refresh < self.permission_lifetime:
            raise InvalidArgumentError("0 < channel_refresh < permission_lifetime: the channel keeps the permission")
        if self.lifetime is not None and not 1 <= self.lifetime < 2**32:
            raise InvalidArgumentError(f"lifetime is from 1 s, got {self.lifetime}")

    @property
    def stream(self) -> bool:
        return self.transport != "udp"
