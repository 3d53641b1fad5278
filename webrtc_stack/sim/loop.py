"""An asyncio event loop under the virtual clock: applications tested by seed, in no time.

    async def main(net: Network) -> None: ...
    sim.run(main, seed=7)

`asyncio.sleep(3600)` returns at once and the network's clock has moved an hour. When nothing can ever happen again
and `main` still waits, that is a deadlock, and `SimulationStalled` says so instead of hanging.

Threads have no place here: `run_in_executor` and `call_soon_threadsafe` from another thread are refused or lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from ..base import NEVER, Instant
from ..errors import NotSupportedError, WebRTCError
from .network import Network

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SimulationStalled(WebRTCError):
    """Every task waits and nothing is pending in the virtual world, or its deadline has passed."""


class _VirtualSelector:
    """Stands where a selector waits for sockets: waiting means letting virtual time pass."""

    def __init__(self, network: Network, deadline: Instant) -> None:
        self._network = network
        self._deadline = deadline

    def select(self, timeout: float | None) -> list[Any]:
        network = self._network
        if network.now > self._deadline:
            raise SimulationStalled(f"the virtual clock has passed {self._deadline:g} s and the simulation still runs")
        coming = network.next_instant()
        if timeout is None:
            if coming == NEVER:
                raise SimulationStalled(f"at {network.now:.3f} s every task waits and nothing is pending")
            network.step()
            return []
        target = network.now + max(timeout, 0.0)
        if coming <= target:
            network.step()
        elif timeout > 0:
            network.now = target
        return []

    def close(self) -> None:
        """Nothing is held."""


class SimEventLoop(asyncio.BaseEventLoop):
    """An event loop whose clock and network are a `Network`."""

    def __init__(self, network: Network, deadline: Instant = NEVER) -> None:
        super().__init__()
        self.network = network
        self._clock_resolution = 1e-9
        self._selector = _VirtualSelector(network, deadline)

    def time(self) -> float:
        return self.network.now

    def _process_events(self, event_list: list[Any]) -> None:
        """Nothing to do: network callbacks ran while the selector "waited"."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a real selector, so nobody must be woken."""

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        raise NotSupportedError("threads are not deterministic: a simulation has none")


def run(
    main: Callable[[Network], Coroutine[Any, Any, T]],
    *,
    seed: int | str = 0,
    network: Network | None = None,
    deadline: Instant = 86_400.0,
) -> T:
    """Runs `main(network)` to its end on a virtual loop. Same seed, same run.

    Two connected peers keep each other alive for ever, so a task that waits in vain would never be noticed; that is
    what `deadline` (virtual seconds, a day) is for. Errors: `SimulationStalled`.
    """
    net = network if network is not None else Network(seed)
    with asyncio.Runner(loop_factory=lambda: SimEventLoop(net, deadline)) as runner:
        return runner.run(main(net))
