"""A peer that lies: forged tags and cookies, impossible acknowledgments, bombs. Nothing raises, loops or grows."""

from __future__ import annotations

import gc
import struct
import tracemalloc
from typing import Any

import pytest
from crc32c import crc32c

from tests.unit.sctp.pairs import Pair
from webrtc_stack import sctp
from webrtc_stack.base import SeededEntropy, random_below
from webrtc_stack.errors import SctpAbortError


class Victim:
    """An established association, and a way to speak to it as its peer."""

    def __init__(self, **config: Any) -> None:
        pair = Pair(seed="victim", left=config)
        pair.run(1)
        self.association = pair.left
        self.now = pair.now
        self.tag = pair.left._local_tag
        self.peer_tsn = pair.right._out.next_tsn
        self.own_tsn = pair.left._out.next_tsn

    def packet(self, *chunks: sctp.Chunk, tag: int | None = None) -> bytes:
        return sctp.Packet(
            source_port=5000,
            destination_port=5000,
            verification_tag=self.tag if tag is None else tag,
            chunks=chunks,
        ).serialize()

    def feed(self, *chunks: sctp.Chunk, tag: int | None = None) -> list[sctp.Chunk]:
        self.association.receive(self.packet(*chunks, tag=tag), self.now)
        return self.answers()

    def answers(self) -> list[sctp.Chunk]:
        packets = self.association.poll_transmits(self.now)
        return [chunk for packet in packets for chunk in sctp.Packet.parse(packet).chunks]

    def data(self, offset: int, data: bytes = b"x", *, flags: int = 3, stream: int = 1, ssn: int = 0) -> sctp.DataChunk:
        return sctp.DataChunk(
            tsn=(self.peer_tsn + offset) & 0xFFFFFFFF,
            stream_id=stream,
            stream_sequence_number=ssn,
            ppid=51,
            data=data,
            flags=flags,
        )


def test_a_wrong_verification_tag_is_silence() -> None:
    victim = Victim()
    for chunk in (
        victim.data(0),
        sctp.SackChunk(cumulative_tsn_ack=victim.own_tsn, advertised_receiver_window=0),
        sctp.AbortChunk(),
        sctp.ShutdownChunk(cumulative_tsn_ack=victim.own_tsn),
        sctp.ShutdownCompleteChunk(),
        sctp.AbortChunk(flags=1),
    ):
        assert victim.feed(chunk, tag=victim.tag ^ 1) == []
    assert victim.association.state == "established"
    assert victim.association.poll_events() == []
    assert victim.association.drops["tag"] == 6


def test_an_abort_with_the_reflected_tag_of_the_peer_counts() -> None:
    victim = Victim()
    victim.feed(sctp.AbortChunk(flags=1), tag=victim.association._peer_tag)
    (closed,) = victim.association.poll_events()
    assert isinstance(closed, sctp.Closed) and isinstance(closed.error, SctpAbortError)


def test_a_sack_of_what_was_never_sent_is_dropped() -> None:
    victim = Victim()
    victim.association.send(1, 51, bytes(5000), victim.now)
    victim.answers()
    flight = victim.association.snapshot().flight_bytes
    for ahead in (10, 1000, 0x7FFFFFFE):
        tsn = (victim.own_tsn + ahead) & 0xFFFFFFFF
        victim.feed(sctp.SackChunk(cumulative_tsn_ack=tsn, advertised_receiver_window=1 << 20))
    assert victim.association.drops["sack_of_unsent"] == 3
    assert victim.association.snapshot().flight_bytes == flight


@pytest.mark.parametrize(
    "blocks", [((0, 5),), ((3, 2),), ((2, 2), (2, 3)), ((4, 5), (2, 2)), ((1, 60000),), ((2, 9999),)]
)
def test_impossible_gap_blocks_do_no_harm(blocks: tuple[tuple[int, int], ...]) -> None:
    victim = Victim()
    victim.association.send(1, 51, bytes(8000), victim.now)
    victim.answers()
    base = (victim.own_tsn - 1) & 0xFFFFFFFF
    for _ in range(5):
        victim.feed(sctp.SackChunk(cumulative_tsn_ack=base, advertised_receiver_window=1 << 20, gap_ack_blocks=blocks))
    last = (victim.association._out.next_tsn - 1) & 0xFFFFFFFF
    victim.feed(sctp.SackChunk(cumulative_tsn_ack=last, advertised_receiver_window=1 << 20))
    snapshot = victim.association.snapshot()
    assert (snapshot.flight_bytes, snapshot.outstanding_chunks) == (0, 0)


def test_gap_blocks_taken_back_put_the_chunks_in_flight_again() -> None:
    victim = Victim()
    victim.association.send(1, 51, bytes(8000), victim.now)
    victim.answers()
    out = victim.association._out
    before = out.flight
    base = (victim.own_tsn - 1) & 0xFFFFFFFF
    gap = sctp.SackChunk(cumulative_tsn_ack=base, advertised_receiver_window=1 << 20, gap_ack_blocks=((3, 5),))
    victim.association.receive(victim.packet(gap), victim.now)
    assert out.flight == before - sum(out.chunks[victim.own_tsn + at].size for at in (2, 3, 4))
    none = sctp.SackChunk(cumulative_tsn_ack=base, advertised_receiver_window=1 << 20)
    victim.association.receive(victim.packet(none), victim.now)
    assert out.flight == before


def test_a_gap_block_bomb_costs_little() -> None:
    victim = Victim()
    blocks = tuple((2 * at, 2 * at) for at in range(1, 290))
    base = (victim.own_tsn - 1) & 0xFFFFFFFF
    packet = victim.packet(
        sctp.SackChunk(cumulative_tsn_ack=base, advertised_receiver_window=1 << 20, gap_ack_blocks=blocks)
    )
    for _ in range(2000):
        victim.association.receive(packet, victim.now)
    assert victim.association.state == "established"


def test_data_far_ahead_is_not_taken() -> None:
    victim = Victim()
    victim.feed(victim.data(65_536), victim.data(1 << 30))
    assert victim.association.drops["tsn_too_far"] == 2
    assert victim.association._tracker.gaps == []


def test_a_forward_tsn_far_ahead_is_not_believed() -> None:
    victim = Victim()
    tsn = (victim.peer_tsn + (1 << 30)) & 0xFFFFFFFF
    victim.feed(sctp.ForwardTsnChunk(new_cumulative_tsn=tsn, streams=((1, 5),)))
    assert victim.association.drops["forward_tsn_too_far"] == 1
    victim.feed(victim.data(0))
    assert [type(event) for event in victim.association.poll_events()] == [sctp.MessageReceived]


def test_data_without_data_aborts() -> None:
    victim = Victim()
    answers = victim.feed(victim.data(0, b""))
    assert [chunk.type for chunk in answers] == [sctp.ChunkType.ABORT]
    (closed,) = victim.association.poll_events()
    assert isinstance(closed, sctp.Closed) and isinstance(closed.error, SctpAbortError)
    assert closed.error.causes == (sctp.CauseCode.NO_USER_DATA,)


def test_data_on_a_stream_that_does_not_exist_is_reported_and_acknowledged() -> None:
    victim = Victim(inbound_streams=4)
    answers = victim.feed(victim.data(0, stream=4), victim.data(1))
    assert [chunk.type for chunk in answers if isinstance(chunk, sctp.ErrorChunk)] == [sctp.ChunkType.ERROR]
    assert victim.association._tracker.cumulative == victim.peer_tsn + 1


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_reassembly_bomb_stops_at_the_receive_window(step: int, size: int) -> None:
    """Fragments that never end, in order and with holes, tiny and large."""
    victim = Victim(receive_window_bytes=200_000)
    gc.collect()
    tracemalloc.start()
    for at in range(20_000):
        flags = (2 if at == 0 else 0) | (4 if step == 2 else 0)
        victim.association.receive(victim.packet(victim.data(at * step, bytes(size), flags=flags)), victim.now)
        if at % 64 == 0:
            victim.association.poll_transmits(victim.now)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert victim.association.snapshot().reassembly_bytes <= 200_000 + 65_536 + 256
    assert victim.association.drops["window_full"] > 0
    assert grown < 1 << 20, f"{grown} bytes"


def test_an_init_flood_keeps_nothing() -> None:
    association = sctp.Association(sctp.SctpConfig(entropy=SeededEntropy("flood")))
    entropy = SeededEntropy("flooder")
    gc.collect()
    tracemalloc.start()
    for _ in range(20_000):
        init = sctp.InitChunk(
            initiate_tag=int.from_bytes(entropy.bytes(4), "big") | 1,
            advertised_receiver_window=100_000,
            outbound_streams=10,
            inbound_streams=10,
            initial_tsn=1,
        )
        association.receive(
            sctp.Packet(source_port=5000, destination_port=5000, verification_tag=0, chunks=(init,)).serialize(), 0.0
        )
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert association.state == "closed"
    assert len(association._replies) == association.config.max_control_packets
    assert grown < 1 << 20


def test_forged_cookies_make_no_association() -> None:
    pair = Pair(connect=(True, False))
    pair.net.settle()
    pair.right.receive(pair.net.log[0].data, 0.0)
    (answer,) = sctp.Packet.parse(pair.right.poll_transmits(0.0)[0]).chunks
    assert isinstance(answer, sctp.InitAckChunk)
    cookie = answer.parameter(sctp.ParameterType.STATE_COOKIE)
    assert cookie is not None

    def echo(value: bytes, tag: int) -> bytes:
        chunks = (sctp.CookieEchoChunk(cookie=value),)
        return sctp.Packet(source_port=5000, destination_port=5000, verification_tag=tag, chunks=chunks).serialize()

    for at in range(len(cookie) * 8):
        forged = bytearray(cookie)
        forged[at >> 3] ^= 1 << (at & 7)
        pair.right.receive(echo(bytes(forged), answer.initiate_tag), 0.0)
    for value in (b"", cookie[:-1], cookie + b"\0"):
        pair.right.receive(echo(value, answer.initiate_tag), 0.0)
    pair.right.receive(echo(cookie, answer.initiate_tag ^ 1), 0.0)
    assert pair.right.state == "closed"
    assert pair.right.poll_events() == []
    pair.right.receive(echo(cookie, answer.initiate_tag), 0.0)
    assert pair.right.state == "established"


@pytest.mark.parametrize("kind", [0x3F, 0x7F, 0xBF, 0xFF])
def test_an_unknown_chunk_is_treated_by_its_two_high_bits(kind: int) -> None:
    victim = Victim()
    answers = victim.feed(sctp.UnknownChunk(type=kind, flags=0, body=b"abc"), victim.data(0))
    reported = [chunk for chunk in answers if isinstance(chunk, sctp.ErrorChunk)]
    assert bool(reported) == bool(kind & 0x40)
    assert bool(victim.association.poll_events()) == bool(kind & 0x80), "the rest of the packet"


def test_stream_reset_requests_without_order_are_refused() -> None:
    victim = Victim()
    request = struct.pack(">IIIH", victim.peer_tsn + 5, 0, victim.peer_tsn - 1, 1)
    (answer,) = victim.feed(sctp.ReConfigChunk(parameters=(sctp.Parameter(13, request),)))
    assert isinstance(answer, sctp.ReConfigChunk)
    assert answer.parameters[0].value[4:8] == struct.pack(">I", sctp.ReconfigResult.BAD_SEQUENCE_NUMBER)
    add = struct.pack(">IHH", victim.peer_tsn, 10, 0)
    (answer,) = victim.feed(sctp.ReConfigChunk(parameters=(sctp.Parameter(17, add),)))
    assert isinstance(answer, sctp.ReConfigChunk)
    assert answer.parameters[0].value[4:8] == struct.pack(">I", sctp.ReconfigResult.DENIED)
    assert victim.association.poll_events() == []


def test_a_reset_waits_for_the_data_before_it() -> None:
    victim = Victim()
    request = struct.pack(">IIIH", victim.peer_tsn, 0, (victim.peer_tsn + 1) & 0xFFFFFFFF, 1)
    chunk = sctp.ReConfigChunk(parameters=(sctp.Parameter(13, request),))
    (answer,) = victim.feed(chunk)
    assert isinstance(answer, sctp.ReConfigChunk)
    assert answer.parameters[0].value[7] == sctp.ReconfigResult.IN_PROGRESS
    victim.feed(victim.data(1, ssn=1))
    assert victim.association.poll_events() == []
    answers = victim.feed(victim.data(0, ssn=0))
    events = victim.association.poll_events()
    assert [type(event) for event in events] == [sctp.MessageReceived] * 2 + [sctp.StreamsResetByPeer]
    assert any(isinstance(item, sctp.ReConfigChunk) for item in answers)
    again = victim.feed(chunk)
    assert any(
        isinstance(item, sctp.ReConfigChunk) and item.parameters[0].value[7] == sctp.ReconfigResult.PERFORMED
        for item in again
    )
    victim.feed(victim.data(2, ssn=0))
    assert [type(event) for event in victim.association.poll_events()] == [sctp.MessageReceived]


def test_a_data_chunk_cut_off_at_the_end_of_a_packet_is_no_endless_loop() -> None:
    victim = Victim()
    whole = victim.packet(victim.data(0), sctp.UnknownChunk(type=0, flags=3, body=b"1234"))
    victim.association.receive(whole, victim.now)
    assert victim.association.drops["data_malformed"] == 1
    assert len(victim.association.poll_events()) == 1


def _mutations(count: int) -> None:
    pair = Pair(seed="mutations")
    for at in range(30):
        pair.left.send(at % 3, 51, bytes(1 + at * 211), 0.0, max_retransmits=at % 2)
    pair.run(1)
    pair.left.reset_streams([1], pair.now)
    pair.run(1)
    seeds = [delivery.data for delivery in pair.net.log]
    victim = Victim(receive_window_bytes=100_000)
    entropy = SeededEntropy("mutator")
    tag = struct.pack(">I", victim.tag)

    def once() -> None:
        data = bytearray(seeds[random_below(entropy, len(seeds))])
        data[4:8] = tag
        for _ in range(1 + random_below(entropy, 3)):
            data[12 + random_below(entropy, max(len(data) - 12, 1)) if len(data) > 12 else 0] = entropy.bytes(1)[0]
        if data[12:13] == b"\6":
            data[12] = 77  # an ABORT would end it all too soon
        data[8:12] = bytes(4)
        data[8:12] = crc32c(bytes(data)).to_bytes(4, "little")
        victim.association.receive(bytes(data), victim.now)
        victim.association.poll_transmits(victim.now)
        victim.association.poll_events()
        victim.now += 0.0001

    for _ in range(1000):
        once()
    gc.collect()
    tracemalloc.start()
    for _ in range(count):
        once()
        if victim.association.state == "ended":
            victim.__init__(receive_window_bytes=100_000)  # type: ignore[misc]
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 1 << 20, f"{grown} bytes after {count} packets"


def test_hostile_packets_with_the_right_tag_and_checksum_leave_nothing_behind() -> None:
    _mutations(20_000)


@pytest.mark.slow
def test_a_million_hostile_packets_leave_nothing_behind() -> None:
    _mutations(1_000_000)
