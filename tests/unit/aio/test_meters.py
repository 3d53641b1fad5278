"""Loudness and rhythm, as statistics count them."""

from __future__ import annotations

import pytest

from webrtc_stack.aio.meters import PictureMeter, SoundMeter


def test_energy_is_the_square_of_the_level_over_time() -> None:
    meter = SoundMeter()
    for _ in range(50):
        meter.heard(20, 0.02)
    assert meter.level == pytest.approx(0.1)
    assert meter.energy == pytest.approx(0.01)
    meter.heard(127, 1.0)
    assert meter.level == 0.0
    assert meter.energy == pytest.approx(0.01)


def test_a_late_picture_is_a_freeze_and_a_very_late_one_a_pause() -> None:
    meter = PictureMeter()
    now = 0.0
    for _ in range(31):
        meter.show(now)
        now += 1 / 30
    assert (meter.shown, meter.freezes) == (31, 0)
    assert meter.delay == pytest.approx(1.0)
    assert meter.squared_delay == pytest.approx(1 / 30)
    now += 0.5
    meter.show(now)
    assert (meter.freezes, meter.pauses) == (1, 0)
    assert meter.frozen == pytest.approx(0.5 + 1 / 30)
    meter.show(now + 6)
    assert (meter.freezes, meter.pauses) == (1, 1)
    assert meter.paused == 6.0


def test_the_time_while_nobody_looks_is_not_counted() -> None:
    meter = PictureMeter()
    meter.show(0.0)
    meter.show(0.1)
    meter.rest()
    meter.show(100.0)
    assert meter.delay == pytest.approx(0.1)
    assert meter.pauses == 0
