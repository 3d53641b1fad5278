"""Bounded big-endian reading and writing, the ground of every binary codec.

`Reader` never reads past its end: too little input is a `ParseError` with offset and field. `Writer` appends to one
bytearray and fills length prefixes in afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InvalidArgumentError, ParseError


class Reader:
    """Reads integers and byte runs from `data[start:end]`, in network order."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes | memoryview, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self.position = start
        self._end = len(data) if end is None else end

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self._end - self.position

    def __bool__(self) -> bool:
        return self.position < self._end

    def _advance(self, count: int, field: str) -> int:
        position = self.position
        if count < 0 or position + count > self._end:
            raise ParseError(
                f"{count} bytes wanted, {self._end - position} left", offset=position, field=field or "input"
            )
        self.position = position + count
        return position

    def u8(self, field: str = "") -> int:
        return self._data[self._advance(1, field)]

    def u16(self, field: str = "") -> int:
        at = self._advance(2, field)
        return self._data[at] << 8 | self._data[at + 1]

    def u24(self, field: str = "") -> int:
        at = self._advance(3, field)
        return int.from_bytes(self._data[at : at + 3], "big")

    def u32(self, field: str = "") -> int:
        at = self._advance(4, field)
        return int.from_bytes(self._data[at : at + 4], "big")

    def u48(self, field: str = "") -> int:
        at = self._advance(6, field)
        return int.from_bytes(self._data[at : at + 6], "big")

    def u64(self, field: str = "") -> int:
        at = self._advance(8, field)
        return int.from_bytes(self._data[at : at + 8], "big")

    def take(self, count: int, field: str = "") -> bytes:
        """The next `count` bytes, copied."""
        at = self._advance(count, field)
        return bytes(self._data[at : at + count])

    def skip(self, count: int, field: str = "") -> None:
        self._advance(count, field)

    def rest(self) -> bytes:
        """All that is left, copied."""
        return self.take(self._end - self.position)

    def vector8(self, field: str = "") -> bytes:
        """Bytes behind a one-byte length."""
        return self.take(self.u8(field), field)

    def vector16(self, field: str = "") -> bytes:
        """Bytes behind a two-byte length."""
        return self.take(self.u16(field), field)

    def vector24(self, field: str = "") -> bytes:
        """Bytes behind a three-byte length."""
        return self.take(self.u24(field), field)

    def sub(self, count: int, field: str = "") -> Reader:
        """A reader over the next `count` bytes, which this one skips; offsets in errors stay absolute."""
        at = self._advance(count, field)
        return Reader(self._data, at, at + count)

    def expect_end(self, field: str = "") -> None:
        """Refuses trailing bytes."""
        if self.position != self._end:
            raise ParseError(f"{self.remaining} bytes too many", offset=self.position, field=field or "input")


class Writer:
    """Appends integers and byte runs to one buffer, in network order."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    def u8(self, value: int) -> Writer:
        return self._uint(value, 1)

    def u16(self, value: int) -> Writer:
        return self._uint(value, 2)

    def u24(self, value: int) -> Writer:
        return self._uint(value, 3)

    def u32(self, value: int) -> Writer:
        return self._uint(value, 4)

    def u48(self, value: int) -> Writer:
        return self._uint(value, 6)

    def u64(self, value: int) -> Writer:
        return self._uint(value, 8)

    def _uint(self, value: int, size: int) -> Writer:
        try:
            self._buffer += value.to_bytes(size, "big")
        except OverflowError:
            raise InvalidArgumentError(f"{value} does not fit in {size} bytes") from None
        return self

    def raw(self, data: bytes | bytearray | memoryview) -> Writer:
        self._buffer += data
        return self

    def vector8(self, data: bytes) -> Writer:
        return self._uint(len(data), 1).raw(data)

    def vector16(self, data: bytes) -> Writer:
        return self._uint(len(data), 2).raw(data)

    def vector24(self, data: bytes) -> Writer:
        return self._uint(len(data), 3).raw(data)

    @contextmanager
    def length_prefix(self, size: int) -> Iterator[None]:
        """Writes a length of `size` bytes in front of what the block appends."""
        at = len(self._buffer)
        self._buffer += bytes(size)
        yield
        length = len(self._buffer) - at - size
        try:
            self._buffer[at : at + size] = length.to_bytes(size, "big")
        except OverflowError:
            raise InvalidArgumentError(f"{length} bytes do not fit behind a {size}-byte length") from None

    def pad_to(self, multiple: int, fill: int = 0) -> Writer:
        """Appends `fill` bytes until the length is a multiple of `multiple`."""
        self._buffer += bytes([fill]) * (-len(self._buffer) % multiple)
        return self

    def getvalue(self) -> bytes:
        return bytes(self._buffer)
