"""Events of tracks, telephone tones, statistics, devices: what a call tells."""

from __future__ import annotations

import asyncio

import pytest

import webrtc_stack as rtc
from tests.support.calls_api import a_call
from tests.support.fake_media import camera, microphone, take
from webrtc_stack import sim


def test_track_events_tell_the_whole_story_in_order() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            story: list[str] = []

            async def follow() -> None:
                async for event in call.right.track_events():
                    story.append(type(event).__name__)
                    match event:
                        case rtc.TrackAdded(track, receiver, transceiver, streams):
                            assert receiver.track is track
                            assert transceiver.receiver is receiver
                            assert streams == ("stream",)
                            assert track.id == ours.id

            ours = camera()
            task = call.background.start(follow())
            sender = call.left.add_track(ours, "stream")
            call.background.play(ours)
            await call.negotiate()
            await asyncio.sleep(0.5)
            call.left.remove_track(sender)
            await call.negotiate()
            await asyncio.sleep(0.5)
            call.left.transceivers[0].stop()
            await call.negotiate()
            await asyncio.sleep(0.5)
            await call.right.close()
            await task
            assert story == ["TrackAdded", "TrackUnmuted", "TrackRemoved", "TrackEnded"]

    sim.run(main)


def test_a_late_follower_hears_which_tracks_there_are() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            for track in (camera(), microphone()):
                call.left.add_track(track)
            await call.negotiate()
            await asyncio.sleep(1)
            found = await take(call.right.track_events(), 2)
            assert sorted(event.track.kind for event in found) == ["audio", "video"]

    sim.run(main)


def test_a_silent_peer_mutes_its_track() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = microphone()
            sender = call.left.add_track(track)
            call.background.play(track, 50)
            await call.negotiate()
            remote = await call.track_from(call.right, "audio")
            await remote.mute_state.wait_for(False, timeout=5)
            await sender.replace_track(None)
            await remote.mute_state.wait_for(True, timeout=60)
            await sender.replace_track(track)
            await remote.mute_state.wait_for(False, timeout=5)

    sim.run(main)


def test_tones_are_sent_and_received() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = microphone()
            sender = call.left.add_track(track)
            assert sender.dtmf is not None
            with pytest.raises(rtc.InvalidStateError, match="no tones"):
                await sender.dtmf.insert("1")
            call.background.play(track, 50)
            await call.negotiate()
            await asyncio.sleep(0.2)
            tones = call.right.receivers[0].dtmf()
            changes = sender.dtmf.tone_changes()
            start = net.now
            await sender.dtmf.insert("12#a", duration=0.1, gap=0.07)
            assert 0.5 < net.now - start < 1.0
            got = await take(tones, 4)
            assert "".join(tone.digit for tone in got) == "12#A"
            assert all(tone.duration == pytest.approx(0.1, abs=0.03) for tone in got)
            assert await take(changes, 5) == ["1", "2", "#", "A", ""]
            with pytest.raises(rtc.InvalidArgumentError, match="no telephone tone"):
                sender.dtmf.insert_nowait("12x")
            task = asyncio.create_task(sender.dtmf.insert("999999999"))
            await asyncio.sleep(0.3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(2)
            assert len(tones) <= 3
            assert sender.dtmf.tone_buffer == ""

    sim.run(main)


def test_statistics_tell_of_both_ends_and_agree() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            sender = call.left.add_track(track)
            call.background.play(track)
            await call.negotiate()
            remote = await call.track_from(call.right, "video")
            frames = remote.frames(limit=1000)
            await asyncio.sleep(10)
            sent = await sender.get_stats()
            (outbound,) = sent.of_type("outbound-rtp")
            (source,) = sent.of_type("media-source")
            assert outbound.frames_encoded == call.engine.encoders[0].counters.frames_encoded
            assert outbound.encoder_implementation == "fake VP8"
            assert source.track_identifier == track.id
            everything = await call.right.get_stats()
            (inbound,) = everything.of_type("inbound-rtp")
            assert inbound.packets_received == pytest.approx(outbound.packets_sent, rel=0.02)
            assert inbound.frames_decoded == pytest.approx(len(frames), abs=2)
            assert (inbound.frame_width, inbound.frame_height) == (640, 360)
            assert inbound.decoder_implementation == "fake VP8"
            assert len(everything) > len(await call.right.get_stats(remote)) > 0
            assert {one.type for one in (await call.right.get_stats(remote)).values()} >= {"inbound-rtp", "codec"}
            with pytest.raises(rtc.InvalidAccessError):
                await call.left.get_stats(remote)
            await sender.replace_track(None)
            await asyncio.sleep(0.1)
            (paused,) = (await sender.get_stats()).of_type("outbound-rtp")
            assert paused.frames_encoded == call.engine.encoders[0].counters.frames_encoded
            assert paused.frame_width == 640, "what was sent before a pause does not vanish by it"
            reports = await take(call.left.stats(interval=0.5), 3)
            assert len({report.timestamp for report in reports}) == 3

            async def follow() -> float:
                async for _ in call.left.stats(interval=3600):
                    pass
                return net.now

            task = asyncio.create_task(follow())
            await asyncio.sleep(1)
            await call.left.close()
            assert await task == net.now, "the stream of reports ends with the connection"

    sim.run(main)


def test_devices_are_the_engine_s_and_end_with_the_client() -> None:
    async def main(net: sim.Network) -> None:
        from tests.support.fake_media import FakeEngine

        async with rtc.Client(runtime=net.host("10.0.0.9"), engine=FakeEngine()) as client:
            sound = await client.create_audio_track(rtc.AudioConstraints(sample_rate=48_000))
            picture = await client.create_video_track()
            screen = await client.create_screen_track()
            assert [track.label for track in (sound, picture, screen)] == ["microphone", "camera", "screen"]
            assert [device.device_id for device in await client.devices()] == ["mic"]
        assert sound.end_reason == "its client closed"
        assert screen.ended
        with pytest.raises(rtc.InvalidStateError, match="closed"):
            await client.create_audio_track()

    sim.run(main)
