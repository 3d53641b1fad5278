"""NAL units in a byte stream (Annex B), as H.264 and H.265 have them alike.

Spec: ITU-T H.264 and H.265, annex B.
"""

from __future__ import annotations

from typing import Final

from ..errors import InvalidArgumentError

START_CODE: Final = b"\x00\x00\x00\x01"
_SHORT_START_CODE: Final = b"\x00\x00\x01"


def split_annex_b(stream: bytes) -> list[bytes]:
    """The NAL units of a byte stream, without start codes and the zeros around them.

    Errors: `InvalidArgumentError` if the stream does not begin with a start code, or holds no unit.
    """
    # From behind: CPython's search for the last match takes a third of the time of its search for the first one.
    units = []
    end = len(stream)
    at = stream.rfind(_SHORT_START_CODE)
    while at >= 0:
        unit = stream[at + 3 : end]
        if unit and not unit[-1]:
            unit = unit.rstrip(b"\x00")  # zeros behind a unit belong to the byte stream
        if unit:
            units.append(unit)
        end = at
        at = stream.rfind(_SHORT_START_CODE, 0, end)
    if stream.count(0, 0, end) != end or end == len(stream):
        raise InvalidArgumentError("the frame does not begin with a start code; it must be an Annex B byte stream")
    if not units:
        raise InvalidArgumentError("the frame holds no NAL unit")
    units.reverse()
    return units
