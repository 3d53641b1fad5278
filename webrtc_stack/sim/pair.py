"""Two machines, a link between them, and a virtual clock: the smallest simulation.

For machines over bytes (`dtls`, `sctp`) or any others whose output the other one takes as it is. Machines with
several paths need a `Network`.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from ..base import NEVER, Instant, Machine, SeededEntropy
from .link import Link, LinkConfig

D = TypeVar("D")


class Delivery(NamedTuple):
    """One datagram that was handed to the link: when, by which side (0 or 1), and how many copies will arrive."""

    time: Instant
    side: int
    data: bytes
    copies: int


class MachinePair(Generic[D]):
    """Runs `left` and `right` against each other in virtual time.

    `events[side]` collects (time, event); `log` every datagram offered to the link; `digest()` is the SHA-256 of the
    log. `size_of` tells the bytes of an output when it is not `bytes` itself.
    """

    def __init__(
        self,
        left: Machine[D, D, Any],
        right: Machine[D, D, Any],
        *,
        seed: int = 0,
        link: LinkConfig | None = None,
        reverse_link: LinkConfig | None = None,
        bytes_of: Callable[[D], bytes] | None = None,
        on_event: Callable[[int, Any, Instant], None] | None = None,
        keep_log: bool = True,
    ) -> None:
        entropy = SeededEntropy(seed)
        config = link or LinkConfig()
        self.machines = (left, right)
        self.links = (Link(config, entropy.fork("link 0")), Link(reverse_link or config, entropy.fork("link 1")))
        self.now: Instant = 0.0
        self.events: tuple[list[tuple[Instant, Any]], list[tuple[Instant, Any]]] = ([], [])
        self.log: list[Delivery] = []
        self.on_event = on_event
        """Called as (side, event, now) for each event; may call commands of the machines."""
        self._bytes_of = bytes_of
        self._keep_log = keep_log
        self._hash = hashlib.sha256()
        self._flying: list[tuple[Instant, int, int, D]] = []
        self._count = 0

    def digest(self) -> str:
        """SHA-256 over (time, side, bytes) of everything sent so far."""
        return self._hash.hexdigest()

    def settle(self) -> None:
        """Drains both machines' polls at the present instant, without letting time pass."""
        for _ in range(10_000):
            busy = False
            for side, machine in enumerate(self.machines):
                sent = machine.poll_transmits(self.now)
                for item in sent:
                    self._launch(side, item)
                happened = machine.poll_events()
                for event in happened:
                    self.events[side].append((self.now, event))
                    if self.on_event is not None:
                        self.on_event(side, event, self.now)
                busy = busy or bool(sent) or bool(happened)
            if not busy:
                return
        raise AssertionError(f"the machines never come to rest at {self.now}")

    def _launch(self, side: int, item: D) -> None:
        data = self._bytes_of(item) if self._bytes_of is not None else item
        assert isinstance(data, bytes)
        arrivals = self.links[side].admit(len(data), self.now)
        self._hash.update(f"{self.now:.9f} {side} {len(data)} ".encode() + data)
        if self._keep_log:
            self.log.append(Delivery(self.now, side, data, len(arrivals)))
        for arrival in arrivals:
            self._count += 1
            heapq.heappush(self._flying, (arrival, self._count, 1 - side, item))

    def next_instant(self) -> Instant:
        """When something happens next: a datagram arrives or a timer is due."""
        timers = min(machine.next_timeout() for machine in self.machines)
        return min(self._flying[0][0] if self._flying else NEVER, timers)

    def step(self) -> bool:
        """Lets time pass to the next thing that happens. False if nothing ever will."""
        self.settle()
        instant = self.next_instant()
        if instant == NEVER:
            return False
        self.now = max(self.now, instant)
        bursts: tuple[list[D], list[D]] = ([], [])
        while self._flying and self._flying[0][0] <= self.now:
            _, _, side, item = heapq.heappop(self._flying)
            bursts[side].append(item)
        for machine, burst in zip(self.machines, bursts, strict=True):
            if burst:
                machine.receive_many(burst, self.now)
            if machine.next_timeout() <= self.now:
                machine.handle_timeout(self.now)
        self.settle()
        return True

    def run(
        self, *, until: Instant = NEVER, condition: Callable[[], bool] | None = None, max_steps: int = 2_000_000
    ) -> bool:
        """Runs to `until`, or till `condition()` holds, or till nothing can happen any more.

        Returns: whether the condition came true (without one: whether there was nothing left to do).
        """
        self.settle()
        for _ in range(max_steps):
            if condition is not None and condition():
                return True
            if self.next_instant() > until:
                self.now = max(self.now, until)
                return condition is None and self.next_instant() == NEVER
            if not self.step():
                return condition is None or condition()
        raise AssertionError(f"still busy after {max_steps} steps, at {self.now}: a timer spins")
