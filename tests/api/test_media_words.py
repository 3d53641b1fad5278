"""Small words of the client API that save an application a page: MIME types, reasons, waiting for the end."""

from __future__ import annotations

import asyncio

import pytest

import webrtc_stack as rtc
from tests.support.calls_api import a_call
from tests.support.fake_media import camera
from webrtc_stack import sim


def test_a_mime_type_is_a_preference() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            sound = call.left.add_transceiver("audio")
            video = call.left.add_transceiver("video")
            sound.set_codec_preferences(["audio/PCMU"])
            video.set_codec_preferences(["video/vp9", "video/VP8"])
            with pytest.raises(rtc.InvalidArgumentError, match="video/VP8"):
                video.set_codec_preferences(["video/theora"])
            await call.negotiate()
            names = [
                [one.codec.name for one in view.plan.send_codecs]
                for view in call.left.core.transceivers()
                if view.plan is not None
            ]
            assert names[0][0] == "PCMU" and set(names[0]) == {"PCMU", "CN", "telephone-event"}
            assert names[1] == ["VP9", "VP8"]
            plan = call.left.core.transceivers()[1].plan
            assert plan is not None and all(one.rtx_payload_type is not None for one in plan.send_codecs)

    sim.run(main)


def test_a_sender_says_why_it_is_idle() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            sender = call.left.add_track(track := camera())
            (transceiver,) = call.left.transceivers
            assert "negotiated" in sender.idle_reason
            await call.negotiate()
            assert sender.idle_reason == ""
            await sender.replace_track(None)
            assert "no track" in sender.idle_reason
            await sender.replace_track(track)
            transceiver.direction = "recvonly"
            assert "sendrecv" in sender.idle_reason and sender.idle_reason in repr(sender)
            await call.negotiate()
            transceiver.direction = "sendrecv"
            assert "agreed" in sender.idle_reason
            transceiver.stop()
            assert "stopped" in sender.idle_reason

    sim.run(main)


def test_the_end_can_be_waited_for() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            call.left.add_track(camera())
            await call.negotiate()
            waiting = asyncio.create_task(call.right.wait_closed())
            await asyncio.sleep(1)
            assert not waiting.done()
            await call.left.close()
            assert "peer" in await asyncio.wait_for(waiting, 5)
            assert await call.left.wait_closed() == "closed"

    sim.run(main)
