"""The small parts of SCTP against simple models of themselves."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import sctp
from webrtc_stack.sctp.congestion import Congestion
from webrtc_stack.sctp.data_tracker import DataTracker
from webrtc_stack.sctp.outstanding import Fate, Outstanding, Sent, _difference
from webrtc_stack.sctp.reassembly import Reassembly
from webrtc_stack.sctp.send_queue import Message, OutStream

MODEST = settings(max_examples=120, deadline=None, derandomize=True)


@MODEST
@given(st.integers(0, 0xFFFFFFFF), st.lists(st.integers(0, 60), max_size=120), st.lists(st.integers(0, 60), max_size=3))
def test_the_tracker_knows_what_a_set_knows(initial: int, arrivals: list[int], skips: list[int]) -> None:
    tracker = DataTracker(initial)
    seen: set[int] = set()
    for at, offset in enumerate(arrivals):
        tsn = tracker.unwrap((initial + offset) & 0xFFFFFFFF)
        assert tsn == initial + offset
        assert tracker.has(tsn) == (tsn in seen)
        if not tracker.has(tsn):
            tracker.add(tsn)
            seen.add(tsn)
        if skips and at == len(arrivals) // 2:
            tracker.skip_to(initial + skips[0])
            seen |= set(range(initial, initial + skips[0] + 1))
        point = initial - 1
        while point + 1 in seen:
            point += 1
        assert tracker.cumulative == point
        islands = {tsn for start, end in tracker.gaps for tsn in range(start, end + 1)}
        assert islands == {tsn for tsn in seen if tsn > point}
        bounds = [bound for gap in tracker.gaps for bound in gap]
        assert bounds == sorted(bounds)
        assert all(b[0] > a[1] + 1 for a, b in zip(tracker.gaps, tracker.gaps[1:], strict=False))


@MODEST
@given(st.lists(st.integers(0, 400), unique=True, max_size=200), st.integers(16, 300))
def test_a_sack_fits_its_room_and_parses(arrivals: list[int], room: int) -> None:
    tracker = DataTracker(7)
    for offset in arrivals:
        tracker.add(7 + offset)
        tracker.note_duplicate(7 + offset)
    data = tracker.sack(1000, room)
    assert len(data) <= room
    chunk = sctp.parse_chunk(3, 0, data[4:])
    assert isinstance(chunk, sctp.SackChunk)
    assert chunk.cumulative_tsn_ack == tracker.cumulative
    for (start, end), gap in zip(chunk.gap_ack_blocks, tracker.gaps, strict=False):
        assert [start + tracker.cumulative, end + tracker.cumulative] == gap


_INTERVALS = st.sets(st.integers(0, 60)).map(
    lambda numbers: [
        (start, max(n for n in range(start, 62) if all(k in numbers for k in range(start, n + 1))))
        for start in sorted(numbers)
        if start - 1 not in numbers
    ]
)


@MODEST
@given(_INTERVALS, _INTERVALS)
def test_the_difference_of_intervals_is_that_of_sets(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    def numbers(intervals: Any) -> list[int]:
        return [number for start, end in intervals for number in range(start, end + 1)]

    assert numbers(_difference(a, b)) == sorted(set(numbers(a)) - set(numbers(b)))


@st.composite
def _traffic(draw: Any) -> tuple[list[tuple[int, int, int, bytes]], list[bytes], list[bytes]]:
    """Chunks (tsn, flags, ssn, data) of some messages in any order; the ordered and unordered messages."""
    chunks: list[tuple[int, int, int, bytes]] = []
    ordered: list[bytes] = []
    unordered: list[bytes] = []
    tsn, ssn = 100, 0
    for at in range(draw(st.integers(1, 12))):
        pieces = draw(st.integers(1, 5))
        loose = draw(st.booleans())
        data = [b"%d.%d " % (at, piece) for piece in range(pieces)]
        for piece, part in enumerate(data):
            flags = (2 if piece == 0 else 0) | (1 if piece == pieces - 1 else 0) | (4 if loose else 0)
            chunks.append((tsn, flags, 0 if loose else ssn, part))
            tsn += 1
        if not loose:
            ssn += 1
        (unordered if loose else ordered).append(b"".join(data))
    return draw(st.permutations(chunks)), ordered, unordered


@MODEST
@given(_traffic())
def test_messages_come_out_whole_in_any_order_of_arrival(
    traffic: tuple[list[tuple[int, int, int, bytes]], list[bytes], list[bytes]],
) -> None:
    chunks, ordered, unordered = traffic
    reassembly = Reassembly()
    out: list[Any] = []
    for tsn, flags, ssn, data in chunks:
        reassembly.add(tsn, flags, 1, ssn, 51, data, out)
    got = [event.data for event in out]
    assert [data for data in got if data in ordered] == ordered
    assert sorted(got) == sorted(ordered + unordered)
    assert reassembly.buffered_bytes == 0
    assert reassembly.delivered_bytes == sum(map(len, got))


@MODEST
@given(_traffic(), st.integers(0, 40), st.data())
def test_nothing_is_left_of_what_a_forward_tsn_passes(
    traffic: tuple[list[tuple[int, int, int, bytes]], list[bytes], list[bytes]], missing: int, data: Any
) -> None:
    chunks, ordered, _ = traffic
    kept = [chunk for at, chunk in enumerate(chunks) if (at * 7 + missing) % 3]
    reassembly = Reassembly()
    out: list[Any] = []
    for tsn, flags, ssn, piece in kept:
        reassembly.add(tsn, flags, 1, ssn, 51, piece, out)
    highest = max(tsn for tsn, *_ in chunks)
    streams = [(1, len(ordered) - 1)] if ordered else []
    reassembly.skip(highest, streams, out)
    assert reassembly.buffered_bytes == 0
    got = [event.data for event in out if event.data in ordered]
    assert got == [message for message in ordered if message in got], "out of order"


@MODEST
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30), st.sets(st.integers(1, 12))), max_size=40))
def test_flight_is_the_sum_of_what_flies(steps: list[tuple[int, int, set[int]]]) -> None:
    """Sends, acknowledgments, losses, retransmissions and abandonment in any order keep the accounts right."""
    out = Outstanding(1000)
    out.partial_reliability = True
    stream = OutStream(1)
    for kind, number, offsets in steps:
        if kind == 0:
            message = Message(stream, 51, bytes(3), False, number % 3 if number % 2 else None, float("inf"))
            message.first_tsn = out.next_tsn
            for _ in range(1 + number % 4):
                out.chunks[out.next_tsn] = Sent(bytes(20 + number), message, 0.0)
                out.flight += 20 + number
                message.last_tsn = out.next_tsn
                out.next_tsn += 1
            message.offset = message.size - number % 2
        elif kind == 1 and out.chunks:
            out.acknowledge(min(out.cumulative + number % 5, out.next_tsn - 1))
        elif kind == 2:
            top = out.next_tsn - 1
            blocks = [(out.cumulative + at, out.cumulative + at) for at in sorted(offsets) if at > 1]
            blocks = [block for block in blocks if block[1] <= top]
            out.acknowledge_gaps(blocks, acked_cumulative=False, in_recovery=False, now=0.0)
        elif kind == 3:
            out.lose_all(0.0)
        elif out.peek_lost(0.0) is not None:
            out.take_lost()
        flying = [sent.size for sent in out.chunks.values() if sent.fate is Fate.FLYING]
        assert out.flight == sum(flying)
        assert list(out.chunks) == list(range(out.cumulative + 1, out.next_tsn))
        assert out.cumulative <= out.advanced < out.next_tsn
        struct.unpack(">BBH", out.forward_tsn(1000)[:4])


@MODEST
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200_000)), max_size=60))
def test_the_window_stays_between_one_packet_and_its_maximum(steps: list[tuple[int, int]]) -> None:
    congestion = Congestion(1200, initial_packets=10, minimum_packets=4, burst_packets=10, maximum_bytes=1_000_000)
    now = 0.0
    for tsn, (kind, number) in enumerate(steps):
        now += number / 10_000
        if kind == 0:
            congestion.on_sack(number, max(number, congestion.cwnd), tsn, True)
        elif kind == 1:
            congestion.on_loss(tsn + 5)
        elif kind == 2:
            congestion.on_timeout()
        else:
            congestion.on_send(0, now, 0.5)
        assert 1200 <= congestion.cwnd <= 1_000_000
        assert congestion.window >= 1200
        assert congestion.ssthresh >= 4800
