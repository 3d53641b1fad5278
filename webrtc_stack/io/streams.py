"""Streams of the runtime seam: connecting them, listening for them, and keeping account of both.

Spec: RFC 9293 (TCP), RFC 8446 (TLS). Left out: happy eyeballs (RFC 8305), because ICE and the TURN client try every
address themselves and tell the user which failed and why.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import Final

from ..base import Address, Instant, canonical_ip
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, Trace
from . import kernel
from .interfaces import local_addresses
from .reactor import Reactor
from .runtime import Cancellable, LocalAddressLike, Stream
from .tcp import StreamConfig, TcpStream, set_options
from .tls import TlsShell, client_context, describe

_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""Linux: the port is chosen at the connect, so that one address has 28,000 ports for each remote, not for all."""
_ACCEPTS_A_TURN: Final = 16
_PAUSE: Final = 1.0
"""Seconds without accepting after the system had no descriptor left."""


class StreamListener:
    """A listening socket under a reactor: the `Listener` of the runtime seam."""

    __slots__ = ("_closed", "_factory", "_handshakes", "_on_accept", "_resume", "_sock", "_tls", "address", "refused")

    def __init__(
        self,
        factory: StreamFactory,
        sock: socket.socket,
        tls: ssl.SSLContext | None,
        on_accept: Callable[[Stream], None],
    ) -> None:
        host, port = sock.getsockname()[:2]
        self.address = Address(canonical_ip(host), port)
        self.refused = 0
        """Clients that were turned away: their handshake failed, or too many were at it."""
        self._factory = factory
        self._sock = sock
        self._tls = tls
        self._on_accept = on_accept
        self._handshakes: set[TcpStream] = set()
        self._resume: Cancellable | None = None
        self._closed = False
        factory.reactor.watch_readable(sock.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        for _ in range(_ACCEPTS_A_TURN):
            if self._closed:
                return
            try:
                sock, remote = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # who waits keeps waiting, and level-triggered watching would spin
                    reactor = self._factory.reactor
                    reactor.unwatch_readable(self._sock.fileno())
                    self._resume = reactor.call_at(reactor.time() + _PAUSE, self._watch_again)
                    return
                continue  # this one client went away before it was accepted
            self._take(sock, remote)

    def _watch_again(self) -> None:
        self._resume = None
        self._factory.reactor.watch_readable(self._sock.fileno(), self._on_readable)

    def _take(self, sock: socket.socket, remote: tuple[str, int]) -> None:
        if self._tls is not None and len(self._handshakes) >= self._factory.config.backlog:
            self.refused += 1
            sock.close()
            return

        def ready(result: TcpStream | str) -> None:
            self._handshakes.discard(stream)
            if isinstance(result, str):
                self.refused += 1
                self._factory.refused(stream, result)
            else:
                self._on_accept(result)

        sock.setblocking(False)
        shell = None if self._tls is None else TlsShell(self._tls, server_side=True)
        stream = self._factory.adopt(sock, Address(canonical_ip(remote[0]), remote[1]), shell, ready)
        self._handshakes.add(stream)
        try:
            stream.connected()
        except OSError:  # already gone: it has no name any more
            self._handshakes.discard(stream)
            stream.abort()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._resume is not None:
            self._resume.cancel()
        else:
            self._factory.reactor.unwatch_readable(self._sock.fileno())
        self._sock.close()
        for stream in list(self._handshakes):
            stream.abort()
        self._handshakes.clear()
        self._factory.listeners.discard(self)


class _Opening:
    """A connect that can be given up."""

    __slots__ = ("done", "on_result", "stream")

    def __init__(self, on_result: Callable[[Stream | str], None]) -> None:
        self.on_result = on_result
        self.stream: TcpStream | None = None
        self.done = False

    def finish(self, result: Stream | str) -> None:
        if not self.done:
            self.done = True
            self.on_result(result)

    def cancel(self) -> None:
        if not self.done:
            self.done = True
            if self.stream is not None:
                self.stream.abort()


class StreamFactory:
    """Makes streams and listeners on one reactor, and can end them all."""

    def __init__(
        self,
        reactor: Reactor,
        *,
        config: StreamConfig | None = None,
        tls_context: ssl.SSLContext | None = None,
        trace: Trace = NO_TRACE,
    ) -> None:
        self.reactor = reactor
        self.config = config or StreamConfig()
        self.streams: set[TcpStream] = set()
        """Every one that has a descriptor."""
        self.listeners: set[StreamListener] = set()
        self._tls_context = tls_context
        self._trace = trace

    def open(
        self,
        remote: Address,
        *,
        protocol: str,
        server_name: str | None = None,
        local: str | None = None,
        on_result: Callable[[Stream | str], None],
    ) -> Cancellable:
        """Connects, as the runtime seam says. Without `server_name` a certificate must name the address."""
        opening = _Opening(on_result)
        started = self.reactor.time()

        def ready(result: TcpStream | str) -> None:
            if self._trace:
                self._report(remote, protocol, started, result)
            opening.finish(result)

        reason = self._open(opening, remote, protocol, server_name, local, ready)
        if reason:
            self.reactor.call_at(started, lambda: None if opening.done else ready(reason))
        return opening

    def _open(
        self,
        opening: _Opening,
        remote: Address,
        protocol: str,
        server_name: str | None,
        local: str | None,
        ready: Callable[[TcpStream | str], None],
    ) -> str:
        """Returns: why it cannot even begin; empty if it has begun."""
        shell: TlsShell | None = None
        try:
            if protocol not in ("tcp", "tls"):
                return f"there are no streams over {protocol!r}: it is 'tcp' or 'tls'"
            target = _sockaddr(remote.host, remote.port, local)
            source = None if local is None else _sockaddr(local, 0, local)
            if source is not None and len(source) != len(target):
                return f"no way from {local} to {remote.host}: one is IPv4, one IPv6"
            if protocol == "tls":
                shell = TlsShell(self._context(), server_side=False, server_name=server_name or remote.host)
        except (InvalidArgumentError, ValueError, ssl.SSLError) as error:
            return str(error)
        try:
            sock = socket.socket(socket.AF_INET6 if len(target) == 4 else socket.AF_INET, socket.SOCK_STREAM)
        except OSError as error:
            return describe(error)
        try:
            sock.setblocking(False)
            set_options(sock, self.config)
            if source is not None:
                _bind(sock, source)
            number = sock.connect_ex(target)
            if number not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR):
                raise OSError(number, "")
            stream = opening.stream = self.adopt(sock, remote, shell, ready)
            stream.wait_for_connect()  # a socket that is connected already is writable at once
        except OSError as error:
            sock.close()
            return describe(error)
        except BaseException:
            sock.close()
            raise
        return ""

    def _context(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = client_context()  # reads the system's authorities: some 20 ms, once, if ever
        return self._tls_context

    def listen(
        self, local: LocalAddressLike, *, port: int = 0, tls: object | None = None, on_accept: Callable[[Stream], None]
    ) -> StreamListener:
        """Listens, as the runtime seam says.

        Errors: `OSError`; `InvalidArgumentError` if `tls` is no `ssl.SSLContext`.
        """
        if tls is not None and not isinstance(tls, ssl.SSLContext):
            raise InvalidArgumentError(f"tls is an ssl.SSLContext, got {type(tls).__name__}")
        _, host, scope_id = local
        ipv6 = ":" in host
        sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)  # Windows: what others do anyway
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections in TIME-WAIT keep no port
            if ipv6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            set_options(sock, self.config)  # accepted sockets have them from here
            sock.bind((host, port, 0, scope_id) if ipv6 else (host, port))
            sock.listen(self.config.backlog)
            listener = StreamListener(self, sock, tls, on_accept)
        except BaseException:
            sock.close()
            raise
        self.listeners.add(listener)
        return listener

    def adopt(
        self, sock: socket.socket, remote: Address, tls: TlsShell | None, on_ready: Callable[[TcpStream | str], None]
    ) -> TcpStream:
        """A stream around a connected or connecting socket, accounted for until its descriptor is closed."""
        stream = TcpStream(
            sock,
            remote,
            self.reactor,
            config=self.config,
            tls=tls,
            on_ready=on_ready,
            on_end=self.streams.discard,
        )
        self.streams.add(stream)
        return stream

    def refused(self, stream: TcpStream, reason: str) -> None:
        """A client that was turned away."""
        if self._trace:
            self._trace.event(self.reactor.time(), "stream_refused", remote=str(stream.remote), reason=reason)

    def _report(self, remote: Address, protocol: str, started: Instant, result: TcpStream | str) -> None:
        now = self.reactor.time()
        reason, local = (result, "") if isinstance(result, str) else ("", str(result.local))
        self._trace.event(
            now,
            "stream_failed" if reason else "stream_opened",
            remote=str(remote),
            local=local,
            protocol=protocol,
            reason=reason,
            after=round(now - started, 6),
        )

    def close(self) -> None:
        """Ends every listener and stream at once, those included whose last bytes are on their way. Idempotent."""
        for listener in list(self.listeners):
            listener.close()
        for stream in list(self.streams):
            stream.abort()


def _sockaddr(host: str, port: int, local: str | None) -> tuple[str, int] | tuple[str, int, int, int]:
    """What the system takes; a name here would make the call wait for DNS. Errors: `InvalidArgumentError`."""
    host = canonical_ip(host)
    if not 0 <= port <= 65535:
        raise InvalidArgumentError(f"a port is a number from 0 to 65535, got {port}")
    if ":" not in host:
        return host, port
    scope_id = 0
    if ipaddress.ip_address(host).is_link_local and local is not None:
        source = canonical_ip(local)
        scope_id = next((scope for _, name, scope in local_addresses() if name == source), 0)
    return host, port, 0, scope_id


def _bind(sock: socket.socket, source: tuple[str, int] | tuple[str, int, int, int]) -> None:
    if kernel.IS_LINUX:
        try:
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        except OSError:
            pass  # an old kernel: a port is taken now
    sock.bind(source)
