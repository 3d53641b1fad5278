"""Loss made on purpose, and what repairs it: retransmissions and key frames, asked for and given by both ends."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.remote_media import Pictures
from tests.support.remote_peer import CEILING, Remote

from .call import SIDES, Call, Side, other, with_ours
from .test_media import offered_by


async def total(call: Call, side: Side, type_: str, *members: str) -> float:
    entries = await call.all_stats(side, type_, kind="video")
    return float(sum(entry.get(member, 0) for entry in entries for member in members))


async def grows(call: Call, side: Side, type_: str, *members: str, above: float = 0) -> None:
    """Waits until the sum of those members is more than `above`."""
    async with asyncio.timeout(CEILING):
        while await total(call, side, type_, *members) <= above:
            await asyncio.sleep(0.1)


def completeness(seen: Pictures) -> float:
    """Of the frames that were sent while so many were seen, the part that was decoded."""
    counters = seen["counters"]
    return len(counters) / float(max(counters) - min(counters) + 1)


@offered_by
async def test_a_tenth_lost_both_ways_is_repaired(remote: Remote, by: Side) -> None:
    async with with_ours(remote, name="loss") as call:
        video = await call.add("video", by=by, rate=30)
        await call.connect(by)
        await call.flow()
        network = call.ours.network
        network.sending = network.receiving = 0.1
        seen = await asyncio.gather(*(video.pictures(side, 45) for side in SIDES))
        await asyncio.gather(
            grows(call, "left", "outbound-rtp", "retransmittedPacketsSent"),
            grows(call, "left", "inbound-rtp", "nackCount"),
        )
        if remote.name != "aiortc":
            await asyncio.gather(
                grows(call, "right", "outbound-rtp", "retransmittedPacketsSent"),
                grows(call, "right", "inbound-rtp", "nackCount"),
            )
        network.sending = network.receiving = 0.0
        await call.flow()
        assert network.lost_sending > 0
        assert network.lost_receiving > 0
        if remote.name == "aiortc":
            assert all(completeness(frames) > 0.5 for frames in seen)
            return
        for side in SIDES:  # what a busy page draws of it is another matter, so it is counted before
            sent = await total(call, other(side), "outbound-rtp", "framesSent")
            decoded = await total(call, side, "inbound-rtp", "framesDecoded")
            assert decoded > 0.9 * sent - 3, f"{side} decoded {decoded:.0f} of {sent:.0f} frames"


async def test_media_goes_on_after_an_outage(remote: Remote) -> None:
    async with with_ours(remote, name="outage") as call:
        await call.add("audio")
        await call.add("video", rate=30)
        await call.connect()
        await call.flow()
        network = call.ours.network
        network.sending = network.receiving = 1.0
        await asyncio.sleep(0.7)  # longer than retransmissions are asked for
        network.sending = network.receiving = 0.0
        await call.flow()
        assert network.lost_sending > 0
        assert network.lost_receiving > 0


@pytest.mark.parametrize("asked_by", SIDES, ids=["we_ask", "they_ask"])
async def test_a_key_frame_is_sent_when_asked_for(remote: Remote, asked_by: Side) -> None:
    by = asked_by
    async with with_ours(remote, name=f"key frame asked by {asked_by}") as call:
        video = await call.add("video", by=by)
        await call.negotiate(by)
        await video.right.prepare_keyframe_requests()
        await call.connected()
        await call.flow()
        asked = other(asked_by)
        requests = encoded = 0.0
        if asked == "left" or remote.name != "aiortc":
            requests = await total(call, asked, "outbound-rtp", "pliCount", "firCount")
            encoded = await total(call, asked, "outbound-rtp", "keyFramesEncoded")
        await video.ends[asked_by].request_keyframe()
        await call.flow()
        if asked == "left" or remote.name != "aiortc":
            await grows(call, asked, "outbound-rtp", "pliCount", "firCount", above=requests)
        if asked == "left" or remote.name == "chromium":  # Firefox does not count those
            await grows(call, asked, "outbound-rtp", "keyFramesEncoded", above=encoded)
        if asked_by == "left" or remote.name != "aiortc":
            await grows(call, asked_by, "inbound-rtp", "keyFramesDecoded", above=1)
