"""Calls with GStreamer's webrtcbin: what is tried with browsers, as far as its elements can.

What it lacks is said by a test where it can be shown, so that a newer GStreamer turns that test red.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.support.our_media import OurMedia
from tests.support.remote_peer import CEILING, Remote, RemoteError
from webrtc_stack.errors import NegotiationError

from .call import SIDES, Call, Line, Side, other, with_ours
from .test_media import offered_by
from .test_media_changes import changed_by
from .test_media_codecs import knows
from .test_media_levels import comes_back, echo
from .test_media_repair import completeness, grows, total
from .test_media_simulcast import LAYERS, frames

CODECS = [("video/VP8", "audio/PCMA"), ("video/VP9", "audio/G722"), ("video/H264", "audio/PCMU")]


@offered_by
async def test_many_sections_and_data_share_one_transport(webrtcbin: Remote, by: Side) -> None:
    async with with_ours(webrtcbin, name=f"everything, offered by {by}") as call:
        await call.add("audio", by=by)
        await call.add("video", by=by)
        await call.open_channel(by)
        await call.connect(by)
        await call.flow()
        await call.add("video", by=by, flow="sendonly")
        await call.add("audio", by=by, flow="recvonly")
        await call.add("video", by=by, flow="recvonly")
        await call.negotiate(by)
        await call.flow()
        await call.channel_carries()
        for line in call.lines:
            assert (await line.left.state())["currentDirection"] == line.flow
            assert (await line.right.state())["currentDirection"] == line.flow_of("right")
        assert len(await call.all_stats("left", "transport")) == 1


@offered_by
@pytest.mark.parametrize(("video_codec", "audio_codec"), CODECS, ids=[video[6:] for video, _ in CODECS])
async def test_both_ends_decode(webrtcbin: Remote, by: Side, video_codec: str, audio_codec: str) -> None:
    async with with_ours(webrtcbin, name=f"{video_codec} {audio_codec}, offered by {by}") as call:
        await call.add("video", by=by, codecs=[video_codec], size=(320, 240))
        await call.add("audio", by=by, codecs=[audio_codec])
        await call.connect(by)
        await call.flow()


async def test_the_codec_matrix_says_what_it_lacks(webrtcbin: Remote) -> None:
    """AV1: the payloader of 1.22 is in a package of its own, of plugins in Rust, that Debian does not have."""
    async with with_ours(webrtcbin) as call:
        assert not await knows(webrtcbin, call, "video/AV1")
        assert all([await knows(webrtcbin, call, codec) for pair in CODECS for codec in (*pair, "audio/opus")])


@offered_by
async def test_a_tenth_lost_both_ways_is_repaired(webrtcbin: Remote, by: Side) -> None:
    async with with_ours(webrtcbin, name="loss") as call:
        video = await call.add("video", by=by, rate=30)
        await call.connect(by)
        await call.flow()
        network = call.ours.network
        network.sending = network.receiving = 0.1
        seen = await asyncio.gather(*(video.pictures(side, 45) for side in SIDES))
        await asyncio.gather(
            grows(call, "left", "outbound-rtp", "retransmittedPacketsSent"),
            grows(call, "left", "inbound-rtp", "nackCount"),
            grows(call, "left", "inbound-rtp", "retransmittedPacketsReceived"),
        )
        network.sending = network.receiving = 0.0
        await call.flow()
        assert network.lost_sending > 0
        assert network.lost_receiving > 0
        # A retransmission may be lost as well; only one of ten packets, so most repairs succeed.
        assert all(completeness(frames) > 0.5 for frames in seen)
        entries = await call.all_stats("right", "inbound-rtp")
        assert sum(one["gstRtpjitterbufferStats"]["rtxSuccessCount"] for one in entries) > 0


async def test_media_goes_on_after_an_outage(webrtcbin: Remote) -> None:
    async with with_ours(webrtcbin, name="outage") as call:
        await call.add("audio")
        await call.add("video", rate=30)
        await call.connect()
        await call.flow()
        network = call.ours.network
        network.sending = network.receiving = 1.0
        await asyncio.sleep(0.7)  # longer than retransmissions are asked for
        network.sending = network.receiving = 0.0
        await call.flow()
        assert network.lost_sending > 0
        assert network.lost_receiving > 0


@pytest.mark.parametrize("asked_by", SIDES, ids=["we_ask", "they_ask"])
async def test_a_key_frame_is_sent_when_asked_for(webrtcbin: Remote, asked_by: Side) -> None:
    by = asked_by
    async with with_ours(webrtcbin, name=f"key frame asked by {asked_by}") as call:
        video = await call.add("video", by=by)
        await call.connect(by)
        await call.flow()
        requests = await total(call, "left", "outbound-rtp", "pliCount", "firCount")
        encoded = await total(call, "left", "outbound-rtp", "keyFramesEncoded")
        decoded = await total(call, "left", "inbound-rtp", "keyFramesDecoded")
        await video.ends[asked_by].request_keyframe()
        if asked_by == "right":
            await grows(call, "left", "outbound-rtp", "pliCount", "firCount", above=requests)
            await grows(call, "left", "outbound-rtp", "keyFramesEncoded", above=encoded)
        else:
            await grows(call, "left", "inbound-rtp", "keyFramesDecoded", above=decoded)
        await call.flow()


@changed_by
async def test_audio_becomes_video_and_audio_again(webrtcbin: Remote, side: Side) -> None:
    async with with_ours(webrtcbin, name=f"changed by {side}") as call:
        audio = await call.add("audio")
        await call.connect()
        await call.flow()
        video = await call.add("video", by=side)
        await call.negotiate(side)
        await call.flow()
        await video.set_flow("inactive", by=side)
        await call.negotiate(side)
        await asyncio.gather(*(video.rests(end) for end in SIDES), audio.flows())
        call.lines.remove(video)  # a section that was inactive stays so, so video that comes back has one of its own
        await call.add("video", by=side)
        await call.negotiate(side)
        await call.flow()


@changed_by
async def test_hold_is_inactive_and_for_good(webrtcbin: Remote, side: Side) -> None:
    async with with_ours(webrtcbin, name=f"held by {side}") as call:
        audio, video = await call.add("audio"), await call.add("video")
        await call.connect()
        await call.flow()
        await video.set_flow("inactive", by=side)
        await call.negotiate(side)
        await asyncio.gather(*(video.rests(end) for end in SIDES), audio.flows())
        await video.set_flow("sendrecv", by=side)
        with pytest.raises(RemoteError, match="transceiver direction changes are not implemented"):
            await call.negotiate(side)


@changed_by
async def test_hold_and_resume_of_one_direction(webrtcbin: Remote, side: Side) -> None:
    """Without negotiation: webrtcbin 1.22 refuses it."""
    async with with_ours(webrtcbin, name=f"held by {side}") as call:
        audio, video = await call.add("audio"), await call.add("video")
        await call.connect()
        await call.flow()
        for line in (audio, video):
            await line.ends[side].replace(None)
        await asyncio.gather(
            *(line.rests(other(side)) for line in call.lines), *(line.arrives(side) for line in call.lines)
        )
        for line in (audio, video):
            await line.replace(side)
        await call.flow()
        await audio.set_flow("sendonly" if side == "left" else "recvonly", by=side)
        with pytest.raises(RemoteError, match="transceiver direction changes are not implemented"):
            await call.negotiate(side)


async def test_a_section_that_we_stopped_is_left_alone(webrtcbin: Remote) -> None:
    """webrtcbin 1.22 cannot stop a transceiver: its answer has a living section, inactive, which cannot be another."""
    async with with_ours(webrtcbin, name="stopped by us") as call:
        audio, video = await call.add("audio"), await call.add("video")
        await call.connect()
        await call.flow()
        await video.left.stop()
        await call.negotiate()
        assert [one["sdp"].count("m=video 0 ") for _, one in call.descriptions[-2:]] == [1, 0]
        await audio.flows()
        with pytest.raises(RemoteError, match="transceiver direction changes are not implemented"):
            await takes_again(call, video)
        await audio.flows()


async def takes_again(call: Call, video: Line) -> None:
    """Offers another video of ours in the place of the one that is dead, to the transceiver that still is there."""
    ours, peer = call.peers["left"], call.peers["right"]
    video.ends["left"] = await ours.add_media("video", video.sources["left"])
    offer = await call.offer("left")
    assert offer["sdp"].count("m=") == 2, "a new section beside the one that was free"
    await peer.set_remote(offer)
    await ours.set_remote(await peer.local_answer(trickle=False))
    await call.flow()


async def test_a_section_that_we_rejected_is_used_again(webrtcbin: Remote) -> None:
    async with with_ours(webrtcbin, name="rejected") as call:
        ours, peer = call.peers["left"], call.peers["right"]
        audio = await call.add("audio", by="right")
        video = await call.add("video", by="right")
        await ours.set_remote(await call.offer("right"))
        for line in (audio, video):
            line.ends["left"] = await ours.adopt_media(line.kind, line.sources["left"])
        await video.left.stop()
        await peer.set_remote(await ours.local_answer(trickle=False))
        await call.connected()
        await audio.flows()
        await takes_again(call, video)


@offered_by
async def test_tracks_are_replaced_without_negotiation(webrtcbin: Remote, by: Side) -> None:
    async with with_ours(webrtcbin, name="replaced") as call:
        audio, video = await call.add("audio", by=by), await call.add("video", by=by)
        await call.connect(by)
        await call.flow()
        before = len(call.descriptions)
        for side in SIDES:
            await audio.replace(side)
            await video.replace(side)
        await call.flow()
        assert len(call.descriptions) == before


@pytest.mark.parametrize(("side", "after"), [("left", "video/VP9"), ("right", "video/H264")], ids=["ours", "theirs"])
async def test_the_codec_is_changed_in_mid_call(webrtcbin: Remote, side: Side, after: str) -> None:
    async with with_ours(webrtcbin, name=f"codec changed by {side}") as call:
        video = await call.add("video", codecs=["video/VP8", after])
        audio = await call.add("audio")
        await call.connect()
        await call.flow()
        for end in (side, other(side)):  # webrtcbin refuses what its encoder does not make
            await video.ends[end].set_codecs([after])
        await call.negotiate(side)
        await asyncio.gather(video.flows(8), audio.flows())


@changed_by
async def test_ice_is_not_restarted(webrtcbin: Remote, side: Side) -> None:
    """webrtcbin 1.22 answers with the credentials that it has (RFC 8445 section 9 wants new ones), and offers them."""
    async with with_ours(webrtcbin, name=f"restarted by {side}") as call:
        await call.add("audio")
        await call.add("video")
        await call.connect()
        await call.flow()
        if side == "left":
            with pytest.raises(NegotiationError, match="offer restarted ICE, but the answer has the old"):
                await call.connect(side, restart=True)
        else:
            await call.connect(side, restart=True)
            ufrags = [re.findall(r"^a=ice-ufrag:(\S+)", one["sdp"], re.MULTILINE) for _, one in call.descriptions]
            assert ufrags[1][0] == ufrags[2][0], "those of the answer, and of the offer after it"
        await call.flow()


@pytest.mark.parametrize(("level", "by"), [("encoded", "left"), ("packets", "right"), ("decoded", "left")])
async def test_webrtcbin_gets_back_what_it_sends(webrtcbin: Remote, by: Side, level: str) -> None:
    async with with_ours(webrtcbin, name=f"echo of {level}") as call:
        await call.add("audio", by=by)
        await call.add("video", by=by)
        await call.connect(by)
        await call.flow()
        ours = [line.left for line in call.lines]
        assert isinstance(ours[0], OurMedia)
        assert isinstance(ours[1], OurMedia)
        async with echo(ours[0], level), echo(ours[1], level):
            await asyncio.gather(*(comes_back(line) for line in call.lines))


@offered_by
async def test_the_one_srtp_profile_that_it_has_protects_a_call(webrtcbin: Remote, by: Side) -> None:
    async with with_ours(webrtcbin, name="srtp") as call:
        await call.add("audio", by=by)
        await call.connect(by)
        await call.flow()
        assert (await call.stats("left", "transport"))["srtpCipher"] == "SRTP_AES128_CM_HMAC_SHA1_80"


async def test_two_offers_at_once(webrtcbin: Remote) -> None:
    """We yield: webrtcbin has no rollback that it trusts."""
    async with with_ours(webrtcbin, name="glare") as call:
        await call.add("audio", by="right")
        await call.add("video", by="left")
        offers = {side: await call.offer(side) for side in SIDES}
        await call.answered("right", offers["right"])
        await call.connected()  # an answer that comes before DTLS says active, whatever was said before
        await call.negotiate("left")
        await call.flow()


async def test_three_layers_are_received(webrtcbin: Remote) -> None:
    width, height = 640, 480
    async with with_ours(webrtcbin, name="simulcast") as call:
        video = await call.add("video", by="right", flow="recvonly", encodings=LAYERS, size=(width, height))
        await call.connect("right")
        ours = video.left
        assert isinstance(ours, OurMedia)
        assert ours.receiver.rids == ("high", "middle", "low")
        await asyncio.gather(*(frames(ours, layer["rid"], 10) for layer in LAYERS))
        for layer in LAYERS:
            by = layer["scaleResolutionDownBy"]
            ours.receiver.decoded_rid = layer["rid"]
            ours.pictures.size = (0, 0)
            async with asyncio.timeout(CEILING):
                while ours.pictures.size != (width // by, height // by):
                    await ours.count_frames(0.05)


async def test_one_layer_of_our_simulcast_is_taken(webrtcbin: Remote) -> None:
    """Its answer has no `a=simulcast`, so there is one stream, without rid."""
    async with with_ours(webrtcbin, name="our simulcast") as call:
        await call.add("video", flow="sendonly", encodings=LAYERS, size=(640, 480))
        await call.connect()
        await call.flow()
        assert "a=simulcast" not in call.descriptions[-1][1]["sdp"]
        await call.stats("left", "outbound-rtp", kind="video")
