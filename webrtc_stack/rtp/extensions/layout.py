"""Where the elements stand in a block, learned once for all packets that look alike.

The packets of a stream carry the same extensions in the same order; only the values differ. So a block is recognised
by one comparison: as a number, masked to what is not a value (the profile, the length, the element heads, the padding),
it equals a pattern that was read element by element before. After that each value is a slice.

Only plain blocks of the one-byte form have a layout: each identifier once, nothing damaged, no identifier 15. Others
are read anew each time by `elements`, with the same result.

Spec: RFC 8285 section 4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from .elements import ONE_BYTE_PROFILE
from .uri import Uri
from .values import AudioLevel

_HEAD: Final = ONE_BYTE_PROFILE.to_bytes(2, "big")
_MAX_RAW_BYTES: Final = 4 + 14 * 17
"""All fourteen identifiers at their longest; a longer block repeats one, or is padded beyond reason."""
_MAX_LAYOUTS: Final = 32
"""Learned for one map: every mix of extensions that a section's streams use, at each length; 5 to 10 are usual. When a
hostile peer fills the table it is emptied and learned again, which costs about as much as not having it."""


Place = tuple[slice, Callable[[bytes], Any], Callable[[Any], bytes], int, slice, slice]
"""An element in a block with its header: where it stands, how its value is read and written, its size, what is before
and behind it. A plain tuple: several are taken apart for each packet."""

Layout = Mapping[str, Place]
"""By URI. What is not in it is not in the block, or has no typed value."""

_Known = tuple[int, int, Layout]
"""A mask, what a block is under it, and the layout of such blocks."""

NOT_WRITABLE: Final = (struct.error, LookupError)
"""What the quick writers below raise for a value that has no such form. The codec knows why."""

_number: Final = int.from_bytes
_LEVELS: Final = {bytes((byte,)): AudioLevel(byte & 0x7F, byte > 0x7F) for byte in range(256)}
_BY_LEVEL: Final = {level: data for data, level in _LEVELS.items()}
_QUICK: Final[Mapping[tuple[str, int], tuple[Callable[[bytes], Any], Callable[[Any], bytes]]]] = {
    (Uri.TRANSPORT_CC, 2): (_number, struct.Struct(">H").pack),
    (Uri.AUDIO_LEVEL, 1): (_LEVELS.__getitem__, _BY_LEVEL.__getitem__),
    **{(Uri.MID, size): (bytes.decode, str.encode) for size in range(1, 17)},
}
"""The codecs of `registry` for what is in each packet, without their checks of a size that the layout knows: no call of
a Python function. `bytes.decode` gives its own error."""


class Layouts:
    """The layouts of one extension map, found by the bytes of a block with the four bytes in front of it."""

    __slots__ = ("_all", "_codecs", "_count", "_latest")

    def __init__(self, codecs: Mapping[str, tuple[int, Callable[[bytes], Any], Callable[[Any], bytes]]]) -> None:
        self._codecs = {identifier: (uri, parse, serialize) for uri, (identifier, parse, serialize) in codecs.items()}
        self._latest: dict[int, _Known] = {}
        self._all: dict[int, list[_Known]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, raw: bytes) -> Layout | None:
        """The layout of a block, learned where it is new; None where it has none. `raw` begins with the profile."""
        size = len(raw)
        known = self._latest.get(size)
        if known is None:
            return self._learn(raw)
        number = _number(raw)
        mask, pattern, layout = known
        if number & mask == pattern:
            return layout
        for known in self._all[size]:
            if number & known[0] == known[1]:
                self._latest[size] = known
                return known[2]
        return self._learn(raw)

    def _learn(self, raw: bytes) -> Layout | None:
        end = len(raw)
        if raw[:2] != _HEAD or end > _MAX_RAW_BYTES:
            return None
        mask = bytearray(b"\xff" * end)
        layout: dict[str, Place] = {}
        seen = 0
        position = 4
        while position < end:
            head = raw[position]
            position += 1
            if not head:
                continue  # padding, and it stays under the mask
            identifier, size = head >> 4, (head & 15) + 1
            after = position + size
            if identifier in (0, 15) or seen >> identifier & 1 or after > end:
                return None
            seen |= 1 << identifier
            mask[position:after] = bytes(size)
            named = self._codecs.get(identifier)
            if named is not None:
                uri, *codec = named
                parse, serialize = _QUICK.get((uri, size), codec)
                layout[uri] = (slice(position, after), parse, serialize, size, slice(position), slice(after, None))
            position = after
        if self._count >= _MAX_LAYOUTS:
            self._latest.clear()
            self._all.clear()
            self._count = 0
        masked = _number(mask)
        self._latest[end] = known = (masked, _number(raw) & masked, layout)
        self._all.setdefault(end, []).append(known)
        self._count += 1
        return layout
