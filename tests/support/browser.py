"""A headless Chromium or Firefox as a real peer, without any driver program.

The browser opens a page that this process serves on 127.0.0.1 (a secure context in both), and the page opens one
WebSocket back; each `eval` is the body of an async function that runs in the page. One control path for both browsers.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol

from aiohttp import WSMsgType, web

from .remote_peer import CEILING, RemoteError

BrowserKind = Literal["chromium", "firefox"]

PROGRAMS: Final[dict[BrowserKind, tuple[str, ...]]] = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "firefox": ("firefox-esr", "firefox"),
}

_PAGE = """<!doctype html><meta charset="utf-8"><title>peer</title><body></body>
<script src="/counter.js"></script><script src="/browser_peer.js"></script><script src="/browser_media.js"></script>
<script>
const AsyncFunction = (async () => {}).constructor;
const socket = new WebSocket(`ws://${location.host}/control`);
socket.onopen = () => socket.send(JSON.stringify({hello: navigator.userAgent}));
socket.onmessage = async message => {
  const {id, js, arg} = JSON.parse(message.data);
  let reply;
  try { reply = {id, value: (await new AsyncFunction('arg', js)(arg)) ?? null}; }
  catch (error) { reply = {id, error: `${error?.name}: ${error?.message}`}; }
  socket.send(JSON.stringify(reply));
};
</script>"""

_HERE: Final = Path(__file__).parent
_SCRIPTS: Final = {
    "counter.js": _HERE.parent.parent / "webrtc_stack" / "devices" / "static" / "counter.js",
    "browser_peer.js": _HERE / "browser_peer.js",
    "browser_media.js": _HERE / "browser_media.js",
}

_CHROMIUM_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # there is none for root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--password-store=basic",
    "--use-fake-device-for-media-stream",
    # A page nobody looks at would be throttled, and timers with it.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
_CHROMIUM_OPEN: Final = (
    # The faked prompt counts as a granted permission: only then are all interfaces gathered, with real addresses.
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # a repeated switch would replace this one
)

_FIREFOX_PREFERENCES: Final[dict[str, bool | int | str]] = {
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    # Without a sound device an AudioContext would stay suspended for good; the pretended one runs by the clock.
    "media.cubeb.force_mock_context": True,
    "media.navigator.permission.disabled": True,
    # It starts without a word to anybody.
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "browser.topsites.contile.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.disable_open_during_load": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.manage-offline-status": False,  # without a default route it now and then believes itself offline
    "network.prefetch-next": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    # There is no sandbox inside a container.
    "security.sandbox.content.level": 0,
}

_FIREFOX_OPEN: Final[dict[str, bool | int | str]] = {
    # Without a granted permission only the default route's address is gathered: none, on a network without one.
    "permissions.default.camera": 1,
    "permissions.default.microphone": 1,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
}

_START_SECONDS = 60.0  # they take one or two; a cold disk takes longer


def find(kind: BrowserKind) -> str | None:
    """The program of this browser, or None if the machine has none."""
    return next((path for name in PROGRAMS[kind] if (path := shutil.which(name))), None)


def die_with_parent() -> Callable[[], None]:
    """For `preexec_fn`: the child gets SIGTERM when this process ends, even when it was killed (PR_SET_PDEATHSIG)."""
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork

    def preexec() -> None:
        prctl(1, signal.SIGTERM)

    return preexec


def trust(authority: Path, database: Path) -> None:
    """Puts the certificate of an authority (PEM) into a database of NSS, which is made if there is none."""
    database.mkdir(parents=True, exist_ok=True)
    certutil = [shutil.which("certutil") or "certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, capture_output=True)
    subprocess.run(
        [*certutil, "-A", "-n", "laboratory", "-t", "C,,", "-i", str(authority)], check=True, capture_output=True
    )


class Place(Protocol):
    """Where a program runs: on a network of its own (`lab_namespace.Namespace`)."""

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line that runs `arguments` there."""
        ...

    def listen(self) -> socket.socket:
        """A TCP socket of this process that listens on 127.0.0.1 there."""
        ...


class BrowserPage:
    """One browser with one page; an async context manager. A `Remote` with the commands of browser_peer.js.

    `hide_addresses`: as for a page without permissions, it offers one candidate under a `.local` name (multicast DNS).
    It then needs a default route, if only one that leads nowhere. `trusted` is the certificate of an authority (PEM)
    whose TURN servers it believes; for that the machine needs NSS's `certutil`.
    """

    def __init__(
        self,
        kind: BrowserKind,
        *,
        flags: tuple[str, ...] = (),
        hide_addresses: bool = False,
        place: Place | None = None,
        trusted: Path | None = None,
    ) -> None:
        self.name: str = kind
        self.kind = kind
        self.user_agent = ""
        self._flags = flags
        self._hide_addresses = hide_addresses
        self._place = place
        self._trusted = trusted
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._socket: web.WebSocketResponse | None = None
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> BrowserPage:
        program = find(self.kind)
        if program is None:
            raise FileNotFoundError(f"no {self.kind} on this machine")
        self._hello: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._folder = Path(tempfile.mkdtemp(prefix=f"webrtc_stack-{self.kind}-"))
        try:
            url = await self._serve()
            self._launch(program, url)
            self.user_agent = await self._started()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _serve(self) -> str:
        application = web.Application()

        async def page(_: web.Request) -> web.Response:
            return web.Response(text=_PAGE, content_type="text/html")

        async def script(request: web.Request) -> web.Response:
            text = _SCRIPTS[request.path[1:]].read_text()
            return web.Response(text=text, content_type="text/javascript")

        application.router.add_get("/", page)
        for name in _SCRIPTS:
            application.router.add_get(f"/{name}", script)
        application.router.add_get("/control", self._control)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        listener = self._place.listen() if self._place else socket.create_server(("127.0.0.1", 0))
        await web.SockSite(self._runner, listener).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/"

    def _launch(self, program: str, url: str) -> None:
        profile = self._folder / "profile"
        profile.mkdir()
        if self.kind == "chromium":
            openness = () if self._hide_addresses else _CHROMIUM_OPEN
            command = [program, *_CHROMIUM_FLAGS, *openness, *self._flags, f"--user-data-dir={profile}", url]
        else:
            preferences = _FIREFOX_PREFERENCES | ({} if self._hide_addresses else _FIREFOX_OPEN)
            lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in preferences.items()]
            (profile / "user.js").write_text("".join(lines))
            command = [program, "--headless", "--no-remote", "--new-instance", "--profile", str(profile)]
            command += [*self._flags, url]
        if self._trusted is not None:
            trust(self._trusted, profile if self.kind == "firefox" else self._folder / ".pki" / "nssdb")
        if self._place is not None:
            command = self._place.command(command)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "HOME": str(self._folder), "MOZ_HEADLESS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that the whole family can be ended at once
                preexec_fn=die_with_parent(),
            )

    async def _started(self) -> str:
        assert self._process is not None
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not self._hello.done():
            await asyncio.wait([self._hello], timeout=0.2)
            if self._process.poll() is not None and self.kind == "firefox":
                raise RemoteError(f"{self.kind} ended with {self._process.returncode}\n{self.log_tail()}")
            if asyncio.get_running_loop().time() > deadline:
                raise RemoteError(f"{self.kind} did not open the page in {_START_SECONDS} s\n{self.log_tail()}")
        return self._hello.result()

    async def _control(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=64 << 20)
        await socket.prepare(request)
        self._socket = socket
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            reply = json.loads(message.data)
            if "hello" in reply:
                if not self._hello.done():
                    self._hello.set_result(reply["hello"])
                continue
            waiting = self._waiting.pop(reply["id"], None)
            if waiting is None or waiting.done():
                continue  # nobody waits any more: it had timed out
            if "error" in reply:
                waiting.set_exception(RemoteError(f"{self.kind}: {reply['error']}"))
            else:
                waiting.set_result(reply["value"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RemoteError(f"{self.kind} went away\n{self.log_tail()}"))
        self._waiting.clear()
        return socket

    async def eval(self, js: str, arg: Any = None, *, timeout: float = CEILING) -> Any:
        """Runs `js`, the body of an async function of `arg`, in the page. Returns: what it returns, through JSON."""
        if self._socket is None or self._socket.closed:
            raise RemoteError(f"{self.kind} is gone\n{self.log_tail()}")
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": number, "js": js, "arg": arg}))
        try:
            return await asyncio.wait_for(waiting, timeout)
        except TimeoutError:
            self._waiting.pop(number, None)
            raise TimeoutError(f"{self.kind}: no answer in {timeout} s to {js[:60]} {str(arg)[:200]}") from None

    async def call(self, method: str, arguments: dict[str, Any], *, timeout: float = CEILING) -> Any:
        if method == "create" and (self._socket is None or self._socket.closed):
            await self.close()  # a page that crashed fails the test that it crashed in, and no other
            await self.__aenter__()
        return await self.eval(f"return peers.{method}(arg)", arguments, timeout=timeout)

    def log_tail(self, size: int = 3000) -> str:
        """The end of what the browser wrote to its standard output and error."""
        log = self._folder / "log"
        return log.read_bytes()[-size:].decode(errors="replace") if log.exists() else ""

    async def close(self) -> None:
        """Ends the browser, its children, the page's server and the profile."""
        process, self._process = self._process, None
        if process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    break
                try:
                    await asyncio.to_thread(process.wait, 5)
                except subprocess.TimeoutExpired:
                    continue
                break
            process.wait()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for _ in range(20):  # a child that is still dying may write into the profile once more
            shutil.rmtree(self._folder, ignore_errors=True)
            if not self._folder.exists():
                break
            await asyncio.sleep(0.1)
