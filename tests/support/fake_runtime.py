"""A runtime of doubles under virtual time: every socket, timer and question lies open for a test to look at."""

from __future__ import annotations

import errno
import heapq
from collections.abc import Callable, Sequence

from webrtc_stack.base import Address, Entropy, SeededEntropy
from webrtc_stack.io import LocalAddress, LocalAddressLike, Outgoing, Received, ReceivedLike, Stream


class FakeHandle:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeSocket:
    """Keeps what is sent; `writable` is the test's to set, `become_writable()` tells the owner."""

    def __init__(
        self, address: Address, on_burst: Callable[[Sequence[ReceivedLike]], None], on_writable: Callable[[], None]
    ) -> None:
        self.address = address
        self.dscp: int | None = None
        self.writable = True
        self.closed = False
        self.bursts: list[list[Outgoing]] = []
        self.block_after: int | None = None
        """Becomes unwritable once that many bursts were sent."""
        self._on_burst = on_burst
        self._on_writable = on_writable

    @property
    def sent(self) -> list[Outgoing]:
        return [item for burst in self.bursts for item in burst]

    def send_burst(self, burst: Sequence[Outgoing]) -> None:
        assert not self.closed, "a burst for a closed socket"
        self.bursts.append(list(burst))
        if self.block_after is not None and len(self.bursts) >= self.block_after:
            self.writable = False

    def arrive(self, *items: tuple[Address, bytes]) -> None:
        self._on_burst([Received(remote, data) for remote, data in items])

    def become_writable(self) -> None:
        self.writable, self.block_after = True, None
        self._on_writable()

    def close(self) -> None:
        self.closed = True


class FakeQuestion:
    def __init__(self, name: str, on_result: Callable[[Sequence[str]], None]) -> None:
        self.name = name
        self.cancelled = False
        self.answer = on_result

    def cancel(self) -> None:
        self.cancelled = True


class FakeStream:
    """Keeps what is written; `arrive`, `become_writable` and `end` are what its owner hears."""

    def __init__(self, local: Address, remote: Address) -> None:
        self.local = local
        self.remote = remote
        self.writable = True
        self.started = self.closed = False
        self.written: list[bytes] = []
        self.block_after: int | None = None
        """Becomes unwritable once that many writes were made."""
        self._on_bytes: Callable[[bytes], None] = lambda data: None
        self._on_writable: Callable[[], None] = lambda: None
        self._on_closed: Callable[[str], None] = lambda reason: None

    def start(
        self,
        *,
        on_bytes: Callable[[bytes], None],
        on_writable: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        assert not self.started, "a stream is started once"
        self.started = True
        self._on_bytes, self._on_writable, self._on_closed = on_bytes, on_writable, on_closed

    def write(self, data: bytes) -> None:
        assert not self.closed, "bytes for a closed stream"
        self.written.append(data)
        if self.block_after is not None and len(self.written) >= self.block_after:
            self.writable = False

    def arrive(self, data: bytes) -> None:
        self._on_bytes(data)

    def become_writable(self) -> None:
        self.writable, self.block_after = True, None
        self._on_writable()

    def end(self, reason: str = "closed by the peer") -> None:
        self.closed = True
        self._on_closed(reason)

    def close(self) -> None:
        self.closed = True


class FakeOpening:
    """A connect: `answer` is the test's to call, with a stream or a reason."""

    def __init__(
        self,
        remote: Address,
        protocol: str,
        server_name: str | None,
        local: str | None,
        on_result: Callable[[Stream | str], None],
    ) -> None:
        self.remote = remote
        self.protocol = protocol
        self.server_name = server_name
        self.local = local
        self.cancelled = False
        self.answer = on_result

    def succeed(self, local: str = "10.0.0.1") -> FakeStream:
        stream = FakeStream(Address(self.local or local, 40_000), self.remote)
        self.answer(stream)
        return stream

    def cancel(self) -> None:
        self.cancelled = True


class FakeListener:
    """A listening socket: `connect` is a client."""

    def __init__(self, address: Address, tls: object | None, on_accept: Callable[[Stream], None]) -> None:
        self.address = address
        self.tls = tls
        self.closed = False
        self._on_accept = on_accept

    def connect(self, remote: Address) -> FakeStream:
        stream = FakeStream(self.address, remote)
        self._on_accept(stream)
        return stream

    def close(self) -> None:
        self.closed = True


class FakePublication:
    def __init__(self, name: str, host: str) -> None:
        self.name = name
        self.host = host
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeRuntime:
    """Implements `io.Runtime`. `refused` maps a (host, port) or a host to the errno that binding it gives."""

    wall_epoch = 1_750_000_000.0

    def __init__(self, *hosts: str) -> None:
        self.now = 100.0
        self.addresses = [LocalAddress(f"eth{index}", host) for index, host in enumerate(hosts or ("10.0.0.1",))]
        self.entropy: Entropy = SeededEntropy("fake runtime")
        self.sockets: list[FakeSocket] = []
        self.questions: list[FakeQuestion] = []
        self.openings: list[FakeOpening] = []
        self.listeners: list[FakeListener] = []
        self.publications: list[FakePublication] = []
        self.watches: list[FakeHandle] = []
        self.refused: dict[object, int] = {}
        self.tried: list[Address] = []
        self.timers: list[tuple[float, int, FakeHandle]] = []
        self._count = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeHandle:
        handle = FakeHandle(callback)
        self._count += 1
        heapq.heappush(self.timers, (max(when, self.now), self._count, handle))
        return handle

    def call_soon(self, callback: Callable[[], None]) -> FakeHandle:
        return self.call_at(self.now, callback)

    def local_addresses(self) -> Sequence[LocalAddress]:
        return self.addresses

    def watch_addresses(self, on_change: Callable[[], None]) -> FakeHandle:
        handle = FakeHandle(on_change)
        self.watches.append(handle)
        return handle

    def change_addresses(self, *hosts: str) -> None:
        """The machine has these addresses from now on, and whoever watches is told."""
        self.addresses = [LocalAddress(f"eth{index}", host) for index, host in enumerate(hosts)]
        for handle in self.watches:
            if handle.callback is not None:
                handle.callback()

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        dscp: int | None = None,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> FakeSocket:
        self._bind(local, port)
        socket = FakeSocket(Address(local[1], port or 50_000 + len(self.sockets)), on_burst, on_writable)
        socket.dscp = dscp
        self.sockets.append(socket)
        return socket

    def _bind(self, local: LocalAddressLike, port: int) -> None:
        self.tried.append(Address(local[1], port))
        number = self.refused.get((local[1], port), self.refused.get(local[1]))
        if number is not None:
            raise OSError(number, errno.errorcode[number])

    def open_stream(
        self,
        remote: Address,
        *,
        protocol: str,
        server_name: str | None = None,
        local: str | None = None,
        on_result: Callable[[Stream | str], None],
    ) -> FakeOpening:
        opening = FakeOpening(remote, protocol, server_name, local, on_result)
        self.openings.append(opening)
        return opening

    def listen(
        self, local: LocalAddressLike, *, port: int = 0, tls: object | None = None, on_accept: Callable[[Stream], None]
    ) -> FakeListener:
        self._bind(local, port)
        listener = FakeListener(Address(local[1], port or 60_000 + len(self.listeners)), tls, on_accept)
        self.listeners.append(listener)
        return listener

    def publish(self, name: str, host: str) -> FakePublication:
        publication = FakePublication(name, host)
        self.publications.append(publication)
        return publication

    def resolve(self, name: str, on_result: Callable[[Sequence[str]], None]) -> FakeQuestion:
        question = FakeQuestion(name, on_result)
        self.questions.append(question)
        return question

    @property
    def pending(self) -> list[float]:
        """When the timers that were not cancelled are due."""
        return sorted(when for when, _, handle in self.timers if handle.callback is not None)

    def step(self) -> bool:
        """Lets the next thing happen. False when nothing is pending."""
        while self.timers:
            when, _, handle = heapq.heappop(self.timers)
            callback, handle.callback = handle.callback, None
            if callback is not None:
                self.now = max(self.now, when)
                callback()
                return True
        return False

    def run(self, until: float | None = None, *, max_steps: int = 10_000) -> None:
        """Runs what is due up to `until` (now, without one)."""
        limit = self.now if until is None else until
        for _ in range(max_steps):
            if not self.pending or self.pending[0] > limit:
                self.now = limit
                return
            self.step()
        raise AssertionError(f"still busy after {max_steps} steps at {self.now}")
