"""Reading test vectors: data files under `tests/vectors`, each headed with origin and licence."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parent.parent / "vectors"


@cache
def load(name: str) -> dict[str, Any]:
    """The JSON file `name` (relative to tests/vectors), with its head checked."""
    document = json.loads((VECTORS / name).read_text())
    assert isinstance(document, dict)
    assert document["origin"], f"{name} does not say where it comes from"
    assert document["licence"], f"{name} does not name its licence"
    return document


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of a vector file."""
    return list(load(name)["cases"])


def text(name: str) -> str:
    return (VECTORS / name).read_text()


def binary(name: str) -> bytes:
    return (VECTORS / name).read_bytes()
