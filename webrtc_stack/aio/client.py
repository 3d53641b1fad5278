"""A client: defaults, and the lifetime of everything made with it.

    async with rtc.Client(rtc.ClientConfig(ice_servers=[rtc.IceServer("stun:192.0.2.1")])) as client:
        async with client.create_peer_connection() as pc: ...

The engine is a runtime: asyncio by default (uvloop works), or a host of a virtual network (`runtime=net.host(...)`),
so that an application is tested by seed without a line changed.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from ..errors import InvalidStateError
from ..io import AsyncioRuntime, Runtime
from .config import ClientConfig
from .peer_connection import PeerConnection


class Client:
    """Makes peer connections and closes all that it made. `close()` is idempotent and takes bounded time."""

    def __init__(self, config: ClientConfig | None = None, *, runtime: Runtime | None = None) -> None:
        self.config = config if config is not None else ClientConfig()
        self._runtime = runtime
        self._own_runtime: AsyncioRuntime | None = None
        self._connections: set[PeerConnection] = set()
        self._failures: list[Exception] = []
        self._closed = False
        self._made = 0

    @property
    def connections(self) -> frozenset[PeerConnection]:
        """The connections that are not closed yet."""
        return frozenset(self._connections)

    def create_peer_connection(self, config: ClientConfig | None = None) -> PeerConnection:
        """A new connection with the client's configuration, or with another one.

        Errors: `InvalidStateError` when the client is closed.
        """
        if self._closed:
            raise InvalidStateError("the client is closed; make a new one")
        if self._runtime is None:
            self._runtime = self._own_runtime = AsyncioRuntime()
        chosen = config if config is not None else self.config
        self._made += 1
        connection = PeerConnection(
            chosen.with_source(f"pc{self._made}"),
            runtime=self._runtime,
            on_closed=self._connections.discard,
            on_failure=self._failures.append,
        )
        self._connections.add(connection)
        return connection

    async def close(self) -> None:
        """Closes every connection, side by side."""
        self._closed = True
        await asyncio.gather(*(connection.close() for connection in list(self._connections)))
        if self._own_runtime is not None:
            await self._own_runtime.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if self._failures and error is None:
            failures, self._failures = self._failures, []
            raise ExceptionGroup("failures in the background of a client", failures)
