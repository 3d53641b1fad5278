"""RED: copies go out, and what was lost comes back once, in order."""

from __future__ import annotations

import tracemalloc
from itertools import cycle, islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import vectors
from webrtc_stack.base import SeededEntropy, random_below, random_u32
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.packetization import DepacketizerConfig, EncodedFrame, payload_format
from webrtc_stack.packetization.audio import OrderedDepacketizer
from webrtc_stack.packetization.red import (
    MAX_BLOCKS,
    RedBlock,
    RedDepacketizer,
    RedFacts,
    RedFormat,
    RedPacketizer,
    parse_red,
    write_red,
)
from webrtc_stack.rtp import RtpPacket


@pytest.mark.parametrize(
    "case", vectors.cases("packetization_audio/red_payloads.json"), ids=lambda case: str(case["id"])
)
def test_a_payload_of_another_stack_reads_and_writes(case: dict[str, object]) -> None:
    data = bytes.fromhex(str(case["hex"]))
    blocks = case["blocks"]
    assert isinstance(blocks, list)
    wanted = [
        RedBlock(one["payload_type"], one.get("timestamp_offset", 0), bytes.fromhex(one["data"])) for one in blocks
    ]
    assert parse_red(data) == wanted
    assert write_red(wanted) == data


def opus(number: int) -> bytes:
    """A packet of 20 ms that can be told from its neighbours."""
    return b"\x08" + number.to_bytes(4, "big") + bytes(number % 7)


def stream(count: int, *, distances: tuple[int, ...] = (1,), first: int = 0) -> list[RtpPacket]:
    packetizer = RedPacketizer(payload_type=111, distances=distances)
    packets = []
    for number in range(first, first + count):
        timestamp = number * 960
        (payload,) = packetizer.packetize(opus(number), timestamp)
        packets.append(RtpPacket(sequence_number=number & 0xFFFF, timestamp=timestamp & 0xFFFFFFFF, payload=payload))
    return packets


def received(packets: list[RtpPacket], config: DepacketizerConfig | None = None) -> list[tuple[int, bool]]:
    """The numbers that came out, and which of them were copies."""
    depacketizer = RedDepacketizer(config or DepacketizerConfig(), 48_000)
    frames = []
    for packet in packets:
        frames += depacketizer.push(packet)
    frames += depacketizer.flush()
    for frame in frames:
        assert frame.timestamp == int.from_bytes(frame.data[1:5], "big") * 960 & 0xFFFFFFFF
        assert frame.data == opus(int.from_bytes(frame.data[1:5], "big"))
        assert frame.facts.payload_type == 111
    return [(int.from_bytes(frame.data[1:5], "big"), frame.facts.recovered) for frame in frames]


def test_the_first_packet_has_no_copy_and_the_next_have_their_distances() -> None:
    blocks = [[(one.timestamp_offset, one.data) for one in parse_red(p.payload)] for p in stream(4, distances=(2, 1))]
    assert blocks == [
        [(0, opus(0))],
        [(960, opus(0)), (0, opus(1))],
        [(1920, opus(0)), (960, opus(1)), (0, opus(2))],
        [(1920, opus(1)), (960, opus(2)), (0, opus(3))],
    ]


def test_timestamps_of_opus_need_not_be_told() -> None:
    packetizer = RedFormat({"payload_types": "111/111"}).packetizer()
    packetizer.packetize(b"\x18ab")  # 60 ms
    (payload,) = packetizer.packetize(b"\x08cd")
    assert parse_red(payload)[0] == RedBlock(111, 2880, b"\x18ab")
    assert packetizer.timestamp_step(payload) == 960
    with pytest.raises(InvalidArgumentError, match="timestamp must be given"):
        packetizer.packetize(b"\x09\x01\x02" + bytes(5))
    (after,) = packetizer.packetize(b"\x08ef")
    assert parse_red(after)[0].data == b"\x08cd", "what was refused left nothing behind"


def test_copies_that_cannot_be_said_or_do_not_fit_are_left_out() -> None:
    packetizer = RedPacketizer(payload_type=0, distances=(1, 2), max_payload_bytes=1200)
    packetizer.packetize(bytes(1024), 0)
    assert len(parse_red(packetizer.packetize(b"a", 160)[0])) == 1, "1023 bytes are the most"
    assert len(parse_red(packetizer.packetize(b"b", 160 + 0x4000)[0])) == 1, "too old after a pause"
    assert len(parse_red(packetizer.packetize(bytes(1190), 160 + 0x4010)[0])) == 2
    assert len(parse_red(packetizer.packetize(bytes(1199), 160 + 0x4020)[0])) == 1
    with pytest.raises(InvalidArgumentError):
        packetizer.packetize(bytes(1200), 0)


def test_a_lost_packet_comes_back_from_the_next_without_waiting() -> None:
    packets = stream(5)
    depacketizer = RedDepacketizer(DepacketizerConfig(), 48_000)
    depacketizer.push(packets[0])
    copy, own = depacketizer.push(packets[2])
    assert (copy.data, copy.facts, copy.follows_loss) == (opus(1), RedFacts(111, True), False)
    assert (own.data, own.facts, own.follows_loss) == (opus(2), RedFacts(111), False)
    assert depacketizer.push(packets[1]) == [], "its own packet is too late now"
    assert depacketizer.recovered == 1
    assert depacketizer.drops["late or doubled"] == 1


def test_more_losses_than_copies_leave_a_gap_that_is_told() -> None:
    packets = stream(6, distances=(1, 2))
    depacketizer = RedDepacketizer(DepacketizerConfig(reorder_packets=0), 48_000)
    depacketizer.push(packets[0])
    frames = depacketizer.push(packets[4])
    assert [frame.data for frame in frames] == [opus(2), opus(3), opus(4)]
    assert [frame.follows_loss for frame in frames] == [True, False, False]


def test_no_more_copies_are_believed_than_packets_are_missing() -> None:
    depacketizer = RedDepacketizer(DepacketizerConfig(), 48_000)
    depacketizer.push(RtpPacket(sequence_number=0, timestamp=0, payload=write_red([RedBlock(111, 0, b"first")])))
    blocks = [RedBlock(111, offset, b"copy %d" % offset) for offset in (900, 600, 300)]
    payload = write_red([*blocks, RedBlock(111, 0, b"own")])
    frames = depacketizer.push(RtpPacket(sequence_number=2, timestamp=1000, payload=payload))
    assert [frame.data for frame in frames] == [b"copy 300", b"own"]
    assert depacketizer.push(RtpPacket(sequence_number=3, timestamp=2000, payload=payload))[0].data == b"own"


def test_nothing_is_made_up_where_nothing_was_lost() -> None:
    assert received(stream(20, distances=(1, 2, 3))) == [(number, False) for number in range(20)]


@settings(max_examples=120)
@given(st.integers(0, 2**32), st.sampled_from([(1,), (1, 2), (2,), (1, 3), (1, 2, 3, 4)]), st.booleans())
def test_under_loss_doubling_and_swaps_each_frame_comes_once_and_in_order(
    seed: int, distances: tuple[int, ...], wrapping: bool
) -> None:
    entropy = SeededEntropy(seed)
    packets = stream(60, distances=distances, first=2**16 - 30 if wrapping else 5)
    kept = [packets[0]]
    for packet in packets[1:]:
        verdict = random_below(entropy, 10)
        if verdict < 2:
            continue
        kept += [packet] * (2 if verdict == 2 else 1)
        if verdict == 3 and len(kept) > 2:
            kept[-1], kept[-2] = kept[-2], kept[-1]
    arrived = {packet.sequence_number for packet in kept}
    got = [number for number, _ in received(kept)]
    assert got == sorted(set(got)), "in order, each once"
    there = {number for number in got if number & 0xFFFF in arrived}
    assert {number & 0xFFFF for number in there} == arrived, "what came is there"
    by_copy = [number for number in got if number & 0xFFFF not in arrived]
    if distances == (1,):
        holes = [
            p.timestamp // 960
            for p, after in pairwise(packets)
            if p.sequence_number not in arrived and after.sequence_number in arrived
        ]
        assert by_copy == holes, "every lost packet whose next one came"


def test_a_restart_forgets_what_was_given_out() -> None:
    before, after = stream(3, first=40_000), stream(4)
    assert received(before + after)[3:] == [(0, False), (1, False), (2, False), (3, False)]


def test_equal_timestamps_are_no_reason_to_drop() -> None:
    """Several packets of one video frame travel in RED too, without copies."""
    depacketizer = RedDepacketizer(DepacketizerConfig(), 90_000)
    payload = write_red([RedBlock(96, 0, b"part")])
    frames = [
        f for n in range(3) for f in depacketizer.push(RtpPacket(sequence_number=n, timestamp=9, payload=payload))
    ]
    assert len(frames) == 3


@pytest.mark.parametrize(
    "data", ["", "80", "ef00", "ef0000056f", "ef000005" + "6f" + "00000000", "ef000000" * (MAX_BLOCKS + 1) + "6f"]
)
def test_payloads_that_are_cut_off_are_refused(data: str) -> None:
    with pytest.raises(ParseError):
        parse_red(bytes.fromhex(data))


def test_what_the_headers_cannot_say_is_refused() -> None:
    primary = RedBlock(111, 0, b"")
    for blocks in (
        [],
        [RedBlock(128, 0, b"")],
        [RedBlock(111, 1, b"")],
        [RedBlock(111, 0x4000, b"x"), primary],
        [RedBlock(111, 5, bytes(1024)), primary],
        [RedBlock(128, 5, b"x"), primary],
        [RedBlock(111, 5, b"x")] * (MAX_BLOCKS + 1) + [primary],
    ):
        with pytest.raises(InvalidArgumentError):
            write_red(blocks)


def test_the_format_says_what_it_carries() -> None:
    made = payload_format("red", payload_types="111/111/111")
    assert isinstance(made, RedFormat)
    assert (made.payload_types, made.distances, made.clock_rate) == ((111, 111, 111), (1, 2), 48_000)
    assert RedFormat({"payload_types": "0/5", "distances": "3"}).distances == (3,)
    for bad in ({"payload_types": "x"}, {"payload_types": "200"}, {"distances": "99"}):
        with pytest.raises(InvalidArgumentError):
            payload_format("red", **bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="payload_types"):
        payload_format("red").packetizer()
    for distances in ((0,), (1, 1), (17,)):
        with pytest.raises(InvalidArgumentError):
            RedPacketizer(payload_type=1, distances=distances)


@settings(max_examples=80)
@given(
    st.lists(st.builds(RedBlock, st.integers(0, 127), st.integers(0, 0x3FFF), st.binary(max_size=40)), max_size=6),
    st.builds(RedBlock, st.integers(0, 127), st.just(0), st.binary(max_size=40)),
)
def test_blocks_come_back_as_written(copies: list[RedBlock], primary: RedBlock) -> None:
    assert parse_red(write_red([*copies, primary])) == [*copies, primary]


def grown_by(name: str, count: int) -> int:
    """How many bytes `count` hostile packets leave behind."""
    entropy = SeededEntropy(name)
    depacketizer = payload_format(name).depacketizer(DepacketizerConfig(reorder_packets=16))
    assert isinstance(depacketizer, OrderedDepacketizer)
    noise = entropy.bytes(4096)

    # Drawn once: ten thousand packets, gone through again and again.
    drawn = []
    for number in range(10_000):
        word = random_u32(entropy)
        at = word & 0xFFF
        sequence = number * 7 + (word >> 12 & 31) if number % 3 else word >> 16
        payload = noise[at : at + (word >> 26)]
        drawn.append(RtpPacket(sequence_number=sequence & 0xFFFF, timestamp=word, payload=payload))

    def feed(count: int) -> None:
        for packet in islice(cycle(drawn), count):
            depacketizer.push(packet)
            assert len(depacketizer._held) <= 17

    feed(500)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        feed(count)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert depacketizer.counters.packets == 500 + count
    return grown


@pytest.mark.parametrize("distances", [(1,), (2,), (3,), (1, 3), (2, 4)])
def test_copies_are_found_wherever_the_sender_puts_them(distances: tuple[int, ...]) -> None:
    packetizer = RedPacketizer(payload_type=111, distances=distances)
    frames = [bytes((0x78, number)) for number in range(40)]  # 20 ms of Opus each
    packets = [
        RtpPacket(sequence_number=65_530 + number & 0xFFFF, timestamp=number * 960, payload=payload)
        for number, frame in enumerate(frames)
        for payload in packetizer.packetize(frame)
    ]
    lost = range(5, 35, 6)
    depacketizer = payload_format("red").depacketizer(DepacketizerConfig(reorder_packets=16))
    out: list[EncodedFrame] = []
    for number, packet in enumerate(packets):
        if number not in lost:
            out += depacketizer.push(packet)
            # What is missing comes with the first packet that has a copy of it.
            waiting = any(one < number < one + distances[0] for one in lost)
            assert [frame.data for frame in out] == (frames[: number + 1] if not waiting else frames[: len(out)])
    assert [frame.timestamp for frame in out] == [number * 960 for number in range(40)]
    assert [number for number, frame in enumerate(out) if frame.facts.recovered] == list(lost)
    assert not any(frame.follows_loss for frame in out)


@pytest.mark.parametrize("name", ["opus", "pcmu", "g722", "l16", "cn", "telephone-event", "red"])
def test_hostile_packets_leave_no_more_than_the_window(name: str) -> None:
    assert grown_by(name, 20_000) < 1 << 18


@pytest.mark.slow
def test_three_hundred_thousand_hostile_packets_leave_no_more_than_the_window() -> None:
    """A million took half a minute under tracemalloc."""
    assert grown_by("red", 300_000) < 1 << 20
