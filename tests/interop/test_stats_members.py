"""Every statistics member that we implement, seen to live in one call with Chromium, beside what Chromium says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support import netns
from tests.support.remote_peer import Remote

from .call import with_ours
from .conftest import missing
from .stats_call import DELAY, NEVER_BY_CHROMIUM, NOT_OVER_UDP, StatsCall
from .test_media_repair import grows
from .test_media_stats import close_to

Entries = dict[str, dict[str, Any]]


def streams(sender: Entries, receiver: Entries) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What was sent, and what the other side has of it; but for simulcast, of which a browser takes one layer."""
    received = {entry["ssrc"]: entry for entry in receiver.values() if entry["type"] == "inbound-rtp"}
    return [
        (entry, received[entry["ssrc"]])
        for entry in sender.values()
        if entry["type"] == "outbound-rtp" and not entry.get("rid") and entry["ssrc"] in received
    ]


def compare(sent: dict[str, Any], got: dict[str, Any]) -> None:
    """Both count the same, with what was lost on purpose added; probes for bandwidth are nobody's retransmissions."""
    what = f"{sent['kind']} of section {sent['mid']}: {sent} and {got}"
    repairs_sent, repairs_got = sent["retransmittedPacketsSent"], got.get("retransmittedPacketsReceived", 0)
    assert 0 <= repairs_got <= repairs_sent, what
    lost = got["packetsLost"] + repairs_sent - repairs_got
    assert close_to(sent["packetsSent"], got["packetsReceived"] + lost), what
    for name in ("nackCount", "pliCount", "firCount"):
        if name in sent and name in got:
            assert close_to(sent[name], got[name]), what


async def test_every_implemented_member_is_seen_in_one_call(remote: Remote) -> None:
    if remote.name != "chromium":
        pytest.skip("one call, with Chromium: it has the most to compare with")
    if not netns.inside():
        missing("needs the network of tests/run.py --stage interop")
    call = StatsCall(remote)
    await call.run()
    assert set(call.seen.missing()) == {NEVER_BY_CHROMIUM, *NOT_OVER_UDP}, call.seen.table()
    for sent, got in streams(call.ours, call.chromium):
        compare(sent, got)
    for sent, got in streams(call.chromium, call.ours):
        compare(sent, got)
    for report in (call.ours, call.chromium):
        measured = [one["roundTripTime"] for one in report.values() if one.get("roundTripTime")]
        assert measured
        assert all(0.9 * DELAY <= one <= 2 * max(DELAY, min(measured)) for one in measured), measured


async def test_firefox_asks_by_fir_where_nothing_else_is_agreed(remote: Remote) -> None:
    """The one member that no call with Chromium shows."""
    if remote.name != "firefox":
        pytest.skip("Chromium asks by PLI all the same, aiortc does not ask")
    async with with_ours(remote, name="FIR") as call:
        call.edits["left"] = lambda sdp: re.sub(r"a=rtcp-fb:\d+ nack pli\r\n", "", sdp)
        video = await call.add("video")
        await call.negotiate()
        await video.right.prepare_keyframe_requests()
        await call.connected()
        await call.flow()
        await video.right.request_keyframe()
        await grows(call, "left", "outbound-rtp", "firCount")
