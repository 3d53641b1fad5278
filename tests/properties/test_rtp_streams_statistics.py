"""Statistics against a recomputation from the whole history, after the text of RFC 3550's appendix."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.rtp.streams import ReceivedStream, ReceiverConfig

CLOCK = 48_000
arrivals = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=80),  # milliseconds to the next arrival
        st.integers(min_value=-20, max_value=30),  # where its number lies from the one expected next
        st.integers(min_value=-5000, max_value=5000),  # how far its timestamp is off
    ),
    max_size=120,
)


def by_hand(history: list[tuple[int, int, int]]) -> tuple[int, int]:
    """(cumulative lost, jitter) from (extended number, timestamp, arrival in RTP units)."""
    if not history:
        return 0, 0
    expected = max(number for number, _, _ in history) - history[0][0] + 1
    jitter = 0
    for (_, r0, a0), (_, r1, a1) in itertools.pairwise(history):
        d = abs((a1 - a0) - (r1 - r0))
        jitter += d - ((jitter + 8) >> 4)
    return expected - len(history), jitter >> 4


@settings(max_examples=150)
@given(arrivals, st.integers(min_value=0, max_value=65535), st.integers(min_value=0, max_value=0xFFFFFFFF))
def test_losses_and_jitter_equal_the_recomputation(
    steps: list[tuple[int, int, int]], first: int, first_timestamp: int
) -> None:
    stream = ReceivedStream(1, ReceiverConfig(clock_rate=CLOCK))
    history: list[tuple[int, int, int]] = []
    reported: list[tuple[int, int]] = [(0, 0)]
    now_ms, highest = 0, first - 1
    for count, (wait, offset, skew) in enumerate(steps):
        now_ms += wait
        number = highest + 1 + (offset if history else 0)
        highest = max(highest, number)
        timestamp = first_timestamp + (number - first) * 960 + skew
        index = stream.receive_plain(number & 0xFFFF, timestamp & 0xFFFFFFFF, now_ms / 1000, 10)
        history.append((number, timestamp, int(now_ms / 1000 * CLOCK)))
        assert index is not None
        assert index - (number - first) == 65536 + first
        lost, jitter = by_hand(history)
        assert (stream.packets_lost, stream.jitter) == (lost, jitter)
        if count % 7 == 0:
            expected = highest - first + 1
            interval = expected - reported[-1][0]
            missing = interval - (len(history) - reported[-1][1])
            fraction = min(max(missing, 0) * 256 // interval, 255) if interval else 0
            reported.append((expected, len(history)))
            assert stream.report_block(now_ms / 1000).fraction_lost == fraction
