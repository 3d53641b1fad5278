"""A peer that is not ours, behind one set of commands: a browser page or another stack in its own process.

Every command is a method name and JSON arguments; `browser_peer.js` and `aiortc_peer.py` implement the same set, so a
test does not know which one it talks to. Several connections live in one process side by side, each named by a handle.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any, Protocol, TypedDict

CEILING = float(os.environ.get("WEBRTC_STACK_CEILING", "30"))
"""Seconds that any single command may take: far above what works, so that only a hang meets it. Who hunts for a fault
in a whole run may set the variable to a few seconds."""


class Description(TypedDict):
    """A session description in the browser's JSON shape."""

    type: str
    sdp: str


class RemoteError(Exception):
    """The far side refused or failed a command; the text is its own."""


class Remote(Protocol):
    """Something that executes commands by name."""

    name: str

    async def call(self, method: str, arguments: dict[str, Any], *, timeout: float = CEILING) -> Any: ...


class RemotePeer:
    """One connection at the far side."""

    _handles = itertools.count(1)

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.handle = f"pc{next(self._handles)}"

    async def _call(self, method: str, *, timeout: float = CEILING, **arguments: Any) -> Any:
        return await self.remote.call(method, {"pc": self.handle, **arguments}, timeout=timeout)

    async def create(self, config: dict[str, Any] | None = None) -> None:
        await self._call("create", config=config or {})

    async def offer(self, *, trickle: bool, restart: bool = False) -> Description:
        """Applies an offer locally; without `trickle` it is returned once all candidates are in it.

        `restart` asks for new ICE credentials (aiortc cannot).
        """
        made: Description = await self._call("offer", trickle=trickle, restart=restart)
        return made

    async def answer(self, offer: Description, *, trickle: bool) -> Description:
        made: Description = await self._call("answer", description=offer, trickle=trickle)
        return made

    async def local_answer(self, *, trickle: bool) -> Description:
        """Answers the offer that `set_remote` applied."""
        made: Description = await self._call("local_answer", trickle=trickle)
        return made

    async def set_remote(self, description: Description) -> None:
        await self._call("set_remote", description=description)

    async def add_candidate(self, candidate: dict[str, Any] | None) -> None:
        await self._call("add_candidate", candidate=candidate)

    async def next_candidate(self, *, timeout: float = CEILING) -> dict[str, Any] | None:
        """The next local candidate in the browser's JSON shape; None at the end of candidates."""
        candidate: dict[str, Any] | None = await self._call("next_candidate", timeout=timeout)
        return candidate

    async def wait_state(self, state: str, *, timeout: float = CEILING) -> None:
        await self._call("wait_state", state=state, timeout=timeout)

    async def create_channel(self, label: str, **options: Any) -> RemoteChannel:
        """Options in JavaScript's spelling (`maxRetransmits`)."""
        channel = RemoteChannel(self, f"{label} made")
        await channel.call("create_channel", label=label, options=options)
        return channel

    async def wait_channel(self, label: str) -> RemoteChannel:
        """The next channel called `label` that our side opened."""
        channel = RemoteChannel(self, f"{label} arrived")
        channel.properties = await channel.call("wait_channel", label=label)
        return channel

    async def report(self) -> dict[str, Any]:
        """States, channels, both SDPs and statistics, for people and for assertions."""
        report: dict[str, Any] = await self._call("report")
        return report

    async def close(self) -> None:
        await self._call("close")


class RemoteChannel:
    """One data channel at the far side. `properties` are those of `RTCDataChannel`, as seen when it opened."""

    _numbers = itertools.count(1)

    def __init__(self, peer: RemotePeer, name: str) -> None:
        self.peer = peer
        self.name = f"{name} {next(self._numbers)}"
        self.properties: dict[str, Any] = {}

    async def call(self, method: str, *, timeout: float = CEILING, **arguments: Any) -> Any:
        arguments = {"pc": self.peer.handle, "channel": self.name, **arguments}
        return await self.peer.remote.call(method, arguments, timeout=timeout)

    async def wait_open(self) -> None:
        self.properties = await self.call("wait_open")

    async def send_text(self, text: str) -> None:
        await self.call("send_text", text=text)

    async def send_bytes(self, size: int, seed: int) -> None:
        """Sends `content(size, seed)` as one message."""
        await self.call("send_bytes", size=size, seed=seed)

    async def send_file(self, size: int, seed: int, *, chunk: int = 16384, timeout: float = 120) -> str:
        """Sends `content(size, seed)` in messages of `chunk` bytes, with flow control. Returns: its SHA-256."""
        digest: str = await self.call("send_file", size=size, seed=seed, chunk=chunk, timeout=timeout)
        return digest

    async def next_message(self) -> dict[str, Any]:
        """`{"text": ...}` or `{"size": ..., "sha256": ...}`."""
        message: dict[str, Any] = await self.call("next_message")
        return message

    async def receive_file(self, size: int, *, timeout: float = 120) -> asyncio.Task[dict[str, Any]]:
        """From here on collects binary messages up to `size` bytes. Returns: a task that ends in size and SHA-256."""
        await self.call("receive_file", size=size)
        return asyncio.create_task(self.call("file_received", timeout=timeout))

    async def close(self) -> None:
        await self.call("close_channel")

    async def wait_closed(self) -> list[str]:
        """Waits for the `close` event. Returns: the names of all events of this channel so far, in order."""
        events: list[str] = await self.call("wait_channel_closed")
        return events
