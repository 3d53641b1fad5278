"""Work that must not hold up the event loop: encoding and decoding, in a few threads of the client.

A stream awaits each call before it makes the next, so its order is kept, and at most one thread is inside a codec. A
loop without threads (a simulation) does the work in place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from ..sim import SimEventLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAX_WORKERS = 8
"""Threads at most; FFmpeg's encoders bring their own besides."""


class Offload:
    """A small pool of threads, made when first needed."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or min(MAX_WORKERS, (os.cpu_count() or 1) + 2)
        self._pool: ThreadPoolExecutor | None = None
        self._inline = False
        self._busy = 0

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Calls `function` in a thread. A cancelled caller still waits for it to return: codecs cannot be interrupted,
        and nobody may close one that is at work."""
        if self._inline:
            return function(*args)
        if self._pool is None:
            if isinstance(asyncio.get_running_loop(), SimEventLoop):
                self._inline = True
                return function(*args)
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="webrtc-codec")
        work = self._pool.submit(function, *args)
        self._busy += 1
        try:
            # Not shielded: that would cost another turn of the loop a frame. Cancelling this wrapper takes back work
            # that has not begun, and leaves work that has.
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            end = asyncio.wrap_future(work)
            while not end.done():
                try:
                    await asyncio.wait([end])
                except asyncio.CancelledError:
                    continue  # cancelled once more, as when a sender stops and then its connection closes
            if not end.cancelled():
                end.exception()  # seen, so that nobody logs it as lost
            raise
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Ends the threads: idle ones at once, those at work when they have done what they do. Idempotent."""
        if self._pool is not None:
            self._pool.shutdown(wait=self._busy == 0, cancel_futures=True)
            self._pool = None
