"""Calls with aiortc beyond those that every peer has: glare, dead sections, simulcast, every SRTP profile."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.remote_peer import Remote
from webrtc_stack.dtls import SrtpProfile
from webrtc_stack.errors import NegotiationError

from .call import SIDES, with_ours
from .conftest import Loop, open_remote
from .test_media import PROFILES
from .test_media_simulcast import LAYERS


@pytest.fixture(scope="module")
def aiortc(loop: Loop) -> Iterator[Remote]:
    context = open_remote("aiortc")
    yield loop.run(context.__aenter__())
    loop.run(context.__aexit__(None, None, None))


async def test_two_offers_at_once(aiortc: Remote) -> None:
    """We yield: aiortc has no rollback."""
    async with with_ours(aiortc, name="glare") as call:
        await call.add("audio", by="right")
        await call.add("video", by="left")
        offers = {side: await call.offer(side) for side in SIDES}
        await call.answered("right", offers["right"])
        await call.negotiate("left")
        await call.connected()
        await call.flow()


async def test_a_section_that_we_stopped_is_used_again(aiortc: Remote) -> None:
    """aiortc answers as if the section lived; it stays dead for us, and its place is taken all the same."""
    async with with_ours(aiortc, name="stopped by us") as call:
        audio, video = await call.add("audio"), await call.add("video")
        await call.connect()
        await call.flow()
        await video.left.stop()
        call.lines.remove(video)
        await call.negotiate()
        assert [one["sdp"].count("m=video 0 ") for _, one in call.descriptions[-2:]] == [1, 0]
        await audio.flows()
        again = await call.add("video")
        await call.negotiate()
        assert call.descriptions[-1][1]["sdp"].count("m=") == 2, "a new section beside the one that was free"
        await again.flows()
        await audio.flows()


async def test_audio_flows_beside_a_section_that_we_reject(aiortc: Remote) -> None:
    """aiortc never says `connected` then: it goes on to look for a way for what was rejected."""
    async with with_ours(aiortc, name="rejected") as call:
        ours, peer = call.peers["left"], call.peers["right"]
        audio, video = await call.add("audio", by="right"), await call.add("video", by="right")
        await ours.set_remote(await call.offer("right"))
        for line in (audio, video):
            line.ends["left"] = await ours.adopt_media(line.kind, line.sources["left"])
        await video.left.stop()
        await peer.set_remote(await ours.local_answer(trickle=False))
        await ours.wait_state("connected")
        await audio.flows()


async def test_one_layer_of_our_simulcast_is_taken(aiortc: Remote) -> None:
    """Its answer has no `a=simulcast`, so there is one stream, without rid."""
    async with with_ours(aiortc, name="our simulcast") as call:
        await call.add("video", flow="sendonly", encodings=LAYERS, size=(640, 480))
        await call.connect()
        await call.flow()
        assert "a=simulcast" not in call.descriptions[-1][1]["sdp"]
        await call.stats("left", "outbound-rtp", kind="video")


async def test_ice_is_not_restarted(aiortc: Remote) -> None:
    """aiortc answers with the credentials that it has; RFC 8445 section 9 wants new ones."""
    async with with_ours(aiortc, name="restart") as call:
        await call.add("audio")
        await call.connect()
        await call.flow()
        with pytest.raises(NegotiationError, match="offer restarted ICE, but the answer has the old"):
            await call.negotiate(restart=True)
        ufrags = [re.findall(r"^a=ice-ufrag:(\S+)", one["sdp"], re.MULTILINE) for _, one in call.descriptions]
        assert ufrags[1] == ufrags[3]
        await call.flow()


@pytest.mark.parametrize("profile", list(PROFILES), ids=[profile.name for profile in PROFILES])
async def test_each_srtp_profile_protects_a_call_that_it_offers(aiortc: Remote, profile: SrtpProfile) -> None:
    async with with_ours(aiortc, name=profile.name, srtp_profiles=(profile,)) as call:
        await call.add("audio", by="right")
        await call.connect("right")
        await call.flow()
        assert (await call.stats("left", "transport"))["srtpCipher"] == PROFILES[profile]
