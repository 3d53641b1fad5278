"""The examples of calls as browsers meet them: their own programs and pages, a real Chromium, pretended devices."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest

from tests.support import browser
from tests.support.browser import BrowserPage, die_with_parent
from webrtc_stack.examples.rtp_ffmpeg import ffmpeg_writes, free_ports

from .conftest import Loop, missing
from .devtools import FLAG, Tab

PLAYS = "(v => v && v.videoWidth > 0 && v.currentTime > 0.5 && v.videoWidth)(document.querySelector('video'))"
CONNECTED = "document.getElementById('state').textContent === 'connected'"
MICROPHONE = """
{
  const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async () => {
    const stream = await open({audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
    window.microphone = stream.getAudioTracks()[0];
    return stream;
  };
}
"""
"""The pretended microphone beeps twice a second for ever: a test silences it, as one who has finished speaking."""
CEILING = 60.0


@pytest.fixture(scope="module")
def chromium(loop: Loop) -> Iterator[BrowserPage]:
    if browser.find("chromium") is None:
        missing("chromium is not installed")
    page = BrowserPage("chromium", flags=(FLAG,))
    loop.run(page.__aenter__())
    yield page
    loop.run(page.close())


class Program:
    """An example that serves."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.url = ""
        self.lines: list[str] = []

    def stop(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def until(self, pattern: str) -> re.Match[str]:
        """Reads lines until one matches."""
        assert self._process.stdout is not None
        why = "has ended"
        try:
            async with asyncio.timeout(CEILING):
                while line := (await self._process.stdout.readline()).decode():
                    self.lines.append(line)
                    if (found := re.search(pattern, line)) is not None:
                        return found
        except TimeoutError:
            why = "went on"
        raise AssertionError(f"the program {why} without {pattern!r}: {self.lines}")


@asynccontextmanager
async def program(page: str, folder: Path, *arguments: str) -> AsyncIterator[Program]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", f"webrtc_stack.examples.{page}", "--port", str(port), *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=die_with_parent(),
    )
    made = Program(process)
    try:
        made.url = (await made.until(r"(http://localhost:\d+)"))[1]
        yield made
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_a_browser_sees_the_webcam(chromium: BrowserPage, tmp_path: Path) -> None:
    async with (
        program("webcam", tmp_path) as webcam,
        Tab(chromium, webcam.url) as one,
        Tab(chromium, webcam.url) as two,
    ):
        for tab in (one, two):
            await tab.click("#go")
        for tab in (one, two):
            assert await tab.until(PLAYS) == 320


async def test_what_a_browser_sends_is_recorded(chromium: BrowserPage, tmp_path: Path) -> None:
    async with program("recorder", tmp_path, "--folder", str(tmp_path)) as recorder:
        async with Tab(chromium, recorder.url) as tab:
            await tab.click("#go")
            await tab.until(CONNECTED)
            await asyncio.sleep(2)
        await recorder.until(r"call1.webm: \d\d+ frames$")
    with av.open(str(tmp_path / "call1.webm")) as file:
        assert len([*file.decode(video=0)]) > 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "told to stop"])
async def test_a_recording_is_whole_when_the_recorder_is_stopped(
    chromium: BrowserPage, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = ("--folder", str(tmp_path), "--format", "mp4")
    async with program("recorder", tmp_path, *arguments) as recorder, Tab(chromium, recorder.url) as tab:
        await tab.click("#go")
        await tab.until(CONNECTED)
        await asyncio.sleep(2)
        recorder.stop(number)
        await recorder.until(r"call1.mp4: \d\d+ frames$")
        await recorder.until("bye")
    with av.open(str(tmp_path / "call1.mp4")) as file:
        assert len([*file.decode(video=0)]) > 10


async def test_a_browser_talks_with_the_agent(chromium: BrowserPage, tmp_path: Path) -> None:
    async with program("voice_echo_agent", tmp_path) as agent, Tab(chromium, agent.url) as tab:
        await tab.until("!!document.querySelector('#go')")
        await tab.eval(MICROPHONE)
        await tab.click("#go")
        await tab.until(CONNECTED)
        await asyncio.sleep(1)
        await tab.eval("microphone.enabled = false")
        await agent.until(r"heard \d")
        await tab.until("(document.querySelector('audio')?.currentTime ?? 0) > 0.5")


async def test_a_browser_publishes_to_another(chromium: BrowserPage, tmp_path: Path) -> None:
    async with program("relay_to_many", tmp_path) as stage, Tab(chromium, f"{stage.url}/watch") as watcher:
        await watcher.click("#go")
        await watcher.until(CONNECTED)
        async with Tab(chromium, stage.url) as publisher:
            await publisher.click("#go")
            await watcher.until(PLAYS)


async def test_a_browser_and_ffmpeg_see_one_another(chromium: BrowserPage, tmp_path: Path) -> None:
    incoming, outgoing = free_ports(), free_ports()
    arguments = ("--rtp-in", str(incoming), "--rtp-out", str(outgoing))
    enough = threading.Event()
    async with program("rtp_ffmpeg", tmp_path, *arguments) as gateway, Tab(chromium, gateway.url) as tab:
        await tab.click("#go")
        await tab.until(CONNECTED)
        writing = asyncio.create_task(asyncio.to_thread(ffmpeg_writes, incoming, enough))
        try:
            assert await tab.until(PLAYS) == 320
            assert await asyncio.to_thread(pictures, tmp_path / "call.sdp", 10) == 10
        finally:
            enough.set()
            await writing


def pictures(sdp: Path, number: int) -> int:
    """How many of `number` pictures FFmpeg decodes."""
    with av.open(str(sdp), options={"protocol_whitelist": "file,udp,rtp"}, timeout=20) as source:
        return sum(1 for _, _ in zip(range(number), source.decode(video=0), strict=False))
