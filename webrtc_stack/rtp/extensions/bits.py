"""Reading and writing bits, the highest first."""

from __future__ import annotations

from ...errors import InvalidArgumentError, ParseError


class BitReader:
    """Reads from `data`; past its end is a `ParseError`."""

    __slots__ = ("_bits", "_left", "_size", "field")

    def __init__(self, data: bytes, field: str) -> None:
        self._bits = int.from_bytes(data, "big")
        self._size = self._left = len(data) * 8
        self.field = field

    @property
    def left(self) -> int:
        """How many bits are left."""
        return self._left

    def f(self, count: int) -> int:
        """`count` bits as a number."""
        left = self._left - count
        if left < 0:
            raise ParseError(f"{count} bits wanted, {self._left} left", offset=self._size // 8, field=self.field)
        self._left = left
        return self._bits >> left & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.f(1) == 1

    def ns(self, n: int) -> int:
        """A number below `n` in the non-symmetric code (AV1 section 4.10.7)."""
        width = n.bit_length()
        short = (1 << width) - n
        value = self.f(width - 1)
        if value < short:
            return value
        return (value << 1) - short + self.f(1)


class BitWriter:
    """Collects bits."""

    __slots__ = ("_bits", "_size")

    def __init__(self) -> None:
        self._bits = 0
        self._size = 0

    def f(self, value: int, count: int, what: str = "a field") -> None:
        if not 0 <= value < 1 << count:
            raise InvalidArgumentError(f"{what} has {count} bits, {value} does not fit")
        self._bits = self._bits << count | value
        self._size += count

    def ns(self, value: int, n: int, what: str = "a field") -> None:
        if not 0 <= value < n:
            raise InvalidArgumentError(f"{what} is 0 to {n - 1}, not {value}")
        width = n.bit_length()
        short = (1 << width) - n
        if value < short:
            self.f(value, width - 1)
        else:
            self.f(value + short, width)

    def getvalue(self) -> bytes:
        """All bits, zero bits behind them up to a whole byte."""
        size = (self._size + 7) // 8
        return (self._bits << size * 8 - self._size).to_bytes(size, "big")
