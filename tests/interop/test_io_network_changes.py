"""Addresses that come and go on a real interface, in the network namespace of tests/run.py."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import netns
from tests.unit.io.fakes import FakeCore
from webrtc_stack.base import Address, GatherAddresses, OpenStream
from webrtc_stack.io import AddressPolicy, AsyncioRuntime, Driver

from .conftest import Loop, missing

SOON = 3.0


@pytest.fixture(autouse=True)
def interface(loop: Loop) -> Iterator[str]:
    """A pair of interfaces of our own; the near one has an address."""
    if not netns.inside():
        missing("needs the network namespace of tests/run.py --stage interop")
    ip("link add w0 type veth peer name w1", "link set w0 up", "link set w1 up", "addr add 10.78.0.1/24 dev w0")
    yield "w0"
    ip("link delete w0")


def ip(*lines: str) -> None:
    text = "\n".join(lines) + "\n"
    subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True, capture_output=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.01)


class Rig:
    def __init__(self, runtime: AsyncioRuntime, **options: Any) -> None:
        self.core = FakeCore()
        self.driver = Driver(
            self.core,
            runtime,
            policy=AddressPolicy(interfaces=("w0",), ipv6=False),
            on_events=lambda events: None,
            **options,
        )

    def gather(self, *, tcp: bool = False) -> None:
        self.core.events.append(GatherAddresses(tcp=tcp))
        self.driver.flush()

    def hosts(self, command: str) -> list[str]:
        return [call[1].host for call in self.core.named(command)]


async def test_addresses_that_come_and_go_are_told_without_being_asked_for() -> None:
    runtime = AsyncioRuntime()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    rig = Rig(runtime)
    rig.gather()
    assert rig.hosts("add_local") == ["10.78.0.1"]
    ip("addr add 10.78.0.2/24 dev w0", "addr add 10.78.0.3/24 dev w0")
    await until(lambda: len(rig.hosts("add_local")) == 3)
    assert len(rig.core.named("locals_complete")) == 2, "both together"
    ip("addr del 10.78.0.2/24 dev w0")
    await until(lambda: bool(rig.core.named("remove_local")))
    assert [call[1] for call in rig.core.named("remove_local")] == [2]
    rig.driver.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    await runtime.aclose()


async def test_an_interface_without_carrier_is_gone_and_comes_back() -> None:
    runtime = AsyncioRuntime()
    rig = Rig(runtime)
    rig.gather()
    ip("link set w1 down")
    await until(lambda: bool(rig.core.named("remove_local")))
    ip("link set w1 up")
    await until(lambda: len(rig.hosts("add_local")) == 2)
    ip("link set w0 down")
    await until(lambda: len(rig.core.named("remove_local")) == 2)
    rig.driver.close()
    await runtime.aclose()


async def test_the_streams_of_an_address_that_went_are_closed_and_told() -> None:
    runtime = AsyncioRuntime()
    here, there = Rig(runtime), Rig(runtime)
    there.gather(tcp=True)
    here.gather()
    (listening,) = [call[1] for call in there.core.named("add_listener")]
    assert listening.host == "10.78.0.1"
    ip("addr add 10.78.0.2/24 dev w0")
    await until(lambda: len(here.hosts("add_local")) == 2)
    here.core.events.append(OpenStream(7, listening, "tcp", local="10.78.0.2"))
    here.driver.flush()
    await until(lambda: bool(there.core.named("stream_accepted")))
    ip("addr del 10.78.0.2/24 dev w0")
    await until(lambda: bool(here.core.named("stream_closed")))
    assert here.core.named("stream_closed")[0][1:3] == (7, "the address 10.78.0.2 has gone")
    await asyncio.sleep(0.05)
    for rig in (here, there):
        rig.driver.close()
    await runtime.aclose()
    assert not runtime._streams.streams


async def test_a_driver_that_does_not_watch_hears_nothing() -> None:
    runtime = AsyncioRuntime()
    rig = Rig(runtime, watch=False)
    rig.gather()
    watching = Rig(runtime)
    watching.gather()
    ip("addr add 10.78.0.2/24 dev w0")
    await until(lambda: len(watching.hosts("add_local")) == 2)
    assert rig.hosts("add_local") == ["10.78.0.1"]
    rig.driver.gather()
    assert rig.hosts("add_local") == ["10.78.0.1", "10.78.0.2"]
    assert Address("10.78.0.2", 0).host in rig.hosts("add_local")
    rig.driver.close()
    watching.driver.close()
    await runtime.aclose()


async def test_a_published_name_is_found_by_another_resolver_until_it_is_withdrawn() -> None:
    before = asyncio.all_tasks()
    with netns.route_to_nowhere():
        ours, theirs = AsyncioRuntime(), AsyncioRuntime()
        loop = asyncio.get_running_loop()

        def ask(runtime: AsyncioRuntime, name: str) -> asyncio.Future[Any]:
            answer: asyncio.Future[Any] = loop.create_future()
            runtime.resolve(name, answer.set_result)
            return answer

        name = "2b8e0c1e-6f1e-4c3a-9a36-0f0e8f6f1d11.local"
        published = ours.publish(name.upper(), "10.78.0.1")
        sixes = ours.publish("six-" + name, "fd00::78")
        assert await ask(theirs, name) == ["10.78.0.1"]
        assert await ask(theirs, "six-" + name) == ["fd00::78"]
        assert await ask(ours, name) == ["10.78.0.1"], "and by the one who published it"
        published.cancel()
        published.cancel()
        await asyncio.sleep(0.05)
        third = AsyncioRuntime()
        late = ask(third, name)
        assert await ask(third, "six-" + name) == ["fd00::78"]
        await asyncio.sleep(1.0)
        assert not late.done(), "nobody answers for it any more"
        sixes.cancel()
        for runtime in (ours, theirs, third):
            await runtime.aclose()
    assert asyncio.all_tasks() == before
