"""The far end of `process_peer.py`: executes commands that come as JSON lines, many at once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any


async def serve(commands: object) -> None:
    """Calls the methods of `commands`, each with its arguments as one dict, until standard input ends."""
    running: set[asyncio.Task[None]] = set()

    async def execute(identifier: int, method: Callable[[dict[str, Any]], Awaitable[Any]], a: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"id": identifier}
        try:
            reply["value"] = await method(a)
        except Exception as error:  # everything goes back to who asked
            reply["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(reply, default=str), flush=True)

    reader = asyncio.StreamReader(limit=64 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        request = json.loads(line)
        method = getattr(commands, request["method"], None) or _unknown(request["method"])
        task = asyncio.create_task(execute(request["id"], method, request["arguments"]))
        running.add(task)
        task.add_done_callback(running.discard)


def _unknown(name: str) -> Callable[[dict[str, Any]], Awaitable[Any]]:
    async def refuse(_: dict[str, Any]) -> None:
        raise NotImplementedError(f"this peer has no {name}")

    return refuse
