"""The seam between drivers and the world: what a `Driver` needs of an event loop and a network.

Two things implement it: `io.AsyncioRuntime` (real sockets on any asyncio loop that has `add_reader`) and
`sim.Host` (a virtual network under a virtual clock). A driver cannot tell them apart, so what is proven in
simulation is what runs.

Callbacks are called from the event loop, never from inside the call that registered them.

The seam is structural: what crosses it are tuples of the shapes below, so that the two sides need not import one
another. `Received`, `Outgoing` and `LocalAddress` name the shapes for whoever makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from ..base import Address, Entropy, Instant


class Received(NamedTuple):
    """A datagram as it came from a socket."""

    remote: Address
    data: bytes
    ecn: int = 0


class Outgoing(NamedTuple):
    """A datagram for a socket."""

    remote: Address
    data: bytes
    ecn: int = 0


class LocalAddress(NamedTuple):
    """An address of this machine that sockets can be bound to. `scope_id` is for IPv6 link-local only."""

    interface: str
    host: str
    scope_id: int = 0


ReceivedLike: TypeAlias = tuple[Address, bytes, int]
LocalAddressLike: TypeAlias = tuple[str, str, int]


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class UdpSocket(Protocol):
    """A bound UDP socket that moves bursts."""

    @property
    def address(self) -> Address:
        """Where it is bound; the port is never 0."""
        ...

    @property
    def writable(self) -> bool:
        """False while the kernel takes no more; `on_writable` fires when that ends. Do not poll machines meanwhile."""
        ...

    def send_burst(self, burst: Sequence[Outgoing]) -> None:
        """Sends all of it. What the kernel does not take at once is kept (bounded) and sent first when it does;
        what the network refuses (no route, connection refused) is counted and lost, as datagrams may be."""
        ...

    def close(self) -> None:
        """Idempotent; no callback comes afterwards."""
        ...


class Stream(Protocol):
    """A connected TCP or TLS stream. Nothing is read before `start`, which is called once, at once."""

    @property
    def local(self) -> Address: ...

    @property
    def remote(self) -> Address: ...

    @property
    def writable(self) -> bool:
        """False while the kernel takes no more; `on_writable` fires when that ends."""
        ...

    def start(
        self,
        *,
        on_bytes: Callable[[bytes], None],
        on_writable: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        """`on_closed(reason)` comes once when the peer or the network ended it; never after `close`."""
        ...

    def write(self, data: bytes) -> None:
        """Queues bytes. What the kernel does not take is kept up to a bound; above it the stream is aborted, because
        bytes in the middle of one cannot be left out (`on_closed` says so)."""
        ...

    def close(self) -> None:
        """Idempotent; what was written is still sent, no callback comes afterwards."""
        ...


class Listener(Protocol):
    """A TCP socket that listens."""

    @property
    def address(self) -> Address:
        """Where it is bound; the port is never 0."""
        ...

    def close(self) -> None:
        """Idempotent; streams that were accepted live on."""
        ...


class Runtime(Protocol):
    """A clock, timers, sockets and a resolver."""

    @property
    def wall_epoch(self) -> float:
        """Unix time, in seconds, of instant 0."""
        ...

    @property
    def entropy(self) -> Entropy: ...

    def time(self) -> Instant: ...

    def call_at(self, when: Instant, callback: Callable[[], None]) -> Cancellable: ...

    def call_soon(self, callback: Callable[[], None]) -> Cancellable: ...

    def local_addresses(self) -> Sequence[LocalAddressLike]:
        """Every usable unicast address of this machine, loopback included; the caller filters."""
        ...

    def watch_addresses(self, on_change: Callable[[], None]) -> Cancellable:
        """Calls back when `local_addresses` may have become another list, soon after it did, until cancelled."""
        ...

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        dscp: int | None = None,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> UdpSocket:
        """Binds a socket. `dscp` marks what it sends (0 to 63; None: as the runtime was told, or not at all).

        Errors: `OSError` when the address or port cannot be had.
        """
        ...

    def open_stream(
        self,
        remote: Address,
        *,
        protocol: str,
        server_name: str | None = None,
        local: str | None = None,
        on_result: Callable[[Stream | str], None],
    ) -> Cancellable:
        """Connects; `protocol` is `tcp` or `tls`. `on_result` comes once, with the stream or with the reason in words
        why there is none ("connection refused", "the certificate has expired", ...). It always comes, unless
        cancelled: a connect has a deadline of its own."""
        ...

    def listen(
        self, local: LocalAddressLike, *, port: int = 0, tls: object | None = None, on_accept: Callable[[Stream], None]
    ) -> Listener:
        """Listens for TCP, or for TLS with a context (`ssl.SSLContext`; a virtual network takes anything for one).

        Errors: `OSError` when the address or port cannot be had."""
        ...

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> Cancellable:
        """Resolves a name to IP literals (empty: failed). Names ending in `.local` go to multicast DNS if present."""
        ...

    def publish(self, name: str, host: str) -> Cancellable:
        """Answers for a `.local` name in multicast DNS until cancelled. Without multicast DNS nobody answers, which
        is what happens to such names on many networks."""
        ...
