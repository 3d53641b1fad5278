"""Our side of a session with a remote peer: the client API behind the verbs of `remote_peer.py`.

The only file of the interop tests that spells the client API, so that a signalling script reads the same both ways.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import webrtc_stack as rtc
from webrtc_stack.base import SeededEntropy
from webrtc_stack.trace import MemorySink, Trace

from .content import content
from .remote_peer import CEILING, Description


class OurPeer:
    """One `PeerConnection` of a client of its own; its keys and names come from `seed`, its trace is kept."""

    def __init__(self, seed: int, **config: Any) -> None:
        self.seed = seed
        self.sink = MemorySink(limit=4000)
        trace = Trace(self.sink, source="ours")
        self.client = rtc.Client(rtc.ClientConfig(entropy=SeededEntropy(seed), trace=trace, **config))
        self._candidates: AsyncIterator[rtc.IceCandidate] | None = None
        self._arrived: dict[str, asyncio.Queue[rtc.DataChannel]] = {}
        self._accepting: asyncio.Task[None] | None = None

    async def create(self) -> None:
        await self.client.__aenter__()
        self.pc = self.client.create_peer_connection()
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        async for channel in self.pc.data_channels():
            self._arrived.setdefault(channel.label, asyncio.Queue()).put_nowait(channel)

    async def _local(self, trickle: bool) -> Description:
        await self.pc.set_local_description()
        if not trickle:
            await self.pc.wait_gathering_complete(timeout=CEILING)
        made = self.pc.local_description
        assert made is not None
        return {"type": made.type.value, "sdp": made.sdp}

    async def offer(self, *, trickle: bool, restart: bool = False) -> Description:
        if restart:
            self.pc.restart_ice()
        return await self._local(trickle)

    async def answer(self, offer: Description, *, trickle: bool) -> Description:
        await self.set_remote(offer)
        return await self._local(trickle)

    async def set_remote(self, description: Description) -> None:
        await self.pc.set_remote_description(rtc.SessionDescription.from_json(description))

    async def add_candidate(self, candidate: dict[str, Any] | None) -> None:
        await self.pc.add_ice_candidate(None if candidate is None else rtc.IceCandidate.from_json(candidate))

    async def next_candidate(self) -> dict[str, Any] | None:
        if self._candidates is None:
            self._candidates = aiter(self.pc.ice_candidates())
        async for candidate in self._candidates:
            return candidate.to_json()
        self._candidates = None  # a restart begins a new generation
        return None

    async def wait_state(self, state: str, *, timeout: float = CEILING) -> None:
        await self.pc.connection_state.wait_for(state, timeout=timeout)

    async def create_channel(self, label: str, **options: Any) -> OurChannel:
        """Options in our spelling (`max_retransmits`)."""
        return OurChannel(self.pc.create_data_channel(label, **options))

    async def wait_channel(self, label: str) -> OurChannel:
        """The next channel called `label` that the far side opened."""
        queue = self._arrived.setdefault(label, asyncio.Queue())
        return OurChannel(await asyncio.wait_for(queue.get(), CEILING))

    @property
    def remote_max_message_size(self) -> int:
        """What the far side's description says; RFC 8841 section 6: 64 KiB when it says nothing."""
        remote = self.pc.remote_description
        found = re.search(r"^a=max-message-size:(\d+)", remote.sdp if remote else "", re.MULTILINE)
        return int(found[1]) if found else 65536

    async def report(self) -> dict[str, Any]:
        """States, both SDPs and statistics, for people."""
        pc = self.pc
        return {
            "states": {
                "connection": str(pc.connection_state.value),
                "ice": str(pc.ice_connection_state.value),
                "gathering": str(pc.ice_gathering_state.value),
                "signaling": str(pc.signaling_state.value),
            },
            "local": pc.local_description.sdp if pc.local_description else None,
            "remote": pc.remote_description.sdp if pc.remote_description else None,
            "stats": repr(pc.snapshot()),
        }

    def trace_lines(self, count: int = 150) -> list[str]:
        return [event.to_json() for event in list(self.sink.events)[-count:]]

    async def close(self) -> None:
        await self.client.__aexit__(None, None, None)  # raises what failed in the background
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])


class OurChannel:
    """One of our data channels, with whole files beside single messages."""

    def __init__(self, channel: rtc.DataChannel) -> None:
        self.channel = channel

    async def wait_open(self) -> None:
        await self.channel.opened(timeout=CEILING)

    async def send(self, data: str | bytes) -> None:
        await self.channel.send(data)

    async def receive(self) -> str | bytes:
        return await asyncio.wait_for(self.channel.receive(), CEILING)

    async def send_file(self, size: int, seed: int, *, chunk: int = 16384) -> None:
        """Sends `content(size, seed)` in messages of `chunk` bytes; `send` waits while the buffer is full."""
        data = content(size, seed)
        for at in range(0, size, chunk):
            await self.channel.send(data[at : at + chunk])

    async def receive_file(self, size: int) -> dict[str, Any]:
        """Collects binary messages up to `size` bytes. Returns: size and SHA-256."""
        digest, have = hashlib.sha256(), 0
        while have < size:
            part = await self.receive()
            assert isinstance(part, bytes)
            digest.update(part)
            have += len(part)
        return {"size": have, "sha256": digest.hexdigest()}

    async def rest(self) -> list[str | bytes]:
        """Everything up to the end of the channel."""
        return [message async for message in self.channel]

    async def close(self) -> None:
        await self.channel.close()

    async def wait_closed(self) -> None:
        await self.channel.ready_state.wait_for("closed", timeout=CEILING)
