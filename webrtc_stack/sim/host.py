"""A host of the virtual network: what an `io` driver takes for a machine with sockets, timers and a resolver."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..base import Address, Drops, Entropy, Instant, canonical_ip
from ..errors import InvalidArgumentError
from .packet import Packet, Transport
from .realm import Realm
from .stream import SimStream
from .tcp import SimListener, TcpStack

if TYPE_CHECKING:
    from .box import Box
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

    def __init__(
        self,
        host: Host,
        address: Address,
        realm: Realm,
        on_burst: Callable[[Sequence[Received]], None],
        dscp: int | None = None,
    ) -> None:
        self.host = host
        self.realm = realm
        """Where its address is; an empty one when the address has been removed."""
        self.address = address
        self.dscp = dscp
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


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Watch:
    """Somebody who wants to hear of addresses."""

    __slots__ = ("_watchers", "on_change")

    def __init__(self, watchers: list[Watch], on_change: Callable[[], None]) -> None:
        self._watchers = watchers
        self.on_change = on_change
        watchers.append(self)

    def cancel(self) -> None:
        if self in self._watchers:
            self._watchers.remove(self)


class Publication:
    """A name that is answered for."""

    __slots__ = ("_hosts", "_name", "_names")

    def __init__(self, names: dict[str, tuple[str, ...]], name: str, host: str) -> None:
        self._names = names
        self._name = name
        self._hosts = names[name] = (host,)

    def cancel(self) -> None:
        if self._names.get(self._name) is self._hosts:
            del self._names[self._name]


class Host:
    """Implements the runtime seam of `io` on the virtual network."""

    def __init__(self, network: Network, name: str, realm: Realm) -> None:
        self.network = network
        self.addresses: tuple[str, ...] = ()
        self.name = name
        self.down: set[str] = set()
        """Addresses whose interface is dead: nothing leaves, nothing arrives, and nobody is told."""
        self.sockets: dict[Address, SimSocket] = {}
        self.tcp = TcpStack(self)
        self.realms: dict[str, Realm] = {}
        """The address space that each address belongs to."""
        self.drops = Drops()
        self._home = realm
        self._nowhere = Realm(network, "nowhere", network.entropy)
        self._interfaces: dict[str, str] = {}
        self._interface_count = 0
        self._watchers: list[Watch] = []
        self._telling = False
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

    # --- addresses --------------------------------------------------------------------------------------------------

    def local_addresses(self) -> Sequence[LocalAddress]:
        return [LocalAddress(self._interfaces[host], host) for host in self.addresses]

    def add_address(self, ip: str, *, behind: Box | Network | None = None) -> None:
        """A new interface comes up; those who watch are told. Sockets that were bound to this address before it was
        removed work again.

        It is on the network where the host was made, or inside of the box `behind`, or on the public network when
        that is the `Network`: so a telephone has one address behind the router at home and one behind its carrier's.
        Errors: `InvalidArgumentError` when the address is taken.
        """
        ip = canonical_ip(ip)
        if ip in self.realms:
            raise InvalidArgumentError(f"{ip} already belongs to {self.name}")
        realm = self._home if behind is None else behind.realm
        realm.add(ip, self)
        self.realms[ip] = realm
        self._interfaces[ip] = f"eth{self._interface_count}"
        self._interface_count += 1
        self.addresses = (*self.addresses, ip)
        self._reattach(ip, realm)

    def remove_address(self, ip: str) -> None:
        """An interface goes away; those who watch are told. Sockets and streams bound to it stay open, send nothing,
        receive nothing, and hear of nothing, as with a real kernel.

        Errors: `InvalidArgumentError` when it is not there.
        """
        ip = canonical_ip(ip)
        realm = self.realms.pop(ip, None)
        if realm is None:
            raise InvalidArgumentError(f"{ip} is not an address of {self.name}")
        realm.remove(ip)
        del self._interfaces[ip]
        self.addresses = tuple(other for other in self.addresses if other != ip)
        self._reattach(ip, self._nowhere)

    def _reattach(self, ip: str, realm: Realm) -> None:
        for address, socket in self.sockets.items():
            if address.host == ip:
                socket.realm = realm
        if self._watchers and not self._telling:
            self._telling = True
            self.call_soon(self._tell_watchers)

    def _tell_watchers(self) -> None:
        self._telling = False
        for watch in list(self._watchers):
            if watch in self._watchers:
                watch.on_change()

    def watch_addresses(self, on_change: Callable[[], None]) -> Watch:
        """Calls back after `add_address` and `remove_address`, once for all changes of one instant."""
        return Watch(self._watchers, on_change)

    # --- sockets ----------------------------------------------------------------------------------------------------

    def open_udp(
        self,
        local: tuple[str, str, int],
        *,
        port: int = 0,
        dscp: int | None = None,
        on_burst: Callable[[Sequence[Received]], None],
        on_writable: Callable[[], None],
    ) -> SimSocket:
        """Binds a socket; virtual ones are always writable, so `on_writable` never fires. `dscp` is kept, to be looked
        at: links treat all alike.

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
        socket = self.sockets[address] = SimSocket(self, address, self.realms[host], on_burst, dscp)
        return socket

    def open_stream(
        self,
        remote: Address,
        *,
        protocol: str,
        server_name: str | None = None,
        local: str | None = None,
        on_result: Callable[[SimStream | str], None],
    ) -> Cancellable:
        """Connects by TCP (one round trip) or TLS (two). The certificate must name `server_name`, or the remote
        address when that is None. `local` is the address to connect from; without it the first one that can reach
        `remote` directly, or else the first of the same family.

        Returns: something to cancel. Reasons are "connection refused", "timed out", "connection reset", "network is
        unreachable", and what is wrong with a certificate.
        Errors: `InvalidArgumentError` for a protocol that is neither.
        """
        if protocol not in ("tcp", "tls"):
            raise InvalidArgumentError(f"a stream is tcp or tls, not {protocol!r}")
        source = self._source(remote) if local is None else canonical_ip(local)
        if source is None:
            return self.call_soon(lambda: on_result("network is unreachable"))
        if source not in self.realms:
            return self.call_soon(lambda: on_result("the address to connect from is not on this machine"))
        if (":" in source) != remote.is_ipv6:
            return self.call_soon(lambda: on_result("network is unreachable"))
        return self.tcp.connect(source, remote, (server_name or remote.host) if protocol == "tls" else None, on_result)

    def _source(self, remote: Address) -> str | None:
        usable = [ip for ip in self.addresses if (":" in ip) == remote.is_ipv6]
        near = [ip for ip in usable if remote.host in self.realms[ip].by_ip]
        return next(iter(near or usable), None)

    def listen(
        self,
        local: tuple[str, str, int],
        *,
        port: int = 0,
        tls: object | None = None,
        on_accept: Callable[[SimStream], None],
    ) -> SimListener:
        """Listens for TCP, or for TLS when given a `VirtualCertificate` (anything else stands for one that is good for
        every name).

        Errors: `OSError` (EADDRNOTAVAIL, EADDRINUSE).
        """
        return self.tcp.listen(local[1], port, tls, on_accept)

    # --- names ------------------------------------------------------------------------------------------------------

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> Timer:
        """Answers after `network.resolve_delay`; an unknown name fails then.

        Names come from `network.names`, those in `.local` from the networks that the host is on (the public one's are
        in `network.names` too). Behind a NAT64, a name that has IPv4 addresses only gets IPv6 ones made of them.
        """
        wanted = name.lower().rstrip(".")
        hosts: tuple[str, ...]
        if wanted.endswith(".local"):
            near = (realm.names.get(wanted) for realm in dict.fromkeys(self.realms.values()))
            hosts = next((found for found in near if found), ())
        else:
            hosts = self.network.names.get(wanted, ())
            for realm in dict.fromkeys(self.realms.values()):
                if realm.gateway is not None:
                    hosts = realm.gateway.resolved(wanted, hosts, any(":" not in ip for ip in self.addresses))
        return self.network.call_at(self.network.now + self.network.resolve_delay, lambda: on_result(hosts))

    def publish(self, name: str, host: str) -> Publication:
        """Answers for a `.local` name on the network of `host`, an address of this machine, until cancelled."""
        ip = canonical_ip(host)
        return Publication(self.realms.get(ip, self._home).names, name.lower().rstrip("."), ip)

    # --- packets ----------------------------------------------------------------------------------------------------

    def send_packet(self, packet: Packet) -> None:
        """Hands a packet that is not a socket's datagram over to the network."""
        realm = self.realms.get(packet.source.host, self._nowhere)
        self.network.forward(realm, packet, self, packet.source.host)

    def deliver(self, source: Address, destination: Address, data: bytes, ecn: int) -> None:
        """A datagram has reached this host."""
        socket = self.sockets.get(destination)
        if destination.host in self.down:
            self.drops.add("interface down")
        elif socket is None:
            self.drops.add("port closed")
        elif socket.realm is self._nowhere:
            self.drops.add("address removed")
        else:
            socket.arrive(Received(source, data, ecn))

    def receive(self, packet: Packet) -> None:
        """Any packet has reached this host."""
        if packet.transport is Transport.UDP:
            self.deliver(packet.source, packet.destination, packet.data, packet.ecn)
        elif packet.destination.host in self.down:
            self.drops.add("interface down")
        elif packet.destination.host not in self.realms:
            self.drops.add("address removed")
        else:
            self.tcp.receive(packet)
