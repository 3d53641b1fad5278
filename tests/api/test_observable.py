"""Observables and event streams: nothing is missed, nothing hangs."""

from __future__ import annotations

import asyncio

import pytest

from webrtc_stack import sim
from webrtc_stack.aio import EventStream, Observable
from webrtc_stack.errors import ConnectionLost, TimedOut


def test_wait_for_returns_at_once_when_the_value_is_there() -> None:
    async def main(net: sim.Network) -> None:
        assert await Observable("open").wait_for("open", timeout=1) == "open"

    sim.run(main)


def test_wait_for_sees_a_value_that_passes_by_quickly() -> None:
    async def main(net: sim.Network) -> None:
        state = Observable("new")
        waiter = asyncio.create_task(state.wait_for("connected"))
        await asyncio.sleep(0)
        state.set("connected")
        state.set("failed")
        assert await waiter == "connected"

    sim.run(main)


def test_wait_for_takes_a_predicate() -> None:
    async def main(net: sim.Network) -> None:
        count = Observable(0)
        waiter = asyncio.create_task(count.wait_for(lambda value: value > 2))
        await asyncio.sleep(0)
        for value in range(5):
            count.set(value)
        assert await waiter == 3

    sim.run(main)


def test_wait_for_times_out_in_words() -> None:
    async def main(net: sim.Network) -> None:
        with pytest.raises(TimedOut, match="ice is new after 2 s, wanted connected"):
            await Observable("new", name="ice").wait_for("connected", timeout=2)
        assert net.now == 2.0

    sim.run(main)


def test_waiting_ends_when_the_value_can_no_longer_come() -> None:
    async def main(net: sim.Network) -> None:
        state = Observable("new", name="pc", lost_states=("failed",))
        waiter = asyncio.create_task(state.wait_for("connected"))
        await asyncio.sleep(0)
        state.set("failed", "no path")
        with pytest.raises(ConnectionLost, match="pc became failed: no path"):
            await waiter
        late = asyncio.create_task(state.wait_for("connected"))
        await asyncio.sleep(0)
        assert not late.done(), "a restart may still bring it"
        state.end("closed")
        with pytest.raises(ConnectionLost):
            await late

    sim.run(main)


def test_every_subscriber_sees_every_change_and_then_the_end() -> None:
    async def main(net: sim.Network) -> None:
        state = Observable(0)

        async def collect() -> list[int]:
            return [value async for value in state.changes()]

        followers = [asyncio.create_task(collect()) for _ in range(3)]
        await asyncio.sleep(0)
        for value in (1, 1, 2, 3):
            state.set(value)
        state.end("done")
        state.set(4)
        assert [await follower for follower in followers] == [[1, 2, 3]] * 3

    sim.run(main)


def test_a_stream_keeps_what_came_before_its_first_reader_and_ends() -> None:
    async def main(net: sim.Network) -> None:
        stream = EventStream[int]()
        stream.put(1)
        stream.put(2)
        stream.end()
        stream.put(3)
        assert [item async for item in stream] == [1, 2]

    sim.run(main)


def test_an_entry_is_not_lost_with_a_cancelled_reader() -> None:
    async def main(net: sim.Network) -> None:
        stream = EventStream[int]()
        first = asyncio.create_task(anext(stream))
        second = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        stream.put(1)
        first.cancel()
        assert await second == 1
        with pytest.raises(asyncio.CancelledError):
            await first

    sim.run(main)
