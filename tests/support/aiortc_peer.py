"""aiortc as a remote peer: a program that executes the commands of `remote_peer.py`, JSON lines in and out.

    python -m tests.support.aiortc_peer

It shares no process with the stack under test, so neither can help the other along. aiortc gathers everything before
its description is ready; `trickle` here means that the candidates are taken out of the description and handed over
one by one, which is what the other side sees of trickling. It never gathers loopback addresses.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from dataclasses import asdict, is_dataclass
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

from .aiortc_media import MediaCommands, MediaPart
from .command_server import serve
from .content import content, sha256

_HIGH_WATER = 1 << 20
_LOW_WATER = 1 << 18


class Channel:
    """A data channel with an inbox and a list of what happened to it."""

    def __init__(self, dc: RTCDataChannel) -> None:
        self.dc = dc
        self.inbox: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.events: list[str] = []
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.low = asyncio.Event()
        self.wanted = 0
        self.file = bytearray()
        self.file_done = asyncio.Event()
        if dc.readyState == "open":
            self.opened.set()
        dc.on("open", lambda: self._happened("open", self.opened))
        dc.on("close", lambda: self._happened("close", self.closed))
        dc.on("bufferedamountlow", self.low.set)
        dc.on("message", self._message)
        dc.bufferedAmountLowThreshold = _LOW_WATER

    def _happened(self, name: str, flag: asyncio.Event) -> None:
        self.events.append(name)
        flag.set()

    def _message(self, data: str | bytes) -> None:
        if not self.wanted:
            self.inbox.put_nowait(data)
            return
        self.file += data.encode() if isinstance(data, str) else data
        if len(self.file) >= self.wanted:
            self.wanted = 0
            self.file_done.set()

    async def send(self, data: str | bytes) -> None:
        if self.dc.bufferedAmount > _HIGH_WATER:
            self.low.clear()
            await self.low.wait()
        self.dc.send(data)

    def describe(self) -> dict[str, Any]:
        names = ("label", "ordered", "protocol", "negotiated", "id", "maxRetransmits", "maxPacketLifeTime")
        return {**{name: getattr(self.dc, name) for name in names}, "readyState": self.dc.readyState}


class Peer(MediaPart):
    """One RTCPeerConnection, its channels, its media and its candidates."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        servers = [RTCIceServer(**server) for server in config.get("iceServers", [])]
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self.channels: dict[str, Channel] = {}
        self.arrived: defaultdict[str, asyncio.Queue[Channel]] = defaultdict(asyncio.Queue)
        self.candidates: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.log: list[str] = []
        self.pc.on("connectionstatechange", self._state_changed)
        self.pc.on("datachannel", lambda dc: self.arrived[dc.label].put_nowait(Channel(dc)))

    def _state_changed(self) -> None:
        self.log.append(self.pc.connectionState)
        self.changed.set()

    async def wait_state(self, state: str) -> None:
        while self.pc.connectionState != state:
            if self.pc.connectionState in ("failed", "closed"):
                raise ConnectionError(f"connection is {self.pc.connectionState}")
            self.changed.clear()
            await self.changed.wait()

    async def close(self) -> None:
        await self.close_media()
        await self.pc.close()

    def local(self, trickle: bool) -> dict[str, str]:
        """The local description; with `trickle` its candidates go to the queue instead."""
        sdp = self.pc.localDescription.sdp
        if trickle:
            mid = re.search(r"^a=mid:(\S+)", sdp, re.MULTILINE)
            for line in re.findall(r"^a=(candidate:.*?)\r?$", sdp, re.MULTILINE):
                found = {"candidate": line, "sdpMid": mid[1] if mid else None, "sdpMLineIndex": 0}
                self.candidates.put_nowait(found)
            sdp = re.sub(r"^a=(candidate:.*|end-of-candidates)\r?\n", "", sdp, flags=re.MULTILINE)
        self.candidates.put_nowait(None)
        return {"type": self.pc.localDescription.type, "sdp": sdp}


class Commands(MediaCommands):
    """One method per command; arguments as in `browser_peer.js`."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}

    def peer(self, a: dict[str, Any]) -> Peer:
        return self.peers[a["pc"]]

    def channel(self, a: dict[str, Any]) -> Channel:
        return self.peers[a["pc"]].channels[a["channel"]]

    async def create(self, a: dict[str, Any]) -> None:
        self.peers[a["pc"]] = Peer(a["config"])

    async def create_channel(self, a: dict[str, Any]) -> None:
        peer = self.peer(a)
        peer.channels[a["channel"]] = Channel(peer.pc.createDataChannel(a["label"], **a["options"]))

    async def wait_channel(self, a: dict[str, Any]) -> dict[str, Any]:
        peer = self.peer(a)
        channel = peer.channels[a["channel"]] = await peer.arrived[a["label"]].get()
        await channel.opened.wait()
        return channel.describe()

    async def offer(self, a: dict[str, Any]) -> dict[str, str]:
        pc = self.peer(a).pc
        await pc.setLocalDescription(await pc.createOffer())
        return self.peer(a).local(a["trickle"])

    async def answer(self, a: dict[str, Any]) -> dict[str, str]:
        await self.set_remote(a)
        return await self.local_answer(a)

    async def local_answer(self, a: dict[str, Any]) -> dict[str, str]:
        pc = self.peer(a).pc
        await pc.setLocalDescription(await pc.createAnswer())
        self.peer(a).watch_all()
        return self.peer(a).local(a["trickle"])

    async def set_remote(self, a: dict[str, Any]) -> None:
        await self.peer(a).pc.setRemoteDescription(RTCSessionDescription(**a["description"]))
        if a["description"]["type"] == "answer":
            self.peer(a).watch_all()

    async def add_candidate(self, a: dict[str, Any]) -> None:
        given = a["candidate"]
        if given is None or not given["candidate"]:
            await self.peer(a).pc.addIceCandidate(None)
            return
        candidate = candidate_from_sdp(given["candidate"].removeprefix("candidate:"))
        candidate.sdpMid, candidate.sdpMLineIndex = given.get("sdpMid"), given.get("sdpMLineIndex")
        await self.peer(a).pc.addIceCandidate(candidate)

    async def next_candidate(self, a: dict[str, Any]) -> dict[str, Any] | None:
        return await self.peer(a).candidates.get()

    async def wait_state(self, a: dict[str, Any]) -> None:
        await self.peer(a).wait_state(a["state"])

    async def wait_open(self, a: dict[str, Any]) -> dict[str, Any]:
        await self.channel(a).opened.wait()
        return self.channel(a).describe()

    async def send_text(self, a: dict[str, Any]) -> None:
        await self.channel(a).send(a["text"])

    async def send_bytes(self, a: dict[str, Any]) -> None:
        await self.channel(a).send(content(a["size"], a["seed"]))

    async def send_file(self, a: dict[str, Any]) -> str:
        data, channel = content(a["size"], a["seed"]), self.channel(a)
        for at in range(0, len(data), a["chunk"]):
            await channel.send(data[at : at + a["chunk"]])
        return sha256(data)

    async def next_message(self, a: dict[str, Any]) -> dict[str, Any]:
        data = await self.channel(a).inbox.get()
        return {"text": data} if isinstance(data, str) else {"size": len(data), "sha256": sha256(data)}

    async def receive_file(self, a: dict[str, Any]) -> None:
        channel = self.channel(a)
        channel.file.clear()
        channel.file_done.clear()
        channel.wanted = a["size"]

    async def file_received(self, a: dict[str, Any]) -> dict[str, Any]:
        channel = self.channel(a)
        await channel.file_done.wait()
        return {"size": len(channel.file), "sha256": sha256(bytes(channel.file))}

    async def close_channel(self, a: dict[str, Any]) -> None:
        self.channel(a).dc.close()

    async def wait_channel_closed(self, a: dict[str, Any]) -> list[str]:
        await self.channel(a).closed.wait()
        return self.channel(a).events

    async def report(self, a: dict[str, Any]) -> dict[str, Any]:
        peer = self.peer(a)
        pc, stats = peer.pc, {}
        if pc.connectionState != "closed":
            known = dict(await pc.getStats())
            if pc.sctp is not None:
                known |= pc.sctp.transport._get_stats()
            stats = {
                key: asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
                for key, value in known.items()
            }
        return {
            "states": {
                "connection": pc.connectionState,
                "ice": pc.iceConnectionState,
                "gathering": pc.iceGatheringState,
                "signaling": pc.signalingState,
                "dtls": pc.sctp.transport.state if pc.sctp else None,
                "sctp": pc.sctp.state if pc.sctp else None,
            },
            "log": peer.log,
            "channels": [{"name": n, "events": c.events, **c.describe()} for n, c in peer.channels.items()],
            "media": {name: media.describe() for name, media in peer.media.items()},
            "stats": stats,
            "local": getattr(pc.localDescription, "sdp", None),
            "remote": getattr(pc.remoteDescription, "sdp", None),
        }

    async def close(self, a: dict[str, Any]) -> None:
        peer = self.peers.pop(a["pc"], None)
        if peer is not None:
            await peer.close()


async def main() -> None:
    """Executes commands, many at once, until standard input ends."""
    commands = Commands()
    await serve(commands)
    for peer in list(commands.peers.values()):
        await peer.close()


if __name__ == "__main__":
    asyncio.run(main())
