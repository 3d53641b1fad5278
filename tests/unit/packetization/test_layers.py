"""Temporal and spatial layers, references, parameter sets: what a loss costs where the stream tells more."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from webrtc_stack.base import SeededEntropy
from webrtc_stack.errors import InvalidArgumentError, NotSupportedError, ParseError
from webrtc_stack.packetization import (
    DepacketizerConfig,
    EncodedFrame,
    Vp9Descriptor,
    Vp9GroupPicture,
    Vp9ScalabilityStructure,
    payload_format,
)
from webrtc_stack.packetization.h264 import parse_stap_a
from webrtc_stack.packetization.obu import split_temporal_unit
from webrtc_stack.packetization.obu_payloads import join_obus

from .streams import START, Packet, av1_frame, h264_frame, leb128, make_frames, push_all, vp8_frame, vp9_frame

MODE_0: dict[str, Any] = {"packetization-mode": "0"}
ORDERED = DepacketizerConfig(reorder_packets=0)


def packets_of(pictures: Sequence[list[bytes]]) -> list[list[Packet]]:
    out: list[list[Packet]] = []
    sequence = 0
    for index, payloads in enumerate(pictures):
        out.append([])
        for at, payload in enumerate(payloads):
            out[-1].append(Packet(sequence, index * 3000, at == len(payloads) - 1, payload))
            sequence += 1
    return out


def without(pictures: list[list[Packet]], *lost: int) -> list[Packet]:
    return [packet for index, packets in enumerate(pictures) if index not in lost for packet in packets]


def indices(frames: list[EncodedFrame]) -> list[int]:
    return [frame.timestamp // 3000 for frame in frames]


def vp8_layers(tids: Sequence[int], syncs: Sequence[int] = ()) -> list[list[Packet]]:
    packetizer: Any = payload_format("VP8").packetizer()
    made = []
    for index, tid in enumerate(tids):
        made.append(packetizer.packetize(vp8_frame(index == 0, b"x" * 50), tid=tid, y=index in syncs))
    return packets_of(made)


TIDS = (0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2)


@pytest.mark.parametrize(
    ("lost", "syncs", "expected"),
    [
        # A frame of layer 2: layer 0 goes on, each layer above it waits for a sync frame of its own.
        ((3,), (6, 9), [0, 1, 2, 4, 6, 8, 9, 10, 11]),
        ((3,), (), [0, 1, 2, 4, 8]),
        ((1, 2, 3), (10,), [0, 4, 8, 10]),
        # A frame of layer 0: nothing before the next key frame.
        ((4,), (6, 10), [0, 1, 2, 3]),
        # A sync frame on the last frame of layer 0 needs nothing else.
        ((1,), (2,), [0, 2, 4, 6, 8, 10]),
    ],
)
def test_vp8_goes_on_in_the_layers_that_lost_nothing(
    lost: tuple[int, ...], syncs: tuple[int, ...], expected: list[int]
) -> None:
    frames = push_all(payload_format("VP8").depacketizer(ORDERED), without(vp8_layers(TIDS, syncs), *lost))
    assert indices(frames) == expected


def test_vp8_descriptors_count_the_frames_of_layer_0() -> None:
    frames = push_all(payload_format("VP8").depacketizer(), without(vp8_layers((0, 1, 0, 1, 0))))
    assert [frame.facts.descriptor.tl0picidx for frame in frames] == [1, 1, 2, 2, 3]
    ids = [frame.facts.descriptor.picture_id for frame in frames]
    assert [(later - earlier) & 0x7FFF for earlier, later in pairwise(ids)] == [1] * 4


def test_picture_ids_wrap() -> None:
    made: Any = payload_format("VP8")
    for bits in (7, 15):
        packetizer = made.packetizer(first_picture_id=(1 << bits) - 1, picture_id_bits=bits)
        pictures = packets_of([packetizer.packetize(frame) for frame in make_frames("VP8", [10, 10])])
        frames = push_all(made.depacketizer(), without(pictures))
        assert [frame.facts.descriptor.picture_id for frame in frames] == [(1 << bits) - 1, 0]


def test_picture_ids_begin_where_the_entropy_says() -> None:
    for name in ("VP8", "VP9"):
        made: Any = payload_format(name)
        first, second = (made.packetizer(entropy=SeededEntropy(7)).picture_id for _ in range(2))
        assert first == second


def vp9_layers(tids: Sequence[int], ups: Sequence[int] = ()) -> list[list[Packet]]:
    packetizer: Any = payload_format("VP9").packetizer()
    made = []
    for index, tid in enumerate(tids):
        made.append(packetizer.packetize(vp9_frame(index == 0, b"x" * 50), tid=tid, u=index in ups))
    return packets_of(made)


@pytest.mark.parametrize(
    ("lost", "ups", "expected"),
    [
        ((3,), (), [0, 1, 2, 4, 8]),
        ((3,), (8,), [0, 1, 2, 4, 8, 9, 10, 11]),
        ((4,), (8,), [0, 1, 2, 3]),
    ],
)
def test_vp9_goes_on_in_the_layers_that_lost_nothing(
    lost: tuple[int, ...], ups: tuple[int, ...], expected: list[int]
) -> None:
    frames = push_all(payload_format("VP9").depacketizer(ORDERED), without(vp9_layers(TIDS, ups), *lost))
    assert indices(frames) == expected


def test_vp9_in_flexible_mode_gives_out_what_refers_to_nothing_lost() -> None:
    made: Any = payload_format("VP9")
    packetizer = made.packetizer(flexible=True, first_picture_id=0x7FFE)
    references = [(1,), (1,), (2,), (1,), (2, 4), (1,), (6,), (1, 2)]
    pictures = packets_of(
        [
            packetizer.packetize(vp9_frame(index == 0, b"x" * 20), references=reference)
            for index, reference in enumerate(references)
        ]
    )
    # 1 is lost: 2 refers to 0, 3 to 2, 4 to 2 and 0, 5 to 4, 6 to 0, 7 to 6 and 5.
    assert indices(push_all(made.depacketizer(ORDERED), without(pictures, 1))) == [0, 2, 3, 4, 5, 6, 7]
    # 2 is lost: 3 and 4 refer to it, 5 to 4; 6 refers to 0; 7 to 6 and 5.
    assert indices(push_all(made.depacketizer(ORDERED), without(pictures, 2))) == [0, 1, 6]


STRUCTURE = Vp9ScalabilityStructure(
    spatial_layers=3,
    resolutions=((320, 180), (640, 360), (1280, 720)),
    pictures=(Vp9GroupPicture(0, True, (2,)), Vp9GroupPicture(1, False, (1, 2))),
)


@pytest.mark.parametrize("flexible", [False, True])
def test_vp9_spatial_layers_are_one_picture(flexible: bool) -> None:
    made: Any = payload_format("VP9")
    packetizer = made.packetizer(100, flexible=flexible, structure=STRUCTURE)
    pictures = [
        [vp9_frame(index == 0 and not sid, bytes([sid + 1]) * (90 * sid + 150)) for sid in range(3)]
        for index in range(3)
    ]
    cut = [packetizer.packetize_picture(layers) for layers in pictures]
    assert max(len(payload) for payloads in cut for payload in payloads) <= 100
    packets = packets_of(cut)
    frames = push_all(made.depacketizer(), without(packets))
    assert [frame.data for frame in frames] == [b"".join(layers) for layers in pictures]
    assert [frame.keyframe for frame in frames] == [True, False, False]
    assert frames[0].facts.descriptor.ss == STRUCTURE
    assert frames[1].facts.descriptor.ss is None
    assert [list(frame.facts.layer_sizes) for frame in frames] == [[len(one) for one in layers] for layers in pictures]
    descriptors = [Vp9Descriptor.parse(packet.payload)[0] for packet in packets[1]]
    assert [(one.sid, one.d, one.z) for one in descriptors if one.b] == [
        (0, False, False),
        (1, True, False),
        (2, True, True),
    ]
    assert sum(one.e for one in descriptors) == 3
    for lost in range(len(packets[0])):
        broken = [packet for packet in without(packets) if packet.sequence_number != lost]
        assert push_all(made.depacketizer(ORDERED), broken) == []


def test_a_vp9_key_picture_announces_its_size() -> None:
    made: Any = payload_format("VP9")
    (frame,) = push_all(made.depacketizer(), without(packets_of([made.packetizer().packetize(vp9_frame(True, b"x"))])))
    assert frame.facts.descriptor.ss == Vp9ScalabilityStructure(
        resolutions=((1920, 804),), pictures=(Vp9GroupPicture(0, True, (1,)),)
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("VP8", {"tid": 4}),
        ("VP8", {"keyidx": 32}),
        ("VP9", {"tid": 8}),
        ("VP9", {"references": ()}),
        ("VP9", {"references": (0,)}),
        ("VP9", {"references": (1, 2, 3, 4)}),
    ],
)
def test_layers_out_of_range_are_refused(name: str, options: dict[str, Any]) -> None:
    packetizer: Any = payload_format(name).packetizer()
    before = packetizer.picture_id
    with pytest.raises(InvalidArgumentError):
        packetizer.packetize(b"\x10frame", **options)
    assert packetizer.picture_id == before


# --- H.264 ----------------------------------------------------------------------------------------------------------


def test_h264_parameter_sets_share_a_packet() -> None:
    payloads = payload_format("H264").packetizer().packetize(h264_frame(True, b"x" * 3000))
    assert [unit[0] & 0x1F for unit in parse_stap_a(payloads[0])] == [7, 8]
    assert payloads[0][0] & 0x60 == 0x60, "the importance of its most important unit"
    assert {payload[0] & 0x1F for payload in payloads[1:]} == {28}
    assert [payload[1] >> 6 for payload in payloads[1:]] == [2, 0, 1]


def test_h264_mode_0_sends_single_units_only() -> None:
    made = payload_format("H264", **MODE_0)
    frame = h264_frame(True, b"x" * 50)
    payloads = made.packetizer().packetize(frame)
    assert [payload[0] & 0x1F for payload in payloads] == [7, 8, 5]
    with pytest.raises(InvalidArgumentError, match="smaller slices"):
        made.packetizer().packetize(h264_frame(True, b"x" * 1300))
    with pytest.raises(NotSupportedError):
        payload_format("H264", packetization_mode=2)


def test_h264_parameter_sets_from_signalling_go_before_key_frames_without() -> None:
    sets = [b"\x67\x42\xc0\x1f", b"\x68\xce\x3c\x80"]
    text = ",".join(base64.b64encode(one).decode() for one in sets)
    made = payload_format("H264", packetization_mode=1, sprop_parameter_sets=text)
    bare = START + b"\x65\x88" + b"x" * 50
    frames = push_all(made.depacketizer(), without(packets_of([made.packetizer().packetize(bare)] * 2)))
    assert [frame.data for frame in frames] == [START + sets[0] + START + sets[1] + bare] * 2
    with pytest.raises(InvalidArgumentError):
        payload_format("H264", sprop_parameter_sets="%%%")


def test_h264_a_key_frame_before_any_parameter_set_is_of_no_use() -> None:
    made = payload_format("H264")
    pictures = packets_of([made.packetizer().packetize(START + b"\x65\x88" + b"x" * 50)] * 2)
    depacketizer = made.depacketizer()
    assert push_all(depacketizer, without(pictures)) + depacketizer.flush() == []
    assert depacketizer.needs_keyframe
    lenient = made.depacketizer(DepacketizerConfig(wait_for_keyframe=False))
    assert indices(push_all(lenient, without(pictures))) == [0, 1]


def test_h264_a_frame_whose_first_slice_is_lost_never_comes_out() -> None:
    made = payload_format("H264")
    slices = START + b"\x41\x9a" + b"x" * 90 + START + b"\x41\x1a" + b"y" * 90
    key = h264_frame(True, b"z" * 90)
    pictures = packets_of([made.packetizer(100).packetize(one) for one in (key, slices, slices)])
    kept = [packet for packet in without(pictures) if packet.sequence_number != pictures[1][0].sequence_number]
    config = DepacketizerConfig(reorder_packets=0, wait_for_keyframe=False)
    assert indices(push_all(made.depacketizer(config), kept)) == [0, 2]


def test_h265_decoding_order_numbers_are_refused() -> None:
    with pytest.raises(NotSupportedError):
        payload_format("H265", sprop_max_don_diff=1)


# --- AV1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("size", [1, 30, 126, 127, 128, 300, 1000])
@pytest.mark.parametrize("limit", [8, 20, 100, 1200])
def test_av1_units_of_many_obus_join_again(count: int, size: int, limit: int) -> None:
    obus = [b"\x20" + bytes([index + 1]) * (size + index % 3) for index in range(count)]
    unit = b"\x12\x00" + b"".join(b"\x22" + leb128(len(obu) - 1) + obu[1:] for obu in obus)
    payloads = payload_format("AV1").packetizer(limit).packetize(unit)
    assert max(map(len, payloads)) <= limit
    assert join_obus(payloads) == obus
    sizes = [len(payload) for payload in payloads]
    if count <= 3 and limit > 8:
        # A unit that ends with its packet saves the length that was reckoned for it.
        assert max(sizes[:-1], default=0) - min(sizes[:-1], default=0) <= 3
    (frame,) = push_all(payload_format("AV1").depacketizer(), without(packets_of([payloads])))
    assert frame.data == unit


def test_av1_layers_and_types_are_told() -> None:
    unit = b"\x12\x00" + b"\x36\x48\x03\x30ab" + b"\x36\x50\x03\x30cd"
    made: Any = payload_format("AV1")
    packets = without(packets_of([made.packetizer().packetize(unit)]))
    (frame,) = push_all(made.depacketizer(), packets)
    assert frame.data == unit
    assert frame.facts == ((6, 6), 2, 2)
    (bare,) = push_all(made.depacketizer(temporal_delimiter=False), packets)
    assert bare.data == unit[2:]


def test_av1_marks_the_first_packet_of_a_coded_video_sequence() -> None:
    payloads = payload_format("AV1").packetizer(100).packetize(av1_frame(True, b"x" * 300))
    assert [payload[0] & 0x08 for payload in payloads] == [8, 0, 0, 0]
    assert [payload[0] >> 6 for payload in payloads] == [1, 3, 3, 2]
    assert not payload_format("AV1").packetizer().packetize(av1_frame(False, b"x"))[0][0] & 0x08


def test_av1_takes_a_last_obu_without_a_size_and_drops_delimiters() -> None:
    assert split_temporal_unit(b"\x12\x00\x0a\x01\x00\x30abc") == [b"\x10", b"\x08\x00", b"\x30abc"]
    for bad in (b"\x12\x00", b"\x32\x05ab", b"\xff", b"\x32\xff\xff"):
        with pytest.raises(InvalidArgumentError):
            payload_format("AV1").packetizer().packetize(bad)


@pytest.mark.parametrize("payloads", [["4003300102", "00023003"], ["80023001"], ["4003300102"], ["1030", "c00130"]])
def test_av1_fragments_that_do_not_fit_each_other_are_refused(payloads: list[str]) -> None:
    with pytest.raises(ParseError):
        join_obus([bytes.fromhex(one) for one in payloads])


# --- edges of the assembly ------------------------------------------------------------------------------------------


def test_vp8_a_sync_frame_high_up_brings_no_layer_below_it_back() -> None:
    frames = push_all(payload_format("VP8").depacketizer(ORDERED), without(vp8_layers((0, 1, 2, 1, 0), (2,)), 1))
    assert indices(frames) == [0, 2, 4]


def test_a_gap_is_given_up_exactly_when_the_window_has_passed() -> None:
    made = payload_format("VP8")
    config = DepacketizerConfig(reorder_packets=5, reorder_time=100.0, wait_for_keyframe=False)
    depacketizer = made.depacketizer(config)
    packets = without(packets_of([made.packetizer().packetize(frame) for frame in make_frames("VP8", [10] * 9)]))
    assert indices(push_all(depacketizer, [packets[0], *packets[2:7]])) == [0]
    assert indices(push_all(depacketizer, packets[7:8])) == [2, 3, 4, 5, 6, 7]
    assert push_all(depacketizer, packets[1:2]) == []
    assert depacketizer.drops["late or doubled"] == 1


def test_a_gap_is_given_up_when_timestamps_have_gone_too_far() -> None:
    made = payload_format("VP8")
    config = DepacketizerConfig(reorder_time=0.15, wait_for_keyframe=False)
    packets = without(packets_of([made.packetizer().packetize(frame) for frame in make_frames("VP8", [10] * 9)]))
    depacketizer = made.depacketizer(config)
    # 0.15 s are 13500 ticks: more than four frames behind the last one in order.
    assert indices(push_all(depacketizer, [packets[0], *packets[2:5]])) == [0]
    assert indices(push_all(depacketizer, packets[5:6])) == [2, 3, 4, 5]


def test_nothing_of_a_broken_frame_begins_another_one_under_its_timestamp() -> None:
    depacketizer = payload_format("VP8").depacketizer(DepacketizerConfig(reorder_packets=0, wait_for_keyframe=False))
    start = b"\x10" + vp8_frame(True, b"x")
    packets = [Packet(0, 0, False, start), Packet(2, 0, True, start), Packet(3, 3000, True, start)]
    assert indices(push_all(depacketizer, packets)) == [1]


def test_a_frame_that_grows_when_joined_still_keeps_its_limit() -> None:
    config = DepacketizerConfig(max_frame_bytes=100, wait_for_keyframe=False)
    depacketizer = payload_format("H264").depacketizer(config)
    assert push_all(depacketizer, [Packet(0, 0, True, b"\x18" + b"\x00\x01\x41" * 30)]) == []
    assert depacketizer.drops["frame too large"] == 1
