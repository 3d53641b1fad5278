"""Clients over TCP and TLS, on asyncio: bytes in, frames to the service; frames out, bytes.

A client that does not read loses what it is sent beyond `_WRITE_LIMIT`, as it would over UDP, instead of filling our
memory; one that sends nonsense is disconnected.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import cast

from ...base import Address, PathId, canonical_ip
from ...turn import Framer
from .service import TurnService

_WRITE_LIMIT = 1 << 20
_MAX_FRAME_BYTES = 4 + 65_507


class _Connection(asyncio.Protocol):
    def __init__(self, service: TurnService) -> None:
        self._service = service
        self._framer = Framer(_MAX_FRAME_BYTES)
        self._transport: asyncio.Transport | None = None
        self._path: PathId | None = None
        self.lost = 0
        """Frames not sent, because the client does not read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        host, port = transport.get_extra_info("peername")[:2]
        self._path = self._service.add_stream(self, Address(canonical_ip(host), port))

    def data_received(self, data: bytes) -> None:
        frames = self._framer.receive(data)
        if frames and self._path is not None:
            self._service.receive_frames(self._path, frames)
        if self._framer.error is not None:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._path is not None:
            self._service.remove_stream(self._path)
            self._path = None

    def write(self, frames: Sequence[bytes]) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _WRITE_LIMIT:
            self.lost += len(frames)
            return
        transport.write(b"".join(frames))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def listen_stream(
    service: TurnService, host: str, port: int, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.Server, Address]:
    """Takes clients over TCP, or over TLS with a context. Errors: `OSError`."""
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(service), host, port, ssl=tls)
    bound = server.sockets[0].getsockname()
    return server, Address(bound[0], bound[1])
