"""The driver of a `TurnServer`: its listening sockets, the relays it wishes for, one timer.

It knows no event loop: a `Runtime` does, real or simulated, so the server of the simulations is the one that runs.
Streams are brought by whoever has them (`streams`), by `add_stream` and `receive_frames`.

Invariants: nothing is re-entrant; after `close` nothing is called; a relay's socket lives exactly as long as the
machine wishes it to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ...base import NEVER, Address, Datagram, Instant, PathId, SocketId
from ...io import Cancellable, LocalAddress, LocalAddressLike, Outgoing, ReceivedLike, Runtime, UdpSocket
from ...stun import AlternateAddresses
from ...turn import CloseClient, CloseRelay, OpenRelay, ServerEvent, TurnServer, TurnServerConfig

_POLL_LIMIT = 256
_TURN_LIMIT = 16
"""Polls in one turn; then the event loop has its say."""


class ClientStream(Protocol):
    """A client's connection over TCP or TLS, framed."""

    def write(self, frames: Sequence[bytes]) -> None: ...

    def close(self) -> None: ...


class TurnService:
    """Runs one server. `relay_hosts` are bound for relays, `external_hosts` told to peers; by family, 4 and 6."""

    def __init__(
        self,
        config: TurnServerConfig,
        runtime: Runtime,
        *,
        relay_hosts: dict[int, str],
        external_hosts: dict[int, str] | None = None,
        on_event: Callable[[ServerEvent], None] = lambda event: None,
    ) -> None:
        self.server = TurnServer(config)
        self.runtime = runtime
        self._relay_hosts = relay_hosts
        self._external_hosts = external_hosts or {}
        self._on_event = on_event
        self._sockets: dict[SocketId, UdpSocket] = {}
        self._streams: dict[SocketId, ClientStream] = {}
        self._last_socket = 0
        self._timer: Cancellable | None = None
        self._timer_at: Instant = NEVER
        self._running = False
        self._closed = False

    # --- sockets ----------------------------------------------------------------------------------------------------

    def listen(self, local: LocalAddressLike, port: int = 0) -> Address:
        """Opens a UDP socket for clients. Errors: `OSError`."""
        return self._open(local, port)[1]

    def listen_discovery(self, hosts: tuple[str, str], ports: tuple[int, int]) -> AlternateAddresses:
        """Opens two addresses at two ports, for clients and for behaviour discovery (RFC 5780); a port 0 is drawn.

        Errors: `OSError`, `UsageError`.
        """
        chosen: list[int] = []
        opened: dict[Address, SocketId] = {}
        for port in ports:
            first_id, first = self._open(LocalAddress("", hosts[0]), port)
            second_id, second = self._open(LocalAddress("", hosts[1]), first.port)
            opened |= {first: first_id, second: second_id}
            chosen.append(first.port)
        alternates = AlternateAddresses(hosts=hosts, ports=(chosen[0], chosen[1]))
        self.server.serve_discovery(alternates, opened)
        return alternates

    def _open(self, local: LocalAddressLike, port: int) -> tuple[SocketId, Address]:
        socket_id = self._new_id()
        socket = self.runtime.open_udp(
            local, port=port, on_burst=partial(self._on_burst, socket_id), on_writable=lambda: None
        )
        self._sockets[socket_id] = socket
        return socket_id, socket.address

    def _new_id(self) -> SocketId:
        self._last_socket += 1
        return SocketId(self._last_socket)

    def add_stream(self, stream: ClientStream, remote: Address) -> PathId:
        """A client has connected. Returns: the path to name in `receive_frames` and `remove_stream`."""
        socket_id = self._new_id()
        path = self.server.paths.intern(socket_id, remote)
        self._streams[socket_id] = stream
        if self._closed:
            stream.close()
        else:
            self.server.stream_opened(path, self.runtime.time())
            self._turn()
        return path

    def receive_frames(self, path: PathId, frames: Sequence[bytes]) -> None:
        if not self._closed:
            self.server.receive_many([Datagram(path, data) for data in frames], self.runtime.time())
            self._turn()

    def remove_stream(self, path: PathId) -> None:
        """The connection is gone."""
        found = self.server.paths.lookup(path)
        if found is not None:
            self._streams.pop(found.socket, None)
        self.server.stream_closed(path, self.runtime.time())
        self._turn()

    # --- turns ------------------------------------------------------------------------------------------------------

    def _on_burst(self, socket_id: SocketId, burst: Sequence[ReceivedLike]) -> None:
        if self._closed:
            return
        intern = self.server.paths.intern
        last: Address | None = None
        path = PathId(0)
        datagrams = []
        for remote, data, ecn in burst:
            if remote is not last:
                last, path = remote, intern(socket_id, remote)
            datagrams.append(Datagram(path, data, ecn))
        self.server.receive_many(datagrams, self.runtime.time())
        self._turn()

    def _on_timer(self) -> None:
        # A timer may fire a little early by the loop's clock; then the next one is armed for what is left.
        self._timer, self._timer_at = None, NEVER
        self._turn()

    def _turn(self) -> None:
        if self._running or self._closed:
            return
        server = self.server
        self._running = True
        try:
            for _ in range(_TURN_LIMIT):
                now = self.runtime.time()
                if server.next_timeout() <= now:
                    server.handle_timeout(now)
                events = server.poll_events()
                for event in events:
                    self._grant(event)
                transmits = server.poll_transmits(now, _POLL_LIMIT)
                self._send(transmits)
                if not events and not transmits:
                    break
        finally:
            self._running = False
        self._rearm()

    def _rearm(self) -> None:
        due = self.server.next_timeout()
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at, self._timer = due, self.runtime.call_at(due, self._on_timer)

    def _grant(self, event: ServerEvent) -> None:
        match event:
            case OpenRelay(id, family, port):
                self._open_relay(id, family, port)
            case CloseRelay(socket_id):
                socket = self._sockets.pop(socket_id, None)
                if socket is not None:
                    socket.close()
            case CloseClient(path):
                found = self.server.paths.lookup(path)
                stream = None if found is None else self._streams.pop(found.socket, None)
                if stream is not None:
                    stream.close()
                self._on_event(event)
            case _:
                self._on_event(event)

    def _open_relay(self, id: int, family: int, port: int) -> None:
        host = self._relay_hosts.get(family)
        now = self.runtime.time()
        if host is None:
            self.server.relay_failed(id, f"no relay address for IPv{family}", now)
            return
        try:
            socket_id, address = self._open(LocalAddress("", host), port)
        except OSError as error:
            self.server.relay_failed(id, str(error), now)
            return
        self.server.relay_opened(id, Address(self._external_hosts.get(family, host), address.port), socket_id, now)

    def _send(self, transmits: Sequence[tuple[PathId, bytes, int]]) -> None:
        lookup = self.server.paths.lookup
        bursts: dict[SocketId, list[Outgoing]] = {}
        frames: dict[SocketId, list[bytes]] = {}
        for path_id, data, ecn in transmits:
            path = lookup(path_id)
            if path is None:
                continue
            if path.socket in self._sockets:
                bursts.setdefault(path.socket, []).append(Outgoing(path.remote, data, ecn))
            elif path.socket in self._streams:
                frames.setdefault(path.socket, []).append(data)
        for socket_id, burst in bursts.items():
            self._sockets[socket_id].send_burst(burst)
        for socket_id, data_frames in frames.items():
            self._streams[socket_id].write(data_frames)

    def close(self) -> None:
        """Ends the server and closes everything. Idempotent."""
        if self._closed:
            return
        self.server.close(self.runtime.time())
        for event in self.server.poll_events():
            self._grant(event)
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for socket in self._sockets.values():
            socket.close()
        for stream in list(self._streams.values()):
            stream.close()  # which may take it out of the table
        self._sockets.clear()
        self._streams.clear()
