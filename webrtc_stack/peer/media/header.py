"""Header extensions on the hot path: elements read in one call, and blocks written with a hole for what is known last.

The transport-wide sequence number and abs-send-time are known only when a packet leaves; everything else of the block
is the same for all packets of a frame. So a block is three pieces of bytes, and a packet costs one concatenation.

Spec: RFC 8285 sections 4.2, 4.3; what an identifier means is negotiation's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ...rtp import ExtensionMap, Uri

_NO_ELEMENTS: Final[dict[int, bytes]] = {}


def extension_map(ids: Mapping[int, str], *, allow_mixed: bool) -> ExtensionMap:
    """What was negotiated; identifiers that no header can carry are left out."""
    possible = {number: uri for number, uri in ids.items() if 0 < number < 256 and number != 15}
    return ExtensionMap(possible, allow_mixed=allow_mixed)


def read_elements(data: bytes) -> dict[int, bytes]:
    """The elements of a whole RTP packet's block, by identifier; what is damaged ends the list, as in `rtp`."""
    first = data[0]
    if not first & 0x10:
        return _NO_ELEMENTS
    at = 12 + 4 * (first & 15)
    if at + 4 > len(data):
        return _NO_ELEMENTS
    profile = data[at] << 8 | data[at + 1]
    end = at + 4 + 4 * (data[at + 2] << 8 | data[at + 3])
    if end > len(data):
        return _NO_ELEMENTS
    at += 4
    found: dict[int, bytes] = {}
    if profile == 0xBEDE:
        while at < end:
            head = data[at]
            at += 1
            if not head:
                continue
            after = at + (head & 15) + 1
            if head >= 0xF0 or head < 0x10 or after > end:
                break
            found[head >> 4] = data[at:after]
            at = after
    elif profile & 0xFFF0 == 0x1000:
        while at + 1 < end:
            head = data[at]
            if not head:
                at += 1
                continue
            after = at + 2 + data[at + 1]
            if after > end:
                break
            found[head] = data[at + 2 : after]
            at = after
    return found


class Block(NamedTuple):
    """An extension block: `before` [transport-wide number] [`send_time_head` abs-send-time] `rest`.

    `size` is that of the whole block in bytes, 0 for none.
    """

    before: bytes
    send_time_head: bytes
    rest: bytes
    size: int


_EMPTY: Final = Block(b"", b"", b"", 0)


class ExtensionWriter:
    """Writes the blocks of one section's packets."""

    __slots__ = (
        *("abs_send_time", "audio_level", "capture_time", "map", "mid", "orientation", "playout_delay"),
        *("repaired_rid", "rid", "transport_cc"),
    )

    def __init__(self, mapping: ExtensionMap) -> None:
        self.map = mapping
        self.mid = mapping.id(Uri.MID)
        self.rid = mapping.id(Uri.RID)
        self.repaired_rid = mapping.id(Uri.REPAIRED_RID)
        self.transport_cc = mapping.id(Uri.TRANSPORT_CC)
        self.abs_send_time = mapping.id(Uri.ABS_SEND_TIME)
        self.audio_level = mapping.id(Uri.AUDIO_LEVEL)
        self.orientation = mapping.id(Uri.VIDEO_ORIENTATION)
        self.capture_time = mapping.id(Uri.ABS_CAPTURE_TIME)
        self.playout_delay = mapping.id(Uri.PLAYOUT_DELAY)

    def block(self, elements: Sequence[tuple[int, bytes]]) -> Block:
        """A block with `elements`, and room for what this section's packets carry beside them.

        Elements that the negotiated form cannot say are left out.
        """
        mapping = self.map
        cc, send_time = self.transport_cc, self.abs_send_time
        if mapping.one_byte:
            elements = [one for one in elements if 0 < len(one[1]) <= 16 and one[0] < 15]
        if cc is None and send_time is None and not elements:
            return _EMPTY
        fixed = [number for number in (cc, send_time) if number is not None]
        two_byte = mapping.two_byte or not (
            mapping.one_byte or (all(n < 15 and 0 < len(v) <= 16 for n, v in elements) and all(n < 15 for n in fixed))
        )
        if two_byte:
            head = 2
            rest = b"".join([bytes((number, len(value))) + value for number, value in elements])
            cc_head = b"" if cc is None else bytes((cc, 2))
            time_head = b"" if send_time is None else bytes((send_time, 3))
        else:
            head = 1
            rest = b"".join([bytes((number << 4 | len(value) - 1,)) + value for number, value in elements])
            cc_head = b"" if cc is None else bytes((cc << 4 | 1,))
            time_head = b"" if send_time is None else bytes((send_time << 4 | 2,))
        size = len(rest) + (0 if cc is None else head + 2) + (0 if send_time is None else head + 3)
        rest += bytes(-size & 3)
        size = (size + 3) & ~3
        profile = 0x1000 if two_byte else 0xBEDE
        before = (profile << 16 | size >> 2).to_bytes(4, "big") + cc_head
        return Block(before, time_head, rest, size + 4)
