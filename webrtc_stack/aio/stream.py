"""A queue of events that ends: what the `async for` methods of the API iterate over.

Nothing is dropped: what happened before the first reader came is kept for it. The number of entries is bounded by
what they are about (channels, candidates), not by a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class EventStream(Generic[T]):
    """One queue, any number of readers; each entry goes to one of them."""

    __slots__ = ("_ended", "_items", "_waiters")

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._ended = False

    def put(self, item: T) -> None:
        """Adds an entry; after `end` it is ignored."""
        if not self._ended:
            self._items.append(item)
            self._wake(1)

    def end(self) -> None:
        """Iterations end once what is queued has been read."""
        self._ended = True
        self._wake(len(self._waiters))

    @property
    def ended(self) -> bool:
        return self._ended

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def _wake(self, count: int) -> None:
        while count > 0 and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                count -= 1

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._ended:
                raise StopAsyncIteration
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake(1)  # the entry meant for this reader goes to the next one
                raise
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return self._items.popleft()
