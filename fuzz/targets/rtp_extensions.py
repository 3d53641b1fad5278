"""Every codec of a header extension's value: a value or a `ParseError`, and the value comes back from its bytes.

The first byte of the input chooses the codec; an element has at most 255 bytes.
"""

from __future__ import annotations

from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import CODECS

_CODECS = list(CODECS.values())
_VALUES = (
    *("30", "6869", "61", "ffffff", "ff", "007f", "0f", "65341e", "0102", "01028003", "010100", "00" * 16, "01"),
    *("03000100020003000400050006", "0910091103e8000584d03e8033c286c41d4c0bb83d13404203e80190"),
    *("a1149601f0019003d005b009013f00b31e027f01671e04ff02cf1e", "601010109601d005b009013f00b31e04ff02cf1e"),
)
SEEDS: list[bytes] = [bytes((index,)) + bytes.fromhex(value) for index in range(len(_CODECS)) for value in _VALUES]


def fuzz_one(data: bytes) -> None:
    if not data:
        return
    codec = _CODECS[data[0] % len(_CODECS)]
    try:
        value = codec.parse(data[1:256])
    except ParseError:
        return
    assert codec.parse(codec.serialize(value)) == value
