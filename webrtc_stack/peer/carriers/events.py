"""What the carriers report, as past-tense values; beside the wishes of `base`."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ...base import Address, CloseStream, OpenStream, PathId, ResolveName, SocketId
from ...ice import LocalOrigin


class LocalFound(NamedTuple):
    """A local address that ICE may use. Its socket is virtual, or the driver's listening one."""

    address: Address
    socket: SocketId
    origin: LocalOrigin


class LocalMapped(NamedTuple):
    """How a server sees a UDP socket of the driver: behind a NAT, an address that a peer may reach it at."""

    socket: SocketId
    address: Address
    url: str


class LocalLost(NamedTuple):
    """It is gone."""

    socket: SocketId


class PathFailed(NamedTuple):
    """Nothing can be sent on this path, and why."""

    path: PathId
    reason: str


class ServerFailed(NamedTuple):
    """A TURN server gave no relay. `code` is its own, or 701 when it was not reached; `hint` says what to do."""

    url: str
    code: int
    reason: str
    hint: str


class CarriersClosed(NamedTuple):
    """The end; nothing comes after it."""


CarrierEvent: TypeAlias = (
    CarriersClosed
    | CloseStream
    | LocalFound
    | LocalLost
    | LocalMapped
    | OpenStream
    | PathFailed
    | ResolveName
    | ServerFailed
)
