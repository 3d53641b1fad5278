"""What VP9's announced group of pictures, and VP8's layer sync, prove after a loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webrtc_stack.packetization import (
    EncodedFrame,
    Vp8Descriptor,
    Vp9Descriptor,
    Vp9GroupPicture,
    Vp9ScalabilityStructure,
    payload_format,
)

from .streams import Packet, push_all, vp8_frame, vp9_frame

THREE = (Vp9GroupPicture(0, True, (3,)), Vp9GroupPicture(1, True, (1,)), Vp9GroupPicture(1, True, (2,)))
"""Pictures 1 and 2 of a group build on picture 0 alone, that on the last one."""


def vp9(
    count: int, group: Sequence[Vp9GroupPicture], *, first: int = 0, tids: Sequence[int] | None = None, bits: int = 15
) -> Any:
    """One packet for each picture, with tl0picidx as the group's layers have it."""
    packets = []
    tl0picidx = 0
    for index in range(count):
        tid = (tids or [one.tid for one in group])[index % len(tids or group)]
        tl0picidx += tid == 0
        descriptor = Vp9Descriptor(
            p=index > 0,
            b=True,
            e=True,
            picture_id=(first + index) & ((1 << bits) - 1),
            picture_id_bits=bits,
            tid=tid,
            tl0picidx=tl0picidx & 0xFF,
            ss=None if index else Vp9ScalabilityStructure(pictures=tuple(group)),
        )
        packets.append(Packet(index, index * 3000, True, descriptor.serialize() + vp9_frame(index == 0, b"body")))
    return packets


def without(packets: list[Packet], *lost: int, name: str = "VP9") -> list[int]:
    depacketizer = payload_format(name).depacketizer()
    kept = [packet for index, packet in enumerate(packets) if index not in lost]
    frames: list[EncodedFrame] = push_all(depacketizer, kept) + depacketizer.flush()
    return [frame.timestamp // 3000 for frame in frames]


def all_but(count: int, *gone: int) -> list[int]:
    return [index for index in range(count) if index not in gone]


def test_a_picture_that_nothing_refers_to_costs_no_other() -> None:
    assert without(vp9(9, THREE), 4) == all_but(9, 4)
    assert without(vp9(9, THREE), 3) == [0, 1, 2]


def test_a_group_of_three_is_kept_in_step_where_picture_ids_wrap() -> None:
    """Neither 2^7 nor 2^15 is a multiple of three."""
    for packets, at in ((vp9(40, THREE, first=32750), 27), (vp9(300, THREE, first=5, bits=7), 141)):
        count = len(packets)
        for lost in (4, 5, at + 1, at + 2):
            assert without(packets, lost) == all_but(count, lost)
        assert without(packets, at) == list(range(at))


def test_references_that_would_reach_behind_the_key_picture_do_not_count() -> None:
    group = (Vp9GroupPicture(0, True, (3,)), Vp9GroupPicture(1, True, (1, 3)), Vp9GroupPicture(1, True, (2, 4)))
    assert without(vp9(6, group), 1) == [0, 2, 3]  # 4 and 5 refer to 1
    assert without(vp9(6, group), 2) == [0, 1, 3, 4, 5]


def test_a_stream_that_does_not_do_what_it_announced_is_judged_by_its_layers() -> None:
    packets = vp9(8, (Vp9GroupPicture(2, True, (2,)),) * 2, tids=(0, 1))
    assert without(packets, 1) == [0, 2, 4, 6]
    # By the group 3 would be fine, as it refers to 1; by TL0PICIDX nothing is before the next key picture.
    assert without(packets, 2) == [0, 1]


def test_a_vp8_layer_needs_the_layers_below_it_in_step() -> None:
    """Layers 0 2 1 2, where after the loss of layer 1 only layer 2 syncs."""
    tids, packets = (0, 2, 1, 2, 0, 2, 1, 2, 0, 2, 1, 2), []
    for index, tid in enumerate(tids):
        descriptor = Vp8Descriptor(
            True, picture_id=index, tl0picidx=index // 4, tid=tid, y=index in (1, 2, 5, 10), keyidx=0
        )
        packets.append(Packet(index, index * 3000, True, descriptor.serialize() + vp8_frame(index == 0, b"body")))
    # 6 does not sync, so neither it nor 7 is sure; layer 2 has to wait for layer 1, which syncs with 10.
    assert without(packets, 2, name="VP8") == [0, 1, 4, 5, 8, 10, 11]
