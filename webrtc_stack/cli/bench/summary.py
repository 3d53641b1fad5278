"""What was measured: by row and contender, with medians, and how it was measured."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from ... import hot
from ...version import __version__
from .rows import Figure, Row

_PACKAGES: Final = ("cryptography", "pylibsrtp", "aiortc", "uvloop", "wrtc", "pylibdatachannel")


@dataclass(slots=True)
class Results:
    """`missing`, `unable` and `failed` name in words what has no figure."""

    contenders: dict[str, str]
    """Name -> title, in the order of the table's columns."""
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    rows: dict[str, Row] = field(default_factory=dict)
    figures: dict[str, dict[str, list[Figure]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    unable: dict[str, str] = field(default_factory=dict)
    failed: dict[tuple[str, str], str] = field(default_factory=dict)

    def take(self, row: Row, contender: str, figure: Figure | str) -> None:
        """Keeps a figure, or the reason why there is none."""
        self.rows[row.key] = row
        if isinstance(figure, str):
            self.failed[row.key, contender] = figure
        else:
            self.figures.setdefault(row.key, {}).setdefault(contender, []).append(figure)

    def median(self, key: str, contender: str) -> float | None:
        figures = self.figures.get(key, {}).get(contender)
        return statistics.median(one.value for one in figures) if figures else None

    def cpu(self, key: str, contender: str) -> float | None:
        figures = [one.cpu for one in self.figures.get(key, {}).get(contender, ()) if one.cpu is not None]
        return statistics.median(figures) if figures else None

    def advantage(self, key: str, contender: str, other: str) -> float | None:
        """How many times better a contender is than another one."""
        own, its = self.median(key, contender), self.median(key, other)
        if not own or not its:
            return None
        return own / its if self.rows[key].more_is_better else its / own

    def words(self) -> list[str]:
        """What has no figure, and why."""
        said = [f"{self.contenders.get(name, name)} is missing: {why}" for name, why in self.missing.items()]
        said += [f"{self.contenders.get(name, name)}: {why}" for name, why in self.unable.items()]
        said += [
            f"{self.contenders.get(name, name)} failed at {self.rows[key].title!r}: {why}"
            for (key, name), why in self.failed.items()
        ]
        return said

    def to_json(self) -> dict[str, Any]:
        rows = []
        for key, row in self.rows.items():
            found = {}
            for name, figures in self.figures.get(key, {}).items():
                values = [one.value for one in figures]
                found[name] = {
                    "median": statistics.median(values),
                    "low": min(values),
                    "high": max(values),
                    "cpu": self.cpu(key, name),
                    "runs": [list(one) for one in figures],
                }
            rows.append({**row._asdict(), "results": found})
        return {
            "machine": self.machine,
            "contenders": self.contenders,
            "missing": self.missing,
            "unable": self.unable,
            "failed": [{"row": row, "contender": name, "why": why} for (row, name), why in self.failed.items()],
            "rows": rows,
        }


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, kernel, Python, libraries and the commit, where it is known."""
    core = hot.capabilities()
    return {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "version": __version__,
        "commit": _commit(),
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "core": core.core,
        "libcrypto": core.libcrypto,
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout that this code lies in."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # another system: its own word for it follows
    return platform.processor() or platform.machine()
