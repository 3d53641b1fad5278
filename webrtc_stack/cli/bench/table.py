"""The results as tables: for a terminal, or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from ..wording import plain_table
from .rows import GROUPS, Row
from .summary import Results

OURS = ("c", "py")


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return "–"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def groups(results: Results) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Title, head and lines of each group that has figures."""
    for group, title in GROUPS.items():
        rows = [row for row in results.rows.values() if row.group == group]
        names = [name for name in results.contenders if any(results.median(row.key, name) for row in rows)]
        if not names:
            continue
        others = [name for name in names if name not in OURS]
        head = ["", *(results.contenders[name] for name in names)]
        compared = bool(others) and "c" in names
        if compared:
            head.append("C core, times the best other")
        lines = []
        for row in rows:
            cells = [_title(row), *(_cell(results, row, name) for name in names)]
            if compared:
                cells.append(_against_the_best(results, row, others))
            lines.append(cells)
        yield title, head, lines


def _title(row: Row) -> str:
    unit = f", {row.unit}" if row.group not in ("srtp", "rtp", "packetization") else ""
    cpu = f" ({row.cpu_unit})" if row.cpu_unit else ""
    return f"{row.title}{unit}{cpu}"


def _cell(results: Results, row: Row, name: str) -> str:
    if (row.key, name) in results.failed and results.median(row.key, name) is None:
        return "failed"
    text = number(results.median(row.key, name))
    cpu = results.cpu(row.key, name)
    return f"{text} ({number(cpu)})" if row.cpu_unit and cpu is not None else text


def _against_the_best(results: Results, row: Row, others: list[str]) -> str:
    found = [ratio for name in others if (ratio := results.advantage(row.key, "c", name)) is not None]
    return f"{min(found):.2g}" if found else "–"


def text(results: Results) -> str:
    parts = [f"{title}\n{plain_table(head, lines)}" for title, head, lines in groups(results)]
    return "\n\n".join([*parts, *results.words()])


def markdown(results: Results) -> str:
    parts = []
    for title, head, lines in groups(results):
        table = [f"| {title[0].upper()}{title[1:]} | " + " | ".join(head[1:]) + " |"]
        table.append("|---|" + "---:|" * (len(head) - 1))
        table += ["| " + " | ".join(cells) + " |" for cells in lines]
        parts.append("\n".join(table))
    return "\n\n".join([*parts, *(f"- {one}" for one in results.words())])
