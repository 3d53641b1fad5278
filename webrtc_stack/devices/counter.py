"""A frame counter that machines read off a picture: drawn as cells large enough to survive any codec.

The picture's width is divided by 10 and its height by 7.5; that is the size of a cell, 16x16 at 160x120. The grid is
8 columns by 3 rows of cells, and its corner lies one cell right of and one cell below the picture's::

    row 0   dark  light light dark   c3  c2  c1  c0        reference cells, then the checksum
    row 1   b15   b14   b13   b12    b11 b10 b9  b8        the counter, most significant bit first
    row 2   b7    b6    b5    b4     b3  b2  b1  b0

A light cell is 1, a dark one 0. The checksum is the exclusive or of the counter's four nibbles and of 10 (binary
1010). All is relative to the picture's size, so a scaled picture is read all the same. Whoever reads averages the
middle of each cell, takes the threshold from the reference cells, and refuses a picture without contrast, with a
cell too near the threshold, or with a wrong checksum: a wrong number is worse than none.

`static/counter.js` is the same for a browser's canvas; `counter_script()` returns it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    import av

COUNTER_MODULUS = 1 << 16
"""Counters are written modulo this."""
COLUMNS, ROWS = 8, 3
CELLS_ACROSS, CELLS_DOWN = 10.0, 7.5
MINIMUM_WIDTH, MINIMUM_HEIGHT = 60, 46
"""Below this a cell has not the six pixels that codecs leave readable."""
REFERENCE = (0, 1, 1, 0)
CHECKSUM_SALT = 0b1010
DARK, LIGHT = 16, 235
"""Luma of the cells, in limited range."""
_MINIMUM_CONTRAST = 48
_MARGIN = 1 / 6
"""How near the threshold a cell may come, as a part of the contrast: half a cell's swing is 1/2."""


def checksum(counter: int) -> int:
    """The four check bits of a counter."""
    return (counter ^ counter >> 4 ^ counter >> 8 ^ counter >> 12 ^ CHECKSUM_SALT) & 0xF


def counter_cells(counter: int) -> list[int]:
    """The 24 cells of a counter, row by row: 1 is light."""
    counter %= COUNTER_MODULUS
    check = checksum(counter)
    return [*REFERENCE, *(check >> bit & 1 for bit in (3, 2, 1, 0)), *(counter >> bit & 1 for bit in range(15, -1, -1))]


def cell_box(index: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of cell `index` in a picture of that size; right and bottom are exclusive."""
    row, column = divmod(index, COLUMNS)
    across, down = width / CELLS_ACROSS, height / CELLS_DOWN
    return (
        round((column + 1) * across),
        round((row + 1) * down),
        round((column + 2) * across),
        round((row + 2) * down),
    )


def read_cells(width: int, height: int, mean: Callable[[int, int, int, int], float]) -> int | None:
    """The counter of a picture of which `mean` tells the mean luma of a box; None if there is none to be read."""
    values = []
    for index in range(COLUMNS * ROWS):
        left, top, right, bottom = cell_box(index, width, height)
        inset_x, inset_y = (right - left) // 4, (bottom - top) // 4
        values.append(mean(left + inset_x, top + inset_y, right - inset_x, bottom - inset_y))
    light = [value for value, reference in zip(values, REFERENCE, strict=False) if reference]
    dark = [value for value, reference in zip(values, REFERENCE, strict=False) if not reference]
    contrast = sum(light) / len(light) - sum(dark) / len(dark)
    threshold = (sum(light) / len(light) + sum(dark) / len(dark)) / 2
    if contrast < _MINIMUM_CONTRAST or any(abs(value - threshold) < contrast * _MARGIN for value in values):
        return None
    bits = [int(value > threshold) for value in values]
    if tuple(bits[:4]) != REFERENCE:
        return None
    number = 0
    for bit in bits[4:]:
        number = number << 1 | bit
    check, counter = number >> 16, number & 0xFFFF
    return counter if checksum(counter) == check else None


def read_counter(frame: av.VideoFrame) -> int | None:
    """The counter drawn on a decoded picture; None if there is none that can be trusted.

    Cost: any pixel format; those with a luma plane of bytes (yuv420p, nv12, ...) are read in place, others converted.
    """
    width, height = frame.width, frame.height
    if width < MINIMUM_WIDTH or height < MINIMUM_HEIGHT:
        return None
    if (
        not frame.format.name.startswith(("yuv4", "yuvj4", "nv12", "nv21", "gray"))
        or frame.format.components[0].bits != 8
    ):
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    luma, stride = memoryview(plane), plane.line_size

    def mean(left: int, top: int, right: int, bottom: int) -> float:
        rows = (sum(luma[y * stride + left : y * stride + right]) for y in range(top, bottom))
        return sum(rows) / ((right - left) * (bottom - top))

    return read_cells(width, height, mean)


def check_size(width: int, height: int) -> None:
    """Errors: `InvalidArgumentError` for a picture too small to carry a counter."""
    if width < MINIMUM_WIDTH or height < MINIMUM_HEIGHT:
        raise InvalidArgumentError(
            f"a picture of {width}x{height} is too small for a counter: at least {MINIMUM_WIDTH}x{MINIMUM_HEIGHT}"
        )


def counter_script() -> str:
    """The JavaScript that draws and reads the same counter on a canvas."""
    return (files(__package__) / "static" / "counter.js").read_text(encoding="utf-8")
