"""Calls through the client API on the virtual network: three levels of media, renegotiation, hold, other tracks."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

import webrtc_stack as rtc
from tests.support.calls_api import a_call
from tests.support.fake_media import camera, microphone, take
from tests.support.peers import Signalling
from webrtc_stack import rtp, sim


def numbers(frames: list[Any]) -> list[int]:
    return [frame.number for frame in frames]


def is_run(found: list[int]) -> bool:
    return found == list(range(found[0], found[0] + len(found)))


async def run_of(track: rtc.RemoteTrack, count: int = 10) -> list[int]:
    """Numbers of frames that were decoded, which must follow each other."""
    with track.frames(limit=100) as frames:
        found = [frame.number for frame in await take(frames, count + 5) if not frame.concealed][-count:]
    assert is_run(found), found
    return found


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_raw_frames_go_both_ways(kind: str) -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            make = camera if kind == "video" else microphone
            for pc in (call.left, call.right):
                track = make()
                pc.add_track(track, "stream")
                call.background.play(track, 50)
            await call.negotiate()
            for pc in (call.left, call.right):
                remote = await call.track_from(pc, kind)
                await run_of(remote)
                assert not remote.muted
            assert len(call.engine.encoders) == 2
            assert len(call.engine.decoders) == 2
            mimes = {encoder.mime for encoder in call.engine.encoders}
            assert mimes == {"video/vp8" if kind == "video" else "audio/opus"}

    sim.run(main)


def test_a_decoder_exists_only_while_somebody_reads_and_is_shared() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            call.left.add_track(track)
            call.background.play(track)
            await call.negotiate()
            remote = await call.track_from(call.right, "video")
            await asyncio.sleep(1)
            assert call.engine.decoders == []
            first, second = remote.frames(limit=50), remote.frames(limit=50)
            one = await take(first, 10)
            two = await take(second, 10)
            assert numbers(one) == numbers(two)
            assert len(call.engine.decoders) == 1
            first.close()
            second.close()
            await asyncio.sleep(0.5)
            assert call.engine.decoders[0].closed
            await run_of(remote)
            assert len(call.engine.decoders) == 2

    sim.run(main)


def test_sound_comes_by_playout_with_losses_concealed_unless_the_application_wants_it_at_once() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            net.link(net.hosts[0], net.hosts[1], latency=0.03, jitter=0.03, loss=0.1)
            track = microphone()
            call.left.add_track(track)
            call.background.play(track, 50)
            await call.negotiate()
            receiver = call.right.receivers[0]
            assert receiver.playout
            with receiver.track.frames(limit=1000) as frames, receiver.encoded_frames(limit=1000) as encoded:
                await asyncio.sleep(5)
                assert not any(frame.lost for frame in await take(encoded, len(encoded)))
                heard = await take(frames, len(frames))
            assert sum(frame.concealed for frame in heard) > 5
            real = numbers([frame for frame in heard if not frame.concealed])
            assert real == sorted(real)
            await asyncio.sleep(0.5)
            receiver.playout = False
            with receiver.track.frames(limit=1000) as frames:
                await asyncio.sleep(5)
                heard = await take(frames, len(frames))
            assert not any(frame.concealed for frame in heard)
            assert len(heard) > 150

    sim.run(main)


def test_encoded_frames_go_through_as_they_are() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = rtc.EncodedTrack("video", "video/VP9")
            sender = call.left.add_track(track)
            source = call.background.play(track)

            async def obey() -> None:
                async for _ in track.keyframe_requests():
                    source.wants_keyframe = True

            call.background.start(obey())
            await call.negotiate()
            receiver = call.right.receivers[0]
            frames = await take(receiver.encoded_frames(), 20)
            assert frames[0].keyframe
            assert {frame.codec.codec.mime_type for frame in frames} == {"video/VP9"}
            assert sender.get_parameters().codecs[0].codec.mime_type == "video/VP9"
            steps = [round(b.media_time - a.media_time, 3) for a, b in pairwise(frames)]
            assert all(0.03 <= step <= 0.04 for step in steps)
            assert call.engine.encoders == []

    sim.run(main)


def test_single_frames_and_key_frame_requests_without_any_track() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            transceiver = call.left.add_transceiver("video", direction="sendonly")
            sender = transceiver.sender
            assert not sender.send_frame(rtc.OutgoingFrame(b"\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01", 0.0, True))
            await call.negotiate()
            receiver = call.right.receivers[0]
            frames = receiver.encoded_frames()
            requests = sender.keyframe_requests()
            key = b"\x10\x00\x00\x9d\x01\x2a\x80\x02\x68\x01" + bytes(50)
            for number in range(10):
                assert sender.send_frame(rtc.OutgoingFrame(key, number / 10, True))
                await asyncio.sleep(0.1)
            assert [frame.data for frame in await take(frames, 10)] == [key] * 10
            receiver.request_keyframe()
            assert (await take(requests, 1))[0].rid is None

    sim.run(main)


def test_rtp_packets_go_through_and_their_gaps_survive() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            sender = call.left.add_transceiver("audio", direction="sendonly").sender
            await call.negotiate()
            packets = call.right.receivers[0].rtp_packets()
            payload_type = next(
                codec.payload_type
                for codec in sender.get_parameters().codecs
                if codec.codec.mime_type.lower() == "audio/opus"
            )
            for number in (0, 1, 2, 5, 6):
                sender.send_rtp(
                    [
                        rtp.RtpPacket(
                            payload_type=payload_type,
                            sequence_number=1000 + number,
                            timestamp=number * 960,
                            ssrc=7,
                            payload=b"\xf8" + bytes([number]),
                        )
                    ]
                )
                await asyncio.sleep(0.02)
            got = await take(packets, 5)
            assert [packet.payload[1] for packet in got] == [0, 1, 2, 5, 6]
            base = got[0].sequence_number
            assert [(packet.sequence_number - base) & 0xFFFF for packet in got] == [0, 1, 2, 5, 6]
            assert got[0].ssrc != 7, "the source is ours, not the one that the packets came from"

    sim.run(main)


def test_rtp_packets_of_a_source_that_knows_nothing_of_the_call_go_out_by_their_codec() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            sender = call.left.add_transceiver("audio", direction="sendonly").sender
            packet = rtp.RtpPacket(payload_type=127, sequence_number=1, ssrc=7, payload=b"\xf8\x01")
            assert sender.send_rtp([packet], codec="audio/opus") == 0, "there is no connection yet"
            await call.negotiate()
            packets = call.right.receivers[0].rtp_packets()
            assert sender.send_rtp([packet]) == 0, "127 was not negotiated"
            assert sender.send_rtp([packet], codec="audio/opus") == 1
            assert sender.send_rtp([packet], codec="audio/L16") == 0
            opus = next(one for one in sender.get_parameters().codecs if one.codec.name.lower() == "opus")
            assert [(one.payload_type, one.payload) for one in await take(packets, 1)] == [
                (opus.payload_type, b"\xf8\x01")
            ]
            assert packet.payload_type == 127, "the packet that was given is not changed"

    sim.run(main)


def test_an_audio_call_becomes_a_video_call_and_an_audio_call_again() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            sound, picture = microphone(), camera()
            call.left.add_track(sound)
            call.background.play(sound, 50)
            await call.negotiate()
            heard = await call.track_from(call.right, "audio")
            await run_of(heard)
            sender = call.left.add_track(picture)
            call.background.play(picture, 25)
            await call.negotiate()
            seen = await call.track_from(call.right, "video")
            await run_of(seen)
            await run_of(heard)
            call.left.remove_track(sender)
            await call.negotiate()
            events = call.right.track_events()
            added = await take(events, 1)
            assert [event.track for event in added] == [heard], "only sound is sent now"
            assert seen.muted
            assert not seen.ended
            await run_of(heard)
            # And from the other side, by the same transceiver.
            answer = camera()
            call.right.add_track(answer)
            call.background.play(answer, 25)
            await call.negotiate(call.right)
            await run_of(await call.track_from(call.left, "video"))
            assert len(call.left.transceivers) == 2

    sim.run(main)


def test_hold_and_resume_by_directions() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            tracks = camera(), camera()
            for pc, track in zip((call.left, call.right), tracks, strict=True):
                pc.add_track(track)
                call.background.play(track)
            await call.negotiate()
            remote = await call.track_from(call.left, "video")
            await run_of(remote)
            ours = call.left.transceivers[0]
            ours.direction = "sendonly"
            await call.negotiate()
            assert call.right.transceivers[0].current_direction == "recvonly"
            encoded = call.engine.encoded
            await asyncio.sleep(1)
            assert call.engine.encoded - encoded == pytest.approx(30, abs=3), "only one side sends"
            ours.direction = "inactive"
            await call.negotiate()
            await asyncio.sleep(0.2)
            encoded = call.engine.encoded
            await asyncio.sleep(1)
            assert call.engine.encoded == encoded
            assert call.engine.open_codecs <= 1
            ours.direction = "sendrecv"
            await call.negotiate()
            await run_of(remote)
            with pytest.raises(rtc.InvalidArgumentError, match="direction is one of"):
                ours.direction = "both"

    sim.run(main)


def test_a_replaced_track_needs_no_negotiation_and_time_goes_on() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            first, second = camera(), camera()
            sender = call.left.add_track(first)
            call.background.play(first)
            await call.negotiate()
            received = call.right.receivers[0].encoded_frames(limit=1000)
            await take(received, 10)
            late = call.background.play(second)
            late.number = 500_000
            await sender.replace_track(second)
            await asyncio.sleep(1)
            await sender.replace_track(None)
            await asyncio.sleep(0.2)
            encoded = call.engine.encoded
            await asyncio.sleep(1)
            assert call.engine.encoded == encoded
            await sender.replace_track(first)
            await asyncio.sleep(1)
            assert call.left.signaling_state.value == "stable"
            received.end()
            frames = [frame async for frame in received]
            steps = [b.media_time - a.media_time for a, b in pairwise(frames)]
            assert all(0 < step < 1.4 for step in steps)
            assert sum(step > 0.5 for step in steps) == 1, "the pause, and nothing else"
            with pytest.raises(rtc.InvalidArgumentError, match="audio"):
                await sender.replace_track(microphone())

    sim.run(main)


def test_a_stopped_transceiver_ends_its_track_and_its_section_is_used_again() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            call.left.add_track(track)
            call.background.play(track)
            await call.negotiate()
            remote = await call.track_from(call.right, "video")
            frames = remote.frames()
            await take(frames, 3)
            stopped = call.left.transceivers[0]
            stopped.stop()
            assert stopped.stopped
            assert call.left.transceivers == []
            await call.negotiate()
            assert remote.ended
            assert call.right.transceivers == []
            assert len([frame async for frame in frames]) <= 2, "the reading ends"
            with pytest.raises(rtc.InvalidStateError, match="stopped"):
                stopped.direction = "sendrecv"
            assert (stopped.mid, stopped.current_direction) == (None, None)
            assert "stopped" in repr(stopped)
            assert stopped.sender.get_parameters().codecs == ()
            again = camera()
            call.left.add_track(again)
            call.background.play(again)
            await call.negotiate()
            assert call.left.local_description is not None
            assert call.left.local_description.sdp.count("m=video") == 1, "the section was used again"
            await run_of(await call.track_from(call.right, "video"))
            assert [len(pc._media._transceivers) for pc in (call.left, call.right)] == [1, 1], (
                "the stopped are forgotten"
            )

    sim.run(main)


def test_ice_restarts_in_the_middle_of_a_call_with_media_and_data_going_on() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = microphone()
            call.left.add_track(track)
            channel = call.left.create_data_channel("x")
            call.background.play(track, 50)
            await call.negotiate()
            theirs = await anext(aiter(call.right.data_channels()))
            remote = await call.track_from(call.right, "audio")
            frames = remote.frames(limit=1000)
            await take(frames, 20)
            before = call.left.local_description
            call.left.restart_ice()
            await Signalling(call.left, call.right, delay=0.01, trickle=True).negotiate()
            await asyncio.sleep(2)
            assert before is not None
            assert call.left.local_description is not None
            assert before.sdp != call.left.local_description.sdp
            await channel.send("still here")
            assert await theirs.receive() == "still here"
            found = numbers([frame for frame in await take(frames, 80) if not frame.concealed])
            assert is_run(found)

    sim.run(main)


def test_misuse_is_told_what_to_do() -> None:
    async def main(net: sim.Network) -> None:
        async with a_call(net) as call:
            track = camera()
            sender = call.left.add_track(track)
            with pytest.raises(rtc.InvalidAccessError, match="already"):
                call.left.add_track(track)
            with pytest.raises(rtc.InvalidAccessError, match="another"):
                call.right.remove_track(sender)
            with pytest.raises(rtc.InvalidArgumentError, match="track is wanted"):
                call.left.add_track("video")  # type: ignore[arg-type]
            with pytest.raises(rtc.InvalidArgumentError, match="audio or video"):
                call.left.add_transceiver("smell")
            with pytest.raises(rtc.InvalidArgumentError, match="direction is one of"):
                call.left.add_transceiver("video", direction="up")
            with pytest.raises(rtc.InvalidArgumentError, match="capabilities"):
                call.left.add_track(rtc.EncodedTrack("video", "video/theora"))
            await call.left.close()
            with pytest.raises(rtc.InvalidStateError, match="closed"):
                call.left.add_track(camera())
            with pytest.raises(rtc.InvalidStateError, match="closed"):
                call.left.add_transceiver("audio")

    sim.run(main)
