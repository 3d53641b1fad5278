"""A runtime of doubles under virtual time: every socket, timer and question lies open for a test to look at."""

from __future__ import annotations

import errno
import heapq
from collections.abc import Callable, Sequence

from webrtc_stack.base import Address, Entropy, SeededEntropy
from webrtc_stack.io import LocalAddress, LocalAddressLike, Outgoing, Received, ReceivedLike


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


class FakeRuntime:
    """Implements `io.Runtime`. `refused` maps a (host, port) or a host to the errno that binding it gives."""

    wall_epoch = 1_750_000_000.0

    def __init__(self, *hosts: str) -> None:
        self.now = 100.0
        self.addresses = [LocalAddress(f"eth{index}", host) for index, host in enumerate(hosts or ("10.0.0.1",))]
        self.entropy: Entropy = SeededEntropy("fake runtime")
        self.sockets: list[FakeSocket] = []
        self.questions: list[FakeQuestion] = []
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

    def open_udp(
        self,
        local: LocalAddressLike,
        *,
        port: int = 0,
        on_burst: Callable[[Sequence[ReceivedLike]], None],
        on_writable: Callable[[], None],
    ) -> FakeSocket:
        self.tried.append(Address(local[1], port))
        number = self.refused.get((local[1], port), self.refused.get(local[1]))
        if number is not None:
            raise OSError(number, errno.errorcode[number])
        socket = FakeSocket(Address(local[1], port or 50_000 + len(self.sockets)), on_burst, on_writable)
        self.sockets.append(socket)
        return socket

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
