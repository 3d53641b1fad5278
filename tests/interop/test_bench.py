"""The benchmark between two processes: every row is measured, by this stack and by another one's adapter."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from webrtc_stack.cli.bench import rows, session
from webrtc_stack.cli.bench.pairs import run_pair
from webrtc_stack.cli.bench.summary import Results

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers.py"


@pytest.mark.parametrize("contender", session.OUR_CONTENDERS, ids=lambda one: one.name)
def test_every_row_of_two_processes_is_measured(contender: session.Contender) -> None:
    made = Results({})
    lives = list({live.mode[0]: live for live in rows.live_rows(0.1)}.values())
    session.measure_live(lives, [contender], 1, made, lambda done, steps, what: None)
    assert made.failed == {}
    assert set(made.figures) == {row.key for live in lives for row in live.rows}
    assert all(made.median(key, contender.name) is not None for key in made.figures)
    assert made.median("media/delivered 8", contender.name) == 100


@pytest.mark.parametrize(
    "mode", [("throughput", "1000", "0.2"), ("connect", "2", "trickle"), ("ping", "20"), ("media", "0.3", "20")]
)
def test_another_stack_is_driven_the_same_way(mode: tuple[str, ...]) -> None:
    if importlib.util.find_spec("aiortc") is None:
        pytest.skip("aiortc is not installed")
    ends = run_pair((sys.executable, str(PEERS), "aiortc"), *mode, timeout=40)
    assert set(ends) == {"offer", "answer"}
    if mode[0] == "throughput":
        assert ends["answer"]["messages"] == ends["answer"]["expected"] > 0
    if mode[0] == "media":
        assert 0 < ends["answer"]["packets"] <= ends["offer"]["packets"]
