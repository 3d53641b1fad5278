"""Calls end: at any moment, with everything that they had begun."""

from __future__ import annotations

import asyncio
import gc

import pytest

import webrtc_stack as rtc
from tests.support.calls_api import a_call
from tests.support.fake_media import Background, FakeEngine, SlowOffload, camera, microphone, take
from tests.support.peers import Signalling, two_peers
from webrtc_stack import sim


@pytest.mark.parametrize("slow", [False, True], ids=["quick codecs", "slow codecs"])
@pytest.mark.parametrize("moment", [0.0, 0.005, 0.015, 0.025, 0.04, 0.06, 0.08, 0.1, 0.15, 0.3, 1.0, 3.0])
def test_a_call_closes_at_any_moment_and_leaves_no_task_codec_or_timer(moment: float, slow: bool) -> None:
    async def main(net: sim.Network) -> None:
        net.default_link = sim.LinkConfig(latency=0.01)
        engine = FakeEngine()
        async with Background() as background, two_peers(net, engine=engine) as (left, right):
            if slow:
                left._media._resources.offload = right._media._resources.offload = SlowOffload(0.07)
            readers = []
            for pc in (left, right):
                for track in (camera(), microphone()):
                    pc.add_track(track)
                    background.play(track)
                pc.create_data_channel("x")

                async def read(pc: rtc.PeerConnection) -> None:
                    async with asyncio.TaskGroup() as group:
                        async for event in pc.track_events():
                            if isinstance(event, rtc.TrackAdded):
                                group.create_task(drain(event.track))

                readers.append(asyncio.create_task(read(pc)))
            task = asyncio.create_task(Signalling(left, right, delay=0.005, trickle=True).negotiate())
            await asyncio.sleep(moment)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            start = net.now
            await left.close()
            await right.close()
            assert net.now - start <= 4.2
            await asyncio.gather(*readers)
            for pc in (left, right):
                assert pc.transceivers == []
        assert engine.open_codecs == 0
        assert len(asyncio.all_tasks()) == 1
        await asyncio.sleep(60)
        assert net.next_instant() == float("inf"), "a timer outlived its call"

    async def drain(track: rtc.RemoteTrack) -> None:
        async for _ in track.frames():
            pass
        assert track.ended

    sim.run(main)


@pytest.mark.slow
def test_fifty_calls_leave_no_object_behind() -> None:
    async def main(net: sim.Network) -> None:
        net.keep_log = False
        net.default_link = sim.LinkConfig(latency=0.002)
        for _ in range(50):
            async with Background() as background, two_peers(net, engine=FakeEngine()) as (left, right):
                track = camera()
                left.add_track(track)
                background.play(track)
                await Signalling(left, right, delay=0.001, trickle=True).negotiate()
                await right.connection_state.wait_for("connected", timeout=5)
                await take(right.receivers[0].track.frames(), 2)
            assert len(asyncio.all_tasks()) == 1

    sim.run(main)
    gc.collect()
    kinds = (rtc.PeerConnection, rtc.Sender, rtc.Receiver, rtc.RemoteTrack)
    assert sum(isinstance(thing, kinds) for thing in gc.get_objects()) == 0


def test_a_call_that_the_peer_ends_leaves_nothing_running_here() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            call.right.add_track(track)
            call.background.play(track)
            await call.negotiate(call.right)
            reader = asyncio.create_task(take(call.left.receivers[0].track.frames(), 10_000, timeout=100))
            await asyncio.sleep(1)
            await call.left.close()
            await call.right.connection_state.wait_for("closed", timeout=5)
            await asyncio.sleep(0.1)
            assert len(call.right._media.tasks) == 0
            assert call.engine.open_codecs == 0
            assert len(await reader) > 20

    sim.run(main)


def test_readers_and_senders_learn_that_the_call_is_over() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = microphone()
            sender = call.left.add_track(track)
            call.background.play(track, 50)
            await call.negotiate()
            receiver = call.right.receivers[0]
            streams = [
                receiver.track.frames(),
                receiver.encoded_frames(),
                receiver.rtp_packets(),
                receiver.dtmf(),
                sender.keyframe_requests(),
                call.right.track_events(),
            ]
            tones = asyncio.create_task(sender.dtmf.insert("1234567890")) if sender.dtmf is not None else None
            await asyncio.sleep(0.5)

            async def drain(stream: object) -> None:
                async for _ in stream:  # type: ignore[attr-defined]
                    pass

            tasks = [asyncio.create_task(drain(stream)) for stream in streams]
            await asyncio.sleep(0.5)
            await call.left.close()
            async with asyncio.timeout(5):
                await asyncio.gather(*tasks)
                assert tones is not None
                await tones
            assert receiver.track.ended
            assert receiver.track.end_reason != ""
            assert not track.ended, "a local track is the application's"
            assert [frame async for frame in receiver.encoded_frames()] == []

    sim.run(main)


def test_a_slow_reader_is_bounded_and_told_what_it_lost() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            picture, sound = camera(), microphone()
            for track, rate in ((picture, 30), (sound, 50)):
                call.left.add_track(track)
                call.background.play(track, rate)
            await call.negotiate()
            await asyncio.sleep(0.5)
            video = next(receiver for receiver in call.right.receivers if receiver.kind == "video")
            audio = next(receiver for receiver in call.right.receivers if receiver.kind == "audio")
            slow = [
                video.track.frames(),
                audio.track.frames(),
                video.encoded_frames(limit=10),
                audio.rtp_packets(limit=10),
            ]
            keyframes = call.engine.keyframes
            await asyncio.sleep(20)
            assert [len(stream) <= limit for stream, limit in zip(slow, (2, 50, 10, 10), strict=True)] == [True] * 4
            assert all(stream.dropped > 100 for stream in slow)
            assert call.engine.keyframes > keyframes, "a reader that fell behind asks for key frames"
            found = [await anext(slow[2]) for _ in range(len(slow[2]))]
            assert not found or found[0].keyframe

    sim.run(main)


def test_without_an_engine_calls_of_encoded_media_work_and_raw_ones_say_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webrtc_stack.aio.engine.ENGINE_MODULE", "webrtc_stack.no_such_room")

    async def main(net: sim.Network) -> None:
        net.default_link = sim.LinkConfig(latency=0.01)
        async with Background() as background, two_peers(net) as (left, right):
            encoded, raw = rtc.EncodedTrack("audio", "audio/opus"), camera()
            left.add_track(encoded)
            sender = left.add_track(raw)
            background.play(encoded, 50)
            await Signalling(left, right, delay=0.01, trickle=True).negotiate()
            await right.connection_state.wait_for("connected", timeout=5)
            await take(right.receivers[0].encoded_frames(), 10)
            assert "extra `media`" in sender.stopped_reason
            with pytest.raises(rtc.NotSupportedError, match="extra `media`"):
                await take(right.receivers[0].track.frames(), 1)

    sim.run(main)


def test_a_decoder_that_always_fails_ends_the_reading_and_a_new_reader_tries_anew() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = microphone()
            call.left.add_track(track)
            call.background.play(track, 50)
            await call.negotiate()
            remote = await call.track_from(call.right, "audio")
            call.engine.fail_decoding = True
            with pytest.raises(RuntimeError, match="the decoder broke"):
                await take(remote.frames(), 1)
            assert remote.decode_failures == 50
            call.engine.fail_decoding = False
            await take(remote.frames(), 5)
            assert call.right.connection_state.value == "connected"

    sim.run(main)
