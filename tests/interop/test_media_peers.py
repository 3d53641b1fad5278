"""Audio and video of the remote peers among themselves: when this is red, the fault is not ours."""

from __future__ import annotations

import pytest

from tests.support.remote_media import RemoteMediaPeer
from tests.support.remote_peer import Remote

from .call import Call
from .conftest import open_remote

LAYERS = [{"rid": rid, "scaleResolutionDownBy": by} for rid, by in (("high", 1), ("middle", 2), ("low", 4))]


def pair(remote: Remote) -> Call:
    return Call(RemoteMediaPeer(remote), RemoteMediaPeer(remote), name=f"{remote.name} with itself")


async def test_audio_and_video_of_one_program_reach_each_other(remote: Remote) -> None:
    async with pair(remote) as call:
        audio, video = await call.add("audio"), await call.add("video")
        await call.connect()
        await call.flow()
        assert (await audio.left.state())["currentDirection"] == "sendrecv"
        await video.replace("left")
        await video.arrives("right")
        await audio.replace("right")
        await audio.arrives("left")


async def test_hold_and_resume(remote: Remote) -> None:
    async with pair(remote) as call:
        audio = await call.add("audio")
        await call.connect()
        await call.flow()
        await audio.set_flow("inactive", by="left")
        await call.negotiate()
        await audio.rests("right")
        await audio.set_flow("sendrecv", by="left")
        await call.negotiate()
        await call.flow()


async def test_webrtcbin_answers_aiortc(webrtcbin: Remote) -> None:
    async with (
        open_remote("aiortc") as aiortc,
        Call(RemoteMediaPeer(aiortc), RemoteMediaPeer(webrtcbin), name="aiortc and webrtcbin") as call,
    ):
        await call.add("audio")
        await call.add("video")
        await call.connect()
        await call.flow()


@pytest.mark.parametrize("codec", ["video/VP8", "video/VP9", "video/H264", "video/AV1"])
async def test_a_codec_of_choice(remote: Remote, codec: str) -> None:
    async with pair(remote) as call:
        left = call.peers["left"]
        assert isinstance(left, RemoteMediaPeer)
        known = await remote.call("media_capabilities", {"pc": left.handle, "kind": "video"})
        if codec not in known:
            pytest.skip(f"{remote.name} has no {codec}")
        await call.add("video", codecs=[codec])
        await call.connect()
        await call.flow()


async def test_a_key_frame_is_sent_when_asked_for(remote: Remote) -> None:
    async with pair(remote) as call:
        video = await call.add("video")
        await call.negotiate()
        await video.right.prepare_keyframe_requests()
        await call.connected()
        await call.flow()
        await video.right.request_keyframe()
        await call.flow()
        if remote.name != "aiortc":  # its statistics do not tell
            sent = await call.stats("left", "outbound-rtp", kind="video")
            assert sent["pliCount"] + sent["firCount"] >= 1
            received = await call.stats("right", "inbound-rtp", kind="video")
            assert received["keyFramesDecoded"] >= 2


async def test_simulcast_is_offered(remote: Remote) -> None:
    if remote.name == "aiortc":
        pytest.skip("aiortc has no simulcast")
    async with pair(remote) as call:
        await call.add("video", flow="sendonly", encodings=LAYERS, size=(640, 480))
        offer = await call.peers["left"].offer(trickle=False)
        assert "a=simulcast:send high;middle;low" in offer["sdp"]
