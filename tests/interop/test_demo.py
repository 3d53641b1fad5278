"""The demo as its visitors see it: real browsers on its page, its own web server, real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

import webrtc_stack as rtc
from tests.support import browser
from tests.support.browser import BrowserPage, die_with_parent
from tests.support.content import content
from webrtc_stack.cli.demo.files import generated, on_disk
from webrtc_stack.cli.demo.server import Server
from webrtc_stack.cli.demo.visitor import Demo

from .conftest import Loop, missing
from .devtools import FLAG, Tab

CONNECTED = "document.getElementById('banner').dataset.tone === 'good'"


class Running:
    """A demo with its server."""

    def __init__(self, demo: Demo, server: Server, url: str, downloads: Path) -> None:
        self.demo = demo
        self.server = server
        self.url = url
        self.downloads = downloads

    async def until_done(self, name: str) -> str:
        """Waits until a transfer has ended well on our side. Returns: its SHA-256."""
        async with asyncio.timeout(60):
            while True:
                for visitor in self.demo.visitors.values():
                    for transfer in visitor.link.transfers if visitor.link is not None else ():
                        if transfer.name == name and transfer.state != "running":
                            assert transfer.state == "done", transfer.detail
                            return transfer.detail
                await asyncio.sleep(0.05)


async def start(stack: AsyncExitStack, folder: Path) -> Running:
    shared = folder / "shared.bin"
    shared.write_bytes(content(3_000_000, 7))
    downloads = folder / "downloads"
    downloads.mkdir()
    client = await stack.enter_async_context(rtc.Client(rtc.ClientConfig(include_loopback=True)))
    demo = Demo(
        client, downloads=downloads, shared=[on_disk("shared-1", shared), generated(1)], max_file_bytes=50_000_000
    )
    server = Server(demo)
    url = await server.start("127.0.0.1", 0)
    stack.push_async_callback(server.close)
    return Running(demo, server, url, downloads)


@pytest.fixture
def running(loop: Loop, tmp_path: Path) -> Iterator[Running]:
    stack = AsyncExitStack()
    yield loop.run(start(stack, tmp_path))
    loop.run(stack.aclose())


@pytest.fixture(scope="module")
def chromium(loop: Loop) -> Iterator[BrowserPage]:
    if browser.find("chromium") is None:
        missing("chromium is not installed")
    page = BrowserPage("chromium", flags=(FLAG,))
    loop.run(page.__aenter__())
    yield page
    loop.run(page.close())


@pytest.fixture(scope="module")
def firefox(loop: Loop) -> Iterator[BrowserPage]:
    if browser.find("firefox") is None:
        missing("firefox is not installed")
    page = BrowserPage("firefox")
    loop.run(page.__aenter__())
    yield page
    loop.run(page.close())


async def say(tab: Tab, text: str) -> None:
    await tab.eval(
        f"document.getElementById('chat-input').value = {json.dumps(text)};"
        "document.getElementById('chat-form').requestSubmit()"
    )


async def heard(tab: Tab, text: str) -> None:
    await tab.until(f"document.getElementById('messages').innerText.includes({json.dumps(text)})")


@pytest.mark.parametrize("offerer", ["browser", "python"])
async def test_a_visitor_chats_and_exchanges_files(
    chromium: BrowserPage, running: Running, tmp_path: Path, offerer: str
) -> None:
    async with Tab(chromium, running.url) as tab:
        await tab.until(CONNECTED)
        if offerer == "python":
            await tab.eval("document.querySelector('input[value=python]').click()")
            await tab.until("document.getElementById('banner-text').innerText.includes('Python made the offer')")
        await heard(tab, "I am Python")
        await say(tab, "Grüße, 你好")
        await heard(tab, "Grüße, 你好\necho")
        await say(tab, "dtls")
        await heard(tab, "TLS_ECDHE_")

        upload = tmp_path / "holiday photos.bin"
        upload.write_bytes(content(5_000_000, 3))
        await tab.choose_files("#picker", [upload])
        await tab.until("document.querySelector('#transfers li.done')?.innerText.includes('holiday photos.bin')")
        assert await running.until_done("holiday photos.bin") == hashlib.sha256(upload.read_bytes()).hexdigest()
        assert (running.downloads / "holiday photos.bin").read_bytes() == upload.read_bytes()

        await tab.click("#offers button")
        await tab.until("document.querySelector('#transfers li.done')?.innerText.includes('shared.bin')")
        digest = await running.until_done("shared.bin")
        shown = await tab.eval("[...document.querySelectorAll('#transfers li.done code')].map(one => one.title)")
        assert shown[:2] == [digest, digest], "both ends show the checksum of the last file"
        assert digest == hashlib.sha256(content(3_000_000, 7)).hexdigest()


async def test_graphs_and_panel_fill(chromium: BrowserPage, running: Running) -> None:
    async with Tab(chromium, running.url) as tab:
        await tab.until(CONNECTED)
        await tab.until("parseFloat(document.getElementById('rtt-now').innerText) > 0")
        await tab.until("parseFloat(document.getElementById('rate-up').innerText) >= 0")
        await tab.until("document.querySelectorAll('#pairs tr.selected').length === 1")
        await tab.until("document.getElementById('browser-side').innerText.includes('DTLS 1.')")
        await tab.until("document.getElementById('python-side').innerText.includes('TLS_ECDHE_')")
        await tab.until("document.getElementById('step-sctp').innerText.includes('established')")
        for direction in ("down", "up"):
            await tab.click(f"#test-{direction}")
            await tab.until("document.getElementById('rate-note').innerText.includes('Mbit/s over')")


async def test_tabs_are_independent_and_survive_a_reload(chromium: BrowserPage, running: Running) -> None:
    async with Tab(chromium, running.url) as first, Tab(chromium, running.url) as second:
        await first.until(CONNECTED)
        await second.until(CONNECTED)
        await say(first, "say are you there?")
        await heard(second, "are you there?")
        await heard(first, "Said to 1 other page")
        await second.command("Page.reload")
        await asyncio.sleep(0.2)
        await second.until(CONNECTED)
        assert running.demo.broadcast("to all", "terminal") == 2
        await heard(first, "to all")
        await heard(second, "to all")
        await say(first, "still the same")
        await heard(first, "still the same\necho")


async def test_the_page_says_so_when_the_demo_ends(chromium: BrowserPage, running: Running) -> None:
    async with Tab(chromium, running.url) as tab:
        await tab.until(CONNECTED)
        await running.server.close()
        await tab.until("document.getElementById('banner-title').innerText === 'Python is not there.'")
        assert await tab.eval("document.querySelector('#chat-form input').disabled") is True


async def test_firefox_connects_and_takes_a_file(firefox: BrowserPage, running: Running) -> None:
    await firefox.eval("window.demo = window.open(arg)", running.url)
    async with asyncio.timeout(30):
        while not any(visitor.tell("hello", "terminal") for visitor in running.demo.visitors.values()):
            await asyncio.sleep(0.05)
    visitor = next(iter(running.demo.visitors.values()))
    assert visitor.link is not None
    visitor.link._spawn(visitor.link._send_file(running.demo.shared["shared-1"]))
    assert await running.until_done("shared.bin") == hashlib.sha256(content(3_000_000, 7)).hexdigest()
    pings = next(one for one in visitor.link.snapshot().channels if one.label == "ping")
    assert pings.messages_received > 0
    await firefox.eval("window.demo.close()")


async def test_strangers_are_turned_away(running: Running) -> None:
    async with ClientSession() as http:
        async with http.get(running.url) as page:
            assert page.status == 200
            assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        async with http.get(running.url, headers={"Host": "evil.example"}) as page:
            assert page.status == 421
        for path in ("../server.py", "%2e%2e/server.py", "static/demo.js", "demo.js/../../server.py", "signal.txt"):
            async with http.get(f"{running.url}{path}") as page:
                assert page.status == 404, path
        for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            with pytest.raises(WSServerHandshakeError) as refused:
                await http.ws_connect(f"{running.url}signal", headers=origin)
            assert refused.value.status == 403
        own = {"Origin": running.url.rstrip("/")}
        async with http.ws_connect(f"{running.url}signal", headers=own) as socket:
            assert (await socket.receive_json())["kind"] == "welcome"
            assert list(running.demo.visitors) == ["1"]
        async with asyncio.timeout(10):
            while running.demo.visitors:
                await asyncio.sleep(0.02)


def test_the_self_test_passes_and_tells_what_it_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "webrtc_stack", "demo", "--self-test", "--pcap", str(tmp_path / "t.pcapng")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for wanted in ("Time to connect", "Selected pair", "DTLS", "Round trip", "Throughput", "equal on both ends"):
        assert wanted in done.stdout
    assert not done.stderr


def test_an_interrupt_ends_the_demo_cleanly(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "webrtc_stack",
        "demo",
        "--port",
        "0",
        "--no-browser",
        "--downloads",
        str(tmp_path),
    ]
    running = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=die_with_parent(),
    )
    assert running.stdout is not None
    assert "http://127.0.0.1:" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=30)
    assert running.returncode == 0
    assert error == ""
