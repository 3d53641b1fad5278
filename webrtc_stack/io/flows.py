"""The streams of one driver: opened because the machine wished for them, or accepted by its listeners.

Each is a path like any other. A stream that was opened has a socket id of its own; an accepted one has the path
(listener, remote), and an id below zero by which the machine closes it. Both have a `key` from the socket ids, by
which the driver remembers that they take no more.

Invariants: the path of a live stream is pinned, so that its number stays good; the machine hears of the end of a stream
once, and not at all if it was its own wish.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, Protocol

from ..base import Address, CloseStream, Drops, Instant, OpenStream, PathId, PathTable, SocketId
from .runtime import Cancellable, Received, ReceivedLike, Runtime, Stream

MAX_ACCEPTED: Final = 64
"""Accepted streams that a driver has at once: a peer's candidates make a few, anybody may connect."""


class Flow:
    """One live stream."""

    __slots__ = ("id", "key", "path", "remote", "socket", "stream")

    def __init__(self, id: int, path: PathId, socket: SocketId, remote: Address, key: SocketId, stream: Stream) -> None:
        self.id = id
        self.path = path
        self.socket = socket
        self.remote = remote
        self.key = key
        self.stream = stream


class World(Protocol):
    """What the streams need of the world they are in."""

    errors: Drops

    @property
    def paths(self) -> PathTable: ...

    def new_socket_id(self) -> SocketId: ...

    def tell(self, command: str, *arguments: Any) -> bool: ...

    def now(self) -> Instant: ...


class Flows:
    """Grants `OpenStream` and `CloseStream`, and takes what listeners accept."""

    def __init__(
        self,
        world: World,
        runtime: Runtime,
        *,
        on_burst: Callable[[SocketId, Sequence[ReceivedLike]], None],
        on_writable: Callable[[SocketId], None],
        on_gone: Callable[[SocketId], None],
        on_answer: Callable[[], None],
    ) -> None:
        self.by_path: dict[PathId, Flow] = {}
        self._world = world
        self._runtime = runtime
        self._on_burst = on_burst
        self._on_writable = on_writable
        self._on_gone = on_gone
        self._on_answer = on_answer
        self._by_id: dict[int, Flow] = {}
        self._opening: dict[int, tuple[OpenStream, Cancellable]] = {}
        self._accepted = 0
        self._last_accepted = 0

    # --- wishes -----------------------------------------------------------------------------------------------------

    def open(self, wish: OpenStream, now: Instant) -> None:
        if wish.id in self._opening or wish.id in self._by_id:
            self._world.tell("stream_failed", wish.id, f"stream {wish.id} is open already", now)
            return

        def result(stream: Stream | str) -> None:
            if self._opening.pop(wish.id, None) is None:
                if not isinstance(stream, str):
                    stream.close()
                return
            now = self._world.now()
            if isinstance(stream, str):
                self._world.errors.add(f"stream: {stream}")
                self._world.tell("stream_failed", wish.id, stream, now)
            else:
                socket = self._world.new_socket_id()
                flow = self._begin(wish.id, socket, socket, wish.remote, stream)
                self._introduce(flow, "stream_opened", wish.id, flow.path, stream.local, now)
            self._on_answer()

        self._opening[wish.id] = (
            wish,
            self._runtime.open_stream(
                wish.remote,
                protocol=wish.protocol,
                server_name=wish.server_name,
                local=wish.local,
                on_result=result,
            ),
        )

    def accept(self, listener: SocketId, stream: Stream) -> None:
        remote = stream.remote
        known = self.by_path.get(self._world.paths.intern(listener, remote))
        if known is not None:  # the same remote port again: the stream before is gone, and we only have not heard
            self._lost(known, "replaced by a new connection")
        if self._accepted >= MAX_ACCEPTED:
            self._world.errors.add("too many streams")
            stream.close()
            return
        self._accepted += 1
        self._last_accepted -= 1
        flow = self._begin(self._last_accepted, listener, self._world.new_socket_id(), remote, stream)
        self._introduce(flow, "stream_accepted", flow.id, flow.path, self._world.now())
        self._on_answer()

    def close_stream(self, wish: CloseStream) -> None:
        opening = self._opening.pop(wish.id, None)
        if opening is not None:
            opening[1].cancel()
        flow = self._by_id.get(wish.id)
        if flow is not None:
            self._end(flow)
            flow.stream.close()

    # --- their life -------------------------------------------------------------------------------------------------

    def _begin(self, id: int, socket: SocketId, key: SocketId, remote: Address, stream: Stream) -> Flow:
        paths = self._world.paths
        path = paths.intern(socket, remote)
        paths.pin(path)
        flow = self.by_path[path] = self._by_id[id] = Flow(id, path, socket, remote, key, stream)
        stream.start(
            on_bytes=partial(self._on_bytes, flow),
            on_writable=partial(self._on_writable, flow.key),
            on_closed=partial(self._on_closed, flow),
        )
        return flow

    def _introduce(self, flow: Flow, command: str, *arguments: Any) -> None:
        if not self._world.tell(command, *arguments) and flow.id in self._by_id:
            self._end(flow)
            flow.stream.close()

    def _on_bytes(self, flow: Flow, data: bytes) -> None:
        self._on_burst(flow.socket, (Received(flow.remote, data),))

    def _on_closed(self, flow: Flow, reason: str) -> None:
        if self._by_id.get(flow.id) is flow:
            self._end(flow)
            self._world.tell("stream_closed", flow.id, reason, self._world.now())
            self._on_answer()

    def _lost(self, flow: Flow, reason: str) -> None:
        self._end(flow)
        flow.stream.close()
        self._world.tell("stream_closed", flow.id, reason, self._world.now())

    def _end(self, flow: Flow) -> None:
        del self._by_id[flow.id]
        del self.by_path[flow.path]
        self._accepted -= flow.id < 0
        self._world.paths.unpin(flow.path)
        self._on_gone(flow.key)

    # --- changes of the network and the end -------------------------------------------------------------------------

    def addresses_gone(self, hosts: Collection[str]) -> None:
        """These local addresses are no more: the system would let their streams hang for minutes."""
        now = self._world.now()
        for wish, connecting in [both for both in self._opening.values() if both[0].local in hosts]:
            del self._opening[wish.id]
            connecting.cancel()
            self._world.tell("stream_failed", wish.id, f"the address {wish.local} has gone", now)
        for flow in [flow for flow in self._by_id.values() if flow.stream.local.host in hosts]:
            self._lost(flow, f"the address {flow.stream.local.host} has gone")

    def close(self) -> None:
        """Closes every stream, and those that are being opened. Idempotent."""
        opening, flows = list(self._opening.values()), list(self._by_id.values())
        self._opening.clear()
        self._by_id.clear()
        self.by_path.clear()
        for _, connecting in opening:
            connecting.cancel()
        for flow in flows:
            self._world.paths.unpin(flow.path)
            flow.stream.close()
