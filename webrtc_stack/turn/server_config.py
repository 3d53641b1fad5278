"""Every tunable of the server, with unit, default and the reason for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..base import SYSTEM_ENTROPY, Address, Entropy, PathTable
from ..errors import InvalidArgumentError
from ..stun import prepare_text
from ..trace import NO_TRACE, Trace
from .policy import PeerPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnServerConfig:
    """Configuration of a `TurnServer`. Times are seconds."""

    paths: PathTable = field(default_factory=lambda: PathTable(65536))
    """Shared with the driver, which interns where datagrams came from."""
    realm: str = "webrtc-stack"
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords by name."""
    shared_secret: str | None = field(default=None, repr=False)
    """Users named `expiry:anything` (Unix seconds), whose password is the base64 of HMAC-SHA1 over that name: what
    web services hand out for an hour without telling the server."""
    anonymous: bool = False
    """Allocations for everybody, without credentials. An open relay: for tests on one machine only."""
    families: tuple[int, ...] = (4,)
    """Of relayed addresses."""
    relay_ports: tuple[int, int] = (49152, 65535)
    """RFC 8656 section 7.2: the dynamic range, drawn from at random."""
    own_addresses: tuple[Address, ...] = ()
    """Where the server listens: no relay sends there, or its clients could be made to look like itself."""
    policy: PeerPolicy = field(default_factory=PeerPolicy)
    software: str | None = "webrtc-stack"
    """SOFTWARE of answers to proven requests. None tells nothing."""
    wall_epoch: float = 0.0
    """Unix time of instant 0, for time-limited credentials."""
    sha256: bool = True
    """Announce the SHA-256 password algorithm beside MD5, and USERHASH."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE

    # --- time ---
    default_lifetime: float = 600.0
    """RFC 8656 section 3.2."""
    max_lifetime: float = 3600.0
    """RFC 8656 section 7.2 wants it under an hour's order: a client that vanished frees its port by then."""
    permission_lifetime: float = 300.0
    channel_lifetime: float = 600.0
    """Both fixed by RFC 8656."""
    nonce_lifetime: float = 600.0
    """RFC 8656 section 5 asks for an hour or less; a stolen one serves for ten minutes."""
    response_lifetime: float = 10.0
    """Answers kept for repetitions: the time in which a lost answer is asked for again."""
    relay_timeout: float = 5.0
    """How long a driver may take to open a socket."""

    # --- bounds ---
    max_allocations: int = 1024
    """Answered with 508."""
    max_allocations_per_user: int = 32
    """Answered with 486. Several tabs with several connections, each asking over several paths."""
    max_allocations_per_host: int = 64
    """By the client's address; 486. An office behind one NAT still fits."""
    max_permissions: int = 128
    """An allocation; 508."""
    max_channels: int = 64
    """An allocation; 508."""
    max_port_tries: int = 8
    """Ports tried before 508."""
    bytes_per_second: float | None = None
    """An allocation, both directions together; what is above is dropped. None: no limit."""
    max_queue: int = 4096
    """Datagrams waiting to be polled; beyond it the newest are lost."""
    unproven_per_second: float = 50.0
    """Answers a host to requests without a right signature (Binding included): those can be made in anybody's name,
    so the answer may hit a bystander. A client needs two."""
    unproven_burst: float = 100.0
    unproven_total_per_second: float = 2000.0
    """The same for all hosts together."""
    max_hosts: int = 4096
    """Hosts whose rate is remembered."""
    max_responses: int = 1024
    max_streams: int = 1024
    """Streams of clients (TCP, TLS) at a time."""
    stream_patience: float = 30.0
    """A stream without an allocation is closed after so long."""

    def __post_init__(self) -> None:
        prepare_text(self.realm)
        if not 0 < len(self.realm.encode()) <= 763:
            raise InvalidArgumentError("a realm has 1 to 763 bytes")
        for name, password in self.users.items():
            prepare_text(name)
            prepare_text(password)
            if not 0 < len(name.encode()) <= 508:
                raise InvalidArgumentError("a username has 1 to 508 bytes")
        if self.families not in ((4,), (6,), (4, 6)):
            raise InvalidArgumentError(f"families are (4,), (6,) or (4, 6), got {self.families}")
        low, high = self.relay_ports
        if not 1 <= low <= high <= 65535:
            raise InvalidArgumentError(f"relay_ports is (low, high) within 1 to 65535, got {self.relay_ports}")
        if not 1 <= self.default_lifetime <= self.max_lifetime:
            raise InvalidArgumentError("1 <= default_lifetime <= max_lifetime")
        if not (self.users or self.shared_secret or self.anonymous):
            raise InvalidArgumentError("nobody could use this server: give users, a shared_secret, or anonymous=True")
        for name in ("max_allocations", "max_permissions", "max_channels", "max_port_tries", "max_queue", "max_hosts"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
