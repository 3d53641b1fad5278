"""A non-blocking TCP connection under a reactor, with TLS inside if wished: the `Stream` of the runtime seam.

Its life: connecting -> shaking hands (TLS) -> ready -> started -> closed. No asyncio transport is used: the same few
calls serve every loop, nothing is left to be collected, and a stream that fails while it opens says why.

Invariants: callbacks come from the event loop only, never from inside `write`, `start` or `close`; `on_closed` comes
at most once and never after `close`; what waits is bounded by `pending_bytes`, above which the stream is aborted. A
closed stream keeps its descriptor until what was written has left, for at most `linger`.

Spec: RFC 9293 sections 3.6, 3.9; RFC 1122 section 4.2.2.13 (a close with bytes unread becomes a reset, which may
destroy what the other side has not read yet: so they are read and thrown away first). Left out: half-closed streams;
whoever ends one direction ends both.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..base import Address, canonical_ip
from ..errors import InvalidArgumentError, InvalidStateError
from .reactor import Reactor
from .runtime import Cancellable
from .tls import CHUNK_BYTES, NOT_TLS, TlsShell, describe

CLOSED_BY_PEER: Final = "closed by the peer"
_DRAIN_CALLS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamConfig:
    """How streams are set up."""

    connect_timeout: float = 10.0
    """Seconds until a connect counts as failed, TLS handshake included; also how long an accepted client may take for
    its handshake. Longer than two lost SYNs (1 + 2 s) and a slow handshake, shorter than a person waits."""
    pending_bytes: int = 2 * 1024 * 1024
    """Kept in the process while the kernel takes no more; above it the stream is aborted. Six seconds of video at
    2.5 Mbit/s: a stream that stalls for longer has lost its use."""
    unsent_bytes: int = 128 * 1024
    """Bytes that wait in the kernel before it says that it takes no more (TCP_NOTSENT_LOWAT, where there is one):
    the system's default lets seconds of media pile up where nobody can reorder or drop them."""
    turn_bytes: int = 256 * 1024
    """Bytes read in one turn of the event loop, after which other sockets and tasks get theirs."""
    linger: float = 1.0
    """Seconds that a closed stream may take to send what was written before."""
    backlog: int = 64
    """Clients that wait to be accepted, and those that may be in the middle of a TLS handshake at once."""

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "pending_bytes", "unsent_bytes", "turn_bytes", "linger", "backlog"):
            if getattr(self, name) <= 0:
                raise InvalidArgumentError(f"{name} must be positive, got {getattr(self, name)}")


class TcpStream:
    """One connection. `on_ready` comes once, with this stream or with the reason why there is none."""

    __slots__ = (
        "_broken",
        "_closed",
        "_config",
        "_connecting",
        "_deadline",
        "_lingering",
        "_on_bytes",
        "_on_closed",
        "_on_end",
        "_on_ready",
        "_on_writable",
        "_pending",
        "_reactor",
        "_ready",
        "_sock",
        "_started",
        "_tls",
        "_watching_readable",
        "_watching_writable",
        "local",
        "remote",
    )

    def __init__(
        self,
        sock: socket.socket,
        remote: Address,
        reactor: Reactor,
        *,
        config: StreamConfig,
        tls: TlsShell | None,
        on_ready: Callable[[TcpStream | str], None],
        on_end: Callable[[TcpStream], None],
    ) -> None:
        self.remote = remote
        self.local = remote
        self._sock = sock
        self._reactor = reactor
        self._config = config
        self._tls = tls
        self._on_ready = on_ready
        self._on_end = on_end
        """For whoever keeps account of descriptors: this one is closed."""
        self._on_bytes: Callable[[bytes], None] = lambda data: None
        self._on_writable: Callable[[], None] = lambda: None
        self._on_closed: Callable[[str], None] = lambda reason: None
        self._pending = bytearray()
        self._connecting = self._ready = self._started = False
        self._broken = self._lingering = self._closed = False
        self._watching_readable = self._watching_writable = False
        self._deadline: Cancellable | None = reactor.call_at(reactor.time() + config.connect_timeout, self._too_late)

    @property
    def writable(self) -> bool:
        return not self._pending

    # --- opening ----------------------------------------------------------------------------------------------------

    def wait_for_connect(self) -> None:
        """The system is connecting: waits for it to be done."""
        self._connecting = True
        self._watch_writable(True)

    def fail_soon(self, reason: str) -> None:
        """Nothing will come of it; `on_ready` hears so from the event loop."""
        self._broken = True
        self._reactor.call_at(self._reactor.time(), lambda: self._fail(reason))

    def connected(self) -> None:
        """There is a TCP connection. A handshake follows, or it is ready."""
        host, port = self._sock.getsockname()[:2]
        self.local = Address(canonical_ip(host), port)
        if self._tls is None:
            self._become_ready()
        else:
            self._watch_readable(True)
            self._shake_hands()

    def _shake_hands(self) -> None:
        assert self._tls is not None
        try:
            done = self._tls.handshake()
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._send(self._tls.take())  # the alert that tells the other side
            self._fail(NOT_TLS if isinstance(error, ssl.SSLEOFError) else describe(error, self._tls.name))
            return
        self._send(self._tls.take())
        if done and not self._closed:
            self._watch_readable(False)
            self._become_ready()

    def _become_ready(self) -> None:
        self._ready = True
        self._cancel_deadline()
        self._on_ready(self)

    def _too_late(self) -> None:
        self._deadline = None
        if self._lingering:
            self._release()
        else:
            missing = "connection" if self._connecting else "TLS handshake"
            self._fail(f"timed out: no {missing} within {self._config.connect_timeout:g} s")

    def _fail(self, reason: str) -> None:
        """Whatever state it is in, this is the end; the owner is told if it does not know yet."""
        silent = self._closed or self._lingering
        self._release()
        if not silent:
            tell = self._on_closed if self._ready else self._on_ready
            tell(reason)

    # --- the seam ---------------------------------------------------------------------------------------------------

    def start(
        self,
        *,
        on_bytes: Callable[[bytes], None],
        on_writable: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        """Errors: `InvalidStateError` when it was started already."""
        if self._started:
            raise InvalidStateError("a stream is started once")
        self._started = True
        self._on_bytes, self._on_writable, self._on_closed = on_bytes, on_writable, on_closed
        if self._closed or self._lingering:
            return
        self._watch_readable(True)
        if self._tls is not None:  # the last flight of the handshake may have brought more than the handshake
            self._reactor.call_at(self._reactor.time(), self._read_deciphered)

    def write(self, data: bytes) -> None:
        if self._broken or self._closed or self._lingering or not data:
            return
        if self._tls is not None:
            try:
                self._tls.write(data)
            except ssl.SSLError as error:
                self.fail_soon(describe(error))
                return
            data = self._tls.take()
        self._send(data)
        waiting = len(self._pending) + (self._tls.unwritten if self._tls is not None else 0)
        if waiting > self._config.pending_bytes:
            self._pending.clear()
            self._watch_readable(False)
            self._watch_writable(False)
            self.fail_soon(f"the other side does not read: more than {self._config.pending_bytes} bytes wait")

    def close(self) -> None:
        if self._closed or self._lingering:
            return
        self._cancel_deadline()
        if not self._ready:
            self._release()
            return
        self._lingering = True
        self._watch_readable(False)
        if self._tls is not None:
            self._tls.finish()
            self._send(self._tls.take())
        if self._pending and not self._broken:
            self._deadline = self._reactor.call_at(self._reactor.time() + self._config.linger, self._too_late)
        else:
            self._release()

    def abort(self) -> None:
        """Closes now, whatever waits. Idempotent; no callback comes afterwards."""
        self._release()

    # --- bytes ------------------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        left = self._config.turn_bytes
        while left > 0 and self._watching_readable:
            try:
                data = self._sock.recv(CHUNK_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._fail(describe(error))
                return
            if not data:
                shaking = self._tls is not None and not self._ready
                self._fail(f"{CLOSED_BY_PEER} during the TLS handshake" if shaking else CLOSED_BY_PEER)
                return
            left -= len(data)
            if self._tls is None:
                self._on_bytes(data)
            else:
                self._tls.feed(data)
                if self._ready:
                    self._read_deciphered()
                else:
                    self._shake_hands()
            if len(data) < CHUNK_BYTES:
                return  # most likely dry: saves a call, and the reactor is level-triggered

    def _read_deciphered(self) -> None:
        if self._tls is None or self._closed or self._lingering:
            return
        try:
            chunks = self._tls.read()
        except ssl.SSLError as error:
            self._send(self._tls.take())
            self._fail(describe(error))
            return
        self._send(self._tls.take())
        for chunk in chunks:
            if self._watching_readable:
                self._on_bytes(chunk)
        if self._tls.ended and not self._lingering:
            self._fail(CLOSED_BY_PEER)

    def _send(self, data: bytes) -> None:
        """Sends what the kernel takes and keeps the rest. An error is left to the read side, which hears of it too."""
        if self._broken or self._closed or not data:
            return
        if not self._pending:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self.fail_soon(describe(error))
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._pending += data
        self._watch_writable(True)

    def _on_kernel_writable(self) -> None:
        if self._closed:
            return
        if self._connecting:
            self._connecting = False
            self._watch_writable(False)
            number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self._fail(describe(OSError(number, "")))
            else:
                self.connected()
            return
        try:
            while self._pending:
                with memoryview(self._pending) as view, view[: 4 * CHUNK_BYTES] as piece:
                    sent = self._sock.send(piece)
                del self._pending[:sent]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._fail(describe(error))
            return
        self._watch_writable(False)
        if self._lingering:
            self._release()
        elif self._started:
            self._on_writable()

    # --- the end ----------------------------------------------------------------------------------------------------

    def _watch_readable(self, on: bool) -> None:
        if on != self._watching_readable and not self._closed:
            self._watching_readable = on
            if on:
                self._reactor.watch_readable(self._sock.fileno(), self._on_readable)
            else:
                self._reactor.unwatch_readable(self._sock.fileno())

    def _watch_writable(self, on: bool) -> None:
        if on != self._watching_writable and not self._closed:
            self._watching_writable = on
            if on:
                self._reactor.watch_writable(self._sock.fileno(), self._on_kernel_writable)
            else:
                self._reactor.unwatch_writable(self._sock.fileno())

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _release(self) -> None:
        if self._closed:
            return
        self._cancel_deadline()
        self._watch_readable(False)
        self._watch_writable(False)
        self._closed = True
        self._pending.clear()
        if self._ready:
            self._drain()
        self._sock.close()
        self._on_end(self)

    def _drain(self) -> None:
        for _ in range(_DRAIN_CALLS):
            try:
                if not self._sock.recv(CHUNK_BYTES):
                    return
            except OSError:
                return  # dry, or there is no connection any more


def set_options(sock: socket.socket, config: StreamConfig) -> None:
    """What every stream has: no delay for small segments, and a kernel that does not hoard."""
    wishes = [(socket.TCP_NODELAY, 1)]
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        wishes.append((socket.TCP_NOTSENT_LOWAT, config.unsent_bytes))
    for option, value in wishes:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        except OSError:
            continue  # the stream works without
