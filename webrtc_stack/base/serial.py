"""Sequence numbers that wrap: RFC 1982 comparison, and unwrapping at the door.

Inside a machine numbers are unwrapped once and then compared with plain `<`; only codecs see the wrapped form.

Spec: RFC 1982 sections 3.1, 3.2.
"""

from __future__ import annotations


def serial_less(a: int, b: int, bits: int) -> bool:
    """True if `a` comes before `b` on a circle of 2**bits. At exactly half the circle neither comes first."""
    half = 1 << (bits - 1)
    distance = (b - a) & ((1 << bits) - 1)
    return 0 < distance < half


class Unwrapper:
    """Turns wrapped numbers into ever-growing ones, each taken as the one nearest to the highest seen.

    The first number starts at `2**bits + value`, so that a somewhat earlier one stays positive.
    """

    __slots__ = ("_half", "_mask", "_size", "highest")

    def __init__(self, bits: int) -> None:
        self._size = 1 << bits
        self._mask = self._size - 1
        self._half = self._size >> 1
        self.highest: int | None = None

    def peek(self, value: int) -> int:
        """What `unwrap` would return, without taking note of it: for numbers not authenticated yet."""
        highest = self.highest
        if highest is None:
            return self._size + (value & self._mask)
        distance = (value - highest) & self._mask
        if distance >= self._half:
            distance -= self._size
        return highest + distance

    def unwrap(self, value: int) -> int:
        unwrapped = self.peek(value)
        if self.highest is None or unwrapped > self.highest:
            self.highest = unwrapped
        return unwrapped
