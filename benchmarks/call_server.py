"""The machine under test of `calls.py`: `python benchmarks/call_server.py STACK JOB [--profile]`.

STACK is `ours` or `aiortc`; JOB `relay` (the video of the first connection goes on to the second) or `echo` (the audio
of the first connection is decoded, encoded again and sent back). Commands come as JSON lines, each is answered by one:
`offer` (`connection`, `sdp`), `begin`, `end`. Between `begin` and `end` CPU time is measured, or with `--profile` calls
are counted, and packets always.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from types import FrameType
from typing import Any, Protocol


class Server(Protocol):
    async def answer(self, connection: str, sdp: str) -> str: ...
    def packets(self) -> int: ...
    async def close(self) -> None: ...


class OurServer:
    """The job by this stack: encoded frames are handed on as they are, sound goes through PCM."""

    def __init__(self, job: str) -> None:
        import webrtc_stack as rtc

        self._rtc = rtc
        self._job = job
        self._client = rtc.Client()
        self._connections: list[rtc.PeerConnection] = []
        self._relayed: Any = None
        self._tasks: list[asyncio.Task[None]] = []

    async def answer(self, connection: str, sdp: str) -> str:
        rtc = self._rtc
        pc = self._client.create_peer_connection()
        self._connections.append(pc)
        await pc.set_remote_description(rtc.SessionDescription(type=rtc.SdpType.OFFER, sdp=sdp))
        (transceiver,) = pc.transceivers
        if self._job == "echo":
            out = rtc.AudioTrack()
            pc.add_track(out)
            self._tasks.append(asyncio.create_task(self._echo(transceiver.receiver.track, out)))
        elif connection == "in":
            self._relayed = transceiver.receiver.relay()
        else:
            pc.add_track(self._relayed)
        await pc.set_local_description()
        await pc.wait_gathering_complete()
        assert pc.local_description is not None
        return pc.local_description.sdp

    async def _echo(self, heard: Any, out: Any) -> None:
        async for frame in heard.frames():
            out.write(frame)

    def packets(self) -> int:
        counters = [pc.core.media.counters for pc in self._connections]
        return sum(one.rtp_received + one.rtp_sent for one in counters)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._client.__aexit__(None, None, None)


class AiortcServer:
    """The job by aiortc, which knows no encoded frames: a relay decodes and encodes."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._connections: list[Any] = []
        self._track: Any = None

    async def answer(self, connection: str, sdp: str) -> str:
        from aiortc import RTCPeerConnection, RTCSessionDescription

        pc = RTCPeerConnection()
        self._connections.append(pc)
        pc.on("track", lambda track: setattr(self, "_track", track))
        if self._job == "relay" and connection == "out":
            pc.addTrack(self._track)
        await pc.setRemoteDescription(RTCSessionDescription(type="offer", sdp=sdp))
        if self._job == "echo":
            pc.addTrack(self._track)
        await pc.setLocalDescription(await pc.createAnswer())
        return str(pc.localDescription.sdp)

    def packets(self) -> int:
        return 0  # it counts asynchronously; calls are counted for this stack only

    async def close(self) -> None:
        for pc in self._connections:
            await pc.close()


class CallCounter:
    """Python and C calls of all threads, by what they belong to."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            where = frame.f_code.co_filename
            self.counts["python" if f"{os.sep}webrtc_stack{os.sep}" in where else "python elsewhere"] += 1
        elif event == "c_call":
            self.counts["native"] += 1

    def start(self) -> None:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def stop(self) -> dict[str, int]:
        sys.setprofile(None)
        threading.setprofile(None)
        return dict(self.counts)


async def main() -> None:
    stack, job = sys.argv[1:3]
    counter = CallCounter() if "--profile" in sys.argv else None
    server: Server = OurServer(job) if stack == "ours" else AiortcServer(job)
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    cpu = wall = 0.0
    packets = 0
    while line := await reader.readline():
        command = json.loads(line)
        reply: dict[str, Any] = {}
        match command["do"]:
            case "offer":
                reply["sdp"] = await server.answer(command["connection"], command["sdp"])
            case "begin":
                packets = server.packets()
                wall, cpu = time.perf_counter(), time.process_time()
                if counter is not None:
                    counter.start()
            case "end":
                if counter is not None:
                    reply["calls"] = counter.stop()
                reply["cpu"], reply["wall"] = time.process_time() - cpu, time.perf_counter() - wall
                reply["packets"] = server.packets() - packets
        print(json.dumps(reply), flush=True)
    await server.close()


if __name__ == "__main__":
    asyncio.run(main())
