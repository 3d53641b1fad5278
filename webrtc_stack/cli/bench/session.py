"""Contenders take turns over all rows; what they reach is kept. A contender that is missing, or fails, is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...hot import VARIABLE
from .pairs import OURS, PairError, run_pair
from .rows import Figure, Live, Row
from .summary import Results

Progress = Callable[[int, int, str], None]
"""Takes the steps done, all steps, and what is being done."""
Prefixes = tuple[Sequence[str], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A stack, or this one under one of its cores.

    `worker` is its name for `worker.py`, or "" if it does nothing in one process; `end` is the command of one end, up
    to the stack's name, or empty. `missing` says why it cannot take part.
    """

    name: str
    title: str
    worker: str = ""
    end: Sequence[str] = ()
    modes: frozenset[str] | None = None
    """The modes that `end` serves; None for all. What a stack cannot do is left empty, as `unable` says."""
    unable: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""


OUR_CONTENDERS = (
    Contender(name="c", title="ours, C core", worker="ours", end=OURS, environment={VARIABLE: "c"}),
    Contender(name="py", title="ours, pure Python", worker="ours", end=OURS, environment={VARIABLE: "py"}),
)
LIBRARIES = (
    Contender(name="libsrtp", title="libsrtp (pylibsrtp)", worker="libsrtp"),
    Contender(name="aiortc", title="aiortc", worker="aiortc"),
    Contender(name="limits", title="machine", worker="limits"),
)


class Worker:
    """A contender's process that waits for rows to measure."""

    def __init__(self, contender: Contender) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "webrtc_stack.cli.bench.worker", contender.worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **contender.environment},
        )
        self.rows: frozenset[str] = frozenset()
        self.missing = ""
        said = self._answer()
        self.rows, self.missing = frozenset(said.get("rows", ())), said.get("missing", "")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        assert self._process.stderr is not None
        words = self._process.stderr.read().strip().splitlines()
        return {"missing": words[-1] if words else "its process ended early"}

    def measure(self, row: str, seconds: float) -> Figure | str:
        """Microseconds of an operation, or why there are none."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"row": row, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "missing" in answer:
            self.rows = frozenset()
            return str(answer["missing"])
        return Figure(answer["wall"] * 1e6, answer["cpu"] * 1e6)

    def end(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._process.stderr.close()


def measure_in_process(
    rows: Sequence[Row], contenders: Sequence[Contender], runs: int, seconds: float, results: Results, tell: Progress
) -> None:
    """Every contender's own process measures every row it has, `seconds` long, `runs` times, in turns."""
    workers = {one.name: Worker(one) for one in contenders if one.worker and not one.missing}
    for name, worker in workers.items():
        if worker.missing:
            results.missing[name] = worker.missing
    steps = runs * len(rows)
    for run in range(runs):
        for index, row in enumerate(rows):
            tell(run * len(rows) + index, steps, row.title)
            for name, worker in workers.items():
                if row.key in worker.rows:
                    results.take(row, name, worker.measure(row.key, seconds))
    for worker in workers.values():
        worker.end()


def measure_live(
    lives: Sequence[Live],
    contenders: Sequence[Contender],
    runs: int,
    results: Results,
    tell: Progress,
    prefixes: Prefixes = ((), ()),
) -> None:
    """Two processes of each contender do each measurement `runs` times, contenders in turns. One that fails is not
    asked again for the same row.
    """
    able = [one for one in contenders if one.end and not one.missing and one.name not in results.missing]
    failed: set[tuple[str, tuple[str, ...]]] = set()
    steps = runs * len(lives) * len(able)
    done = 0
    for _ in range(runs):
        for live in lives:
            for one in able:
                tell(done, steps, f"{live.rows[0].title}: {one.title}")
                done += 1
                if one.modes is not None and live.mode[0] not in one.modes:
                    if one.unable:
                        results.unable[one.name] = one.unable
                    continue
                if (one.name, live.mode) in failed:
                    continue
                try:
                    ends = run_pair(one.end, *live.mode, environment=one.environment, prefixes=prefixes)
                    figures: Sequence[Figure | str] = live.figures(ends)
                except (PairError, ArithmeticError, KeyError) as error:
                    failed.add((one.name, live.mode))
                    figures = [f"{error}"] * len(live.rows)
                for row, figure in zip(live.rows, figures, strict=True):
                    results.take(row, one.name, figure)
