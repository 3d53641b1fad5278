"""Driving a page of a Firefox that a test has open, by WebDriver BiDi: for pages of other servers."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.support.browser import BrowserPage
from tests.support.remote_peer import CEILING, RemoteError

from .devtools import Driven

FLAG: Final = "--remote-debugging-port=0"
"""The browser must have been started with this."""


class FirefoxTab(Driven):
    """One more tab, an async context manager that closes it. One at a time for a browser."""

    def __init__(self, browser: BrowserPage, url: str) -> None:
        self._browser = browser
        self._url = url
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        address = await self._address()
        self._http = ClientSession()
        self._socket: ClientWebSocketResponse = await self._http.ws_connect(f"{address}/session", max_msg_size=0)
        self._reader = asyncio.create_task(self._read())
        await self.command("session.new", capabilities={})
        self._context = (await self.command("browsingContext.create", type="tab"))["context"]
        await self.command("browsingContext.navigate", context=self._context, url=self._url, wait="complete")
        return self

    async def _address(self) -> str:
        async with asyncio.timeout(CEILING):
            while True:
                found = re.search(r"WebDriver BiDi listening on (ws://\S+)", self._browser.log_tail(100_000))
                if found:
                    return found[1]
                await asyncio.sleep(0.05)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                reply = json.loads(message.data)
                waiting = self._waiting.pop(reply.get("id") or 0, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol. Errors: `RemoteError`."""
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": parameters}))
        reply = await asyncio.wait_for(waiting, CEILING)
        if reply.get("type") == "error":
            raise RemoteError(f"{method}: {reply.get('error')}: {reply.get('message')}")
        result = reply["result"]
        assert isinstance(result, dict)
        return result

    async def eval(self, expression: str) -> Any:
        result = await self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if result["type"] != "success":
            raise RemoteError(str(result.get("exceptionDetails", {}).get("text", result))[:500])
        return json.loads(result["result"]["value"])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RemoteError, TimeoutError, ConnectionError):  # the browser may have gone already
            await self.command("browsingContext.close", context=self._context)
            await self.command("session.end")
        self._reader.cancel()
        await self._http.close()
