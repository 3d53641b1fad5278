"""Clients over TCP and TLS: bytes in, frames to the service; frames out, bytes. On any runtime, real or simulated.

A client that does not read loses what it is sent beyond `_WRITE_LIMIT`, as it would over UDP, instead of filling our
memory; one that sends nonsense is disconnected.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...base import Address, PathId
from ...io import Listener, LocalAddressLike, Stream
from ...turn import Framer
from .service import TurnService

_WRITE_LIMIT = 1 << 19
"""Bytes that wait for a client to read, beside what its kernel and ours hold; below what a stream is aborted at."""
_MAX_FRAME_BYTES = 4 + 65_507


class Connection:
    """One client's stream, as the service knows it."""

    __slots__ = ("_framer", "_path", "_service", "_stream", "_waiting", "lost")

    def __init__(self, service: TurnService, stream: Stream) -> None:
        self.lost = 0
        """Frames not sent, because the client does not read."""
        self._service = service
        self._stream = stream
        self._framer = Framer(_MAX_FRAME_BYTES)
        self._waiting = 0
        self._path: PathId | None = None
        stream.start(on_bytes=self._on_bytes, on_writable=self._on_writable, on_closed=self._on_closed)
        self._path = service.add_stream(self, stream.remote)

    def _on_bytes(self, data: bytes) -> None:
        frames = self._framer.receive(data)
        if frames and self._path is not None:
            self._service.receive_frames(self._path, frames)
        if self._framer.error is not None:
            self._stream.close()
            self._on_closed("not a client of this server")

    def _on_writable(self) -> None:
        self._waiting = 0

    def _on_closed(self, reason: str) -> None:
        path, self._path = self._path, None
        if path is not None:
            self._service.remove_stream(path)

    def write(self, frames: Sequence[bytes]) -> None:
        if self._waiting > _WRITE_LIMIT:
            self.lost += len(frames)
            return
        data = b"".join(frames)
        self._stream.write(data)
        self._waiting = 0 if self._stream.writable else self._waiting + len(data)

    def close(self) -> None:
        self._stream.close()
        self._on_closed("closed by the server")


def listen_stream(
    service: TurnService, local: LocalAddressLike, port: int = 0, tls: object | None = None
) -> tuple[Listener, Address]:
    """Takes clients over TCP, or over TLS with a context. Errors: `OSError`."""

    def accept(stream: Stream) -> None:
        Connection(service, stream)

    listener = service.runtime.listen(local, port=port, tls=tls, on_accept=accept)
    return listener, listener.address
