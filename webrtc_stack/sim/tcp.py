"""The TCP side of a host's kernel: listeners, connections, and what becomes of a segment for nobody."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..base import Address
from .packet import Flag, Packet, Segment, Transport
from .stream import SimStream
from .tls import Handshake, VirtualCertificate

if TYPE_CHECKING:
    from .host import Host

_MAX_HALF_OPEN: Final = 256
"""Connections of one listener that are not accepted yet; more are ignored, as with a full backlog."""
_FIRST_EPHEMERAL_PORT: Final = 49152


class SimListener:
    """A listening socket."""

    def __init__(
        self,
        stack: TcpStack,
        address: Address,
        certificate: VirtualCertificate | None,
        on_accept: Callable[[SimStream], None],
    ) -> None:
        self.address = address
        self.certificate = certificate
        self.half_open = 0
        self._stack = stack
        self._on_accept: Callable[[SimStream], None] | None = on_accept

    def close(self) -> None:
        """Idempotent; streams that were accepted live on, those that were not yet are reset."""
        if self._on_accept is not None:
            self._on_accept = None
            self._stack.listeners.pop(self.address, None)

    def accepted(self, result: SimStream | str) -> None:
        """A connection is ready, or will never be."""
        self.half_open -= 1
        if isinstance(result, SimStream):
            if self._on_accept is None:
                result.abort()
            else:
                self._on_accept(result)


class Connecting:
    """A connection that is being opened; `cancel` forgets it."""

    __slots__ = ("_stream",)

    def __init__(self, stream: SimStream) -> None:
        self._stream = stream

    def cancel(self) -> None:
        if not self._stream.opened:
            self._stream.abort()


class TcpStack:
    """Everything of TCP that a host has."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.listeners: dict[Address, SimListener] = {}
        self.streams: dict[tuple[Address, Address], SimStream] = {}
        self._next_port = _FIRST_EPHEMERAL_PORT

    def _port(self, ip: str) -> int:
        """A free port. Errors: `OSError` when there is none."""
        used = {local.port for local, _ in self.streams if local.host == ip}
        used.update(address.port for address in self.listeners if address.host == ip)
        for _ in range(65536 - _FIRST_EPHEMERAL_PORT):
            port = self._next_port
            self._next_port = port + 1 if port < 65535 else _FIRST_EPHEMERAL_PORT
            if port not in used:
                return port
        raise OSError(errno.EADDRNOTAVAIL, f"no port of {ip} is free")

    def listen(self, ip: str, port: int, tls: object | None, on_accept: Callable[[SimStream], None]) -> SimListener:
        if ip not in self.host.addresses:
            raise OSError(errno.EADDRNOTAVAIL, f"{ip} is not an address of {self.host.name}")
        address = Address(ip, port or self._port(ip))
        if address in self.listeners:
            raise OSError(errno.EADDRINUSE, f"{address} is in use")
        if tls is None or isinstance(tls, VirtualCertificate):
            certificate = tls
        else:
            certificate = VirtualCertificate()
        listener = self.listeners[address] = SimListener(self, address, certificate, on_accept)
        return listener

    def connect(
        self,
        local: str,
        remote: Address,
        server_name: str | None,
        on_result: Callable[[SimStream | str], None],
    ) -> Connecting:
        """`server_name` is None for plain TCP."""
        handshake = None if server_name is None else Handshake(name=server_name)
        address = Address(local, self._port(local))
        stream = SimStream(self, address, remote, handshake=handshake, passive=False, on_result=on_result)
        self.streams[address, remote] = stream
        stream.open()
        return Connecting(stream)

    def forget(self, stream: SimStream) -> None:
        key = (stream.local, stream.remote)
        if self.streams.get(key) is stream:
            del self.streams[key]

    def send(self, local: Address, remote: Address, segment: Segment) -> None:
        self.host.send_packet(Packet(Transport.TCP, local, remote, segment=segment))

    def receive(self, packet: Packet) -> None:
        """A segment has reached this host."""
        segment = packet.segment
        assert segment is not None
        stream = self.streams.get((packet.destination, packet.source))
        if stream is not None:
            stream.receive(segment)
            return
        listener = self.listeners.get(packet.destination)
        if listener is not None and segment.flags == Flag.SYN:
            if listener.half_open < _MAX_HALF_OPEN:
                self._accept(listener, packet)
            else:
                self.host.drops.add("backlog full")
        elif not segment.flags & Flag.RST:
            self.host.drops.add("port closed")
            self.send(packet.destination, packet.source, Segment(Flag.RST | Flag.ACK, segment.ack, segment.seq))

    def _accept(self, listener: SimListener, packet: Packet) -> None:
        certificate = listener.certificate
        stream = SimStream(
            self,
            packet.destination,
            packet.source,
            handshake=None if certificate is None else Handshake(certificate=certificate),
            passive=True,
            on_result=listener.accepted,
        )
        listener.half_open += 1
        self.streams[packet.destination, packet.source] = stream
        stream.open()
