"""A browser's simulcast, all layers received, told apart by their rid."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.our_media import OurMedia
from tests.support.remote_peer import CEILING, Remote

from .call import Side, with_ours

# Bitrates together below what browsers begin with, so that no layer waits for the estimate of the bandwidth to grow.
LAYERS: list[dict[str, Any]] = [
    {"rid": "high", "scaleResolutionDownBy": 1, "maxBitrate": 150_000},
    {"rid": "middle", "scaleResolutionDownBy": 2, "maxBitrate": 80_000},
    {"rid": "low", "scaleResolutionDownBy": 4, "maxBitrate": 50_000},
]
SIZES = {
    "chromium": (960, 540),  # the smallest of which it makes three layers
    "firefox": (480, 272),
}


async def frames(media: OurMedia, rid: str, count: int) -> int:
    """Waits for so many frames of a layer. Returns: their bytes."""
    size = 0
    subscription = media.receiver.encoded_frames(rid)
    async with asyncio.timeout(CEILING):
        async for frame in subscription:
            assert frame.rid == rid
            size += len(frame.data)
            count -= 1
            if not count:
                break
    return size


async def test_three_layers_are_received(remote: Remote) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc has no simulcast")
    by: Side = "right"
    width, height = SIZES[remote.name]
    async with with_ours(remote, name="simulcast") as call:
        video = await call.add("video", by=by, flow="recvonly", encodings=LAYERS, size=(width, height))
        await call.connect(by)
        ours = video.left
        assert isinstance(ours, OurMedia)
        assert ours.receiver.rids == ("high", "middle", "low")
        await asyncio.gather(*(frames(ours, layer["rid"], 10) for layer in LAYERS))
        inbound = await call.all_stats("left", "inbound-rtp", kind="video")
        outbound = await call.all_stats("right", "outbound-rtp", kind="video")
        assert {entry["ssrc"] for entry in inbound} == {entry["ssrc"] for entry in outbound}
        widths = {}
        for layer in LAYERS:
            ours.receiver.decoded_rid = layer["rid"]
            ours.pictures.size = (0, 0)
            async with asyncio.timeout(CEILING):
                while ours.pictures.size[0] != width // layer["scaleResolutionDownBy"]:
                    await ours.count_frames(0.1)
            widths[layer["rid"]] = ours.pictures.size[0]
        assert widths == {"high": width, "middle": width // 2, "low": width // 4}
