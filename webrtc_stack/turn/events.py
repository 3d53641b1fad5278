"""What a TURN client reports, as past-tense values."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from ..base import Address
from ..errors import WebRTCError


class ClientState(StrEnum):
    NEW = "new"
    ALLOCATING = "allocating"
    REDIRECTED = "redirected"
    """The server named another one; `allocate(now, path=...)` goes on there."""
    ALLOCATED = "allocated"
    CLOSING = "closing"
    CLOSED = "closed"


class CloseReason(StrEnum):
    CLOSED = "closed"
    """By our own `close` or `abort`."""
    FAILED = "failed"
    """There never was an allocation."""
    LOST = "lost"
    """The server has forgotten the allocation, or refuses to keep it."""
    EXPIRED = "expired"
    """Refreshing went unanswered until the lifetime was over."""


class Allocated(NamedTuple):
    """There is an address on the server now. `mapped` is how the server sees us; `lifetime` in seconds."""

    relayed: Address
    mapped: Address
    lifetime: float
    additional: Address | None = None
    """The relayed address of the other family, where both were asked for."""


class AllocationFailed(NamedTuple):
    """No allocation. `code` is the server's (300 to 699), or 701 when nothing was heard; `hint` says what to do."""

    code: int
    reason: str
    hint: str


class AlternateServer(NamedTuple):
    """The server sends us to another: open a path to it and call `allocate(now, path=...)`."""

    address: Address
    domain: str | None = None
    """What its certificate must name, where the transport is TLS."""


class PermissionInstalled(NamedTuple):
    """Datagrams from this host, whatever its port, reach us through the relay. Told once, not for each refresh."""

    host: str


class PermissionFailed(NamedTuple):
    """The server does not let this host reach us. `code` is 701 when nothing was heard."""

    host: str
    code: int
    reason: str


class ChannelBound(NamedTuple):
    """Datagrams to and from this peer have four bytes of overhead now."""

    peer: Address
    channel: int


class ChannelFailed(NamedTuple):
    """There is no channel; datagrams go on as indications, where the permission allows."""

    peer: Address
    code: int
    reason: str


class DataRelayed(NamedTuple):
    """Datagrams that a peer sent to our relayed address, in the order of arrival."""

    peer: Address
    datagrams: list[bytes]


class Closed(NamedTuple):
    """The end; nothing comes after it. `error` says what went wrong, None if nothing did."""

    reason: CloseReason
    error: WebRTCError | None = None


TurnEvent: TypeAlias = (
    Allocated
    | AllocationFailed
    | AlternateServer
    | ChannelBound
    | ChannelFailed
    | Closed
    | DataRelayed
    | PermissionFailed
    | PermissionInstalled
)
