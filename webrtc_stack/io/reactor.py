"""What a socket needs of an event loop: time, timers and descriptors; and asyncio's answer to it.

Two loops are served by the same few lines, because both have `add_reader`: asyncio's selector loop and uvloop.
Datagram endpoints are not used: they cost several Python calls a datagram, and know no bursts. Windows' proactor loop
has no `add_reader`: the first socket is refused there, with a word on what to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from ..base import Instant
from ..errors import NotSupportedError
from .runtime import Cancellable


class Reactor(Protocol):
    """Time, descriptors, timers. Watching is level-triggered: a callback comes again while its reason lasts."""

    def time(self) -> Instant: ...

    def call_at(self, when: Instant, callback: Callable[[], None]) -> Cancellable: ...

    def watch_readable(self, fd: int, callback: Callable[[], None]) -> None: ...

    def unwatch_readable(self, fd: int) -> None: ...

    def watch_writable(self, fd: int, callback: Callable[[], None]) -> None: ...

    def unwatch_writable(self, fd: int) -> None: ...


class AsyncioReactor:
    """The reactor of any asyncio loop that has `add_reader`."""

    __slots__ = ("_loop", "_precise")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # uvloop's clock stands still within an iteration and counts whole milliseconds: too coarse for round-trip
        # times. It is the monotonic clock all the same, so that one is read instead.
        self._precise = type(loop).__module__.partition(".")[0] == "uvloop"

    def time(self) -> Instant:
        return time.monotonic() if self._precise else self._loop.time()

    def call_at(self, when: Instant, callback: Callable[[], None]) -> Cancellable:
        if self._precise:
            return self._loop.call_later(max(0.0, when - time.monotonic()), callback)
        return self._loop.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> Cancellable:
        return self._loop.call_soon(callback)

    def watch_readable(self, fd: int, callback: Callable[[], None]) -> None:
        """Errors: `NotSupportedError` on a loop without `add_reader`."""
        try:
            self._loop.add_reader(fd, callback)
        except NotImplementedError:
            raise self._unsupported() from None

    def _unsupported(self) -> NotSupportedError:
        return NotSupportedError(
            f"{type(self._loop).__name__} cannot watch sockets; run on asyncio.SelectorEventLoop or uvloop"
        )

    def unwatch_readable(self, fd: int) -> None:
        if not self._loop.is_closed():
            self._loop.remove_reader(fd)

    def watch_writable(self, fd: int, callback: Callable[[], None]) -> None:
        try:
            self._loop.add_writer(fd, callback)
        except NotImplementedError:
            raise self._unsupported() from None

    def unwatch_writable(self, fd: int) -> None:
        if not self._loop.is_closed():
            self._loop.remove_writer(fd)
