"""Numbers and tables for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from .failures import has


def size(count: float) -> str:
    """Bytes with a binary unit: `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def rate(bytes_per_second: float) -> str:
    """A rate as networks count it: bits, decimal."""
    bits = bytes_per_second * 8
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if abs(bits) < 1000:
            return f"{bits:.0f} {unit}" if unit == "bit/s" else f"{bits:.1f} {unit}"
        bits /= 1000
    return f"{bits:.2f} Gbit/s"


def duration(seconds: float | None) -> str:
    """A span of time in the unit that fits; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def printable(text: str, limit: int = 200) -> str:
    """Text of a stranger on one line: control characters as escapes, so that it cannot steer the terminal."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut)


def plain_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in columns, without any library."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    if not any(head):
        return "\n".join(drawn[1:])
    return "\n".join([drawn[0], "  ".join("-" * width for width in widths), *drawn[1:]])


def print_table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, stream: TextIO | None = None
) -> None:
    """Prints a table: drawn by rich on a terminal where it is installed, plain otherwise."""
    out = stream if stream is not None else sys.stdout
    if out.isatty() and has("rich"):
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, box=box.ROUNDED, show_header=any(head), title_style="bold", title_justify="left")
        for number, name in enumerate(head):
            table.add_column(name, style="cyan" if number == 0 else "", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(file=out).print(table)
        return
    print(title, file=out)
    print(plain_table(head, rows), file=out)
