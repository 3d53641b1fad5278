"""A value that changes, and three ways to follow it: look, iterate, wait.

pc.connection_state.value
async for state in pc.connection_state.changes(): ...
await pc.connection_state.wait_for("connected", timeout=10)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Container
from typing import Generic, TypeVar

from ..errors import ConnectionLost, TimedOut

T = TypeVar("T")

MAX_UNREAD_CHANGES = 1024
"""A subscriber that never reads keeps this many changes; then the oldest go first. States change a few times a call."""


class Observable(Generic[T]):
    """One state. Every subscriber of `changes()` sees every change; nothing is sampled.

    `lost_states` are values from which a waiter for something else should not hope any more: `wait_for` raises
    `ConnectionLost` when one of them *comes*, or when the observable has ended.
    """

    def __init__(self, value: T, *, name: str = "state", lost_states: Container[T] = ()) -> None:
        self._value = value
        self._name = name
        self._lost_states = lost_states
        self._ended: str | None = None
        self._reason = ""
        self._subscribers: list[_Subscriber[T]] = []

    @property
    def value(self) -> T:
        """The present value."""
        return self._value

    @property
    def reason(self) -> str:
        """Why the value last changed, in words; may be empty."""
        return self._reason

    def set(self, value: T, reason: str = "") -> None:
        """Changes the value; setting the same one again is no change. Not for applications."""
        if value == self._value or self._ended is not None:
            return
        self._value = value
        self._reason = reason
        for subscriber in self._subscribers:
            subscriber.push(value)

    def end(self, reason: str) -> None:
        """Says that no change will follow: iterations end, waiters for other values get `ConnectionLost`."""
        if self._ended is None:
            self._ended = reason or "it ended"
            for subscriber in self._subscribers:
                subscriber.wake()

    async def changes(self) -> AsyncIterator[T]:
        """Each change after this call, in order; ends when no change can follow."""
        subscriber = _Subscriber[T]()
        self._subscribers.append(subscriber)
        try:
            while True:
                while subscriber.queue:
                    yield subscriber.queue.popleft()
                if self._ended is not None:
                    return
                await subscriber.wait()
        finally:
            self._subscribers.remove(subscriber)

    async def wait_for(self, wanted: T | str | Callable[[T], bool], *, timeout: float | None = None) -> T:
        """Waits until the value is (or a predicate accepts) `wanted`; returns the value then. States are their words,
        so `"connected"` is as good as the enum's member.

        Errors: `TimedOut`; `ConnectionLost` as soon as it cannot come any more.
        """
        accepts: Callable[[T], bool] = wanted if callable(wanted) else lambda value: value == wanted
        if accepts(self._value):
            return self._value
        subscriber = _Subscriber[T]()
        self._subscribers.append(subscriber)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    while subscriber.queue:
                        value = subscriber.queue.popleft()
                        if accepts(value):
                            return value
                        if value in self._lost_states:
                            raise ConnectionLost(self._lost_words(value))
                    if self._ended is not None:
                        raise ConnectionLost(self._lost_words(self._value))
                    await subscriber.wait()
        except TimeoutError:
            raise TimedOut(
                f"{self._name} is {self._value!s} after {timeout:g} s, wanted {wanted if not callable(wanted) else '?'}"
            ) from None
        finally:
            self._subscribers.remove(subscriber)

    def _lost_words(self, value: T) -> str:
        why = self._reason or self._ended
        return f"{self._name} became {value!s}" + (f": {why}" if why else "")

    def __repr__(self) -> str:
        return f"Observable({self._name}={self._value!s})"


class _Subscriber(Generic[T]):
    """One follower's unread changes."""

    __slots__ = ("_waiter", "queue")

    def __init__(self) -> None:
        self.queue: deque[T] = deque(maxlen=MAX_UNREAD_CHANGES)
        self._waiter: asyncio.Future[None] | None = None

    def push(self, value: T) -> None:
        self.queue.append(value)
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
