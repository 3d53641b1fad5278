"""Real loopback sockets under real event loops: bursts arrive whole and in order, and nothing is left behind."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.io.fakes import FakeCore
from webrtc_stack.base import Address, GatherAddresses, SocketId, Transmit
from webrtc_stack.errors import NotSupportedError
from webrtc_stack.io import (
    AddressPolicy,
    AsyncioRuntime,
    BurstSocket,
    Driver,
    LocalAddress,
    Outgoing,
    ReceivedLike,
    UdpConfig,
    capabilities,
)

CEILING = 30.0
UVLOOP = importlib.util.find_spec("uvloop") is not None


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    if name == "asyncio":
        return asyncio.SelectorEventLoop()
    import uvloop

    made: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return made


HOSTS = ["127.0.0.1", *(["::1"] if capabilities().ipv6 else [])]


@pytest.fixture(
    params=["asyncio", pytest.param("uvloop", marks=pytest.mark.skipif(not UVLOOP, reason="uvloop is not installed"))]
)
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[None]]], None]:
    def runner(test: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(CEILING):
                await test()

        with asyncio.Runner(loop_factory=lambda: new_loop(request.param)) as loop_runner:
            loop_runner.run(bounded())

    return runner


Run = Callable[[Callable[[], Awaitable[None]]], None]


class End:
    """A socket that remembers what came, and wakes whoever waits for a number of datagrams."""

    def __init__(self, runtime: AsyncioRuntime, host: str, port: int = 0) -> None:
        self.got: list[ReceivedLike] = []
        self.turns = 0
        self._wanted = 0
        self._enough = asyncio.Event()
        self.drained = asyncio.Event()
        self.socket: BurstSocket = runtime.open_udp(
            LocalAddress("lo", host), port=port, on_burst=self._on_burst, on_writable=self.drained.set
        )

    def _on_burst(self, burst: Sequence[ReceivedLike]) -> None:
        self.turns += 1
        self.got.extend(burst)
        if len(self.got) >= self._wanted:
            self._enough.set()

    async def receive(self, count: int) -> list[bytes]:
        self._wanted = count
        if len(self.got) < count:
            self._enough.clear()
            await self._enough.wait()
        return [data for _, data, _ in self.got]


def pair(host: str, **config: Any) -> tuple[End, End]:
    runtime = AsyncioRuntime(udp=UdpConfig(**config))
    return End(runtime, host), End(runtime, host)


def burst(to: End, *payloads: bytes) -> list[Outgoing]:
    return [Outgoing(to.socket.address, data) for data in payloads]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("gro", [True, False])
@pytest.mark.parametrize("gso", [True, False])
def test_bursts_of_all_sizes_arrive_whole_and_in_order(run: Run, host: str, gso: bool, gro: bool) -> None:
    async def test() -> None:
        left, right = pair(host, gso=gso, gro=gro)
        sizes = [1200] * 100 + [1200, 300, 1200, 1200, 17, 1, 1, 0, 900, 901, 900] + [64] * 70 + [1400] * 20
        payloads = [bytes([index % 251]) * size for index, size in enumerate(sizes)]
        left.socket.send_burst(burst(right, *payloads))
        assert await right.receive(len(payloads)) == payloads
        assert {remote for remote, _, _ in right.got} == {left.socket.address}
        assert left.socket.errors.total == 0
        for end in (left, right):
            end.socket.close()

    run(test)


@pytest.mark.parametrize("host", HOSTS)
def test_order_is_kept_for_each_of_several_senders_and_receivers(run: Run, host: str) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        hub, ends = End(runtime, host), [End(runtime, host) for _ in range(3)]
        mixed = [Outgoing(ends[index % 3].socket.address, b"%03d" % index * 100) for index in range(120)]
        hub.socket.send_burst(mixed)
        for number, end in enumerate(ends):
            assert await end.receive(40) == [item.data for item in mixed[number::3]]
            end.socket.send_burst([Outgoing(hub.socket.address, item.data) for item in mixed[number::3]])
        await hub.receive(120)
        for number, end in enumerate(ends):
            heard = [data for remote, data, _ in hub.got if remote == end.socket.address]
            assert heard == [item.data for item in mixed[number::3]]
            end.socket.close()
        hub.socket.close()

    run(test)


@pytest.mark.skipif(not capabilities().gso, reason="this kernel does not segment UDP")
def test_a_burst_of_equal_datagrams_is_one_call(run: Run) -> None:
    async def test() -> None:
        left, right = pair("127.0.0.1")
        left.socket.send_burst(burst(right, *[bytes(1000)] * 64))
        await right.receive(64)
        assert left.socket.counters.syscalls_out == 1
        assert left.socket.counters.gso_batches == 1
        if capabilities().gro:
            assert right.socket.counters.syscalls_in == 2, "one batch, and one call that finds nothing more"
            assert right.socket.counters.gro_batches == 1
        for end in (left, right):
            end.socket.close()

    run(test)


@pytest.mark.parametrize("host", HOSTS)
def test_markings_arrive_when_they_are_asked_for(run: Run, host: str) -> None:
    async def test() -> None:
        left, right = pair(host, ecn=True)
        marks = [0, 1, 1, 1, 2, 3, 3, 0]
        left.socket.send_burst([Outgoing(right.socket.address, bytes(500), ecn) for ecn in marks])
        await right.receive(len(marks))
        assert [ecn for _, _, ecn in right.got] == marks
        for end in (left, right):
            end.socket.close()

    run(test)


def test_a_refused_port_harms_nobody(run: Run) -> None:
    async def test() -> None:
        left, right = pair("127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            dead = Address("127.0.0.1", gone.getsockname()[1])
        # Linux tells an unconnected socket of refusals only on this wish, which the stack never has; and libuv stops
        # watching a socket whose error queue is not read. So: to see that refusals harm nothing, and not under uvloop.
        told = sys.platform == "linux" and isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
        if told:
            IP_RECVERR = 11
            left.socket._sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        for _ in range(5):
            left.socket.send_burst([Outgoing(dead, bytes(100))] * 3)
            await asyncio.sleep(0)
        left.socket.send_burst(burst(right, b"alive", b"alive!"))
        assert await right.receive(2) == [b"alive", b"alive!"]
        right.socket.send_burst(burst(left, b"and back"))
        assert await left.receive(1) == [b"and back"]
        if told:
            assert left.socket.errors["ECONNREFUSED"] > 0
        for end in (left, right):
            end.socket.close()

    run(test)


def test_a_datagram_beyond_udp_is_counted_and_lost(run: Run) -> None:
    async def test() -> None:
        left, right = pair("127.0.0.1")
        left.socket.send_burst(burst(right, bytes(65_600), b"small"))
        assert await right.receive(1) == [b"small"]
        assert left.socket.errors["EMSGSIZE"] == 1
        for end in (left, right):
            end.socket.close()

    run(test)


@pytest.mark.parametrize("gso", [True, False])
def test_a_full_kernel_buffer_loses_nothing_that_was_kept(run: Run, gso: bool) -> None:
    """A unix-like kernel frees loopback buffers at delivery, so the small buffer is filled faster than it empties only
    when the receiver is behind: whatever happens, all is sent in the end and the owner hears of it."""

    async def test() -> None:
        left, right = pair("127.0.0.1", gso=gso, send_buffer_bytes=4096)
        left.socket._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        payloads = [b"%04d" % index * 100 for index in range(300)]
        left.socket.send_burst(burst(right, *payloads))
        if not left.socket.writable:
            await left.drained.wait()
        assert await right.receive(300) == payloads
        for end in (left, right):
            end.socket.close()

    run(test)


def test_a_taken_port_is_an_os_error(run: Run) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        first = End(runtime, "127.0.0.1")
        with pytest.raises(OSError, match=r"[Aa]ddress"):
            End(runtime, "127.0.0.1", first.socket.address.port)
        with pytest.raises(OSError, match="address"):
            End(runtime, "192.0.2.254")
        first.socket.close()

    run(test)


def test_two_hundred_cycles_leave_no_descriptor(run: Run) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        End(runtime, "127.0.0.1").socket.close()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for index in range(200):
            left, right = End(runtime, HOSTS[index % len(HOSTS)]), End(runtime, HOSTS[index % len(HOSTS)])
            left.socket.send_burst(burst(right, b"x", b"y"))
            if index % 2:
                await right.receive(2)
            left.socket.close()
            right.socket.close()
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    run(test)


def test_nothing_is_called_after_close(run: Run) -> None:
    async def test() -> None:
        left, right = pair("127.0.0.1")
        left.socket.send_burst(burst(right, b"never heard"))
        right.socket.close()
        third = End(AsyncioRuntime(), "127.0.0.1")
        left.socket.send_burst(burst(third, b"later"))
        await third.receive(1)
        assert right.got == []
        left.socket.close()
        third.socket.close()

    run(test)


def test_timers_and_time_agree(run: Run) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        fired = asyncio.Event()
        due = runtime.time() + 0.01
        runtime.call_at(due, fired.set)
        runtime.call_at(due, lambda: pytest.fail("cancelled")).cancel()
        await fired.wait()
        assert runtime.time() >= due - 0.002  # uvloop counts whole milliseconds
        assert runtime.wall_epoch > 1_600_000_000
        again = asyncio.Event()
        runtime.call_soon(again.set)
        assert not again.is_set()
        await again.wait()

    run(test)


def test_a_loop_that_cannot_watch_is_refused_with_advice() -> None:
    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
            raise NotImplementedError

    loop = Proactor()
    try:
        with pytest.raises(NotSupportedError, match="SelectorEventLoop"):
            End(AsyncioRuntime(loop), "127.0.0.1")
    finally:
        loop.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="control messages are read as Linux writes them")
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("dscp", [46, None])
def test_the_codepoint_is_on_everything_that_leaves_beside_the_marking(run: Run, host: str, dscp: int | None) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime(udp=UdpConfig(dscp=dscp))
        left = End(runtime, host)
        ipv6 = ":" in host
        level, ask = (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS) if ipv6 else (socket.IPPROTO_IP, socket.IP_RECVTOS)
        with socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as right:
            right.bind((host, 0))
            right.settimeout(5.0)
            right.setsockopt(level, ask, 1)
            remote = Address(*right.getsockname()[:2])
            # joined, alone, joined and marked, alone and marked
            marks = [0, 0, 0, 2, 2, 1]
            sizes = [500, 500, 200, 500, 500, 500]
            left.socket.send_burst([Outgoing(remote, bytes(size), ecn) for size, ecn in zip(sizes, marks, strict=True)])
            fields = []
            for _ in marks:
                _, ((_, _, value),), _, _ = right.recvmsg(2000, 100)
                fields.append(value[0])
        assert [field >> 2 for field in fields] == [dscp or 0] * len(marks)
        assert [field & 3 for field in fields] == marks
        left.socket.close()

    run(test)


def test_the_systems_resolver_knows_localhost(run: Run) -> None:
    async def test() -> None:
        runtime = AsyncioRuntime()
        answer: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
        runtime.resolve("localhost", answer.set_result)
        assert set(await answer) <= {"127.0.0.1", "::1"}
        assert answer.result()
        await runtime.aclose()

    run(test)


def test_two_drivers_talk_over_real_sockets(run: Run) -> None:
    """The whole way: gather, intern, send, receive, timer, close; the machine is a double."""

    async def test() -> None:
        runtime = AsyncioRuntime()
        before = len(list(Path("/proc/self/fd").iterdir()))
        heard = asyncio.Event()
        cores, drivers = [FakeCore(), FakeCore()], []
        for core in cores:
            driver = Driver(
                core, runtime, policy=AddressPolicy(interfaces=("lo",)), on_events=lambda events: heard.set()
            )
            drivers.append(driver)
            core.events.append(GatherAddresses())
            driver.flush()
            assert len(core.named("add_local")) == len(HOSTS)
        target = cores[1].named("add_local")[0][1]
        path = cores[0].paths.intern(SocketId(1), target)
        cores[0].transmits = [Transmit(path, b"%04d" % index * 250) for index in range(1000)]

        def arrived() -> int:
            return sum(len(call[1]) for call in cores[1].named("receive_many"))

        cores[1].on_timeout = lambda now: cores[1].events.append("time is up")
        cores[1].due = runtime.time() + 0.01
        drivers[1].wake()
        drivers[0].wake()
        while arrived() < 1000:
            await asyncio.sleep(0)
        await heard.wait()
        datagrams = [item.data for call in cores[1].named("receive_many") for item in call[1]]
        assert datagrams == [b"%04d" % index * 250 for index in range(1000)]
        assert drivers[0].counters.yields >= 3, "a thousand datagrams are several turns"
        for driver in drivers:
            driver.close()
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    run(test)
