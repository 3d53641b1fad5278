"""Two peers somewhere in the laboratory, connected to one another; signalling goes through the test."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple, Self

from . import seeds
from .remote_media import RemoteMediaPeer
from .remote_peer import CEILING, Remote, RemoteChannel, RemoteError

FOREVER = 600.0

_numbers = itertools.count(1)


class Route(NamedTuple):
    """The selected pair as one side's statistics tell it: candidate types, and the transport to the first hop."""

    local: str
    remote: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.local}-{self.remote}/{self.protocol}"


async def _pump(source: RemoteMediaPeer, sink: RemoteMediaPeer, seen: list[str]) -> None:
    """Carries candidates for as long as the call lasts: restarts and new addresses bring more of them."""
    while True:
        candidate = await source.next_candidate(timeout=FOREVER)
        if candidate is not None and candidate["candidate"]:
            seen.append(candidate["candidate"])
        await sink.add_candidate(candidate)
        if candidate is None:
            await asyncio.sleep(0.05)  # who has no more says so again and again


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels, and waits until it has come to pass.

    Until Python 3.12 `asyncio.wait_for` forgets that it was cancelled when what it waits for comes at that very moment.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)


def _config(config: dict[str, Any] | None) -> dict[str, Any]:
    return {"seed": seeds.base() + next(_numbers), **(config or {})}


class LabCall:
    """`async with LabCall(left, right) as call`: both peers exist; the left one will offer. Errors carry `describe()`.

    The configurations are what a browser is given (`iceServers`, `iceTransportPolicy`).
    """

    def __init__(
        self,
        left: Remote,
        right: Remote,
        *,
        left_config: dict[str, Any] | None = None,
        right_config: dict[str, Any] | None = None,
    ) -> None:
        self.left, self.right = RemoteMediaPeer(left), RemoteMediaPeer(right)
        self._configs = (_config(left_config), _config(right_config))
        self.candidates: tuple[list[str], list[str]] = ([], [])
        self._pumps: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for peer, config in zip((self.left, self.right), self._configs, strict=True):
            await peer.create(config)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            error.add_note(await self.describe())
        await end(self._pumps)
        await asyncio.gather(self.left.close(), self.right.close())

    async def negotiate(self, *, restart: bool = False) -> None:
        """Offer and answer; from the first ones on candidates trickle."""
        offer = await self.left.offer(trickle=True, restart=restart)
        answer = await self.right.answer(offer, trickle=True)
        await self.left.set_remote(answer)
        if self._pumps:
            return
        self._pumps += [
            asyncio.create_task(_pump(self.left, self.right, self.candidates[0])),
            asyncio.create_task(_pump(self.right, self.left, self.candidates[1])),
        ]

    async def open(self, *, timeout: float = CEILING) -> tuple[RemoteChannel, RemoteChannel]:
        """Connects by way of a data channel, and sends a message each way."""
        made = await self.left.create_channel("over the internet")
        async with asyncio.timeout(timeout):
            await self.negotiate()
            arriving = asyncio.ensure_future(self.right.wait_channel("over the internet"))
            try:
                await self._until(arriving)
            finally:
                arriving.cancel()
            arrived = arriving.result()
            await made.wait_open()
            await exchange(made, arrived)
        return made, arrived

    async def _until(self, arriving: asyncio.Future[RemoteChannel]) -> None:
        """Waits for a channel, or for the first failure of what must not fail meanwhile."""
        states = [asyncio.ensure_future(peer.wait_state("connected")) for peer in (self.left, self.right)]
        waiting: set[asyncio.Future[Any]] = {arriving, *states, *self._pumps}
        try:
            while not arriving.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    one.result()
        finally:
            for state in states:
                state.cancel()
            await asyncio.gather(*states, return_exceptions=True)

    async def fails(self, *, timeout: float) -> None:
        """Negotiates, and waits until both sides say by themselves that it failed, or for so long."""
        await self.left.create_channel("to nowhere")
        await self.negotiate()
        await asyncio.gather(self._fails(self.left, timeout), self._fails(self.right, timeout))

    async def _fails(self, peer: RemoteMediaPeer, timeout: float) -> None:
        try:
            await peer.wait_state("connected", timeout=timeout)
        except (RemoteError, TimeoutError):
            return
        raise AssertionError(f"{peer.remote.name} is connected")

    async def describe(self) -> str:
        """Candidates, both reports, our trace."""
        parts = []
        for peer, candidates in zip((self.left, self.right), self.candidates, strict=True):
            parts.append(f"--- {peer.remote.name}\n" + "\n".join(candidates))
            try:
                report = await asyncio.wait_for(peer.report(), CEILING)
            except Exception as error:  # a report of a failure must not hide the failure
                report = {"no report": repr(error)}
            trace = report.pop("trace", [])
            parts.append(json.dumps(report, indent=1, default=str).replace("\\r\\n", "\n    "))
            parts.extend(trace)
        return "\n".join(parts)


async def exchange(left: RemoteChannel, right: RemoteChannel) -> None:
    """One message each way."""
    await asyncio.gather(left.send_text("ping"), right.send_text("pong"))
    assert await right.next_message() == {"text": "ping"}
    assert await left.next_message() == {"text": "pong"}


async def route(peer: RemoteMediaPeer) -> Route | None:
    """What carries the connection, by the peer's statistics; None if it has none."""
    stats = (await peer.report())["stats"]
    pair_id = next(
        (one["selectedCandidatePairId"] for one in stats.values() if one.get("selectedCandidatePairId")),
        next((one["id"] for one in stats.values() if one.get("type") == "candidate-pair" and one.get("selected")), ""),
    )
    if pair_id not in stats:
        return None
    local, remote = (stats[stats[pair_id][f"{side}CandidateId"]] for side in ("local", "remote"))
    protocol = local.get("relayProtocol") if local["candidateType"] == "relay" else local["protocol"]
    return Route(local["candidateType"], remote["candidateType"], protocol or "?")
