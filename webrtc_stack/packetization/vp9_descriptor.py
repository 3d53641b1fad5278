"""The VP9 payload descriptor and the scalability structure in it.

Spec: RFC 9628 sections 4.2, 4.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InvalidArgumentError, ParseError

I_BIT, P_BIT, L_BIT, F_BIT, B_BIT, E_BIT, V_BIT, Z_BIT = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01
_MAX_REFERENCES = 3


class Vp9GroupPicture(NamedTuple):
    """One picture of a repeating group: its temporal layer, whether one can switch up at it, what it refers to."""

    tid: int = 0
    u: bool = False
    p_diff: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vp9ScalabilityStructure:
    """The layers of a stream. `resolutions` has one (width, height) for each spatial layer, or none at all."""

    spatial_layers: int = 1
    resolutions: tuple[tuple[int, int], ...] = ()
    pictures: tuple[Vp9GroupPicture, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.spatial_layers <= 8:
            raise InvalidArgumentError(f"{self.spatial_layers} spatial layers, allowed are 1 to 8")
        if self.resolutions and len(self.resolutions) != self.spatial_layers:
            raise InvalidArgumentError(f"{len(self.resolutions)} resolutions for {self.spatial_layers} spatial layers")
        if self.pictures is not None and len(self.pictures) > 255:
            raise InvalidArgumentError(f"a group of {len(self.pictures)} pictures, allowed are 255")

    @classmethod
    def parse(cls, data: bytes, at: int = 0) -> tuple[Vp9ScalabilityStructure, int]:
        """The structure that begins at `at`, and the offset behind it. Errors: `ParseError`."""
        try:
            first = data[at]
            at += 1
            layers = (first >> 5) + 1
            resolutions: list[tuple[int, int]] = []
            if first & 0x10:
                for _ in range(layers):
                    resolutions.append((data[at] << 8 | data[at + 1], data[at + 2] << 8 | data[at + 3]))
                    at += 4
            pictures: list[Vp9GroupPicture] | None = None
            if first & 0x08:
                count = data[at]
                at += 1
                pictures = []
                for _ in range(count):
                    octet = data[at]
                    end = at + 1 + (octet >> 2 & 3)
                    if end > len(data):
                        raise IndexError
                    pictures.append(Vp9GroupPicture(octet >> 5, bool(octet & 0x10), tuple(data[at + 1 : end])))
                    at = end
        except IndexError:
            raise ParseError("truncated", offset=len(data), field="VP9 scalability structure") from None
        group = None if pictures is None else tuple(pictures)
        return cls(spatial_layers=layers, resolutions=tuple(resolutions), pictures=group), at

    def serialize(self) -> bytes:
        first = (self.spatial_layers - 1) << 5
        out = bytearray()
        if self.resolutions:
            first |= 0x10
            for width, height in self.resolutions:
                out += width.to_bytes(2, "big") + height.to_bytes(2, "big")
        if self.pictures is not None:
            first |= 0x08
            out.append(len(self.pictures))
            for picture in self.pictures:
                out.append(picture.tid << 5 | (0x10 if picture.u else 0) | len(picture.p_diff) << 2)
                out += bytes(picture.p_diff)
        return bytes((first,)) + out


class Vp9Descriptor(NamedTuple):
    """The fields by the RFC's letters; None where absent."""

    i: bool = False
    p: bool = False
    l: bool = False  # noqa: E741 - the RFC's letter
    f: bool = False
    b: bool = False
    e: bool = False
    v: bool = False
    z: bool = False
    picture_id: int | None = None
    picture_id_bits: int = 15
    tid: int | None = None
    u: bool = False
    sid: int = 0
    d: bool = False
    tl0picidx: int | None = None
    p_diff: tuple[int, ...] = ()
    ss: Vp9ScalabilityStructure | None = None

    @classmethod
    def parse(cls, data: bytes) -> tuple[Vp9Descriptor, int, int]:
        """The descriptor at the beginning of `data`, its length, and where its scalability structure begins.

        Errors: `ParseError`.
        """
        try:
            first = data[0]
            at = 1
            picture_id = tid = tl0picidx = None
            bits, sid = 15, 0
            u = d = False
            if first & I_BIT:
                picture_id = data[1]
                at = 2
                if picture_id & 0x80:
                    picture_id = (picture_id & 0x7F) << 8 | data[2]
                    at = 3
                else:
                    bits = 7
            if first & L_BIT:
                octet = data[at]
                at += 1
                tid, u, sid, d = octet >> 5, bool(octet & 0x10), octet >> 1 & 7, bool(octet & 1)
                if not first & F_BIT:
                    tl0picidx = data[at]
                    at += 1
            p_diff: tuple[int, ...] = ()
            if first & F_BIT and first & P_BIT:
                more = True
                while more:
                    if len(p_diff) == _MAX_REFERENCES:
                        raise ParseError("more than 3 reference indices", offset=at, field="VP9 payload descriptor")
                    octet = data[at]
                    at += 1
                    p_diff += (octet >> 1,)
                    more = bool(octet & 1)
        except IndexError:
            raise ParseError("truncated", offset=len(data), field="VP9 payload descriptor") from None
        ss = None
        ss_at = at
        if first & V_BIT:
            ss, at = Vp9ScalabilityStructure.parse(data, at)
        descriptor = cls(
            bool(first & I_BIT),
            bool(first & P_BIT),
            bool(first & L_BIT),
            bool(first & F_BIT),
            bool(first & B_BIT),
            bool(first & E_BIT),
            bool(first & V_BIT),
            bool(first & Z_BIT),
            picture_id,
            bits,
            tid,
            u,
            sid,
            d,
            tl0picidx,
            p_diff,
            ss,
        )
        return descriptor, at, ss_at

    def serialize(self) -> bytes:
        """The bytes of the descriptor; the flags I, L and V follow the fields that are there."""
        first = 0
        out = bytearray()
        if self.picture_id is not None:
            first |= I_BIT
            if self.picture_id_bits == 15:
                out += (0x8000 | self.picture_id).to_bytes(2, "big")
            else:
                out.append(self.picture_id)
        if self.tid is not None:
            first |= L_BIT
            out.append(self.tid << 5 | (0x10 if self.u else 0) | self.sid << 1 | self.d)
            if not self.f:
                out.append(self.tl0picidx or 0)
        if self.f and self.p:
            for index, diff in enumerate(self.p_diff):
                out.append(diff << 1 | (index < len(self.p_diff) - 1))
        if self.ss is not None:
            first |= V_BIT
            out += self.ss.serialize()
        for flag, bit in ((self.p, P_BIT), (self.f, F_BIT), (self.b, B_BIT), (self.e, E_BIT), (self.z, Z_BIT)):
            if flag:
                first |= bit
        return bytes((first,)) + out
