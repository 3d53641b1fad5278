"""What the carriers of a peer are told: TURN servers, and whether TCP carries ICE."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from ...base import SYSTEM_ENTROPY, Entropy, PathTable
from ...errors import InvalidArgumentError
from ...trace import NO_TRACE, Trace
from ...turn import TurnUri


class IceTcp(StrEnum):
    """How ICE uses TCP (RFC 6544)."""

    OFF = "off"
    ACTIVE = "active"
    """Connect to the peer's passive candidates; announce nothing. What browsers do, and all that a client needs."""
    PASSIVE = "passive"
    """Listen, and announce it: for servers whose clients cannot send UDP. Connects as well."""


class RelayServer(NamedTuple):
    """One TURN server by one transport. `url` is what the application wrote."""

    url: str
    uri: TurnUri
    username: str | None
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriersConfig:
    """Configuration of `Carriers`. Times are seconds."""

    paths: PathTable = field(default_factory=PathTable)
    """Shared with the driver and with ICE."""
    servers: tuple[RelayServer, ...] = ()
    """All are asked, at once: over UDP from every local address of their family, over a stream once."""
    families: tuple[int, ...] = (4, 6)
    """Relayed addresses wished for. A server without IPv6 gives what it has."""
    tcp: IceTcp = IceTcp.ACTIVE
    gather_patience: float = 5.0
    """A server silent so long no longer holds gathering up. It may still answer, and its candidate is used then."""
    name_timeout: float = 5.0
    retry_after: float = 1.0
    """A relay that was lost (the server forgot it, the stream broke) is asked for again after so long, doubled each
    time in a row."""
    max_losses: int = 4
    close_timeout: float = 0.5
    """How long the server's word about the end of an allocation is waited for: it runs out by itself otherwise."""
    max_relays: int = 16
    max_streams: int = 64
    """Accepted streams; further ones are closed at once."""
    accept_timeout: float = 10.0
    """An accepted stream on which no check has come to form a pair by then is closed."""
    max_held: int = 64
    """Datagrams that wait for one stream to open; beyond it the oldest are lost, as datagrams may be."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        for server in self.servers:
            if server.uri.transport == "dtls":
                raise InvalidArgumentError(f"{server.url}: TURN over DTLS is not supported; use ?transport=tcp")
