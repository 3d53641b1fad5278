"""I/O that a machine wants, as data.

A machine that needs a name resolved or sockets opened emits one of these among its events; the driver does it and
answers with a command of the same machine. So mDNS, TURN over TLS, ICE-TCP and a changing network need no second
design, and a simulation answers them from a table.

| event | answered by |
|---|---|
| `GatherAddresses()` | `add_local(address, socket_id, now)` for each socket bound, then `locals_complete(now)` |
| `GatherAddresses(tcp=True)` | the same, and `add_listener(address, socket_id, now)` for each TCP socket that listens |
| `ResolveName(id, name)` | `name_resolved(id, hosts, now)`; an empty list says that it failed |
| `OpenStream(id, ...)` | `stream_opened(id, path, local, now)` or `stream_failed(id, reason, now)` |
| `PublishName(name, host)`, `WithdrawName(name)` | nothing |
| `CloseStream(id)` | nothing; no bytes come any more |

A listening socket answers by itself: `stream_accepted(id, path, now)`, where `path` is its socket and the remote
address and `id` is below zero, so that the two kinds of streams never share one. Whoever ends an open stream but the
machine itself, `stream_closed(id, reason, now)` says so, once.

A stream is a path like any other: bytes that arrive on it come as `Datagram`s (whatever the kernel read, frames not
kept apart), and `Transmit`s on it are written in order. Framing is the machine's business.
"""

from __future__ import annotations

from typing import NamedTuple

from .datagram import Address


class GatherAddresses(NamedTuple):
    """Bind a UDP socket on every local address that the policy allows, and report each by `add_local`. With `tcp` a
    TCP socket listens on each as well."""

    tcp: bool = False


class ResolveName(NamedTuple):
    """Resolve `name` (DNS, or mDNS when it ends in `.local`) to IP literals."""

    id: int
    name: str


class OpenStream(NamedTuple):
    """Connect a stream. `protocol` is `tcp` or `tls`; `server_name` is what a certificate must name; `local` is the
    address to connect from, None for the system's choice."""

    id: int
    remote: Address
    protocol: str
    server_name: str | None = None
    local: str | None = None


class CloseStream(NamedTuple):
    """Close a stream opened or accepted before; one that is still being opened is given up."""

    id: int


class PublishName(NamedTuple):
    """Answer for `name`, which ends in `.local`, with the address `host` in multicast DNS."""

    name: str
    host: str


class WithdrawName(NamedTuple):
    """Answer for `name` no more."""

    name: str
