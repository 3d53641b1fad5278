"""A call that changes while it lasts: renegotiation from either side, hold, replaced tracks, new ICE credentials."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.support.remote_peer import Remote

from .call import SIDES, Call, Side, other, with_ours
from .test_media import offered_by

changed_by = pytest.mark.parametrize("side", ["left", "right"], ids=["ours", "theirs"])


def first_offerer(remote: Remote, side: Side) -> Side:
    """Who offers the call that `side` will change.

    An aiortc that answered offers other payload types later, and goes on sending by the old ones.
    """
    return side if remote.name == "aiortc" else "left"


def mids(call: Call) -> list[str]:
    """The mids of the last description, in the order of its sections."""
    return re.findall(r"^a=mid:(\S+)", call.descriptions[-1][1]["sdp"], re.MULTILINE)


async def sources_of(call: Call) -> set[int]:
    """The SSRCs that we receive."""
    return {entry["ssrc"] for entry in await call.all_stats("left", "inbound-rtp")}


@changed_by
async def test_audio_becomes_video_and_audio_again(remote: Remote, side: Side) -> None:
    async with with_ours(remote, name=f"changed by {side}") as call:
        first = first_offerer(remote, side)
        audio = await call.add("audio", by=first)
        await call.connect(first)
        await call.flow()
        video = await call.add("video", by=side)
        await call.negotiate(side)
        await call.flow()
        await video.set_flow("inactive", by=side)
        await call.negotiate(side)
        await video.rests("left")
        await video.rests("right")
        await audio.flows()
        await video.set_flow("sendrecv", by=side)
        # By the one who has nothing to change: the wish is granted all the same.
        await call.negotiate(side if remote.name == "aiortc" else other(side))
        await call.flow()


@changed_by
async def test_hold_and_resume(remote: Remote, side: Side) -> None:
    async with with_ours(remote, name=f"held by {side}") as call:
        first = first_offerer(remote, side)
        audio, video = await call.add("audio", by=first), await call.add("video", by=first)
        await call.connect(first)
        await call.flow()
        for line in (audio, video):
            await line.set_flow("sendonly" if side == "left" else "recvonly", by=side)
        await call.negotiate(side)
        for line in (audio, video):
            await line.rests(side)
            await line.flows()
        for line in (audio, video):
            await line.set_flow("sendrecv", by=side)
        await call.negotiate(side)
        await call.flow()


@changed_by
async def test_a_stopped_section_is_used_again(remote: Remote, side: Side) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc does not give up a section of a stopped transceiver")
    async with with_ours(remote, name=f"stopped by {side}") as call:
        audio = await call.add("audio")
        video = await call.add("video")
        await call.connect()
        await call.flow()
        await video.ends[side].stop()
        call.lines.remove(video)
        await call.negotiate(side)
        assert re.search(r"^m=video 0 ", call.descriptions[-1][1]["sdp"], re.MULTILINE)
        await audio.flows()
        again = await call.add("video", by=side)
        await call.negotiate(side)
        assert call.descriptions[-1][1]["sdp"].count("m=") == 2, "a new section beside the one that was free"
        assert len(set(mids(call))) == 2
        await again.flows()
        await audio.flows()


@pytest.mark.parametrize("loser", SIDES, ids=["we_yield", "they_yield"])
async def test_two_offers_at_once(remote: Remote, loser: Side) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc has no rollback")
    winner = other(loser)
    async with with_ours(remote, name=f"glare, {loser} yields") as call:
        # Of one kind: Chromium keeps the extension ids of an offer that was rolled back, and refuses its own next one
        # where the other kind has used them otherwise.
        await call.add("video", by=winner)
        await call.add("video", by=loser)
        offers = {side: await call.offer(side) for side in SIDES}
        await call.answered(winner, offers[winner])  # the loser's own offer is rolled back
        await call.negotiate(loser)
        await call.connected()
        await call.flow()


@offered_by
async def test_tracks_are_replaced_without_negotiation(remote: Remote, by: Side) -> None:
    async with with_ours(remote, name="replaced") as call:
        audio, video = await call.add("audio", by=by), await call.add("video", by=by)
        await call.connect(by)
        await call.flow()
        before = len(call.descriptions)
        for side in SIDES:
            await audio.replace(side)
            await video.replace(side)
        await call.flow()
        assert len(call.descriptions) == before


@changed_by
async def test_media_goes_on_through_an_ice_restart(remote: Remote, side: Side) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc has no ICE restart")
    by = other(side)  # the roles of the first negotiation turn round
    async with with_ours(remote, name=f"restarted by {side}") as call:
        await call.add("audio", by=by)
        video = await call.add("video", by=by)
        await call.connect(by)
        await call.flow()
        before = await sources_of(call)
        frames = asyncio.gather(*(video.ends[end].count_frames(1.5) for end in SIDES))
        await call.connect(side, restart=True)
        assert min(await frames) > 0, "frames stayed away while ICE restarted"
        await call.flow()
        assert await sources_of(call) == before, "the streams are the same ones"
        ufrags = [re.findall(r"^a=ice-ufrag:(\S+)", one["sdp"], re.MULTILINE) for _, one in call.descriptions]
        assert len({one[0] for one in ufrags}) == 4, "each side has had two"
