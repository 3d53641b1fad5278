"""A remote peer that is a program speaking JSON lines on its standard input and output."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from .browser import Place, die_with_parent
from .remote_peer import CEILING, RemoteError

_ROOT = Path(__file__).resolve().parent.parent.parent


class ProcessPeer:
    """Runs `python -m module` and sends it commands; an async context manager, a `Remote`.

    `place` is the network that it runs on, `environment` what is added to its environment.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        python: str = sys.executable,
        place: Place | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._place = place
        self._environment = environment
        self._python = python
        self._module = module
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> ProcessPeer:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __aexit__
        command = [self._python, "-m", self._module]
        self._process = await asyncio.create_subprocess_exec(
            *(command if self._place is None else self._place.command(command)),
            cwd=_ROOT,
            env={**os.environ, **(self._environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
            limit=64 << 20,
            preexec_fn=die_with_parent(),
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # the end of input is the order to close everything and leave
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading
        self._log.close()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            reply = json.loads(line)
            waiting = self._waiting.pop(reply["id"], None)
            if waiting is None or waiting.done():
                continue
            if "error" in reply:
                waiting.set_exception(RemoteError(f"{self.name}: {reply['error']}"))
            else:
                waiting.set_result(reply["value"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RemoteError(f"{self.name} went away\n{self.log_tail()}"))
        self._waiting.clear()

    async def call(self, method: str, arguments: dict[str, Any], *, timeout: float = CEILING) -> Any:
        if self._process.returncode is not None:
            raise RemoteError(f"{self.name} ended with {self._process.returncode}\n{self.log_tail()}")
        assert self._process.stdin is not None
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        request = {"id": number, "method": method, "arguments": arguments}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        try:
            return await asyncio.wait_for(waiting, timeout)
        except TimeoutError:
            self._waiting.pop(number, None)
            raise TimeoutError(f"{self.name}: no answer in {timeout} s to {method} {str(arguments)[:200]}") from None

    def log_tail(self, size: int = 3000) -> str:
        """The end of what it wrote to its standard error."""
        self._log.seek(0)
        return self._log.read()[-size:].decode(errors="replace")
