"""Endpoints for tests of boxes: they remember from whom they heard what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webrtc_stack import sim
from webrtc_stack.base import Address


class Endpoint:
    """A UDP socket and what it received, as (from whom, what)."""

    def __init__(self, host: sim.Host, port: int = 5000, ip: str | None = None) -> None:
        self.net = host.network
        self.received: list[tuple[Address, bytes]] = []
        self.socket = host.open_udp(
            ("", ip or host.addresses[0], 0), port=port, on_burst=self._on_burst, on_writable=lambda: None
        )

    @property
    def address(self) -> Address:
        return self.socket.address

    def _on_burst(self, burst: Sequence[tuple[Address, bytes, int]]) -> None:
        self.received += [(remote, data) for remote, data, _ in burst]

    def send(self, to: Address | Endpoint, data: bytes = b"x", settle: float = 0.5) -> None:
        self.socket.send_burst([(to.address if isinstance(to, Endpoint) else to, data, 0)])
        self.net.run_until(self.net.now + settle)

    def take(self) -> list[tuple[Address, bytes]]:
        taken, self.received = self.received, []
        return taken

    @property
    def senders(self) -> list[Address]:
        """Who has sent since the last look."""
        return [remote for remote, _ in self.take()]

    def sees(self, who: Endpoint) -> Address:
        """How `who` looks from here."""
        self.take()
        who.send(self)
        (seen,) = self.senders
        return seen

    def reaches(self, whom: Endpoint, at: Address) -> bool:
        """Whether a datagram to `at` comes to `whom`."""
        whom.take()
        self.send(at, b"probe")
        return bool(whom.take())


class Outside:
    """A public network with two servers of two ports, and a NAT with two hosts behind it."""

    def __init__(self, config: sim.NatConfig | str | None = None, *, seed: int = 1, **changes: Any) -> None:
        self.net = sim.Network(seed)
        one, two = self.net.host("198.51.100.1", name="one"), self.net.host("198.51.100.2", name="two")
        self.x1, self.x2, self.y1 = Endpoint(one, 1000), Endpoint(one, 2000), Endpoint(two, 1000)
        self.nat = self.net.nat("203.0.113.1", config, **changes)
        self.a = Endpoint(self.nat.host("192.168.1.2", name="a"))
        self.b = Endpoint(self.nat.host("192.168.1.3", name="b"))


class Dialled:
    """What became of a connection."""

    def __init__(self, host: sim.Host, remote: Address, protocol: str = "tcp", settle: float = 15.0) -> None:
        self.stream: sim.SimStream | None = None
        self.failure: str | None = None
        self.received = b""
        self.closed: list[str] = []
        host.open_stream(remote, protocol=protocol, on_result=self.on_result)
        host.network.run_until(host.network.now + settle)

    def on_result(self, result: sim.SimStream | str) -> None:
        if isinstance(result, str):
            self.failure = result
        else:
            self.stream = result
            result.start(on_bytes=self._on_bytes, on_writable=lambda: None, on_closed=self.closed.append)

    def _on_bytes(self, data: bytes) -> None:
        self.received += data


class EchoServer:
    """Accepts streams and sends everything back."""

    def __init__(self, host: sim.Host, port: int = 80) -> None:
        self.peers: list[Address] = []
        self.address = host.listen(("", host.addresses[0], 0), port=port, on_accept=self._on_accept).address

    def _on_accept(self, stream: sim.SimStream) -> None:
        self.peers.append(stream.remote)
        stream.start(on_bytes=stream.write, on_writable=lambda: None, on_closed=lambda reason: None)
