"""Random programs of open, send, close and reuse on both sides, under loss, in virtual time.

What must hold whatever the order: each message of a reliable, ordered channel arrives at most once and in order; all of
them arrive unless the receiver itself closed the channel; every channel ends exactly once on both sides; and when all
is over, every identifier is free again.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.datachannel.peers import LOSSY, Peers
from webrtc_stack.datachannel import ChannelClosed, ChannelOpened, ChannelState
from webrtc_stack.errors import BufferFull

steps = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "send", "send", "send", "close", "wait"]),
        st.integers(0, 1),
        st.integers(0, 5),
        st.integers(0, 3),
    ),
    min_size=12,
    max_size=60,
)


@settings(max_examples=40)
@given(steps, st.integers(0, 1000))
def test_every_message_arrives_once_and_in_order_and_every_channel_ends_once(
    program: list[tuple[str, int, int, int]], seed: int
) -> None:
    peers = Peers(seed, link=LOSSY, connect=False)
    sent: tuple[dict[str, list[str | bytes]], dict[str, list[str | bytes]]] = ({}, {})
    closers: dict[str, set[int]] = {}
    made = 0
    connected = False
    for position, (what, side, which, size) in enumerate(program):
        if position == 3 and not connected:
            peers.connect()
            connected = True
        alive = [label for label in peers.handles[side] if peers.state(side, label) is ChannelState.OPEN]
        label = alive[which % len(alive)] if alive else None
        if what == "open":
            peers.open(side, f"channel {made}")
            made += 1
        elif what == "send" and label is not None:
            for count in range(1 + which * 3):
                message = f"{position} {count}" if count % 2 else bytes(size * 900) + bytes([position, count])
                try:
                    peers.send(side, label, message)
                except BufferFull:
                    break
                sent[side].setdefault(label, []).append(message)
        elif what == "close" and label is not None:
            peers.close(side, label)
            closers.setdefault(label, set()).add(side)
        elif what == "wait" and connected:
            peers.rest((0.0, 0.03, 0.3, 3.0)[size])
    if not connected:
        peers.connect()
    peers.rest(120)
    for label in [*peers.handles[0], *peers.handles[1]]:
        assert peers.both(label, ChannelState.CLOSED if label in closers else ChannelState.OPEN), label
        for side in (0, 1):
            mine, got = sent[side].get(label, []), peers.received[1 - side][label]
            assert got == mine[: len(got)]
            if 1 - side not in closers.get(label, set()):
                assert got == mine, "the receiver did not close, so it misses nothing"
    for side in (0, 1):
        for label in peers.handles[side]:
            if label not in closers:
                peers.close(side, label)
    peers.rest(120)
    for side in (0, 1):
        ends = [event for event in peers.events[side] if isinstance(event, ChannelClosed)]
        assert len(ends) == len({event.handle for event in ends}) == len(peers.handles[side])
        assert all(event.error is None for event in ends)
        opened = [event for event in peers.events[side] if isinstance(event, ChannelOpened)]
        assert len(opened) == len({event.handle for event in opened}) == len(peers.handles[side])
        assert not peers.sides[side].channels()
    peers.open_both("client again", 0)
    peers.open_both("server again", 1)
    assert (peers.id(0, "client again"), peers.id(0, "server again")) == (0, 1)
