"""What leaves a session: sizes, names, extensions, refusals, changes of codec."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from webrtc_stack.errors import InvalidAccessError, InvalidArgumentError, InvalidStateError
from webrtc_stack.peer.media import Closed, FramesReceived, KeyframeRequested, MediaSession, OutgoingFrame
from webrtc_stack.peer.parameters import CodecParameters, TransceiverHandle
from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri, is_rtcp, ntp_to_unix
from webrtc_stack.sdp import Direction
from webrtc_stack.srtp import Profile

from .support import (
    AUDIO,
    AUDIO_EXTENSIONS,
    H264,
    OPUS,
    PCMU,
    RED,
    VIDEO,
    VIDEO_EXTENSIONS,
    VP8,
    audio,
    connect,
    keys,
    opus_packet,
    pair,
    session,
    video,
    vp8_frame,
)


def picture(number: int = 0, *, size: int = 3000, keyframe: bool = True, **more: Any) -> OutgoingFrame:
    data = vp8_frame(number, keyframe=keyframe, size=size)
    return OutgoingFrame(data, number / 30, keyframe=keyframe, **more)


def sound(number: int = 0, **more: Any) -> OutgoingFrame:
    return OutgoingFrame(opus_packet(number), number * 0.02, **more)


def plain(sender: MediaSession, now: float = 0.0, extensions: dict[int, str] | None = None) -> list[RtpPacket]:
    """What `sender` sends now, opened as its peer would."""
    mapping = ExtensionMap(VIDEO_EXTENSIONS if extensions is None else extensions)
    opened = keys(1)[1].unprotect_many([data for data in sender.poll_transmits(now, 500) if not is_rtcp(data)])
    return [RtpPacket.parse(data, mapping) for data in opened if isinstance(data, bytes)]


@pytest.mark.parametrize("size", [1, 500, 1150, 1200, 3001, 20_000, 100_003])
@pytest.mark.parametrize("profile", [Profile.AEAD_AES_256_GCM, Profile.AES_CM_128_HMAC_SHA1_80])
def test_datagrams_of_a_frame_fit_and_are_equal_in_size(size: int, profile: Profile) -> None:
    left, right = session(0), session(1)
    left.configure([video(0)], 0.0)
    connect(left, right, profile=profile)
    frame = picture(size=max(size, 10), capture_time=0.0, rotation=90)
    assert left.send_frame(VIDEO, frame, 0.0)
    sizes = [len(data) for data in left.poll_transmits(0.0, 500)]
    assert max(sizes) <= 1200
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) <= size // 1090 + 1


def test_retransmissions_fit_too() -> None:
    left, right = pair([video(0)], [video(1)])
    largest, now = 0, 0.0
    for size in range(3000, 3450, 3):
        now += 1.5
        frame = picture(size=size, capture_time=now, rotation=90)._replace(media_time=now)
        left.send_frame(VIDEO, frame, now)
        datagrams = [one for one in left.poll_transmits(now, 500) if not is_rtcp(one)]
        right.receive_many(datagrams[:1] + datagrams[2:], now)
        left.receive_many(right.poll_transmits(now), now + 0.05)
        sender = left._table.by_ssrc[2000]
        sender.identified = sender.rtx_identified = False  # names ride on, as if no report had come
        again = [one for one in left.poll_transmits(now + 0.05) if not is_rtcp(one)]
        assert len(again) == 1
        largest = max(largest, *map(len, again))
        right.receive_many(again, now + 0.06)
        (event,) = [event for event in right.poll_events() if isinstance(event, FramesReceived)]
        assert event.frames[0].data == frame.data
    assert 1199 <= largest <= 1200
    (sent,), (received,) = left.outbound(), right.inbound()
    assert sent.retransmitted_packets_sent == received.retransmitted_packets_received == received.packets_lost == 150
    assert received.packets_received == sent.packets_sent - 150
    assert received.frames_received == sent.frames_sent == 150


def test_the_first_packets_say_whose_they_are_and_all_carry_the_transport_extensions() -> None:
    left, _ = pair([video(0)], [video(1)])
    left.send_frame(VIDEO, picture(), 0.0)
    first = plain(left)
    assert {packet.get(Uri.MID) for packet in first} == {"1"}
    numbers = [packet.get(Uri.TRANSPORT_CC) for packet in first]
    assert numbers == list(range(numbers[0], numbers[0] + len(first)))
    assert all(packet.get(Uri.ABS_SEND_TIME) is not None for packet in first)
    assert [packet.marker for packet in first] == [False] * (len(first) - 1) + [True]


def test_names_stay_until_the_peer_reports() -> None:
    left, right = pair([video(0)], [video(1)])
    now = 0.0
    carried = []
    for number in range(60):
        left.send_frame(VIDEO, picture(number, size=500, keyframe=not number), now)
        datagrams = left.poll_transmits(now)
        opened = keys(1)[1].unprotect_many([one for one in datagrams if not is_rtcp(one)])
        packets = [RtpPacket.parse(one, ExtensionMap(VIDEO_EXTENSIONS)) for one in opened if isinstance(one, bytes)]
        carried.append(packets[0].get(Uri.MID))
        right.receive_many(datagrams, now)
        left.receive_many(right.poll_transmits(now), now)
        now += 0.033
    assert carried[0] == "1" and carried[-1] is None


def test_frames_tell_their_level_turn_and_capture_time() -> None:
    left, _ = pair()
    left.send_frame(AUDIO, sound(audio_level=42, voice=True, capture_time=0.25), 0.5)
    left.send_frame(AUDIO, sound(1, audio_level=200, capture_time=0.27), 0.52)
    first, second = plain(left, 0.52, AUDIO_EXTENSIONS)
    assert first.get(Uri.AUDIO_LEVEL) == (42, True)
    assert second.get(Uri.AUDIO_LEVEL) == (127, False)
    captured = first.get(Uri.ABS_CAPTURE_TIME)
    assert ntp_to_unix(captured.ntp_timestamp) == pytest.approx(left.config.wall_epoch + 0.25, abs=1e-5)
    assert second.get(Uri.ABS_CAPTURE_TIME) is None, "once a second is enough"
    left.send_frame(VIDEO, picture(rotation=270), 0.6)
    assert {packet.get(Uri.VIDEO_ORIENTATION).rotation for packet in plain(left, 0.6)} == {270}


def test_nothing_is_queued_before_the_keys_and_a_key_frame_is_wanted_then() -> None:
    left, right = session(0), session(1)
    left.configure([video(0), audio(0)], 0.0)
    assert not left.send_frame(VIDEO, picture(), 0.0)
    assert not left.send_frame(AUDIO, sound(), 0.0)
    assert left.poll_transmits(0.0) == [] and left.poll_events() == []
    connect(left, right, now=1.0)
    assert left.poll_events() == [KeyframeRequested(VIDEO, None)]
    assert not left.send_frame(VIDEO, picture(1, keyframe=False), 1.0)
    assert left.send_frame(VIDEO, picture(2), 1.0)
    assert left.send_frame(VIDEO, picture(3, keyframe=False), 1.0)
    assert left.send_frame(AUDIO, sound(1), 1.0)
    assert left.drops["not sent: no keys yet"] == 2
    refused = {facts.handle: facts.frames_refused for facts in left.outbound()}
    assert refused == {VIDEO: 2, AUDIO: 1}


def test_a_direction_that_forbids_sending_refuses_quietly() -> None:
    left, _ = pair([video(0, direction=Direction.RECVONLY)], [video(1)])
    assert not left.send_frame(VIDEO, picture(), 0.0)
    assert left.drops["not sent: direction or paused"] == 1
    left.configure([video(0)], 1.0)
    assert left.poll_events() == [KeyframeRequested(VIDEO, None)]


def test_a_full_queue_refuses_whole_frames_until_a_key_frame() -> None:
    left, _ = pair([video(0)], [video(1)], max_queued_packets=10)
    assert left.send_frame(VIDEO, picture(size=8000), 0.0)
    assert not left.send_frame(VIDEO, picture(1, size=8000, keyframe=False), 0.0)
    while left.poll_transmits(0.0):
        pass
    assert not left.send_frame(VIDEO, picture(2, size=100, keyframe=False), 0.1), "it builds on the refused one"
    assert left.send_frame(VIDEO, picture(3, size=100), 0.2)


def test_small_polls_say_the_same_in_the_end() -> None:
    texts: list[list[bytes]] = []
    for limit in (1, 7, 500):
        left, _ = pair([video(0)], [video(1)])
        left.send_frame(VIDEO, picture(size=30_000), 0.0)
        texts.append([])
        while sent := left.poll_transmits(0.0, limit):
            assert len(sent) <= limit
            assert left.next_timeout() <= 0.0 or len(texts[-1]) + len(sent) >= 27
            texts[-1] += sent
    assert texts[0] == texts[1] == texts[2]


def test_a_change_of_codec_keeps_the_source_and_both_arrive() -> None:
    left, right = pair([audio(0)], [audio(1)])
    now, got = 0.0, []
    for number in range(90):
        codec = "audio/PCMU" if 30 <= number < 60 else None
        data = bytes([number]) * 160 if codec else opus_packet(number)
        assert left.send_frame(AUDIO, OutgoingFrame(data, number * 0.02, codec=codec), now)
        right.receive_many(left.poll_transmits(now), now + 0.02)
        got += [frame for event in right.poll_events() if isinstance(event, FramesReceived) for frame in event.frames]
        left.receive_many(right.poll_transmits(now + 0.02), now + 0.04)
        now += 0.02
    assert [frame.codec for frame in got] == [OPUS] * 30 + [PCMU] * 30 + [OPUS] * 30
    assert {frame.ssrc for frame in got} == {1000}
    times = [frame.media_time for frame in got]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(89 * 0.02, abs=0.05)
    assert right.inbound()[0].jitter < 0.001, "a change of clock is no jitter"


def test_redundant_audio_fills_holes() -> None:
    codecs = (RED, OPUS)
    left, right = pair(
        [audio(0, send_codecs=codecs, receive_codecs=codecs)], [audio(1, send_codecs=codecs, receive_codecs=codecs)]
    )
    now, got = 0.0, []
    for number in range(50):
        left.send_frame(AUDIO, sound(number), now)
        datagrams = left.poll_transmits(now)
        if number % 3 != 1:
            right.receive_many(datagrams, now)
        got += [frame for event in right.poll_events() if isinstance(event, FramesReceived) for frame in event.frames]
        now += 0.02
    assert [frame.data for frame in got] == [opus_packet(number) for number in range(49 if 49 % 3 == 1 else 50)]
    assert not any(frame.follows_loss for frame in got)


def test_two_video_codecs_in_one_section() -> None:
    left, right = pair([video(0)], [video(1)])
    nal = b"\x00\x00\x00\x01"
    idr = nal + b"\x67\x42\xe0\x1f\x8c\x8d\x40" + nal + b"\x68\xce\x3c\x80" + nal + b"\x65" + bytes(range(1, 200)) * 20
    left.send_frame(VIDEO, picture(), 0.0)
    left.send_frame(VIDEO, OutgoingFrame(idr, 0.04, keyframe=True, codec="video/h264"), 0.04)
    right.receive_many(left.poll_transmits(0.04), 0.05)
    (event,) = [event for event in right.poll_events() if isinstance(event, FramesReceived)]
    assert [frame.codec for frame in event.frames] == [VP8, H264]
    assert [frame.data for frame in event.frames] == [picture().data, idr]


def test_a_media_clock_that_starts_anew_goes_on_in_timestamps() -> None:
    left, right = pair([video(0)], [video(1)])
    stamps = []
    for now, media_time in ((0.0, 50.0), (0.033, 50.033), (0.066, 0.0), (0.1, 0.033)):
        frame = OutgoingFrame(vp8_frame(0, keyframe=True, size=100), media_time, keyframe=True)
        left.send_frame(VIDEO, frame, now)
        stamps += [packet.timestamp for packet in plain(left, now)]
    steps = [((b - a) & 0xFFFFFFFF) / 90_000 for a, b in pairwise(stamps)]
    assert steps == pytest.approx([0.033, 0.033, 0.033], abs=0.001)
    assert right.poll_events() == []


def test_misuse_is_refused_before_anything_changes() -> None:
    left, right = pair([video(0)], [video(1)])
    with pytest.raises(InvalidAccessError):
        left.send_frame(TransceiverHandle(7), picture(), 0.0)
    with pytest.raises(InvalidAccessError):
        left.send_frame(VIDEO, picture(), 0.0, "h")
    with pytest.raises(InvalidArgumentError):
        left.send_frame(VIDEO, OutgoingFrame(bytes(5 << 20), 0.0, keyframe=True), 0.0)
    with pytest.raises(InvalidStateError):
        connect(left, right)
    assert not left.send_frame(VIDEO, picture()._replace(codec="video/AV1"), 0.0)
    assert left.drops["not sent: codec not negotiated"] == 1
    assert left.poll_transmits(0.0) == []


def test_a_codec_without_a_payload_format_can_still_be_forwarded() -> None:
    odd = CodecParameters(payload_type=99, codec=replace(VP8.codec, mime_type="video/X-ODD"))
    left, right = pair([video(0, send_codecs=(odd,))], [video(1, receive_codecs=(odd,))])
    right.set_delivery(VIDEO, 0.0, packets=True)
    packet = RtpPacket(payload_type=99, sequence_number=5, timestamp=5, ssrc=5, payload=b"abc")
    assert left.send_packets(VIDEO, [packet], 0.0) == 1
    right.receive_many(left.poll_transmits(0.0), 0.0)
    assert [type(event).__name__ for event in right.poll_events()] == ["SourceStarted", "Unmuted", "PacketsReceived"]


def test_after_the_end_nothing_is_sent() -> None:
    left, _ = pair([video(0)], [video(1)])
    left.close(0.0, "over")
    assert left.next_timeout() <= 0.0
    assert len(left.poll_transmits(0.0)) == 1
    assert left.poll_events() == [Closed("over")]
    assert not left.send_frame(VIDEO, picture(), 0.0)
    assert left.poll_transmits(0.0) == []
