"""Bursts of RTP packets in C beside Python: the same packets, bytes, errors and numbers."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import hot
from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri, bursts, packets
from webrtc_stack.rtp.packet import RtpPacket as Python

if hot.capabilities().core != "c":
    pytest.skip(f"the C core does not run here: {hot.capabilities().reason}", allow_module_level=True)
Native: Any = import_module("webrtc_stack.hot._core")

SOURCE = ExtensionMap({1: Uri.AUDIO_LEVEL, 2: Uri.ABS_SEND_TIME, 3: Uri.TRANSPORT_CC, 4: Uri.MID})
TARGETS = [
    ExtensionMap({5: Uri.MID, 3: Uri.AUDIO_LEVEL, 14: Uri.TRANSPORT_CC}),
    ExtensionMap({5: Uri.MID}),
    ExtensionMap({}),
    ExtensionMap({20: Uri.MID, 3: Uri.AUDIO_LEVEL}),
    ExtensionMap({20: Uri.MID, 3: Uri.AUDIO_LEVEL, 2: Uri.TRANSPORT_CC}, allow_mixed=True),
]
blocks = st.sampled_from(
    [bytes.fromhex(one) for one in ("", "bede00023112344030000000", "bede000110852200", "bede000100000000")]
    + [bytes.fromhex(one) for one in ("bede000130413042", "bede0001f0110000", "100000020301ff0401420000")]
    + [bytes.fromhex(one) for one in ("12340001deadbeef", "bede00013f112233", "bede0000")]
)


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    block = draw(blocks)
    csrcs = draw(st.sampled_from([0, 0, 1, 3]))
    padding = draw(st.sampled_from([b"", b"", b"\x01", b"\0\0\x03", b"\xff"]))
    first = 0x80 | (0x10 if block else 0) | (0x20 if padding else 0) | csrcs
    header = bytes((first, draw(st.integers(0, 255)))) + draw(st.binary(min_size=10, max_size=10))
    whole = header + bytes(4 * csrcs) + block + draw(st.binary(max_size=5)) + padding
    return whole[: draw(st.sampled_from([len(whole)] * 6 + [11, 17]))]


def plain(values: list[Any]) -> list[Any]:
    return [(type(one), str(one)) if isinstance(one, Exception) else one for one in values]


@settings(max_examples=300, deadline=None)
@given(st.lists(datagrams(), max_size=6), st.sampled_from([None, SOURCE]), st.sampled_from([None, *TARGETS]))
def test_bursts_are_parsed_and_written_alike(burst: list[bytes], mapping: Any, target: Any) -> None:
    native, python = Native.parse_many(burst, mapping), bursts.parse_many(burst, mapping)
    assert len(native) == len(python) == len(burst)
    for one, other in zip(native, python, strict=True):
        if isinstance(other, ParseError):
            assert plain([one]) == plain([other])
        else:
            assert type(one) is RtpPacket and type(other) is Python
            assert one.serialize() == other.serialize() and one.extension_map is mapping
    whole = [one for one in native if not isinstance(one, ParseError)]
    others = [one for one in python if not isinstance(one, ParseError)]
    assert Native.serialize_many(whole, target) == bursts.serialize_many(others, target)
    assert Native.serialize_many(others, target) == bursts.serialize_many(others, target)


@settings(max_examples=800, deadline=None)
@given(
    st.lists(datagrams(), max_size=6),
    st.sampled_from([None, *TARGETS]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 0, 0xFFFFFFFF]),
    st.integers(0, 0xFFFF),
    st.integers(0, 6),
)
def test_headers_are_rewritten_alike(
    burst: list[bytes], target: Any, with_mid: bool, count: bool, ssrc: int | None, start: int, cut: int
) -> None:
    values: dict[str, Any] = {Uri.MID: "video"} if with_mid and target is not None and Uri.MID in target else {}
    maps = None if target is None else (SOURCE, target)
    plan = bursts.plan_of(ssrc, {96: 97}, 65_535, 0xFFFFFFF0, maps, values, Uri.TRANSPORT_CC if count else None)
    expected, after = bursts.rewrite_headers(plan, burst, start)
    made, number = Native.rewrite_headers(plan, burst, start)
    assert (plain(made), number) == (plain(expected), after)
    one, number = Native.rewrite_headers(plan, burst[:cut], start)
    other, number = Native.rewrite_headers(plan, burst[cut:], number)
    assert (plain(one + other), number) == (plain(expected), after)


def outcome(function: Any, *arguments: Any) -> Any:
    """What comes of it; of an error the kind is enough, as words of Python's own differ."""
    try:
        return plain(function(*arguments))
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("burst", [None, 7, [None], [b"", 5], ["x"]])
def test_other_types_are_refused_alike(burst: Any) -> None:
    plan = bursts.plan_of(None, {}, 0, 0, None, {}, None)
    for name in ("parse_many", "serialize_many"):
        assert outcome(getattr(Native, name), burst) == outcome(getattr(bursts, name), burst)
    python = outcome(lambda: bursts.rewrite_headers(plan, burst, 0)[0])
    assert outcome(lambda: Native.rewrite_headers(plan, burst, 0)[0]) == python


def test_the_twins_run_where_bursts_are_handled() -> None:
    for name in ("parse_many", "serialize_many", "rewrite_headers"):
        assert getattr(packets, name) is getattr(Native, name)


def test_nothing_is_leaked() -> None:
    code = """
import resource
from webrtc_stack.rtp import ExtensionMap, HeaderRewrite, Uri, parse_many, serialize_many
data = bytes.fromhex("90e01234000102030a0b0c0dbede00023112344030000000") + bytes(1100)
foreign = bytes.fromhex("90e01234000102030a0b0c0d123400010a0b0c0d") + bytes(1100)
source, target = ExtensionMap({3: Uri.TRANSPORT_CC, 4: Uri.MID}), ExtensionMap({5: Uri.MID, 7: Uri.TRANSPORT_CC})
rewrite = HeaderRewrite(ssrc=7, maps=(source, target), values={Uri.MID: "v"}, transport_sequence_number=0)
def work(times):
    for _ in range(times):
        made = parse_many([data, b"short", foreign], source)
        serialize_many([made[0], made[2]])
        rewrite.rewrite_many([data, b"short", foreign])
work(2000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
work(20000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1500, "KiB grown; one leaked packet a round would be more"
