"""What crosses the border between machines and sockets: addresses, paths, datagrams.

A *path* is one local socket and one remote address. Machines name paths by a small integer, `PathId`; the
`PathTable` that gives the integers out is plain data, shared by one driver and one machine: the driver interns
where a datagram came from, ICE interns where it wants to send.
"""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple, NewType

from ..errors import InvalidArgumentError

PathId = NewType("PathId", int)
SocketId = NewType("SocketId", int)


class Address(NamedTuple):
    """A transport address: an IP literal in its canonical text form, and a port."""

    host: str
    port: int

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def canonical_ip(host: str) -> str:
    """`host` as its canonical IP literal (IPv6 compressed, IPv4-mapped IPv6 as IPv4).

    Errors: `InvalidArgumentError` when it is not an IP literal.
    """
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        raise InvalidArgumentError(f"not an IP address: {host[:64]!r}; resolve names first") from None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


class Datagram(NamedTuple):
    """Bytes that arrived on a path. `ecn` is the two-bit codepoint of the IP header."""

    path: PathId
    data: bytes
    ecn: int = 0


class Transmit(NamedTuple):
    """Bytes to be sent on a path."""

    path: PathId
    data: bytes
    ecn: int = 0


class Path(NamedTuple):
    """What a `PathId` stands for."""

    socket: SocketId
    remote: Address


class PathTable:
    """Gives out `PathId`s for (socket, remote address); bounded, so that spoofed sources cannot grow it.

    Identifiers are never reused within a table. Above `limit` entries the longest-known path that nobody pinned is
    forgotten; ICE pins the paths of its candidate pairs.
    """

    __slots__ = ("_by_id", "_by_path", "_limit", "_next", "_pins")

    DEFAULT_LIMIT: Final = 4096

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._next = 1
        self._by_path: dict[Path, PathId] = {}
        self._by_id: dict[PathId, Path] = {}
        self._pins: dict[PathId, int] = {}

    def intern(self, socket: SocketId, remote: Address) -> PathId:
        """The identifier of this path, a new one if it was not known."""
        path = Path(socket, remote)
        known = self._by_path.get(path)
        if known is not None:
            return known
        if len(self._by_id) >= self._limit:
            self._evict()
        path_id = PathId(self._next)
        self._next += 1
        self._by_path[path] = path_id
        self._by_id[path_id] = path
        return path_id

    def _evict(self) -> None:
        for path_id, path in self._by_id.items():
            if path_id not in self._pins:
                del self._by_id[path_id], self._by_path[path]
                return

    def lookup(self, path_id: PathId) -> Path | None:
        """What `path_id` stands for, or None if it was forgotten."""
        return self._by_id.get(path_id)

    def pin(self, path_id: PathId) -> None:
        """Keeps a path from being forgotten; counted, so pair with `unpin`."""
        if path_id in self._by_id:
            self._pins[path_id] = self._pins.get(path_id, 0) + 1

    def unpin(self, path_id: PathId) -> None:
        """Takes one `pin` back."""
        count = self._pins.get(path_id, 0)
        if count > 1:
            self._pins[path_id] = count - 1
        else:
            self._pins.pop(path_id, None)

    def pins(self, path_id: PathId) -> int:
        """How many keep this path."""
        return self._pins.get(path_id, 0)

    def __len__(self) -> int:
        return len(self._by_id)
