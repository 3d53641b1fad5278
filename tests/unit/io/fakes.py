"""A machine of doubles: everything it is told is written down, everything it says is put in by the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from webrtc_stack.base import NEVER, Address, Datagram, PathId, PathTable, SocketId, Transmit
from webrtc_stack.errors import InvalidStateError


class FakeCore:
    def __init__(self) -> None:
        self.paths = PathTable()
        self.calls: list[tuple[Any, ...]] = []
        self.transmits: list[Transmit] = []
        self.events: list[Any] = []
        self.due = NEVER
        self.ended = False
        self.spinning = False
        self.polls = 0
        self.on_timeout: Callable[[float], None] = lambda now: None

    def _told(self, name: str, *arguments: Any) -> None:
        if self.ended:
            raise InvalidStateError("closed")
        self.calls.append((name, *arguments))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == name]

    def receive(self, data: Datagram, now: float) -> None:
        self.receive_many([data], now)

    def receive_many(self, burst: Sequence[Datagram], now: float) -> None:
        self.calls.append(("receive_many", list(burst), now))

    def handle_timeout(self, now: float) -> None:
        self.calls.append(("handle_timeout", now))
        if self.due <= now and not self.spinning:
            self.due = NEVER
        self.on_timeout(now)

    def poll_transmits(self, now: float, limit: int = 64) -> list[Transmit]:
        self.polls += 1
        sent, self.transmits = self.transmits[:limit], self.transmits[limit:]
        return sent

    def poll_events(self) -> list[Any]:
        events, self.events = self.events, []
        return events

    def next_timeout(self) -> float:
        return 0.0 if self.transmits else self.due

    def add_local(self, address: Address, socket_id: SocketId, now: float) -> None:
        self._told("add_local", address, socket_id, now)

    def remove_local(self, socket_id: SocketId, now: float) -> None:
        self._told("remove_local", socket_id, now)

    def locals_complete(self, now: float) -> None:
        self._told("locals_complete", now)

    def name_resolved(self, id: int, hosts: Sequence[str], now: float) -> None:
        self._told("name_resolved", id, list(hosts), now)

    def add_listener(self, address: Address, socket_id: SocketId, now: float) -> None:
        self._told("add_listener", address, socket_id, now)

    def stream_opened(self, id: int, path: PathId, local: Address, now: float) -> None:
        self._told("stream_opened", id, path, local, now)

    def stream_accepted(self, id: int, path: PathId, now: float) -> None:
        self._told("stream_accepted", id, path, now)

    def stream_closed(self, id: int, reason: str, now: float) -> None:
        self._told("stream_closed", id, reason, now)

    def stream_failed(self, id: int, reason: str, now: float) -> None:
        self._told("stream_failed", id, reason, now)
