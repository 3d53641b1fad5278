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
from webrtc_stack.cli.demo.studio import open_studio
from webrtc_stack.cli.demo.visitor import Demo

from . import bidi
from .bidi import FirefoxTab
from .conftest import Loop, missing
from .devtools import FLAG, Driven, Tab

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
        client,
        downloads=downloads,
        shared=[on_disk("shared-1", shared), generated(1)],
        max_file_bytes=50_000_000,
        studio=open_studio(),
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
    page = BrowserPage("firefox", flags=(bidi.FLAG,))
    loop.run(page.__aenter__())
    yield page
    loop.run(page.close())


async def say(tab: Driven, text: str) -> None:
    await tab.eval(
        f"(document.getElementById('chat-input').value = {json.dumps(text)},"
        "document.getElementById('chat-form').requestSubmit())"
    )


async def heard(tab: Driven, text: str) -> None:
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
    async with FirefoxTab(firefox, running.url) as tab:
        await tab.until(CONNECTED)
        await say(tab, "Grüße")
        await heard(tab, "Grüße\necho")
        await tab.click("#offers button")
        await tab.until("document.querySelector('#transfers li.done')?.innerText.includes('shared.bin')")
        assert await running.until_done("shared.bin") == hashlib.sha256(content(3_000_000, 7)).hexdigest()


# --- the call ---------------------------------------------------------------------------------------------------------

PICTURE_NUMBER = "Number(document.getElementById('picture-number').innerText)"
LATENCY = "Number(document.getElementById('echo-latency').innerText)"
PIXELS = """(() => {
  const canvas = document.createElement("canvas"), video = document.getElementById("echo-video");
  [canvas.width, canvas.height] = [64, 36];
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0, 64, 34);
  return pen.getImageData(0, 0, 64, 34).data.join();
})()"""
"""The picture that came back, small; without the strip that carries the page's stamps."""


async def text(tab: Driven, name: str) -> str:
    return str(await tab.eval(f"document.getElementById('{name}').innerText"))


async def picture_moves(tab: Driven) -> None:
    """The page reads new numbers off Python's picture."""
    number = await tab.eval(PICTURE_NUMBER)
    await tab.until(f"{PICTURE_NUMBER} >= 0 && {PICTURE_NUMBER} !== {number or -1}")


async def echo_moves(tab: Driven) -> None:
    """What comes back of the camera changes."""
    await tab.until(f"{LATENCY} > 0")
    before = await tab.eval(PIXELS)
    await tab.until(f"{PIXELS} !== {json.dumps(before)}")


async def lines(tab: Driven, *words: str) -> None:
    """Waits until Python tells that the lines stand so."""
    for word in words:
        await tab.until(f"document.getElementById('control-note').innerText.includes({json.dumps(word)})")


async def in_call(tab: Driven, offerer: str) -> None:
    """Connected, with Python's picture and the camera on."""
    await tab.until(CONNECTED)
    if offerer == "python":
        await tab.eval("document.querySelector('input[value=python]').click()")
        await tab.until("document.getElementById('banner-text').innerText.includes('Python made the offer')")
    await picture_moves(tab)
    await tab.click("#camera-on")
    await lines(tab, "camera: both ways")
    await echo_moves(tab)


async def sound_goes_both_ways(tab: Driven, running: Running) -> None:
    await tab.click("#voice-on")
    await lines(tab, "voice: both ways")
    await tab.until("parseFloat(document.getElementById('python-meter').style.width) > 5")  # the fake one beeps
    await tab.click("input[value=tone]")
    await tab.until("/^A4, 4(3[6-9]|4[0-4]) Hz$/.test(document.getElementById('music-word').innerText)")
    await tab.click("input[value=off]")
    await tab.until("parseFloat(document.getElementById('browser-meter').style.width) < 1")
    button = "document.getElementById('talk')"
    await tab.eval(f"{button}.dispatchEvent(new KeyboardEvent('keydown', {{ key: ' ' }}))")
    await tab.until("document.getElementById('voice-word').innerText === 'Python listens…'")
    await asyncio.sleep(1.5)
    await tab.eval(f"{button}.dispatchEvent(new KeyboardEvent('keyup', {{ key: ' ' }}))")
    await tab.until("parseFloat(document.getElementById('browser-meter').style.width) > 5")
    visitor = next(iter(running.demo.visitors.values()))
    assert visitor.link is not None and visitor.link.call.parrot is not None
    assert visitor.link.call.parrot.heard > 50


async def graphs_have_numbers(tab: Driven) -> None:
    for side in ("python", "browser"):
        for tile in ("rate", "frames"):
            await tab.until(f"parseFloat(document.getElementById('{tile}-{side}').innerText) > 0")
        for tile in ("rtt", "jitter", "loss", "repair"):
            await tab.until(f"/[0-9]/.test(document.getElementById('{tile}-{side}').innerText)")
        for count in ("sent", "received"):
            await tab.until(f"parseInt(document.getElementById('{count}-{side}').innerText.replaceAll(',', '')) > 50")


async def choose_codec(tab: Driven, codec: str) -> None:
    await tab.click(f"input[value={codec}]")
    for note in ("echo-note", "picture-note"):
        await tab.until(f"document.getElementById('{note}').innerText.replace('.', '').startsWith('{codec},')")
    await picture_moves(tab)
    await echo_moves(tab)


async def lose_packets(tab: Driven, percent: int) -> None:
    slider = "document.getElementById('loss')"
    await tab.eval(f"({slider}.value = {percent}, {slider}.dispatchEvent(new Event('input')))")


async def loss_is_repaired(tab: Driven) -> None:
    await lose_packets(tab, 10)
    await lines(tab, "lost on purpose")
    for count in ("nacksSent", "againSent"):
        for side in ("python", "browser"):
            await tab.until(f"parseInt(document.getElementById('{count}-{side}').innerText.replaceAll(',', '')) > 0")
    await lose_packets(tab, 0)
    await picture_moves(tab)
    await echo_moves(tab)


async def hold_and_resume(tab: Driven) -> None:
    await tab.click("#hold")
    await lines(tab, "camera: resting", "picture: resting", "music: resting")
    await tab.click("#hold")
    await lines(tab, "camera: both ways", "picture: from Python")
    await picture_moves(tab)
    await echo_moves(tab)


async def camera_off_and_on(tab: Driven) -> None:
    await tab.click("#camera-off")
    await lines(tab, "camera: resting")
    await picture_moves(tab)
    await tab.click("#drawn-on")
    await lines(tab, "camera: both ways")
    await echo_moves(tab)


async def restart_ice(tab: Driven, running: Running) -> None:
    visitor = next(iter(running.demo.visitors.values()))
    assert visitor.link is not None and visitor.link.pc.local_description is not None
    before = visitor.link.pc.local_description.sdp.partition("a=ice-ufrag:")[2].split()[0]
    await tab.click("#restart")
    async with asyncio.timeout(20):
        while f"a=ice-ufrag:{before}" in visitor.link.pc.local_description.sdp:
            await asyncio.sleep(0.05)
    await picture_moves(tab)
    await echo_moves(tab)
    await say(tab, "still here")
    await heard(tab, "still here\necho")


@pytest.mark.parametrize("offerer", ["browser", "python"])
async def test_a_visitor_with_chromium_calls_python(chromium: BrowserPage, running: Running, offerer: str) -> None:
    async with Tab(chromium, running.url) as tab:
        await in_call(tab, offerer)
        await sound_goes_both_ways(tab, running)
        await graphs_have_numbers(tab)
        for codec in ("VP9", "H264", "AV1", "VP8"):
            await choose_codec(tab, codec)
        await loss_is_repaired(tab)
        await hold_and_resume(tab)
        await camera_off_and_on(tab)
        await restart_ice(tab, running)


@pytest.mark.parametrize("offerer", ["browser", "python"])
async def test_a_visitor_with_firefox_calls_python(firefox: BrowserPage, running: Running, offerer: str) -> None:
    async with FirefoxTab(firefox, running.url) as tab:
        await in_call(tab, offerer)
        await sound_goes_both_ways(tab, running)
        await graphs_have_numbers(tab)
        for codec in ("VP9", "VP8"):
            await choose_codec(tab, codec)
        await loss_is_repaired(tab)
        await hold_and_resume(tab)
        await camera_off_and_on(tab)
        await restart_ice(tab, running)


async def test_without_codecs_the_camera_still_comes_back(chromium: BrowserPage, running: Running) -> None:
    running.demo.studio = None
    async with Tab(chromium, running.url) as tab:
        await tab.until(CONNECTED)
        assert "pip install 'webrtc-stack[demo]'" in await text(tab, "picture-word")
        await tab.click("#camera-on")
        await echo_moves(tab)
        assert await tab.eval("document.getElementById('voice-on').disabled") is True


async def test_without_permission_the_rest_works(chromium: BrowserPage, running: Running) -> None:
    async with Tab(chromium, running.url) as tab:
        await tab.until(CONNECTED)
        refuse = "Promise.reject(new DOMException('no', 'NotAllowedError'))"
        await tab.eval(f"navigator.mediaDevices.getUserMedia = () => {refuse}")
        await tab.click("#camera-on")
        await tab.until("document.getElementById('echo-word').innerText.includes('The browser was told not to')")
        await tab.click("#voice-on")
        await tab.until("document.getElementById('voice-note').innerText.includes('The browser was told not to')")
        await picture_moves(tab)
        await tab.click("#drawn-on")
        await echo_moves(tab)


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
    for wanted in (
        "Time to connect",
        "Selected pair",
        "DTLS",
        "Round trip",
        "Throughput",
        "equal on both ends",
        "30 numbers read off the pixels",
        "the same encoded frames came back",
        "a tone of 440 Hz was heard as 4",
        "packets sent as one end counts",
    ):
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
