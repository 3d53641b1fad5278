"""`webrtc-stack bench`: how fast this stack is on this machine, beside libraries that do the same work.

Every contender has a process of its own; they take turns, row by row, and medians count. The C core and pure Python
are both shown. What is not installed is named as missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from ..failures import CommandError
from . import picture, table
from .rows import GROUPS, in_process_rows, live_rows
from .session import LIBRARIES, OUR_CONTENDERS, Progress, measure_in_process, measure_live
from .summary import Results

_EPILOG: Final = """examples:
  webrtc-stack bench
  webrtc-stack bench --only srtp --only media
  webrtc-stack bench --json figures.json --picture figures.png

Beside libsrtp and aiortc where they are installed: pip install 'webrtc-stack[bench]'"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = __doc__
    parser.epilog = _EPILOG
    parser.add_argument("--only", action="append", choices=tuple(GROUPS), help="this group of rows; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender in its own process (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything here; - prints only that")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it (PNG, SVG or PDF); needs matplotlib")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


def run(options: argparse.Namespace) -> int:
    if options.rounds < 1:
        raise CommandError(f"--rounds is at least 1, got {options.rounds}", code=2)
    wanted = frozenset(options.only or GROUPS)
    contenders = [*OUR_CONTENDERS, *LIBRARIES]
    results = Results({one.name: one.title for one in contenders})
    if options.json != Path("-"):
        for name, value in results.machine.items():
            print(f"{name:>12}  {value}")
    tell = progress()
    rows = [row for row in in_process_rows() if row.group in wanted]
    lives = [live for live in live_rows() if live.rows[0].group in wanted]
    if rows:
        measure_in_process(rows, contenders, options.rounds, 0.05, results, tell)
    if lives:
        measure_live(lives, contenders, 1, results, tell)
    tell(1, 1, "")
    report(results, as_json=options.json, to_picture=options.picture, as_markdown=options.markdown)
    return 1 if results.failed else 0


def report(results: Results, *, as_json: Path | None, to_picture: Path | None, as_markdown: bool) -> None:
    """Shows the results, and writes them where they are wanted."""
    if as_json == Path("-"):
        print(json.dumps(results.to_json(), indent=1))
    else:
        print("\n" + (table.markdown(results) if as_markdown else table.text(results)))
        if as_json is not None:
            as_json.write_text(json.dumps(results.to_json(), indent=1) + "\n")
    if to_picture is not None:
        picture.draw(results, to_picture)


def progress() -> Progress:
    """A line that is overwritten; nothing where nobody looks."""
    seen = sys.stderr.isatty()

    def tell(done: int, steps: int, what: str) -> None:
        if seen:
            text = f"{100 * done // max(1, steps):3} %  {what[:100]}" if what else ""
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    return tell
