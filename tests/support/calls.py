"""Counting calls instead of measuring time: the same figure on every machine, however busy it is."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple


class Calls(NamedTuple):
    """What running a function took. `python` are frames of the package, `native` are calls into C from anywhere."""

    python: int
    native: int
    result: Any


def count_calls(function: Callable[..., Any], *arguments: Any) -> Calls:
    """Runs `function(*arguments)` under a profile function.

    The collector rests meanwhile: it would call back whoever registered with it (Hypothesis does), at its own moment.
    """
    python = native = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal python, native
        if event == "call":
            python += "webrtc_stack" in frame.f_code.co_filename.replace("\\", "/").split("/")
        elif event == "c_call":
            native += 1

    previous = sys.getprofile()
    collecting = gc.isenabled()
    gc.disable()
    sys.setprofile(count)
    try:
        result = function(*arguments)
    finally:
        sys.setprofile(previous)
        if collecting:
            gc.enable()
    return Calls(python, native, result)
