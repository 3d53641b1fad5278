"""Does a run depend on its seed alone? Run it in several processes, each with its own PYTHONHASHSEED, and compare."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent.parent
_SCRIPT = """\
import importlib, json, sys
module, name, arguments = json.loads(sys.argv[1])
print(json.dumps(getattr(importlib.import_module(module), name)(*arguments)))
"""


def in_processes(
    function: str, *arguments: Any, hash_seeds: Sequence[str] = ("1", "4242"), timeout: float = 300
) -> list[Any]:
    """Calls `function` ("package.module:name") once in a new process for each hash seed.

    `arguments` and the result are JSON values. Returns: the results, in order.
    Errors: `AssertionError` with the child's standard error when it fails.
    """
    module, _, name = function.partition(":")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, json.dumps([module, name, arguments])],
            cwd=_ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(_ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for hash_seed in hash_seeds
    ]
    results = []
    for hash_seed, child in zip(hash_seeds, children, strict=True):
        try:
            output, errors = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise AssertionError(f"{function} did not end within {timeout} s") from None
        assert child.returncode == 0, f"{function} failed under PYTHONHASHSEED={hash_seed}:\n{errors}"
        results.append(json.loads(output.splitlines()[-1]))
    return results


def assert_replays(function: str, seed: int = 1, other_seed: int = 2) -> None:
    """`function(seed)` gives one digest in every process, and another one for another seed."""
    first, second = in_processes(function, seed)
    assert first == second, f"{function}({seed}) depends on the process: {first} and {second}"
    (other,) = in_processes(function, other_seed, hash_seeds=("1",))
    assert first != other, f"{function} says {first} for seed {seed} and for seed {other_seed}"
