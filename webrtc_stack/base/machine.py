"""The contract of every stateful layer: a sans-IO machine with explicit time.

The verbs, for everybody who drives one or writes one:

* `receive` / `receive_many` record facts from the floor below. They never raise, whatever the bytes.
* `handle_timeout` says that time has reached `now`.
* `poll_transmits` builds what is to be sent; only here are packets built, numbers assigned, their timers started.
* `poll_events` hands up what has happened, as past-tense values.
* `next_timeout` is the absolute instant of the next wish for `handle_timeout`; `NEVER` when idle. While work is
  pending it is not after the last `now`, so a driver that forgot to poll wakes up instead of stalling.

Named commands (`connect(now)`, `send(..., now)`, `close(now)`) come beside them and raise a `UsageError` *before*
anything changes. The end of life is data: exactly one final event (each room's `Closed`).

`tests/support/contract.py` runs these clauses against every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from .clock import Instant

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
Ev = TypeVar("Ev", covariant=True)
E = TypeVar("E")


class Machine(Protocol[In, Out, Ev]):
    """What a driver needs to know. `In`, `Out`: bytes, or `Datagram` and `Transmit` where paths matter."""

    def receive(self, data: In, now: Instant) -> None: ...

    def receive_many(self, burst: Sequence[In], now: Instant) -> None: ...

    def handle_timeout(self, now: Instant) -> None: ...

    def poll_transmits(self, now: Instant, limit: int = 64) -> Sequence[Out]: ...

    def poll_events(self) -> Sequence[Ev]: ...

    def next_timeout(self) -> Instant: ...


class MachineBase(Generic[E]):
    """The few lines that all machines share: time that never runs backwards, and the queue of events.

    A subclass calls `now = self._advance(now)` first in each verb and `self._emit(event)` for what happened.
    """

    __slots__ = ("_events", "_now")

    def __init__(self) -> None:
        self._now: Instant = 0.0
        self._events: list[E] = []

    def _advance(self, now: Instant) -> Instant:
        """Takes note of `now`; an earlier one counts as the last one seen. Returns the time that counts."""
        if now > self._now:
            self._now = now
        return self._now

    def _emit(self, event: E) -> None:
        self._events.append(event)

    def poll_events(self) -> list[E]:
        """Everything that has happened since the last call, oldest first."""
        events = self._events
        if events:
            self._events = []
            return events
        return []
