"""Names under a real event loop: answers, failures, limits, and that nothing is left behind.

Lookups are doubles; no packet leaves.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from webrtc_stack.io import Resolver, ResolverConfig
from webrtc_stack.trace import MemorySink, Trace


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())
    gc.collect()


def ask(resolver: Resolver, name: str) -> asyncio.Future[Sequence[str]]:
    future: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
    resolver.resolve(name, future.set_result)
    assert not future.done(), "the answer came from inside the call"
    return future


def make(lookup: Callable[[str], Sequence[str]], trace: Trace | None = None, **config: Any) -> Resolver:
    loop = asyncio.get_running_loop()
    return Resolver(loop, config=ResolverConfig(**config), lookup=lookup, trace=trace or Trace())


def test_a_name_gives_its_hosts_once_each_in_canonical_form() -> None:
    async def test() -> None:
        resolver = make(lambda name: ["192.0.2.1", "2001:DB8::1", "192.0.2.1", "::ffff:192.0.2.1"])
        assert await ask(resolver, "host.example") == ["192.0.2.1", "2001:db8::1"]
        assert resolver.pending == 0

    run(test)


def test_a_literal_needs_no_lookup() -> None:
    async def test() -> None:
        resolver = make(lambda name: pytest.fail("looked up"))
        assert await ask(resolver, "2001:DB8::1") == ["2001:db8::1"]

    run(test)


@pytest.mark.parametrize(
    "error",
    [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), ValueError("embedded null"), OSError("down")],
)
def test_a_lookup_that_fails_gives_no_hosts_and_its_reason(error: Exception) -> None:
    async def test() -> None:
        sink = MemorySink()

        def fail(name: str) -> Sequence[str]:
            raise error

        resolver = make(fail, Trace(sink))
        assert await ask(resolver, "host.example") == []
        assert sink.named("name_resolved")[0].data["reason"] == str(error)

    run(test)


@pytest.mark.parametrize("name", ["", ".", "x" * 300])
def test_what_is_no_name_fails(name: str) -> None:
    async def test() -> None:
        assert await ask(make(lambda name: pytest.fail("looked up")), name) == []

    run(test)


def test_a_lookup_that_hangs_fails_in_time_and_holds_nothing_up() -> None:
    async def test() -> None:
        gate = threading.Event()

        def hang(name: str) -> Sequence[str]:
            gate.wait(30)
            return ["192.0.2.1"]

        resolver = make(hang, timeout=0.01)
        assert await ask(resolver, "host.example") == []
        assert resolver.pending == 0
        gate.set()

    run(test)


def test_a_cancelled_question_is_never_answered() -> None:
    async def test() -> None:
        gate = threading.Event()
        answers: list[Sequence[str]] = []

        def slow(name: str) -> Sequence[str]:
            gate.wait(30)
            return ["192.0.2.1"]

        resolver = make(slow, max_threads=1)
        questions = [resolver.resolve(f"host{index}.example", answers.append) for index in range(3)]
        questions.append(resolver.resolve("192.0.2.9", answers.append))
        for question in questions:
            question.cancel()
            question.cancel()
        assert resolver.pending == 0
        gate.set()
        assert await ask(resolver, "last.example") == ["192.0.2.1"]
        assert answers == []

    run(test)


def test_lookups_beyond_the_threads_wait_for_their_turn() -> None:
    async def test() -> None:
        gate = threading.Event()
        started: list[str] = []

        def hang(name: str) -> Sequence[str]:
            started.append(name)
            gate.wait(30)
            return ["192.0.2.1"]

        resolver = make(hang, max_threads=2)
        answers = [ask(resolver, f"host{index}.example") for index in range(20)]
        while len(started) < 2:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert started == ["host0.example", "host1.example"]
        gate.set()
        assert await asyncio.gather(*answers) == [["192.0.2.1"]] * 20

    run(test)


def test_too_many_questions_fail_at_once() -> None:
    async def test() -> None:
        gate = threading.Event()
        resolver = make(lambda name: (gate.wait(30), ["192.0.2.1"])[1], max_questions=2)
        kept = [ask(resolver, f"host{index}.example") for index in range(2)]
        assert await ask(resolver, "one.too.many") == []
        gate.set()
        assert await asyncio.gather(*kept) == [["192.0.2.1"]] * 2

    run(test)


def test_without_zeroconf_a_local_name_fails_and_the_trace_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)

    async def test() -> None:
        sink = MemorySink()
        resolver = make(lambda name: pytest.fail("asked DNS"), Trace(sink))
        assert await ask(resolver, "1b2f.local") == []
        assert "zeroconf is not installed" in sink.named("name_resolved")[0].data["reason"]
        await resolver.aclose()

    run(test)


class FakeMulticast:
    """Stands in for the `zeroconf` package: one answer, and a count of what is open."""

    opened = closed = 0
    refuse = 0

    def __init__(self, **options: Any) -> None:
        if FakeMulticast.refuse:
            FakeMulticast.refuse -= 1
            raise OSError("no multicast")
        FakeMulticast.opened += 1
        self.zeroconf = self

    async def async_close(self) -> None:
        FakeMulticast.closed += 1


class FakeQuestion:
    def __init__(self, name: str) -> None:
        self.name = name

    async def async_request(self, zeroconf: Any, timeout_ms: float) -> bool:
        if self.name.startswith("silent"):
            await asyncio.sleep(3600)
        return self.name.startswith("known")

    def parsed_addresses(self) -> list[str]:
        return ["192.0.2.5", "FD00::5"]


@pytest.fixture
def multicast(monkeypatch: pytest.MonkeyPatch) -> type[FakeMulticast]:
    zeroconf = type(sys)("zeroconf")
    zeroconf.AddressResolver = FakeQuestion  # type: ignore[attr-defined]
    zeroconf.IPVersion = type("IPVersion", (), {"All": 3, "V4Only": 1})  # type: ignore[attr-defined]
    inner = type(sys)("zeroconf.asyncio")
    inner.AsyncZeroconf = FakeMulticast  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zeroconf", zeroconf)
    monkeypatch.setitem(sys.modules, "zeroconf.asyncio", inner)
    FakeMulticast.opened = FakeMulticast.closed = FakeMulticast.refuse = 0
    return FakeMulticast


def test_local_names_go_to_multicast_through_one_instance(multicast: type[FakeMulticast]) -> None:
    async def test() -> None:
        resolver = make(lambda name: pytest.fail("asked DNS"))
        assert await ask(resolver, "KNOWN-1.Local.") == ["192.0.2.5", "fd00::5"]
        both = ask(resolver, "known-2.local"), ask(resolver, "other.local")
        assert [await answer for answer in both] == [["192.0.2.5", "fd00::5"], []]
        assert (multicast.opened, multicast.closed) == (1, 0)
        await resolver.aclose()
        await resolver.aclose()
        assert multicast.closed == 1

    run(test)


def test_multicast_closes_by_itself_after_the_last_question(multicast: type[FakeMulticast]) -> None:
    async def test() -> None:
        resolver = make(lambda name: [], linger=0.0)
        await ask(resolver, "known.local")
        for _ in range(10):
            await asyncio.sleep(0)
        assert multicast.closed == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(test)


def test_a_multicast_question_that_is_given_up_closes_at_once(multicast: type[FakeMulticast]) -> None:
    async def test() -> None:
        resolver = make(lambda name: [], linger=3600.0)
        question = resolver.resolve("silent.local", lambda hosts: pytest.fail("answered"))
        await asyncio.sleep(0)
        assert multicast.opened == 1
        question.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        assert multicast.closed == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(test)


def test_closing_in_the_middle_of_a_multicast_question_leaves_no_task(multicast: type[FakeMulticast]) -> None:
    async def test() -> None:
        resolver = make(lambda name: [])
        question = ask(resolver, "silent.local")
        resolver.resolve("silent-2.local", lambda hosts: pytest.fail("answered")).cancel()
        await asyncio.sleep(0)
        await resolver.aclose()
        assert not question.done()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert multicast.opened == multicast.closed

    run(test)


def test_a_silent_multicast_name_fails_in_time(multicast: type[FakeMulticast]) -> None:
    async def test() -> None:
        resolver = make(lambda name: [], timeout=0.01)
        assert await ask(resolver, "silent.local") == []
        await resolver.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(test)


def test_where_ipv6_multicast_is_impossible_ipv4_serves(multicast: type[FakeMulticast]) -> None:
    async def test() -> None:
        multicast.refuse = 1
        resolver = make(lambda name: [])
        assert await ask(resolver, "known.local") == ["192.0.2.5", "fd00::5"]
        await resolver.aclose()

    run(test)


def test_a_machine_without_multicast_fails_the_name(multicast: type[FakeMulticast]) -> None:
    async def test() -> None:
        multicast.refuse = 2
        resolver = make(lambda name: [])
        assert await ask(resolver, "known.local") == []
        await resolver.aclose()

    run(test)
