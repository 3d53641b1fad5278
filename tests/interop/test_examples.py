"""Every example runs by itself, prints something and ends by itself. Some of them open sockets on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from webrtc_stack import examples

PAGES = sorted(path.stem for path in Path(examples.__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def run_page(page: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"webrtc_stack.examples.{page}", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={key: value for key, value in os.environ.items() if key not in ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE")},
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs_and_says_something(page: str) -> None:
    assert len(run_page(page).splitlines()) >= 2


def test_the_table_of_the_readme_names_every_page() -> None:
    readme = (Path(examples.__file__).parent / "README.md").read_text()
    assert [page for page in PAGES if f"`{page}`" not in readme] == []


def test_the_simulated_call_is_the_same_every_time() -> None:
    assert run_page("simulated_call") == run_page("simulated_call")


def test_the_voice_agent_is_interrupted_and_reads_keys_the_same_every_time() -> None:
    first = run_page("voice_agent_by_seed")
    assert "agent: is interrupted" in first and "agent: key 5" in first
    assert first == run_page("voice_echo_agent")


@pytest.mark.parametrize(("container", "codec"), [("mp4", "h264"), ("mkv", "vp8")])
def test_the_recorder_asks_for_what_its_files_can_hold(container: str, codec: str) -> None:
    assert f"call1.{container} holds {codec}, opus" in run_page("recorder", "--format", container)
