"""The hot room: C twins of a few classes and functions, chosen once, when first imported. See README.md.

`WEBRTC_STACK_HOT` is `auto` (C where it was built, else Python), `c` (C, or an `ImportError` that says why not) or
`py` (Python). A room's door asks `twin(name, python)` for what it shall export; nothing else needs to know.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any, Final, NamedTuple, TypeVar

__all__ = ["VARIABLE", "Capabilities", "capabilities", "twin", "twins"]

T = TypeVar("T")

VARIABLE: Final = "WEBRTC_STACK_HOT"
_WISHES: Final = ("auto", "c", "py")
_TWINS: dict[str, Any] = {}


class Capabilities(NamedTuple):
    """Which core runs: `c` or `py`, and why if it is not the one that is faster."""

    core: str
    reason: str


def _choose(wish: str) -> tuple[ModuleType | None, str]:
    """The extension, or why it does not run. Errors: `ImportError` where it is wanted and cannot be had."""
    if wish not in _WISHES:
        raise ImportError(f"{VARIABLE} is one of {', '.join(_WISHES)}, got {wish!r}")
    if wish == "py":
        return None, f"{VARIABLE}=py"
    try:
        return import_module(f"{__name__}._core"), ""
    except ImportError as error:
        if wish == "c":
            raise ImportError(f"{VARIABLE}=c, but the C core cannot be loaded: {error}") from error
        return None, f"the C core was not built, or not for this Python: {error}"


_core, _reason = _choose(os.environ.get(VARIABLE, "").strip().lower() or "auto")


def twin(name: str, python: T) -> T:
    """The C twin of `python`, which has this name in the extension; or `python` itself where Python runs."""
    _TWINS[name] = python
    found: T = python if _core is None else getattr(_core, name)
    return found


def twins() -> Mapping[str, Any]:
    """The Python classes and functions that have a twin, by its name; those of rooms that were imported."""
    return MappingProxyType(_TWINS)


def capabilities() -> Capabilities:
    return Capabilities("py" if _core is None else "c", _reason)
