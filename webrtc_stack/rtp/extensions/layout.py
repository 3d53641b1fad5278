"""Where the elements stand in a block, learned once for all packets that look alike.

The packets of a stream carry the same extensions in the same order; only the values differ. So a block is recognised
by one comparison: as a number, masked to what is not a value (the profile, the length, the element heads, the padding),
it equals a pattern that was read element by element before. After that each value is a slice. An element that is set
anew is put behind the last one, and what the block looks like then is known by the layout that it had before.

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
from .values import AudioLevel, serialize_u24

_HEAD: Final = ONE_BYTE_PROFILE.to_bytes(2, "big")
_MAX_RAW_BYTES: Final = 4 + 14 * 17
"""All fourteen identifiers at their longest; a longer block repeats one, or is padded beyond reason."""
_MAX_LAYOUTS: Final = 32
"""Learned for one map: every mix of extensions that a section's streams use, at each length; 5 to 10 are usual."""
_PATIENCE: Final = 1000
"""Blocks without a layout that a full table bears before it is emptied and learned again: learning takes three times as
long as reading the elements, and a hostile peer could ask for it with each packet."""


Place = tuple[slice, Callable[[bytes], Any], Callable[[Any], bytes], int, slice, slice]
"""An element in a block with its header: where it stands, how its value is read and written, its size, what is before
and behind it. A plain tuple: several are taken apart for each packet."""

_MAX_GROWTHS: Final = 32
"""Remembered for one layout: each extension that is ever put behind it, at each size; one or two are usual."""


class Layout(dict[str, Place]):
    """Places by URI. What is not in it is not in the block, or has no typed value."""

    __slots__ = ("end", "grown")

    def __init__(self) -> None:
        super().__init__()
        self.end = 4
        """Where the last element ends; padding may follow."""
        self.grown: dict[tuple[str, int], Growth] = {}
        """By URI and size of the value."""


Growth = tuple[bytes, slice, bytes, bytes, Layout]
"""How a block takes one more element: its new header, which of its old bytes stay, the element's head, the padding
behind its value, and the new layout."""

_Known = tuple[int, int, Layout]
"""A mask, what a block is under it, and the layout of such blocks."""

NOT_WRITABLE: Final = (struct.error, LookupError)
"""What the quick writers below raise for a value that has no such form. The codec knows why."""

_number: Final = int.from_bytes
_LEVELS: Final = {bytes((byte,)): AudioLevel(byte & 0x7F, byte > 0x7F) for byte in range(256)}
_BY_LEVEL: Final = {level: data for data, level in _LEVELS.items()}
_QUICK: Final[Mapping[tuple[str, int], tuple[Callable[[bytes], Any], Callable[[Any], bytes]]]] = {
    (Uri.TRANSPORT_CC, 2): (_number, struct.Struct(">H").pack),
    (Uri.ABS_SEND_TIME, 3): (_number, serialize_u24),
    (Uri.AUDIO_LEVEL, 1): (_LEVELS.__getitem__, _BY_LEVEL.__getitem__),
    **{(Uri.MID, size): (bytes.decode, str.encode) for size in range(1, 17)},
}
"""The codecs of `registry` for what is in each packet, without their checks of a size that the layout knows: no call of
a Python function. `bytes.decode` gives its own error."""


class Layouts:
    """The layouts of one extension map, found by the bytes of a block with the four bytes in front of it."""

    __slots__ = ("_all", "_codecs", "_count", "_from_nothing", "_identifiers", "_latest", "_missed")

    def __init__(
        self,
        codecs: Mapping[str, tuple[int, Callable[[bytes], Any], Callable[[Any], bytes]]],
        *,
        from_nothing: bool = True,
    ) -> None:
        """`from_nothing` is whether a packet's first element begins a block of the one-byte form."""
        self._from_nothing = from_nothing
        self._identifiers = {uri: identifier for uri, (identifier, _, _) in codecs.items()}
        self._codecs = {identifier: (uri, parse, serialize) for uri, (identifier, parse, serialize) in codecs.items()}
        self._latest: dict[int, _Known] = {}
        self._all: dict[int, list[_Known]] = {}
        self._count = self._missed = 0

    def __len__(self) -> int:
        return self._count

    def find(self, raw: bytes) -> Layout | None:
        """The layout of a block, learned where it is new; None where it has none. `raw` begins with the profile, or is
        empty where there is no block."""
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
        if (raw[:2] != _HEAD or end > _MAX_RAW_BYTES) if raw else not self._from_nothing:
            return None
        if self._count >= _MAX_LAYOUTS:
            self._missed += 1
            if self._missed < _PATIENCE:
                return None
            self._latest.clear()
            self._all.clear()
            self._count = self._missed = 0
        mask = bytearray(b"\xff" * end)
        layout = Layout()
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
            layout.end = position = after
        masked = _number(mask)
        self._latest[end] = known = (masked, _number(raw) & masked, layout)
        self._all.setdefault(end, []).append(known)
        self._count += 1
        return layout

    def grow(self, layout: Layout, raw: bytes, uri: str, data: bytes) -> Growth | None:
        """How `raw`, a block of `layout`, takes `data` as one more element; None where that changes its form."""
        identifier, size = self._identifiers[uri], len(data)
        if identifier > 14 or not 0 < size <= 16:
            return None
        end = layout.end + 1 + size
        padding = bytes(-end & 3)
        header = _HEAD + ((end + len(padding) - 4) // 4).to_bytes(2, "big")
        old, element = slice(4, layout.end), bytes((identifier << 4 | size - 1,))
        found = self.find(header + raw[old] + element + data + padding)
        if found is None:
            return None
        if len(layout.grown) >= _MAX_GROWTHS:
            layout.grown.clear()
        growth = layout.grown[uri, size] = (header, old, element, padding, found)
        return growth
