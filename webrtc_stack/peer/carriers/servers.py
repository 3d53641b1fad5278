"""One configured TURN server: its name, its relays, and what became of them."""

from __future__ import annotations

from ...base import NEVER, Address, Instant, canonical_ip
from ...errors import InvalidArgumentError
from .config import RelayServer
from .relay import Relay


class Server:
    """State only; `Carriers` decides."""

    __slots__ = (
        "addresses",
        "config",
        "failed",
        "index",
        "losses",
        "name_deadline",
        "name_id",
        "opening",
        "patience",
        "relays",
        "reported",
        "retry_at",
    )

    def __init__(self, index: int, config: RelayServer) -> None:
        self.index = index
        self.config = config
        self.addresses: list[Address] = []
        """One of each family at most."""
        self.name_id: int | None = None
        self.name_deadline: Instant = NEVER
        self.opening: dict[int, Address] = {}
        """Streams on their way."""
        self.relays: list[Relay] = []
        self.failed: tuple[int, str, str] | None = None
        """The last failure: code, reason, hint."""
        self.reported = False
        self.losses = 0
        self.retry_at: Instant = NEVER
        self.patience: Instant = NEVER
        """When gathering stops waiting for it."""

    @property
    def stream(self) -> bool:
        return self.config.uri.transport != "udp"

    @property
    def literal(self) -> str | None:
        """Its address when the URL names one."""
        try:
            return canonical_ip(self.config.uri.host)
        except InvalidArgumentError:
            return None

    @property
    def usable(self) -> bool:
        return any(relay.usable for relay in self.relays)

    @property
    def pending(self) -> bool:
        """Whether an answer may still come."""
        return self.name_id is not None or bool(self.opening) or any(not relay.settled for relay in self.relays)

    def take_addresses(self, hosts: list[str]) -> None:
        for ipv6 in (False, True):
            host = next((one for one in hosts if (":" in one) is ipv6), None)
            if host is not None:
                self.addresses.append(Address(host, self.config.uri.port))

    @property
    def preference(self) -> int:
        """How much its candidates stand behind others: UDP before TCP before TLS, then the order of configuration."""
        rank = {"udp": 0, "tcp": 1, "tls": 2}[self.config.uri.transport]
        return rank * 8192 + self.index % 64
