"""The jitter buffer under any arrivals: each index leaves once, in order, and no item waits beyond the limit."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.rtp.streams import Item, JitterBuffer, JitterBufferConfig, Lost, Pushed

steps = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=150),  # milliseconds to the next arrival
        st.integers(min_value=0, max_value=60),  # its first index
        st.integers(min_value=0, max_value=3),  # how many more it covers
        st.integers(min_value=-300, max_value=300),  # how far its timestamp is off
    ),
    max_size=80,
)


@settings(max_examples=150)
@given(steps, st.booleans())
def test_every_index_leaves_once_in_order_and_in_time(events: list[tuple[int, int, int, int]], repaired: bool) -> None:
    config = JitterBufferConfig(clock_rate=1000, max_delay=0.5)
    buffer = JitterBuffer(config)
    accepted: dict[int, float] = {}
    left: list[tuple[int, int]] = []
    played: list[int] = []
    now = 0.0

    def drain(until: float) -> None:
        while buffer.next_timeout() <= until:
            at = buffer.next_timeout()
            for found in buffer.pop(max(at, now)):
                left.append((found.first, found.last))
                if not isinstance(found, Lost):
                    arrived = max(at for first, at in accepted.items() if first <= found.first)
                    assert at <= arrived + config.max_delay + 1e-9
                    played.append(found.first)

    for wait, first, more, skew in events:
        drain(now + wait / 1000)
        now += wait / 1000
        item = Item(first, first + more, (first * 20 + skew) & 0xFFFFFFFF, "x")
        if buffer.push(item, now, repaired=repaired) is Pushed.ACCEPTED:
            accepted[first] = now
    drain(now + config.max_delay)
    assert len(buffer) == 0
    assert sorted(played) == sorted(accepted) == played
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(left))
