"""A webcam: this machine's camera, encoded once, for any number of browsers.

    python -m webrtc_stack.examples.webcam --port 8080      open http://localhost:8080 in some browsers
    python -m webrtc_stack.examples.webcam                  three viewers in this process look for a moment, and it ends

Without a camera it shows the test picture. The one encoder runs while somebody watches; when a viewer comes late or
loses a packet it makes a key frame, for all of them at once. Needs aiohttp and PyAV
(`pip install 'webrtc-stack[demo,media]'`).
"""

from __future__ import annotations

import argparse
import asyncio

from aiohttp import web

import webrtc_stack as rtc
from webrtc_stack import devices
from webrtc_stack.examples import _signalling as signalling


class Webcam:
    """Answers offers with one and the same encoded track."""

    def __init__(self, client: rtc.Client, camera: rtc.VideoTrack, codec: str) -> None:
        self._client = client
        self.camera = camera
        self.encoded = client.encode_once(camera, codec, max_bitrate=1_500_000)
        self._leaving: set[asyncio.Task[None]] = set()

    async def offer(self, request: web.Request) -> web.Response:
        pc = await signalling.take_offer(request, self._client)
        pc.add_track(self.encoded, "webcam")  # takes the transceiver that the offer made
        task = asyncio.create_task(signalling.over(pc))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return await signalling.answer(pc)


async def open_camera(client: rtc.Client, *, real: bool) -> rtc.VideoTrack:
    if real:
        try:
            return await client.create_video_track(rtc.VideoConstraints(width=1280, height=720, frame_rate=30))
        except rtc.DeviceError as error:
            print(f"no camera ({error}), so here is the test picture")
    return devices.test_picture(320, 240, 15)


async def view(client: rtc.Client, url: str, name: str) -> str:
    """What a browser does, and what it has seen after ten pictures."""
    async with client.create_peer_connection() as pc:
        video = pc.add_transceiver("video", direction="recvonly")
        await signalling.call(pc, f"{url}/offer")
        counters = []
        async for frame in video.receiver.track.frames():
            counters.append(devices.read_counter(frame))
            if len(counters) == 10:
                break
    return f"{name} saw pictures {counters[0]} to {counters[-1]}, {frame.width}x{frame.height}"


async def work(options: argparse.Namespace) -> None:
    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:
        camera = await open_camera(client, real=bool(options.port))
        webcam = Webcam(client, camera, options.codec)
        page = signalling.page("Webcam", receive=("video",))
        async with signalling.serving(
            {"/": page}, {"/offer": webcam.offer}, host=options.host, port=options.port
        ) as url:
            if options.port:
                print(f"open {url} to see {camera.label}")
                await camera.ready_state.wait_for("ended")
                print(f"the camera is gone: {camera.end_reason}")
                return
            for seen in await asyncio.gather(*(view(client, url, name) for name in ("Ann", "Bob", "Cleo"))):
                print(seen)
        camera.stop()
        track = webcam.encoded
        print(f"pictures encoded: {track.frames_written}, requests for key frames: {track.keyframe_requests_made}")


def main() -> None:
    parser = signalling.arguments(__doc__)
    parser.add_argument("--codec", default="video/VP8", help="what to encode as (default %(default)s)")
    signalling.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
