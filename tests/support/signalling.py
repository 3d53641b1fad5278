"""A signalling channel of memory: two ends, in order, with delays that a seed decides."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import webrtc_stack as rtc

Message = rtc.SessionDescription | rtc.IceCandidate


class SignallingEnd:
    """One side. Messages keep their order; each takes as long as `delay()` says."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self.other: SignallingEnd = self
        self.sent: list[Message] = []
        self._delay = delay
        self._inbox: deque[Message | None] = deque()
        self._arrived = asyncio.Event()
        self._last_arrival = 0.0

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        loop = asyncio.get_running_loop()
        arrival = max(loop.time() + self._delay(), self._last_arrival + 1e-6)  # timers of one instant have no order
        self._last_arrival = arrival
        # The JSON form is what crosses a real channel.
        loop.call_at(arrival, self.other._arrive, type(message).from_json(message.to_json()))

    def _arrive(self, message: Message | None) -> None:
        self._inbox.append(message)
        self._arrived.set()

    async def receive(self) -> Message | None:
        while not self._inbox:
            self._arrived.clear()
            await self._arrived.wait()
        return self._inbox.popleft()

    def close(self) -> None:
        self._arrive(None)
        self.other._arrive(None)


def signalling_pair(delay: Callable[[], float] = lambda: 0.02) -> tuple[SignallingEnd, SignallingEnd]:
    """Both ends of a channel."""
    left, right = SignallingEnd(delay), SignallingEnd(delay)
    left.other, right.other = right, left
    return left, right
