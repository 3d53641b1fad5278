"""Audio and video with real browsers, aiortc and webrtcbin: every direction, either offering, decoded at both ends."""

from __future__ import annotations

import pytest

from tests.support.remote_media import Flow
from tests.support.remote_peer import Remote
from webrtc_stack.dtls import SrtpProfile

from .call import Call, Side, with_ours

OFFERERS: list[Side] = ["left", "right"]
OFFERER_NAMES = ["we_offer", "they_offer"]
FLOWS: list[Flow] = ["sendrecv", "sendonly", "recvonly"]

PROFILES = {
    SrtpProfile.AES128_CM_SHA1_80: "SRTP_AES128_CM_HMAC_SHA1_80",
    SrtpProfile.AEAD_AES_128_GCM: "SRTP_AEAD_AES_128_GCM",
    SrtpProfile.AEAD_AES_256_GCM: "SRTP_AEAD_AES_256_GCM",
}
"""What we allow, one at a time, and what W3C's statistics call it."""

offered_by = pytest.mark.parametrize("by", OFFERERS, ids=OFFERER_NAMES)


def srtp_family(remote: Remote, by: Side) -> str:
    """RFC 5764 section 4.1.2 leaves the choice to the DTLS server, which the offerer is: each takes its own first."""
    return "CM" if (remote.name, by) == ("chromium", "right") else "GCM"


@offered_by
async def test_audio_video_and_data_flow_both_ways_over_one_transport(remote: Remote, by: Side) -> None:
    async with with_ours(remote, name=f"everything, offered by {by}") as call:
        await call.add("audio", by=by)
        await call.add("video", by=by)
        await call.open_channel(by)
        await call.connect(by, trickle=remote.name != "aiortc")
        await call.channel_carries()
        await call.flow()
        for line in call.lines:
            assert (await line.left.state())["currentDirection"] == "sendrecv"
        if remote.name in ("chromium", "firefox"):
            transport = await call.stats("right", "transport")  # one: all is bundled
            assert transport["dtlsState"] == "connected"
            assert f"_{srtp_family(remote, by)}_" in f"{transport['srtpCipher']}_"


@pytest.mark.parametrize("profile", list(PROFILES), ids=[profile.name for profile in PROFILES])
async def test_each_srtp_profile_protects_a_call(remote: Remote, profile: SrtpProfile) -> None:
    if remote.name == "aiortc" and profile is SrtpProfile.AEAD_AES_256_GCM:
        pytest.skip("aiortc offers no AES-256-GCM to a DTLS client")
    async with with_ours(remote, name=profile.name, srtp_profiles=(profile,)) as call:
        await call.add("audio")
        await call.add("video")
        await call.connect("left")
        await call.flow()
        assert (await call.stats("left", "transport"))["srtpCipher"] == PROFILES[profile]
        if remote.name in ("chromium", "firefox"):
            assert (await call.stats("right", "transport"))["srtpCipher"] == PROFILES[profile]


@offered_by
async def test_each_direction_alone(remote: Remote, by: Side) -> None:
    ways: list[Flow] = ["sendonly", "recvonly"]
    # aiortc does not send the second of two videos, whoever receives: a call for each direction, then.
    for flows in [ways[:1], ways[1:]] if remote.name == "aiortc" else [ways]:
        async with with_ours(remote, name=f"{flows}, offered by {by}") as call:
            await basic(call, by, *flows)


async def basic(call: Call, by: Side, *flows: Flow) -> None:
    for flow in flows:
        await call.add("audio", by=by, flow=flow)
        await call.add("video", by=by, flow=flow)
    await call.connect(by)
    await call.flow()
    for line in call.lines:
        assert (await line.left.state())["currentDirection"] == line.flow
        assert (await line.right.state())["currentDirection"] == line.flow_of("right")


@offered_by
@pytest.mark.parametrize("flow", FLOWS)
async def test_webrtcbin(webrtcbin: Remote, by: Side, flow: Flow) -> None:
    async with with_ours(webrtcbin, name=f"{flow}, offered by {by}") as call:
        await basic(call, by, flow)
