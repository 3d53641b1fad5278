"""One connected session between our stack and a remote peer, and what to print about it when a test fails."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

from tests.support.our_peer import OurChannel, OurPeer
from tests.support.remote_peer import CEILING, Description, Remote, RemoteChannel, RemotePeer

Role = Literal["we_offer", "they_offer"]
Signalling = Literal["trickle", "vanilla"]
Side = Literal["ours", "theirs"]
Pair = tuple[OurChannel, RemoteChannel]

FIRST = "first"


async def _pump(source: OurPeer | RemotePeer, sink: OurPeer | RemotePeer) -> None:
    while True:
        candidate = await source.next_candidate()
        await sink.add_candidate(candidate)
        if candidate is None:
            return


class Session:
    """`ours` and `theirs`, connected; `first` is the channel that the offerer opened before its offer."""

    def __init__(self, remote: Remote, role: Role, signalling: Signalling, seed: int) -> None:
        self.remote = remote
        self.role = role
        self.signalling = signalling
        self.ours = OurPeer(seed)
        self.theirs = RemotePeer(remote)
        self.first: Pair
        self.offer: Description | None = None
        self.answer: Description | None = None

    async def connect(self) -> None:
        """Offer, answer, candidates both ways, and the first channel open. Errors carry `describe()` as a note."""
        try:
            await self._connect()
        except BaseException as error:
            error.add_note(await self.describe())
            await self.close()
            raise

    async def _connect(self) -> None:
        await self.ours.create()
        await self.theirs.create()
        offerer: OurPeer | RemotePeer = self.ours
        answerer: OurPeer | RemotePeer = self.theirs
        if self.role == "they_offer":
            offerer, answerer = answerer, offerer
        trickle = self.signalling == "trickle"
        made = await offerer.create_channel(FIRST)
        self.offer = await offerer.offer(trickle=trickle)
        self.answer = await answerer.answer(self.offer, trickle=trickle)
        await offerer.set_remote(self.answer)
        async with asyncio.TaskGroup() as group:
            if trickle:
                group.create_task(_pump(offerer, answerer))
                group.create_task(_pump(answerer, offerer))
            arrived = await answerer.wait_channel(FIRST)
            await made.wait_open()
        self.first = (made, arrived) if self.role == "we_offer" else (arrived, made)  # type: ignore[assignment]
        await self.ours.wait_state("connected")
        await self.theirs.wait_state("connected")

    async def restart_ice(self, offered_by: Side) -> None:
        """Negotiates new ICE credentials, and candidates for them, on the living connection."""
        offerer: OurPeer | RemotePeer = self.ours if offered_by == "ours" else self.theirs
        answerer: OurPeer | RemotePeer = self.theirs if offered_by == "ours" else self.ours
        self.offer = await offerer.offer(trickle=True, restart=True)
        self.answer = await answerer.answer(self.offer, trickle=True)
        await offerer.set_remote(self.answer)
        async with asyncio.timeout(CEILING), asyncio.TaskGroup() as group:
            group.create_task(_pump(offerer, answerer))
            group.create_task(_pump(answerer, offerer))
        await self.ours.wait_state("connected")
        await self.theirs.wait_state("connected")

    async def open_channel(self, opened_by: Side, label: str, **options: Any) -> Pair:
        """A new channel, open at both ends; options in our spelling."""
        if opened_by == "ours":
            made = await self.ours.create_channel(label, **options)
            arrived = await self.theirs.wait_channel(label)
            await made.wait_open()
            return made, arrived
        remote = await self.theirs.create_channel(label, **{_camel(name): value for name, value in options.items()})
        ours = await self.ours.wait_channel(label)
        await remote.wait_open()
        return ours, remote

    async def transport_stats(self) -> dict[str, Any]:
        """The remote peer's `transport` statistics; empty for peers that have none."""
        stats = (await self.theirs.report())["stats"]
        return next((entry for entry in stats.values() if entry.get("type") == "transport"), {})

    async def describe(self) -> str:
        """Seed, trace, SDPs and statistics of both sides."""
        parts = [f"session: {self.remote.name} {self.role} {self.signalling} seed {self.ours.seed}"]
        if self.offer:
            parts.append(f"--- offer\n{self.offer['sdp']}")
        if self.answer:
            parts.append(f"--- answer\n{self.answer['sdp']}")
        for name, peer in (("ours", self.ours), ("theirs", self.theirs)):
            try:
                report = json.dumps(await asyncio.wait_for(peer.report(), CEILING), indent=1, default=str)
            except Exception as error:  # a report of a failure must not hide the failure
                report = f"no report: {error!r}"
            parts.append(f"--- {name}\n{report}".replace("\\r\\n", "\n    "))
        parts.append("--- trace, the last lines")
        parts.extend(self.ours.trace_lines())
        return "\n".join(parts)

    async def close(self) -> None:
        await self.ours.close()
        await self.theirs.close()


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
