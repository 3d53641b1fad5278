"""Driving a page of a Chromium that a test has open, by its debugging protocol: what a visitor would do with a mouse.

`BrowserPage` scripts its own page only; the demo's page belongs to the demo's server, and its policy lets nobody in.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.support.browser import BrowserPage
from tests.support.remote_peer import CEILING, RemoteError

FLAG: Final = "--remote-debugging-port=0"
"""The browser must have been started with this."""


class Driven:
    """A page that a test drives: what can be said by `eval` alone."""

    async def eval(self, expression: str) -> Any:
        """The value of an expression in the page; promises are awaited. Errors: `RemoteError`."""
        raise NotImplementedError

    async def until(self, expression: str) -> Any:
        """Waits until an expression is true, and returns its value."""
        value = None
        try:
            async with asyncio.timeout(CEILING):
                while not value:
                    with suppress(RemoteError):  # the document may be about to load
                        value = await self.eval(expression)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            page = await self.eval("document.body?.innerText")
            raise AssertionError(f"never true: {expression}\nthe page says:\n{page}") from None
        return value

    async def click(self, selector: str) -> None:
        await self.until(f"document.querySelector({json.dumps(selector)})?.disabled === false")
        await self.eval(f"document.querySelector({json.dumps(selector)}).click()")


class Tab(Driven):
    """One more tab, an async context manager that closes it."""

    def __init__(self, browser: BrowserPage, url: str) -> None:
        self._browser = browser
        self._url = url
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        port = await self._port()
        self._http = ClientSession()
        async with self._http.put(f"http://127.0.0.1:{port}/json/new?{self._url}") as answer:
            facts = await answer.json()
        self._socket: ClientWebSocketResponse = await self._http.ws_connect(
            facts["webSocketDebuggerUrl"], max_msg_size=0
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def _port(self) -> int:
        written = Path(self._browser._folder, "profile", "DevToolsActivePort")
        async with asyncio.timeout(CEILING):
            while not written.exists() or not written.read_text().strip():
                await asyncio.sleep(0.05)
        return int(written.read_text().split()[0])

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                reply = json.loads(message.data)
                waiting = self._waiting.pop(reply.get("id", 0), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol. Errors: `RemoteError`."""
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": parameters}))
        reply = await asyncio.wait_for(waiting, CEILING)
        if "error" in reply:
            raise RemoteError(f"{method}: {reply['error']}")
        result = reply["result"]
        assert isinstance(result, dict)
        return result

    async def eval(self, expression: str) -> Any:
        result = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            raise RemoteError(str(result["exceptionDetails"].get("exception", result["exceptionDetails"]))[:500])
        return result["result"].get("value")

    async def choose_files(self, selector: str, paths: list[Path]) -> None:
        """As if somebody had picked files in the dialog of an input."""
        root = (await self.command("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.command("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        await self.command("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RemoteError, TimeoutError, ConnectionError):  # the tab may have gone already
            await self.command("Page.close")
        self._reader.cancel()
        await asyncio.wait([self._reader])
        with suppress(ConnectionError):
            await self._socket.close()  # else its connection is left to the garbage collector, which complains
        await self._http.close()
