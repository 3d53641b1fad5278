"""Loss recovery step by step, and what a repeated COOKIE ECHO does."""

from __future__ import annotations

from tests.unit.sctp.pairs import Pair
from webrtc_stack import sctp


def _sender(messages: int) -> tuple[Pair, list[bytes]]:
    pair = Pair(initial_cwnd_packets=40, max_burst_packets=40, heartbeat_interval=0)
    pair.run(1)
    for _ in range(messages):
        pair.left.send(1, 53, bytes(1100), pair.now)
    return pair, pair.left.poll_transmits(pair.now)


def _sack(pair: Pair, cumulative: int, *blocks: tuple[int, int]) -> list[int]:
    """Acknowledges up to the `cumulative`-th chunk sent. Returns: numbers of the chunks that are sent thereupon."""
    chunk = sctp.SackChunk(
        cumulative_tsn_ack=(pair.left._local_tsn - 1 + cumulative) & 0xFFFFFFFF,
        advertised_receiver_window=1 << 20,
        gap_ack_blocks=tuple((start - cumulative, end - cumulative) for start, end in blocks),
    )
    tag = pair.left._local_tag
    packet = sctp.Packet(source_port=5000, destination_port=5000, verification_tag=tag, chunks=(chunk,)).serialize()
    pair.left.receive(packet, pair.now)
    return _numbers(pair, pair.left.poll_transmits(pair.now))


def _numbers(pair: Pair, packets: list[bytes]) -> list[int]:
    first = pair.left._local_tsn
    return [
        (chunk.tsn - first + 1) & 0xFFFFFFFF
        for packet in packets
        for chunk in sctp.Packet.parse(packet).chunks
        if isinstance(chunk, sctp.DataChunk)
    ]


def test_three_missing_reports_send_a_chunk_again_at_half_the_window() -> None:
    pair, packets = _sender(20)
    assert _numbers(pair, packets) == list(range(1, 21))
    cwnd = pair.left.snapshot().cwnd
    assert _sack(pair, 2, (4, 4)) == []
    assert _sack(pair, 2, (4, 5)) == []
    assert _sack(pair, 2, (4, 6)) == [3]
    assert pair.left.snapshot().cwnd == max(cwnd // 2, 4 * 1188)
    assert pair.left.counters.fast_retransmits == 1


def test_a_chunk_sent_again_is_missed_again_only_by_newer_ones() -> None:
    pair, _ = _sender(20)
    for top in (4, 5, 6):
        _sack(pair, 2, (4, top))
    for top in range(7, 15):
        assert _sack(pair, 2, (4, top)) == [], "chunks sent before the retransmission say nothing about it"
    for _ in range(4):
        pair.left.send(1, 53, bytes(1100), pair.now)
    assert _numbers(pair, pair.left.poll_transmits(pair.now)) == [21, 22, 23, 24]
    again = [_sack(pair, 2, (4, top)) for top in (20, 21, 22, 23, 24)]
    assert again == [[], [], [], [3], []], "and the newer ones find that it was lost once more"


def test_a_time_out_leaves_a_window_of_one_packet() -> None:
    pair, _ = _sender(20)
    due = pair.left.next_timeout()
    pair.left.handle_timeout(due)
    snapshot = pair.left.snapshot()
    assert snapshot.cwnd == 1188
    assert snapshot.ssthresh == 20 * 1188
    assert _numbers(pair, pair.left.poll_transmits(due)) == [1]
    assert pair.left.snapshot().rto == 2 * pair.left.config.rto_initial


def test_a_small_flight_is_probed_before_the_time_out() -> None:
    pair = Pair(heartbeat_interval=0)
    pair.left.send(1, 53, b"first", 0.0)
    pair.run(1)
    pair.left.send(1, 53, b"second", pair.now)
    pair.left.poll_transmits(pair.now)  # lost
    due = pair.left.next_timeout()
    assert due < pair.now + 0.1
    pair.left.handle_timeout(due)
    assert len(pair.left.poll_transmits(due)) == 1
    assert pair.left.counters.probes == 1
    assert pair.left.next_timeout() > due + 0.2, "one probe, then T3-rtx"


def test_a_repeated_cookie_echo_is_answered_and_changes_nothing() -> None:
    pair = Pair()
    pair.run(1)
    pair.left.send(1, 53, b"one", pair.now)
    pair.run(1)
    echo = next(
        delivery.data
        for delivery in pair.net.log
        if delivery.side == 0 and sctp.Packet.parse(delivery.data).chunks[0].type == sctp.ChunkType.COOKIE_ECHO
    )
    pair.right.receive(echo, pair.now)
    (packet,) = pair.right.poll_transmits(pair.now)
    assert sctp.Packet.parse(packet).chunks[0].type == sctp.ChunkType.COOKIE_ACK
    pair.left.send(1, 53, b"two", pair.now)
    pair.run(1)
    assert pair.got[1][1] == [b"one", b"two"]
    assert pair.events(1, sctp.AssociationRestarted) == []


def test_an_answer_takes_the_acknowledgment_along() -> None:
    """The sender of a lone message wants to hear of it at once; what an application answers at once says so too."""
    pair = Pair(heartbeat_interval=0)
    pair.run(1)
    now = pair.now
    pair.left.send(1, 53, b"question", now)
    (packet,) = pair.left.poll_transmits(now)
    before = pair.right.counters.packets_sent
    pair.right.receive(packet, now)
    assert pair.right.poll_transmits(now) == [], "nothing leaves before the application had its turn"
    pair.right.send(1, 53, b"answer", now)
    (answer,) = pair.right.poll_transmits(now)
    kinds = [type(chunk) for chunk in sctp.Packet.parse(answer).chunks]
    assert kinds == [sctp.SackChunk, sctp.DataChunk]
    assert pair.right.counters.packets_sent == before + 1


def test_without_an_answer_a_wanted_acknowledgment_waits_a_moment_only() -> None:
    pair = Pair(heartbeat_interval=0)
    pair.run(1)
    now = pair.now
    pair.left.send(1, 53, b"question", now)
    (packet,) = pair.left.poll_transmits(now)
    pair.right.receive(packet, now)
    assert pair.right.poll_transmits(now) == []
    pair.right.poll_events()
    due = pair.right.next_timeout()
    assert due == now + pair.right.config.immediate_sack_delay
    pair.right.handle_timeout(due)
    (answer,) = pair.right.poll_transmits(due)
    assert [type(chunk) for chunk in sctp.Packet.parse(answer).chunks] == [sctp.SackChunk]
