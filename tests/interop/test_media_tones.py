"""Telephone tones: typed in a browser and received here, and sent from here and heard in a browser."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.our_media import OurMedia
from tests.support.remote_media import RemoteMedia
from tests.support.remote_peer import CEILING, Remote

from .call import Side, with_ours
from .test_media import offered_by

PAIR = (770, 1336)
"""Hz, of the key 5 (ITU-T Q.23)."""


@offered_by
async def test_keys_pressed_at_the_far_end_are_received(remote: Remote, by: Side) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc has no DTMF")
    async with with_ours(remote, name="keys of theirs") as call:
        audio = await call.add("audio", by=by)
        await call.connect(by)
        await call.flow()
        ours = audio.left
        assert isinstance(ours, OurMedia)
        received = ours.receiver.dtmf()
        await audio.right.insert_dtmf("19*#")
        async with asyncio.timeout(CEILING):
            tones = [await anext(received) for _ in range(4)]
        assert "".join(tone.digit for tone in tones) == "19*#"
        assert all(0.05 <= tone.duration <= 0.2 for tone in tones), "100 ms were asked for"
        await audio.flows()


@offered_by
async def test_keys_pressed_here_are_heard_at_the_far_end(remote: Remote, by: Side) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc has no DTMF")
    async with with_ours(remote, name="keys of ours") as call:
        audio = await call.add("audio", by=by)
        await call.connect(by)
        await call.flow()
        theirs, ours = audio.right, audio.left
        assert isinstance(theirs, RemoteMedia)
        assert isinstance(ours, OurMedia)
        assert ours.sender.dtmf is not None
        pressing = asyncio.create_task(ours.sender.dtmf.insert("555", duration=0.4))
        async with asyncio.timeout(CEILING):
            while True:
                heard = await theirs.call("measure_audio")
                if any(abs(heard["frequency"] - frequency) < 30 for frequency in PAIR):
                    break
                assert not pressing.done(), "the keys were not heard"
        await pressing
        await audio.flows()
