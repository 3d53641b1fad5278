"""One end of a two-process benchmark: `python benchmarks/peer.py STACK ROLE MODE [ARGS]`.

STACK is `ours` or `aiortc`, ROLE `offer` or `answer`. The two ends signal by JSON lines, each one's standard output
being the other one's standard input; the result is one JSON line on standard error, behind `RESULT `.

MODE `throughput SIZE SECONDS DIRECTION`: one reliable ordered channel; the sending end (`out`: the offerer, `back`:
the answerer) keeps its buffer filled for so long, then says how much it sent, and the receiving end measures from the
first message to the last. MODE `connect COUNT TRICKLE`: `COUNT` connections one after the other, each timed from the
offerer's set_local_description to its channel being open; TRICKLE is `trickle` or `vanilla`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

HIGH_BYTES = 1 << 20
LOW_BYTES = 256 << 10
DONE = "done "

Message = str | bytes


class Channel(Protocol):
    async def opened(self) -> None: ...
    async def send(self, data: Message) -> None: ...
    def on_message(self, callback: Callable[[Message], None]) -> None: ...


class Peer(Protocol):
    def make_channel(self) -> Channel: ...
    async def channel(self) -> Channel: ...
    async def start(self, trickle: bool, tell: Callable[..., None]) -> None: ...
    async def remote(self, message: dict[str, Any], trickle: bool, tell: Callable[..., None]) -> None: ...
    async def close(self) -> None: ...


class OurChannel:
    def __init__(self, channel: Any) -> None:
        self._channel = channel
        channel.high_water_bytes = HIGH_BYTES
        self._task: asyncio.Task[None] | None = None
        self.send = channel.send

    async def opened(self) -> None:
        await self._channel.opened()

    def on_message(self, callback: Callable[[Message], None]) -> None:
        async def pump() -> None:
            async for message in self._channel:
                callback(message)

        self._task = asyncio.create_task(pump())


class Ours:
    """This stack, through its public API."""

    def __init__(self) -> None:
        import webrtc_stack as rtc

        self._rtc = rtc
        self._pc = rtc.PeerConnection(rtc.ClientConfig(include_loopback=False))
        self._tasks: list[asyncio.Task[None]] = []

    def make_channel(self) -> OurChannel:
        return OurChannel(self._pc.create_data_channel("bench"))

    async def channel(self) -> OurChannel:
        async for channel in self._pc.data_channels():
            return OurChannel(channel)
        raise RuntimeError("the connection ended without a channel")

    async def start(self, trickle: bool, tell: Callable[..., None]) -> None:
        await self._pc.set_local_description()
        if not trickle:
            await self._pc.wait_gathering_complete(timeout=10)
        assert self._pc.local_description is not None
        tell(description=self._pc.local_description.to_json())
        if trickle:
            self._tasks.append(asyncio.create_task(self._pump(tell)))

    async def _pump(self, tell: Callable[..., None]) -> None:
        async for candidate in self._pc.ice_candidates():
            tell(candidate=candidate.to_json())
        tell(candidate=None)

    async def remote(self, message: dict[str, Any], trickle: bool, tell: Callable[..., None]) -> None:
        if "description" in message:
            description = self._rtc.SessionDescription.from_json(message["description"])
            await self._pc.set_remote_description(description)
            if description.type == "offer":
                await self.start(trickle, tell)
        else:
            candidate = message["candidate"]
            await self._pc.add_ice_candidate(candidate and self._rtc.IceCandidate.from_json(candidate))

    async def close(self) -> None:
        await self._pc.close()
        await asyncio.gather(*self._tasks)


class AiortcChannel:
    def __init__(self, channel: Any) -> None:
        self._channel = channel
        channel.bufferedAmountLowThreshold = LOW_BYTES
        self._low = asyncio.Event()
        channel.on("bufferedamountlow", self._low.set)

    async def opened(self) -> None:
        if self._channel.readyState != "open":
            opened = asyncio.Event()
            self._channel.on("open", opened.set)
            await opened.wait()

    async def send(self, data: Message) -> None:
        self._channel.send(data)
        if self._channel.bufferedAmount > HIGH_BYTES:
            self._low.clear()
            await self._low.wait()

    def on_message(self, callback: Callable[[Message], None]) -> None:
        self._channel.on("message", callback)


class Aiortc:
    """aiortc, driven as its documentation shows. It gathers before it answers, so trickle changes nothing."""

    def __init__(self) -> None:
        import aiortc

        self._aiortc = aiortc
        self._pc = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self._incoming: asyncio.Future[AiortcChannel] = asyncio.get_running_loop().create_future()
        self._pc.on("datachannel", lambda channel: self._incoming.set_result(AiortcChannel(channel)))

    def make_channel(self) -> AiortcChannel:
        return AiortcChannel(self._pc.createDataChannel("bench"))

    async def channel(self) -> AiortcChannel:
        return await self._incoming

    async def start(self, trickle: bool, tell: Callable[..., None]) -> None:
        await self._pc.setLocalDescription(await self._pc.createOffer())
        self._tell(tell)

    def _tell(self, tell: Callable[..., None]) -> None:
        tell(description={"type": self._pc.localDescription.type, "sdp": self._pc.localDescription.sdp})

    async def remote(self, message: dict[str, Any], trickle: bool, tell: Callable[..., None]) -> None:
        if "description" in message:
            description = message["description"]
            await self._pc.setRemoteDescription(
                self._aiortc.RTCSessionDescription(description["sdp"], description["type"])
            )
            if description["type"] == "offer":
                await self._pc.setLocalDescription(await self._pc.createAnswer())
                self._tell(tell)

    async def close(self) -> None:
        await self._pc.close()


STACKS: dict[str, Callable[[], Peer]] = {"ours": Ours, "aiortc": Aiortc}


def tell(**message: Any) -> None:
    os.write(1, (json.dumps(message) + "\n").encode())


def result(**values: Any) -> None:
    print("RESULT " + json.dumps(values), file=sys.stderr, flush=True)


class Signal:
    """The other end's messages; `bye` and `ready` are barriers, everything else goes to the peer."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._buffer = b""
        asyncio.get_running_loop().add_reader(0, self._read)

    def _read(self) -> None:
        data = os.read(0, 1 << 20)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._queue.put_nowait(json.loads(line))
        if not data:
            asyncio.get_running_loop().remove_reader(0)

    async def both_ready(self) -> None:
        """Waits until the other end is here too: it may still be closing the connection before."""
        tell(ready=True)
        message = await self._queue.get()
        assert "ready" in message, message

    async def pump(self, peer: Peer, trickle: bool) -> None:
        """Feeds the peer until the other end says `bye`."""
        while True:
            message = await self._queue.get()
            if "bye" in message:
                return
            await peer.remote(message, trickle, tell)


async def throughput(stack: str, role: str, size: int, seconds: float, direction: str) -> None:
    signal = Signal()
    peer = STACKS[stack]()
    made = peer.make_channel() if role == "offer" else None
    pump = asyncio.create_task(signal.pump(peer, False))
    if role == "offer":
        await peer.start(False, tell)
    channel = made if made is not None else await peer.channel()
    await channel.opened()
    sending = (role == "offer") == (direction == "out")
    finished = asyncio.Event()
    if sending:
        channel.on_message(lambda message: finished.set())
        payload = os.urandom(size)
        await asyncio.sleep(0.1)
        cpu, start, count = time.process_time(), time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            for _ in range(16):
                await channel.send(payload)
            count += 16
        await channel.send(f"{DONE}{count}")
        await finished.wait()
        result(messages=count, bytes=count * size, cpu=time.process_time() - cpu, wall=time.perf_counter() - start)
    else:
        state = {"count": 0, "bytes": 0, "first": 0.0, "cpu": 0.0}

        def arrived(message: Message) -> None:
            if isinstance(message, str):
                result(
                    messages=state["count"],
                    bytes=state["bytes"],
                    expected=int(message.removeprefix(DONE)),
                    cpu=time.process_time() - state["cpu"],
                    wall=time.perf_counter() - state["first"],
                )
                finished.set()
                return
            if not state["count"]:
                state["first"], state["cpu"] = time.perf_counter(), time.process_time()
            state["count"] += 1
            state["bytes"] += len(message)

        channel.on_message(arrived)
        await finished.wait()
        await channel.send("seen")
    await asyncio.sleep(0.2)  # let the last message and its acknowledgement leave before the end
    tell(bye=True)
    await pump
    await peer.close()


async def connect(stack: str, role: str, count: int, trickle: bool) -> None:
    signal = Signal()
    times = []
    cpu = 0.0
    for number in range(count):
        if number == 1:  # the first one loads what is loaded once
            cpu = time.process_time()
        peer = STACKS[stack]()
        made = peer.make_channel() if role == "offer" else None
        await signal.both_ready()
        pump = asyncio.create_task(signal.pump(peer, trickle))
        start = time.perf_counter()
        if role == "offer":
            await peer.start(trickle, tell)
        channel = made if made is not None else await peer.channel()
        await channel.opened()
        times.append(time.perf_counter() - start)
        if role == "offer":
            tell(bye=True)
            await pump
        else:
            await pump
            tell(bye=True)
        await peer.close()
    result(times=times, cpu=time.process_time() - cpu)


def main() -> None:
    stack, role, mode, *args = sys.argv[1:]
    if mode == "throughput":
        asyncio.run(throughput(stack, role, int(args[0]), float(args[1]), args[2]))
    else:
        asyncio.run(connect(stack, role, int(args[0]), args[1] == "trickle"))


if __name__ == "__main__":
    main()
