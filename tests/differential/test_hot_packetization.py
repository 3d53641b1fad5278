"""Frames cut in C beside frames cut in Python: the same units, payloads and errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import hot
from webrtc_stack.packetization import cutting, nal, split

if hot.capabilities().core != "c":
    pytest.skip(f"the C core does not run here: {hot.capabilities().reason}", allow_module_level=True)
Native: Any = import_module("webrtc_stack.hot._core")

pieces = st.sampled_from([b"\0", b"\0\0", b"\0\0\1", b"\0\0\0\1", b"\1", b"\x65\x88", b"\0\0\3", b"a" * 40])
streams = st.one_of(st.lists(pieces, max_size=20).map(b"".join), st.binary(max_size=60))


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # whatever it is, it must be the same
        return type(error), str(error)


@settings(max_examples=500, deadline=None)
@given(streams, st.booleans())
def test_streams_fall_into_the_same_units(stream: bytes, begins: bool) -> None:
    stream = b"\0\0\1" * begins + stream
    assert outcome(Native.split_annex_b, stream) == outcome(nal.split_annex_b, stream)


@settings(max_examples=800, deadline=None)
@given(
    st.integers(0, 400).map(lambda size: bytes(number & 0xFF for number in range(size))),
    st.binary(max_size=12),
    st.binary(max_size=6),
    st.integers(-1, 60),
    st.sampled_from([None, "same", "longer"]),
)
def test_payloads_are_cut_alike(data: bytes, first: bytes, head: bytes, limit: int, last: str | None) -> None:
    last_head = None if last is None else bytes(len(head) + (last == "longer"))
    arguments = (data, first, head, limit, last_head)
    assert outcome(Native.split_evenly, *arguments) == outcome(split.split_evenly, *arguments)


@pytest.mark.parametrize("stream", [None, 7, "text", bytearray(b"\0\0\1abc")])
def test_other_types_are_taken_or_refused_alike(stream: Any) -> None:
    assert outcome(Native.split_annex_b, stream) == outcome(nal.split_annex_b, stream)
    assert outcome(Native.split_evenly, stream, b"", b"", 3) == outcome(split.split_evenly, stream, b"", b"", 3)
    assert outcome(Native.split_evenly, b"abcd", b"", b"", 1 << 80) == [b"abcd"]


def test_the_twins_run_where_frames_are_cut() -> None:
    assert cutting.split_annex_b is Native.split_annex_b and cutting.split_evenly is Native.split_evenly
    assert Native.split_annex_b(b"\0\0\1" + b"\x65" * 50_000) == [b"\x65" * 50_000]


def test_nothing_is_leaked() -> None:
    code = """
import resource
from webrtc_stack.packetization.cutting import split_annex_b, split_evenly
frame = (b"\\0\\0\\1" + b"a" * 3000) * 3
def work(times):
    for _ in range(times):
        split_annex_b(frame), split_evenly(frame, b"abc", b"de", 1200, b"fg")
        for wrong in (lambda: split_annex_b(b"x"), lambda: split_evenly(frame, b"", b"abc", 3)):
            try:
                wrong()
            except ValueError:
                pass
            else:
                raise SystemExit("no error")
work(2000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
work(20000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1500, "KiB grown; one leaked payload a round would be more"
