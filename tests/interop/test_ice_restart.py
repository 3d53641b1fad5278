"""New ICE credentials on a living connection, asked for by either side."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from .session import Session, Side


def ufrags(report: dict[str, Any]) -> tuple[str, str]:
    """The ICE user names of a peer's local and remote description."""
    local, remote = (re.search(r"^a=ice-ufrag:(\S+)", report[side], re.MULTILINE) for side in ("local", "remote"))
    assert local and remote
    return local[1], remote[1]


@pytest.mark.parametrize("fresh", ["we_offer", "they_offer"], indirect=True)
@pytest.mark.parametrize("side", ["ours", "theirs"])
async def test_channels_outlive_an_ice_restart(fresh: Session, side: Side) -> None:
    if fresh.remote.name == "aiortc":
        pytest.skip("aiortc has no ICE restart")
    ours, theirs = fresh.first
    before = ufrags(await fresh.theirs.report())
    for _ in range(2):
        sending = asyncio.create_task(theirs.send_file(2_000_000, 31))
        receiving = asyncio.create_task(ours.receive_file(2_000_000))
        await fresh.restart_ice(side)
        after = ufrags(await fresh.theirs.report())
        assert after[0] != before[0]
        assert after[1] != before[1]
        before = after
        assert (await receiving)["sha256"] == await sending
        await ours.send("after")
        assert await theirs.next_message() == {"text": "after"}
