"""Tasks with an owner, and work in threads."""

from __future__ import annotations

import asyncio
import threading
import time

from webrtc_stack import sim
from webrtc_stack.aio.offload import Offload
from webrtc_stack.aio.tasks import TaskScope


def test_a_scope_leaves_no_task_and_tells_of_failures() -> None:
    async def main(net: sim.Network) -> None:
        failures: list[Exception] = []
        scope = TaskScope(failures.append)

        async def fail() -> None:
            raise ValueError("wrong")

        scope.start(fail(), name="failing")
        scope.start(asyncio.sleep(3600), name="endless")
        await asyncio.sleep(0.1)
        assert len(scope) == 1
        assert [str(failure) for failure in failures] == ["wrong"]
        assert await scope.close(1.0)
        assert len(scope) == 0
        assert scope.start(asyncio.sleep(1), name="late") is None
        assert len(asyncio.all_tasks()) == 1

    sim.run(main)


def test_a_task_that_will_not_end_holds_nobody_up_for_longer_than_the_bound() -> None:
    async def main(net: sim.Network) -> None:
        scope = TaskScope()

        async def stubborn() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(10)

        scope.start(stubborn(), name="stubborn")
        await asyncio.sleep(0)
        start = net.now
        assert not await scope.close(2.0)
        assert net.now - start == 2.0
        await asyncio.sleep(10)
        assert len(scope) == 0

    sim.run(main)


def test_work_is_done_in_other_threads_in_the_order_of_its_stream() -> None:
    async def main() -> None:
        offload = Offload(workers=2)
        here = threading.get_ident()
        order: list[tuple[str, int]] = []

        def work(stream: str, number: int) -> int:
            order.append((stream, number))
            return threading.get_ident()

        async def stream(name: str) -> list[int]:
            return [await offload.run(work, name, number) for number in range(50)]

        threads = await asyncio.gather(stream("a"), stream("b"))
        assert here not in {one for both in threads for one in both}
        for name in "ab":
            assert [number for stream_of, number in order if stream_of == name] == list(range(50))
        offload.close()

    asyncio.run(main())


def test_a_cancelled_caller_waits_for_the_codec_to_return() -> None:
    async def main() -> None:
        offload = Offload(workers=1)
        inside, leave, left = threading.Event(), threading.Event(), threading.Event()

        def work() -> None:
            inside.set()
            leave.wait(10)
            left.set()

        task = asyncio.create_task(offload.run(work))
        while not inside.is_set():
            await asyncio.sleep(0)
        for _ in range(3):  # whoever stops a sender and whoever closes its connection both cancel
            task.cancel()
            await asyncio.sleep(0.01)
            assert not task.done()
        leave.set()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert left.is_set()
        offload.close()

    asyncio.run(main())


def test_threads_end_with_their_pool() -> None:
    async def main() -> int:
        offload = Offload(workers=2)
        await offload.run(time.perf_counter)
        offload.close()
        offload.close()
        return sum(thread.name.startswith("webrtc-codec") and thread.is_alive() for thread in threading.enumerate())

    assert asyncio.run(main()) == 0


def test_a_loop_without_threads_works_in_place() -> None:
    async def main(net: sim.Network) -> None:
        offload = Offload()
        assert await offload.run(threading.get_ident) == threading.get_ident()
        offload.close()

    sim.run(main)
