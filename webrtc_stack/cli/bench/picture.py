"""The results as a picture: each row a line, each contender a dot, at how many times better than our C core it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..failures import need
from .rows import GROUPS
from .summary import Results

_COLOURS = {"c": "#0b6e4f", "py": "#6bbf59"}
_OTHERS = ("#d1495b", "#edae49", "#00798c", "#8d6a9f", "#5c6b73", "#bc6c25", "#3d5a80", "#c77dff", "#7f5539")


def draw(results: Results, path: Path) -> None:
    """Writes a picture; its kind follows from the name. Errors: `CommandError` without matplotlib."""
    need("matplotlib", extra="bench")
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, NullFormatter

    panels = [
        (title, rows)
        for group, title in GROUPS.items()
        if (rows := [row for row in results.rows.values() if row.group == group and results.median(row.key, "c")])
    ]
    if not panels:
        return
    heights = [len(rows) + 1.5 for _, rows in panels]
    figure, axes = pyplot.subplots(
        len(panels), 1, figsize=(11, 0.26 * sum(heights) + 1.6), height_ratios=heights, squeeze=False, sharex=True
    )
    names = [name for name in results.contenders if name != "limits"]
    others = iter(_OTHERS * 2)
    colours = {name: _COLOURS.get(name) or next(others) for name in names}
    for axis, (title, rows) in zip(axes[:, 0], panels, strict=True):
        axis.set_title(title, loc="left", fontsize=9, fontweight="bold", pad=4)
        for line, row in enumerate(rows):
            found = {name: ratio for name in names if (ratio := results.advantage(row.key, name, "c"))}
            axis.plot([min(found.values()), max(found.values())], [line, line], color="#cccccc", zorder=1, linewidth=1)
            for name, ratio in found.items():
                axis.scatter(ratio, line, color=colours[name], zorder=3 if name == "c" else 2, s=26)
        axis.set_yticks(range(len(rows)), [row.title for row in rows], fontsize=7.5)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xscale("log")
        axis.axvline(1, color=_COLOURS["c"], linewidth=0.8, zorder=0)
        axis.grid(axis="x", color="#eeeeee", zorder=0)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
        axis.tick_params(length=0)
    axes[-1, 0].set_xlabel("times as good as this stack with its C core: further right is better", fontsize=8)
    axes[-1, 0].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[-1, 0].xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes[-1, 0].xaxis.set_minor_formatter(NullFormatter())
    _legend(figure, results, colours)
    figure.savefig(path, dpi=130, bbox_inches="tight")
    pyplot.close(figure)


def _legend(figure: Any, results: Results, colours: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    shown = [name for name in colours if any(results.median(key, name) for key in results.rows)]
    dots = [Line2D([], [], marker="o", linestyle="", color=colours[name]) for name in shown]
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    titles = [results.contenders[name] for name in shown]
    figure.legend(dots, titles, loc="lower left", bbox_to_anchor=(0, 0.985), ncols=5, fontsize=8, frameon=False)
