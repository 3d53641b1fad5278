"""A server whose wishes come true at once, a client that is told what to do, and the two of them on a wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webrtc_stack.base import Address, Datagram, PathId, SeededEntropy, SocketId, Transmit
from webrtc_stack.sim import LinkConfig, MachinePair
from webrtc_stack.trace import MemorySink, Trace
from webrtc_stack.turn import (
    CloseRelay,
    OpenRelay,
    PeerPolicy,
    TurnClient,
    TurnClientConfig,
    TurnServer,
    TurnServerConfig,
)

CLIENT = Address("203.0.113.7", 40000)
SERVER = Address("198.51.100.1", 3478)
PEER = Address("203.0.113.50", 5000)
PEER6 = Address("2001:db8::50", 5000)
LISTENING = SocketId(1)
USER, PASSWORD = "alice", "secret"
OPEN_POLICY = PeerPolicy.of(allow=("203.0.113.0/24", "2001:db8::/32"))


def server_config(**changes: Any) -> TurnServerConfig:
    given: dict[str, Any] = {
        "realm": "example.org",
        "users": {USER: PASSWORD, "bob": "other"},
        "policy": OPEN_POLICY,
        "entropy": SeededEntropy("server"),
    }
    return TurnServerConfig(**(given | changes))


def client_config(**changes: Any) -> TurnClientConfig:
    given: dict[str, Any] = {
        "server": SERVER,
        "username": USER,
        "password": PASSWORD,
        "entropy": SeededEntropy("client"),
    }
    return TurnClientConfig(**(given | changes))


class RelayingServer(TurnServer):
    """Opens its relays at once, and keeps apart what goes to peers."""

    def __init__(self, config: TurnServerConfig) -> None:
        super().__init__(config)
        self.to_peers: list[tuple[Address, Address, bytes]] = []
        """From which relayed address, to whom, what."""
        self.relays: dict[SocketId, Address] = {}
        self.refuse_ports = 0
        self.silent = False
        self._kept: list[Any] = []
        self._sockets = 100
        path = self.paths.intern(LISTENING, CLIENT)
        assert path == 1, "both sides call their only path 1"
        self.paths.pin(path)

    def client_path(self, client: Address = CLIENT) -> PathId:
        return self.paths.intern(LISTENING, client)

    def receive_many(self, burst: Sequence[Datagram], now: float) -> None:
        super().receive_many(burst, now)
        self._grant(now)

    def handle_timeout(self, now: float) -> None:
        super().handle_timeout(now)
        self._grant(now)

    def _grant(self, now: float) -> None:
        while wishes := super().poll_events():
            for event in wishes:
                if isinstance(event, OpenRelay) and self.silent:
                    continue
                if isinstance(event, OpenRelay) and self.refuse_ports:
                    self.refuse_ports -= 1
                    self.relay_failed(event.id, "EADDRINUSE", now)
                elif isinstance(event, OpenRelay):
                    self._sockets += 1
                    socket = SocketId(self._sockets)
                    address = Address(SERVER.host if event.family == 4 else "2001:db8::1", event.port)
                    self.relays[socket] = address
                    self.relay_opened(event.id, address, socket, now)
                elif isinstance(event, CloseRelay):
                    del self.relays[event.socket]
                else:
                    self._kept.append(event)

    def poll_events(self) -> list[Any]:
        self._grant(self._now)
        kept, self._kept = self._kept, []
        return kept

    def poll_transmits(self, now: float, limit: int = 64) -> list[Transmit]:
        out = []
        for transmit in super().poll_transmits(now, limit):
            path = self.paths.lookup(transmit.path)
            if path is None:
                continue  # forgotten: a driver does the same
            if path.socket in self.relays:
                self.to_peers.append((self.relays[path.socket], path.remote, transmit.data))
            else:
                out.append(transmit)
        return out

    def from_peer(
        self, datagrams: Sequence[bytes], now: float, peer: Address = PEER, relay: Address | None = None
    ) -> None:
        """A peer sends to a relayed address (the only one unless said otherwise)."""
        socket = next(one for one, address in self.relays.items() if relay in (None, address))
        path = self.paths.intern(socket, peer)
        self.receive_many([Datagram(path, data) for data in datagrams], now)


class Wire(MachinePair[Any]):
    """Client (side 0) and server (side 1); time is `now`, everything that happened is in `events`."""

    def __init__(
        self,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        *,
        seed: int = 1,
        link: LinkConfig | None = None,
    ) -> None:
        self.client_sink, self.server_sink = MemorySink(), MemorySink()
        self.client = TurnClient(client_config(trace=Trace(self.client_sink), **(client or {})))
        self.server = RelayingServer(server_config(trace=Trace(self.server_sink), **(server or {})))
        super().__init__(
            _Inputs(self.client),
            _Inputs(self.server),
            seed=seed,
            link=link or LinkConfig(latency=0.01),
            bytes_of=lambda transmit: transmit.data,
        )

    def happened(self, kind: type, side: int = 0) -> list[Any]:
        return [event for _, event in self.events[side] if isinstance(event, kind)]

    def run_for(self, seconds: float) -> None:
        self.run(until=self.now + seconds)


class _Inputs:
    """What one side sends, as what the other one receives on its path 1."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.machine, name)

    def receive(self, data: Any, now: float) -> None:
        self.receive_many([data], now)

    def receive_many(self, burst: Sequence[Any], now: float) -> None:
        self.machine.receive_many([Datagram(PathId(1), one.data) for one in burst], now)

    def handle_timeout(self, now: float) -> None:
        self.machine.handle_timeout(now)

    def poll_transmits(self, now: float, limit: int = 64) -> Any:
        return self.machine.poll_transmits(now, limit)

    def poll_events(self) -> Any:
        return self.machine.poll_events()

    def next_timeout(self) -> float:
        return float(self.machine.next_timeout())


def allocated(client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **more: Any) -> Wire:
    """A wire on which the client has its allocation."""
    wire = Wire(client, server, **more)
    wire.client.allocate(0.0)
    wire.run_for(1.0)
    assert wire.client.relayed is not None
    return wire
