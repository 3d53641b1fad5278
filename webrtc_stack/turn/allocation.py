"""One allocation of the server: its relays, permissions and channels, and datagrams through them.

Spec: RFC 8656 sections 3.2 (lifetime), 9 (permissions), 12 (channels), 11.3 and 12.7 (from the peer). Times are checked
when a datagram needs them, so nothing has to fire when a permission ends.
"""

from __future__ import annotations

from ..base import Address, Instant, PathId, SocketId
from .server_config import TurnServerConfig


class Relay:
    """One relayed address. `socket` and `address` are there once the driver has opened it."""

    __slots__ = ("address", "family", "id", "port", "socket", "tries")

    def __init__(self, id: int, family: int) -> None:
        self.id = id
        self.family = family
        self.port = 0
        self.tries = 0
        self.socket: SocketId | None = None
        self.address: Address | None = None


class Allocation:
    """What one client has on this server."""

    __slots__ = (
        "_config",
        "_tokens",
        "_tokens_at",
        "_until",
        "bytes_to_client",
        "bytes_to_peers",
        "channels",
        "client",
        "due",
        "expires",
        "id",
        "path",
        "permissions",
        "relays",
        "stream",
        "username",
    )

    def __init__(
        self,
        id: int,
        path: PathId,
        client: Address,
        username: str,
        *,
        stream: bool,
        config: TurnServerConfig,
        now: Instant,
    ) -> None:
        self._config = config
        self.id = id
        self.path = path
        self.client = client
        self.username = username
        self.stream = stream
        self.relays: dict[int, Relay] = {}
        """By address family."""
        self.permissions: dict[str, Instant] = {}
        """Host -> when it ends."""
        self.channels: dict[int, Address] = {}
        self._until: dict[Address, tuple[int, Instant]] = {}
        """Peer -> its channel, and when that ends."""
        self.expires: Instant = 0.0
        self.due: Instant = 0.0
        """When the server looks whether it has expired; refreshes move only `expires`."""
        self.bytes_to_peers = 0
        self.bytes_to_client = 0
        self._tokens = config.bytes_per_second or 0.0
        self._tokens_at = now

    @property
    def addresses(self) -> list[Address]:
        return [relay.address for relay in self.relays.values() if relay.address is not None]

    # --- permissions and channels -----------------------------------------------------------------------------------

    def can_permit(self, hosts: set[str], now: Instant) -> bool:
        """Whether there is room for these hosts; those whose time is over make room."""
        if len(self.permissions) + len(hosts - self.permissions.keys()) > self._config.max_permissions:
            self.permissions = {host: until for host, until in self.permissions.items() if until > now}
        return len(self.permissions) + len(hosts - self.permissions.keys()) <= self._config.max_permissions

    def permit(self, hosts: set[str], now: Instant) -> None:
        until = now + self._config.permission_lifetime
        for host in hosts:
            self.permissions[host] = until

    def is_permitted(self, host: str, now: Instant) -> bool:
        return self.permissions.get(host, 0.0) > now

    def channel_conflict(self, number: int, peer: Address, now: Instant) -> bool:
        """Whether the number means another peer, or the peer has another number."""
        self._sweep(number, peer, now)
        return self.channels.get(number, peer) != peer or self._until.get(peer, (number, 0.0))[0] != number

    def can_bind(self, peer: Address, now: Instant) -> bool:
        if peer not in self._until and len(self._until) >= self._config.max_channels:
            for other, (number, until) in list(self._until.items()):
                if until <= now:
                    del self._until[other], self.channels[number]
        return peer in self._until or len(self._until) < self._config.max_channels

    def bind(self, number: int, peer: Address, now: Instant) -> None:
        self.channels[number] = peer
        self._until[peer] = (number, now + self._config.channel_lifetime)

    def _sweep(self, number: int, peer: Address, now: Instant) -> None:
        for other in (self.channels.get(number), peer):
            found = None if other is None else self._until.get(other)
            if other is not None and found is not None and found[1] <= now:
                del self._until[other], self.channels[found[0]]

    def peer_of(self, number: int, now: Instant) -> Address | None:
        """Who a channel means, while it is bound."""
        peer = self.channels.get(number)
        if peer is None or self._until[peer][1] <= now:
            return None
        return peer

    def channel_of(self, peer: Address, now: Instant) -> int | None:
        found = self._until.get(peer)
        return found[0] if found is not None and found[1] > now else None

    # --- bandwidth --------------------------------------------------------------------------------------------------

    def has_room(self, size: int, now: Instant) -> bool:
        """Takes `size` bytes from what this allocation may move; False if that is used up. A second's worth is kept."""
        rate = self._config.bytes_per_second
        if rate is None:
            return True
        self._tokens = min(rate, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < size:
            return False
        self._tokens -= size
        return True
