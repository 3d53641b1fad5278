"""The throughput test: a channel labelled `speed`, opened by the page.

`{"direction": "down", "seconds": 4}` makes Python send as fast as the connection takes; `"up"` makes it count what
the page sends until it says `{"done": true}`, and answer with what arrived.
"""

from __future__ import annotations

import json
import time
from typing import Final

from ...aio import DataChannel
from ...errors import ConnectionLost, WebRTCError

LABEL: Final = "speed"
MAX_SECONDS: Final = 15.0
MESSAGE: Final = bytes(16 * 1024)
"""Large enough that the cost of a message does not show, small enough to stop quickly."""


async def serve_speed(channel: DataChannel) -> None:
    """Answers requests on one channel until it closes."""
    try:
        while True:
            request = await channel.receive()
            if not isinstance(request, str) or len(request) > 1000:
                continue
            try:
                asked = json.loads(request)
                direction = asked["direction"]
                seconds = min(MAX_SECONDS, max(0.1, float(asked.get("seconds", 4))))
            except (ValueError, TypeError, KeyError):
                await channel.send(json.dumps({"error": "expected a direction, down or up"}))
                continue
            if direction == "down":
                await _send(channel, seconds)
            else:
                await _count(channel)
    except (ConnectionLost, WebRTCError):
        return  # the page closed the channel, or the connection is gone: that is how every test ends


async def _send(channel: DataChannel, seconds: float) -> None:
    started = time.monotonic()
    sent = 0
    while time.monotonic() - started < seconds:
        await channel.send(MESSAGE)
        sent += len(MESSAGE)
    await channel.send(json.dumps({"done": True, "bytes": sent, "seconds": time.monotonic() - started}))


async def _count(channel: DataChannel) -> None:
    started: float | None = None
    received = 0
    while isinstance(message := await channel.receive(), bytes):
        if started is None:
            started = time.monotonic()
        received += len(message)
    seconds = time.monotonic() - started if started is not None else 0.0
    await channel.send(json.dumps({"done": True, "bytes": received, "seconds": seconds}))
