"""Every video format: whole frames out of packets that come in disorder, twice, or never."""

from __future__ import annotations

import tracemalloc
from itertools import cycle, islice
from typing import Any

import pytest

from tests.support.calls import count_calls
from webrtc_stack.base import SeededEntropy, random_below
from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.packetization import DepacketizerConfig, payload_format
from webrtc_stack.trace import MemorySink, Trace

from .streams import VIDEO, Packet, filler, make_frames, push_all, stream, to_packets

SIZES = (250, 40, 180, 1, 320, 90, 210, 60, 500, 30, 120, 220)
KEYS = (0, 5, 8)
FRAMES = {name: make_frames(name, SIZES, KEYS) for name in VIDEO}
PACKETS = {name: stream(name, FRAMES[name], first=65530) for name in VIDEO}


@pytest.fixture(params=VIDEO)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_frames_come_out_as_they_went_in(name: str) -> None:
    depacketizer = payload_format(name).depacketizer()
    frames = push_all(depacketizer, PACKETS[name])
    assert [frame.data for frame in frames] == FRAMES[name]
    assert [index for index, frame in enumerate(frames) if frame.keyframe] == list(KEYS)
    assert [frame.timestamp for frame in frames] == [index * 3000 for index in range(len(frames))]
    assert not any(frame.follows_loss for frame in frames)
    assert depacketizer.counters.frames == len(SIZES)
    assert depacketizer.counters.keyframes == len(KEYS)
    assert depacketizer.drops.total == 0


def test_payloads_keep_their_limit(name: str) -> None:
    assert max(len(packet.payload) for packet in PACKETS[name]) <= 100


def test_fragments_of_a_frame_differ_by_at_most_one_byte(name: str) -> None:
    frame = make_frames(name, [5000], keys=())[0]
    sizes = [len(payload) for payload in payload_format(name).packetizer(1200).packetize(frame)]
    assert len(sizes) == 5
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("lost", range(len(PACKETS["VP8"])))
def test_one_lost_packet_costs_the_frames_up_to_the_next_key_frame_and_no_more(name: str, lost: int) -> None:
    packets = PACKETS[name]
    lost = lost % len(packets)
    broken = packets[lost].timestamp // 3000
    depacketizer = payload_format(name).depacketizer()
    frames = push_all(depacketizer, packets[:lost] + packets[lost + 1 :])
    frames += depacketizer.flush()
    after = next((key for key in KEYS if key > broken), len(SIZES))
    got = [frame.timestamp // 3000 for frame in frames]
    assert got == [*range(broken), *range(after, len(SIZES))]
    assert [frame.data for frame in frames] == [FRAMES[name][index] for index in got]
    marked = [frame.timestamp // 3000 for frame in frames if frame.follows_loss]
    assert marked == ([after] if after < len(SIZES) else [])


def test_a_doubled_packet_changes_nothing(name: str) -> None:
    packets = PACKETS[name]
    for index in range(len(packets)):
        for distance in (0, 1, 5):
            again = [*packets[: index + 1 + distance], packets[index], *packets[index + 1 + distance :]]
            frames = push_all(payload_format(name).depacketizer(), again)
            assert [frame.data for frame in frames] == FRAMES[name]


def test_two_swapped_packets_change_nothing(name: str) -> None:
    packets = PACKETS[name]
    for index in range(len(packets) - 1):
        for distance in (1, 2):
            if index + distance >= len(packets):
                continue
            swapped = list(packets)
            swapped[index], swapped[index + distance] = swapped[index + distance], swapped[index]
            swapped = [packet._replace(timestamp=packet.timestamp + 1_500_000_000) for packet in swapped]
            depacketizer = payload_format(name).depacketizer()
            frames = push_all(depacketizer, swapped)
            assert [frame.data for frame in frames] == FRAMES[name], (index, distance)


def test_a_retransmission_within_the_window_saves_the_frame(name: str) -> None:
    frames = make_frames(name, [50] * 40)
    packets = stream(name, frames)
    late = [*packets[:10], *packets[11:40], packets[10], *packets[40:]]
    config = DepacketizerConfig(reorder_time=10.0)
    assert [frame.data for frame in push_all(payload_format(name).depacketizer(config), late)] == frames


def test_without_waiting_every_whole_frame_comes_out_after_a_loss(name: str) -> None:
    config = DepacketizerConfig(wait_for_keyframe=False)
    frames = make_frames(name, [250] * 120)
    packets = stream(name, frames)
    lost = next(index for index, packet in enumerate(packets) if packet.timestamp == 9000 and not packet.marker)
    depacketizer = payload_format(name).depacketizer(config)
    got = push_all(depacketizer, packets[: lost + 1] + packets[lost + 2 :])
    assert [frame.data for frame in got] == frames[:3] + frames[4:]
    assert depacketizer.needs_keyframe
    assert [frame.timestamp for frame in got if frame.follows_loss][:2] == [12000, 15000]


def test_after_a_loss_a_key_frame_is_asked_for_until_it_comes(name: str) -> None:
    packets = PACKETS[name]
    depacketizer = payload_format(name).depacketizer(DepacketizerConfig(reorder_packets=0))
    asked = [False, False]
    for stage, part in enumerate((packets[:1] + packets[2:6], packets[6:])):
        push_all(depacketizer, part)
        asked[stage] = depacketizer.needs_keyframe
    assert asked == [True, False]


def test_a_sender_without_markers_is_understood_by_timestamps(name: str) -> None:
    bare = [packet._replace(marker=False) for packet in PACKETS[name]]
    frames = push_all(payload_format(name).depacketizer(), bare)
    assert [frame.data for frame in frames] == FRAMES[name][:-1]


def test_padding_between_and_inside_frames_is_passed_over(name: str) -> None:
    padded: list[Packet] = []
    for packet in PACKETS[name]:
        for one in (packet, packet._replace(payload=b"", marker=False)):
            padded.append(one._replace(sequence_number=len(padded) & 0xFFFF))
    assert [frame.data for frame in push_all(payload_format(name).depacketizer(), padded)] == FRAMES[name]


def test_a_frame_larger_than_the_limit_is_dropped_and_the_next_key_frame_comes(name: str) -> None:
    frames = make_frames(name, [100, 3000, 100, 100, 100], keys=(0, 3))
    config = DepacketizerConfig(max_frame_bytes=1000)
    depacketizer = payload_format(name).depacketizer(config)
    got = push_all(depacketizer, stream(name, frames))
    assert [frame.data for frame in got] == [frames[0], frames[3], frames[4]]
    assert depacketizer.drops["frame too large"] > 0


def test_a_sender_that_restarts_elsewhere_is_followed(name: str) -> None:
    depacketizer = payload_format(name).depacketizer()
    first = push_all(depacketizer, PACKETS[name])
    again = [packet._replace(sequence_number=(packet.sequence_number + 20_000) & 0xFFFF) for packet in PACKETS[name]]
    second = push_all(depacketizer, again)
    assert [frame.data for frame in second] == [frame.data for frame in first]
    assert depacketizer.counters.resets == 1


def test_one_stray_packet_disturbs_nothing(name: str) -> None:
    packets = list(PACKETS[name])
    packets.insert(4, packets[3]._replace(sequence_number=30_000))
    depacketizer = payload_format(name).depacketizer()
    assert [frame.data for frame in push_all(depacketizer, packets)] == FRAMES[name]
    assert depacketizer.drops["far off"] == 1


def test_what_is_dropped_is_traced(name: str) -> None:
    sink = MemorySink()
    depacketizer = payload_format(name).depacketizer(DepacketizerConfig(trace=Trace(sink), reorder_packets=0))
    push_all(depacketizer, PACKETS[name][:1] + PACKETS[name][2:4])
    assert sink.named("frame_dropped")


@pytest.mark.parametrize("bad", [{"reorder_packets": -1}, {"reorder_packets": 5000}, {"max_frame_bytes": 0}])
def test_a_configuration_out_of_range_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        DepacketizerConfig(**bad)


@pytest.mark.parametrize("bad", [b"", 1])
def test_what_is_no_frame_is_refused_before_anything_changes(name: str, bad: bytes | int) -> None:
    packetizer = payload_format(name).packetizer()
    reference = payload_format(name)
    if isinstance(bad, int):
        with pytest.raises(InvalidArgumentError):
            reference.packetizer(bad).packetize(FRAMES[name][0])
    else:
        with pytest.raises(InvalidArgumentError):
            packetizer.packetize(bad)


def hostile(name: str, count: int) -> None:
    entropy = SeededEntropy(f"flood {name}")
    depacketizer = payload_format(name).depacketizer(DepacketizerConfig(max_frame_bytes=20_000, max_frame_packets=100))
    templates = [packet.payload for packet in PACKETS[name]] + [filler(entropy, 60) for _ in range(20)]
    payloads = [bytes([payload[0] ^ entropy.bytes(1)[0]]) + payload[1:] for payload in templates] + templates

    # Drawn once: ten thousand steps, gone through again and again from wherever the stream has come to.
    drawn = [
        (
            random_below(entropy, 5) if index % 50 else random_below(entropy, 65536),
            3000 * (index % 7 == 0),
            index % 5 == 0,
            payloads[random_below(entropy, len(payloads))],
        )
        for index in range(10_000)
    ]

    def feed(rounds: int) -> None:
        sequence = timestamp = 0
        for step, ticks, marker, payload in islice(cycle(drawn), rounds):
            sequence = (sequence + step) & 0xFFFF
            timestamp = (timestamp + ticks) & 0xFFFFFFFF
            depacketizer.push(Packet(sequence, timestamp, marker, payload))

    feed(count // 10)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    feed(count)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 1 << 20
    assert len(depacketizer._held) <= 64  # type: ignore[attr-defined]
    away = depacketizer._expected + 30_000  # type: ignore[attr-defined]
    moved = [packet._replace(sequence_number=(away + index) & 0xFFFF) for index, packet in enumerate(PACKETS[name])]
    frames = push_all(depacketizer, moved)
    assert [frame.data for frame in frames][-4:] == FRAMES[name][-4:]


def test_a_flood_of_hostile_packets_leaves_memory_bounded(name: str) -> None:
    hostile(name, 20_000)


@pytest.mark.slow
def test_a_long_flood_of_hostile_packets_leaves_memory_bounded(name: str) -> None:
    """A million for each of five formats took two minutes and more under tracemalloc."""
    hostile(name, 200_000)


def test_sequence_numbers_that_wrap_inside_a_frame_do_not_matter(name: str) -> None:
    frames = make_frames(name, [900, 900])
    packets = to_packets(frames, payload_format(name).packetizer(100), first=65533, timestamp=0xFFFFF000)
    assert [frame.data for frame in push_all(payload_format(name).depacketizer(), packets)] == frames


def test_a_packet_inside_a_frame_costs_one_call(name: str) -> None:
    frames = make_frames(name, [50_000], keys=(0,))
    packetizer = payload_format(name).packetizer(1200)
    packets = to_packets(frames, packetizer)
    depacketizer = payload_format(name).depacketizer()
    calls = count_calls(push_all, depacketizer, packets)
    assert [frame.data for frame in calls.result] == frames
    # The rest is for the frame; AV1 also takes the elements of each packet apart.
    assert calls.python <= len(packets) * (3 if name == "AV1" else 1) + 40
    assert count_calls(packetizer.packetize, frames[0]).python <= 60
