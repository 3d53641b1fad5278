"""The fitness distance, by table; and what is chosen by it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc_stack.aio import AudioConstraints, Constraint, ScreenConstraints, VideoConstraints
from webrtc_stack.devices import OverconstrainedError, Range, fitness_distance
from webrtc_stack.devices.fitness import demands, distance_of, ranked, settle
from webrtc_stack.errors import DeviceError, DeviceNotFound

INF = math.inf


@pytest.mark.parametrize(
    ("setting", "constraint", "distance"),
    [
        (640, Constraint(ideal=640), 0),
        (640, Constraint(ideal=1280), 0.5),
        (1280, Constraint(ideal=640), 0.5),
        (480, Constraint(ideal=640), 0.25),
        (640, Constraint(exact=640), 0),
        (640, Constraint(exact=641), INF),
        (640, Constraint(min=641), INF),
        (640, Constraint(max=639), INF),
        (640, Constraint(min=640, max=640), 0),
        (640, Constraint(min=320, ideal=320), 0.5),
        (None, Constraint(min=320), INF),
        (None, Constraint(exact=True), INF),
        (None, Constraint(ideal=320), 1),
        (None, Constraint(), 0),
        ("user", Constraint(ideal="user"), 0),
        ("user", Constraint(ideal="environment"), 1),
        ("user", Constraint(exact="environment"), INF),
        ("user", Constraint(exact="user", ideal="environment"), 1),
        (False, Constraint(ideal=True), 1),
        (False, Constraint(exact=True), INF),
        (True, Constraint(exact=True), 0),
        (29.99, Constraint(exact=30.0), 0),
        (29.97, Constraint(exact=30.0), INF),
        (0, Constraint(ideal=0), 0),
        (640, Constraint(exact="640"), INF),
    ],
)
def test_the_distance_of_one_member(setting: Any, constraint: Constraint[Any], distance: float) -> None:
    assert distance_of(setting, constraint) == pytest.approx(distance)


def test_distances_add_up_and_one_infinity_is_enough() -> None:
    asked = demands(VideoConstraints(width=1280, height=720, facing_mode="user"))
    assert fitness_distance({"width": 640, "height": 360, "facing_mode": "user"}, asked) == 1.0
    assert fitness_distance({"width": 640, "height": 360}, asked) == 2.0
    asked = demands(VideoConstraints(width=Constraint(min=800), height=360))
    assert fitness_distance({"width": 640, "height": 360}, asked) == INF


def test_only_constraints_are_constraints() -> None:
    assert set(demands(ScreenConstraints(left=10, cursor=False, frame_rate=5))) == {"frame_rate"}
    assert demands(AudioConstraints()) == {}


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_a_distance_is_within_0_and_1_and_symmetric(a: int, b: int) -> None:
    assert 0 <= distance_of(a, Constraint(ideal=b)) == distance_of(b, Constraint(ideal=a)) < 1


@pytest.mark.parametrize(
    ("constraint", "value"),
    [
        (None, 30),
        (15, 15),
        (Constraint(min=40), 40),
        (Constraint(max=10), 10),
        (Constraint(ideal=100, max=50), 50),
        (Constraint(exact=500), 60),
        (Constraint(ideal=12.5), 12.5),
    ],
)
def test_a_range_goes_as_near_as_it_can(constraint: Any, value: float) -> None:
    settled = settle({"frame_rate": Range(1, 60, 30)}, demands(VideoConstraints(frame_rate=constraint)))
    assert settled == {"frame_rate": value}


MODES = [
    (f"{name} {width}x{height}@{rate}", {"device_id": name, "width": width, "height": height, "frame_rate": rate})
    for name in ("front", "back")
    for width, height, rate in ((320, 240, 30), (640, 480, 30), (1280, 720, 30), (1280, 720, 10))
]


@pytest.mark.parametrize(
    ("constraints", "chosen"),
    [
        (VideoConstraints(), "front 320x240@30"),
        (VideoConstraints(width=1280, height=720), "front 1280x720@30"),
        (VideoConstraints(width=1280, height=720, frame_rate=10), "front 1280x720@10"),
        (VideoConstraints(width=1920, height=1080, frame_rate=30), "front 1280x720@30"),
        (VideoConstraints(width=600, device_id="back"), "back 640x480@30"),
        (VideoConstraints(device_id=Constraint(exact="back")), "back 320x240@30"),
        (VideoConstraints(width=Constraint(max=1000, ideal=1000)), "front 640x480@30"),
        (VideoConstraints(frame_rate=Constraint(max=15)), "front 1280x720@10"),
        (VideoConstraints(aspect_ratio=16 / 9), "front 1280x720@30"),
    ],
)
def test_the_mode_that_fits_best_is_chosen(constraints: VideoConstraints, chosen: str) -> None:
    assert ranked(MODES, constraints, "camera")[0][0] == chosen


@pytest.mark.parametrize(
    ("constraints", "member"),
    [
        (VideoConstraints(width=Constraint(min=4000)), "width"),
        (VideoConstraints(width=640, frame_rate=Constraint(exact=60)), "frame_rate"),
        (VideoConstraints(device_id=Constraint(exact="side")), "device_id"),
        (VideoConstraints(facing_mode=Constraint(exact="user")), "facing_mode"),
        (VideoConstraints(width=Constraint(max=400), device_id=Constraint(exact="side")), "device_id"),
    ],
)
def test_what_cannot_be_met_is_named(constraints: VideoConstraints, member: str) -> None:
    with pytest.raises(OverconstrainedError, match=member) as caught:
        ranked(MODES, constraints, "camera")
    assert caught.value.constraint == member and isinstance(caught.value, DeviceError)


def test_no_device_at_all_is_not_found() -> None:
    with pytest.raises(DeviceNotFound, match="camera"):
        ranked([], VideoConstraints(), "camera")
