"""Dependency descriptors, alone and as a stream: what is understood is written to what means the same."""

from __future__ import annotations

from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import (
    DependencyDescriptor,
    DependencyReader,
    DependencyStructure,
    DependencyWriter,
    FrameTemplate,
)

_KEY = FrameTemplate(0, 0, (2, 2), (), (0,))
_UPPER = FrameTemplate(1, 1, (0, 1), (1,), (1,))
_STRUCTURE = DependencyStructure(
    decode_target_count=2,
    templates=(_KEY, _KEY._replace(spatial_id=1), _UPPER),
    chain_count=1,
    protected_by=(0, 0),
    resolutions=((640, 360), (1280, 720)),
)
_WRITER = DependencyWriter(_STRUCTURE)
_FIRST = _WRITER.write(1, _KEY, with_structure=True)
SEEDS: list[bytes] = [
    _FIRST,
    _WRITER.write(2, _UPPER),
    _WRITER.write(3, _UPPER._replace(indications=(3, 3), frame_diffs=(1, 17, 400), chain_diffs=(200,))),
    _WRITER.write(4, _KEY, active_decode_targets=1),
]


def fuzz_one(data: bytes) -> None:
    for structure in (None, _STRUCTURE):
        try:
            descriptor = DependencyDescriptor.parse(data, structure)
        except ParseError:
            continue
        assert DependencyDescriptor.parse(descriptor.serialize(structure), structure) == descriptor
    reader = DependencyReader()
    reader.read(_FIRST)
    for part in (data, data[:3], data[3:]):
        try:
            frame = reader.read(part)
        except ParseError:
            continue
        assert reader.structure is not None
        assert len(frame.indications) <= 32
