"""The driver: carries one machine's wishes to a runtime, and what the world does to the machine.

One turn: a burst comes in -> its paths are interned -> `receive_many` -> then, until nothing is left or the turn's
share is used up: `poll_transmits` -> `send_burst` a socket, one `write` a stream, `poll_events` -> wishes are granted
here, the rest is handed up as one list -> one timer is armed. It knows no event loop: a `Runtime` does, real or
simulated.

Invariants:

* Nothing is re-entrant: after `on_events` a turn always goes round once more, so `wake` and `flush` from inside it
  have nothing to do.
* No task is starved: a turn moves at most `TURN_DATAGRAMS`, then the loop has its say.
* Polling is for the machine as a whole, so it pauses while any socket or stream takes no more: pressure from the
  kernel reaches the machine. For at most `STALL_LIMIT`: a dead interface must not silence the live ones; after that its
  socket keeps what it may and loses the rest, like any bad link; a stream, which cannot lose, keeps up to its bound
  and is aborted above it. A stream that does not move is waited for once, until it moves again.
* A machine whose timer is always due, without anything coming of it, is reported and slowed down, not obeyed.
* After `close` nothing is called, neither here nor in the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ..base import (
    NEVER,
    Address,
    Datagram,
    Instant,
    PathId,
    SocketId,
    Transmit,
)
from ..trace import NO_TRACE, Trace
from .flows import Flow
from .interfaces import AddressPolicy
from .runtime import Cancellable, Outgoing, ReceivedLike, Runtime, UdpSocket
from .world import Core, World

TURN_DATAGRAMS: Final = 256
"""Datagrams sent in one turn: some milliseconds of a pure Python stack."""
POLL_LIMIT: Final = 64
"""Datagrams a poll: one segmented batch, on its way before the next is built."""
STALL_LIMIT: Final = 0.1
"""Seconds that one unwritable socket may hold the machine up: above any queue worth having, below a timeout."""
SPIN_LIMIT: Final = 64
"""Turns in a row that are due at once and bring nothing."""
SAME_INSTANT_LIMIT: Final = 1024
"""Turns in a row that are due at once and see no time pass: only under a virtual clock, which they would stop."""
SPIN_DELAY: Final = 0.01
"""Seconds of rest that a spinning machine is given."""

# Tuples made without a Python-level call each: these are plain NamedTuples.
_datagram: Callable[[tuple[PathId, bytes, int]], Datagram] = partial(tuple.__new__, Datagram)
_outgoing: Callable[[tuple[Address, bytes, int]], Outgoing] = partial(tuple.__new__, Outgoing)


@dataclass(slots=True)
class DriverCounters:
    turns: int = 0
    yields: int = 0
    """Turns that ended because their share was used up."""
    stalls: int = 0
    """Sockets given up on waiting for."""
    spins: int = 0
    no_path: int = 0
    """Datagrams whose path or socket was gone."""


class Driver:
    """Drives `core` on `runtime`. Call `wake()` (or `flush()`) after commands to the core; `close()` at the end."""

    def __init__(
        self,
        core: Core,
        runtime: Runtime,
        *,
        on_events: Callable[[list[Any]], None],
        policy: AddressPolicy | None = None,
        port_range: tuple[int, int] | None = None,
        dscp: int | None = None,
        watch: bool = True,
        trace: Trace = NO_TRACE,
    ) -> None:
        """`port_range` is for UDP and TCP, `dscp` marks what UDP sends; with `watch` a change of the machine's
        addresses gathers anew, once the core has wished to gather at all.

        Errors: `InvalidArgumentError` for a port range that is none.
        """
        self.core = core
        self.runtime = runtime
        self.counters = DriverCounters()
        self._trace = trace.bind(room="io")
        self._on_events = on_events
        self._world = World(
            core,
            runtime,
            policy=policy or AddressPolicy(),
            port_range=port_range,
            dscp=dscp,
            watch=watch,
            on_burst=self._on_burst,
            on_writable=self._on_writable,
            on_gone=self._forget,
            on_answer=self._turn,
            now=self._now,
            trace=self._trace,
        )
        self.sockets: dict[SocketId, UdpSocket] = self._world.sockets
        self.streams: dict[PathId, Flow] = self._world.flows.by_path
        self.errors = self._world.errors
        """Sockets that could not be opened, by the name of the system's error; streams, by the reason in words."""
        self._unwritable: dict[SocketId, Instant] = {}
        self._soon: Cancellable | None = None
        self._timer: Cancellable | None = None
        self._timer_at: Instant = NEVER
        self._floor: Instant = 0.0
        self._last: Instant = -1.0
        self._fruitless = self._same_instant = 0
        self._running = self._closed = False

    # --- for the owner ----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Asks for a turn soon; any number of calls bring one."""
        if self._soon is None and not self._running and not self._closed:
            self._soon = self.runtime.call_soon(self._on_soon)

    def flush(self) -> None:
        """Runs a turn now; from inside `on_events` nothing, because the running turn goes round once more anyway."""
        self._turn()

    def gather(self) -> None:
        """Looks at the interfaces and opens what is missing, as the wish `GatherAddresses` does: after a change of
        the network. Sockets that are open stay, those whose address has gone are reported and closed."""
        if not self._closed:
            self._world.gather(self._now())
            self.wake()

    def close(self) -> None:
        """Closes sockets, timers and resolutions, at once. Idempotent; the core's farewell must be flushed before."""
        self._closed = True
        for handle in (self._soon, self._timer):
            if handle is not None:
                handle.cancel()
        self._soon = self._timer = None
        self._world.close()

    # --- turns ------------------------------------------------------------------------------------------------------

    def _now(self) -> Instant:
        # A timer may fire a little early by the loop's clock; for the machine its time has come.
        return max(self.runtime.time(), self._floor)

    def _on_soon(self) -> None:
        self._soon = None
        self._turn()

    def _on_timer(self) -> None:
        self._floor = max(self._floor, self._timer_at)
        self._timer, self._timer_at = None, NEVER
        self._turn(timer_fired=True)

    def _on_burst(self, socket_id: SocketId, burst: Sequence[ReceivedLike]) -> None:
        if self._closed:
            return
        intern = self.core.paths.intern
        last: Address | None = None
        path = PathId(0)
        datagrams: list[Datagram] = []
        for remote, data, ecn in burst:
            if remote is not last:
                last, path = remote, intern(socket_id, remote)
            datagrams.append(_datagram((path, data, ecn)))
        self.core.receive_many(datagrams, self._now())
        self._turn()

    def _on_writable(self, socket_id: SocketId) -> None:
        self._unwritable.pop(socket_id, None)
        self._turn()

    def _forget(self, socket_id: SocketId) -> None:
        self._unwritable.pop(socket_id, None)

    def _turn(self, *, timer_fired: bool = False) -> None:
        """Lets the machine work until it has nothing to send, to say or to do now.

        Asking a whole stack what it waits for is dear, so it is asked after its work, not before: a deadline that has
        passed without a timer having fired is found there, and dealt with in one more round.
        """
        if self._running or self._closed:
            return
        core = self.core
        self.counters.turns += 1
        left = TURN_DATAGRAMS
        fruitful, now = False, self._now()
        due, asked = timer_fired and core.next_timeout() <= now, timer_fired
        self._running = True
        try:
            while left > 0:
                now = self._now()
                if due:
                    core.handle_timeout(now)
                sent = 0 if self._paused(now) else self._send(core.poll_transmits(now, min(left, POLL_LIMIT)))
                left -= sent or 1
                events = core.poll_events()
                if sent or events:
                    fruitful = True
                elif asked:
                    break
                while events:
                    if not self._hand_up(events, now):
                        return
                    left -= 1
                    events = core.poll_events() if left > 0 else ()
                due, asked = core.next_timeout() <= now, True
                if not due:
                    break
        finally:
            self._running = False
            if not self._closed:
                self._rearm(now, used_up=left <= 0, fruitful=fruitful)

    def _rearm(self, now: Instant, *, used_up: bool, fruitful: bool) -> None:
        due = self.core.next_timeout()
        paused = self._paused(now)
        if paused:
            release = min(release for release in self._unwritable.values() if release > now)
            due = release if due <= now else min(due, release)
        if due > now and not used_up:
            self._fruitless = self._same_instant = 0
            if due < self._timer_at:  # an earlier timer stays: one empty turn costs less than a timer a datagram
                if self._timer is not None:
                    self._timer.cancel()
                self._timer_at, self._timer = due, self.runtime.call_at(due, self._on_timer)
            return
        self._fruitless = 0 if fruitful else self._fruitless + 1
        self._same_instant = self._same_instant + 1 if now == self._last else 0
        self._last = now
        if self._fruitless < SPIN_LIMIT and self._same_instant < SAME_INSTANT_LIMIT:
            self.counters.yields += used_up
            if self._soon is None:
                self._soon = self.runtime.call_soon(self._on_soon)
            return
        if self._trace and self.counters.spins == 0:
            self._trace.event(now, "machine_spinning", due=due, machine=type(self.core).__name__)
        self.counters.spins += 1
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = now + SPIN_DELAY
        self._timer = self.runtime.call_at(self._timer_at, self._on_timer)

    def _paused(self, now: Instant) -> bool:
        """True while a socket that takes no more is worth waiting for."""
        paused = False
        for socket_id, release in self._unwritable.items():
            if now < release:
                paused = True
            elif release != -NEVER:
                self._unwritable[socket_id] = -NEVER  # waited for long enough; it may come back by itself
                self.counters.stalls += 1
                if self._trace:
                    self._trace.event(now, "socket_stalled", socket=socket_id)
        return paused

    def _send(self, transmits: Sequence[Transmit]) -> int:
        lookup, sockets = self.core.paths.lookup, self.sockets
        bursts: dict[SocketId, list[Outgoing]] = {}
        chunks: dict[PathId, list[bytes]] = {}
        last: PathId | None = None
        burst: list[Outgoing] | None = None
        for path_id, data, ecn in transmits:
            if path_id != last:
                last, burst = path_id, None
                path = lookup(path_id)
                if path is not None and path.socket in sockets:
                    remote, burst = path.remote, bursts.setdefault(path.socket, [])
            if burst is not None:
                burst.append(_outgoing((remote, data, ecn)))
            elif path_id in self.streams:
                chunks.setdefault(path_id, []).append(data)
            else:
                self.counters.no_path += 1
        for socket_id, burst in bursts.items():
            socket = sockets[socket_id]
            socket.send_burst(burst)
            if not socket.writable:
                self._unwritable.setdefault(socket_id, self._now() + STALL_LIMIT)
        if chunks:
            self._write(chunks)
        return len(transmits)

    def _write(self, chunks: dict[PathId, list[bytes]]) -> None:
        for path_id, pieces in chunks.items():
            flow = self.streams[path_id]
            flow.stream.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if not flow.stream.writable:
                self._unwritable.setdefault(flow.key, self._now() + STALL_LIMIT)

    def _hand_up(self, events: Sequence[Any], now: Instant) -> bool:
        """Grants the wishes and hands up the rest. False when that closed the driver."""
        others = [event for event in events if not self._world.grant(event, now)]
        if others:
            self._on_events(others)
        return not self._closed
