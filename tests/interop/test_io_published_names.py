"""A browser that is told a `.local` name of ours and nothing else: it asks for it by multicast DNS, and we answer.

Our side gets no candidate of the browser's, so it sends no check that would show the browser its address: who connects
here has resolved the name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from tests.support import browser, netns, seeds
from tests.support.browser import BrowserPage
from tests.support.our_peer import OurPeer
from tests.support.remote_peer import Description, RemotePeer
from webrtc_stack.io import AsyncioRuntime

from .conftest import Loop, missing

HOST = "10.77.0.1"


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def asking(request: pytest.FixtureRequest, loop: Loop) -> Iterator[BrowserPage]:
    if not netns.inside():
        missing("needs the network namespace of tests/run.py --stage interop")
    if browser.find(request.param) is None:
        missing(f"{request.param} is not installed")
    with netns.route_to_nowhere():
        page = BrowserPage(request.param, hide_addresses=True)  # otherwise Chromium resolves no such names at all
        loop.run(page.__aenter__())
        yield page
        loop.run(page.close())


def without_candidates(description: Description) -> Description:
    return {**description, "sdp": re.sub(r"a=candidate:.*\r\n", "", description["sdp"])}


@pytest.mark.parametrize("published", [True, False], ids=["published", "not published"])
async def test_a_browser_finds_us_under_our_name(asking: BrowserPage, published: bool) -> None:
    # of its own each time: browsers remember a name as long as its answer allows
    name = f"7d0f8a9a-5c0e-4a3f-9d5b-3f1c2b7e6a1{int(published)}.local"
    ours, theirs = OurPeer(seeds.base() + 3), RemotePeer(asking)
    await ours.create()
    await theirs.create()
    runtime = AsyncioRuntime()
    if published:
        runtime.publish(name, HOST)
    try:
        channel = await ours.create_channel("hello")
        answer = await theirs.answer(without_candidates(await ours.offer(trickle=True)), trickle=True)
        await ours.set_remote(without_candidates(answer))
        while (candidate := await ours.next_candidate()) is not None:
            if HOST in candidate["candidate"]:
                await theirs.add_candidate({**candidate, "candidate": candidate["candidate"].replace(HOST, name)})
        if published:
            await channel.wait_open()
            pair = ours.pc.snapshot().ice.selected_pair
            assert pair is not None
            assert pair.remote.type == "prflx", "we were told of no candidate"
            await channel.send("found")
            arrived = await theirs.wait_channel("hello")
            assert (await arrived.next_message())["text"] == "found"
        else:
            await asyncio.sleep(3.0)
            assert ours.pc.snapshot().ice.selected_pair is None, "the browser knew the address from elsewhere"
    except BaseException as error:
        error.add_note(f"ours: {await ours.report()}\ntheirs: {await theirs.report()}")
        raise
    finally:
        await theirs.close()
        await ours.close()
        await runtime.aclose()
