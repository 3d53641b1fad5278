"""Two peers of this process connected through given servers: by host, server-reflexive and relayed candidates apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..aio import Client, ClientConfig, PeerConnection
from ..base import Candidate
from ..errors import NoRoute, WebRTCError
from ..io import Runtime
from ..peer import Explanation, IceCandidate, IceServer, IceTransportPolicy

KINDS: Final = ("host", "srflx", "relay")
_TIMEOUT: Final = 9.0
"""Longer than `explain` needs to tell silence from slowness, and within the patience of people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReport:
    """One attempt. `good` is None where it does not matter, or was not made."""

    kind: str
    good: bool | None
    text: str
    seconds: float | None = None
    explanation: Explanation | None = None

    def to_dict(self) -> dict[str, Any]:
        told = None if self.explanation is None else self.explanation.to_dict()
        return {
            "kind": self.kind,
            "good": self.good,
            "text": self.text,
            "seconds": self.seconds,
            "explanation": told,
        }


async def connect_peers(runtime: Runtime, kind: str, servers: Sequence[IceServer], loopback: bool) -> ConnectionReport:
    """Connects two peers by candidates of this kind and sends a message there and back."""
    include = True if loopback else None
    config = ClientConfig(ice_servers=() if kind == "host" else tuple(servers), include_loopback=include)
    if kind == "relay":
        if not config.relay_servers():
            return ConnectionReport(kind=kind, good=None, text="not tried: no TURN server was given")
        ours = replace(config, ice_transport_policy=IceTransportPolicy.RELAY)
    else:
        ours = config
    began = runtime.time()
    async with Client(ours, runtime=runtime) as client, Client(config, runtime=runtime) as other:
        left, right = client.create_peer_connection(), other.create_peer_connection()
        try:
            async with asyncio.timeout(_TIMEOUT):
                await _converse_unless_hopeless(left, right, kind)
        except (TimeoutError, WebRTCError):
            return _failed(kind, left)
        way = left.snapshot().ice.selected_pair
        took = runtime.time() - began
        text = "connected" if way is None else f"{_place(way.local)} -> {_place(way.remote)}"
        return ConnectionReport(kind=kind, good=True, text=text, seconds=took, explanation=left.explain())


def _failed(kind: str, left: PeerConnection) -> ConnectionReport:
    explanation = left.explain()
    found = {str(one.type) for one in left.snapshot().ice.local_candidates}
    if kind == "srflx" and "srflx" not in found and "host" in found:
        return ConnectionReport(kind=kind, good=None, text="not possible: no server sees us at another address")
    if kind == "srflx":
        # Both peers are behind the same NAT: whether it turns packets round says nothing about peers elsewhere.
        text = "the NAT does not turn our own packets round; that says nothing about peers elsewhere"
        return ConnectionReport(kind=kind, good=None, text=text)
    return ConnectionReport(kind=kind, good=False, text=explanation.summary, explanation=explanation)


def _place(one: Candidate) -> str:
    host = f"[{one.host}]" if ":" in one.host else one.host
    return f"{host}:{one.port} ({one.type})"


def _all(candidate: IceCandidate) -> bool:
    return True


def _only_srflx(candidate: IceCandidate) -> bool:
    return " typ srflx" in candidate.candidate


async def _converse_unless_hopeless(left: PeerConnection, right: PeerConnection, kind: str) -> None:
    """Raises `NoRoute` at once when gathering has ended without the candidates that are to be tried."""
    talking = asyncio.create_task(_converse(left, right, _only_srflx if kind == "srflx" else _all))
    gathering = asyncio.create_task(left.wait_gathering_complete(timeout=_TIMEOUT))
    try:
        await asyncio.wait({talking, gathering}, return_when=asyncio.FIRST_COMPLETED)
        found = {str(one.type) for one in left.snapshot().ice.local_candidates}
        if not talking.done() and kind not in found and kind != "host":
            raise NoRoute(f"no {kind} candidate was found")
        await talking
    finally:
        for task in (talking, gathering):
            task.cancel()
        await asyncio.gather(talking, gathering, return_exceptions=True)


async def _converse(left: PeerConnection, right: PeerConnection, wanted: Callable[[IceCandidate], bool]) -> None:
    channel = left.create_data_channel("doctor")
    pumps: list[asyncio.Task[None]] = []
    try:
        await left.set_local_description()
        pumps.append(await _hand_over(left, right, wanted))
        await right.set_local_description()
        pumps.append(await _hand_over(right, left, wanted))
        await channel.opened(timeout=_TIMEOUT)
        theirs = await anext(aiter(right.data_channels()))
        await channel.send("there")
        await theirs.send(await theirs.receive())
        await channel.receive()
    finally:
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _hand_over(
    source: PeerConnection, target: PeerConnection, wanted: Callable[[IceCandidate], bool]
) -> asyncio.Task[None]:
    """The description, without candidates; those that are wanted follow. Returns: the task that carries them."""
    description = source.local_description
    assert description is not None, "it has just been set"
    lines = [
        line
        for line in description.sdp.splitlines()
        if not line.startswith("a=candidate:") and line != "a=end-of-candidates"
    ]
    await target.set_remote_description(replace(description, sdp="\r\n".join(lines) + "\r\n"))
    return asyncio.create_task(_pump(source, target, wanted))


async def _pump(source: PeerConnection, target: PeerConnection, wanted: Callable[[IceCandidate], bool]) -> None:
    async for candidate in source.ice_candidates():
        if wanted(candidate):
            await target.add_ice_candidate(candidate)
    await target.add_ice_candidate(None)
