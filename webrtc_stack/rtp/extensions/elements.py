"""The header extension block of one packet: elements by identifier, kept raw until somebody asks.

Spec: RFC 3550 section 5.3.1, RFC 8285 sections 4.1.2, 4.2, 4.3. A block of another profile is kept as its bytes.
Damaged elements end the list, as identifier 15 does (section 4.2): what came before counts, the packet is not lost,
and an untouched block is written back byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from ...errors import InvalidArgumentError

ONE_BYTE_PROFILE: Final = 0xBEDE
TWO_BYTE_PROFILE: Final = 0x1000
"""The four bits below are the appbits."""

MAX_BLOCK_BYTES: Final = 0xFFFF * 4
_HEAD: Final = struct.Struct(">HH")


def parse_one_byte(block: bytes) -> dict[int, bytes]:
    """Elements of the one-byte form. Of an identifier that comes twice the last one counts."""
    elements: dict[int, bytes] = {}
    position, end = 0, len(block)
    while position < end:
        head = block[position]
        position += 1
        if not head:
            continue  # padding
        identifier = head >> 4
        after = position + (head & 15) + 1
        if identifier == 15 or not identifier or after > end:
            break
        elements[identifier] = block[position:after]
        position = after
    return elements


def parse_two_byte(block: bytes) -> dict[int, bytes]:
    """Elements of the two-byte form; empty ones count."""
    elements: dict[int, bytes] = {}
    position, end = 0, len(block) - 1
    while position < end:
        identifier = block[position]
        if not identifier:
            position += 1
            continue
        after = position + 2 + block[position + 1]
        if after > end + 1:
            break
        elements[identifier] = block[position + 2 : after]
        position = after
    return elements


class HeaderExtensions:
    """The extension block of a packet: a mapping from local identifier (1 to 255) to the element's bytes.

    `profile` is None where the packet has no block; `data` are the block's bytes. Identifiers and values are written
    in the one-byte form where all of them fit (1 to 14, 1 to 16 bytes) and the block was not of the two-byte form.
    """

    __slots__ = ("_data", "_elements", "_profile")

    def __init__(
        self, elements: Mapping[int, bytes] | None = None, *, two_byte: bool = False, appbits: int = 0
    ) -> None:
        self._profile: int | None = TWO_BYTE_PROFILE | appbits if two_byte or appbits else None
        self._data: bytes | None = None if elements else b""
        self._elements: dict[int, bytes] | None = {}
        if not 0 <= appbits <= 15:
            raise InvalidArgumentError(f"appbits are 0 to 15, not {appbits}")
        for identifier, value in (elements or {}).items():
            self[identifier] = value

    @classmethod
    def from_block(cls, profile: int | None, data: bytes) -> HeaderExtensions:
        """The block with this `profile` and these bytes (a multiple of four), elements unread until asked for."""
        if profile is not None and not 0 <= profile <= 0xFFFF:
            raise InvalidArgumentError(f"a profile has 16 bits, not {profile:#x}")
        if len(data) & 3 or len(data) > MAX_BLOCK_BYTES:
            raise InvalidArgumentError(f"a block is a multiple of 4 up to {MAX_BLOCK_BYTES} bytes, not {len(data)}")
        made = cls.__new__(cls)
        made._profile = profile
        made._data = data
        made._elements = None
        return made

    @classmethod
    def of_packet(cls, raw: bytes) -> HeaderExtensions:
        """From what a parsed packet holds, `raw` of another one: right by construction, so unchecked."""
        made = cls.__new__(cls)
        made._profile = raw[0] << 8 | raw[1] if raw else None
        made._data = raw[4:]
        made._elements = None
        return made

    @property
    def raw(self) -> bytes:
        """The block with its profile and length in front, as a packet has it; empty where there is none."""
        profile, data = self.block()
        return b"" if profile is None else _HEAD.pack(profile, len(data) >> 2) + data

    @property
    def profile(self) -> int | None:
        """What stands in front of the block: 0xBEDE, 0x1000 to 0x100F, another number, or None for no block."""
        return self.block()[0]

    @property
    def data(self) -> bytes:
        """The block behind its profile and length, padded to words."""
        return self.block()[1]

    @property
    def appbits(self) -> int:
        """The four application bits of the two-byte form."""
        profile = self.block()[0]
        return profile & 15 if profile is not None and profile & 0xFFF0 == TWO_BYTE_PROFILE else 0

    @property
    def elements(self) -> Mapping[int, bytes]:
        """All elements by identifier, in the order of the packet; empty for a block of another profile."""
        elements = self._elements
        return elements if elements is not None else self._read()

    def _read(self) -> dict[int, bytes]:
        profile = self._profile
        data = self._data or b""
        if profile == ONE_BYTE_PROFILE:
            elements = parse_one_byte(data)
        elif profile is not None and profile & 0xFFF0 == TWO_BYTE_PROFILE:
            elements = parse_two_byte(data)
        else:
            elements = {}
        self._elements = elements
        return elements

    def block(self) -> tuple[int | None, bytes]:
        """(profile, bytes) as they are written. Errors: `InvalidArgumentError` when the elements are too many."""
        data = self._data
        if data is not None:
            return self._profile, data
        elements = self._elements or {}
        out = bytearray()
        profile = self._profile
        if not elements:
            profile = None
        elif profile is None or profile == ONE_BYTE_PROFILE:
            profile = ONE_BYTE_PROFILE
            for identifier, value in elements.items():
                size = len(value)
                if identifier > 14 or not 0 < size <= 16:
                    profile = TWO_BYTE_PROFILE
                    break
                out.append(identifier << 4 | size - 1)
                out += value
        if profile is not None and profile != ONE_BYTE_PROFILE:
            out = bytearray()
            for identifier, value in elements.items():
                out.append(identifier)
                out.append(len(value))
                out += value
        out += bytes(-len(out) & 3)
        self._profile = profile
        self._data = data = bytes(out)
        return profile, data

    def get(self, identifier: int) -> bytes | None:
        """The element's bytes, or None."""
        elements = self._elements
        return (elements if elements is not None else self._read()).get(identifier)

    def __getitem__(self, identifier: int) -> bytes:
        return self.elements[identifier]

    def put(self, identifier: int, value: bytes) -> None:
        """`self[identifier] = value` for an identifier and a size that were checked before."""
        elements = self._elements
        if elements is None:
            elements = self._read()
        profile = self._profile
        if profile is not None and profile != ONE_BYTE_PROFILE and profile & 0xFFF0 != TWO_BYTE_PROFILE:
            raise InvalidArgumentError(f"a block of profile {profile:#06x} has no elements")
        elements[identifier] = value
        self._data = None

    def __setitem__(self, identifier: int, value: bytes) -> None:
        if not 0 < identifier < 256 or (identifier == 15 and self._profile == ONE_BYTE_PROFILE):
            raise InvalidArgumentError(f"identifiers are 1 to 14, or 1 to 255 in the two-byte form, not {identifier}")
        if len(value) > 255:
            raise InvalidArgumentError(f"an element has at most 255 bytes, not {len(value)}")
        self.put(identifier, value)

    def __delitem__(self, identifier: int) -> None:
        elements = self._elements if self._elements is not None else self._read()
        del elements[identifier]
        self._data = None

    def __contains__(self, identifier: object) -> bool:
        return identifier in self.elements

    def __iter__(self) -> Iterator[int]:
        return iter(self.elements)

    def __len__(self) -> int:
        return len(self.elements)

    def __bool__(self) -> bool:
        """True if there is a block, even one without elements."""
        return self.block()[0] is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HeaderExtensions):
            return NotImplemented
        profile, data = self.block()
        other_profile, other_data = other.block()
        if profile != other_profile:
            return False
        return data == other_data or (bool(self.elements) and self.elements == other.elements)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def copy(self) -> HeaderExtensions:
        """An independent copy."""
        made = HeaderExtensions.__new__(HeaderExtensions)
        made._profile = self._profile
        made._data = self._data
        made._elements = None if self._elements is None else dict(self._elements)
        return made

    def __repr__(self) -> str:
        profile, data = self.block()
        if profile is None:
            return "HeaderExtensions()"
        shown = {identifier: value.hex() for identifier, value in self.elements.items()} or data.hex()
        return f"HeaderExtensions({profile:#06x}, {shown})"
