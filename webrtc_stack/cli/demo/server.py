"""The page's web server: a few files and one WebSocket, and who may talk to it.

A page of some other site must not be able to use this server through its visitor's browser. So a request needs a
`Host` that is an address or a name of this machine (which defeats DNS rebinding), and the WebSocket needs an `Origin`
that is this very server.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from .visitor import Demo

MAX_VISITORS: Final = 32
MAX_SIGNALLING_BYTES: Final = 256 * 1024
"""An offer with hundreds of candidates has a tenth of it."""

_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/demo.css": ("demo.css", "text/css"),
    "/demo.js": ("demo.js", "text/javascript"),
    "/sha256.js": ("sha256.js", "text/javascript"),
    "/graph.js": ("graph.js", "text/javascript"),
    "/call.js": ("call.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/sound.js": ("sound.js", "text/javascript"),
    "/stats.js": ("stats.js", "text/javascript"),
    "/counter.js": ("counter.js", "text/javascript"),
}
"""Everything there is: paths are looked up here, never on the disk."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def host_allowed(header: str, *, own_names: frozenset[str]) -> bool:
    """Whether a `Host` header names this server by an IP address or by one of its own names."""
    name = header.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    else:
        name = name.partition(":")[0]
    if name in own_names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def origin_allowed(origin: str | None, host: str) -> bool:
    """Whether a WebSocket was opened by a page that this server served."""
    return origin is not None and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def own_names() -> frozenset[str]:
    """Names under which this machine may be called."""
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, name.partition(".")[0]} - {""})


class Server:
    """Serves one demo on one address."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._own_names = own_names()
        root = resources.files(__package__.partition(".")[0])
        static, shared = root / "cli" / "demo" / "static", root / "devices" / "static"
        self._bodies = {
            path: ((shared if name == "counter.js" else static) / name).read_bytes()
            for path, (name, _) in _FILES.items()
        }
        self._sockets: set[web.WebSocketResponse] = set()
        application = web.Application(middlewares=[self._guard], client_max_size=1024)
        for path in _FILES:
            application.router.add_get(path, self._file)
        application.router.add_get("/signal", self._signal)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False)

    async def start(self, host: str, port: int) -> str:
        """Begins to listen. Returns: the page's address. Errors: `OSError`."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound_host, bound_port = self._runner.addresses[0][:2]
        shown = "localhost" if ipaddress.ip_address(bound_host.partition("%")[0]).is_unspecified else bound_host
        return f"http://[{shown}]:{bound_port}/" if ":" in shown else f"http://{shown}:{bound_port}/"

    async def close(self) -> None:
        """Tells every page that this is the end, and stops."""
        await asyncio.gather(
            *(one.close(code=WSCloseCode.GOING_AWAY, message=b"the demo has ended") for one in list(self._sockets)),
            return_exceptions=True,
        )
        await self._runner.cleanup()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not host_allowed(request.headers.get("Host", ""), own_names=self._own_names):
            return web.Response(status=421, text="this server does not go by that name\n", headers=_HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status, text=f"{error.reason}\n", headers=_HEADERS)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _file(self, request: web.Request) -> web.Response:
        kind = _FILES[request.path][1]
        return web.Response(body=self._bodies[request.path], content_type=kind, charset="utf-8")

    async def _signal(self, request: web.Request) -> web.StreamResponse:
        if not origin_allowed(request.headers.get("Origin"), request.headers.get("Host", "")):
            return web.Response(status=403, text="only the demo's own page may connect\n")
        if len(self._sockets) >= MAX_VISITORS:
            return web.Response(status=503, text="too many pages are connected\n")
        connection = web.WebSocketResponse(heartbeat=20, max_msg_size=MAX_SIGNALLING_BYTES)
        await connection.prepare(request)
        self._sockets.add(connection)

        async def send(message: dict[str, Any]) -> None:
            if not connection.closed:
                try:
                    await connection.send_str(json.dumps(message))
                except ConnectionError:
                    return  # the page went away in the middle; the loop below ends by itself

        visitor = self._demo.welcome(send)
        visitor.user_agent = request.headers.get("User-Agent", "")
        try:
            await visitor.greet()
            async for frame in connection:
                if frame.type is not WSMsgType.TEXT:
                    break
                try:
                    message = json.loads(frame.data)
                except ValueError:
                    break  # our page never does this
                if isinstance(message, dict):
                    await visitor.receive(message)
        finally:
            self._sockets.discard(connection)
            await visitor.close()
        return connection
