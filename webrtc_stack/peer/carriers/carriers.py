"""What carries a path: TURN relays and streams, between the driver and everything that names paths.

Sockets of the driver carry datagrams as they are. Beside them there are *virtual* sockets, with numbers below zero that
no driver knows: a relayed address, or "TCP from this host". `wrap` turns what is to leave on their paths into what the
driver can send, `unwrap` the other way round; datagrams on ordinary paths go through both untouched.

Plumbing like `Transport`, with the verbs of a machine: it shares the time and the path table of its peer.

Spec: RFC 8656 (client), RFC 6544; RFC 8445 sections 5.1.1.2 (relayed candidates), 5.1.1.4 (keeping them).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...base import (
    NEVER,
    Address,
    CandidateType,
    CloseStream,
    Datagram,
    Drops,
    Instant,
    MachineBase,
    OpenStream,
    PathId,
    ResolveName,
    SocketId,
    TcpType,
    Transmit,
    canonical_ip,
)
from ...errors import UsageError
from ...ice import LocalOrigin
from ...turn import (
    NO_ANSWER,
    Allocated,
    AllocationFailed,
    AlternateServer,
    ClientState,
    Closed,
    CloseReason,
    PermissionFailed,
    TurnClient,
    TurnClientConfig,
    TurnEvent,
    hint_for,
)
from .config import CarriersConfig, IceTcp
from .events import CarrierEvent, CarriersClosed, LocalFound, LocalLost, LocalMapped, PathFailed, ServerFailed
from .relay import Relay
from .servers import Server
from .tcp import TcpPath

_MAX_ROUTES: Final = 1024
"""Paths of virtual sockets remembered; beyond it those that nobody pins are forgotten."""
_TCP_ACTIVE_PORT: Final = 9
"""What an active candidate says in place of a port (RFC 6544 section 4.5)."""


class Carriers(MachineBase[CarrierEvent]):
    """See the module's docstring."""

    def __init__(self, config: CarriersConfig) -> None:
        super().__init__()
        self._config = config
        self._paths = config.paths
        self._trace = config.trace.bind(room="carriers")
        self._entropy = config.entropy.fork("carriers")
        self.drops = Drops()
        self._servers = [Server(index, server) for index, server in enumerate(config.servers)]
        self._bases: dict[SocketId, Address] = {}
        """The driver's UDP sockets."""
        self._listeners: dict[SocketId, Address] = {}
        self._tcp_hosts: dict[SocketId, str] = {}
        """Virtual sockets that connect from a host."""
        self._by_socket: dict[SocketId, Relay] = {}
        self._inner: dict[PathId, Relay | TcpPath] = {}
        """Paths of the driver that carry others."""
        self._outer: dict[PathId, Relay | TcpPath] = {}
        """Paths of virtual and listening sockets, and what carries them."""
        self._streams: dict[int, Server | Relay | TcpPath] = {}
        self._ready: list[Transmit] = []
        self._last_number = 0
        self._last_socket = 0
        self._gathering = False
        self.closing = False
        self._close_at: Instant = NEVER
        self.closed = False

    # --- looking ----------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether anything is carried: while not, bursts need not come by."""
        return bool(self._inner or self._by_socket or self._tcp_hosts or self._listeners)

    def settled(self, now: Instant) -> bool:
        """Whether every server has answered, failed, or been waited for long enough."""
        return all(not server.pending or now >= server.patience for server in self._servers)

    @property
    def relays(self) -> tuple[Relay, ...]:
        """Every allocation, asked for, standing or failed."""
        return tuple(relay for server in self._servers for relay in server.relays)

    # --- commands ---------------------------------------------------------------------------------------------------

    def gather(self, now: Instant) -> None:
        """Begins: resolves names, connects streams, asks for relays from the sockets there are. Idempotent."""
        now = self._advance(now)
        if self._gathering or self.closing:
            return
        self._gathering = True
        for server in self._servers:
            server.patience = now + self._config.gather_patience
            literal = server.literal
            if literal is not None:
                server.take_addresses([literal])
                self._ask(server, now)
            else:
                server.name_id = self._number()
                server.name_deadline = now + self._config.name_timeout
                self._emit(ResolveName(-server.name_id, server.config.uri.host))

    def add_local(self, address: Address, socket: SocketId, now: Instant) -> None:
        """The driver has bound a UDP socket."""
        now = self._advance(now)
        address = Address(canonical_ip(address.host), address.port)
        self._bases[socket] = address
        if self.closing:
            return
        for server in self._servers if self._gathering else ():
            if not server.stream:
                self._ask_from(server, socket, now)
        if self._config.tcp is not IceTcp.OFF and address.host not in self._tcp_hosts.values():
            virtual = self._virtual_socket()
            self._tcp_hosts[virtual] = address.host
            origin = LocalOrigin(transport="tcp", tcp_type=TcpType.ACTIVE, announce=False)
            self._emit(LocalFound(Address(address.host, _TCP_ACTIVE_PORT), virtual, origin))

    def locals_complete(self, now: Instant) -> None:
        """The driver has reported every address: a server that none of them reaches has failed."""
        self._advance(now)
        for server in self._servers:
            if server.addresses and not server.pending and not server.usable and not server.stream:
                family = "IPv6" if server.addresses[0].is_ipv6 else "IPv4"
                hint = f"this machine has no {family} address that reaches it; give an address of the other family"
                self._server_failed(server, NO_ANSWER, f"no local {family} address to ask it from", hint)

    def add_listener(self, address: Address, socket: SocketId, now: Instant) -> None:
        """The driver listens for TCP."""
        self._advance(now)
        if not self.closing:
            self._listeners[socket] = address
            origin = LocalOrigin(transport="tcp", tcp_type=TcpType.PASSIVE)
            self._emit(LocalFound(Address(canonical_ip(address.host), address.port), socket, origin))

    def remove_local(self, socket: SocketId, now: Instant) -> None:
        """A socket of the driver is gone, with all that went through it. Unknown ones are ignored."""
        now = self._advance(now)
        if self._listeners.pop(socket, None) is not None:
            self._emit(LocalLost(socket))
        address = self._bases.pop(socket, None)
        if address is None:
            return
        for relay in [one for one in self.relays if one.base == socket]:
            relay.client.abort(now)
            self._remove_relay(relay)
        if address.host not in [one.host for one in self._bases.values()]:
            for virtual in [one for one, host in self._tcp_hosts.items() if host == address.host]:
                del self._tcp_hosts[virtual]
                for tcp in [one for one in self._tcp_paths() if one.socket == virtual]:
                    self._end_tcp(tcp, "its interface is gone")
                self._emit(LocalLost(virtual))

    def bind(self, path: PathId, now: Instant) -> None:
        """Data goes on this path from now on."""
        carrier = self._outer.get(path) or self._route(path)
        if type(carrier) is Relay:
            carrier.bind(path, self._advance(now))

    def forget_unused(self, now: Instant) -> None:
        """Candidate pairs may have gone: lets go of what only they needed."""
        now = self._advance(now)
        for relay in self._by_socket.values():
            relay.forget_unused(now)
        for tcp in self._tcp_paths():
            if tcp.idle_at == NEVER and not self._wanted(tcp):
                self._end_tcp(tcp, "")
        self._trim_routes()

    def close(self, now: Instant) -> None:
        """Gives allocations back and ends; `CarriersClosed` follows within `close_timeout`. Idempotent."""
        now = self._advance(now)
        if self.closing:
            return
        self.closing = True
        self._close_at = now + self._config.close_timeout
        for server in self._servers:
            server.name_id = None
            server.retry_at = NEVER
            for number in server.opening:
                self._emit(CloseStream(number))
            server.opening.clear()
        for tcp in self._tcp_paths():
            self._end_tcp(tcp, "")
        for relay in self.relays:
            relay.client.close(now)
            self._serve(relay, now)
        self._finish(now)

    # --- servers ----------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _virtual_socket(self) -> SocketId:
        self._last_socket -= 1
        return SocketId(self._last_socket)

    def name_resolved(self, number: int, hosts: Sequence[str], now: Instant) -> None:
        """Answers a `ResolveName`, by the number that it carried."""
        now = self._advance(now)
        server = next((one for one in self._servers if one.name_id == -number), None)
        if server is None:
            return
        server.name_id = None
        literals = []
        for host in hosts:
            try:
                literals.append(canonical_ip(host))
            except UsageError:
                continue  # what a resolver says is the network's word, not the caller's
        server.take_addresses(literals)
        if server.addresses:
            self._ask(server, now)
        else:
            name = server.config.uri.host
            self._server_failed(server, NO_ANSWER, f"the name {name} was not resolved", "check the name and the DNS")

    def _ask(self, server: Server, now: Instant) -> None:
        if server.stream:
            for address in server.addresses:
                self._connect(server, address)
            return
        for socket in list(self._bases):
            self._ask_from(server, socket, now)

    def _connect(self, server: Server, address: Address) -> None:
        number = self._number()
        server.opening[number] = address
        self._streams[number] = server
        self._emit(OpenStream(number, address, server.config.uri.transport, server.config.uri.host))

    def _ask_from(self, server: Server, socket: SocketId, now: Instant) -> None:
        """Loopback reaches no server elsewhere, and nothing but loopback a server there."""
        base = self._bases[socket]
        for address in server.addresses:
            if base.is_ipv6 != address.is_ipv6 or base.host.startswith("fe80:"):
                continue
            if _is_loopback(base.host) and not _is_loopback(address.host):
                continue
            if any(relay.base == socket and not relay.closed for relay in server.relays):
                continue
            self._add_relay(server, self._paths.intern(socket, address), address, base=socket, stream=None, now=now)

    def _add_relay(
        self,
        server: Server,
        path: PathId,
        address: Address,
        *,
        base: SocketId | None,
        stream: int | None,
        now: Instant,
    ) -> Relay | None:
        if sum(not relay.closed for relay in self.relays) >= self._config.max_relays:
            self.drops.add("too many relays")
            return None
        client = TurnClient(
            TurnClientConfig(
                server=address,
                path=path,
                transport=server.config.uri.transport,
                username=server.config.username,
                password=server.config.password,
                families=self._config.families,
                close_timeout=self._config.close_timeout,
                entropy=self._entropy.fork(f"relay {self._number()}"),
                trace=self._config.trace,
            )
        )
        relay = Relay(client, path, server=server.index, base=base, stream=stream, paths=self._paths, drops=self.drops)
        server.relays = [one for one in server.relays if not one.closed]
        server.relays.append(relay)
        self._inner[path] = relay
        client.allocate(now)
        return relay

    def _server_failed(self, server: Server, code: int, reason: str, hint: str) -> None:
        """Reported once, when nothing else of this server may still work."""
        server.failed = (code, reason, hint)
        if server.usable or server.pending or server.reported:
            return
        server.reported = True
        self._emit(ServerFailed(server.config.url, code, reason, hint))

    # --- streams ----------------------------------------------------------------------------------------------------

    def stream_opened(self, number: int, path: PathId, local: Address, now: Instant) -> None:
        """Answers an `OpenStream`."""
        now = self._advance(now)
        owner = self._streams.get(number)
        if isinstance(owner, TcpPath):
            if owner.wire is None:
                self._paths.pin(path)
                self._inner[path] = owner
                self._ready += owner.opened(path)
            return
        if isinstance(owner, Relay):
            if owner.client.state is not ClientState.REDIRECTED:
                return  # said twice
            # The server that another one named.
            self._inner.pop(owner.path, None)
            owner.move(path)
            self._inner[path] = owner
            owner.client.allocate(now, path=path)
            return
        if owner is None or self.closing:
            self._emit(CloseStream(number))
            return
        address = owner.opening.pop(number)
        if any(not relay.settled or relay.usable for relay in owner.relays):
            del self._streams[number]
            self._emit(CloseStream(number))  # the other family was faster
            return
        relay = self._add_relay(owner, path, address, base=None, stream=number, now=now)
        if relay is not None:
            self._streams[number] = relay

    def stream_failed(self, number: int, reason: str, now: Instant) -> None:
        """Answers an `OpenStream`: there will be none."""
        now = self._advance(now)
        owner = self._streams.pop(number, None)
        if isinstance(owner, TcpPath):
            self._end_tcp(owner, reason, tell_driver=False)
        elif isinstance(owner, Relay):
            self._relay_lost(owner, NO_ANSWER, reason, now)
        elif owner is not None:
            address = owner.opening.pop(number)
            text = f"{owner.config.uri.transport.upper()} to {address}: {reason}"
            self._server_failed(owner, NO_ANSWER, text, _stream_hint(owner, reason))

    def stream_accepted(self, number: int, path: PathId, now: Instant) -> None:
        """Somebody connected to a listener."""
        now = self._advance(now)
        known = self._paths.lookup(path)
        accepted = sum(tcp.stream < 0 for tcp in self._tcp_paths())
        if self.closing or known is None or known.socket not in self._listeners or accepted >= self._config.max_streams:
            self.drops.add("stream not accepted")
            self._emit(CloseStream(number))
            return
        tcp = TcpPath(path, path, known.socket, number, max_held=self._config.max_held, drops=self.drops)
        tcp.idle_at = now + self._config.accept_timeout
        self._paths.pin(path)
        self._inner[path] = self._outer[path] = self._streams[number] = tcp

    def stream_closed(self, number: int, reason: str, now: Instant) -> None:
        """An open stream has ended, and not by us."""
        now = self._advance(now)
        owner = self._streams.pop(number, None)
        if isinstance(owner, TcpPath):
            self._end_tcp(owner, reason or "the peer closed the stream", tell_driver=False)
        elif isinstance(owner, Relay):
            owner.stream = None
            self._relay_lost(owner, NO_ANSWER, f"the stream to the server ended: {reason}", now)

    def _tcp_paths(self) -> list[TcpPath]:
        return [one for one in self._streams.values() if isinstance(one, TcpPath)]

    def _open_tcp(self, path: PathId, socket: SocketId, remote: Address) -> TcpPath:
        number = self._number()
        tcp = TcpPath(path, None, socket, number, max_held=self._config.max_held, drops=self.drops)
        self._outer[path] = self._streams[number] = tcp
        self._emit(OpenStream(number, remote, "tcp", None, self._tcp_hosts[socket]))
        return tcp

    def _end_tcp(self, tcp: TcpPath, reason: str, *, tell_driver: bool = True) -> None:
        """`reason` is empty when it was ours, and ICE knows."""
        if tcp.failed:
            return
        tcp.failed = True
        if tell_driver:
            self._emit(CloseStream(tcp.stream))
        self._streams.pop(tcp.stream, None)
        if tcp.wire is not None:
            self._inner.pop(tcp.wire, None)
            self._paths.unpin(tcp.wire)
        if reason:
            self._emit(PathFailed(tcp.path, reason))
        if not self._paths.pins(tcp.path):
            self._outer.pop(tcp.path, None)

    # --- relays -----------------------------------------------------------------------------------------------------

    def _serve(self, relay: Relay, now: Instant) -> None:
        """Acts on what a client reported."""
        if relay.framer is not None and relay.framer.error is not None:
            self._relay_lost(relay, NO_ANSWER, f"what came is not TURN: {relay.framer.error}", now)
            return
        news, relay.news = relay.news, []
        news += relay.client.poll_events()
        for event in news:
            self._client_event(relay, event, now)

    def _client_event(self, relay: Relay, event: TurnEvent, now: Instant) -> None:
        server = self._servers[relay.server]
        if isinstance(event, Allocated):
            server.losses = 0
            server.reported = False
            if relay.base is not None:
                self._emit(LocalMapped(relay.base, event.mapped, server.config.url))
            for address in (event.relayed, event.additional):
                if address is not None:
                    self._relay_found(relay, server, address, event.mapped)
        elif isinstance(event, AllocationFailed):
            relay.failure = (event.code, event.reason, event.hint)
        elif isinstance(event, AlternateServer):
            self._redirected(relay, server, event, now)
        elif isinstance(event, PermissionFailed):
            reason = f"the relay refused the permission: {event.code} {event.reason}"
            for path, remote in list(relay.remotes.items()):
                if remote.host == event.host:
                    self._emit(PathFailed(path, reason))
        elif isinstance(event, Closed):
            if event.reason is CloseReason.CLOSED:
                self._remove_relay(relay)
            else:
                code, reason, hint = relay.failure or (NO_ANSWER, str(event.error), "")
                self._relay_lost(relay, code, reason, now, hint)

    def _relay_found(self, relay: Relay, server: Server, address: Address, mapped: Address) -> None:
        socket = self._virtual_socket()
        relay.sockets[6 if address.is_ipv6 else 4] = socket
        self._by_socket[socket] = relay
        origin = LocalOrigin(
            type=CandidateType.RELAY,
            related=mapped,
            url=server.config.url,
            relay_protocol=server.config.uri.transport,
            preference=server.preference,
        )
        self._emit(LocalFound(address, socket, origin))

    def _redirected(self, relay: Relay, server: Server, event: AlternateServer, now: Instant) -> None:
        if relay.base is not None:
            self._inner.pop(relay.path, None)
            relay.move(self._paths.intern(relay.base, event.address))
            self._inner[relay.path] = relay
            relay.client.allocate(now, path=relay.path)
            return
        if relay.stream is not None:
            self._streams.pop(relay.stream, None)
            self._emit(CloseStream(relay.stream))
        relay.stream = number = self._number()
        self._streams[number] = relay
        name = event.domain or server.config.uri.host
        self._emit(OpenStream(number, event.address, server.config.uri.transport, name))

    def _relay_lost(self, relay: Relay, code: int, reason: str, now: Instant, hint: str = "") -> None:
        server = self._servers[relay.server]
        stood = bool(relay.sockets)
        relay.client.abort(now)
        self._remove_relay(relay)
        if self._trace:
            self._trace.event(now, "relay_lost", url=server.config.url, code=code, reason=reason, stood=stood)
        if stood and server.losses < self._config.max_losses and not self.closing:
            server.retry_at = now + self._config.retry_after * 2**server.losses
            server.losses += 1
            return
        self._server_failed(server, code, reason, hint or hint_for(code))

    def _remove_relay(self, relay: Relay) -> None:
        relay.client.poll_events()  # what it still says is known
        for socket in relay.sockets.values():
            del self._by_socket[socket]
            self._emit(LocalLost(socket))
        relay.sockets.clear()
        if self._inner.get(relay.path) is relay:
            del self._inner[relay.path]
        for path in [one for one, owner in self._outer.items() if owner is relay]:
            del self._outer[path]
        relay.end()
        if relay.stream is not None:
            self._streams.pop(relay.stream, None)
            self._emit(CloseStream(relay.stream))
            relay.stream = None
        server = self._servers[relay.server]
        if relay in server.relays:
            server.relays.remove(relay)
        if self.closing:
            self._finish(self._now)

    # --- in and out -------------------------------------------------------------------------------------------------

    def unwrap(self, burst: Sequence[Datagram], now: Instant) -> list[Datagram]:
        """A burst from the driver as what came on the paths that others know; what servers say to us is taken out.

        Cost: no Python call a datagram, one a run of the same path.
        """
        now = self._advance(now)
        inner = self._inner
        out: list[Datagram] = []
        run: list[bytes] = []
        last: PathId | None = None
        owner: Relay | TcpPath | None = None
        for datagram in burst:
            path = datagram[0]
            if path != last:
                if owner is not None and run:
                    self._take(owner, run, out, now)
                    run = []
                last, owner = path, inner.get(path)
            if owner is None:
                out.append(datagram)
            else:
                run.append(datagram[1])
        if owner is not None and run:
            self._take(owner, run, out, now)
        return out

    def _take(self, owner: Relay | TcpPath, run: list[bytes], out: list[Datagram], now: Instant) -> None:
        owner.take(run, out, now)
        if isinstance(owner, Relay):
            self._serve(owner, now)
        elif owner.framer.error is not None:
            self._end_tcp(owner, str(owner.framer.error))

    def wrap(self, transmits: Sequence[Transmit], now: Instant) -> list[Transmit]:
        """What leaves on any path as what the driver can send.

        Cost: no Python call a datagram, two or three a run of the same path.
        """
        now = self._advance(now)
        out: list[Transmit] = []
        run: list[bytes] = []
        last: PathId | None = None
        owner: Relay | TcpPath | None = None
        for transmit in transmits:
            path = transmit[0]
            if path != last:
                if owner is not None and last is not None and run:
                    owner.send(last, run, out, now)
                    run = []
                last, owner = path, self._outer.get(path) or self._route(path)
            if owner is None:
                out.append(transmit)
            else:
                run.append(transmit[1])
        if owner is not None and last is not None and run:
            owner.send(last, run, out, now)
        return out

    def _route(self, path: PathId) -> Relay | TcpPath | None:
        """What carries a path that is seen for the first time; None for the driver's own."""
        known = self._paths.lookup(path)
        if known is None:
            return None
        relay = self._by_socket.get(known.socket)
        if relay is not None:
            if len(self._outer) >= _MAX_ROUTES:
                self._trim_routes()
            self._outer[path] = relay
            return relay
        if known.socket in self._tcp_hosts and not self.closing:
            return self._open_tcp(path, known.socket, known.remote)
        return None

    def _trim_routes(self) -> None:
        for path in [one for one, owner in self._outer.items() if not self._paths.pins(one)]:
            owner = self._outer[path]
            if type(owner) is Relay:
                owner.remotes.pop(path, None)
                del self._outer[path]
            elif isinstance(owner, TcpPath) and owner.failed:
                del self._outer[path]

    # --- time -------------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        for server in self._servers:
            if server.name_id is not None and now >= server.name_deadline:
                server.name_id = None
                name = server.config.uri.host
                self._server_failed(server, NO_ANSWER, f"the name {name} was not resolved in time", "check the DNS")
            if now >= server.retry_at:
                server.retry_at = NEVER
                self._ask(server, now)
            if now >= server.patience:
                server.patience = -NEVER
        for relay in self.relays:
            if relay.client.next_timeout() <= now:
                relay.client.handle_timeout(now)
                self._serve(relay, now)
        for tcp in self._tcp_paths():
            if now >= tcp.idle_at:
                tcp.idle_at = NEVER
                if not self._wanted(tcp):
                    self._end_tcp(tcp, "")
        if now >= self._close_at:
            for relay in self.relays:
                relay.client.abort(now)
                self._remove_relay(relay)
            self._finish(now)

    def _wanted(self, tcp: TcpPath) -> bool:
        """Whether a candidate pair keeps its path."""
        return self._paths.pins(tcp.path) > tcp.own_pins

    def next_timeout(self) -> Instant:
        if self._ready:
            return self._now
        at = self._close_at
        for server in self._servers:
            if server.name_id is not None:
                at = min(at, server.name_deadline)
            at = min(at, server.retry_at)
            if server.pending and server.patience > -NEVER:
                at = min(at, server.patience)
            for relay in server.relays:
                at = min(at, relay.client.next_timeout())
        for tcp in self._tcp_paths():
            at = min(at, tcp.idle_at)
        return at

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[Transmit]:
        """What the clients have to say, and datagrams that waited for a permission or a stream."""
        now = self._advance(now)
        out = self._ready[:limit]
        del self._ready[:limit]
        for relay in self.relays:
            if len(out) < limit and relay.client.next_timeout() <= now:
                out += relay.client.poll_transmits(now, limit - len(out))
        return out

    def _finish(self, now: Instant) -> None:
        if not self.closed and not self.relays:
            self.closed = True
            self._close_at = NEVER
            for number in list(self._streams):
                self._emit(CloseStream(number))
            self._streams.clear()
            self._emit(CarriersClosed())


def _is_loopback(host: str) -> bool:
    return host == "::1" or host.startswith("127.")


def _stream_hint(server: Server, reason: str) -> str:
    if "certificate" in reason:
        return "the server's certificate must be valid for the name in the URL; use that name, or trust its issuer"
    return "wrong address or port, a firewall, or a server that does not listen there"
