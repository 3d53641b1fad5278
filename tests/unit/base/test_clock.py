"""Deadlines: one table of named timers."""

from __future__ import annotations

from enum import Enum, auto

from webrtc_stack.base import NEVER, Deadlines


class Timer(Enum):
    A = auto()
    B = auto()
    C = auto()


def test_an_empty_table_never_comes_due() -> None:
    table: Deadlines[Timer] = Deadlines()
    assert table.next() == NEVER
    assert table.pop_due(1e12) == []
    assert len(table) == 0


def test_due_keys_come_out_once_earliest_first_and_are_counted() -> None:
    table: Deadlines[Timer] = Deadlines()
    table.set(Timer.A, 3.0)
    table.set(Timer.B, 1.0)
    table.set(Timer.C, 9.0)
    assert table.next() == 1.0
    assert table.pop_due(0.5) == []
    assert table.pop_due(3.0) == [Timer.B, Timer.A]
    assert table.pop_due(3.0) == []
    assert table.next() == 9.0
    assert table.fired == {Timer.B: 1, Timer.A: 1}


def test_keys_that_are_due_together_come_in_the_order_they_were_armed() -> None:
    table: Deadlines[Timer] = Deadlines()
    for key in (Timer.C, Timer.A, Timer.B):
        table.set(key, 1.0)
    assert table.pop_due(1.0) == [Timer.C, Timer.A, Timer.B]


def test_setting_replaces_and_set_earliest_only_advances() -> None:
    table: Deadlines[Timer] = Deadlines()
    table.set(Timer.A, 1.0)
    table.set(Timer.A, 5.0)
    assert table.next() == 5.0
    table.set_earliest(Timer.A, 7.0)
    assert table.get(Timer.A) == 5.0
    table.set_earliest(Timer.A, 2.0)
    assert table.next() == 2.0
    table.set_earliest(Timer.B, 4.0)
    assert table.get(Timer.B) == 4.0


def test_clearing_forgets_and_is_harmless_when_nothing_is_armed() -> None:
    table: Deadlines[Timer] = Deadlines()
    table.clear(Timer.A)
    table.set(Timer.A, 1.0)
    table.set(Timer.B, 2.0)
    assert Timer.A in table
    assert list(table) == [Timer.A, Timer.B]
    table.clear(Timer.A)
    assert Timer.A not in table
    assert table.next() == 2.0
    table.clear_all()
    assert table.next() == NEVER
    assert table.get(Timer.B) is None


def test_keys_may_be_tuples_that_begin_with_an_enum_member() -> None:
    table: Deadlines[tuple[Timer, int]] = Deadlines()
    table.set((Timer.A, 2), 2.0)
    table.set((Timer.A, 1), 1.0)
    assert table.pop_due(5.0) == [(Timer.A, 1), (Timer.A, 2)]
