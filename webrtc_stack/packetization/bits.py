"""Reading bits, most significant first, as bitstream headers have them."""

from __future__ import annotations

from ..errors import ParseError


class BitReader:
    """Reads unsigned numbers of any width from the beginning of `data`. Errors: `ParseError` past the end."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        left = self._left - count
        if left < 0:
            raise ParseError("truncated", field="bitstream header")
        self._left = left
        return self._value >> left & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.read(1))
