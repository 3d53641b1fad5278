"""The runtime of real sockets on an asyncio loop: clock, timers, addresses, UDP and names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ..base import SYSTEM_ENTROPY, Entropy, Instant
from ..trace import NO_TRACE, Trace
from .interfaces import local_addresses
from .reactor import AsyncioReactor
from .resolver import Resolver, ResolverConfig
from .runtime import Cancellable, LocalAddress, LocalAddressLike, ReceivedLike
from .udp import BurstSocket, UdpConfig, bind_udp


class AsyncioRuntime:
    """Implements `Runtime` on a loop with `add_reader`; without `loop`, on the running one.

    Sockets and timers belong to who made them. Only the multicast resolver outlives a question by a moment;
    `aclose()` ends it at once.
    """

    __slots__ = ("_entropy", "_reactor", "_resolver", "_trace", "_udp", "_wall_epoch")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        entropy: Entropy = SYSTEM_ENTROPY,
        udp: UdpConfig | None = None,
        resolver: ResolverConfig | None = None,
        trace: Trace = NO_TRACE,
    ) -> None:
        loop = loop or asyncio.get_running_loop()
        self._reactor = AsyncioReactor(loop)
        self._entropy = entropy
        self._udp = udp or UdpConfig()
        self._trace = trace.bind(room="io")
        self._resolver = Resolver(loop, config=resolver, trace=self._trace)
        self._wall_epoch = time.time() - self._reactor.time()

    @property
    def wall_epoch(self) -> float:
        return self._wall_epoch

    @property
    def entropy(self) -> Entropy:
        return self._entropy

    def time(self) -> Instant:
        return self._reactor.time()

    def call_at(self, when: Instant, callback: Callable[[], None]) -> Cancellable:
        return self._reactor.call_at(when, callback)

    def call_soon(self, callback: Callable[[], None]) -> Cancellable:
        return self._reactor.call_soon(callback)

    def local_addresses(self) -> Sequence[LocalAddress]:
        return local_addresses()

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> BurstSocket:
        """Errors: `OSError`; `NotSupportedError` on a loop without `add_reader`."""
        sock = bind_udp(local, port, self._udp)
        try:
            return BurstSocket(
                sock,
                self._reactor,
                on_burst=on_burst,
                on_writable=on_writable,
                config=self._udp,
                scope_id=local[2],
                trace=self._trace,
            )
        except BaseException:
            sock.close()
            raise

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> Cancellable:
        return self._resolver.resolve(name, on_result)

    async def aclose(self) -> None:
        """Cancels what is being resolved and closes the multicast resolver, in at most a second. Idempotent."""
        await self._resolver.aclose()
