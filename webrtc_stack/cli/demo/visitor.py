"""One tab of a browser: its signalling, its peer connection, and what each channel of it does.

The signalling messages are JSON objects with a `kind`; `session` counts the page's attempts, so that what belongs to
an earlier one is told apart:

| from the page | to the page |
|---|---|
| `start` (`session`, `offerer`: browser or python, `call`: wishes) | `welcome` (`visitor`, `files`, `codecs`, ...) |
| `description`, `candidate` | `description`, `candidate` |
| `call`: what to change, see `call` | `panel`, twice a second; `sound`, ten times; `stats`, once |
| `stop` | `error` with a `text` |

Either side may offer at any time; where two offers meet Python gives way.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ...aio import Client, DataChannel, PeerConnection
from ...errors import WebRTCError
from ...io import LossyRuntime
from ...peer import IceCandidate, PeerSnapshot, SessionDescription
from ...peer.stats import StatsReport
from ...version import __version__
from ..wording import printable
from . import chat, files, panel, speed
from .call import STATS_SECONDS, Call, drawn
from .studio import Studio

PING_LABEL: Final = "ping"
PANEL_SECONDS: Final = 0.5
SOUND_SECONDS: Final = 0.1
MAX_CANDIDATES: Final = 200
"""Candidates taken from one page in one session."""
MAX_TRANSFERS: Final = 8
"""Files on their way at once, for each page."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Demo:
    """What all visitors share."""

    def __init__(
        self,
        client: Client,
        *,
        downloads: Path,
        shared: list[files.SharedFile],
        max_file_bytes: int,
        studio: Studio | None = None,
    ) -> None:
        self.client = client
        self.studio = studio
        """What makes pictures and sound; None where no codecs are installed."""
        self.downloads = downloads
        self.shared = {one.id: one for one in shared}
        self.max_file_bytes = max_file_bytes
        self.started = time.monotonic()
        self.visitors: dict[str, Visitor] = {}
        self.log: deque[tuple[str, str]] = deque(maxlen=200)
        """What happened, as (who, text), for the terminal."""
        self.on_log: Callable[[str, str], None] | None = None
        self._made = 0

    def say(self, who: str, text: str) -> None:
        """Adds a line to the log."""
        line = printable(text)
        self.log.append((who, line))
        if self.on_log is not None:
            self.on_log(who, line)

    def welcome(self, send: Send) -> Visitor:
        """A new tab."""
        self._made += 1
        visitor = Visitor(str(self._made), self, send)
        self.visitors[visitor.name] = visitor
        return visitor

    def broadcast(self, text: str, by: str, *, but: Visitor | None = None) -> int:
        """Says something in the chat of every connected page. Returns: how many there were."""
        return sum(visitor.tell(text, by) for visitor in self.visitors.values() if visitor is not but)


class Visitor:
    """One page, from its signalling socket's opening to its end; connections come and go in between."""

    def __init__(self, name: str, demo: Demo, send: Send) -> None:
        self.name = name
        self.demo = demo
        self.send = send
        self.user_agent = ""
        self.link: Link | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def greet(self) -> None:
        await self.send(
            {
                "kind": "welcome",
                "visitor": self.name,
                "version": __version__,
                "files": [one.to_json() for one in self.demo.shared.values()],
                "maxFile": self.demo.max_file_bytes,
                "codecs": None if self.demo.studio is None else self.demo.studio.codecs,
            }
        )

    async def receive(self, message: dict[str, Any]) -> None:
        """Takes one signalling message; what the page got wrong is answered, never raised."""
        kind, session = message.get("kind"), message.get("session")
        try:
            if kind == "start":
                await self._start(session if isinstance(session, int) else 0, message)
            elif self.link is None or session != self.link.session:
                return  # meant for a connection that is gone
            elif kind == "description":
                await self.link.described(SessionDescription.from_json(message.get("description") or {}))
            elif kind == "candidate":
                await self.link.add_candidate(message.get("candidate"))
            elif kind == "call":
                self.link.ask(message)
            elif kind == "stop":
                self._stop()
        except WebRTCError as error:
            self.demo.say(self.name, f"signalling: {error}")
            await self.send({"kind": "error", "session": session, "text": str(error)})

    async def _start(self, session: int, message: dict[str, Any]) -> None:
        self._stop()
        self.link = link = Link(self, session)
        wishes = message.get("call")
        if isinstance(wishes, dict):
            link.call.ask(wishes, quietly=True)
        if message.get("offerer") == "python":
            link.offer()
        link.task = asyncio.create_task(link.run(), name=f"visitor {self.name}, session {session}")

    def _stop(self) -> None:
        link, self.link = self.link, None
        if link is None:
            return
        ending = asyncio.create_task(link.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def tell(self, text: str, by: str) -> bool:
        """Says something in this page's chat. Returns: whether there was a chat to say it in."""
        return self.link is not None and self.link.tell(text, by)

    async def close(self) -> None:
        """Ends the connection and forgets the tab."""
        self.demo.visitors.pop(self.name, None)
        self._stop()
        if self._ending:
            await asyncio.wait(self._ending, timeout=3)


class Link:
    """One attempt to connect and, if it goes well, the connection."""

    def __init__(self, visitor: Visitor, session: int) -> None:
        self.visitor = visitor
        self.demo = visitor.demo
        self.session = session
        self.loss = LossyRuntime(self.demo.client.runtime)
        self.pc: PeerConnection = self.demo.client.create_peer_connection(runtime=self.loss)
        self.started = time.monotonic()
        self.connected: float | None = None
        self.rates = panel.Rates()
        self.transfers: deque[files.Transfer] = deque(maxlen=20)
        self.task: asyncio.Task[None] | None = None
        self._chat: DataChannel | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._candidates_taken = 0
        self.report: StatsReport | None = None
        """The newest statistics, for the terminal."""
        self.call = Call(
            self.pc, self.demo.studio, self.loss, spawn=self._spawn, say=self._say, negotiate=self._send_offer
        )

    def _say(self, text: str) -> None:
        self.demo.say(self.visitor.name, text)

    def snapshot(self) -> PeerSnapshot:
        snapshot = self.pc.snapshot()
        self.rates.update(snapshot)
        return snapshot

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serves the connection until it is closed."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._negotiate())
                group.create_task(self._send_candidates())
                group.create_task(self._follow_state())
                group.create_task(self._accept_channels())
                telling = [
                    group.create_task(work) for work in (self._send_panels(), self._send_sound(), self._send_stats())
                ]
                await self.pc.connection_state.wait_for(lambda state: state == "closed")
                for task in telling:
                    task.cancel()
        except* (WebRTCError, ConnectionError) as group_error:
            self._say(f"ended: {group_error.exceptions[0]}")
        finally:
            self.call.close()
            await self.pc.close()

    async def close(self) -> None:
        """Closes the connection and waits for what it was doing."""
        self.call.close()
        for task in list(self._work):
            task.cancel()
        await self.pc.close()
        waiting = [*self._work, *([self.task] if self.task is not None else [])]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=2)
            for task in late:
                task.cancel()

    # --- signalling -------------------------------------------------------------------------------------------------

    def offer(self) -> None:
        """Python begins: it makes the channels and the lines, and so the offer."""
        chat_channel = self.pc.create_data_channel(chat.LABEL)
        ping_channel = self.pc.create_data_channel(PING_LABEL, ordered=False, max_retransmits=0)
        self._spawn(self._serve(chat_channel))
        self._spawn(self._serve(ping_channel))
        self.call.make_lines()

    async def _negotiate(self) -> None:
        async for _ in self.pc.negotiation_needed():
            if self.pc.signaling_state.value == "stable":  # else it comes again when it is
                await self._send_offer()

    async def _send_offer(self) -> None:
        await self.pc.set_local_description()
        await self._send_description()

    async def described(self, description: SessionDescription) -> None:
        """The page's offer or answer. Where offers meet, the page's takes ours back."""
        await self.pc.set_remote_description(description)
        if description.type == "offer":
            if not self.call.offers:
                self.call.adopt_lines()
            await self.pc.set_local_description()
            await self._send_description()

    def ask(self, message: dict[str, Any]) -> None:
        """What the page wants to be different in the call."""
        asked = message.get("call")
        if isinstance(asked, dict):
            self.call.ask(asked)

    async def _send_description(self) -> None:
        description = self.pc.local_description
        if description is not None:
            await self._send(kind="description", description=description.to_json())

    async def add_candidate(self, value: Any) -> None:
        self._candidates_taken += 1
        if self._candidates_taken <= MAX_CANDIDATES:
            await self.pc.add_ice_candidate(None if value is None else IceCandidate.from_json(value))

    async def _send_candidates(self) -> None:
        async for candidate in self.pc.trickled_candidates():
            await self._send(kind="candidate", candidate=candidate.to_json())

    async def _send(self, **message: Any) -> None:
        await self.visitor.send({**message, "session": self.session})

    # --- states -----------------------------------------------------------------------------------------------------

    async def _follow_state(self) -> None:
        async for state in self.pc.connection_state.changes():
            if state == "connected" and self.connected is None:
                self.connected = time.monotonic()
            # The reason belongs to the newest state; this loop may be behind it.
            reason = self.pc.connection_state.reason if state == self.pc.connection_state.value else ""
            self._say(f"{state}{f': {reason}' if reason else ''}")

    async def _send_panels(self) -> None:
        while True:
            facts = panel.to_json(self.snapshot(), self.rates)
            facts["connectSeconds"] = None if self.connected is None else self.connected - self.started
            facts["call"] = self.call.to_json()
            await self._send(kind="panel", panel=facts)
            await asyncio.sleep(PANEL_SECONDS)

    async def _send_sound(self) -> None:
        last = None
        while True:
            sound = self.call.sound()
            if sound != last:
                last = sound
                await self._send(kind="sound", sound=sound)
            await asyncio.sleep(SOUND_SECONDS)

    async def _send_stats(self) -> None:
        async for report in self.pc.stats(STATS_SECONDS):
            self.report = report
            if self.connected is not None:
                await self._send(kind="stats", stats=drawn(report), timestamp=report.timestamp)

    # --- channels ---------------------------------------------------------------------------------------------------

    async def _accept_channels(self) -> None:
        async for channel in self.pc.data_channels():
            self._spawn(self._serve(channel))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except WebRTCError as error:
            if self.pc.connection_state.value == "connected":
                self.demo.say(self.visitor.name, f"a channel ended: {error}")

    async def _serve(self, channel: DataChannel) -> None:
        if channel.label == chat.LABEL:
            await self._serve_chat(channel)
        elif channel.label == PING_LABEL:
            async for message in channel:
                if len(message) <= 1200:
                    channel.send_nowait(message)
        elif channel.label == speed.LABEL:
            await speed.serve_speed(channel)
        elif channel.label == files.LABEL and self._running_transfers() < MAX_TRANSFERS:
            done = await files.receive_file(
                channel, self.demo.downloads, limit=self.demo.max_file_bytes, on_start=self.transfers.append
            )
            if done is not None:
                self._report(done)
        else:
            await channel.close()

    def _running_transfers(self) -> int:
        return sum(transfer.state == "running" for transfer in self.transfers)

    def _report(self, transfer: files.Transfer) -> None:
        way = "sent" if transfer.outgoing else "received"
        detail = f"SHA-256 {transfer.detail[:16]}…" if transfer.state == "done" else transfer.detail
        self.demo.say(self.visitor.name, f"{way} {transfer.name}: {transfer.state}, {detail}")

    async def _serve_chat(self, channel: DataChannel) -> None:
        self._chat = channel
        await channel.opened()
        self.tell(f"Hello, visitor {self.visitor.name}! I am Python. Say “help” to see what I can do.", "python")
        context = chat.ChatContext(
            name=self.visitor.name,
            process_started=self.demo.started,
            connected=self.connected,
            snapshot=self.snapshot,
            send_generated=lambda mebibytes: self._spawn(self._send_file(files.generated(mebibytes))),
            say_to_all=lambda text: self.demo.broadcast(
                f"Visitor {self.visitor.name}: {text}", "visitor", but=self.visitor
            ),
        )
        async for message in channel:
            if not isinstance(message, str) or len(message) > chat.MAX_CHARACTERS:
                continue
            with suppress(ValueError):  # not ours to answer: the page sends JSON objects
                value = json.loads(message)
                if isinstance(value, dict):
                    self._chat_message(value, context)

    def _chat_message(self, value: dict[str, Any], context: chat.ChatContext) -> None:
        text, wanted = value.get("text"), value.get("send")
        if isinstance(text, str) and text.strip():
            self.demo.say(self.visitor.name, f"“{text}”")
            reply, kind = chat.answer(text, context)
            self.tell(reply, kind)
        elif isinstance(wanted, str) and wanted in self.demo.shared:
            self._spawn(self._send_file(self.demo.shared[wanted]))

    def tell(self, text: str, by: str) -> bool:
        """Says something in the chat, unless there is none or it is full."""
        if self._chat is None or self._chat.ready_state.value != "open":
            return False
        try:
            self._chat.send_nowait(json.dumps({"text": text, "by": by}))
        except WebRTCError as error:
            self.demo.say(self.visitor.name, f"could not say it: {error}")
            return False
        return True

    async def _send_file(self, shared: files.SharedFile) -> None:
        if self._running_transfers() >= MAX_TRANSFERS:
            self.tell("Enough files are on their way; let some of them finish first.", "python")
            return
        channel = self.pc.create_data_channel(files.LABEL)
        self._report(await files.send_file(channel, shared, on_start=self.transfers.append))
