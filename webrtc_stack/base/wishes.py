"""I/O that a machine wants, as data.

A machine that needs a name resolved or sockets opened emits one of these among its events; the driver does it and
answers with a command of the same machine. So mDNS, TURN over TLS, ICE-TCP and a changing network need no second
design, and a simulation answers them from a table.

| event | answered by |
|---|---|
| `GatherAddresses` | `add_local(address, socket_id, now)` for each socket bound, then `locals_complete(now)` |
| `ResolveName(id, name)` | `name_resolved(id, hosts, now)`; an empty list says that it failed |
| `OpenStream(id, ...)` | `stream_opened(id, path, now)` or `stream_failed(id, reason, now)`; later `stream_closed` |
| `CloseStream(id)` | nothing |
"""

from __future__ import annotations

from typing import NamedTuple

from .datagram import Address


class GatherAddresses(NamedTuple):
    """Bind a UDP socket on every local address that the policy allows, and report each by `add_local`."""


class ResolveName(NamedTuple):
    """Resolve `name` (DNS, or mDNS when it ends in `.local`) to IP literals."""

    id: int
    name: str


class OpenStream(NamedTuple):
    """Connect a stream. `protocol` is `tcp` or `tls`; `server_name` is what a certificate must name."""

    id: int
    remote: Address
    protocol: str
    server_name: str | None = None


class CloseStream(NamedTuple):
    """Close a stream opened before."""

    id: int
