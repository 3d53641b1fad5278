"""Names to IP literals: DNS in short-lived threads, `.local` names by multicast DNS.

The only doorway to `zeroconf`, which is optional and imported at the first `.local` name; without it such a name
fails, the trace says why, and peers still find each other by peer-reflexive candidates.

DNS uses the system's resolver in daemon threads of its own, not the loop's executor: a call that hangs there cannot be
cancelled, and `asyncio.run` would wait for it at the end. Ours is bounded in number, hears nothing more once it is
cancelled, and keeps nothing from ending. Its thread ends when the system call does.

Spec: RFC 6762 (multicast DNS), draft-ietf-mmusic-mdns-ice-candidates section 3.2. Left out: publishing names of our
own; `_Multicast` is where it will live.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..base import canonical_ip
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, Trace

Lookup: TypeAlias = Callable[[str], Sequence[str]]
"""A blocking lookup: a name to hosts; raises `OSError` or `ValueError` when it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverConfig:
    """Limits of name resolution."""

    timeout: float = 5.0
    """Seconds until a name counts as failed; the system's own limit may be half a minute, and ICE goes on without."""
    max_questions: int = 64
    """Names asked for at once; more fail at once. A peer's candidates decide how many there are."""
    max_threads: int = 8
    """Lookups that run at once; others wait, and their time runs."""
    linger: float = 2.0
    """Seconds that the multicast sockets stay open after the last question: candidates come one by one."""


class _Question:
    __slots__ = ("done", "name", "on_result", "resolver", "task", "timer")

    def __init__(self, resolver: Resolver, name: str, on_result: Callable[[Sequence[str]], None]) -> None:
        self.resolver = resolver
        self.name = name
        self.on_result = on_result
        self.done = False
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | asyncio.Handle | None = None

    def cancel(self) -> None:
        """No result will come. Idempotent."""
        self.resolver._end(self)


class Resolver:
    """Answers `resolve` of the runtime seam on one event loop. No question ever raises: it fails with no hosts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        config: ResolverConfig | None = None,
        lookup: Lookup | None = None,
        trace: Trace = NO_TRACE,
    ) -> None:
        self._loop = loop
        self._config = config or ResolverConfig()
        self._lookup = lookup or system_lookup
        self._trace = trace
        self._open: set[_Question] = set()
        self._waiting: deque[_Question] = deque()
        self._threads = 0
        self._multicast = _Multicast(loop, self._config.linger)

    @property
    def pending(self) -> int:
        """Questions without an answer so far."""
        return len(self._open)

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> _Question:
        """Asks; the answer comes from the loop, never from inside this call."""
        question = _Question(self, name, on_result)
        try:
            literal = canonical_ip(name)
        except InvalidArgumentError:
            literal = ""
        plain = name.rstrip(".").lower()
        if literal:
            question.timer = self._loop.call_soon(self._answer, question, [literal], "")
        elif not plain or len(plain) > 253 or len(self._open) >= self._config.max_questions:
            reason = "not a name" if len(self._open) < self._config.max_questions else "too many questions"
            question.timer = self._loop.call_soon(self._answer, question, [], reason)
        else:
            question.timer = self._loop.call_later(self._config.timeout, self._answer, question, [], "timed out")
            if plain.endswith(".local"):
                self._multicast.users += 1
                question.task = self._loop.create_task(self._ask_multicast(question, plain))
            else:
                self._waiting.append(question)
                self._start_threads()
        self._open.add(question)
        return question

    def _answer(self, question: _Question, hosts: Sequence[str], reason: str) -> None:
        if question.done:
            return
        self._end(question)
        if self._trace:
            self._trace.event(
                self._loop.time(), "name_resolved", resolved=question.name, hosts=list(hosts), reason=reason
            )
        question.on_result(hosts)

    def _end(self, question: _Question) -> None:
        question.done = True
        self._open.discard(question)
        if question.timer is not None:
            question.timer.cancel()
        if question.task is not None:
            question.task.cancel()

    # --- DNS --------------------------------------------------------------------------------------------------------

    def _start_threads(self) -> None:
        while self._waiting and self._threads < self._config.max_threads:
            question = self._waiting.popleft()
            if question.done:
                continue
            self._threads += 1
            threading.Thread(target=self._run_lookup, args=(question,), daemon=True, name="webrtc_stack dns").start()

    def _run_lookup(self, question: _Question) -> None:
        """In a thread: touches nothing but the name and the loop."""
        hosts: Sequence[str] = ()
        reason = ""
        try:
            hosts = self._lookup(question.name)
        except (OSError, ValueError) as error:  # ValueError: no name at all, such as one with a NUL in it
            reason = str(error)
        try:
            self._loop.call_soon_threadsafe(self._looked_up, question, hosts, reason)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _looked_up(self, question: _Question, hosts: Sequence[str], reason: str) -> None:
        self._threads -= 1
        self._start_threads()
        self._answer(question, list(dict.fromkeys(canonical_ip(host) for host in hosts)), reason)

    # --- multicast DNS ----------------------------------------------------------------------------------------------

    async def _ask_multicast(self, question: _Question, name: str) -> None:
        reason = ""
        hosts: list[str] = []
        try:
            hosts = await self._multicast.ask(name, self._config.timeout)
        except ImportError:
            reason = "zeroconf is not installed (extra 'mdns'), or too old"
        except Exception as error:  # a foreign package over foreign sockets: whatever it is, the name has failed
            reason = f"multicast DNS failed: {error!r}"
        finally:
            self._multicast.users -= 1
            self._multicast.release(at_once=question.done)
        question.task = None  # this one: it must not cancel itself
        self._answer(question, hosts, reason)

    async def aclose(self) -> None:
        """Cancels every question and closes the multicast sockets. Takes at most a second. Idempotent."""
        tasks = [question.task for question in self._open if question.task is not None]
        for question in list(self._open):
            question.cancel()
        self._waiting.clear()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        await self._multicast.aclose()


class _Multicast:
    """One `zeroconf` instance while there are questions, and a moment longer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, linger: float) -> None:
        self._loop = loop
        self._linger = linger
        self._zeroconf: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.users = 0

    async def ask(self, name: str, timeout: float) -> list[str]:
        import zeroconf
        from zeroconf.asyncio import AsyncZeroconf

        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._zeroconf is None:
            try:
                self._zeroconf = AsyncZeroconf(ip_version=zeroconf.IPVersion.All)
            except OSError:
                # IPv6 multicast may be impossible where IPv4 is fine (containers)
                self._zeroconf = AsyncZeroconf(ip_version=zeroconf.IPVersion.V4Only)
        question: Any = getattr(zeroconf, "AddressResolver", None)
        if question is None:
            raise ImportError("this zeroconf resolves services only")
        info = question(f"{name}.")
        if not await info.async_request(self._zeroconf.zeroconf, timeout * 1000):
            return []
        return list(dict.fromkeys(canonical_ip(host) for host in info.parsed_addresses()))

    def release(self, *, at_once: bool) -> None:
        """A question has ended; after the last one the sockets close soon, or at once when it was given up."""
        if self.users == 0 and self._zeroconf is not None and self._timer is None:
            self._timer = self._loop.call_later(0.0 if at_once else self._linger, self._close)

    def _close(self) -> None:
        self._timer = None
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            task = self._loop.create_task(zeroconf.async_close())
            self._closing.add(task)
            task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled():
            task.exception()  # taken note of: sockets that fail to close are closed

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._close()
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=1.0)


def system_lookup(name: str) -> list[str]:
    """What the system's resolver says, in its order of preference (RFC 6724). Blocks."""
    infos = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return [str(info[4][0]) for info in infos]
