"""Browsers that hide their addresses behind multicast DNS names, as they do for every page without permissions.

Whether we resolve the name or learn the address from the browser's own checks (peer-reflexive), it must connect.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support import browser, netns, seeds
from tests.support.browser import BrowserPage
from tests.support.content import content, sha256

from .conftest import Loop, missing
from .session import Role, Session


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def shy(request: pytest.FixtureRequest, loop: Loop) -> Iterator[BrowserPage]:
    """A browser without permissions, on a network with a default route that leads nowhere."""
    if not netns.inside():
        missing("needs the network namespace of tests/run.py --stage interop")
    if browser.find(request.param) is None:
        missing(f"{request.param} is not installed")
    with netns.route_to_nowhere():
        page = BrowserPage(request.param, hide_addresses=True)
        loop.run(page.__aenter__())
        yield page
        loop.run(page.close())


@pytest.mark.parametrize("role", ["we_offer", "they_offer"])
@pytest.mark.parametrize("zeroconf", [True, False], ids=["zeroconf", "no zeroconf"])
async def test_a_browser_under_a_local_name_connects(
    shy: BrowserPage, role: Role, zeroconf: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not zeroconf:
        monkeypatch.setitem(sys.modules, "zeroconf", None)  # importing it fails, as where the extra is not installed
    session = Session(shy, role, "trickle", seeds.base() + 2)
    await session.connect()
    try:
        report = await session.theirs.report()
        assert ".local " in report["local"], "the browser did not hide its address"
        ours, theirs = session.first
        await ours.send(content(50_000, 1))
        assert (await theirs.next_message())["sha256"] == sha256(content(50_000, 1))
        await theirs.send_text("seen")
        assert await ours.receive() == "seen"
        if not zeroconf:
            pair = session.ours.pc.snapshot().ice.selected_pair
            assert pair is not None and pair.remote.type == "prflx", "a name was resolved without a resolver"
    except BaseException as error:
        error.add_note(await session.describe())
        raise
    finally:
        await session.close()
