"""`bench`: every row is measured, ratios say what they should, and what has no figure is named."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from webrtc_stack import cli
from webrtc_stack.cli import bench
from webrtc_stack.cli.bench import opponents, picture, rows, session, table, tasks
from webrtc_stack.cli.bench.rows import Figure, Row
from webrtc_stack.cli.bench.summary import Results

FAST = Row("channel/1", "fast", "MB/s", True, "CPU s/GB")
SHORT = Row("rtp/1", "short", "µs")


def results() -> Results:
    made = Results({"c": "ours", "libsrtp": "theirs", "other": "another"})
    for value in (10.0, 30.0, 20.0):
        made.take(FAST, "c", Figure(value, value / 10))
    made.take(FAST, "libsrtp", Figure(5.0, 4.0))
    made.take(SHORT, "c", Figure(0.5, 0.5))
    made.take(SHORT, "libsrtp", Figure(2.0, 2.0))
    made.take(SHORT, "other", "it fell over")
    made.missing["other"] = "not installed"
    return made


def test_every_row_of_one_process_has_a_task_that_runs() -> None:
    wanted = {row.key for row in rows.in_process_rows()}
    found = {task.row: task for task in [*tasks.our_tasks(), *opponents.limit_tasks()]}
    assert set(found) == wanted
    for task in found.values():
        task.prepare()()
        assert task.operations > 0


@pytest.mark.parametrize("name", ["libsrtp", "aiortc"])
def test_opponents_do_rows_that_exist(name: str) -> None:
    pytest.importorskip({"libsrtp": "pylibsrtp"}.get(name, name))
    made = opponents.CONTENDERS[name]()
    assert {task.row for task in made} <= {row.key for row in rows.in_process_rows()}
    for task in made:
        task.prepare()()


def test_a_timing_is_that_of_one_operation() -> None:
    runs = []
    task = tasks.Task("row", 1000, lambda: lambda: runs.append(sum(range(10_000))))
    timing = tasks.timed(task, 0.0)
    assert len(runs) == 3
    assert 0 < timing.wall < 1e-3


def test_more_or_less_is_better_as_the_row_says() -> None:
    made = results()
    assert made.median(FAST.key, "c") == 20.0
    assert made.cpu(FAST.key, "c") == 2.0
    assert made.advantage(FAST.key, "c", "libsrtp") == 4.0
    assert made.advantage(SHORT.key, "c", "libsrtp") == 4.0
    assert made.advantage(SHORT.key, "libsrtp", "c") == 0.25
    assert made.advantage(SHORT.key, "other", "c") is None


def test_tables_show_figures_and_name_what_has_none() -> None:
    text = table.text(results())
    assert "20.00 (2.00)" in text and "0.500" in text and "failed" in text
    assert "another is missing: not installed" in text
    assert "another failed at 'short': it fell over" in text
    assert table.markdown(results()).count("|---|") == 2


def test_json_has_every_run() -> None:
    report = json.loads(json.dumps(results().to_json()))
    fast = next(row for row in report["rows"] if row["key"] == FAST.key)
    assert fast["results"]["c"]["runs"] == [[10.0, 1.0], [30.0, 3.0], [20.0, 2.0]]
    assert (fast["results"]["c"]["low"], fast["results"]["c"]["high"]) == (10.0, 30.0)
    assert report["machine"]["python"] and report["failed"][0]["why"] == "it fell over"


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture.draw(results(), tmp_path / "figures.png")
    assert (tmp_path / "figures.png").read_bytes().startswith(b"\x89PNG")


def test_contenders_take_turns_in_processes_of_their_own() -> None:
    made = Results({})
    asked: list[str] = []
    missing = session.Contender(name="gone", title="gone", worker="no such contender")
    chosen = [row for row in rows.in_process_rows() if row.key == "rtp/relay"]
    session.measure_in_process(
        chosen, [session.OUR_CONTENDERS[1], missing], 2, 0.0, made, lambda done, steps, what: asked.append(what)
    )
    assert asked == [chosen[0].title] * 2
    assert len(made.figures["rtp/relay"]["py"]) == 2
    assert "KeyError" in made.missing["gone"]


def test_a_live_contender_that_fails_is_named_and_asked_once() -> None:
    made = Results({})
    (ping,) = (live for live in rows.live_rows() if live.mode[0] == "ping")
    broken = session.Contender(name="broken", title="broken", end=("sh", "-c", "echo it broke >&2; exit 1", "sh"))
    lame = session.Contender(name="lame", title="lame", end=("false",), modes=frozenset(), unable="it has no channels")
    session.measure_live([ping], [broken, lame], 2, made, lambda done, steps, what: None)
    assert made.failed == {("channel/ping", "broken"): "it broke"}
    assert made.unable == {"lame": "it has no channels"}
    assert made.figures == {}


def test_the_command_measures_a_group_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--only", "limits", "--rounds", "1", "--json", str(tmp_path / "it.json")]) == 0
    assert "copying 1,200 B" in capsys.readouterr().out
    assert {row["key"] for row in json.loads((tmp_path / "it.json").read_text())["rows"]} == {
        row.key for row in rows.in_process_rows() if row.group == "limits"
    }
    assert cli.main(["bench", "--rounds", "0"]) == 2


def test_json_alone_is_printed_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    bench.report(results(), as_json=Path("-"), to_picture=None, as_markdown=False)
    assert json.loads(capsys.readouterr().out)["contenders"]["c"] == "ours"
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    assert parser.parse_args(["--only", "srtp", "--only", "rtp"]).only == ["srtp", "rtp"]
