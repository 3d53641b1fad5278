"""One machine on real sockets for as long as a question takes: the driver of `doctor --connect`.

It asks for nothing but a `Runtime`, so tests run it on the virtual network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from ..base import NEVER, Address, Datagram, Instant, PathId, PathTable, SocketId, Transmit
from ..io import Cancellable, LocalAddress, Outgoing, ReceivedLike, Runtime, Stream, UdpSocket
from ..stun import BehaviourConfig, BehaviourDiscovered, BehaviourDiscovery, NatReport
from ..turn import Framer

_TURN_LIMIT = 32


class PathMachine(Protocol):
    """What can be driven here."""

    def receive_many(self, burst: Sequence[Datagram], now: Instant) -> None: ...
    def handle_timeout(self, now: Instant) -> None: ...
    def poll_transmits(self, now: Instant, limit: int = 64) -> Sequence[Transmit]: ...
    def poll_events(self) -> Sequence[Any]: ...
    def next_timeout(self) -> Instant: ...


class Probe:
    """Drives one machine. `async with`: its sockets end with it."""

    def __init__(self, runtime: Runtime, paths: PathTable) -> None:
        self.runtime = runtime
        self.paths = paths
        self.events: list[Any] = []
        self.closed_because: str | None = None
        """Why the stream ended, once it has."""
        self._machine: PathMachine | None = None
        self._sockets: dict[SocketId, UdpSocket] = {}
        self._streams: dict[SocketId, Stream] = {}
        self._framers: dict[SocketId, Framer] = {}
        self._last = 0
        self._timer: Cancellable | None = None
        self._changed = asyncio.Event()
        self._closed = False

    async def __aenter__(self) -> Probe:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    # --- sockets ----------------------------------------------------------------------------------------------------

    def open_udp(self, host: str) -> tuple[SocketId, Address]:
        """Errors: `OSError`."""
        self._last += 1
        socket_id = SocketId(self._last)
        socket = self.runtime.open_udp(
            LocalAddress("", host), on_burst=partial(self._on_burst, socket_id), on_writable=lambda: None
        )
        self._sockets[socket_id] = socket
        return socket_id, socket.address

    async def open_stream(self, remote: Address, protocol: str, server_name: str | None) -> PathId | str:
        """Returns: the path, or in words why there is none."""
        answer: asyncio.Future[Stream | str] = asyncio.get_running_loop().create_future()

        def on_result(result: Stream | str) -> None:
            if not answer.done():
                answer.set_result(result)
            elif not isinstance(result, str):
                result.close()

        waiting = self.runtime.open_stream(remote, protocol=protocol, server_name=server_name, on_result=on_result)
        try:
            stream = await answer
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if isinstance(stream, str):
            return stream
        self._last += 1
        socket_id = SocketId(self._last)
        self._streams[socket_id] = stream
        self._framers[socket_id] = Framer()
        path = self.paths.intern(socket_id, remote)
        stream.start(
            on_bytes=partial(self._on_bytes, socket_id, path), on_writable=lambda: None, on_closed=self._on_closed
        )
        return path

    def _on_burst(self, socket_id: SocketId, burst: Sequence[ReceivedLike]) -> None:
        self._take([Datagram(self.paths.intern(socket_id, remote), data, ecn) for remote, data, ecn in burst])

    def _on_bytes(self, socket_id: SocketId, path: PathId, data: bytes) -> None:
        self._take([Datagram(path, frame) for frame in self._framers[socket_id].receive(data)])

    def _on_closed(self, reason: str) -> None:
        self.closed_because = reason
        self._changed.set()

    def _take(self, datagrams: list[Datagram]) -> None:
        if self._machine is not None and not self._closed:
            self._machine.receive_many(datagrams, self.runtime.time())
            self.turn()

    # --- turns ------------------------------------------------------------------------------------------------------

    def drive(self, machine: PathMachine) -> None:
        """Begins to carry for this machine."""
        self._machine = machine
        self.turn()

    def turn(self) -> None:
        """Carries what the machine has; call it after a command."""
        machine = self._machine
        if machine is None or self._closed:
            return
        for _ in range(_TURN_LIMIT):
            now = self.runtime.time()
            if machine.next_timeout() <= now:
                machine.handle_timeout(now)
            transmits, events = machine.poll_transmits(now), machine.poll_events()
            for transmit in transmits:
                self._send(transmit)
            self.events += events
            if events:
                self._changed.set()
            if not transmits and not events:
                break
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = machine.next_timeout()
        if due < NEVER:
            self._timer = self.runtime.call_at(due, self.turn)

    def _send(self, transmit: Transmit) -> None:
        path = self.paths.lookup(transmit.path)
        if path is None:
            return
        if path.socket in self._sockets:
            self._sockets[path.socket].send_burst([Outgoing(path.remote, transmit.data, transmit.ecn)])
        elif path.socket in self._streams:
            self._streams[path.socket].write(transmit.data)

    async def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Waits until `condition()` holds after an event. Returns whether it came to."""
        until = self.runtime.time() + timeout
        while not condition():
            left = until - self.runtime.time()
            if left <= 0 or self.closed_because is not None:
                return condition()
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                return condition()
        return True

    def found(self, kind: type) -> list[Any]:
        """The events of this kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for socket in self._sockets.values():
            socket.close()
        for stream in self._streams.values():
            stream.close()
        self._sockets.clear()
        self._streams.clear()


async def resolve(runtime: Runtime, name: str) -> Sequence[str]:
    """The IP literals of a name; empty when it has none."""
    answer: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
    waiting = runtime.resolve(name, lambda hosts: None if answer.done() else answer.set_result(hosts))
    try:
        return await answer
    except asyncio.CancelledError:
        waiting.cancel()
        raise


async def discover_behaviour(
    runtime: Runtime, server: Address, local: str, *, lifetime_limit: float = 0.0, timeout: float = 12.0
) -> NatReport:
    """Asks a server by RFC 5780 from this local address. Errors: `OSError` when nothing can be bound there."""
    paths = PathTable()
    async with Probe(runtime, paths) as probe:
        socket_id, address = probe.open_udp(local)
        second, _ = probe.open_udp(local)
        machine = BehaviourDiscovery(
            BehaviourConfig(
                server=server,
                socket=socket_id,
                second_socket=second,
                local=address,
                paths=paths,
                lifetime_limit=lifetime_limit,
                timeout=timeout,
                entropy=runtime.entropy,
            )
        )
        machine.start(runtime.time())
        probe.drive(machine)
        await probe.wait(lambda: bool(probe.found(BehaviourDiscovered)), timeout + 40 * lifetime_limit + 1)
        machine.close(runtime.time())
        return machine.report
