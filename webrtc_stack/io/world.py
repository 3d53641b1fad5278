"""What a machine wishes for, granted: its sockets and its names. The other half of the driver.

`grant` takes an event: if it is a wish of `base.wishes` it is done here and answered by a command of the machine.
Sockets are opened on what the address policy allows; one that cannot be had is traced, counted and passed over, so a
dead interface delays nothing. A machine that has ended meanwhile refuses the answer, which is nobody's error.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

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
    ResolveName,
    SocketId,
    Transmit,
)
from ..errors import InvalidArgumentError, UsageError
from ..trace import Trace
from .interfaces import AddressPolicy, select_addresses
from .runtime import Cancellable, LocalAddress, ReceivedLike, Runtime, UdpSocket


class Core(Machine[Datagram, Transmit, Any], Protocol):
    """What a driver drives: a machine over paths that answers to the wishes of `base`.

    One that wishes for streams has `stream_failed` and its siblings beside these.
    """

    @property
    def paths(self) -> PathTable: ...

    def add_local(self, address: Address, socket_id: SocketId, now: Instant) -> None: ...

    def remove_local(self, socket_id: SocketId, now: Instant) -> None: ...

    def locals_complete(self, now: Instant) -> None: ...

    def name_resolved(self, id: int, hosts: Sequence[str], now: Instant, /) -> None: ...


class World:
    """The sockets and open questions of one driver."""

    def __init__(
        self,
        core: Core,
        runtime: Runtime,
        *,
        policy: AddressPolicy,
        port_range: tuple[int, int] | None,
        on_burst: Callable[[SocketId, Sequence[ReceivedLike]], None],
        on_writable: Callable[[SocketId], None],
        on_answer: Callable[[], None],
        now: Callable[[], Instant],
        trace: Trace,
    ) -> None:
        if port_range is not None and not 1 <= port_range[0] <= port_range[1] <= 65535:
            raise InvalidArgumentError(f"port_range is (low, high) within 1 to 65535, got {port_range}")
        self.sockets: dict[SocketId, UdpSocket] = {}
        self.errors = Drops()
        self._core = core
        self._runtime = runtime
        self._policy = policy
        self._port_range = port_range
        self._on_burst = on_burst
        self._on_writable = on_writable
        self._on_answer = on_answer
        self._now = now
        self._trace = trace
        self._locals: dict[LocalAddress, SocketId] = {}
        self._last_socket = 0
        self._resolving: dict[int, Cancellable] = {}

    def grant(self, event: object, now: Instant) -> bool:
        """Does what `event` wishes. False if it is not a wish."""
        match event:
            case GatherAddresses():
                self.gather(now)
            case ResolveName():
                self._resolve(event)
            case OpenStream():
                self._tell("stream_failed", event.id, "streams are not supported yet", now)
            case CloseStream():
                pass  # none was opened
            case _:
                return False
        return True

    def gather(self, now: Instant) -> None:
        """Opens what is missing, closes what has gone; sockets on addresses that stayed are not touched."""
        wanted = select_addresses(self._runtime.local_addresses(), self._policy)
        for local in [local for local in self._locals if local not in wanted]:
            socket_id = self._locals.pop(local)
            self.sockets.pop(socket_id).close()
            self._tell("remove_local", socket_id, now)
        for local in wanted:
            if local in self._locals:
                continue
            socket = self._open(local, SocketId(self._last_socket + 1))
            if socket is not None:
                self._last_socket += 1
                socket_id = self._locals[local] = SocketId(self._last_socket)
                self.sockets[socket_id] = socket
                self._tell("add_local", socket.address, socket_id, now)
        self._tell("locals_complete", now)

    def _open(self, local: LocalAddress, socket_id: SocketId) -> UdpSocket | None:
        low, high = self._port_range or (0, 0)
        reason = ""
        for port in range(low, high + 1):
            try:
                return self._runtime.open_udp(
                    local,
                    port=port,
                    on_burst=partial(self._on_burst, socket_id),
                    on_writable=partial(self._on_writable, socket_id),
                )
            except OSError as error:
                reason = errno.errorcode.get(error.errno or 0, "other error")
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    break  # not this port but the address: its interface went away, say
        self.errors.add(reason)
        if self._trace:
            self._trace.event(self._now(), "socket_refused", local=local.host, error=reason)
        return None

    def _resolve(self, wish: ResolveName) -> None:
        def resolved(hosts: Sequence[str]) -> None:
            if self._resolving.pop(wish.id, None) is not None:
                self._tell("name_resolved", wish.id, list(hosts), self._now())
                self._on_answer()

        self._resolving[wish.id] = self._runtime.resolve(wish.name, resolved)

    def _tell(self, command: str, *arguments: Any) -> None:
        try:
            getattr(self._core, command)(*arguments)
        except UsageError as error:
            if self._trace:
                self._trace.event(self._now(), "answer_refused", command=command, error=str(error))

    def close(self) -> None:
        """Closes every socket and forgets every question. Idempotent."""
        resolving = list(self._resolving.values())
        self._resolving.clear()
        for question in resolving:
            question.cancel()
        sockets = list(self.sockets.values())
        self.sockets.clear()
        self._locals.clear()
        for socket in sockets:
            socket.close()
