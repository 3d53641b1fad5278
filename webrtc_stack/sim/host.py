"""A host of the virtual network: what an `io` driver takes for a machine with sockets, timers and a resolver."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..base import Address, Drops, Entropy, Instant

if TYPE_CHECKING:
    from .network import Network, Timer

_FIRST_EPHEMERAL_PORT = 49152
_MAX_INBOX = 10_000
"""Datagrams waiting in one socket; more are dropped, as a kernel does."""


class Received(NamedTuple):
    """A datagram as it came from a socket (same shape as `io.Received`)."""

    remote: Address
    data: bytes
    ecn: int = 0


class LocalAddress(NamedTuple):
    """A bindable address (same shape as `io.LocalAddress`)."""

    interface: str
    host: str
    scope_id: int = 0


class SimSocket:
    """A bound UDP socket. What arrives at one instant comes as one burst."""

    def __init__(self, host: Host, address: Address, on_burst: Callable[[Sequence[Received]], None]) -> None:
        self.host = host
        self.address = address
        self.writable = True
        self.closed = False
        self.drops = Drops()
        self._on_burst = on_burst
        self._inbox: list[Received] = []

    def send_burst(self, burst: Sequence[tuple[Address, bytes, int]]) -> None:
        if self.closed:
            self.drops.add("closed", len(burst))
            return
        network = self.host.network
        for remote, data, ecn in burst:
            network.send(self, remote, bytes(data), ecn)

    def arrive(self, received: Received) -> None:
        """The network delivers; the owner hears of the whole burst once."""
        if len(self._inbox) >= _MAX_INBOX:
            self.drops.add("inbox full")
            return
        self._inbox.append(received)
        if len(self._inbox) == 1:
            self.host.network.call_at(self.host.network.now, self._flush)

    def _flush(self) -> None:
        burst, self._inbox = self._inbox, []
        if burst and not self.closed:
            self._on_burst(burst)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._inbox.clear()
            self.host.sockets.pop(self.address, None)


class Host:
    """Implements the runtime seam of `io` on the virtual network."""

    def __init__(self, network: Network, addresses: tuple[str, ...], name: str) -> None:
        self.network = network
        self.addresses = addresses
        self.name = name
        self.down: set[str] = set()
        """Addresses whose interface is dead: nothing leaves, nothing arrives, and nobody is told."""
        self.sockets: dict[Address, SimSocket] = {}
        self.drops = Drops()
        self._entropy = network.entropy.fork(f"host {name}")
        self._next_port = _FIRST_EPHEMERAL_PORT

    def __repr__(self) -> str:
        return f"Host({self.name}, {', '.join(self.addresses)})"

    @property
    def wall_epoch(self) -> float:
        return self.network.wall_epoch

    @property
    def entropy(self) -> Entropy:
        return self._entropy

    def time(self) -> Instant:
        return self.network.now

    def call_at(self, when: Instant, callback: Callable[[], None]) -> Timer:
        return self.network.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> Timer:
        return self.network.call_at(self.network.now, callback)

    def local_addresses(self) -> Sequence[LocalAddress]:
        return [LocalAddress(f"eth{index}", host) for index, host in enumerate(self.addresses)]

    def open_udp(
        self,
        local: tuple[str, str, int],
        *,
        port: int = 0,
        on_burst: Callable[[Sequence[Received]], None],
        on_writable: Callable[[], None],
    ) -> SimSocket:
        """Binds a socket; virtual ones are always writable, so `on_writable` never fires.

        Errors: `OSError` (EADDRNOTAVAIL, EADDRINUSE), as the kernel would say.
        """
        host = local[1]
        if host not in self.addresses:
            raise OSError(errno.EADDRNOTAVAIL, f"{host} is not an address of {self.name}")
        while not port:
            candidate = Address(host, self._next_port)
            self._next_port = self._next_port + 1 if self._next_port < 65535 else _FIRST_EPHEMERAL_PORT
            if candidate not in self.sockets:
                port = candidate.port
        address = Address(host, port)
        if address in self.sockets:
            raise OSError(errno.EADDRINUSE, f"{address} is in use")
        socket = self.sockets[address] = SimSocket(self, address, on_burst)
        return socket

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> Timer:
        """Answers from `network.names` after `network.resolve_delay`; an unknown name fails then."""
        hosts = self.network.names.get(name.lower(), ())
        return self.network.call_at(self.network.now + self.network.resolve_delay, lambda: on_result(hosts))

    def deliver(self, source: Address, destination: Address, data: bytes, ecn: int) -> None:
        """A datagram has reached this host."""
        socket = self.sockets.get(destination)
        if destination.host in self.down:
            self.drops.add("interface down")
        elif socket is None:
            self.drops.add("port closed")
        else:
            socket.arrive(Received(source, data, ecn))
