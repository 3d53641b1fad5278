"""The moving test picture: a sliding gradient, a wandering square, and a counter that machines can read.

Everything is made of slices of rows, so that a 720p picture costs well under a millisecond's worth of Python calls
a row and nothing a pixel. No randomness: picture n is always the same.
"""

from __future__ import annotations

from fractions import Fraction

import av

from .counter import COLUMNS, DARK, LIGHT, ROWS, cell_box, check_size, counter_cells

_CLOCK_RATE = 90_000
_RAMP = bytes(64 + (abs(level - 64) * 96 >> 6) for level in range(128))
"""One period of the gradient: a triangle of luma between 64 and 160, so that cells stand out against it."""


class TestPicture:
    """Draws numbered pictures of one size, in yuv420p.

    Units: `fps` frames a second; the timestamps are in a clock of 90 kHz.
    Errors: `InvalidArgumentError` for a size too small for the counter.
    """

    __test__ = False  # no test, whatever its name says

    def __init__(self, width: int = 640, height: int = 480, fps: float = 30.0) -> None:
        check_size(width, height)
        self.width, self.height, self.fps = width & ~1, height & ~1, fps
        self._ramp = _RAMP * (self.width // len(_RAMP) + 2)
        self._side = max(8, self.height // 8) & ~1

    def draw(self, counter: int) -> av.VideoFrame:
        """Picture number `counter`, with its time as timestamp."""
        width, height = self.width, self.height
        frame = av.VideoFrame(width, height, "yuv420p")
        plane = frame.planes[0]
        padding = bytes(plane.line_size - width)
        rows = [self._ramp[(2 * counter + y // 2) % 128 :][:width] for y in range(height)]
        self._square(rows, counter)
        self._cells(rows, counter)
        plane.update(b"".join(row + padding for row in rows))
        self._chroma(frame, counter)
        frame.pts = round(counter * _CLOCK_RATE / self.fps)
        frame.time_base = Fraction(1, _CLOCK_RATE)
        return frame

    def _square(self, rows: list[bytes], counter: int) -> None:
        side = self._side
        left = counter * 4 % (self.width - side)
        top = self.height - 2 * side
        for y in range(top, top + side):
            row = rows[y]
            rows[y] = row[:left] + b"\xd2" * side + row[left + side :]

    def _cells(self, rows: list[bytes], counter: int) -> None:
        cells = counter_cells(counter)
        for line in range(ROWS):
            boxes = [cell_box(line * COLUMNS + column, self.width, self.height) for column in range(COLUMNS)]
            strip = b"".join(
                bytes((LIGHT if cells[line * COLUMNS + column] else DARK,)) * (box[2] - box[0])
                for column, box in enumerate(boxes)
            )
            left, right = boxes[0][0], boxes[-1][2]
            for y in range(boxes[0][1], boxes[0][3]):
                rows[y] = rows[y][:left] + strip + rows[y][right:]

    def _chroma(self, frame: av.VideoFrame, counter: int) -> None:
        """A slow wash of colour everywhere but on the cells, which stay grey."""
        width, height = self.width // 2, self.height // 2
        first, last = cell_box(0, width, height), cell_box(COLUMNS * ROWS - 1, width, height)
        for number, plane in enumerate(frame.planes[1:]):
            tint = 96 + (_RAMP[(counter + 64 * number) % 128] - 64) * 2 // 3
            padding = bytes(plane.line_size - width)
            plain = bytes((tint,)) * width + padding
            neutral = plain[: first[0]] + b"\x80" * (last[2] - first[0]) + plain[last[2] :]
            above, inside = first[1], last[3] - first[1]
            plane.update(plain * above + neutral * inside + plain * (height - above - inside))
