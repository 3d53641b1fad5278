"""One writer, any number of readers, each with its own bounded queue.

    hub = Broadcast[Frame]()
    async for frame in hub.subscribe(limit=2): ...

A reader that is slower than the writer loses what is oldest, and its `dropped` says how many; nobody else notices.
A subscription ends by `close()`, by leaving a `with` block, or by being forgotten: the hub holds it weakly, so that
`async for frame in track.frames(): break` leaves nothing behind. While a reader waits it is held, as a task that
nobody else refers to must not vanish in its sleep.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from ..errors import InvalidArgumentError

T = TypeVar("T")


class Subscription(Generic[T]):
    """One reader's queue. For one reading task at a time; iterations end when the writer has ended and all is read."""

    __slots__ = ("__weakref__", "_ended", "_error", "_hub", "_items", "_limit", "_waiter", "dropped")

    def __init__(self, hub: Broadcast[T], limit: int) -> None:
        if limit < 1:
            raise InvalidArgumentError(f"a queue holds at least one entry, got a limit of {limit}")
        self._hub = hub
        self._items: deque[T] = deque()
        self._limit = limit
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: Exception | None = None
        self.dropped = 0
        """Entries lost because the reader was slower than the writer."""

    def push(self, item: T) -> None:
        """Takes an entry from the writer; when full, the oldest goes."""
        if len(self._items) >= self._limit:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Nothing will follow; `error` is raised to the reader once it has read what is there."""
        self._ended = True
        self._error = error
        self._wake()

    def close(self) -> None:
        """The reader wants no more: what is queued is forgotten. Idempotent."""
        self._items.clear()
        self.end()
        self._hub._forget(self)

    @property
    def ended(self) -> bool:
        return self._ended

    def __len__(self) -> int:
        return len(self._items)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            self._hub._waiting.add(self)
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._hub._waiting.discard(self)
        return self._items.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Broadcast(Generic[T]):
    """The writer's side: hands each entry to every subscription that is still wanted."""

    __slots__ = ("_ended", "_error", "_references", "_waiting")

    def __init__(self) -> None:
        self._references: list[weakref.ref[Subscription[T]]] = []
        self._waiting: set[Subscription[T]] = set()
        self._ended = False
        self._error: Exception | None = None

    def subscribe(
        self, limit: int, make: Callable[[Broadcast[T], int], Subscription[T]] | None = None
    ) -> Subscription[T]:
        """A new queue of at most `limit` entries; `make` builds one with another answer when full."""
        subscription = (make or Subscription)(self, limit)
        if self._ended:
            subscription.end(self._error)
        else:
            self._references.append(weakref.ref(subscription))
        return subscription

    def _live(self) -> Iterator[Subscription[T]]:
        dead = False
        for reference in tuple(self._references):
            subscription = reference()
            if subscription is None:
                dead = True
            else:
                yield subscription
        if dead:
            self._references = [reference for reference in self._references if reference() is not None]

    def put(self, item: T) -> None:
        for subscription in self._live():
            subscription.push(item)

    def end(self, error: Exception | None = None) -> None:
        """Every iteration ends once it has read what it has; so does each new one at once. Idempotent."""
        if not self._ended:
            self._ended = True
            self._error = error
            for subscription in self._live():
                subscription.end(error)
            self._references.clear()

    def fail(self, error: Exception) -> None:
        """Ends the present subscriptions with `error`; new ones may begin."""
        for subscription in self._live():
            subscription.end(error)
        self._references.clear()

    def _forget(self, subscription: Subscription[T]) -> None:
        self._references = [
            reference
            for reference in self._references
            if (kept := reference()) is not None and kept is not subscription
        ]

    @property
    def ended(self) -> bool:
        return self._ended

    def __len__(self) -> int:
        """How many subscriptions are wanted."""
        return sum(1 for _ in self._live())

    def __bool__(self) -> bool:
        return True
