"""The dependency descriptor: a captured stream, and the two that keep a stream's structure."""

from __future__ import annotations

import dataclasses

import pytest

from tests.support.vectors import cases
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError, ParseError
from webrtc_stack.rtp import (
    DecodeTargetIndication,
    DependencyDescriptor,
    DependencyReader,
    DependencyStructure,
    DependencyWriter,
    FrameTemplate,
)
from webrtc_stack.rtp.extensions.bits import BitReader, BitWriter

CASES = cases("rtp/dependency_descriptors.json")
NOT, DISCARDABLE, SWITCH, REQUIRED = DecodeTargetIndication

KEY = FrameTemplate(0, 0, (SWITCH, SWITCH), (), (0,))
DELTA = FrameTemplate(0, 0, (SWITCH, REQUIRED), (2,), (2,))
UPPER = FrameTemplate(0, 1, (NOT, DISCARDABLE), (1,), (1,))
L1T2 = DependencyStructure(
    decode_target_count=2, templates=(KEY, DELTA, UPPER), chain_count=1, protected_by=(0, 0), resolutions=((640, 360),)
)


def test_a_captured_stream_is_read_and_written_back() -> None:
    reader = DependencyReader()
    for case in CASES:
        data = bytes.fromhex(case["hex"])
        descriptor = DependencyDescriptor.parse(data, reader.structure)
        frame = reader.read(data)
        assert [frame.spatial_id, frame.temporal_id] == case["layer"]
        assert frame.frame_number == case["frame_number"]
        assert descriptor.serialize(reader.structure) == data
    assert reader.structure is not None
    assert len(reader.structure.templates) == 15
    assert reader.structure.resolutions == ((120, 67), (240, 135), (480, 270))
    assert reader.structure.decode_target_layers() == tuple((s, t) for s in range(3) for t in range(3))


def test_without_its_structure_a_descriptor_is_refused() -> None:
    for case in CASES[1:]:
        with pytest.raises(ParseError):
            DependencyReader().read(bytes.fromhex(case["hex"]))


def test_what_a_writer_writes_a_reader_reads() -> None:
    writer, reader = DependencyWriter(L1T2), DependencyReader()
    odd = FrameTemplate(0, 1, (NOT, REQUIRED), (3, 17, 300, 4096), (255,))
    for number, frame in ((65535, KEY), (65536, UPPER), (65537, DELTA), (65538, odd)):
        first = frame is KEY
        data = writer.write(number, frame, with_structure=first, end_of_frame=not first)
        got = reader.read(data)
        assert got.frame_number == number & 0xFFFF
        assert (got.spatial_id, got.temporal_id, got.indications, got.frame_diffs, got.chain_diffs) == frame
        assert (got.has_structure, got.end_of_frame) == (first, not first)
        assert len(data) == 3 or first or frame is odd


def test_active_decode_targets_hold_until_told_otherwise() -> None:
    writer, reader = DependencyWriter(L1T2), DependencyReader()
    assert reader.read(writer.write(0, KEY, with_structure=True)).active_decode_targets == 3
    assert reader.read(writer.write(1, UPPER, active_decode_targets=1)).active_decode_targets == 1
    assert reader.read(writer.write(2, DELTA)).active_decode_targets == 1
    assert reader.read(writer.write(3, KEY, with_structure=True)).active_decode_targets == 3


def test_another_structure_has_other_identifiers_and_an_old_one_does_not_come_back() -> None:
    writer, reader = DependencyWriter(L1T2), DependencyReader()
    old = writer.write(10, KEY, with_structure=True)
    reader.read(old)
    late = writer.write(11, UPPER)
    writer.change_structure(dataclasses.replace(L1T2, templates=(KEY, DELTA)))
    reader.read(writer.write(12, KEY, with_structure=True))
    assert reader.structure is not None
    assert reader.structure.template_id_offset == 3
    assert reader.read(old).frame_number == 10  # a late packet of the first key frame is understood
    assert reader.structure.template_id_offset == 3  # and changes nothing
    with pytest.raises(ParseError):
        reader.read(late)
    with pytest.raises(InvalidStateError):
        writer.write(13, UPPER)


@pytest.mark.parametrize(
    "change",
    [
        {"templates": ()},
        {"templates": (KEY,) * 65},
        {"templates": (UPPER,)},
        {"templates": (KEY, FrameTemplate(2, 0, (NOT, NOT), (), (0,)))},
        {"templates": (KEY._replace(indications=(SWITCH,)),)},
        {"templates": (KEY._replace(indications=(SWITCH, 4)),)},
        {"templates": (KEY._replace(frame_diffs=(17,)),)},
        {"templates": (KEY._replace(chain_diffs=(16,)),)},
        {"templates": (KEY._replace(chain_diffs=()),)},
        {"protected_by": (0, 1)},
        {"protected_by": (0,)},
        {"resolutions": ((0, 1),)},
        {"resolutions": ((1, 1), (1, 1))},
        {"decode_target_count": 33},
        {"template_id_offset": 64},
        {"chain_count": 3},
    ],
    ids=str,
)
def test_a_structure_that_cannot_be_written_is_a_usage_error(change: dict[str, object]) -> None:
    structure = dataclasses.replace(L1T2, **change)  # type: ignore[arg-type]
    descriptor = DependencyDescriptor(
        start_of_frame=True, end_of_frame=True, template_id=0, frame_number=0, structure=structure
    )
    with pytest.raises(InvalidArgumentError):
        descriptor.serialize()


def test_custom_fields_are_written_only_with_their_structure() -> None:
    bare = DependencyDescriptor(
        start_of_frame=True, end_of_frame=True, template_id=0, frame_number=0, indications=(SWITCH, SWITCH)
    )
    with pytest.raises(InvalidArgumentError):
        bare.serialize()
    assert DependencyDescriptor.parse(bare.serialize(L1T2), L1T2) == bare


@pytest.mark.parametrize("size", [*range(3), *range(4, 15)])
def test_a_cut_descriptor_is_refused(size: int) -> None:
    data = DependencyWriter(L1T2).write(0, KEY, with_structure=True)
    assert len(data) == 15
    with pytest.raises(ParseError):
        DependencyDescriptor.parse(data[:size])


def test_endless_layers_are_refused() -> None:
    for steps in ("00" * 80, "01" * 9, "10" * 5):
        bits = "1" * 8 + "0" * 16 + "10000" + "0" * 11 + steps + "11" + "0" * 400
        data = int(bits[: len(bits) // 8 * 8], 2).to_bytes(len(bits) // 8, "big")
        with pytest.raises(ParseError):
            DependencyDescriptor.parse(data)


def test_the_non_symmetric_code_is_its_own_inverse() -> None:
    for n in range(1, 34):
        for value in range(n):
            writer = BitWriter()
            writer.ns(value, n)
            writer.f(1, 1)
            reader = BitReader(writer.getvalue(), "test")
            assert (reader.ns(n), reader.flag()) == (value, True)
        with pytest.raises(InvalidArgumentError):
            BitWriter().ns(n, n)
