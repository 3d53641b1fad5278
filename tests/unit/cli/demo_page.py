"""The browser's part of the demo, played by a second peer on the virtual network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import webrtc_stack as rtc
from webrtc_stack import sim
from webrtc_stack.cli.demo.call import LINES
from webrtc_stack.cli.demo.files import SharedFile, generated
from webrtc_stack.cli.demo.studio import Studio
from webrtc_stack.cli.demo.visitor import Demo, Visitor


class Page:
    """Signals like the page's script; `channels` are those that it opened or was offered, by label."""

    def __init__(self, demo: Demo, client: rtc.Client) -> None:
        self.demo = demo
        self.client = client
        self.visitor: Visitor = demo.welcome(self._take)
        self.messages: list[dict[str, Any]] = []
        self.session = 0
        self.pc: rtc.PeerConnection = client.create_peer_connection()
        self.channels: dict[str, rtc.DataChannel] = {}
        self.lines: dict[str, rtc.Transceiver] = {}
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._signal())]

    async def _take(self, message: dict[str, Any]) -> None:
        message = json.loads(json.dumps(message))  # as it crosses the WebSocket
        self.messages.append(message)
        self._inbox.put_nowait(message)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["kind"] == kind]

    async def tell(self, kind: str, **fields: Any) -> None:
        await self.visitor.receive({"kind": kind, "session": self.session, **fields})

    async def _signal(self) -> None:
        while True:
            message = await self._inbox.get()
            if message.get("session") != self.session:
                continue
            if message["kind"] == "description":
                await self.pc.set_remote_description(rtc.SessionDescription.from_json(message["description"]))
                if message["description"]["type"] == "offer":
                    await self._describe()
            elif message["kind"] == "candidate":
                value = message["candidate"]
                await self.pc.add_ice_candidate(None if value is None else rtc.IceCandidate.from_json(value))

    async def _describe(self) -> None:
        await self.pc.set_local_description()
        assert self.pc.local_description is not None
        await self.tell("description", description=self.pc.local_description.to_json())
        self._tasks.append(asyncio.create_task(self._trickle()))

    async def _trickle(self) -> None:
        async for candidate in self.pc.ice_candidates():
            await self.tell("candidate", candidate=candidate.to_json())
        await self.tell("candidate", candidate=None)

    async def _accept(self) -> None:
        async for channel in self.pc.data_channels():
            self.channels[channel.label] = channel

    async def offer(self) -> None:
        """Negotiates anew."""
        await self._describe()
        await self.pc.signaling_state.wait_for("stable", timeout=10)

    async def ask(self, **wishes: Any) -> None:
        """What the controls of the page send."""
        await self.tell("call", call=wishes)

    async def connect(
        self, *, python_offers: bool = False, lines: dict[str, str] | None = None, call: Any = None
    ) -> None:
        """Begins a session and waits until the chat is open. `lines`: the directions of the four, if there are any."""
        self.session += 1
        if self.session > 1:
            self.pc = self.client.create_peer_connection()
            self.channels.clear()
        self._tasks.append(asyncio.create_task(self._accept()))
        await self.tell("start", offerer="python" if python_offers else "browser", call=call)
        if not python_offers:
            self.channels["chat"] = self.pc.create_data_channel("chat")
            self.channels["ping"] = self.pc.create_data_channel("ping", ordered=False, max_retransmits=0)
            for name, direction in (lines or {}).items():
                self.lines[name] = self.pc.add_transceiver(LINES[name], direction=direction)
            await self._describe()
        async with asyncio.timeout(20):
            while "chat" not in self.channels or "ping" not in self.channels:
                await asyncio.sleep(0.01)
            for channel in self.channels.values():
                await channel.opened()

    async def hear(self) -> dict[str, Any]:
        """The next message in the chat."""
        async with asyncio.timeout(10):
            heard = json.loads(await self.channels["chat"].receive_text())
        assert isinstance(heard, dict)
        return heard

    async def say(self, text: str) -> dict[str, Any]:
        """Says something and returns the answer."""
        await self.channels["chat"].send(json.dumps({"text": text}))
        return await self.hear()

    async def open(self, label: str) -> rtc.DataChannel:
        channel = self.pc.create_data_channel(label)
        await channel.opened(timeout=10)
        return channel

    async def close(self) -> None:
        await self.visitor.close()
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def demo_with_page(
    net: sim.Network,
    folder: Path,
    *,
    shared: list[SharedFile] | None = None,
    max_file_bytes: int = 1 << 20,
    studio: Studio | None = None,
) -> AsyncIterator[tuple[Demo, Page]]:
    """A demo on one host and a page on another, not connected yet."""
    net.default_link = sim.LinkConfig(latency=0.005)
    async with (
        rtc.Client(runtime=net.host("10.0.0.1")) as python,
        rtc.Client(runtime=net.host("10.0.0.2")) as browser,
    ):
        files = [generated(1)] if shared is None else shared
        demo = Demo(python, downloads=folder, shared=files, max_file_bytes=max_file_bytes, studio=studio)
        page = Page(demo, browser)
        await page.visitor.greet()
        yield demo, page
        await page.close()
