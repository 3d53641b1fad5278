"""Serial numbers, counters, parameters, and what all machines share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc_stack.base import Drops, Fingerprint, MachineBase, Unwrapper, serial_less


@pytest.mark.parametrize(
    ("a", "b", "less"), [(0, 1, True), (1, 0, False), (255, 0, True), (0, 255, False), (7, 7, False), (0, 127, True)]
)
def test_serial_comparison_goes_round_the_circle(a: int, b: int, less: bool) -> None:
    assert serial_less(a, b, 8) is less


def test_at_half_the_circle_neither_comes_first() -> None:
    assert not serial_less(0, 128, 8)
    assert not serial_less(128, 0, 8)


@given(st.integers(0, 2**16 - 1), st.lists(st.integers(-32_000, 32_000), max_size=50))
def test_unwrapping_follows_steps_of_less_than_half_the_circle(start: int, steps: list[int]) -> None:
    unwrapper = Unwrapper(16)
    true = highest = unwrapper.unwrap(start)
    assert true == 2**16 + start
    for step in steps:
        true = highest + step  # distances count from the highest seen
        assert unwrapper.peek(true & 0xFFFF) == true
        assert unwrapper.highest == highest, "a peek takes no note"
        assert unwrapper.unwrap(true & 0xFFFF) == true
        highest = max(highest, true)


def test_drops_are_counted_by_reason() -> None:
    drops = Drops()
    drops.add("checksum")
    drops.add("checksum", 2)
    drops.add("late")
    assert (drops["checksum"], drops["late"], drops["never"], drops.total) == (3, 1, 0, 4)
    assert "checksum" in repr(drops)


def test_a_fingerprint_reads_as_sdp_writes_it() -> None:
    assert Fingerprint(algorithm="sha-256", digest=b"\x0a\xff\x00").value == "0A:FF:00"


def test_a_machines_time_never_runs_backwards_and_its_events_come_once() -> None:
    class Clocked(MachineBase[str]):
        def at(self, now: float) -> float:
            return self._advance(now)

        def say(self, word: str) -> None:
            self._emit(word)

    machine = Clocked()
    assert [machine.at(now) for now in (1.0, 5.0, 3.0, 6.0)] == [1.0, 5.0, 5.0, 6.0]
    machine.say("a")
    machine.say("b")
    assert machine.poll_events() == ["a", "b"]
    assert machine.poll_events() == []
