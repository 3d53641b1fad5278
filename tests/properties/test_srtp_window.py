"""The replay window and the guess of an index against the plainest model: a set, and the specification's words."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.srtp.refused import Refused
from webrtc_stack.srtp.window import INDEX_LIMIT, ReplayWindow

STEPS = st.lists(
    st.one_of(
        st.just(1),
        st.integers(-6, 6),
        st.integers(-140, 140),
        st.sampled_from([-0x8001, -0x8000, -0x7FFF, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x10000]),
        st.integers(-0x20000, 0x20000),
    ),
    max_size=60,
)


def verdict(taken: set[int], top: int, index: int, size: int) -> Refused | None:
    if index > top:
        return Refused.KEY_LIMIT if index >= INDEX_LIMIT else None
    if top - index >= size:
        return Refused.TOO_OLD
    return Refused.REPLAYED if index in taken else None


@settings(max_examples=400)
@given(size=st.sampled_from([1, 2, 7, 64, 128, 1024, 32768]), start=st.integers(0, INDEX_LIMIT - 1), steps=STEPS)
def test_a_window_says_what_a_set_of_all_indices_says(size: int, start: int, steps: list[int]) -> None:
    window = ReplayWindow(size)
    taken: set[int] = set()
    top, index = -1, start
    for step in [0, *steps]:
        index = max(0, index + step)
        expected = verdict(taken, top, index, size)
        before = window.state
        assert window.refusal(index, INDEX_LIMIT) is expected
        assert window.state == before
        if expected is None:
            window.accept(index)
            taken.add(index)
            top = max(top, index)
            assert window.top == top
        index = min(index, INDEX_LIMIT)
    for index in range(max(0, top - size - 3), top + 3) if size <= 1024 else ():
        assert window.refusal(index, INDEX_LIMIT) is verdict(taken, top, index, size)
    assert window.seen.bit_length() <= size + 1


def guessed(top: int, sequence: int) -> int:
    """RFC 3711 section 3.3.1, except that there is nothing before index 0."""
    roc, s_l = divmod(top, 0x10000)
    v = roc
    if s_l < 32768:
        if sequence - s_l > 32768:
            v = roc - 1 if roc > 0 else 0
    elif s_l - 32768 > sequence:
        v = roc + 1
    return v * 0x10000 + sequence


@settings(max_examples=500)
@given(
    roc=st.one_of(st.integers(0, 3), st.integers(0xFFFF_FFFC, 0xFFFF_FFFF)),
    s_l=st.one_of(st.sampled_from([0, 1, 32767, 32768, 32769, 65535]), st.integers(0, 65535)),
    sequence=st.one_of(st.sampled_from([0, 1, 32767, 32768, 32769, 65535]), st.integers(0, 65535)),
)
def test_the_guess_is_that_of_the_specification(roc: int, s_l: int, sequence: int) -> None:
    window = ReplayWindow(64)
    window.top = window.base = roc << 16 | s_l
    assert window.guess(sequence) == guessed(window.top, sequence)


@given(st.integers(0, 65535))
def test_the_first_packet_has_no_rollover_behind_it(sequence: int) -> None:
    assert ReplayWindow(64).guess(sequence) == sequence
