"""What a packet costs, counted in calls: deterministic, where time is not."""

from __future__ import annotations

import pytest

from tests.support.calls import count_calls
from tests.unit.sctp.pairs import Pair
from webrtc_stack import sctp


@pytest.mark.parametrize(
    ("size", "send_limit", "receive_limit"),
    [(65_536, 2.5, 5.5), (1100, 4.0, 5.5), (64, 3.0, 3.0)],
    ids=["64 KiB", "one packet", "64 B"],
)
def test_python_calls_per_data_chunk(size: int, send_limit: float, receive_limit: float) -> None:
    """Calls of Python functions per chunk: on sending, on receiving; acknowledgments are part of both."""
    pair = Pair(keep_log=False, initial_cwnd_packets=400, max_burst_packets=400)
    pair.run(1)
    count = max(200_000 // size, 1)
    now = pair.now

    def send() -> None:
        for _ in range(count):
            pair.left.send(1, 53, bytes(size), now)

    calls = count_calls(send).python
    assert calls / count <= 4, "calls per message in send"
    packets: list[bytes] = []

    def poll() -> None:
        while burst := pair.left.poll_transmits(now):
            packets.extend(burst)

    calls = count_calls(poll).python
    chunks = pair.left.counters.data_chunks_sent
    assert chunks >= count
    assert calls / chunks <= send_limit, f"{calls / chunks} calls per chunk sent"

    def receive() -> None:
        for at in range(0, len(packets), 64):
            pair.right.receive_many(packets[at : at + 64], now)
            pair.right.poll_transmits(now)

    calls = count_calls(receive).python
    assert calls / chunks <= receive_limit, f"{calls / chunks} calls per chunk received"
    got = [event for event in pair.right.poll_events() if isinstance(event, sctp.MessageReceived)]
    assert len(got) == count


def test_an_acknowledgment_costs_what_it_newly_tells() -> None:
    """The same number of calls and look-ups whether ten or a thousand chunks are in flight."""
    costs = []
    for messages in (20, 2000):
        pair = Pair(keep_log=False, initial_cwnd_packets=3000, max_burst_packets=3000)
        pair.run(1)
        for _ in range(messages):
            pair.left.send(1, 53, bytes(1100), pair.now)
        while pair.left.poll_transmits(pair.now):
            pass
        out = pair.left._out
        sack = sctp.SackChunk(
            cumulative_tsn_ack=(out.cumulative + 2) & 0xFFFFFFFF,
            advertised_receiver_window=1 << 24,
            gap_ack_blocks=((2, 4),),
        )
        packet = sctp.Packet(
            source_port=5000, destination_port=5000, verification_tag=pair.left._local_tag, chunks=(sack,)
        ).serialize()
        costs.append(count_calls(pair.left.receive, packet, pair.now)[:2])
    assert costs[0] == costs[1]


@pytest.mark.parametrize("size", [4, 10, 16, 52])
def test_a_burst_is_acknowledged_often_enough_for_a_sender_of_four_packets_an_answer(size: int) -> None:
    """dcsctp sends at most four packets for each that arrives; with fewer answers than these it would starve."""
    pair = Pair(keep_log=False, initial_cwnd_packets=100, max_burst_packets=100)
    pair.run(1)
    pair.left.send(1, 53, bytes(70_000), pair.now)
    burst = pair.left.poll_transmits(pair.now)[:size]
    assert len(burst) == size
    before = pair.right._tracker.cumulative
    pair.right.receive_many(burst, pair.now)
    answers = pair.right.poll_transmits(pair.now)
    acknowledged = []
    for answer in answers:
        (sack,) = sctp.Packet.parse(answer).chunks
        assert isinstance(sack, sctp.SackChunk)
        acknowledged.append(sack.cumulative_tsn_ack - (before & 0xFFFFFFFF))
    assert acknowledged == sorted(set(acknowledged))
    assert acknowledged[-1] == size
    assert size / 4 < len(answers) <= size / 2
    assert len({len(answer) for answer in answers}) == 1, "equal sizes leave in one segmented call"


def test_several_acknowledgments_of_one_burst_release_what_they_acknowledge_together() -> None:
    pair = Pair(keep_log=False, initial_cwnd_packets=40, max_burst_packets=40)
    pair.run(1)
    pair.left.send(1, 53, bytes(400_000), pair.now)
    burst = pair.left.poll_transmits(pair.now)
    cwnd = pair.left.snapshot().cwnd
    pair.right.receive_many(burst, pair.now)
    pair.left.receive_many(pair.right.poll_transmits(pair.now), pair.now)
    assert pair.left.snapshot().cwnd > 1.9 * cwnd, "the window was used up, so it doubles"
    assert len(pair.left.poll_transmits(pair.now, 200)) > 1.9 * len(burst) > 70


def test_small_messages_share_packets_and_the_acknowledgment_rides_along() -> None:
    pair = Pair(keep_log=False)
    pair.run(1)
    pair.right.receive_many((), pair.now)
    pair.left.send(1, 53, b"ping", pair.now)
    pair.right.receive_many(pair.left.poll_transmits(pair.now), pair.now)
    for _ in range(12):
        pair.right.send(1, 53, bytes(64), pair.now)
    (packet,) = pair.right.poll_transmits(pair.now)
    kinds = [chunk.type for chunk in sctp.Packet.parse(packet).chunks]
    assert kinds == [sctp.ChunkType.SACK] + [sctp.ChunkType.DATA] * 12
    assert len(packet) <= pair.right.config.mtu
