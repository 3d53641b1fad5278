"""One thread for the blocking work of one file, in order; in place where the loop has no threads (a simulation)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from ..errors import NotSupportedError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Worker:
    """Runs functions one after another, off the event loop."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._inline = False
        self._closed = False

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """The result of `function(*args)`. Cancelling the caller does not interrupt a function that has begun."""
        if not self._inline:
            try:
                future = asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
            except NotSupportedError:
                self._inline = True
            else:
                return await future
        return function(*args)

    def close(self, last: Callable[[], None] | None = None) -> None:
        """Runs `last` after what was asked before, without waiting, and ends the thread. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if last is not None:
            if self._inline:
                last()
            else:
                self._pool.submit(last)
        self._pool.shutdown(wait=False)
