"""Signalling for the examples of calls: an offer is POSTed as JSON, the answer comes back.

One request and one answer, so each side waits for all its candidates before it speaks (no trickle). `page()` makes
the few lines that a browser needs for it; browsers give their camera to `localhost` and to HTTPS only.
Needs aiohttp (`pip install 'webrtc-stack[demo]'`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

import webrtc_stack as rtc

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGE = """<!doctype html><meta charset="utf-8"><title>TITLE</title>
<h1>TITLE</h1><p><button id="go">call</button> <span id="state"></span></p>
<script>
go.onclick = async () => {
  go.disabled = true;
  const pc = new RTCPeerConnection();
  addEventListener("pagehide", () => pc.close());  // else the other side learns it when consent expires, in 30 s
  pc.onconnectionstatechange = () => state.textContent = pc.connectionState;
  pc.ontrack = ({track}) => {
    const element = document.createElement(track.kind);
    element.srcObject = new MediaStream([track]);
    element.autoplay = element.controls = element.playsInline = true;
    document.body.append(element);
  };
  const [send, receive] = PARTS;
  if (send.length) {
    const wanted = Object.fromEntries(send.map(kind => [kind, true]));
    for (const track of (await navigator.mediaDevices.getUserMedia(wanted)).getTracks()) pc.addTrack(track);
  }
  for (const kind of receive) if (!send.includes(kind)) pc.addTransceiver(kind, {direction: "recvonly"});
  await pc.setLocalDescription();
  while (pc.iceGatheringState != "complete")
    await new Promise(done => pc.addEventListener("icegatheringstatechange", done, {once: true}));
  const answer = await fetch(PATH, {
    method: "POST", body: JSON.stringify(pc.localDescription), headers: {"Content-Type": "application/json"}});
  if (answer.ok) await pc.setRemoteDescription(await answer.json());
  else state.textContent = await answer.text();
};
</script>
"""


def page(title: str, *, send: tuple[str, ...] = (), receive: tuple[str, ...] = (), path: str = "/offer") -> Handler:
    """A page with a button that calls `path`: with the kinds of media it sends, and those it only receives."""
    text = _PAGE.replace("TITLE", title).replace("PARTS", json.dumps([send, receive])).replace("PATH", json.dumps(path))

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    return handler


async def take_offer(request: web.Request, client: rtc.Client) -> rtc.PeerConnection:
    """A connection that has taken the offer in `request`; add tracks to it, then `answer`."""
    host = request.url.host or ""
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:  # another site's page must not reach a camera by giving this machine a name of its own
            raise web.HTTPMisdirectedRequest(text="call this server by its address") from None
    if request.content_type != "application/json":  # nor by a form: browsers ask before they send JSON elsewhere
        raise web.HTTPUnsupportedMediaType(text="an offer is application/json")
    pc = client.create_peer_connection()
    try:
        await pc.set_remote_description(rtc.SessionDescription.from_json(await request.text()))
    except (rtc.UsageError, rtc.ProtocolError) as error:
        await pc.close()
        raise web.HTTPBadRequest(text=str(error)) from error
    return pc


async def answer(pc: rtc.PeerConnection) -> web.Response:
    """The response to the request that brought the offer."""
    await pc.set_local_description()
    try:
        await pc.wait_gathering_complete(timeout=5)
    except rtc.TimedOut:
        pass  # a STUN server is silent: what was found without it must do
    assert pc.local_description is not None
    return web.json_response(pc.local_description.to_json())


async def call(pc: rtc.PeerConnection, url: str) -> None:
    """The other side: offers what `pc` has, and returns when the connection stands."""
    await pc.set_local_description()
    await pc.wait_gathering_complete(timeout=5)
    assert pc.local_description is not None
    async with ClientSession() as http, http.post(url, json=pc.local_description.to_json()) as response:
        text = await response.text()
        if response.status != 200:
            raise rtc.NegotiationError(f"{url} says {response.status}: {text}")
    await pc.set_remote_description(rtc.SessionDescription.from_json(text))
    await pc.connection_state.wait_for("connected", timeout=10)


async def over(pc: rtc.PeerConnection) -> None:
    """Returns when the peer has left, in whatever way, and the connection is closed."""
    await pc.wait_over()
    await pc.close()


@asynccontextmanager
async def serving(
    pages: Mapping[str, Handler], post: Mapping[str, Handler], *, host: str, port: int
) -> AsyncIterator[str]:
    """Serves pages, and takes offers at the paths of `post`, inside the block. Gives the address."""
    application = web.Application(client_max_size=256 * 1024)
    for path, handler in pages.items():
        application.router.add_get(path, handler)
    for path, handler in post.items():
        application.router.add_post(path, handler)
    runner = web.AppRunner(application, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        shown = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host
        yield f"http://{shown}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def arguments(about: str | None) -> argparse.ArgumentParser:
    """What every page of this kind takes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="serve here until interrupted; without it: a trial run")
    parser.add_argument("--host", default="127.0.0.1", help="the address to serve at (default %(default)s)")
    return parser


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a page until it ends, is interrupted, or told to stop as service managers and containers do (SIGTERM)."""
    try:
        interrupted = asyncio.run(_until_stopped(work))
    except KeyboardInterrupt:
        interrupted = True
    if interrupted:
        print("bye")


async def _until_stopped(work: Coroutine[Any, Any, None]) -> bool:
    """Returns: whether a signal ended the work."""
    stopped = asyncio.Event()
    task = asyncio.ensure_future(work)

    def stop() -> None:
        stopped.set()
        task.cancel()

    with contextlib.suppress(NotImplementedError):  # not every platform's loop has signals; there Ctrl-C raises
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
    return stopped.is_set()
