"""The runtime of real sockets on an asyncio loop: clock, timers, addresses, UDP, streams and names."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..base import SYSTEM_ENTROPY, Address, Entropy, Instant
from ..trace import NO_TRACE, Trace
from .interfaces import local_addresses
from .reactor import AsyncioReactor
from .resolver import Resolver, ResolverConfig
from .runtime import Cancellable, LocalAddress, LocalAddressLike, ReceivedLike, Stream
from .streams import StreamFactory, StreamListener
from .tcp import StreamConfig
from .udp import BurstSocket, UdpConfig, bind_udp
from .watch import AddressWatcher


class AsyncioRuntime:
    """Implements `Runtime` on a loop with `add_reader`; without `loop`, on the running one.

    Sockets, streams and timers belong to who made them. What outlives them by a moment (a stream whose last bytes
    are on their way, the multicast resolver) `aclose()` ends at once, and every stream that was left open.
    """

    __slots__ = (
        "_entropy",
        "_in_use",
        "_reactor",
        "_resolver",
        "_streams",
        "_trace",
        "_udp",
        "_wall_epoch",
        "_watcher",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        entropy: Entropy = SYSTEM_ENTROPY,
        udp: UdpConfig | None = None,
        streams: StreamConfig | None = None,
        tls_context: ssl.SSLContext | None = None,
        resolver: ResolverConfig | None = None,
        trace: Trace = NO_TRACE,
    ) -> None:
        """`tls_context` replaces the one for `tls` streams, which verifies against the system's authorities: for an
        authority of one's own, or a server of one's own with none."""
        loop = loop or asyncio.get_running_loop()
        self._reactor = AsyncioReactor(loop)
        self._entropy = entropy
        self._udp = udp or UdpConfig()
        self._trace = trace.bind(room="io")
        self._streams = StreamFactory(self._reactor, config=streams, tls_context=tls_context, trace=self._trace)
        self._in_use: set[str] = set()
        """Hosts that sockets were bound to: they stay in the list while they can be used at all."""
        self._resolver = Resolver(loop, config=resolver, trace=self._trace)
        self._watcher = AddressWatcher(
            self._reactor, self.local_addresses, before=self._resolver.network_changed, trace=self._trace
        )
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
        found = local_addresses(self._in_use)
        self._in_use.intersection_update(host for _, host, _ in found)
        return found

    def watch_addresses(self, on_change: Callable[[], None]) -> Cancellable:
        return self._watcher.subscribe(on_change)

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        dscp: int | None = None,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> BurstSocket:
        """Errors: `OSError`; `NotSupportedError` on a loop without `add_reader`."""
        config = self._udp if dscp is None else replace(self._udp, dscp=dscp)
        sock = bind_udp(local, port, config)
        try:
            opened = BurstSocket(
                sock,
                self._reactor,
                on_burst=on_burst,
                on_writable=on_writable,
                config=config,
                scope_id=local[2],
                trace=self._trace,
            )
        except BaseException:
            sock.close()
            raise
        self._in_use.add(local[1])
        return opened

    def open_stream(
        self,
        remote: Address,
        *,
        protocol: str,
        server_name: str | None = None,
        local: str | None = None,
        on_result: Callable[[Stream | str], None],
    ) -> Cancellable:
        return self._streams.open(remote, protocol=protocol, server_name=server_name, local=local, on_result=on_result)

    def listen(
        self, local: LocalAddressLike, *, port: int = 0, tls: object | None = None, on_accept: Callable[[Stream], None]
    ) -> StreamListener:
        """Errors: `OSError`; `InvalidArgumentError` if `tls` is no `ssl.SSLContext`."""
        listener = self._streams.listen(local, port=port, tls=tls, on_accept=on_accept)
        self._in_use.add(local[1])
        return listener

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> Cancellable:
        return self._resolver.resolve(name, on_result)

    def publish(self, name: str, host: str) -> Cancellable:
        """Errors: `InvalidArgumentError` for a name that does not end in `.local`, or a host that is no address."""
        return self._resolver.publish(name, host)

    async def aclose(self) -> None:
        """Cancels what is being resolved, published and watched, closes the multicast resolver and every stream and
        listener, in at most a second. Idempotent."""
        self._streams.close()
        self._watcher.close()
        await self._resolver.aclose()
