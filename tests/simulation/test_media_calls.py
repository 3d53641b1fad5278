"""Whole calls between two media sessions in virtual time: loss, repair, key frames, statistics, replay."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.replay import assert_replays
from tests.unit.peer_media.support import AUDIO, VIDEO, Call, Plan, audio, connect, pair, session, video
from webrtc_stack.peer.media import KeyframeRequested, Muted, SourceEnded, SourceStarted, Unmuted
from webrtc_stack.peer.negotiation.rtp_plan import RemoteSource
from webrtc_stack.peer.parameters import SourceIds
from webrtc_stack.sdp import Direction
from webrtc_stack.sim import LinkConfig
from webrtc_stack.srtp import Profile

BAD_LINK = LinkConfig(latency=0.03, jitter=0.005, loss=0.05, reorder=0.03, duplicate=0.02)


def assert_intact(got: list[Any], sent: dict[int, bytes]) -> None:
    """Each frame whole, in order, at most once."""
    remaining = iter(sent.values())
    for frame in got:
        assert any(frame.data == data for data in remaining), "a frame that was not sent, or out of order"


@pytest.mark.parametrize("profile", [Profile.AEAD_AES_128_GCM, Profile.AES_CM_128_HMAC_SHA1_80])
def test_without_loss_every_frame_arrives_as_it_was_sent(profile: Profile) -> None:
    left, right = session(0), session(1)
    left.configure([audio(0), video(0)], 0.0)
    right.configure([audio(1), video(1)], 0.0)
    connect(left, right, profile=profile)
    call = Call(left, right)
    sources = [call.add(side, handle) for side in (0, 1) for handle in (AUDIO, VIDEO)]
    call.run(2)
    for side, source in zip((1, 1, 0, 0), sources, strict=True):
        got = call.frames_of(side, "audio" if source.handle == AUDIO else "video")
        assert [frame.data for frame in got] == list(source.sent.values())
    for side in (0, 1):
        assert len(call.of(side, SourceStarted)) == len(call.of(side, Unmuted)) == 2
    largest = max(len(delivery.data) for delivery in call.pair.log)
    assert 1150 < largest <= 1200
    assert not left.drops.total and not right.drops.total


@pytest.mark.parametrize("seed", range(3))
def test_on_a_bad_link_frames_are_whole_or_absent_and_nearly_all_come(seed: int) -> None:
    left, right = pair(seed=seed)
    call = Call(left, right, seed=seed, link=BAD_LINK)
    pictures, sound = call.add(0, VIDEO), call.add(0, AUDIO)
    call.run(8)
    video_frames, audio_frames = call.frames_of(1, "video"), call.frames_of(1, "audio")
    assert_intact(video_frames, pictures.sent)
    assert_intact(audio_frames, sound.sent)
    assert len(video_frames) >= 0.95 * len(pictures.sent)
    assert 0.90 * len(sound.sent) <= len(audio_frames) < len(sound.sent), "without NACK for sound, losses stay lost"
    facts = {one.handle: one for one in right.inbound()}
    assert facts[VIDEO].nack_count > 20
    assert facts[VIDEO].retransmitted_packets_received > 20
    assert left.outbound()[1].nack_count > 20
    assert facts[VIDEO].packets_lost > 20


def test_round_trip_and_loss_are_what_the_link_does() -> None:
    left, right = pair()
    call = Call(left, right, link=LinkConfig(latency=0.05, loss=0.1), reverse_link=LinkConfig(latency=0.03))
    call.add(0, VIDEO)
    call.add(0, AUDIO)
    call.run(10)
    for facts in left.remote_inbound():
        assert facts.round_trip_time == pytest.approx(0.08, abs=0.002)
        assert facts.round_trip_time_measurements > 3
        assert facts.total_round_trip_time / facts.round_trip_time_measurements == pytest.approx(0.08, abs=0.002)
        assert facts.packets_lost / (facts.packets_lost + facts.packets_received) == pytest.approx(0.1, abs=0.05)
    for one in right.remote_outbound():
        assert one.packets_sent > 300 and one.reports_sent >= 5
        assert one.remote_timestamp == pytest.approx(left.config.wall_epoch + one.timestamp - 0.05, abs=0.001)


def test_both_ends_count_the_same_packets_and_bytes() -> None:
    left, right = pair()
    call = Call(left, right)
    call.add(0, VIDEO)
    call.add(0, AUDIO)
    call.run(3)
    received = {one.ssrc: one for one in right.inbound()}
    for sent in left.outbound():
        there = received[sent.ssrc]
        assert sent.packets_sent == there.packets_received > 0
        assert sent.bytes_sent == there.bytes_received
        assert sent.header_bytes_sent == there.header_bytes_received
        assert sent.frames_sent == there.frames_received
        assert sent.codec == there.codec
    assert received[1000].audio_level == pytest.approx(10 ** (-30 / 20))
    assert received[2000].key_frames_received == left.outbound()[1].key_frames_sent == 1


def test_capture_times_arrive_on_the_receivers_clock() -> None:
    """Although the two wall clocks differ by five seconds."""
    left, right = pair([video(0, rtcp_xr_rcvr_rtt=True)], [video(1, rtcp_xr_rcvr_rtt=True)])
    call = Call(left, right)
    call.add(0, VIDEO, fps=20)
    call.run(8)
    late = [frame for frame in call.frames_of(1, "video") if frame.capture_time is not None]
    assert len(late) > 60
    for frame in late[-60:]:
        assert frame.capture_time == pytest.approx(frame.media_time, abs=0.005)


def test_a_lost_key_frame_is_asked_for_again() -> None:
    left, right = pair()
    call = Call(left, right)
    source = call.add(0, VIDEO)

    def cut(now: float) -> None:
        call.pair.links[0].config = LinkConfig(latency=0.02, up=False)

    def mend(now: float) -> None:
        call.pair.links[0].config = LinkConfig(latency=0.02)

    call.at(1.0, cut)
    call.at(4.5, mend)  # longer than any retransmission is worth
    call.run(7)
    assert len(call.of(0, KeyframeRequested)) >= 1
    got = call.frames_of(1, "video")
    assert_intact(got, source.sent)
    after = [frame for frame in got if frame.media_time > 1.1]
    assert after[0].keyframe and after[0].follows_loss
    assert len(after) > 60
    assert right.inbound()[0].pli_count >= 1 and left.outbound()[1].pli_count >= 1


def test_a_loss_that_nothing_repairs_ends_in_a_request_for_a_key_frame() -> None:
    """The stream itself goes on without a further gap, so only the depacketizer can tell."""
    left, right = pair([video(0)], [video(1)])
    call = Call(left, right)
    source = call.add(0, VIDEO)

    def lose_one(now: float) -> None:
        call.pair.links[0].config = LinkConfig(latency=0.02, up=False)
        source.tick(now)
        call.pair.settle()
        call.pair.links[0].config = LinkConfig(latency=0.02)
        left._table.by_ssrc[2000]._history._kept.clear()  # nothing to send again

    call.at(1.01, lose_one)
    call.run(4)
    assert call.of(0, KeyframeRequested) == [KeyframeRequested(VIDEO, None)]
    late = [frame for frame in call.frames_of(1, "video") if frame.media_time > 1.01]
    assert late[0].keyframe and late[0].media_time < 2.0
    assert_intact(call.frames_of(1, "video"), source.sent)


def test_requests_for_key_frames_are_merged() -> None:
    left, right = pair()
    call = Call(left, right, serve_keyframes=False)
    call.add(0, VIDEO)
    for n in range(20):
        call.at(1.0 + n * 0.01, lambda now: right.request_keyframe(VIDEO, now))
    call.run(3)
    requests = call.of(0, KeyframeRequested)
    assert 1 <= len(requests) <= 8, "at most one in 0.3 s, while none comes"
    assert requests[0] == KeyframeRequested(VIDEO, None)


def test_who_joins_late_gets_a_key_frame() -> None:
    left, right = session(0), session(1)
    left.configure([video(0)], 0.0)
    connect(left, right)
    call = Call(left, right)
    source = call.add(0, VIDEO)
    call.at(1.0, lambda now: right.configure([video(1)], now))
    call.run(3)
    got = call.frames_of(1, "video")
    assert_intact(got, source.sent)
    assert got[0].keyframe
    assert len(got) > 50


def test_bye_and_silence_mute_and_packets_unmute() -> None:
    left, right = pair()
    call = Call(left, right)
    call.add(0, AUDIO)
    call.run(1)
    call.sources.clear()
    call.run(1, drain=15)
    assert call.of(1, SourceEnded) == [SourceEnded(AUDIO, 1000, "timeout")]
    assert call.of(1, Muted) == [Muted(AUDIO)]
    call.add(0, AUDIO, number=1000)
    call.run(1)
    assert len(call.of(1, Unmuted)) == 2 and len(call.of(1, SourceStarted)) == 2
    left.close(call.pair.now, "bye")
    call.sources.clear()
    call.run(1)
    assert call.of(1, SourceEnded)[-1] == SourceEnded(AUDIO, 1000, "bye")


def test_hold_and_resume_go_on_with_the_same_source() -> None:
    left, right = pair()
    call = Call(left, right)
    source = call.add(0, VIDEO)

    def hold(now: float) -> None:
        left.configure([audio(0), video(0, direction=Direction.RECVONLY)], now)
        right.configure([audio(1), video(1, direction=Direction.SENDONLY)], now)

    def resume(now: float) -> None:
        left.configure([audio(0), video(0)], now)
        right.configure([audio(1), video(1)], now)

    call.at(1.0, hold)
    call.at(2.0, resume)
    call.run(3.5)
    assert source.refused > 25
    assert KeyframeRequested(VIDEO, None) in call.of(0, KeyframeRequested)
    assert call.of(1, Muted) == [Muted(VIDEO)]
    got = call.frames_of(1, "video")
    assert_intact(got, source.sent)
    after = [frame for frame in got if frame.media_time > 1.9]
    assert after[0].keyframe and len(after) > 30
    assert after[0].media_time == pytest.approx(2.03, abs=0.1), "the media clock went on meanwhile"


@pytest.mark.parametrize("seed", range(2))
def test_a_retransmission_under_way_is_not_asked_for_again(seed: int) -> None:
    """On a path of constant round trip with a little jitter each request of ours is for a loss, also of an answer."""
    left, right = pair([video(0)], [video(1)], seed=seed)
    lossy = LinkConfig(latency=0.04, jitter=0.004, loss=0.05)
    call = Call(left, right, seed=seed, link=lossy, reverse_link=LinkConfig(latency=0.04, jitter=0.004))
    call.add(0, VIDEO)
    call.add(1, VIDEO)  # so that both measure the round trip
    call.run(8)
    (facts,), sent = right.inbound(), left.outbound()[0]
    assert facts.packets_lost > 20
    assert sent.retransmitted_packets_sent > facts.retransmitted_packets_received, "answers were lost, too"
    assert facts.retransmitted_packets_received == facts.packets_lost


@pytest.mark.parametrize("where", ["media", "repairs"])
def test_who_finds_its_ssrc_used_by_the_peer_takes_another_one(where: str) -> None:
    """Announced otherwise, found in packets: the left one sends with what the right one sends with."""
    ours = {"media": SourceIds(ssrc=2001, rtx_ssrc=2100), "repairs": SourceIds(ssrc=2000, rtx_ssrc=2001)}
    left, right = pair([video(0, sources=(ours[where],), remote_sources=())], [video(1, remote_sources=())])
    call = Call(left, right, link=LinkConfig(latency=0.02, loss=0.05), reverse_link=LinkConfig(latency=0.02))
    source = call.add(0, VIDEO)
    call.add(1, VIDEO)
    call.run(6)
    (sent,) = left.outbound()
    assert sent.rtx_ssrc not in (2001, 2100, None)
    assert (sent.ssrc == 2000) is (where == "repairs")
    assert sent.ssrc != 2001
    got = call.frames_of(1, "video")
    assert got[-1].ssrc == sent.ssrc
    assert_intact(got, source.sent)
    assert len(got) > 0.9 * len(source.sent)
    by_ssrc = {facts.ssrc: facts for facts in right.inbound()}
    assert by_ssrc[sent.ssrc].rtx_ssrc == sent.rtx_ssrc
    assert by_ssrc[sent.ssrc].retransmitted_packets_received > 0
    if where == "media":
        assert SourceEnded(VIDEO, 2001, "bye") in call.of(0, SourceEnded), "the other one does the same"


def test_an_ssrc_stays_changed_when_sections_are_configured_again() -> None:
    left, _ = pair([audio(0), video(0, sources=(SourceIds(ssrc=2001, rtx_ssrc=2100),))])
    sections = [audio(0), video(0, sources=(SourceIds(ssrc=2001, rtx_ssrc=2100),))]
    (chosen,) = [facts.ssrc for facts in left.outbound() if facts.handle == VIDEO]
    assert chosen != 2001, "the peer had announced it"
    left.configure(sections, 1.0)
    assert [facts.ssrc for facts in left.outbound()] == [1000, chosen]


def test_a_peer_that_hunts_our_ssrcs_makes_us_change_so_often_and_no_more() -> None:
    left, _ = pair([video(0)], [video(1)], max_collisions=3)
    seen = []
    for number in range(6):
        seen.append(left.outbound()[0].ssrc)
        left.configure([video(0, remote_sources=(RemoteSource(seen[-1], None),))], number + 1.0)
    assert len(set(seen)) == 4
    assert left.drops["ssrc collision"] == 3


def test_a_receiver_measures_its_round_trip_by_extended_reports() -> None:
    def plan(side: int, direction: Direction) -> Plan:
        return video(side, direction=direction, rtcp_xr_rcvr_rtt=True)

    left, right = pair([plan(0, Direction.SENDONLY)], [plan(1, Direction.RECVONLY)])
    call = Call(left, right, link=LinkConfig(latency=0.04))
    call.add(0, VIDEO)
    call.run(6)
    assert right.rtt == pytest.approx(0.08, abs=0.002)
    (facts,) = right.remote_outbound()
    assert facts.round_trip_time == pytest.approx(0.08, abs=0.002)
    assert facts.round_trip_time_measurements >= 2


def digest(seed: int) -> str:
    """Everything that a lossy call sends and tells, as a hash: for the replay test."""
    left, right = pair(seed=seed)
    call = Call(left, right, seed=seed, link=BAD_LINK)
    for side in (0, 1):
        call.add(side, VIDEO)
        call.add(side, AUDIO)
    call.at(0.5, lambda now: left.insert_dtmf(AUDIO, "1#", now))
    call.run(2)
    told = hashlib.sha256(repr(call.events).encode()).hexdigest()
    return call.pair.digest() + told


def test_a_call_replays_from_its_seed() -> None:
    assert_replays("tests.simulation.test_media_calls:digest")
