"""What a client, and each of its connections, is told: `PeerConfig` plus what only a driver needs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace

from ..errors import InvalidArgumentError
from ..peer import PeerConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig(PeerConfig):
    """Defaults for every connection of a client. `create_peer_connection` takes another one for a single connection."""

    port_range: tuple[int, int] | None = None
    """First and last local UDP port, tried in order: for containers and firewalls. None: the system chooses."""
    dscp: int | None = None
    """The differentiated services codepoint of every UDP datagram sent, 0 to 63; None leaves it to the system. 46 is
    what RFC 8837 gives to audio of high priority."""
    include_loopback: bool | None = None
    """Whether 127.0.0.1 and ::1 are candidates. None: only when this machine has no other address."""
    interfaces: Collection[str] | Callable[[str, str], bool] | None = None
    """Names of the interfaces to use, or a predicate (name, address) -> wanted. None: all."""
    use_ipv6: bool = True
    close_timeout: float = 2.0
    """Seconds after which `close()` stops waiting for the peer."""

    def __post_init__(self) -> None:
        PeerConfig.__post_init__(self)
        if self.port_range is not None and not 0 < self.port_range[0] <= self.port_range[1] < 65536:
            raise InvalidArgumentError(f"port_range is (first, last) within 1 to 65535, got {self.port_range}")
        if self.dscp is not None and not 0 <= self.dscp <= 63:
            raise InvalidArgumentError(f"dscp is a number from 0 to 63, or None, got {self.dscp}")
        if self.close_timeout <= 0:
            raise InvalidArgumentError(f"close_timeout is in seconds and positive, got {self.close_timeout}")

    def peer_config(self, **changes: object) -> PeerConfig:
        """The part that `PeerCore` is told, with some members replaced."""
        values = {field.name: getattr(self, field.name) for field in fields(PeerConfig)}
        return PeerConfig(**{**values, **changes})

    def with_source(self, source: str) -> ClientConfig:
        """The same configuration whose trace names `source`; a trace that has a name keeps it."""
        if not self.trace or self.trace.source:
            return self
        return replace(self, trace=self.trace.bind(source=source))
