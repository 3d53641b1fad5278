"""Names to IP literals: DNS in short-lived threads, `.local` names by multicast DNS; and `.local` names of our own.

The only doorway to `zeroconf`, which is optional and imported at the first `.local` name; without it such a name
fails, the trace says why, and peers still find each other by peer-reflexive candidates.

DNS uses the system's resolver in daemon threads of its own, not the loop's executor: a call that hangs there cannot be
cancelled, and `asyncio.run` would wait for it at the end. Ours is bounded in number, hears nothing more once it is
cancelled, and keeps nothing from ending. Its thread ends when the system call does.

Spec: RFC 6762 (multicast DNS), draft-ietf-mmusic-mdns-ice-candidates sections 3.1, 3.2. Left out: probing for a name
before it is published (RFC 6762 section 8.1), because such names are random.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ..base import canonical_ip
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, Trace
from .interfaces import local_addresses

Lookup: TypeAlias = Callable[[str], Sequence[str]]
"""A blocking lookup: a name to hosts; raises `OSError` or `ValueError` when it fails."""


_RESPONSE: Final = 0x8000
_AUTHORITATIVE: Final = 0x0400
"""Flags of a DNS header."""


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


class _Publication:
    __slots__ = ("cancelled", "host", "name", "record", "resolver", "task")

    def __init__(self, resolver: Resolver, name: str, host: str) -> None:
        self.resolver = resolver
        self.name = name
        self.host = host
        self.cancelled = False
        self.record: Any = None
        """What `zeroconf` answers with; None until it does."""
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """The name is not answered for any more. Idempotent."""
        self.resolver._withdraw(self)


class Resolver:
    """Answers `resolve` and `publish` of the runtime seam on one event loop. No question raises: it fails, no hosts."""

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
        self._published: set[_Publication] = set()
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

    def publish(self, name: str, host: str) -> _Publication:
        """Answers for a `.local` name until cancelled; begins soon. When multicast DNS is not to be had, the trace says
        so and nobody answers.

        Errors: `InvalidArgumentError` for a name that does not end in `.local`, or a host that is no address.
        """
        plain = name.rstrip(".").lower()
        if not plain.endswith(".local") or len(plain) > 253:
            raise InvalidArgumentError(f"only names that end in .local are published, got {name[:64]!r}")
        publication = _Publication(self, plain, canonical_ip(host))
        self._published.add(publication)
        self._multicast.users += 1
        publication.task = self._loop.create_task(self._publish(publication))
        return publication

    async def _publish(self, publication: _Publication) -> None:
        reason = ""
        try:
            publication.record = await self._multicast.announce(publication.name, publication.host)
        except ImportError:
            reason = "zeroconf is not installed (extra 'mdns')"
        except Exception as error:  # a foreign package over foreign sockets: whatever it is, nobody will answer
            reason = f"multicast DNS failed: {error!r}"
        publication.task = None
        if self._trace:
            self._trace.event(
                self._loop.time(), "name_published", published=publication.name, host=publication.host, reason=reason
            )

    def _withdraw(self, publication: _Publication) -> None:
        if publication.cancelled:
            return
        publication.cancelled = True
        self._published.discard(publication)
        if publication.task is not None:
            publication.task.cancel()
        self._multicast.withdraw(publication.record)
        self._multicast.users -= 1
        self._multicast.release(at_once=False)

    def network_changed(self) -> None:
        """Multicast DNS goes on on the interfaces that there are now."""
        self._multicast.rescan()

    async def aclose(self) -> None:
        """Cancels every question, withdraws every name and closes the multicast sockets. Takes at most a second.
        Idempotent."""
        tasks = [question.task for question in self._open if question.task is not None]
        tasks += [publication.task for publication in self._published if publication.task is not None]
        for publication in list(self._published):
            publication.cancel()
        for question in list(self._open):
            question.cancel()
        self._waiting.clear()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        await self._multicast.aclose()


class _Multicast:
    """One `zeroconf` instance while there are questions or published names, and a moment longer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, linger: float) -> None:
        self._loop = loop
        self._linger = linger
        self._zeroconf: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._count = 0
        self.users = 0

    def _open(self) -> None:
        import zeroconf
        from zeroconf.asyncio import AsyncZeroconf

        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._zeroconf is None:
            try:
                self._zeroconf = AsyncZeroconf(ip_version=zeroconf.IPVersion.All, interfaces=multicast_hosts())
            except OSError:
                # IPv6 multicast may be impossible where IPv4 is fine (containers)
                hosts = [host for host in multicast_hosts() if ":" not in host]
                self._zeroconf = AsyncZeroconf(ip_version=zeroconf.IPVersion.V4Only, interfaces=hosts)

    async def ask(self, name: str, timeout: float) -> list[str]:
        import zeroconf

        self._open()
        question: Any = getattr(zeroconf, "AddressResolver", None)
        if question is None:
            raise ImportError("this zeroconf resolves services only")
        info = question(f"{name}.")
        if not await info.async_request(self._zeroconf.zeroconf, timeout * 1000):
            return []
        return list(dict.fromkeys(canonical_ip(host) for host in info.parsed_addresses()))

    async def announce(self, name: str, host: str) -> Any:
        """Answers for `name` from now on, and says so once. Returns: what `withdraw` takes."""
        import zeroconf

        self._open()
        engine: Any = self._zeroconf.zeroconf
        await engine.async_wait_for_start()
        # zeroconf answers for names of services only. One of ours is entered in its registry without being announced
        # as a service, so that questions for the name are answered and nobody is told of a service.
        self._count += 1
        service = "_webrtc-ice._udp.local."
        record = zeroconf.ServiceInfo(
            service,
            f"{self._count}-{name.partition('.')[0]}.{service}",
            port=9,
            server=f"{name}.",
            addresses=[ipaddress.ip_address(host).packed],
        )
        engine.registry.async_add(record)
        self._say(record, None)
        return record

    def _say(self, record: Any, ttl: int | None) -> None:
        """Spec: RFC 6762 sections 8.3 (announcing) and 10.1 (goodbye, with a lifetime of 0)."""
        import zeroconf

        message: Any = getattr(zeroconf, "DNSOutgoing", None)
        if message is None:
            return  # it answers all the same
        out = message(_RESPONSE | _AUTHORITATIVE)
        for answer in record.dns_addresses(override_ttl=ttl):
            out.add_answer_at_time(answer, 0)
        self._zeroconf.zeroconf.async_send(out)

    def withdraw(self, record: Any) -> None:
        if record is not None and self._zeroconf is not None:
            self._zeroconf.zeroconf.registry.async_remove(record)
            try:
                self._say(record, 0)
            except Exception:  # a foreign package at the end of its life: the name expires by itself
                return

    def release(self, *, at_once: bool) -> None:
        """A question has ended; after the last one the sockets close soon, or at once when it was given up."""
        if self.users == 0 and self._zeroconf is not None and self._timer is None:
            self._timer = self._loop.call_later(0.0 if at_once else self._linger, self._close)

    def _close(self) -> None:
        self._timer = None
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            self._finish(zeroconf.async_close())

    def rescan(self) -> None:
        # older versions stay on the interfaces that were there when they were opened
        if hasattr(self._zeroconf, "async_update_interfaces"):
            self._finish(self._zeroconf.async_update_interfaces(interfaces=multicast_hosts()))

    def _finish(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled():
            task.exception()  # taken note of: sockets that fail to close are closed, old interfaces stay

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._close()
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=1.0)


def multicast_hosts() -> list[str]:
    """Where multicast DNS speaks: one address of each interface and family. Loopback by IPv4 only: its IPv6 side has
    no multicast on most systems, and the failure would be logged with each question."""
    chosen: dict[tuple[str, bool], str] = {}
    for interface, host, _ in local_addresses():
        if host != "::1":
            chosen.setdefault((interface, ":" in host), host)
    return list(chosen.values())


def system_lookup(name: str) -> list[str]:
    """What the system's resolver says, in its order of preference (RFC 6724). Blocks."""
    infos = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return [str(info[4][0]) for info in infos]
