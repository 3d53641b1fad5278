"""A call: two peers, the lines of audio and video between them, and what to print when a test fails.

`left` and `right` are any two peers: for tests of our stack ours is `left`. A line is one transceiver at each end, and
each end sends what only it sends, so "flowing" means that the right thing is decoded at the other side.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from tests.support import seeds
from tests.support.our_media import OurMediaPeer
from tests.support.remote_media import (
    RANGE,
    Flow,
    Kind,
    Media,
    MediaPeer,
    Picture,
    Pictures,
    RemoteMediaPeer,
    Source,
    Tone,
)
from tests.support.remote_peer import CEILING, Description, Remote

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")

LABEL = "beside the media"
_MIRROR: dict[Flow, Flow] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


def with_ours(remote: Remote, *, number: int = 0, name: str = "", **config: Any) -> Call:
    """A call between us, left, and `remote`. `number` tells calls of one test apart, `config` is our configuration."""
    return Call(OurMediaPeer(seeds.base() + number, **config), RemoteMediaPeer(remote), name=f"{remote.name} {name}")


def other(side: Side) -> Side:
    return "right" if side == "left" else "left"


@dataclass
class Line:
    """One transceiver at each end. `flow` is the negotiated direction, seen from the left."""

    kind: Kind
    flow: Flow
    codecs: list[str] | None
    encodings: list[dict[str, Any]] | None
    sources: dict[Side, Source]
    ends: dict[Side, Media]

    @property
    def left(self) -> Media:
        return self.ends["left"]

    @property
    def right(self) -> Media:
        return self.ends["right"]

    def flow_of(self, side: Side) -> Flow:
        return self.flow if side == "left" else _MIRROR[self.flow]

    def sends(self, side: Side) -> bool:
        return self.flow_of(side) in ("sendrecv", "sendonly")

    async def arrives(self, side: Side, distinct: int = 5) -> None:
        """Waits until `side` decodes what the other side sends."""
        source = self.sources[other(side)]
        if isinstance(source, Tone):
            await self.ends[side].wait_tone(source)
        else:
            await self.pictures(side, distinct)

    async def pictures(self, side: Side, distinct: int) -> Pictures:
        """Waits for so many pictures at `side`. Returns: what was seen meanwhile."""
        source = self.sources[other(side)]
        assert isinstance(source, Picture)
        return await self.ends[side].wait_pictures(source, distinct)

    async def flows(self, distinct: int = 5) -> None:
        """Waits until each end decodes what the other one sends, as far as the direction says that it sends."""
        async with asyncio.TaskGroup() as group:
            for side in SIDES:
                if self.sends(other(side)):
                    group.create_task(self.arrives(side, distinct))

    async def rests(self, side: Side) -> None:
        """Asserts that nothing comes to `side` any more."""
        if self.kind == "audio":
            await self.ends[side].wait_tone(None)
            return
        for _ in range(4):  # what was on its way may still come
            if await self.ends[side].count_frames(0.4) == 0:
                return
        raise AssertionError(f"frames still come to the {side} side")

    async def replace(self, side: Side) -> None:
        """Sends something else from `side`, told from what it sent before."""
        self.sources[side] = _variation(self.sources[side])
        await self.ends[side].replace(self.sources[side])

    async def set_flow(self, flow: Flow, *, by: Side) -> None:
        """Wishes for a direction at one end; the other one keeps its own wish, so the next negotiation intersects."""
        await self.ends[by].set_direction(flow if by == "left" else _MIRROR[flow])
        self.flow = flow


async def _pump(source: MediaPeer, sink: MediaPeer) -> None:
    candidate: dict[str, Any] | None = {}
    while candidate is not None:
        candidate = await source.next_candidate()
        await sink.add_candidate(candidate)


def _variation(source: Source) -> Source:
    if isinstance(source, Picture):
        return Picture((source.start + 5 * RANGE) % (15 * RANGE), source.width, source.height, source.rate)
    return Tone(source.frequency * 1.5)


class Call:
    """`async with Call(left, right)`: makes both peers and closes them; an error gets `describe()` as a note."""

    def __init__(self, left: MediaPeer, right: MediaPeer, *, name: str = "") -> None:
        self.peers: dict[Side, MediaPeer] = {"left": left, "right": right}
        self.name = name
        self.lines: list[Line] = []
        self.descriptions: list[tuple[str, Description]] = []
        self._offered: dict[Side, list[Line]] = {"left": [], "right": []}
        self.edits: dict[Side, Callable[[str], str]] = {}
        """What becomes of the SDP of a side on its way to the other one."""

    async def __aenter__(self) -> Call:
        try:
            for peer in self.peers.values():
                await peer.create()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):  # and not a skip
            error.add_note(await self.describe())
        await self.close()

    @property
    def ours(self) -> OurMediaPeer:
        left = self.peers["left"]
        assert isinstance(left, OurMediaPeer)
        return left

    async def close(self) -> None:
        await asyncio.gather(*(peer.close() for peer in self.peers.values()))

    async def add(
        self,
        kind: Kind,
        *,
        flow: Flow = "sendrecv",
        by: Side = "left",
        codecs: list[str] | None = None,
        encodings: list[dict[str, Any]] | None = None,
        size: tuple[int, int] = (160, 120),
        rate: int = 15,
    ) -> Line:
        """A line that `by` will offer in the next `negotiate(by)`; the other side takes it then."""
        number = len(self.lines)
        sources: dict[Side, Source] = {"left": Tone(440 + 90 * number), "right": Tone(940 + 90 * number)}
        if kind == "video":
            sources = {
                "left": Picture((1 + number % 2) * RANGE, *size, rate),
                "right": Picture((3 + number % 2) * RANGE, *size, rate),
            }
        line = Line(kind, flow, codecs, encodings, sources, {})
        source = sources[by] if line.sends(by) else None
        line.ends[by] = await self.peers[by].add_media(
            kind, source, line.flow_of(by), codecs=codecs, encodings=encodings
        )
        self.lines.append(line)
        self._offered[by].append(line)
        return line

    async def offer(self, by: Side, *, restart: bool = False, trickle: bool = False) -> Description:
        offer = await self.peers[by].offer(trickle=trickle, restart=restart)
        return self._signalled(by, offer)

    def _signalled(self, side: Side, made: Description) -> Description:
        if side in self.edits:
            made = {"type": made["type"], "sdp": self.edits[side](made["sdp"])}
        self.descriptions.append((f"{made['type']} of {side}", made))
        return made

    async def answered(self, by: Side, offer: Description, *, trickle: bool = False) -> None:
        """Has the other side answer an offer of `by`, with the lines that are in it, and `by` take the answer."""
        offerer, answerer, answering = self.peers[by], self.peers[other(by)], other(by)
        await answerer.set_remote(offer)
        lines, self._offered[by] = self._offered[by], []
        for line in lines:
            source = line.sources[answering] if line.sends(answering) else None
            line.ends[answering] = await answerer.adopt_media(
                line.kind, source, line.flow_of(answering), codecs=line.codecs
            )
        answer = await answerer.local_answer(trickle=trickle)
        await offerer.set_remote(self._signalled(answering, answer))
        if trickle:
            async with asyncio.timeout(CEILING):
                await asyncio.gather(_pump(offerer, answerer), _pump(answerer, offerer))

    async def negotiate(self, by: Side = "left", *, restart: bool = False, trickle: bool = False) -> None:
        """One offer from `by` and its answer, with all their candidates, or with candidates that follow."""
        await self.answered(by, await self.offer(by, restart=restart, trickle=trickle), trickle=trickle)

    async def connected(self) -> None:
        await asyncio.gather(*(peer.wait_state("connected") for peer in self.peers.values()))

    async def connect(self, by: Side = "left", *, restart: bool = False, trickle: bool = False) -> None:
        await self.negotiate(by, restart=restart, trickle=trickle)
        await self.connected()

    async def flow(self, distinct: int = 5) -> None:
        """Waits until all lines flow."""
        async with asyncio.TaskGroup() as group:
            for line in self.lines:
                group.create_task(line.flows(distinct))

    async def open_channel(self, by: Side) -> None:
        """Has `by` open a data channel, to be negotiated."""
        self.channel = (by, await self.peers[by].create_channel(LABEL))

    async def channel_carries(self) -> None:
        """Exchanges a message on that channel."""
        by, made = self.channel
        arrived = await self.peers[other(by)].wait_channel(LABEL)
        await made.wait_open()
        ours, theirs = (made, arrived) if by == "left" else (arrived, made)
        await ours.send("over")
        assert await theirs.next_message() == {"text": "over"}
        await theirs.send_text("and out")
        assert await ours.receive() == "and out"

    async def stats(self, side: Side, type_: str, /, **fields: Any) -> dict[str, Any]:
        """The one entry of that type and with those members in the statistics of `side`."""
        found = await self.all_stats(side, type_, **fields)
        assert len(found) == 1, f"{len(found)} of {type_} {fields}: {found}"
        return found[0]

    async def all_stats(self, side: Side, type_: str, /, **fields: Any) -> list[dict[str, Any]]:
        entries = (await self.peers[side].report())["stats"].values()
        return [
            entry
            for entry in entries
            if entry.get("type") == type_ and all(entry.get(name) == value for name, value in fields.items())
        ]

    async def describe(self) -> str:
        """Every description so far, statistics of both sides, and our trace."""
        parts = [f"call: {self.name}"]
        parts += [f"--- {what}\n{description['sdp']}" for what, description in self.descriptions]
        for side, peer in self.peers.items():
            try:
                report = json.dumps(await asyncio.wait_for(peer.report(), CEILING), indent=1, default=str)
            except Exception as error:  # a report of a failure must not hide the failure
                report = f"no report: {error!r}"
            parts.append(f"--- {side}\n{report}".replace("\\r\\n", "\n    "))
        left = self.peers["left"]
        if isinstance(left, OurMediaPeer):
            parts.append("--- our trace, the last lines")
            parts += left.trace_lines()
        return "\n".join(parts)
