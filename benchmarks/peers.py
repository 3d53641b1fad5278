"""One end of a two-process benchmark, for stacks of Python: `python benchmarks/peers.py STACK ROLE MODE ...`.

STACK is `aiortc`, `aiortc-uvloop`, `wrtc` (libwebrtc as the package wrtc builds it) or `pyldc` (libdatachannel as
pylibdatachannel builds it). What is measured, and what the ends say to each other: `webrtc_stack/cli/bench/ends.py`.
"""

from __future__ import annotations

import asyncio
import fractions
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from webrtc_stack.cli.bench.ends import FRAME, HIGH_BYTES, LOW_BYTES, Message, Peer, Tell, main


def _plainly(description: Any) -> dict[str, str]:
    return {"type": str(getattr(description.type, "value", description.type)), "sdp": str(description.sdp)}


class WaitingChannel:
    """A channel whose sender waits while much is buffered."""

    def __init__(self) -> None:
        self.low = asyncio.Event()

    def buffered(self) -> int:
        raise NotImplementedError

    def put(self, data: Message) -> None:
        raise NotImplementedError

    async def send(self, data: Message) -> None:
        self.put(data)
        if self.buffered() > HIGH_BYTES:
            self.low.clear()
            await self.low.wait()


class NoVideo:
    """What a stack has that cannot take encoded frames."""

    def _cannot(self, *_: Any) -> Any:
        raise NotImplementedError("it takes no encoded frames")

    send_video = receive_video = write = take_video = forward_video = packets = _cannot


# --- aiortc -----------------------------------------------------------------------------------------------------------


class AiortcChannel(WaitingChannel):
    def __init__(self, channel: Any) -> None:
        super().__init__()
        self._channel = channel
        channel.bufferedAmountLowThreshold = LOW_BYTES
        channel.on("bufferedamountlow", self.low.set)

    def buffered(self) -> int:
        return int(self._channel.bufferedAmount)

    def put(self, data: Message) -> None:
        self._channel.send(data)

    async def opened(self) -> None:
        if self._channel.readyState != "open":
            opened = asyncio.Event()
            self._channel.on("open", opened.set)
            await opened.wait()

    def on_message(self, callback: Callable[[Message], None]) -> None:
        self._channel.on("message", callback)


class Aiortc:
    """aiortc, driven as its documentation shows. It gathers before it answers, so trickle changes nothing.

    Its sender takes encoded packets; its receiver always decodes, which ends early here, as the frames are no picture.
    It cannot forward what it has not decoded.
    """

    def __init__(self) -> None:
        import aiortc

        self._aiortc = aiortc
        self._pc = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self._incoming: asyncio.Future[AiortcChannel] = asyncio.get_running_loop().create_future()
        self._pc.on("datachannel", lambda channel: self._incoming.set_result(AiortcChannel(channel)))
        self._frames: asyncio.Queue[int] = asyncio.Queue(4)

    def make_channel(self) -> AiortcChannel:
        return AiortcChannel(self._pc.createDataChannel("bench"))

    async def channel(self) -> AiortcChannel:
        return await self._incoming

    async def start(self, trickle: bool, tell: Tell) -> None:
        await self._pc.setLocalDescription(await self._pc.createOffer())
        tell(description=_plainly(self._pc.localDescription))

    async def remote(self, message: dict[str, Any], trickle: bool, tell: Tell) -> None:
        if "description" not in message:
            return
        description = self._aiortc.RTCSessionDescription(message["description"]["sdp"], message["description"]["type"])
        await self._pc.setRemoteDescription(description)
        if description.type == "offer":
            await self._pc.setLocalDescription(await self._pc.createAnswer())
            tell(description=_plainly(self._pc.localDescription))

    async def close(self) -> None:
        await self._pc.close()

    def send_video(self) -> None:
        import av

        frames = self._frames

        class Source(self._aiortc.MediaStreamTrack):  # type: ignore[misc, name-defined]
            kind = "video"

            async def recv(self) -> Any:
                number = await frames.get()
                packet = av.Packet(FRAME)
                packet.pts, packet.time_base = number * 3000, fractions.Fraction(1, 90_000)
                return packet

        self._pc.addTrack(Source())

    def write(self, number: int) -> None:
        if not self._frames.full():  # it sends a frame after the other, each as fast as it can
            self._frames.put_nowait(number)

    def take_video(self) -> None:
        from aiortc.contrib.media import MediaBlackhole

        self._hole = MediaBlackhole()
        self._hole.addTrack(self._pc.getReceivers()[0].track)
        self._started = asyncio.ensure_future(self._hole.start())

    def receive_video(self) -> None:
        self._pc.addTransceiver("video", direction="recvonly")

    def forward_video(self, source: Peer | None) -> None:
        raise NotImplementedError("it forwards nothing without decoding")

    async def packets(self) -> tuple[int, int]:
        stats = (await self._pc.getStats()).values()
        sent = sum(one.packetsSent for one in stats if one.type == "outbound-rtp")
        return sent, sum(one.packetsReceived for one in stats if one.type == "inbound-rtp")


# --- libwebrtc --------------------------------------------------------------------------------------------------------


class WrtcChannel(WaitingChannel):
    def __init__(self, channel: Any) -> None:
        super().__init__()
        self._channel = channel
        channel.buffered_amount_low_threshold = LOW_BYTES
        channel.on("bufferedamountlow", lambda _: self.low.set())

    def buffered(self) -> int:
        return int(self._channel.buffered_amount)

    def put(self, data: Message) -> None:
        self._channel.send(data)

    async def opened(self) -> None:
        state = self._channel.ready_state
        if str(getattr(state, "value", state)) != "open":
            opened = asyncio.Event()
            self._channel.on("open", lambda _: opened.set())
            await opened.wait()

    def on_message(self, callback: Callable[[Message], None]) -> None:
        self._channel.on("message", lambda event: callback(event.data))


class Wrtc(NoVideo):
    """libwebrtc by the package wrtc, in the words of the browsers' API."""

    def __init__(self) -> None:
        import webrtc  # type: ignore[import-not-found, unused-ignore]

        self._webrtc = webrtc
        self._pc = webrtc.RTCPeerConnection()
        self._incoming: asyncio.Future[WrtcChannel] = asyncio.get_running_loop().create_future()
        self._pc.on("datachannel", lambda event: self._incoming.set_result(WrtcChannel(event.channel)))

    def make_channel(self) -> WrtcChannel:
        return WrtcChannel(self._pc.create_data_channel("bench"))

    async def channel(self) -> WrtcChannel:
        return await self._incoming

    async def start(self, trickle: bool, tell: Tell) -> None:
        await self._describe(await self._pc.create_offer(), trickle, tell)

    async def _describe(self, description: Any, trickle: bool, tell: Tell) -> None:
        gathered = asyncio.Event()
        early: list[dict[str, Any]] | None = []

        def found(event: Any) -> None:
            one = event.candidate
            if not one or not one.candidate:
                gathered.set()
            elif trickle:
                candidate = {"candidate": one.candidate, "mid": one.sdp_mid, "index": one.sdp_m_line_index}
                if early is None:
                    tell(candidate=candidate)
                else:
                    early.append(candidate)

        self._pc.on("icecandidate", found)
        await self._pc.set_local_description(description)
        if not trickle:
            await gathered.wait()
        tell(description=_plainly(self._pc.local_description))
        for candidate in early or ():
            tell(candidate=candidate)
        early = None

    async def remote(self, message: dict[str, Any], trickle: bool, tell: Tell) -> None:
        if "description" in message:
            description = message["description"]
            await self._pc.set_remote_description(
                self._webrtc.RTCSessionDescriptionInit(type=description["type"], sdp=description["sdp"])
            )
            if description["type"] == "offer":
                await self._describe(await self._pc.create_answer(), trickle, tell)
        elif message["candidate"]:
            found = message["candidate"]
            await self._pc.add_ice_candidate(
                self._webrtc.RTCIceCandidateInit(
                    candidate=found["candidate"], sdp_mid=found["mid"], sdp_m_line_index=found["index"]
                )
            )

    async def close(self) -> None:
        self._pc.close()


# --- libdatachannel ---------------------------------------------------------------------------------------------------


class LibdatachannelChannel(WaitingChannel):
    """Callbacks come on threads of the library. It does not tell what is buffered: the receiver acknowledges here."""

    WINDOW = 4 << 20

    def __init__(self, channel: Any) -> None:
        super().__init__()
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._opened = asyncio.Event()
        self._callback: Callable[[Message], None] | None = None
        self._early: list[Message] = []
        self._sent = self._acknowledged = self._received = self._told = 0
        channel.on_open(lambda: self._loop.call_soon_threadsafe(self._opened.set))
        channel.on_message(self._arrived)
        if channel.is_open:
            self._opened.set()

    def buffered(self) -> int:
        return HIGH_BYTES * (self._sent - self._acknowledged) // self.WINDOW

    def put(self, data: Message) -> None:
        self._sent += len(data)
        self._channel.send(data)

    async def opened(self) -> None:
        await self._opened.wait()

    def on_message(self, callback: Callable[[Message], None]) -> None:
        self._callback = callback
        early, self._early = self._early, []
        for message in early:
            callback(message)

    def _arrived(self, message: Message) -> None:
        if isinstance(message, str) and message.startswith("acknowledged "):
            self._acknowledged = int(message.partition(" ")[2])
            self._loop.call_soon_threadsafe(self.low.set)
            return
        self._received += len(message)
        if self._received - self._told >= self.WINDOW // 4:
            self._told = self._received
            self._channel.send(f"acknowledged {self._received}")
        self._loop.call_soon_threadsafe(self._hand_on, message)

    def _hand_on(self, message: Message) -> None:
        if self._callback is None:
            self._early.append(message)
        else:
            self._callback(message)


class Libdatachannel(NoVideo):
    """libdatachannel by pylibdatachannel. It negotiates by itself when a channel is made."""

    def __init__(self) -> None:
        import pylibdatachannel  # type: ignore[import-not-found, unused-ignore]

        self._library = pylibdatachannel
        self._loop = asyncio.get_running_loop()
        self._pc = pylibdatachannel.PeerConnection()
        self._incoming: asyncio.Future[LibdatachannelChannel] = self._loop.create_future()
        self._described: asyncio.Queue[Any] = asyncio.Queue()
        self._candidates: list[dict[str, str]] | None = []
        self._gathered = asyncio.Event()
        self._tell: Tell | None = None
        self._pc.on_data_channel(lambda channel: self._soon(self._take_channel, channel))
        self._pc.on_local_description(lambda description: self._soon(self._described.put_nowait, description))
        self._pc.on_local_candidate(lambda found: self._soon(self._found, str(found.candidate), str(found.mid)))
        self._pc.on_gathering_state_change(self._gathering)

    def _gathering(self, state: Any) -> None:
        if "complete" in str(state).lower():
            self._soon(self._gathered.set)

    def _soon(self, function: Callable[..., Any], *values: Any) -> None:
        self._loop.call_soon_threadsafe(function, *values)

    def _take_channel(self, channel: Any) -> None:
        self._incoming.set_result(LibdatachannelChannel(channel))

    def _found(self, candidate: str, mid: str) -> None:
        found = {"candidate": candidate, "mid": mid}
        if self._tell is not None:
            self._tell(candidate=found)
        elif self._candidates is not None:
            self._candidates.append(found)

    def make_channel(self) -> LibdatachannelChannel:
        return LibdatachannelChannel(self._pc.create_data_channel("bench"))

    async def channel(self) -> LibdatachannelChannel:
        return await self._incoming

    async def start(self, trickle: bool, tell: Tell) -> None:
        await self._describe("offer", trickle, tell)

    async def _describe(self, kind: str, trickle: bool, tell: Tell) -> None:
        description = await self._described.get()
        if not trickle:
            await self._gathered.wait()
        sdp = str(description if trickle else self._pc.local_description)
        tell(description={"type": kind, "sdp": sdp})
        if trickle:
            for found in self._candidates or ():
                tell(candidate=found)
            self._tell = tell
        self._candidates = None

    async def remote(self, message: dict[str, Any], trickle: bool, tell: Tell) -> None:
        if "description" in message:
            kind, sdp = message["description"]["type"], message["description"]["sdp"]
            types = self._library.DescriptionType
            self._pc.set_remote_description(self._library.Description(sdp, types.from_string(kind)))
            if kind == "offer":
                await self._describe("answer", trickle, tell)
        elif message["candidate"]:
            found = message["candidate"]
            self._pc.add_remote_candidate(self._library.Candidate(found["candidate"], found["mid"]))

    async def close(self) -> None:
        self._pc.close()


def _run(main: Any) -> None:
    """By asyncio or uvloop, and without the long way down of libraries with threads."""
    if sys.argv[1].endswith("uvloop"):
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main({"aiortc": Aiortc, "aiortc-uvloop": Aiortc, "wrtc": Wrtc, "pyldc": Libdatachannel}, _run)
