"""A non-blocking UDP socket that moves bursts.

Sending: neighbours in a burst with the same remote, marking and size (the last may be shorter) leave in one `sendmsg`
with a segment size, which the kernel or the device cuts up (GSO); others by `sendto`. Receiving: `recvmsg` may return
many datagrams of one remote joined together, with their stride beside them (GRO). Where the kernel has neither, one
call moves one datagram, and nothing else differs.

Invariants: nothing that the network does is ever raised: it is counted by reason. The order towards one remote is the
order given. What the kernel does not take is kept up to a limit in bytes and sent first; beyond, the newest is lost.

Left out: don't-fragment. Without path MTU search (RFC 8899) it would turn a datagram that is too large for some path
into silence, where fragments mostly arrive; what the stack sends is small enough not to need it. Packet information
(RFC 3542) is not needed, because each socket is bound to one address.

Spec: RFC 768; RFC 3168 section 5 (ECN); RFC 2474 section 3, RFC 8837 (DSCP); Linux udp(7).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any, Final, NamedTuple

from ..base import Address, Drops, canonical_ip
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, Trace
from . import kernel
from .reactor import Reactor
from .runtime import LocalAddressLike, Outgoing, Received, ReceivedLike

_LARGEST_DATAGRAM: Final = 65_535
_MAX_KNOWN_REMOTES: Final = 1024
"""Remotes whose socket address is remembered; the memory is emptied when full."""
_SAFE_SEGMENT: Final = 1232
"""Fits every IPv6 link (1280 less IP and UDP headers): refused at this size, segmentation does not work at all."""

_GSO_REFUSALS: Final = frozenset(
    {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.ENOTSUP}
)
_EARLIER_DATAGRAM: Final = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})
"""An ICMP error about a datagram sent before, told by whichever call comes next: that call has done nothing yet."""
_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM, errno.EACCES})

# Tuples made without a Python-level call each: both types are plain NamedTuples.
_received: Callable[[tuple[Address, bytes, int]], Received] = partial(tuple.__new__, Received)

_buffer = bytearray(_LARGEST_DATAGRAM)
_view = memoryview(_buffer)
"""One receive buffer for all sockets: what is in it is copied out before anybody else runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpConfig:
    """How UDP sockets are set up."""

    receive_buffer_bytes: int = 4 * 1024 * 1024
    """SO_RCVBUF asked for; the system may give less. 4 MiB hold a third of a second at 100 Mbit/s while the
    interpreter does something else."""
    send_buffer_bytes: int = 1024 * 1024
    """SO_SNDBUF asked for: about 16 full batches, so that one stall of a device does not stop the sender."""
    pending_bytes: int = 1024 * 1024
    """Kept in the process while the kernel takes no more; beyond it the newest datagrams are lost. Machines are not
    polled meanwhile, so in practice this holds what one poll gave."""
    turn_calls: int = 64
    """Receive calls in one turn of the event loop, after which other sockets and tasks get theirs."""
    turn_bytes: int = 256 * 1024
    """Bytes received in one turn; some 200 full datagrams, a few milliseconds of protocol work."""
    gso: bool = True
    """Segment bursts in the kernel where it can."""
    gro: bool = True
    """Receive joined datagrams where the kernel can."""
    ecn: bool = False
    """Read the ECN bits of what arrives: one control message more a call, and nobody asks before congestion control
    by marks is negotiated. Marks on what is *sent* are always honoured."""
    dscp: int | None = None
    """The differentiated services codepoint of what is sent, 0 to 63; None leaves it to the system. 46 (expedited
    forwarding) is what RFC 8837 gives to audio of high priority. One for all, because all media share a socket; most
    networks on the way clear it, some drop what carries it."""

    def __post_init__(self) -> None:
        for name in ("receive_buffer_bytes", "send_buffer_bytes", "pending_bytes", "turn_calls", "turn_bytes"):
            if getattr(self, name) <= 0:
                raise InvalidArgumentError(f"{name} must be positive, got {getattr(self, name)}")
        if self.dscp is not None and not 0 <= self.dscp <= 63:
            raise InvalidArgumentError(f"dscp is a number from 0 to 63, or None, got {self.dscp}")


@dataclass(slots=True)
class UdpCounters:
    """What a socket has done."""

    datagrams_in: int = 0
    datagrams_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    syscalls_in: int = 0
    syscalls_out: int = 0
    gro_batches: int = 0
    """Receive calls that returned more than one datagram."""
    gso_batches: int = 0
    blocked: int = 0
    """How often the kernel took no more."""


class Run(NamedTuple):
    """Datagrams that may leave in one call. All have `size` bytes, save that the last may be shorter."""

    remote: Address
    ecn: int
    size: int
    chunks: list[bytes]


def segment(
    burst: Sequence[Outgoing],
    max_segments: int = kernel.MAX_SEGMENTS,
    max_bytes: int = kernel.MAX_BATCH_BYTES,
    max_size: int = kernel.MAX_BATCH_BYTES,
) -> list[Run]:
    """Cuts a burst into runs, in order: their concatenation is the burst. Datagrams above `max_size` travel alone.

    Empty datagrams travel alone too: as a segment they would vanish.
    """
    runs: list[Run] = []
    remote: Address | None = None
    chunks: list[bytes] = []
    marking = size = total = 0
    room = False
    for to, data, ecn in burst:
        length = len(data)
        if (
            room
            and 0 < length <= size
            and ecn == marking
            and total + length <= max_bytes
            and (to is remote or to == remote)
        ):
            chunks.append(data)
            total += length
            room = length == size and len(chunks) < max_segments
        else:
            chunks = [data]
            runs.append(Run(to, ecn, length, chunks))
            remote, marking, size, total = to, ecn, length, length
            room = 0 < length <= max_size and max_segments > 1
    return runs


def bind_udp(local: LocalAddressLike, port: int, config: UdpConfig) -> socket.socket:
    """A bound, non-blocking socket with its buffers enlarged. Errors: `OSError`."""
    _, host, scope_id = local
    ipv6 = ":" in host
    sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port, 0, scope_id) if ipv6 else (host, port))
    except BaseException:
        sock.close()
        raise
    for option, size in (
        (socket.SO_RCVBUF, config.receive_buffer_bytes),
        (socket.SO_SNDBUF, config.send_buffer_bytes),
    ):
        while size > 65_536 and not _set(sock, socket.SOL_SOCKET, option, size):
            size //= 2  # Linux takes any wish and cuts it; others refuse what is above their maximum
    if config.dscp is not None:
        level, option = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if ipv6 else (socket.IPPROTO_IP, socket.IP_TOS)
        _set(sock, level, option, config.dscp << 2)  # where it is refused (Windows), datagrams leave unmarked
    return sock


class BurstSocket:
    """One bound UDP socket under a reactor: the `UdpSocket` of the runtime seam."""

    __slots__ = (
        "_closed",
        "_config",
        "_gso_limit",
        "_ipv6",
        "_on_burst",
        "_on_writable",
        "_pending",
        "_pending_bytes",
        "_reactor",
        "_receive",
        "_scope_id",
        "_sock",
        "_sockaddrs",
        "_trace",
        "_watching_writable",
        "address",
        "counters",
        "errors",
        "unreachable",
    )

    def __init__(
        self,
        sock: socket.socket,
        reactor: Reactor,
        *,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
        config: UdpConfig | None = None,
        scope_id: int = 0,
        trace: Trace = NO_TRACE,
    ) -> None:
        config = config or UdpConfig()
        host, port = sock.getsockname()[:2]
        self.address = Address(canonical_ip(host), port)
        self.counters = UdpCounters()
        self.errors = Drops()
        """What went wrong, by the name of the system's error (`ECONNREFUSED`) or of our own limit (`pending full`)."""
        self.unreachable: dict[Address, int] = {}
        """Datagrams lost because the system has no way to this remote, or forbids it; at most 1024 remotes."""
        self._sock = sock
        self._reactor = reactor
        self._config = config
        self._on_burst = on_burst
        self._on_writable = on_writable
        self._scope_id = scope_id
        self._trace = trace
        self._ipv6 = sock.family == socket.AF_INET6
        self._closed = False
        self._watching_writable = False
        self._pending: deque[Outgoing] = deque()
        self._pending_bytes = 0
        self._sockaddrs: dict[Address, tuple[Any, ...] | None] = {}
        self._gso_limit = kernel.MAX_BATCH_BYTES if config.gso and kernel.has_gso() else 0
        """Largest segment that is tried; 0 switches segmentation off."""
        gro = config.gro and kernel.has_gro() and _set(sock, kernel.SOL_UDP, kernel.UDP_GRO, 1)
        ecn = config.ecn and kernel.has_ecn() and self._ask_for_ecn()
        self._receive = self._receive_joined if gro or ecn else self._receive_plain
        reactor.watch_readable(sock.fileno(), self._on_readable)

    def _ask_for_ecn(self) -> bool:
        if self._ipv6:
            return _set(self._sock, socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        return _set(self._sock, socket.IPPROTO_IP, socket.IP_RECVTOS, 1)

    @property
    def gso(self) -> bool:
        """True while bursts are segmented by the kernel."""
        return self._gso_limit > 0

    @property
    def writable(self) -> bool:
        return not self._pending

    # --- receiving --------------------------------------------------------------------------------------------------

    def _on_readable(self) -> None:
        """One turn: reads until dry or out of budget. The reactor is level-triggered, so what is left over brings the
        next turn by itself, after everybody else had theirs."""
        if self._closed:
            return
        burst: list[ReceivedLike] = []
        self._receive(burst)
        if burst:
            self.counters.datagrams_in += len(burst)
            self._on_burst(burst)

    def _receive_joined(self, burst: list[ReceivedLike]) -> None:
        receive, buffers, view = self._sock.recvmsg_into, [_buffer], _view
        room = socket.CMSG_SPACE(4) * 2
        source: Any = None
        remote: Address = self.address
        calls, left, batches = self._config.turn_calls, self._config.turn_bytes, 0
        while calls > 0 and left > 0:
            calls -= 1
            try:
                size, ancillary, _, sender = receive(buffers, room)
            except BlockingIOError:
                break
            except OSError as error:
                self._count_error(error)
                continue
            if sender != source:
                source, remote = sender, Address(sender[0], sender[1])
            left -= size
            ecn, stride = 0, size
            for level, kind, value in ancillary:
                if level == kernel.SOL_UDP:
                    if kind == kernel.UDP_GRO and len(value) >= 4:
                        (stride,) = struct.unpack_from("=i", value)
                elif value:
                    # IP_TOS (one byte), IP_RECVTOS on BSD (one byte), or IPV6_TCLASS (an int in host order)
                    ecn = (value[0] if len(value) == 1 else struct.unpack_from("=i", value)[0]) & 3
            if 0 < stride < size:
                batches += 1
                pieces = [bytes(view[at : at + stride]) for at in range(0, size - stride, stride)]
                pieces.append(bytes(view[len(pieces) * stride : size]))
                burst.extend(map(_received, zip(repeat(remote), pieces, repeat(ecn))))
            else:
                burst.append(_received((remote, bytes(view[:size]), ecn)))
        counters = self.counters
        counters.syscalls_in += self._config.turn_calls - calls
        counters.bytes_in += self._config.turn_bytes - left
        counters.gro_batches += batches

    def _receive_plain(self, burst: list[ReceivedLike]) -> None:
        receive = self._sock.recvfrom
        source: Any = None
        remote: Address = self.address
        calls, left = self._config.turn_calls, self._config.turn_bytes
        while calls > 0 and left > 0:
            calls -= 1
            try:
                data, sender = receive(_LARGEST_DATAGRAM)
            except BlockingIOError:
                break
            except OSError as error:
                self._count_error(error)
                continue
            if sender != source:
                source, remote = sender, Address(sender[0], sender[1])
            left -= len(data)
            burst.append(_received((remote, data, 0)))
        self.counters.syscalls_in += self._config.turn_calls - calls
        self.counters.bytes_in += self._config.turn_bytes - left

    # --- sending ----------------------------------------------------------------------------------------------------

    def send_burst(self, burst: Sequence[Outgoing]) -> None:
        if self._closed:
            self.errors.add("closed", len(burst))
        elif self._pending:
            self._keep(burst)
        else:
            rest = self._send(burst)
            if rest:
                self._block(rest)

    def _send(self, burst: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Sends as much as the kernel takes and returns the rest."""
        done = 0
        limit = self._gso_limit
        runs = segment(burst, kernel.MAX_SEGMENTS if limit else 1, kernel.MAX_BATCH_BYTES, limit)
        for run in runs:
            taken = self._send_run(run)
            done += taken
            if taken < len(run.chunks):
                return burst[done:]
        return ()

    def _send_run(self, run: Run) -> int:
        """How many datagrams of the run are done with: sent, or lost to an error that was counted."""
        remote, ecn, size, chunks = run
        target = self._sockaddrs.get(remote) or self._sockaddr(remote)
        if target is None:
            self.errors.add("bad address", len(chunks))
            return len(chunks)
        counters = self.counters
        if len(chunks) > 1 and size <= self._gso_limit:
            control = [(kernel.SOL_UDP, kernel.UDP_SEGMENT, struct.pack("=H", size))]
            if ecn:
                control.append(self._ecn_control(ecn))
            counters.syscalls_out += 1
            try:
                counters.bytes_out += self._sock.sendmsg(chunks, control, 0, target)
            except BlockingIOError:
                return 0
            except OSError as error:
                if error.errno in _GSO_REFUSALS:
                    self._refuse_gso(size, error)
                elif error.errno not in _EARLIER_DATAGRAM:
                    self._lose(error, remote, len(chunks))
                    return len(chunks)
                else:
                    self._count_error(error)
            else:
                counters.gso_batches += 1
                counters.datagrams_out += len(chunks)
                return len(chunks)
        send = self._sock.sendto
        for index, data in enumerate(chunks):
            counters.syscalls_out += 1
            try:
                if ecn:
                    counters.bytes_out += self._sock.sendmsg((data,), (self._ecn_control(ecn),), 0, target)
                else:
                    counters.bytes_out += send(data, target)
                counters.datagrams_out += 1
            except BlockingIOError:
                return index
            except OSError as error:
                if not self._resend(error, data, remote, target):
                    return index
        return len(chunks)

    def _resend(self, error: OSError, data: bytes, remote: Address, target: tuple[Any, ...]) -> bool:
        """After an error of a plain send. Returns False if the kernel takes no more."""
        if error.errno not in _EARLIER_DATAGRAM:
            self._lose(error, remote, 1)
            return True
        self._count_error(error)
        self.counters.syscalls_out += 1
        try:
            self.counters.bytes_out += self._sock.sendto(data, target)
            self.counters.datagrams_out += 1
        except BlockingIOError:
            return False
        except OSError as second:
            self._lose(second, remote, 1)
        return True

    def _ecn_control(self, ecn: int) -> tuple[int, int, bytes]:
        marking = struct.pack("=i", (self._config.dscp or 0) << 2 | ecn & 3)  # one byte of the header holds both
        if self._ipv6:
            return (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, marking)
        return (socket.IPPROTO_IP, socket.IP_TOS, marking)

    def _sockaddr(self, remote: Address) -> tuple[Any, ...] | None:
        """The address as the socket takes it, or None: a name here would make the kernel call wait for DNS."""
        target: tuple[Any, ...] | None = None
        try:
            host = canonical_ip(remote.host)
        except InvalidArgumentError:
            host = ""
        if host and (":" in host) == self._ipv6:
            target = (host, remote.port, 0, self._scope_id) if self._ipv6 else (host, remote.port)
        if len(self._sockaddrs) >= _MAX_KNOWN_REMOTES:
            self._sockaddrs.clear()
        self._sockaddrs[remote] = target
        return target

    def _refuse_gso(self, size: int, error: OSError) -> None:
        """The kernel would not segment: too large for the link (then smaller ones may pass), or not at all."""
        self._count_error(error)
        too_large = error.errno in (errno.EINVAL, errno.EMSGSIZE) and size > _SAFE_SEGMENT
        self._gso_limit = size - 1 if too_large else 0
        if self._trace:
            self._trace.event(self._reactor.time(), "gso_refused", error=_name(error), size=size, limit=self._gso_limit)

    # --- when the kernel takes no more ------------------------------------------------------------------------------

    def _keep(self, burst: Sequence[Outgoing]) -> None:
        for item in burst:
            size = len(item.data)
            if self._pending_bytes + size > self._config.pending_bytes:
                self.errors.add("pending full")
                continue
            self._pending.append(item)
            self._pending_bytes += size

    def _block(self, rest: Sequence[Outgoing]) -> None:
        self.counters.blocked += 1
        self._keep(rest)
        if self._pending and not self._watching_writable:
            self._watching_writable = True
            self._reactor.watch_writable(self._sock.fileno(), self._on_kernel_writable)

    def _on_kernel_writable(self) -> None:
        pending = self._pending
        while pending and not self._closed:
            burst = [pending.popleft() for _ in range(min(len(pending), 256))]
            rest = self._send(burst)
            self._pending_bytes -= sum(len(item.data) for item in burst) - sum(len(item.data) for item in rest)
            if rest:
                pending.extendleft(reversed(rest))
                return
        if not self._closed and self._watching_writable:
            self._watching_writable = False
            self._reactor.unwatch_writable(self._sock.fileno())
            self._on_writable()

    # --- errors and the end -----------------------------------------------------------------------------------------

    def _count_error(self, error: OSError) -> None:
        self.errors.add(_name(error))

    def _lose(self, error: OSError, remote: Address, count: int) -> None:
        self.errors.add(_name(error), count)
        if error.errno in _UNREACHABLE:
            known = self.unreachable
            if remote in known or len(known) < _MAX_KNOWN_REMOTES:
                known[remote] = known.get(remote, 0) + count
        if self._trace:
            self._trace.event(
                self._reactor.time(), "datagrams_lost", error=_name(error), remote=str(remote), count=count
            )

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._pending.clear()
        self._pending_bytes = 0
        fd = self._sock.fileno()
        self._reactor.unwatch_readable(fd)
        if self._watching_writable:
            self._watching_writable = False
            self._reactor.unwatch_writable(fd)
        self._sock.close()


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "other error")


def _set(sock: socket.socket, level: int, option: int, value: int) -> bool:
    try:
        sock.setsockopt(level, option, value)
    except OSError:
        return False  # the caller does without
    return True
