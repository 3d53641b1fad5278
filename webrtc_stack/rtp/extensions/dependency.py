"""The dependency descriptor: which frames a frame needs, and for whom it matters, without looking into the payload.

A sender declares a *structure* of templates once (with key frames); later frames name a template and say only what
differs. So most descriptors mean nothing without the structure before them: `DependencyReader` and `DependencyWriter`
keep it, one a stream.

Spec: RTP Payload Format For AV1 (v1.0), appendix A. Left out: nothing of the syntax; that chains and diffs tell the
truth about the frames is the sender's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from ...errors import InvalidArgumentError, InvalidStateError, ParseError
from .bits import BitReader, BitWriter

MAX_TEMPLATES: Final = 64
MAX_SPATIAL_ID: Final = 3
MAX_TEMPORAL_ID: Final = 7
_FIELD: Final = "dependency-descriptor"


class DecodeTargetIndication(IntEnum):
    """What a frame is to a decode target (table A.1)."""

    NOT_PRESENT = 0
    DISCARDABLE = 1
    SWITCH = 2
    REQUIRED = 3


class FrameTemplate(NamedTuple):
    """What frames of one kind have in common.

    `indications`: one `DecodeTargetIndication` number a decode target. `frame_diffs`: distances in frame numbers to
    the frames it depends on (1 to 16 in a structure, to 4096 for one frame). `chain_diffs`: for each chain the
    distance to the chain's last frame (0 to 15 in a structure, to 255 for one frame).
    """

    spatial_id: int
    temporal_id: int
    indications: tuple[int, ...]
    frame_diffs: tuple[int, ...] = ()
    chain_diffs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyStructure:
    """The templates of a stream.

    `templates` stand in the order of their layers: each next one has the same layer, the next temporal layer, or the
    first temporal layer of the next spatial one. `protected_by` names a chain for each decode target; empty without
    chains. `resolutions` are (width, height) a spatial layer, or empty.
    """

    template_id_offset: int = 0
    decode_target_count: int
    templates: tuple[FrameTemplate, ...]
    chain_count: int = 0
    protected_by: tuple[int, ...] = ()
    resolutions: tuple[tuple[int, int], ...] = ()

    def template(self, template_id: int) -> FrameTemplate | None:
        """The template with this identifier, or None."""
        index = (template_id - self.template_id_offset) % MAX_TEMPLATES
        return self.templates[index] if index < len(self.templates) else None

    def decode_target_layers(self) -> tuple[tuple[int, int], ...]:
        """(highest spatial, highest temporal identifier) of each decode target."""
        found = []
        for target in range(self.decode_target_count):
            mine = [template for template in self.templates if template.indications[target]]
            spatial = max((template.spatial_id for template in mine), default=0)
            found.append((spatial, max((template.temporal_id for template in mine), default=0)))
        return tuple(found)

    @property
    def all_targets(self) -> int:
        """The bitmask with every decode target active."""
        return (1 << self.decode_target_count) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyDescriptor:
    """One descriptor as on the wire. What is None is taken from the template (or, `active_decode_targets`, from the
    last descriptor that told it)."""

    start_of_frame: bool
    end_of_frame: bool
    template_id: int
    frame_number: int
    structure: DependencyStructure | None = None
    active_decode_targets: int | None = None
    indications: tuple[int, ...] | None = None
    frame_diffs: tuple[int, ...] | None = None
    chain_diffs: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, data: bytes, structure: DependencyStructure | None = None) -> DependencyDescriptor:
        """Reads a descriptor; `structure` is the last one of the stream.

        Errors: `ParseError`, also when the descriptor needs a structure and there is none, and when its template is
        not in it.
        """
        if len(data) < 3:
            raise ParseError(f"{len(data)} bytes, expected 3 or more", offset=0, field=_FIELD)
        reader = BitReader(data, _FIELD)
        start, end = reader.flag(), reader.flag()
        template_id, frame_number = reader.f(6), reader.f(16)
        own: DependencyStructure | None = None
        active: int | None = None
        indications: tuple[int, ...] | None = None
        frame_diffs: tuple[int, ...] | None = None
        chain_diffs: tuple[int, ...] | None = None
        if len(data) > 3:
            has_structure, has_active = reader.flag(), reader.flag()
            custom_dtis, custom_fdiffs, custom_chains = reader.flag(), reader.flag(), reader.flag()
            if has_structure:
                structure = own = _read_structure(reader)
            if structure is None and (has_active or custom_dtis or custom_chains):
                raise ParseError("the structure it speaks of is not known", offset=3, field=_FIELD)
            if structure is not None:
                if has_active:
                    active = reader.f(structure.decode_target_count)
                if custom_dtis:
                    indications = tuple([reader.f(2) for _ in range(structure.decode_target_count)])
            if custom_fdiffs:
                frame_diffs = _read_frame_diffs(reader)
            if structure is not None and custom_chains:
                chain_diffs = tuple([reader.f(8) for _ in range(structure.chain_count)])
        if structure is not None and structure.template(template_id) is None:
            raise ParseError(f"template {template_id} is not in the structure", offset=0, field=_FIELD)
        return cls(
            start_of_frame=start,
            end_of_frame=end,
            template_id=template_id,
            frame_number=frame_number,
            structure=own,
            active_decode_targets=active,
            indications=indications,
            frame_diffs=frame_diffs,
            chain_diffs=chain_diffs,
        )

    def serialize(self, structure: DependencyStructure | None = None) -> bytes:
        """The descriptor as bytes; `structure` as for `parse`, not needed where the descriptor carries one.

        Errors: `InvalidArgumentError`.
        """
        structure = self.structure or structure
        writer = BitWriter()
        writer.f(self.start_of_frame, 1)
        writer.f(self.end_of_frame, 1)
        writer.f(self.template_id, 6, "template_id")
        writer.f(self.frame_number, 16, "frame_number")
        custom = (self.indications, self.frame_diffs, self.chain_diffs)
        optional = (self.structure, self.active_decode_targets, *custom)
        if all(part is None for part in optional):
            return writer.getvalue()
        for part in optional:
            writer.f(part is not None, 1)
        if self.structure is not None:
            _write_structure(writer, self.structure)
        if self.active_decode_targets is not None:
            writer.f(self.active_decode_targets, _counted(structure).decode_target_count, "active_decode_targets")
        if self.indications is not None:
            _check_count(self.indications, _counted(structure).decode_target_count, "indications")
            for indication in self.indications:
                writer.f(indication, 2, "an indication")
        if self.frame_diffs is not None:
            _write_frame_diffs(writer, self.frame_diffs)
        if self.chain_diffs is not None:
            _check_count(self.chain_diffs, _counted(structure).chain_count, "chain_diffs")
            for diff in self.chain_diffs:
                writer.f(diff, 8, "a chain diff")
        return writer.getvalue()


def _counted(structure: DependencyStructure | None) -> DependencyStructure:
    if structure is None:
        raise InvalidArgumentError("this descriptor can only be written with the structure it speaks of")
    return structure


def _check_count(values: Sequence[int], count: int, what: str) -> None:
    if len(values) != count:
        raise InvalidArgumentError(f"{len(values)} {what}, the structure has {count}")


# --- the structure ----------------------------------------------------------------------------------------------------


def _read_structure(reader: BitReader) -> DependencyStructure:
    offset = reader.f(6)
    targets = reader.f(5) + 1
    layers: list[tuple[int, int]] = []
    spatial = temporal = 0
    while True:
        if len(layers) == MAX_TEMPLATES:
            raise ParseError(f"more than {MAX_TEMPLATES} templates", field=_FIELD)
        layers.append((spatial, temporal))
        step = reader.f(2)
        if step == 3:
            break
        if step == 1:
            temporal += 1
            if temporal > MAX_TEMPORAL_ID:
                raise ParseError(f"temporal layer {temporal}", field=_FIELD)
        elif step == 2:
            temporal = 0
            spatial += 1
            if spatial > MAX_SPATIAL_ID:
                raise ParseError(f"spatial layer {spatial}", field=_FIELD)
    indications = [tuple([reader.f(2) for _ in range(targets)]) for _ in layers]
    diffs = []
    for _ in layers:
        mine = []
        while reader.f(1):
            mine.append(reader.f(4) + 1)
        diffs.append(tuple(mine))
    chains = reader.ns(targets + 1)
    protected_by: tuple[int, ...] = ()
    chain_diffs: list[tuple[int, ...]] = [()] * len(layers)
    if chains:
        protected_by = tuple([reader.ns(chains) for _ in range(targets)])
        chain_diffs = [tuple([reader.f(4) for _ in range(chains)]) for _ in layers]
    resolutions: tuple[tuple[int, int], ...] = ()
    if reader.f(1):
        resolutions = tuple([(reader.f(16) + 1, reader.f(16) + 1) for _ in range(spatial + 1)])
    return DependencyStructure(
        template_id_offset=offset,
        decode_target_count=targets,
        templates=tuple(
            FrameTemplate(*layer, *rest) for layer, *rest in zip(layers, indications, diffs, chain_diffs, strict=True)
        ),
        chain_count=chains,
        protected_by=protected_by,
        resolutions=resolutions,
    )


def _write_structure(writer: BitWriter, structure: DependencyStructure) -> None:
    templates = structure.templates
    targets = structure.decode_target_count
    chains = structure.chain_count
    if not 0 < len(templates) <= MAX_TEMPLATES:
        raise InvalidArgumentError(f"a structure has 1 to {MAX_TEMPLATES} templates, not {len(templates)}")
    writer.f(structure.template_id_offset, 6, "template_id_offset")
    writer.f(targets - 1, 5, "decode_target_count - 1")
    spatial = temporal = 0
    for number, template in enumerate(templates):
        layer = (template.spatial_id, template.temporal_id)
        steps = (
            {(spatial, temporal): 0}
            if number == 0
            else {(spatial, temporal): 0, (spatial, temporal + 1): 1, (spatial + 1, 0): 2}
        )
        if layer not in steps or layer[0] > MAX_SPATIAL_ID or layer[1] > MAX_TEMPORAL_ID:
            raise InvalidArgumentError(f"template {number} of layer {layer} does not follow ({spatial}, {temporal})")
        if number:
            writer.f(steps[layer], 2)
        spatial, temporal = layer
    writer.f(3, 2)
    for template in templates:
        _check_count(template.indications, targets, "indications")
        for indication in template.indications:
            writer.f(indication, 2, "an indication")
    for template in templates:
        for diff in template.frame_diffs:
            writer.f(1, 1)
            writer.f(diff - 1, 4, "a template's frame diff - 1")
        writer.f(0, 1)
    writer.ns(chains, targets + 1, "chain_count")
    if chains:
        _check_count(structure.protected_by, targets, "protected_by")
        for chain in structure.protected_by:
            writer.ns(chain, chains, "a chain")
    for template in templates:
        _check_count(template.chain_diffs, chains, "chain_diffs")
        for diff in template.chain_diffs:
            writer.f(diff, 4, "a template's chain diff")
    writer.f(bool(structure.resolutions), 1)
    if structure.resolutions:
        if len(structure.resolutions) != spatial + 1:
            raise InvalidArgumentError(f"{len(structure.resolutions)} resolutions for {spatial + 1} spatial layers")
        for width, height in structure.resolutions:
            writer.f(width - 1, 16, "width - 1")
            writer.f(height - 1, 16, "height - 1")


def _read_frame_diffs(reader: BitReader) -> tuple[int, ...]:
    found = []
    while size := reader.f(2):
        found.append(reader.f(4 * size) + 1)
    return tuple(found)


def _write_frame_diffs(writer: BitWriter, diffs: Sequence[int]) -> None:
    for diff in diffs:
        size = 1 if diff <= 16 else 2 if diff <= 256 else 3
        writer.f(size, 2)
        writer.f(diff - 1, 4 * size, "a frame diff - 1")
    writer.f(0, 2)


# --- one stream -------------------------------------------------------------------------------------------------------


class FrameDependency(NamedTuple):
    """A descriptor with everything filled in: what a receiver or forwarder wants to know of a packet."""

    frame_number: int
    start_of_frame: bool
    end_of_frame: bool
    spatial_id: int
    temporal_id: int
    indications: tuple[int, ...]
    frame_diffs: tuple[int, ...]
    chain_diffs: tuple[int, ...]
    active_decode_targets: int
    has_structure: bool


class DependencyReader:
    """Reads the descriptors of one stream in the order of its packets, and keeps its structure.

    Packets may come out of order; then a structure older than the kept one must not replace it, so `read` compares
    frame numbers.
    """

    __slots__ = ("_active", "_structure_frame", "structure")

    def __init__(self) -> None:
        self.structure: DependencyStructure | None = None
        self._structure_frame = 0
        self._active = 0

    def read(self, data: bytes) -> FrameDependency:
        """Errors: `ParseError`, and nothing has changed."""
        descriptor = DependencyDescriptor.parse(data, self.structure)
        structure = descriptor.structure or self.structure
        if structure is None:
            raise ParseError("no structure has come yet", offset=0, field=_FIELD)
        template = structure.template(descriptor.template_id)
        if template is None:
            raise ParseError(f"template {descriptor.template_id} is not in the structure", offset=0, field=_FIELD)
        active = descriptor.active_decode_targets
        if descriptor.structure is not None:
            active = structure.all_targets if active is None else active
            age = (descriptor.frame_number - self._structure_frame) & 0xFFFF
            if self.structure is None or age < 0x8000:
                self.structure = structure
                self._structure_frame = descriptor.frame_number
                self._active = active
        elif active is not None:
            self._active = active
        else:
            active = self._active
        return FrameDependency(
            descriptor.frame_number,
            descriptor.start_of_frame,
            descriptor.end_of_frame,
            template.spatial_id,
            template.temporal_id,
            template.indications if descriptor.indications is None else descriptor.indications,
            template.frame_diffs if descriptor.frame_diffs is None else descriptor.frame_diffs,
            template.chain_diffs if descriptor.chain_diffs is None else descriptor.chain_diffs,
            active,
            descriptor.structure is not None,
        )


class DependencyWriter:
    """Writes the descriptors of one stream, each with the template that needs the fewest bits."""

    __slots__ = ("structure",)

    def __init__(self, structure: DependencyStructure) -> None:
        self.structure = structure

    def change_structure(self, structure: DependencyStructure) -> None:
        """Goes on with other templates; the next frame has to carry them.

        Their identifiers begin behind those of the old ones (appendix A.8.2: none may be used for two things).
        """
        old = self.structure
        offset = (old.template_id_offset + len(old.templates)) % MAX_TEMPLATES
        self.structure = DependencyStructure(
            template_id_offset=offset,
            decode_target_count=structure.decode_target_count,
            templates=structure.templates,
            chain_count=structure.chain_count,
            protected_by=structure.protected_by,
            resolutions=structure.resolutions,
        )

    def write(
        self,
        frame_number: int,
        frame: FrameTemplate,
        *,
        start_of_frame: bool = True,
        end_of_frame: bool = True,
        with_structure: bool = False,
        active_decode_targets: int | None = None,
    ) -> bytes:
        """The descriptor of one packet of `frame`.

        Errors: `InvalidStateError` if no template has its layer, `InvalidArgumentError` for fields out of range.
        """
        structure = self.structure
        best: tuple[int, int] | None = None
        for index, template in enumerate(structure.templates):
            if template[:2] != frame[:2]:
                continue
            cost = 0
            if template.indications != frame.indications:
                cost += 2 * structure.decode_target_count
            if template.frame_diffs != frame.frame_diffs:
                cost += 2 + sum([6 if diff <= 16 else 10 if diff <= 256 else 14 for diff in frame.frame_diffs])
            if template.chain_diffs != frame.chain_diffs:
                cost += 8 * structure.chain_count
            if best is None or cost < best[0]:
                best = (cost, index)
        if best is None:
            raise InvalidStateError(f"no template has layer {frame[:2]}; the structure lacks it")
        chosen = structure.templates[best[1]]
        return DependencyDescriptor(
            start_of_frame=start_of_frame,
            end_of_frame=end_of_frame,
            template_id=(structure.template_id_offset + best[1]) % MAX_TEMPLATES,
            frame_number=frame_number & 0xFFFF,
            structure=structure if with_structure else None,
            active_decode_targets=active_decode_targets,
            indications=None if chosen.indications == frame.indications else frame.indications,
            frame_diffs=None if chosen.frame_diffs == frame.frame_diffs else frame.frame_diffs,
            chain_diffs=None if chosen.chain_diffs == frame.chain_diffs else frame.chain_diffs,
        ).serialize(structure)
