"""Every codec that a real peer has, encoded and decoded at both ends."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.remote_media import Kind, RemoteMediaPeer
from tests.support.remote_peer import Remote

from .call import SIDES, Call, Side, with_ours
from .test_media import offered_by

PAIRS = [
    ("video/VP8", "audio/opus"),
    ("video/VP9", "audio/G722"),
    ("video/H264", "audio/PCMU"),
    ("video/AV1", "audio/PCMA"),
]

LACKING: dict[str, set[str]] = {
    "chromium": set(),
    "firefox": {"video/H264"},  # it would come by a plugin that is downloaded
    "aiortc": {"video/VP9", "video/AV1"},
}
SIZE = (640, 480)
"""Large enough that key frames take several packets."""


async def codecs_in_use(call: Call, side: Side, kind: Kind) -> set[str]:
    """The codecs of all streams of a kind, by the statistics of `side`."""
    report = (await call.peers[side].report())["stats"]
    streams = [one for one in report.values() if one["type"] in ("inbound-rtp", "outbound-rtp") and one["kind"] == kind]
    return {report[one["codecId"]]["mimeType"] for one in streams if one.get("codecId")}


async def knows(remote: Remote, call: Call, codec: str) -> bool:
    right = call.peers["right"]
    assert isinstance(right, RemoteMediaPeer)
    known: list[str] = await remote.call("media_capabilities", {"pc": right.handle, "kind": codec.partition("/")[0]})
    return codec in known


@offered_by
@pytest.mark.parametrize(("video_codec", "audio_codec"), PAIRS, ids=[video[6:] for video, _ in PAIRS])
async def test_both_ends_decode(remote: Remote, by: Side, video_codec: str, audio_codec: str) -> None:
    async with with_ours(remote, name=f"{video_codec} {audio_codec}, offered by {by}") as call:
        if await knows(remote, call, video_codec):
            await call.add("video", by=by, codecs=[video_codec], size=SIZE)
        await call.add("audio", by=by, codecs=[audio_codec])
        await call.connect(by)
        await call.flow()
        if remote.name != "aiortc":
            for line in call.lines:
                expected = {video_codec if line.kind == "video" else audio_codec}
                for side in SIDES:
                    assert await codecs_in_use(call, side, line.kind) == expected


async def test_the_codec_matrix_says_what_peers_lack(remote: Remote) -> None:
    """When this is red, a peer has learnt something: say so, and the tests above cover it."""
    async with with_ours(remote) as call:
        lacking = {video for video, _ in PAIRS if not await knows(remote, call, video)}
        assert lacking == LACKING[remote.name]
        assert all([await knows(remote, call, audio) for _, audio in PAIRS])


@pytest.mark.parametrize("side", ["left", "right"], ids=["ours", "theirs"])
async def test_the_codec_is_changed_in_mid_call(remote: Remote, side: Side) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc keeps to the codec that it began with, whatever is negotiated later")
    after = "video/VP9"
    async with with_ours(remote, name=f"codec changed by {side}") as call:
        video = await call.add("video", codecs=["video/VP8", after])
        audio = await call.add("audio")
        await call.connect()
        await call.flow()
        await video.ends[side].set_codecs([after])
        await call.negotiate(side)
        await asyncio.gather(video.flows(8), audio.flows())
        assert after in await codecs_in_use(call, "left", "video")
        assert await codecs_in_use(call, "right", "video") == {after}
