"""The test command's own judgement: what it counts, what it restores, and what the fuzzer's mutations are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load(path: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


run = load("tests/run.py", "tests_run_under_test")
fuzz = load("fuzz/run.py", "fuzz_run_under_test")


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("=========== 12 passed in 0.50s ===========", (12, 0, 0)),
        ("1 failed, 2 passed, 3 skipped, 1 error in 61.20s (0:01:01)", (2, 2, 3)),
        ("= 1 failed, 4 passed, 2 xfailed, 1 xpassed, 5 errors in 3s =", (4, 7, 2)),
        ("no tests ran in 0.01s", (0, 0, 0)),
    ],
)
def test_the_closing_line_of_pytest_is_counted(line: str, counts: tuple[int, int, int]) -> None:
    totals = run.closing_counts(line)
    assert (totals.passed, totals.failed, totals.skipped) == counts


@pytest.mark.parametrize("before", [None, "#!/bin/sh\nexit 0\n"])
def test_the_policy_against_daemons_is_taken_back(tmp_path: Path, before: str | None) -> None:
    policy = tmp_path / "policy-rc.d"
    if before is not None:
        policy.write_text(before)
        policy.chmod(0o700)
    with pytest.raises(RuntimeError), run.no_daemons(policy):
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & 0o777 == 0o755
        raise RuntimeError
    if before is None:
        assert not policy.exists()
    else:
        assert policy.read_text() == before
        assert policy.stat().st_mode & 0o777 == 0o700


def test_the_demo_command_is_read_from_the_readme() -> None:
    readme = "# x\n```sh\npython3 tests/run.py\n```\ntext\n```sh\npython3 -m venv v\n\n$ v/bin/webrtc-stack demo\n```\n"
    assert run.readme_demo_command(readme) == "python3 -m venv v\nv/bin/webrtc-stack demo"
    with pytest.raises(run.Failed):
        run.readme_demo_command("nothing")


def test_mutations_depend_on_the_seed_alone_and_differ_from_their_origin() -> None:
    origin = [b"", bytes(range(64)), b"hello world"]
    streams = [[fuzz.Mutator(origin, seed).next() for _ in range(1)] for seed in ("a", "a", "b")]
    assert streams[0] == streams[1]
    mutator = fuzz.Mutator(origin, "many")
    made = [mutator.next() for _ in range(500)]
    assert len(set(made)) > 450
    assert max(map(len, made)) <= 1 << 16
