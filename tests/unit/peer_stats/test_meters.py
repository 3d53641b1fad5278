"""Meters of pictures and sound against W3C's definitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.peer import MediaKind
from webrtc_stack.peer.stats import FrameMeter, InboundOverlay, PlayoutMeter, SoundMeter, SourceOverlay


def shown(*instants: float) -> FrameMeter:
    meter = FrameMeter()
    for instant in instants:
        meter.frame(instant)
    return meter


def test_delays_between_frames_are_summed_plain_and_squared() -> None:
    meter = shown(1.0, 1.5, 2.5)
    assert meter.total_inter_frame_delay == 1.5
    assert meter.total_squared_inter_frame_delay == 1.25
    assert shown(1.0).total_inter_frame_delay == 0.0


@pytest.mark.parametrize(("gap", "freezes"), [(0.18, 0), (0.191, 1), (0.5, 1), (5.0, 1), (5.1, 0)])
def test_a_freeze_is_a_gap_of_150_ms_more_than_the_mean_and_no_pause(gap: float, freezes: int) -> None:
    regular = [0.04 * number for number in range(40)]
    meter = shown(*regular, regular[-1] + gap)
    assert meter.freeze_count == freezes
    assert meter.total_freezes_duration == pytest.approx(gap * freezes)


@pytest.mark.parametrize(("gap", "freezes"), [(2.9, 0), (3.0, 1)])
def test_slow_films_freeze_at_three_times_their_rhythm(gap: float, freezes: int) -> None:
    assert shown(*range(40), 39 + gap).freeze_count == freezes


def test_five_seconds_without_a_picture_are_a_pause() -> None:
    meter = shown(0.0, 0.04, 6.0, 6.04)
    assert meter.pause_count == 1
    assert meter.total_pauses_duration == pytest.approx(5.96)
    assert meter.freeze_count == 0


def test_frames_per_second_are_those_of_the_last_second() -> None:
    meter = FrameMeter()
    assert meter.frames_per_second(0.0) is None
    for number in range(100):
        meter.frame(number * 0.04)
    assert meter.frames_per_second(3.97) == 25.0
    assert meter.frames_per_second(9.0) == 0.0


def test_energy_is_the_square_of_the_level_over_time() -> None:
    meter = SoundMeter()
    meter.sound(0.5, 480, 48000)
    meter.sound(0.1, 960, 48000)
    assert meter.total_audio_energy == pytest.approx(0.01 * 0.25 + 0.02 * 0.01)
    assert meter.audio_level == 0.1
    assert meter.total_samples_duration == pytest.approx(0.03)
    assert meter.samples == 1440


def test_sound_of_unknown_level_has_neither_level_nor_energy() -> None:
    meter = SoundMeter()
    meter.sound(None, 960, 48000, concealed=True)
    assert (meter.audio_level, meter.total_audio_energy, meter.silent_concealed_samples) == (None, None, 0)
    assert meter.members()["concealed_samples"] == 960


def test_lost_packets_in_a_row_are_one_event_of_concealment() -> None:
    meter = SoundMeter()
    for level, concealed in ((0.5, False), (0.4, True), (0.0, True), (0.5, False), (0.2, True)):
        meter.sound(level, 960, 48000, concealed=concealed)
    assert meter.concealment_events == 2
    assert (meter.concealed_samples, meter.silent_concealed_samples) == (2880, 960)


def test_playout_delay_counts_for_every_sample() -> None:
    meter = PlayoutMeter()
    meter.taken(960, 48000, 0.01)
    meter.taken(480, 48000, -0.001)  # a clock that went back adds nothing
    playout = meter.members()
    assert playout.total_samples_duration == pytest.approx(0.03)
    assert playout.total_samples_count == 1440
    assert playout.total_playout_delay == pytest.approx(9.6)


def test_what_meters_tell_fits_the_overlays() -> None:
    frames, sound = shown(0.0, 0.04), SoundMeter()
    sound.sound(0.25, 960, 48000)
    assert InboundOverlay(**frames.members(0.04)).frames_rendered == 2
    assert InboundOverlay(**sound.members()).total_samples_received == 960
    assert SourceOverlay(track_identifier="t", kind=MediaKind.AUDIO, **sound.source_members()).audio_level == 0.25


@settings(max_examples=50)
@given(st.lists(st.floats(0, 20), max_size=60))
def test_no_gap_is_counted_twice(gaps: list[float]) -> None:
    meter, now = FrameMeter(), 0.0
    meter.frame(now)
    for gap in gaps:
        now += gap
        meter.frame(now)
    assert meter.total_freezes_duration + meter.total_pauses_duration <= meter.total_inter_frame_delay + 1e-9
    assert meter.freeze_count + meter.pause_count <= len(gaps)
    assert meter.total_inter_frame_delay == pytest.approx(now)
