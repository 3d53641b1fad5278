"""What a peer sends, handed back to it at three levels: as it was encoded, as RTP packets, and decoded and encoded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.our_media import OurMedia
from tests.support.remote_media import Picture, Tone
from tests.support.remote_peer import Remote

from .call import Line, Side, with_ours


async def packets_back(media: OurMedia) -> None:
    async for packet in media.receiver.rtp_packets():
        media.sender.send_rtp([packet])


@asynccontextmanager
async def echo(media: OurMedia, level: str) -> AsyncIterator[None]:
    await media.replace(None)
    task = None
    if level == "encoded":
        await media.sender.replace_track(media.receiver.relay())
    elif level == "decoded":
        await media.sender.replace_track(media.receiver.track)
    else:
        task = asyncio.create_task(packets_back(media))
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


async def comes_back(line: Line) -> None:
    """Waits until the far end decodes what it sends itself."""
    source = line.sources["right"]
    if isinstance(source, Tone):
        await line.right.wait_tone(source)
    else:
        assert isinstance(source, Picture)
        await line.right.wait_pictures(source, 8)


@pytest.mark.parametrize(("level", "by"), [("encoded", "left"), ("packets", "right"), ("decoded", "left")])
async def test_a_peer_gets_back_what_it_sends(remote: Remote, by: Side, level: str) -> None:
    async with with_ours(remote, name=f"echo of {level}") as call:
        await call.add("audio", by=by)
        await call.add("video", by=by)
        await call.connect(by)
        await call.flow()
        ours = [line.left for line in call.lines]
        assert isinstance(ours[0], OurMedia)
        assert isinstance(ours[1], OurMedia)
        async with echo(ours[0], level), echo(ours[1], level):
            await asyncio.gather(*(comes_back(line) for line in call.lines))
