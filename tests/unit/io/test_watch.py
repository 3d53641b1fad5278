"""Watching addresses by looking at them, where no kernel tells of changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.fake_runtime import FakeRuntime
from webrtc_stack.io import AddressWatcher, LocalAddress
from webrtc_stack.io.watch import POLL_INTERVAL
from webrtc_stack.trace import MemorySink, Trace


class Clockwork(FakeRuntime):
    """A reactor without descriptors."""

    def watch_readable(self, fd: int, callback: Callable[[], None]) -> None:
        pytest.fail("nothing is watched here")

    def unwatch_readable(self, fd: int) -> None:
        pytest.fail("nothing is watched here")

    watch_writable, unwatch_writable = watch_readable, unwatch_readable


def make() -> tuple[Clockwork, AddressWatcher, MemorySink]:
    clockwork, sink = Clockwork("10.0.0.1"), MemorySink()
    watcher = AddressWatcher(clockwork, lambda: clockwork.addresses, netlink=False, trace=Trace(sink))
    return clockwork, watcher, sink


def test_a_change_of_the_list_is_told_once_and_nothing_else_is() -> None:
    clockwork, watcher, sink = make()
    told: list[float] = []
    watcher.subscribe(lambda: told.append(clockwork.now))
    clockwork.run(105.0)
    assert told == []
    clockwork.addresses = [LocalAddress("eth1", "10.0.0.2")]
    clockwork.run(120.0)
    assert told == [106.0]
    assert [event.data for event in sink.named("addresses_changed")] == [{"addresses": ["10.0.0.2"]}]


def test_nothing_is_looked_at_while_nobody_watches() -> None:
    clockwork, watcher, _ = make()
    assert clockwork.pending == []
    first, second = (watcher.subscribe(lambda: pytest.fail("told")) for _ in range(2))
    assert clockwork.pending == [100.0 + POLL_INTERVAL]
    first.cancel()
    first.cancel()
    assert watcher.active
    second.cancel()
    assert clockwork.pending == []
    clockwork.addresses = []
    again = watcher.subscribe(lambda: pytest.fail("told of a change before its time"))
    clockwork.run(110.0)
    again.cancel()


def test_one_subscriber_may_cancel_another_and_itself() -> None:
    clockwork, watcher, _ = make()
    told: list[str] = []

    def first() -> None:
        told.append("first")
        one.cancel()
        two.cancel()

    one = watcher.subscribe(first)
    two = watcher.subscribe(lambda: told.append("second"))
    clockwork.addresses = []
    clockwork.run(110.0)
    assert told == ["first"]
    assert clockwork.pending == []


def test_after_close_nobody_is_told() -> None:
    clockwork, watcher, _ = make()
    handle = watcher.subscribe(lambda: pytest.fail("told"))
    watcher.close()
    watcher.close()
    clockwork.addresses = []
    clockwork.run(110.0)
    handle.cancel()
    assert clockwork.pending == []
