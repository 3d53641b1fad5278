"""What the client knows of its peers: permissions by host, channels by address, and when each is to be renewed.

Spec: RFC 8656 sections 9 and 10 (permissions, five minutes), 12 (channels, ten minutes; a number rests five more before
it may mean somebody else).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ..base import NEVER, Address, Instant
from .channel_data import FIRST_CHANNEL, LAST_CHANNEL
from .config import TurnClientConfig

CHANNEL_REST = 300.0


class Permission:
    """One host that may reach us. `busy` while a request about it is on its way."""

    __slots__ = ("busy", "expires", "held", "host", "installed", "refresh", "wanted")

    def __init__(self, host: str, max_held: int) -> None:
        self.host = host
        self.installed = False
        self.wanted = True
        """False once it was forgotten: it runs out by itself."""
        self.busy = False
        self.refresh: Instant = -NEVER
        self.expires: Instant = NEVER
        self.held: deque[tuple[Address, bytes]] = deque(maxlen=max_held)


class Channel:
    """One peer with a number."""

    __slots__ = ("bound", "busy", "expires", "number", "peer", "refresh", "wanted")

    def __init__(self, number: int, peer: Address) -> None:
        self.number = number
        self.peer = peer
        self.bound = False
        self.wanted = True
        self.busy = False
        self.refresh: Instant = -NEVER
        self.expires: Instant = NEVER


class Peers:
    """Both tables of one client."""

    __slots__ = ("_config", "_next_number", "_resting", "by_number", "channels", "permissions")

    def __init__(self, config: TurnClientConfig) -> None:
        self._config = config
        self._next_number = FIRST_CHANNEL
        self._resting: deque[tuple[Instant, int]] = deque()
        self.permissions: dict[str, Permission] = {}
        self.channels: dict[Address, Channel] = {}
        self.by_number: dict[int, Address] = {}
        """Also of channels that are being bound: the server may use one before its answer is here."""

    # --- permissions ------------------------------------------------------------------------------------------------

    def permit(self, host: str) -> Permission:
        found = self.permissions.get(host)
        if found is None:
            found = self.permissions[host] = Permission(host, self._config.max_held)
        found.wanted = True
        return found

    def due_permissions(self, now: Instant) -> list[Permission]:
        return [one for one in self.permissions.values() if one.wanted and not one.busy and one.refresh <= now]

    def install(self, permission: Permission, now: Instant) -> bool:
        """The server has it. Returns: whether that is news."""
        news = not permission.installed
        permission.installed = True
        permission.refresh = now + self._config.permission_refresh
        permission.expires = now + self._config.permission_lifetime
        return news

    def drop_permission(self, host: str) -> None:
        """It is gone; and with it its host's channels."""
        self.permissions.pop(host, None)
        for channel in [one for one in self.channels.values() if one.peer.host == host]:
            self.drop_channel(channel)

    # --- channels ---------------------------------------------------------------------------------------------------

    def free_number(self, now: Instant) -> int | None:
        """A number that means nobody, or None: new ones first, then those that have rested."""
        while self._next_number <= LAST_CHANNEL:
            number = self._next_number
            self._next_number += 1
            if number not in self.by_number:
                return number
        if self._resting and self._resting[0][0] <= now:
            return self._resting.popleft()[1]
        return None

    def bind(self, peer: Address, number: int) -> Channel:
        channel = self.channels[peer] = Channel(number, peer)
        self.by_number[number] = peer
        return channel

    def due_channels(self, now: Instant) -> list[Channel]:
        return [one for one in self.channels.values() if one.wanted and not one.busy and one.refresh <= now]

    def confirm(self, channel: Channel, now: Instant) -> bool:
        """The server has bound it, which renews the permission too. Returns: whether that is news."""
        news = not channel.bound
        channel.bound = True
        channel.refresh = now + self._config.channel_refresh
        channel.expires = now + self._config.channel_lifetime
        return news

    def drop_channel(self, channel: Channel) -> None:
        """It is gone; the number rests until nobody can remember it."""
        if self.channels.get(channel.peer) is channel:
            del self.channels[channel.peer]
            del self.by_number[channel.number]
            rest = 0.0 if channel.expires == NEVER else channel.expires
            self._resting.append((rest + CHANNEL_REST, channel.number))

    # --- time -------------------------------------------------------------------------------------------------------

    def forget(self, peer: Address) -> None:
        """Nothing about this peer is renewed any more."""
        channel = self.channels.get(peer)
        if channel is not None:
            channel.wanted = False
            if not channel.bound and not channel.busy:
                self.drop_channel(channel)
        permission = self.permissions.get(peer.host)
        if permission is not None and not any(
            one.wanted for one in self.channels.values() if one.peer.host == peer.host
        ):
            permission.wanted = False
            if not permission.installed and not permission.busy:
                self.drop_permission(peer.host)

    def expired(self, now: Instant) -> tuple[list[Permission], list[Channel]]:
        """Those whose time is over."""
        return (
            [one for one in self.permissions.values() if one.expires <= now],
            [one for one in self.channels.values() if one.expires <= now],
        )

    def next_deadline(self) -> Instant:
        """When something is to be renewed or is over."""
        return min(self._deadlines(), default=NEVER)

    def _deadlines(self) -> Iterator[Instant]:
        both: list[Permission | Channel] = [*self.permissions.values(), *self.channels.values()]
        for one in both:
            if one.wanted and not one.busy:
                yield one.refresh
            yield one.expires

    def clear(self) -> None:
        self.permissions.clear()
        self.channels.clear()
        self.by_number.clear()
