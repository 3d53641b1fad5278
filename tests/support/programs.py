"""Programs and modules that tests talk to: skipped by name where they are missing, a failure where CI promises them."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from typing import Any, NoReturn

import pytest


def find_program(name: str) -> str:
    """The path of a program, or a skip that names it; with `CI=true` a failure."""
    path = shutil.which(name)
    return path if path is not None else missing_program(name)


def find_python_with(module: str) -> str:
    """A Python that has a module which Debian alone packages (`gi`), or a skip that names it; with `CI=true` a failure.

    That is not the interpreter which runs the tests, so what needs the module runs as a program of its own.
    """
    for path in dict.fromkeys(("/usr/bin/python3", shutil.which("python3") or "")):
        if path and os.access(path, os.X_OK):
            tried = subprocess.run([path, "-c", f"import {module}"], capture_output=True, check=False)
            if tried.returncode == 0:
                return path
    return missing_program(f"a Python with {module}")


def find_module(name: str) -> Any:
    """A module that is optional here, or a skip that names it; with `CI=true` a failure. At a file's top level too."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and broken
    return missing_program(f"the Python package {name.partition('.')[0]}")


def missing_program(name: str) -> NoReturn:
    """Skips by `name`; with `CI=true` a failure."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{name} is not installed, and CI promises it")
    pytest.skip(f"{name} is not installed", allow_module_level=True)
