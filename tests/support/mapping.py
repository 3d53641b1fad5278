"""A STUN server behind a NAT, in this process: who asks it learns an address that is not its own.

On a network without any NAT a server-reflexive candidate is the host candidate once more, and is dropped. Here each
client's requests leave by a socket of their own towards the server, as through a NAT that lets in answers alone.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import cast

from webrtc_stack import stun
from webrtc_stack.base import Address

Place = tuple[str, int]


class _Port(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)


class _Server(_Port):
    def datagram_received(self, data: bytes, source: Place) -> None:
        answer = stun.serve_binding(data, Address(*source[:2]))
        if answer is not None:
            self.transport.sendto(answer, source)


class _Mapping(_Port):
    """The outer side of one client."""

    def __init__(self, inside: _Inside, client: Place) -> None:
        self._inside = inside
        self._client = client

    def datagram_received(self, data: bytes, source: Place) -> None:
        if source == self._inside.server:
            self._inside.transport.sendto(data, self._client)


class _Inside(_Port):
    """What clients take for the server."""

    def __init__(self, host: str, server: Place) -> None:
        self._host = host
        self.server = server
        self.mappings: dict[Place, asyncio.Task[_Mapping]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def datagram_received(self, data: bytes, source: Place) -> None:
        if source not in self.mappings:
            self.mappings[source] = asyncio.create_task(self._open(source))
        task = asyncio.create_task(self._send(self.mappings[source], data))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _open(self, client: Place) -> _Mapping:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_datagram_endpoint(lambda: _Mapping(self, client), local_addr=(self._host, 0))
        return made

    async def _send(self, mapping: asyncio.Task[_Mapping], data: bytes) -> None:
        (await mapping).transport.sendto(data, self.server)


class MappedStunServer:
    """`async with MappedStunServer(host) as server`: a server at `server.url`."""

    def __init__(self, host: str) -> None:
        self._host = host

    async def __aenter__(self) -> MappedStunServer:
        loop = asyncio.get_running_loop()
        outer, self._server = await loop.create_datagram_endpoint(_Server, local_addr=(self._host, 0))
        place = outer.get_extra_info("sockname")[:2]
        inner, self._inside = await loop.create_datagram_endpoint(
            lambda: _Inside(self._host, place), local_addr=(self._host, 0)
        )
        self.url = f"stun:{self._host}:{inner.get_extra_info('sockname')[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._inside.mappings.values():
            (await task).transport.close()
        self._inside.transport.close()
        self._server.transport.close()
