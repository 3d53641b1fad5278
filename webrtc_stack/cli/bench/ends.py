"""One end of a measurement between two processes: `python -m webrtc_stack.cli.bench.ends STACK ROLE MODE ...`.

ROLE is `offer` or `answer`. The two ends signal by JSON lines, each one's standard output being the other one's
standard input; the result is one JSON line on standard error, behind `RESULT `. `ready` and `bye` are barriers of both
ends, everything else between them goes to the connection. A stack takes part by a `Peer` of a few methods; ours is
here.

| MODE | what is measured |
|---|---|
| `throughput SIZE SECONDS` | messages of SIZE bytes over a reliable ordered channel, the sender's buffer kept filled |
| `connect COUNT SIGNALLING` | from set_local_description to an open channel, at the offerer; `trickle` or `vanilla` |
| `ping COUNT` | a message of 64 bytes there and back |
| `media SECONDS FRAMES` | encoded frames of 60 kB, FRAMES a second, 0 for as many as there is time for |
| `fanout COPIES FRAMES SECONDS` | the answerer forwards one video to COPIES connections of the offerer |
| `idle COUNT SECONDS` | memory and CPU of COUNT connections that do nothing |
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

HIGH_BYTES = 1 << 20
LOW_BYTES = 256 << 10
DONE = "done "
PING = bytes(64)
FRAME = bytes.fromhex("10 02 00 9d 01 2a 40 01 f0 00") + b"\x42" * 59_990
"""A VP8 key frame as far as payload formats look; no decoder makes a picture of it."""
SETTLE = 0.3
"""Seconds after a connection stands: reports and path checks of its beginning are over."""

Message = str | bytes
Tell = Callable[..., None]


class Channel(Protocol):
    async def opened(self) -> None: ...
    async def send(self, data: Message) -> None: ...
    def on_message(self, callback: Callable[[Message], None]) -> None: ...


class Peer(Protocol):
    """A connection of one stack. Media methods raise `NotImplementedError` where a stack has no way to do it."""

    def make_channel(self) -> Channel: ...
    async def channel(self) -> Channel: ...
    async def start(self, trickle: bool, tell: Tell) -> None: ...
    async def remote(self, message: dict[str, Any], trickle: bool, tell: Tell) -> None: ...
    async def close(self) -> None: ...

    def send_video(self) -> None:
        """Offers a video of encoded frames, before `start`."""

    def receive_video(self) -> None:
        """Offers to receive a video, before `start`."""

    def write(self, number: int) -> None:
        """Sends frame `number` of the video."""

    def take_video(self) -> None:
        """Reads the video that comes, encoded."""

    def forward_video(self, source: Peer | None) -> None:
        """As answerer, before the answer: keeps what is offered (None), or sends what `source` keeps."""

    async def packets(self) -> tuple[int, int]:
        """RTP packets sent and received so far."""


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
        self._pc = rtc.PeerConnection(rtc.ClientConfig())
        self._tasks: list[asyncio.Task[None]] = []
        self._relayed: Any = None
        self._prepare: Callable[[], None] = lambda: None

    def make_channel(self) -> OurChannel:
        return OurChannel(self._pc.create_data_channel("bench"))

    async def channel(self) -> OurChannel:
        async for channel in self._pc.data_channels():
            return OurChannel(channel)
        raise RuntimeError("the connection ended without a channel")

    async def start(self, trickle: bool, tell: Tell) -> None:
        await self._pc.set_local_description()
        if not trickle:
            await self._pc.wait_gathering_complete(timeout=10)
        assert self._pc.local_description is not None
        tell(description=self._pc.local_description.to_json())
        if trickle:
            self._tasks.append(asyncio.create_task(self._pump(tell)))

    async def _pump(self, tell: Tell) -> None:
        async for candidate in self._pc.ice_candidates():
            tell(candidate=candidate.to_json())
        tell(candidate=None)

    async def remote(self, message: dict[str, Any], trickle: bool, tell: Tell) -> None:
        if "description" in message:
            description = self._rtc.SessionDescription.from_json(message["description"])
            await self._pc.set_remote_description(description)
            if description.type == "offer":
                self._prepare()
                await self.start(trickle, tell)
        else:
            candidate = message["candidate"]
            await self._pc.add_ice_candidate(candidate and self._rtc.IceCandidate.from_json(candidate))

    async def close(self) -> None:
        await self._pc.close()
        await asyncio.gather(*self._tasks)

    def send_video(self) -> None:
        self._track = self._rtc.EncodedTrack("video", "video/VP8")
        self._pc.add_transceiver(self._track, direction="sendonly")

    def receive_video(self) -> None:
        self._pc.add_transceiver("video", direction="recvonly")

    def write(self, number: int) -> None:
        self._track.write(self._rtc.OutgoingFrame(data=FRAME, media_time=number / 30, keyframe=True))

    def take_video(self) -> None:
        (transceiver,) = self._pc.transceivers

        async def read(frames: Any) -> None:
            async for _ in frames:
                pass

        self._tasks.append(asyncio.create_task(read(transceiver.receiver.encoded_frames())))

    def forward_video(self, source: Peer | None) -> None:
        def prepare() -> None:
            if source is None:
                (transceiver,) = self._pc.transceivers
                self._relayed = transceiver.receiver.relay()
            else:
                assert isinstance(source, Ours)
                self._pc.add_track(source._relayed)

        self._prepare = prepare

    async def packets(self) -> tuple[int, int]:
        counters = self._pc.core.media.counters
        return counters.rtp_sent, counters.rtp_received


Make = Callable[[], Peer]


def tell(**message: Any) -> None:
    os.write(1, (json.dumps(message) + "\n").encode())


def result(**values: Any) -> None:
    print("RESULT " + json.dumps(values), file=sys.stderr, flush=True)


class Signal:
    """The other end's messages."""

    def __init__(self, role: str) -> None:
        self.offers = role == "offer"
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
            self._queue.put_nowait({"bye": True})  # the other end is gone

    async def barrier(self, name: str) -> None:
        """Waits until the other end is here too. Candidates that come late are of no use any more."""
        tell(**{name: True})
        while True:
            message = await self._queue.get()
            if name in message:
                return
            if "bye" in message:
                raise SystemExit("the other end is gone")

    async def _pump(self, peer: Peer, trickle: bool) -> None:
        while True:
            message = await self._queue.get()
            if "bye" in message:
                return
            await peer.remote(message, trickle, tell)

    async def connect(self, peer: Peer, *, trickle: bool = False) -> tuple[Channel, float]:
        """Connects both ends. Returns: the channel, open, and the seconds that it took."""
        made = peer.make_channel() if self.offers else None
        await self.barrier("ready")
        pump = asyncio.create_task(self._pump(peer, trickle))
        begun = time.perf_counter()
        if self.offers:
            await peer.start(trickle, tell)
        channel = made if made is not None else await peer.channel()
        await channel.opened()
        seconds = time.perf_counter() - begun
        tell(bye=True)
        await pump
        return channel, seconds


class Meter:
    """Wall and CPU seconds since it was made, or started again."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def read(self) -> dict[str, float]:
        return {"wall": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}


async def throughput(make: Make, signal: Signal, size: int, seconds: float) -> None:
    channel, _ = await signal.connect(peer := make())
    finished = asyncio.Event()
    if signal.offers:
        channel.on_message(lambda message: finished.set())
        payload = os.urandom(size)
        await signal.barrier("ready")
        await asyncio.sleep(SETTLE)
        meter, count = Meter(), 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for _ in range(16):
                await channel.send(payload)
            count += 16
        await channel.send(f"{DONE}{count}")
        await finished.wait()
        result(messages=count, **meter.read())
    else:
        count, arrived_bytes, meter = 0, 0, Meter()

        def arrived(message: Message) -> None:
            nonlocal count, arrived_bytes
            if isinstance(message, str):
                expected = int(message.removeprefix(DONE))
                result(messages=count, bytes=arrived_bytes, expected=expected, **meter.read())
                finished.set()
                return
            if not count:
                meter.start()
            count += 1
            arrived_bytes += len(message)

        channel.on_message(arrived)
        await signal.barrier("ready")
        await finished.wait()
        await channel.send("seen")
    await asyncio.sleep(0.2)  # the last message and its acknowledgement leave before the end
    await signal.barrier("over")
    await peer.close()


async def connect(make: Make, signal: Signal, count: int, signalling: str) -> None:
    times = []
    meter = Meter()
    for number in range(count + 1):
        if number == 1:  # the first one loads what is loaded once
            meter.start()
        peer = make()
        times.append((await signal.connect(peer, trickle=signalling == "trickle"))[1])
        await peer.close()
    result(times=times[1:], **meter.read())


async def ping(make: Make, signal: Signal, count: int) -> None:
    channel, _ = await signal.connect(peer := make())
    messages: asyncio.Queue[Message] = asyncio.Queue()
    if signal.offers:
        channel.on_message(messages.put_nowait)
        await signal.barrier("ready")
        await asyncio.sleep(SETTLE)
        times, meter = [], Meter()
        for _ in range(count):
            begun = time.perf_counter()
            await channel.send(PING)
            await messages.get()
            times.append(time.perf_counter() - begun)
        result(times=times, **meter.read())
    else:
        channel.on_message(messages.put_nowait)
        await signal.barrier("ready")
        meter = Meter()
        for _ in range(count):
            await messages.get()
            await channel.send(PING)
        result(**meter.read())
    await signal.barrier("over")
    await peer.close()


async def _write_frames(peer: Peer, seconds: float, frames: int) -> int:
    """Sends a video, paced or not. Returns: the frames."""
    begun, number = time.perf_counter(), 0
    while (now := time.perf_counter() - begun) < seconds:
        if not frames or number <= now * frames:
            peer.write(number)
            number += 1
        await asyncio.sleep(0 if not frames else max(0.0, number / frames - (time.perf_counter() - begun)))
    return number


async def media(make: Make, signal: Signal, seconds: float, frames: int) -> None:
    peer = make()
    if signal.offers:
        peer.send_video()
    await signal.connect(peer)
    if not signal.offers:
        peer.take_video()
    await signal.barrier("ready")
    await asyncio.sleep(SETTLE)
    before, meter = await peer.packets(), Meter()
    if signal.offers:
        await _write_frames(peer, seconds, frames)
    else:
        await asyncio.sleep(seconds)
    used = meter.read()
    after = await peer.packets()
    result(packets=after[not signal.offers] - before[not signal.offers], **used)
    await signal.barrier("over")
    await peer.close()


async def fanout(make: Make, signal: Signal, copies: int, frames: int, seconds: float) -> None:
    peers: list[Peer] = []
    for number in range(copies + 1):
        peer = make()
        if not signal.offers:
            peer.forward_video(peers[0] if number else None)
        elif number:
            peer.receive_video()
        else:
            peer.send_video()
        await signal.connect(peer)
        if signal.offers and number:
            peer.take_video()
        peers.append(peer)
    await signal.barrier("ready")
    await asyncio.sleep(SETTLE)

    async def counted() -> list[tuple[int, int]]:
        return [await peer.packets() for peer in peers]

    before, meter = await counted(), Meter()
    if signal.offers:
        await _write_frames(peers[0], seconds, frames)
    else:
        await asyncio.sleep(seconds)
    used = meter.read()
    await asyncio.sleep(SETTLE)
    after = await counted()
    sent = sum(now[0] - then[0] for now, then in zip(after, before, strict=True))
    received = sum(now[1] - then[1] for now, then in zip(after, before, strict=True))
    result(sent=sent, received=received, **used)
    await signal.barrier("over")
    for peer in peers:
        await peer.close()


def _kilobytes() -> int:
    """Memory of this process alone: its own pages, and its share of those that it has in common."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("the kernel does not say how much memory is in use")


async def idle(make: Make, signal: Signal, count: int, seconds: float) -> None:
    peers = []
    first = 0
    for number in range(count + 1):
        peer = make()
        await signal.connect(peer)
        peers.append(peer)
        if number == 0:
            await asyncio.sleep(SETTLE)
            first = _kilobytes()
    await signal.barrier("ready")
    await asyncio.sleep(1)
    full, meter = _kilobytes(), Meter()
    await asyncio.sleep(seconds)
    used = meter.read()
    await signal.barrier("measured")
    result(process_kilobytes=first, kilobytes=(full - first) / count, cpu=used["cpu"] / used["wall"] / (count + 1))
    for peer in peers:
        await peer.close()


MODES: dict[str, tuple[Callable[..., Awaitable[None]], tuple[Callable[[str], Any], ...]]] = {
    "throughput": (throughput, (int, float)),
    "connect": (connect, (int, str)),
    "ping": (ping, (int,)),
    "media": (media, (float, int)),
    "fanout": (fanout, (int, int, float)),
    "idle": (idle, (int, float)),
}


def main(stacks: dict[str, Make], runner: Callable[[Any], Any] = asyncio.run) -> None:
    stack, role, mode, *arguments = sys.argv[1:]
    measure, types = MODES[mode]
    values = [convert(one) for convert, one in zip(types, arguments, strict=True)]

    async def run() -> None:
        await measure(stacks[stack], Signal(role), *values)

    runner(run())


if __name__ == "__main__":
    main({"ours": Ours})
