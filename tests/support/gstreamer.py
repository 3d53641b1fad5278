"""GStreamer elements as an oracle: buffers in, buffers out, in a program of Debian's own Python."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import pytest

from .programs import find_program, find_python_with, missing_program

_PROGRAM = Path(__file__).with_name("gstreamer_program.py")


class Buffer(NamedTuple):
    """`pts` is in nanoseconds."""

    pts: int
    data: bytes


class GStreamer:
    """One such program, for as many pipelines as wanted; a context manager. Skips where it cannot be."""

    def __enter__(self) -> GStreamer:
        find_program("gst-launch-1.0")
        # What pipelines log of broken packets is not the test's business.
        self._process = subprocess.Popen(
            [find_python_with("gi"), str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)  # the end of its input ends it

    def need(self, *elements: str, promised: bool = True) -> None:
        """Skips, by name, where this GStreamer lacks an element.

        With `CI=true` a missing one is a failure if it is `promised`: part of the packages that CI installs.
        """
        found = self._ask({"find": elements})
        missing = [name for name in elements if not found[name]]
        if missing and promised:
            missing_program(f"GStreamer's {', '.join(missing)}")
        if missing:
            pytest.skip(f"this GStreamer has no {', '.join(missing)}")

    def run(self, elements: str, caps: str, buffers: Sequence[Buffer]) -> list[Buffer]:
        """What comes out of `elements` when `buffers` of the type `caps` go in, until the end of the stream."""
        answer = self._ask(
            {"launch": elements, "caps": caps, "buffers": [(one.pts, one.data.hex()) for one in buffers]}
        )
        return self._buffers(answer)

    def messages(self, elements: str, caps: str, buffers: Sequence[Buffer]) -> list[dict[str, Any]]:
        """What `elements` post on the bus, likewise."""
        answer = self._ask(
            {"launch": elements, "caps": caps, "buffers": [(one.pts, one.data.hex()) for one in buffers]}
        )
        self._buffers(answer)
        posted: list[dict[str, Any]] = answer["messages"]
        return posted

    def tones(self, elements: str, tones: Sequence[int]) -> list[Buffer]:
        """What a source of telephone events sends for `tones`, in real time."""
        return self._buffers(self._ask({"launch": elements, "tones": list(tones)}))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def _buffers(self, answer: dict[str, Any]) -> list[Buffer]:
        assert not answer["error"], answer["error"]
        return [Buffer(pts, bytes.fromhex(data)) for pts, data in answer["buffers"]]
