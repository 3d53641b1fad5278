"""A recorder: what a browser's camera and microphone send goes into a file as it came, without transcoding.

    python -m webrtc_stack.examples.recorder --port 8080       open http://localhost:8080
    python -m webrtc_stack.examples.recorder                   records a call of its own, and ends

The format decides which codecs are asked for: WebM and Matroska take VP8, VP9 and AV1, MP4 takes H.264, VP9 and AV1;
sound is Opus. One file a call, finished when the caller leaves, or the program is interrupted. Needs aiohttp and PyAV
(`pip install 'webrtc-stack[demo,media]'`).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
from pathlib import Path

import av
from aiohttp import web

import webrtc_stack as rtc
from webrtc_stack import devices
from webrtc_stack.examples import _signalling as signalling

CODECS = {
    "webm": ("video/VP8", "video/VP9", "video/AV1"),
    "mkv": ("video/VP8", "video/VP9", "video/AV1", "video/H264"),
    "mp4": ("video/H264", "video/VP9", "video/AV1"),
}
"""What each file can hold, best first."""


class Recordings:
    """Records every call into a file of its own."""

    def __init__(self, client: rtc.Client, folder: Path, container: str) -> None:
        self._client = client
        self._folder = folder
        self._container = container
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def offer(self, request: web.Request) -> web.Response:
        pc = await signalling.take_offer(request, self._client)
        for transceiver in pc.transceivers:
            if transceiver.kind == "video":
                transceiver.set_codec_preferences(CODECS[self._container])
        task = asyncio.create_task(self._record(pc))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await signalling.answer(pc)

    async def _record(self, pc: rtc.PeerConnection) -> None:
        path = self._folder / f"call{next(self._numbers)}.{self._container}"
        recorder = devices.Recorder(path)
        for receiver in pc.receivers:
            recorder.add_encoded(receiver)
        await recorder.start()
        try:
            await signalling.over(pc)
        finally:
            await recorder.stop()
            print(f"{path.name}: {recorder.counters.frames_written} frames", *recorder.notes, sep="; ")

    async def finished(self) -> None:
        """Waits until the callers have left, and their files are whole."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Ends the calls, so that their files are whole."""
        await asyncio.gather(*(pc.close() for pc in self._client.connections))
        await self.finished()


async def send_something(client: rtc.Client, url: str) -> None:
    """What a browser does: sends sound and pictures for a while."""
    picture, sound = devices.test_picture(320, 240, 15), devices.tone(440)
    async with client.create_peer_connection() as pc:
        pc.add_track(picture, "call")
        pc.add_track(sound, "call")
        await signalling.call(pc, f"{url}/offer")
        await asyncio.sleep(2)
    picture.stop()
    sound.stop()


def describe(path: Path) -> None:
    """Plays the file and says what is in it."""
    with av.open(str(path)) as file:
        pictures = [devices.read_counter(frame) for frame in file.decode(video=0)]
        names = ", ".join(stream.codec_context.codec.canonical_name for stream in file.streams)
        seconds = (file.duration or 0) / av.time_base
    print(f"{path.name} holds {names}: {seconds:.1f} s, {len(pictures)} pictures, {pictures[0]} to {pictures[-1]}")


async def work(options: argparse.Namespace) -> None:
    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:
        page = signalling.page("Recorder", send=("audio", "video"))
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.folder or (Path.cwd() if options.port else Path(temporary))
            recordings = Recordings(client, folder, options.format)
            post = {"/offer": recordings.offer}
            async with signalling.serving({"/": page}, post, host=options.host, port=options.port) as url:
                if options.port:
                    print(f"open {url}; files go to {folder}")
                    try:
                        await asyncio.Event().wait()
                    finally:
                        await recordings.stop()
                await send_something(client, url)
                await recordings.finished()
                describe(folder / f"call1.{options.format}")


def main() -> None:
    parser = signalling.arguments(__doc__)
    parser.add_argument("--folder", type=Path, help="where files go (default: here)")
    parser.add_argument("--format", choices=CODECS, default="webm")
    signalling.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
