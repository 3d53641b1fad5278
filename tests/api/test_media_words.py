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
            assert await call.left.wait_over() == "closed"

    sim.run(main)


def test_a_connection_that_failed_is_over_and_not_closed() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            call.left.add_track(camera())
            await call.negotiate()
            await call.left.connection_state.wait_for("connected", timeout=10)
            closed = asyncio.create_task(call.left.wait_closed())
            over = asyncio.create_task(call.left.wait_over())
            patient = asyncio.create_task(call.left.wait_over(patience=5))
            net.link("10.0.0.1", "10.0.0.2", loss=1.0)
            began = asyncio.get_running_loop().time()
            assert await asyncio.wait_for(over, 90)
            failed = asyncio.get_running_loop().time()
            assert call.left.connection_state.value == "failed" and not closed.done() and failed - began > 10
            assert await asyncio.wait_for(patient, 10) == call.left.connection_state.reason
            assert asyncio.get_running_loop().time() - failed == pytest.approx(5)
            await call.left.close()
            await closed

    sim.run(main)
