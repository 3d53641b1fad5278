"""One publisher, many viewers: the frames go on as they came, without being encoded again.

    python -m webrtc_stack.examples.relay_to_many --port 8080     publish at http://localhost:8080, watch at .../watch
    python -m webrtc_stack.examples.relay_to_many                 one publisher and three viewers in this process

A viewer that joins, or loses something, needs a key frame: the requests of all become one for the publisher. If the
publisher sends layers (simulcast), a viewer chooses by `?layer=` when it comes, and later by a message on a data
channel. Needs aiohttp, and PyAV for the trial (`pip install 'webrtc-stack[demo,media]'`).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Coroutine

from aiohttp import web

import webrtc_stack as rtc
from webrtc_stack import devices
from webrtc_stack.examples import _signalling as signalling


class Stage:
    """At most one publisher, and whoever watches."""

    def __init__(self, client: rtc.Client) -> None:
        self._client = client
        self._source: rtc.Receiver | None = None
        self._viewers: dict[rtc.Sender, str | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, request: web.Request) -> web.Response:
        pc = await signalling.take_offer(request, self._client)
        self._source = next(receiver for receiver in pc.receivers if receiver.kind == "video")
        self._start(signalling.over(pc))
        response = await signalling.answer(pc)
        for sender in self._viewers:  # those who have waited, or have seen another publisher before
            await self._show(sender)
        return response

    async def watch(self, request: web.Request) -> web.Response:
        pc = await signalling.take_offer(request, self._client)
        transceiver = next(one for one in pc.transceivers if one.kind == "video")
        transceiver.direction = rtc.Direction.SENDONLY
        sender = transceiver.sender
        self._viewers[sender] = request.query.get("layer")
        await self._show(sender)
        self._start(self._serve(pc, sender))
        return await signalling.answer(pc)

    async def _show(self, sender: rtc.Sender) -> None:
        """Gives a viewer the layer it wants, as far as there is one."""
        if self._source is not None:
            wanted = self._viewers[sender]
            layer = wanted if wanted in self._source.rids else None
            await sender.replace_track(self._source.relay(layer))

    async def _serve(self, pc: rtc.PeerConnection, sender: rtc.Sender) -> None:
        leaving = asyncio.create_task(signalling.over(pc))
        async for channel in pc.data_channels():
            async for layer in channel:
                self._viewers[sender] = str(layer)
                await self._show(sender)
        await leaving
        del self._viewers[sender]

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def view(client: rtc.Client, url: str, name: str, *, then: str = "") -> None:
    """Watches ten pictures, and perhaps asks for another layer, until it comes."""
    async with client.create_peer_connection() as pc:
        video = pc.add_transceiver("video", direction="recvonly")
        choice = pc.create_data_channel("layer")
        await signalling.call(pc, url)
        sizes: list[str] = []
        async for frame in video.receiver.track.frames():
            sizes.append(f"{frame.width}x{frame.height}")
            if len(sizes) == 10 and then:
                await choice.send(then)
            if len(sizes) >= 10 and (not then or sizes[-1] != sizes[0]):
                break
        print(f"{name} saw", " and then ".join(dict.fromkeys(sizes)))


async def trial(client: rtc.Client, url: str) -> None:
    picture = devices.test_picture(320, 240, 15)
    async with client.create_peer_connection() as pc, asyncio.timeout(20), asyncio.TaskGroup() as group:
        layers = (rtc.Encoding(rid="small", scale_resolution_down_by=2), rtc.Encoding(rid="large"))
        sender = pc.add_transceiver(picture, direction="sendonly", send_encodings=layers).sender
        viewers = [group.create_task(view(client, f"{url}/watch?layer=large", "Ann, who came early,"))]
        await signalling.call(pc, f"{url}/publish")
        viewers.append(group.create_task(view(client, f"{url}/watch?layer=small", "Bob")))
        viewers.append(group.create_task(view(client, f"{url}/watch?layer=small", "Cleo", then="large")))
        await asyncio.wait(viewers)
        for layer in (await sender.get_stats()).of_type("outbound-rtp"):
            print(f"layer {layer.rid}: asked {layer.pli_count} times for a key frame")
    picture.stop()


async def work(options: argparse.Namespace) -> None:
    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:
        stage = Stage(client)
        pages = {
            "/": signalling.page("Publish", send=("video",), path="/publish"),
            "/watch": signalling.page("Watch", receive=("video",), path="/watch"),
        }
        post = {"/publish": stage.publish, "/watch": stage.watch}
        async with signalling.serving(pages, post, host=options.host, port=options.port) as url:
            if not options.port:
                await trial(client, url)
                return
            print(f"publish at {url}, watch at {url}/watch")
            await asyncio.Event().wait()


def main() -> None:
    signalling.run(work(signalling.arguments(__doc__).parse_args()))


if __name__ == "__main__":
    main()
