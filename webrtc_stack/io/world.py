"""What a machine wishes for, granted: its sockets, streams and names. The other half of the driver.

`grant` takes an event: if it is a wish of `base.wishes` it is done here and answered by a command of the machine.
Sockets are opened on what the address policy allows; one that cannot be had is traced, counted and passed over, so a
dead interface delays nothing. Streams are in `flows`. A machine that has ended meanwhile refuses the answer, which is
nobody's error.

Addresses are watched from the first gathering on: what comes and goes is told by `add_local`, `add_listener` and
`remove_local`, and the streams of an address that went by `stream_closed`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from ..base import (
    Address,
    CloseStream,
    Datagram,
    Drops,
    GatherAddresses,
    Instant,
    Machine,
    OpenStream,
    PathTable,
    PublishName,
    ResolveName,
    SocketId,
    Transmit,
    WithdrawName,
)
from ..errors import InvalidArgumentError, UsageError
from ..trace import Trace
from .flows import Flows
from .interfaces import AddressPolicy, select_addresses
from .runtime import Cancellable, Listener, LocalAddress, ReceivedLike, Runtime, UdpSocket

_Opened = TypeVar("_Opened")


class Core(Machine[Datagram, Transmit, Any], Protocol):
    """What a driver drives: a machine over paths that answers to the wishes of `base`.

    One that wishes for streams or listeners has `stream_opened` and its siblings beside these.
    """

    @property
    def paths(self) -> PathTable: ...

    def add_local(self, address: Address, socket_id: SocketId, now: Instant) -> None: ...

    def remove_local(self, socket_id: SocketId, now: Instant) -> None: ...

    def locals_complete(self, now: Instant) -> None: ...

    def name_resolved(self, id: int, hosts: Sequence[str], now: Instant, /) -> None: ...


class World:
    """The sockets, streams and open questions of one driver."""

    def __init__(
        self,
        core: Core,
        runtime: Runtime,
        *,
        policy: AddressPolicy,
        port_range: tuple[int, int] | None,
        dscp: int | None,
        watch: bool,
        on_burst: Callable[[SocketId, Sequence[ReceivedLike]], None],
        on_writable: Callable[[SocketId], None],
        on_gone: Callable[[SocketId], None],
        on_answer: Callable[[], None],
        now: Callable[[], Instant],
        trace: Trace,
    ) -> None:
        if port_range is not None and not 1 <= port_range[0] <= port_range[1] <= 65535:
            raise InvalidArgumentError(f"port_range is (low, high) within 1 to 65535, got {port_range}")
        self.sockets: dict[SocketId, UdpSocket] = {}
        self.errors = Drops()
        self.now = now
        self._core = core
        self._runtime = runtime
        self._policy = policy
        self._port_range = port_range
        self._dscp = dscp
        self._watch = watch
        self._on_burst = on_burst
        self._on_writable = on_writable
        self._on_gone = on_gone
        self._on_answer = on_answer
        self._trace = trace
        self._locals: dict[LocalAddress, SocketId] = {}
        self._listening: dict[LocalAddress, SocketId] = {}
        self._listeners: dict[SocketId, Listener] = {}
        self._present: set[str] = set()
        """Hosts that this machine had when it was last asked, whether the policy allows them or not."""
        self._tcp = False
        self._last_socket = 0
        self._watching: Cancellable | None = None
        self._resolving: dict[int, Cancellable] = {}
        self._published: dict[str, Cancellable] = {}
        self._closed = False
        self.flows = Flows(
            self, runtime, on_burst=on_burst, on_writable=on_writable, on_gone=on_gone, on_answer=on_answer
        )

    @property
    def paths(self) -> PathTable:
        return self._core.paths

    def grant(self, event: object, now: Instant) -> bool:
        """Does what `event` wishes. False if it is not a wish."""
        match event:
            case GatherAddresses():
                self._tcp = self._tcp or event.tcp
                self.gather(now)
            case ResolveName():
                self._resolve(event)
            case OpenStream():
                self.flows.open(event, now)
            case CloseStream():
                self.flows.close_stream(event)
            case PublishName():
                self._publish(event)
            case WithdrawName():
                self._withdraw(event.name)
            case _:
                return False
        return True

    # --- addresses --------------------------------------------------------------------------------------------------

    def gather(self, now: Instant) -> None:
        """Opens what is missing, closes what has gone; sockets on addresses that stayed are not touched."""
        if self._watch and self._watching is None:
            self._watching = self._runtime.watch_addresses(self._on_change)
        found = self._runtime.local_addresses()
        wanted = select_addresses(found, self._policy)
        self._let_go(wanted, now)
        present = {host for _, host, _ in found}
        self.flows.addresses_gone(self._present - present)
        self._present = present
        for local in wanted:
            if local not in self._locals:
                self._add_socket(local, now)
            if self._tcp and local not in self._listening:
                self._add_listener(local, now)
        self.tell("locals_complete", now)

    def _on_change(self) -> None:
        if not self._closed:
            self.gather(self.now())
            self._on_answer()

    def _let_go(self, wanted: Sequence[LocalAddress], now: Instant) -> None:
        for local in [local for local in self._listening if local not in wanted]:
            socket_id = self._listening.pop(local)
            self._listeners.pop(socket_id).close()
            self.tell("remove_local", socket_id, now)
        for local in [local for local in self._locals if local not in wanted]:
            socket_id = self._locals.pop(local)
            self.sockets.pop(socket_id).close()
            self._on_gone(socket_id)
            self.tell("remove_local", socket_id, now)

    def _add_socket(self, local: LocalAddress, now: Instant) -> None:
        socket_id = self.new_socket_id()

        def bind(port: int) -> UdpSocket:
            return self._runtime.open_udp(
                local,
                port=port,
                dscp=self._dscp,
                on_burst=partial(self._on_burst, socket_id),
                on_writable=partial(self._on_writable, socket_id),
            )

        socket = self._bind(local, bind, "udp")
        if socket is None:
            self._last_socket -= 1
            return
        self._locals[local] = socket_id
        self.sockets[socket_id] = socket
        self.tell("add_local", socket.address, socket_id, now)

    def _add_listener(self, local: LocalAddress, now: Instant) -> None:
        socket_id = self.new_socket_id()

        def bind(port: int) -> Listener:
            return self._runtime.listen(local, port=port, on_accept=partial(self.flows.accept, socket_id))

        listener = self._bind(local, bind, "tcp")
        if listener is None:
            self._last_socket -= 1
            return
        self._listening[local] = socket_id
        self._listeners[socket_id] = listener
        self.tell("add_listener", listener.address, socket_id, now)

    def new_socket_id(self) -> SocketId:
        self._last_socket += 1
        return SocketId(self._last_socket)

    def _bind(self, local: LocalAddress, bind: Callable[[int], _Opened], transport: str) -> _Opened | None:
        low, high = self._port_range or (0, 0)
        reason = ""
        for port in range(low, high + 1):
            try:
                return bind(port)
            except OSError as error:
                reason = errno.errorcode.get(error.errno or 0, "other error")
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    break  # not this port but the address: its interface went away, say
        self.errors.add(reason)
        if self._trace:
            self._trace.event(self.now(), "socket_refused", local=local.host, transport=transport, error=reason)
        return None

    # --- names ------------------------------------------------------------------------------------------------------

    def _resolve(self, wish: ResolveName) -> None:
        def resolved(hosts: Sequence[str]) -> None:
            if self._resolving.pop(wish.id, None) is not None:
                self.tell("name_resolved", wish.id, list(hosts), self.now())
                self._on_answer()

        self._resolving[wish.id] = self._runtime.resolve(wish.name, resolved)

    def _publish(self, wish: PublishName) -> None:
        self._withdraw(wish.name)
        try:
            self._published[wish.name] = self._runtime.publish(wish.name, wish.host)
        except UsageError as error:
            self.errors.add("name not published")
            if self._trace:
                self._trace.event(self.now(), "publish_refused", refused=wish.name, error=str(error))

    def _withdraw(self, name: str) -> None:
        published = self._published.pop(name, None)
        if published is not None:
            published.cancel()

    # --- answers and the end ----------------------------------------------------------------------------------------

    def tell(self, command: str, *arguments: Any) -> bool:
        """Tells the machine. False if it would not hear it, because it has ended."""
        try:
            getattr(self._core, command)(*arguments)
        except UsageError as error:
            if self._trace:
                self._trace.event(self.now(), "answer_refused", command=command, error=str(error))
            return False
        return True

    def close(self) -> None:
        """Closes every socket, listener and stream, withdraws every name, forgets every question. Idempotent."""
        self._closed = True
        handles = [*self._resolving.values(), *self._published.values()]
        if self._watching is not None:
            handles.append(self._watching)
            self._watching = None
        self._resolving.clear()
        self._published.clear()
        for handle in handles:
            handle.cancel()
        self.flows.close()
        closing: list[UdpSocket | Listener] = [*self._listeners.values(), *self.sockets.values()]
        self._listeners.clear()
        self._listening.clear()
        self.sockets.clear()
        self._locals.clear()
        for socket in closing:
            socket.close()
