"""RTP between a call and FFmpeg: a browser's pictures go to `ffplay`, pictures from `ffmpeg` go to the browser.

    python -m webrtc_stack.examples.rtp_ffmpeg --port 8080      open http://localhost:8080, and meanwhile
        ffplay -protocol_whitelist file,udp,rtp call.sdp
        ffmpeg -re -i film.mkv -an -c:v libvpx -deadline realtime -g 30 -f rtp rtp://127.0.0.1:5004

    python -m webrtc_stack.examples.rtp_ffmpeg                  the same with FFmpeg's library, and it ends

Packets pass as they are: nothing is decoded or encoded here. On the way in, payload type, SSRC, numbers and header
extensions become those of the call; on the way out they stay the browser's, and an SDP file says what they mean.
FFmpeg neither asks for key frames nor makes them when asked: here they are asked for every two seconds, there its
encoder should make them often (`-g`). Needs aiohttp, and PyAV for the trial (`pip install 'webrtc-stack[demo,media]'`).
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import tempfile
import threading
from pathlib import Path

import av
from aiohttp import web

import webrtc_stack as rtc
from webrtc_stack import devices
from webrtc_stack.examples import _signalling as signalling
from webrtc_stack.rtp import RtpPacket

CODEC = "video/VP8"
"""What both sides speak here; any other codec of the call would do, with its name and parameters in the SDP file."""


class Gateway(asyncio.DatagramProtocol):
    """One call at a time, and the UDP port where FFmpeg's packets come in."""

    def __init__(self, client: rtc.Client, sdp: Path, outgoing: int) -> None:
        self._client = client
        self._sdp = sdp
        self._outgoing = outgoing
        self._sender: rtc.Sender | None = None
        self._task: asyncio.Task[None] | None = None

    async def offer(self, request: web.Request) -> web.Response:
        if self._sender is not None:
            raise web.HTTPConflict(text="somebody else is calling")
        pc = await signalling.take_offer(request, self._client)
        video = next(one for one in pc.transceivers if one.kind == "video")
        video.direction = rtc.Direction.SENDRECV
        video.set_codec_preferences([CODEC])
        self._sender = video.sender
        self._task = asyncio.create_task(self._serve(pc, video.receiver))
        return await signalling.answer(pc)

    async def _serve(self, pc: rtc.PeerConnection, receiver: rtc.Receiver) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._to_ffmpeg(receiver))
            await signalling.over(pc)
        self._sender = None

    async def _to_ffmpeg(self, receiver: rtc.Receiver) -> None:
        loop = asyncio.get_running_loop()
        asking = loop.time()
        address = ("127.0.0.1", self._outgoing)
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
        async for packet in receiver.rtp_packets():
            if loop.time() >= asking:
                asking += 2
                receiver.request_keyframe()
                self._sdp.write_text(describe(packet.payload_type, self._outgoing))
            transport.sendto(packet.serialize())
        transport.close()

    def datagram_received(self, data: bytes, address: object) -> None:
        """From FFmpeg."""
        if self._sender is None:
            return
        try:
            packet = RtpPacket.parse(data)
        except rtc.ParseError:
            return  # somebody else's datagram
        self._sender.send_rtp([packet], codec=CODEC)  # whatever payload type FFmpeg has chosen


def describe(payload_type: int, port: int) -> str:
    """What FFmpeg has to know of the packets that it will find at a port of this machine."""
    return (
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a call\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP {payload_type}\na=rtpmap:{payload_type} VP8/90000\n"
    )


def ffmpeg_writes(port: int, enough: threading.Event) -> None:
    """What `ffmpeg -f rtp` does: encodes and sends, until there is enough. In a thread of its own."""
    picture = devices.TestPicture(320, 240, 15)
    with av.open(f"rtp://127.0.0.1:{port}?pkt_size=1100", "w", format="rtp") as output:
        stream = output.add_stream("libvpx", rate=15, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 8
        number = 1000
        while not enough.wait(1 / 15):
            output.mux(stream.encode(picture.draw(number)))
            number += 1


def ffmpeg_reads(sdp: Path) -> list[int | None]:
    """What `ffplay` does: the counters of ten pictures. In a thread of its own."""
    counters = []
    with av.open(str(sdp), options={"protocol_whitelist": "file,udp,rtp"}, timeout=10) as source:
        for frame in source.decode(video=0):
            counters.append(devices.read_counter(frame))
            if len(counters) == 10:
                break
    return counters


async def trial(client: rtc.Client, url: str, incoming: int, sdp: Path) -> None:
    """A caller whose pictures FFmpeg reads, and who sees those that FFmpeg writes."""
    picture, enough = devices.test_picture(320, 240, 15), threading.Event()
    async with client.create_peer_connection() as pc:
        pc.add_track(picture)
        await signalling.call(pc, f"{url}/offer")
        writing = asyncio.create_task(asyncio.to_thread(ffmpeg_writes, incoming, enough))
        seen: list[int | None] = []
        async with asyncio.timeout(15):
            async for frame in pc.receivers[0].track.frames():
                seen.append(devices.read_counter(frame))
                if len(seen) == 10:
                    break
        enough.set()
        await writing
        print(f"the call saw pictures {seen[0]} to {seen[-1]} of FFmpeg's")
        seen = await asyncio.to_thread(ffmpeg_reads, sdp)
        print(f"FFmpeg saw pictures {seen[0]} to {seen[-1]} of the call's")
    picture.stop()


def free_ports() -> int:
    """A port that is free, and the next one, where FFmpeg expects RTCP."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as next_one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                next_one.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


async def work(options: argparse.Namespace) -> None:
    trying = not options.port
    incoming, outgoing = (free_ports(), free_ports()) if trying else (options.rtp_in, options.rtp_out)
    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:
        with tempfile.TemporaryDirectory() as temporary:
            sdp = Path(temporary) / "call.sdp" if trying else Path("call.sdp")
            gateway = Gateway(client, sdp, outgoing)
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(lambda: gateway, local_addr=("127.0.0.1", incoming))
            pages = {"/": signalling.page("RTP and FFmpeg", send=("video",))}
            async with signalling.serving(
                pages, {"/offer": gateway.offer}, host=options.host, port=options.port
            ) as url:
                if trying:
                    await trial(client, url, incoming, sdp)
                else:
                    print(f"open {url}; RTP of VP8 comes in at {incoming} and goes out to {outgoing}, see {sdp}")
                    await asyncio.Event().wait()
            transport.close()


def main() -> None:
    parser = signalling.arguments(__doc__)
    parser.add_argument("--rtp-in", type=int, default=5004, help="where FFmpeg's RTP comes in (default %(default)s)")
    parser.add_argument("--rtp-out", type=int, default=5006, help="where FFmpeg listens (default %(default)s)")
    signalling.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
