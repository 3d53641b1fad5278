"""Background tasks with an owner: none outlives it, and no failure is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class TaskScope:
    """The tasks of one connection or client. `on_failure` hears of each that failed; without it the loop does."""

    def __init__(self, on_failure: Callable[[Exception], None] | None = None) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._on_failure = on_failure
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any] | None:
        """Runs `coroutine` until it ends or the scope does; None (and never run) after the scope's end."""
        if self._closed:
            coroutine.close()
            return None
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        if self._on_failure is not None and isinstance(error, Exception):
            self._on_failure(error)
        else:
            task.get_loop().call_exception_handler(
                {"message": f"the background task {task.get_name()} failed", "exception": error, "task": task}
            )

    def cancel(self) -> None:
        """Asks every task to end, and starts no more. Idempotent."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()

    async def close(self, timeout: float) -> bool:
        """Cancels and waits, at most `timeout` seconds. False when something would not end."""
        self.cancel()
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=timeout)
            return not pending
        return True
