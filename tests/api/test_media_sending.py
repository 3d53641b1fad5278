"""What senders do: encoders, their parameters, simulcast, slowness, failure, disabled and ended tracks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

import webrtc_stack as rtc
from tests.support.calls_api import a_call
from tests.support.fake_media import SlowOffload, camera, microphone, take
from webrtc_stack import sim


def test_parameters_reach_the_encoder_without_negotiation() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            sender = call.left.add_track(track)
            call.background.play(track, 30)
            await call.negotiate()
            await asyncio.sleep(1)
            encoder = call.engine.encoders[0]
            assert encoder.bitrate is not None
            assert 100_000 < encoder.bitrate < 2_500_000, "a default for the size"
            parameters = sender.get_parameters()

            async def change(**members: object) -> None:
                encoding = replace(sender.get_parameters().encodings[0], **members)  # type: ignore[arg-type]
                await sender.set_parameters(replace(parameters, encodings=(encoding,)))
                await asyncio.sleep(0.2)

            await change(max_bitrate=300_000)
            assert encoder.bitrate == 300_000
            assert len(call.engine.encoders) == 1, "a bitrate needs no new encoder"
            await change(max_framerate=10.0)
            encoded = call.engine.encoded
            await asyncio.sleep(2)
            assert call.engine.encoded - encoded == pytest.approx(20, abs=2)
            await change(max_framerate=None, scale_resolution_down_by=2.0)
            seen = await take((await call.track_from(call.right, "video")).frames(), 3)
            assert (seen[-1].width, seen[-1].height) == (320, 180)
            await change(active=False)
            encoded = call.engine.encoded
            await asyncio.sleep(1)
            assert call.engine.encoded == encoded
            keyframes = call.engine.keyframes
            await change(active=True)
            assert call.engine.keyframes > keyframes, "who comes back begins with a key frame"
            with pytest.raises(rtc.InvalidArgumentError, match="rids"):
                await sender.set_parameters(replace(parameters, encodings=()))
            with pytest.raises(rtc.InvalidArgumentError, match="at least 1"):
                await change(scale_resolution_down_by=0.5)

    sim.run(main)


def test_simulcast_sends_each_layer_by_an_encoder_of_its_own() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            sender = call.left.add_transceiver(
                track,
                direction="sendonly",
                send_encodings=[rtc.Encoding(rid="low"), rtc.Encoding(rid="high", max_bitrate=900_000)],
            ).sender
            call.background.play(track)
            await call.left.set_local_description()
            await call.right.set_remote_description(accepts_simulcast(call.left.local_description))
            await call.right.set_local_description()
            await call.left.set_remote_description(call.right.local_description)  # type: ignore[arg-type]
            for source, target in ((call.left, call.right), (call.right, call.left)):
                async for candidate in source.ice_candidates():
                    await target.add_ice_candidate(candidate)
            receiver = call.right.receivers[0]
            assert receiver.rids == ("low", "high")
            low, high = (receiver.encoded_frames(rid, limit=10_000) for rid in ("low", "high"))
            await call.left.connection_state.wait_for("connected", timeout=10)
            assert {frame.rid for frame in await take(low, 5)} == {"low"}
            assert {frame.rid for frame in await take(high, 5)} == {"high"}
            sizes = {(encoder.counters.frame_width, encoder.bitrate) for encoder in call.engine.encoders}
            assert {width for width, _ in sizes} == {320, 640}
            assert 900_000 in {bitrate for _, bitrate in sizes}
            receiver.decoded_rid = "high"
            shown = receiver.track.frames(limit=1000)
            assert {frame.width for frame in await take(shown, 3)} == {640}
            for rid, width in (("low", 320), ("high", 640)):
                receiver.decoded_rid = rid
                await asyncio.sleep(0.2)
                while len(shown):
                    last = await anext(shown)
                assert last.width == width, "the layer changes while it is shown"
            await asyncio.sleep(1)
            while len(shown):
                frame = await anext(shown)
                assert frame.number == last.number + 1, "and nothing is missing"
                last = frame
            keyframes = [encoder.counters.key_frames_encoded for encoder in call.engine.encoders]
            await asyncio.sleep(2)
            receiver.request_keyframe("low")
            await asyncio.sleep(0.5)
            more = [encoder.counters.key_frames_encoded for encoder in call.engine.encoders]
            assert sorted(b - a for a, b in zip(keyframes, more, strict=True))[0] == 0, "only the layer that was asked"
            first, second = sender.get_parameters().encodings
            await sender.set_parameters(
                replace(sender.get_parameters(), encodings=(replace(first, active=False), second))
            )
            await asyncio.sleep(0.3)
            while len(low):
                await anext(low)
            await take(high, 10)
            assert len(low) == 0
            receiver.decoded_rid = None
            first, second = sender.get_parameters().encodings
            await sender.set_parameters(
                replace(sender.get_parameters(), encodings=(replace(first, active=True), replace(second, active=False)))
            )
            await asyncio.sleep(3)
            while len(shown):
                last = await anext(shown)
            assert last.width == 320, "a layer that falls silent is replaced by one that comes"

    sim.run(main)


def accepts_simulcast(description: rtc.SessionDescription | None) -> rtc.SessionDescription:
    assert description is not None
    assert "a=simulcast:send low;high" in description.sdp
    return description


def test_an_encoder_slower_than_real_time_drops_pictures_and_counts_them() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            sender = call.left.add_track(track)
            assert call.left._own_resources is None
            call.left._media._resources.offload = SlowOffload(0.1)
            call.background.play(track, 30)
            await call.negotiate()
            await asyncio.sleep(0.3)
            encoded = call.engine.encoded
            await asyncio.sleep(3)
            assert call.engine.encoded - encoded == pytest.approx(30, abs=3)
            assert sender._sending is not None
            assert sender._sending.dropped == pytest.approx(60, abs=10)
            frames = await take(call.right.receivers[0].encoded_frames(), 5)
            steps = [b.media_time - a.media_time for a, b in pairwise(frames)]
            assert all(0.06 < step < 0.15 for step in steps), "pictures keep their own time"
            await sender.replace_track(None)
            assert sender.frames_dropped >= 50

    sim.run(main)


def test_an_encoder_that_fails_once_is_replaced() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            sender = call.left.add_track(track)
            call.background.play(track, 30)
            await call.negotiate()
            await asyncio.sleep(0.5)
            call.engine.fail_encoding = True
            await asyncio.sleep(0.1)
            call.engine.fail_encoding = False
            frames = (await call.track_from(call.right, "video")).frames()
            await take(frames, 10)
            assert sender.stopped_reason == ""
            assert len(call.engine.encoders) > 1
            (outbound,) = (await sender.get_stats()).of_type("outbound-rtp")
            total = sum(encoder.counters.frames_encoded for encoder in call.engine.encoders)
            assert outbound.frames_encoded == total, "the totals go on over encoders"

    sim.run(main)


def test_a_failing_encoder_ends_the_sending_with_a_reason_and_not_the_call() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track, sound = camera(), microphone()
            sender = call.left.add_track(track)
            call.left.add_track(sound)
            call.background.play(track)
            events = call.left.track_events()
            await call.negotiate()
            remote = await call.track_from(call.right, "video")
            await take(remote.frames(), 3)
            call.engine.fail_encoding = True
            stopped = await take(events, 1)
            event = stopped[0]
            assert isinstance(event, rtc.SendingStopped)
            assert event.sender is sender
            assert "the encoder broke" in event.reason
            assert isinstance(event.error, RuntimeError)
            assert "broke" in sender.stopped_reason
            assert call.left.connection_state.value == "connected"
            assert not track.ended, "others may send it still"
            call.engine.fail_encoding = False
            encoders = len(call.engine.encoders)
            await call.negotiate()
            await asyncio.sleep(0.5)
            assert len(call.engine.encoders) == encoders, "the same track with the same codec is not tried again"
            await sender.replace_track(track)
            await take(remote.frames(), 3)
            assert sender.stopped_reason == ""

    sim.run(main)


def test_codecs_that_the_engine_cannot_encode_are_passed_over_and_none_is_told() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            call.engine.can = {"video/vp9"}
            track = camera()
            sender = call.left.add_track(track)
            call.background.play(track)
            await call.negotiate()
            await asyncio.sleep(0.5)
            assert {encoder.mime for encoder in call.engine.encoders} == {"video/vp9"}
            call.engine.can = set()
            await sender.replace_track(None)
            await sender.replace_track(track)
            assert "none of the negotiated codecs" in sender.stopped_reason

    sim.run(main)


def test_preferences_change_the_codec_by_a_new_negotiation() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            call.left.add_track(track)
            call.background.play(track)
            await call.negotiate()
            await take((await call.track_from(call.right, "video")).frames(), 3)
            capabilities = rtc.Sender.get_capabilities("video").codecs
            vp9 = [codec for codec in capabilities if codec.name == "VP9"]
            call.left.transceivers[0].set_codec_preferences(vp9)
            await call.negotiate()
            remote = await call.track_from(call.right, "video")
            await take(remote.frames(), 5)
            assert call.engine.encoders[-1].mime == "video/vp9"
            assert call.engine.encoders[0].closed
            assert call.engine.decoders[-1].mime == "video/vp9"
            with pytest.raises(rtc.InvalidArgumentError):
                call.left.transceivers[0].set_codec_preferences([rtc.Codec(mime_type="video/x", clock_rate=1)])

    sim.run(main)


def test_a_disabled_track_sends_black_once_a_second_and_silence_all_the_time() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            picture, sound = camera(), microphone()
            for track, rate in ((picture, 25), (sound, 50)):
                call.left.add_track(track)
                call.background.play(track, rate)
            await call.negotiate()
            seen = (await call.track_from(call.right, "video")).frames(limit=1000)
            heard = (await call.track_from(call.right, "audio")).frames(limit=1000)
            await take(seen, 5)
            await take(heard, 5)
            picture.enabled = sound.enabled = False
            await asyncio.sleep(0.5)
            for stream in (seen, heard):
                while len(stream):
                    await anext(stream)
            await asyncio.sleep(4)
            assert 3 <= len(seen) <= 5
            assert len(heard) >= 190
            assert {frame.black for frame in await take(seen, 3)} == {True}
            assert {frame.black for frame in await take(heard, 100)} == {True}
            picture.enabled = True
            await asyncio.sleep(0.2)
            assert not (await take(seen, len(seen)))[-1].black

    sim.run(main)


def test_a_device_that_vanishes_ends_the_sending_with_its_reason() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            sender = call.left.add_track(track)
            events = call.left.track_events()
            call.background.play(track)
            await call.negotiate()
            remote = await call.track_from(call.right, "video")
            await take(remote.frames(), 3)
            track.end("the camera was unplugged")
            await asyncio.sleep(0.5)
            (event,) = await take(events, 1)
            assert event == rtc.SendingStopped(sender, track, "the camera was unplugged", None)
            assert sender.track is track
            assert call.engine.encoders[0].closed
            another = camera()
            call.background.play(another)
            await sender.replace_track(another)
            await take(remote.frames(), 3)

    sim.run(main)


def test_loss_is_repaired_by_a_key_frame_of_the_encoder() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            call.left.add_track(track)
            call.background.play(track)
            await call.negotiate()
            frames = (await call.track_from(call.right, "video")).frames(limit=1000)
            await take(frames, 10)
            keyframes = call.engine.keyframes
            net.link(net.hosts[0], net.hosts[1], up=False)
            await asyncio.sleep(8)
            net.link(net.hosts[0], net.hosts[1], up=True, latency=0.01)
            await asyncio.sleep(3)
            while len(frames):
                last = await anext(frames)
            assert call.engine.keyframes > keyframes
            assert last.number > 300

    sim.run(main)
