"""The hot room: C twins of a few classes and functions, chosen once, when first imported. See README.md.

`WEBRTC_STACK_HOT` is `auto` (C where it was built, else Python), `c` (C, or an `ImportError` that says why not) or
`py` (Python). A room's door asks `twin(name, python)` for what it shall export; nothing else needs to know.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
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
    libcrypto: str | None
    """Version and place of the libcrypto that C uses; None where Python runs or there is none (`reason` says why)."""


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


_wish = os.environ.get(VARIABLE, "").strip().lower() or "auto"
_core, _reason = _choose(_wish)


def _find_libcrypto() -> tuple[str | None, str]:
    """What C does cryptography with, or why it does none."""
    if _core is None:
        return None, _reason
    found, text = _core._libcrypto()
    return (text, "") if found else (None, f"C does no cryptography: {text}")


_libcrypto, _no_cryptography = _find_libcrypto()


def twin(name: str, python: T, *, libcrypto: bool = False, parts: Sequence[Any] = ()) -> T:
    """The C twin of `python`, which has this name in the extension; or `python` itself where Python runs.

    `libcrypto`: the twin does cryptography, so without a libcrypto `python` serves. `parts` are the classes and
    functions of the room that the twin needs: C cannot import them, as they are above it.

    Errors: `ImportError` where C is demanded and there is no libcrypto.
    """
    _TWINS[name] = python
    if _core is None:
        return python
    if libcrypto and _libcrypto is None:
        if _wish == "c":
            raise ImportError(f"{VARIABLE}=c, but {name} cannot be had: {_no_cryptography}")
        return python
    for part in parts:
        _core._provide(part)
    found: T = getattr(_core, name)
    return found


def twins() -> Mapping[str, Any]:
    """The Python classes and functions that have a twin, by its name; those of rooms that were imported."""
    return MappingProxyType(_TWINS)


def capabilities() -> Capabilities:
    return Capabilities("py" if _core is None else "c", _reason or _no_cryptography, _libcrypto)
