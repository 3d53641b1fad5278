"""What a TURN server wishes for and reports. `OpenRelay` and `CloseRelay` are wishes to the driver."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from ..base import Address, PathId, SocketId


class OpenRelay(NamedTuple):
    """Bind a UDP socket of this family (4 or 6) on this port; answer by `relay_opened` or `relay_failed`."""

    id: int
    family: int
    port: int


class CloseRelay(NamedTuple):
    """Close a relay's socket."""

    socket: SocketId


class CloseClient(NamedTuple):
    """Close the stream of this path: what came on it makes no sense, or its time is over."""

    path: PathId
    reason: str


class EndReason(StrEnum):
    RELEASED = "released"
    EXPIRED = "expired"
    DISCONNECTED = "disconnected"
    """Its stream was closed."""
    SHUTDOWN = "shutdown"


class AllocationOpened(NamedTuple):
    id: int
    username: str
    client: Address
    relayed: Address
    lifetime: float


class AllocationClosed(NamedTuple):
    id: int
    username: str
    client: Address
    reason: EndReason
    bytes_to_peers: int
    bytes_to_client: int


class ServerClosed(NamedTuple):
    """The end; nothing comes after it."""

    reason: str


ServerEvent: TypeAlias = AllocationClosed | AllocationOpened | CloseClient | CloseRelay | OpenRelay | ServerClosed
