"""Programs that tests talk to: skipped by name where they are missing, a failure where CI promises them."""

from __future__ import annotations

import os
import shutil

import pytest


def find_program(name: str) -> str:
    """The path of a program, or a skip that names it; with `CI=true` a failure."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{name} is not installed, and CI promises it")
    pytest.skip(f"{name} is not installed")
