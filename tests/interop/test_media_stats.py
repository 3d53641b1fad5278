"""Our statistics beside those of the browser at the other end, after the same call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.remote_peer import CEILING, Remote

from .call import SIDES, Call, Side, other, with_ours
from .test_media import offered_by

DELAY = 0.1
"""Seconds that what we receive is late: the round trip, since loopback adds nothing to speak of."""


def close_to(ours: float, theirs: float, part: float = 0.02) -> bool:
    return abs(ours - theirs) <= max(part * max(ours, theirs), 1)


async def round_trips(call: Call, side: Side) -> dict[str, float]:
    """What `side` has measured, by kind of statistics."""
    found: dict[str, float] = {}
    for entry in (await call.peers[side].report())["stats"].values():
        if entry["type"] == "remote-inbound-rtp" and entry.get("roundTripTime"):
            found[f"{entry['kind']} reports"] = entry["roundTripTime"]
        if entry["type"] == "candidate-pair" and entry.get("currentRoundTripTime") and entry.get("nominated"):
            found["checks"] = entry["currentRoundTripTime"]
    return found


@offered_by
async def test_both_ends_count_the_same(remote: Remote, by: Side) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc's statistics have neither the members nor the meaning")
    async with with_ours(remote, name="statistics") as call:
        audio, video = await call.add("audio", by=by), await call.add("video", by=by)
        call.ours.network.delay = DELAY
        await call.connect(by)
        await call.flow(20)
        measured: dict[Side, dict[str, float]] = {"left": {}, "right": {}}
        async with asyncio.timeout(CEILING):  # reports are some seconds apart
            while not all("audio reports" in one and "video reports" in one for one in measured.values()):
                await asyncio.sleep(0.3)
                measured = {side: await round_trips(call, side) for side in SIDES}
        for side in SIDES:
            await asyncio.gather(audio.ends[side].replace(None), video.ends[side].replace(None))
        await asyncio.sleep(DELAY + 0.3)  # what is on its way arrives
        for kind in ("audio", "video"):
            for side in SIDES:
                sent = await call.stats(side, "outbound-rtp", kind=kind)
                received = await call.stats(other(side), "inbound-rtp", kind=kind)
                compare(kind, side, sent, received)
        ours, theirs = measured["left"], measured["right"]
        for what in ("audio reports", "video reports"):
            # A busy machine adds to all of them; none can be less than what the network takes.
            assert 0.9 * DELAY <= ours[what] <= 2 * max(DELAY, *theirs.values()), f"{what}: {ours[what]:.3f}, {theirs}"


def compare(kind: str, side: str, sent: dict[str, Any], received: dict[str, Any]) -> None:
    pairs = {"packets": ("packetsSent", "packetsReceived"), "bytes": ("bytesSent", "bytesReceived")}
    assert sent["ssrc"] == received["ssrc"]
    for what, (out, into) in pairs.items():
        assert close_to(sent[out], received[into]), f"{kind} {what} of {side}: {sent[out]} sent, {received[into]} came"
    assert received["packetsLost"] == 0
    if kind == "video":
        assert close_to(sent["framesSent"], received["framesReceived"])
        assert received["framesDecoded"] > 0
        assert received["frameWidth"] == sent["frameWidth"] == 160
