"""The jitter buffer's decisions, and lip sync."""

from __future__ import annotations

from dataclasses import replace

import pytest

from webrtc_stack.base import NEVER
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.rtp.extensions import AbsCaptureTime, PlayoutDelay
from webrtc_stack.rtp.ntp import unix_to_ntp
from webrtc_stack.rtp.streams import Item, JitterBuffer, JitterBufferConfig, LipSync, Lost, Pushed, SenderClock

FIXED = JitterBufferConfig(clock_rate=1000, min_delay=0.1, max_delay=0.1)


def packet(index: int, *, spacing: int = 20, data: object = "x") -> Item:
    return Item(index, index, index * spacing, data)


def test_packets_leave_in_order_at_their_moment() -> None:
    buffer = JitterBuffer(FIXED)
    for index, now in ((0, 0.0), (2, 0.04), (1, 0.045)):
        assert buffer.push(packet(index), now) is Pushed.ACCEPTED
    assert buffer.next_timeout() == pytest.approx(0.1)
    assert buffer.pop(0.09) == []
    assert buffer.pop(0.1001) == [packet(0)]
    assert buffer.pop(0.15) == [packet(1), packet(2)]
    assert buffer.next_timeout() == NEVER


def test_a_missing_packet_is_given_up_when_the_next_one_must_play() -> None:
    buffer = JitterBuffer(FIXED)
    buffer.push(packet(0), 0.0)
    buffer.push(packet(3), 0.06)
    assert buffer.pop(0.1) == [packet(0)]
    assert buffer.pop(0.159) == []
    assert buffer.pop(0.161) == [Lost(1, 2), packet(3)]
    assert buffer.push(packet(2), 0.17) is Pushed.LATE
    assert buffer.push(packet(3), 0.17) is Pushed.DUPLICATE
    assert buffer.counters.lost_packets == 2 and buffer.counters.late == 1


def test_a_video_buffer_may_wait_a_little_longer_for_what_is_missing() -> None:
    buffer = JitterBuffer(replace(FIXED, loss_grace=0.05))
    buffer.push(packet(0), 0.0)
    buffer.push(packet(2), 0.04)
    assert buffer.pop(0.18) == [packet(0)]
    buffer.push(packet(1), 0.185, repaired=True)
    assert buffer.pop(0.185) == [packet(1), packet(2)]
    assert buffer.counters.delayed == 1


def test_frames_cover_ranges_and_padding_closes_holes_silently() -> None:
    buffer = JitterBuffer(FIXED)
    buffer.push(Item(0, 4, 0, "a"), 0.0)
    buffer.push(Item(7, 9, 40, "c"), 0.04)
    buffer.push(Item(5, 6, 20, None), 0.04)
    assert buffer.push(Item(8, 8, 40, "d"), 0.05) is Pushed.DUPLICATE
    assert buffer.push(Item(3, 5, 40, "d"), 0.05) is Pushed.DUPLICATE
    assert [item.data for item in buffer.pop(1.0) if isinstance(item, Item)] == ["a", "c"]
    assert buffer.counters.lost_packets == 0
    with pytest.raises(InvalidArgumentError):
        buffer.push(Item(5, 4, 0, "x"), 1.0)


def test_the_first_packets_may_come_out_of_order() -> None:
    buffer = JitterBuffer(FIXED)
    for index in (7, 5, 6):
        buffer.push(packet(index), 0.0)
    assert buffer.pop(1.0) == [packet(5), packet(6), packet(7)]
    assert buffer.push(packet(4), 1.0) is Pushed.LATE


def test_when_full_the_newest_is_refused_and_time_drains_the_buffer() -> None:
    buffer = JitterBuffer(replace(FIXED, max_items=5))
    for index in range(5):
        buffer.push(Item(index, index, 0x7000_0000 * (index % 2), "x"), 0.0)
    assert buffer.push(packet(5), 0.0) is Pushed.FULL
    assert len(buffer.pop(0.1001)) == 5 and len(buffer) == 0


def test_the_extension_limits_the_delay_within_the_configured_ones() -> None:
    buffer = JitterBuffer(JitterBufferConfig(clock_rate=1000, min_delay=0.02, max_delay=0.5, start_delay=0.1))
    buffer.set_playout_delay(PlayoutDelay(200, 400))
    assert buffer.target_delay == 0.2
    buffer.set_playout_delay(PlayoutDelay(0, 50))
    assert buffer.target_delay == 0.05
    buffer.set_playout_delay(PlayoutDelay(0, 0))
    assert buffer.target_delay == 0.02
    buffer.set_playout_delay(PlayoutDelay(2000, 4000))
    assert buffer.target_delay == 0.5
    buffer.set_playout_delay(PlayoutDelay(300, 100))  # nonsense: as without
    assert buffer.target_delay == 0.1
    buffer.set_playout_delay(None)
    buffer.set_sync_delay(0.2)
    assert buffer.target_delay == pytest.approx(0.3)
    buffer.set_repair_delay(0.25)
    assert buffer.target_delay == pytest.approx(0.45)


def test_a_jump_of_the_timestamps_starts_the_clock_anew() -> None:
    buffer = JitterBuffer(FIXED)
    buffer.push(packet(0), 0.0)
    buffer.pop(0.2)
    buffer.push(Item(1, 1, 500_000, "x"), 0.3)
    assert buffer.counters.clock_resets == 1
    assert buffer.next_timeout() == pytest.approx(0.4)


def test_a_restart_of_the_sender_is_no_loss_of_thousands() -> None:
    buffer = JitterBuffer(FIXED)
    buffer.push(packet(0), 0.0)
    buffer.push(Item(200_000, 200_000, 20, "x"), 0.02)
    assert len(buffer.pop(1.0)) == 3
    assert buffer.counters.lost_packets == 0 and buffer.counters.restarts == 1


def test_a_flush_gives_all_and_goes_on_behind() -> None:
    buffer = JitterBuffer(FIXED)
    for index in (0, 2):
        buffer.push(packet(index), 0.0)
    assert buffer.flush() == [packet(0), packet(2)]
    assert buffer.push(packet(1), 0.0) is Pushed.LATE
    assert buffer.push(packet(3), 0.0) is Pushed.ACCEPTED


@pytest.mark.parametrize("wrong", [{"max_delay": -1.0}, {"quantile": 1.0}, {"bucket": 1e-9}, {"clock_rate": 0}])
def test_a_wrong_config_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError):
        JitterBufferConfig(**wrong)  # type: ignore[arg-type]


def settle(sync: LipSync, plays: dict[str, tuple[int, float]]) -> dict[object, float]:
    for _ in range(60):
        for stream, (timestamp, at) in plays.items():
            sync.observe(stream, timestamp, at)
        delays = sync.delays()
    return dict(delays)


def test_the_stream_that_is_ahead_waits_for_the_one_behind() -> None:
    sync = LipSync()
    audio, video = sync.add("a", "camera", 48_000), sync.add("v", "camera", 90_000)
    audio.sender_report(SenderClock(1000.0, 48_000, 0.0))
    video.sender_report(SenderClock(1000.5, 0xFFFFFFFF, 0.0))
    # Both captured at 1001.0; audio would play at 5.0, video at 5.2.
    delays = settle(sync, {"a": (96_000, 5.0), "v": (44_999, 5.2)})
    assert delays["a"] == pytest.approx(0.2, abs=0.011) and delays["v"] == 0.0


def test_delays_move_in_steps_and_other_groups_are_left_alone() -> None:
    sync = LipSync()
    for name, group in (("a", 1), ("v", 1), ("other", 2)):
        sync.add(name, group, 1000).sender_report(SenderClock(0.0, 0, 0.0))
    for name, at in (("a", 1.0), ("v", 1.5), ("other", 9.0)):
        sync.observe(name, 0, at)
    assert sync.delays() == {"a": pytest.approx(0.08), "v": 0.0, "other": 0.0}
    assert sync.delays()["a"] == pytest.approx(0.16)


def test_capture_times_are_used_where_all_have_them_and_survive_an_sfu() -> None:
    sync = LipSync()
    clocks = [sync.add(name, 1, 1000) for name in ("a", "v")]
    for clock in clocks:
        clock.sender_report(SenderClock(50.0, 0, 0.0))
    clocks[0].abs_capture_time(AbsCaptureTime(unix_to_ntp(1_700_000_000.0)), 0)
    assert settle(sync, {"a": (0, 5.0), "v": (0, 5.0)})["a"] == 0.0
    clocks[1].abs_capture_time(AbsCaptureTime(unix_to_ntp(1_700_000_000.3)), 0)
    delays = settle(sync, {"a": (0, 5.0), "v": (0, 5.0)})
    assert delays["v"] == pytest.approx(0.3, abs=0.011) and delays["a"] == 0.0


def test_streams_too_far_apart_are_not_synchronised() -> None:
    sync = LipSync()
    for name in ("a", "v"):
        sync.add(name, 1, 1000).sender_report(SenderClock(0.0, 0, 0.0))
    assert set(settle(sync, {"a": (0, 1.0), "v": (0, 9.0)}).values()) == {0.0}
    sync.remove("v")
    sync.observe("v", 0, 1.0)
    assert sync.delays() == {"a": 0.0}


def test_a_timestamp_before_the_report_lies_before_it_in_time() -> None:
    clock = LipSync().add("a", 1, 1000)
    assert clock.captured_at(0) is None
    clock.sender_report(SenderClock(100.0, 500, 0.0))
    assert clock.captured_at(0xFFFFFFFF) == pytest.approx(99.499)
    assert clock.captured_at(1500) == pytest.approx(101.0)


def test_two_buffers_under_lip_sync_play_one_moment_together() -> None:
    audio, video = (JitterBuffer(JitterBufferConfig(clock_rate=1000, start_delay=0.04)) for _ in range(2))
    sync = LipSync()
    for name in ("a", "v"):
        sync.add(name, 1, 1000).sender_report(SenderClock(500.0, 0, 0.0))
    for step in range(500):
        captured = step * 20
        audio.push(Item(step, step, captured, "a"), captured / 1000 + 0.03)
        video.push(Item(step, step, captured, "v"), captured / 1000 + 0.18)
        if step % 50 == 49:
            for name, buffer in (("a", audio), ("v", video)):
                plays_at = buffer.playout_time(captured, with_sync=False)
                assert plays_at is not None
                sync.observe(name, captured, plays_at)
            delays = sync.delays()
            audio.set_sync_delay(delays["a"])
            video.set_sync_delay(delays["v"])
        audio.pop(captured / 1000)
        video.pop(captured / 1000)
    together = [buffer.playout_time(10_000) for buffer in (audio, video)]
    assert together[0] == pytest.approx(together[1], abs=0.015)
