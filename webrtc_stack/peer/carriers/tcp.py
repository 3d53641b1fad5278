"""ICE over TCP: streams that are opened when something is to be sent, or accepted, each a path that carries datagrams.

Spec: RFC 6544 sections 3 (framing), 4.1 (active and passive candidates), 7 (connections). Left out: simultaneous open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from ...base import NEVER, Datagram, Drops, Instant, PathId, SocketId, Transmit
from .rfc4571 import StreamFramer, frame_many

_datagram: Final[Callable[[tuple[PathId, bytes, int]], Datagram]] = partial(tuple.__new__, Datagram)


class TcpPath:
    """One stream. ICE knows it as `path`; the driver reads and writes on `wire`, None while it is being opened."""

    __slots__ = ("_drops", "_held", "failed", "framer", "idle_at", "path", "socket", "stream", "wire")

    def __init__(
        self, path: PathId, wire: PathId | None, socket: SocketId, stream: int, *, max_held: int, drops: Drops
    ) -> None:
        self._drops = drops
        self._held: deque[bytes] = deque(maxlen=max_held)
        self.path = path
        self.wire = wire
        self.socket = socket
        """The virtual or listening socket that ICE knows it by."""
        self.stream = stream
        self.framer = StreamFramer()
        self.failed = False
        self.idle_at: Instant = NEVER
        """When it is looked at whether ICE has use for it."""

    @property
    def own_pins(self) -> int:
        """How often its path is pinned by the carriers themselves."""
        return int(self.wire == self.path)

    def take(self, chunks: list[bytes], out: list[Datagram], now: Instant) -> None:
        path = self.path
        for chunk in chunks:
            out += [_datagram((path, data, 0)) for data in self.framer.receive(chunk)]

    def send(self, path: PathId, datagrams: Sequence[bytes], out: list[Transmit], now: Instant) -> None:
        if self.failed:
            self._drops.add("stream closed", len(datagrams))
        elif self.wire is None:
            overflow = len(self._held) + len(datagrams) - (self._held.maxlen or 0)
            if overflow > 0:
                self._drops.add("stream not open yet", overflow)
            self._held.extend(datagrams)
        else:
            out.append(Transmit(self.wire, frame_many(datagrams)))

    def opened(self, wire: PathId) -> list[Transmit]:
        """The stream stands. Returns: what waited for it."""
        self.wire = wire
        held, self._held = list(self._held), deque(maxlen=self._held.maxlen)
        return [Transmit(wire, frame_many(held))] if held else []
