"""Frames cut in C beside frames cut in Python: the same units, payloads and errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import hot
from webrtc_stack.cli.bench.workloads import frame_of
from webrtc_stack.packetization import (
    DepacketizerConfig,
    cutting,
    h264,
    h265,
    nal,
    nal_payloads,
    obu_payloads,
    packet_run,
    payload_format,
    split,
)
from webrtc_stack.rtp import RtpPacket

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


LAYOUTS = {"H264": (h264._LAYOUT, h264._aggregate), "H265": (h265._LAYOUT, h265._aggregate)}
small = st.binary(max_size=6)
payload_starts = st.sampled_from(
    [bytes.fromhex(one) for one in ("6588", "7c85", "7c05", "7c45", "7cc5", "78000167", "2601", "620193", "620113")]
    + [bytes.fromhex(one) for one in ("620153", "6201d3", "60010002", "00", "1c", "1f", "")]
)


@settings(max_examples=1200, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), st.lists(st.tuples(payload_starts, small).map(b"".join), max_size=8))
def test_payloads_make_the_same_byte_stream(name: str, payloads: list[bytes]) -> None:
    layout = LAYOUTS[name][0]
    assert outcome(Native.join_annex_b, layout, payloads) == outcome(nal_payloads.join_annex_b, layout, payloads)


@settings(max_examples=800, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), streams, st.booleans(), st.integers(0, 60))
def test_byte_streams_make_the_same_payloads(name: str, stream: bytes, begins: bool, limit: int) -> None:
    layout, aggregate = LAYOUTS[name]
    stream = b"\0\0\1\x26" * begins + stream
    made = outcome(nal_payloads.pack_annex_b, layout, stream, limit, aggregate)
    assert outcome(Native.pack_annex_b, layout, stream, limit, aggregate) == made
    if isinstance(made, list):
        assert outcome(Native.join_annex_b, layout, made) == outcome(nal_payloads.join_annex_b, layout, made)


@settings(max_examples=800, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([b"", b"ab", b"aB", b"a"]), small).map(b"".join), max_size=6),
    st.integers(-1, 8),
    st.sampled_from([b"", b"ab"]),
    st.sampled_from([None, b"", b"aB", b"longer"]),
)
def test_what_stands_behind_heads_is_joined_alike(payloads: list[bytes], at: int, head: bytes, last: Any) -> None:
    arguments = (payloads, at, head, last)
    assert outcome(Native.join_behind, *arguments) == outcome(split.join_behind, *arguments)


obus = st.tuples(st.sampled_from([b"\x08", b"\x30", b"\x34\x20", b"\x10", b"\x40", b"\x32\x01", b"\x0a"]), small)


@settings(max_examples=1200, deadline=None)
@given(st.lists(obus.map(b"".join), max_size=6), st.integers(0, 40), st.data())
def test_obus_are_cut_and_joined_alike(elements: list[bytes], limit: int, data: st.DataObject) -> None:
    if limit >= 8 and elements:  # below, Python's own loop need not end; the packetizer refuses such limits
        made = outcome(obu_payloads.cut_obus, elements, limit)
        assert outcome(Native.cut_obus, elements, limit) == made
    else:
        made = elements
    if made and data.draw(st.booleans()):
        number = data.draw(st.integers(0, len(made) - 1))
        change = data.draw(st.sampled_from(["lost", "doubled", "short", "flag"]))
        one = made[number]
        made[number : number + 1] = {
            "lost": [],
            "doubled": [one, one],
            "short": [one[:-1]],
            "flag": [bytes((one[0] ^ 0x40,)) + one[1:]],
        }[change]
    for prefix in (b"", b"\x12\0"):
        expected = outcome(obu_payloads.join_temporal_unit, made, prefix)
        assert outcome(Native.join_temporal_unit, made, prefix) == expected


def test_many_payloads_and_units_need_memory_of_their_own() -> None:
    units = b"".join(b"\0\0\1" + bytes((0x41, number & 0x7F | 1)) for number in range(500))
    layout, aggregate = LAYOUTS["H264"]
    payloads = nal_payloads.pack_annex_b(layout, units, 9, aggregate)
    assert len(payloads) > 128
    assert Native.pack_annex_b(layout, units, 9, aggregate) == payloads
    assert Native.join_annex_b(layout, payloads) == nal_payloads.join_annex_b(layout, payloads)
    elements = [b"\x30" + bytes((number & 0xFF,)) for number in range(500)]
    cut = obu_payloads.cut_obus(elements, 12)
    assert Native.cut_obus(elements, 12) == cut
    assert Native.join_temporal_unit(cut) == obu_payloads.join_temporal_unit(cut)
    assert Native.join_behind([b"abc"] * 500, 1, b"ab") == split.join_behind([b"abc"] * 500, 1, b"ab")


class Frames:
    """What a depacketizer does with a packet that is not the usual, in few words; written down is all it is given."""

    _run: list[bytes]
    _run_bytes: int
    _expected: int
    _timestamp: int
    _held: dict[int, Any]

    def _push(self, packet: Any) -> list[Any]:
        self.told = [*getattr(self, "told", ()), packet]
        self._run = [] if packet.marker else [packet.payload]
        self._run_bytes = sum(map(len, self._run))
        self._expected = (packet.sequence_number + 1) & 0xFFFF
        self._timestamp = packet.timestamp
        self._held = {7: packet} if packet.payload == b"held" else {}
        return [packet.sequence_number] if packet.marker else []


class InPython(Frames, packet_run.PacketRun):
    """The specification."""


class InC(Frames, Native.PacketRun):  # type: ignore[misc]
    """The twin."""


def state_of(run: Any) -> Any:
    names = ("_run", "_run_bytes", "_expected", "_timestamp", "_held", "_packets", "_max_bytes", "_max_packets")
    return [getattr(run, name) for name in names], getattr(run, "told", [])


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 1, 1, 1, 0, 2, -1]),
            st.sampled_from([0, 0, 0, 0, 3000]),
            st.sampled_from([False, False, False, True]),
            st.sampled_from([b"", b"abc", b"abc", b"abc", b"held"]),
        ),
        max_size=40,
    ),
    st.integers(0, 40),
    st.booleans(),
)
def test_runs_of_packets_are_taken_alike(steps: list[tuple[int, int, bool, bytes]], cut: int, native: bool) -> None:
    config = DepacketizerConfig(max_frame_bytes=20, max_frame_packets=5)
    runs: list[Any] = [InPython(config), InC(config), InC(config)]
    sequence, timestamp, packets = 65_530, 0, []
    make: Any = RtpPacket if native else Packet
    for step, later, marker, payload in steps:
        sequence, timestamp = (sequence + step) & 0xFFFF, timestamp + later
        packets.append(make(sequence_number=sequence, timestamp=timestamp, marker=marker, payload=payload))
    frames = [[frame for packet in packets for frame in run.push(packet)] for run in runs[:2]]
    assert runs[2].push_many(packets[:cut]) + runs[2].push_many(packets[cut:]) == frames[0] == frames[1]
    assert state_of(runs[0]) == state_of(runs[1]) == state_of(runs[2])


class Packet(NamedTuple):
    sequence_number: Any
    timestamp: Any
    marker: Any
    payload: Any


@pytest.mark.parametrize("packet", [object(), Packet("1", 0, False, b"x"), Packet(1, 0, False, None), None])
def test_what_is_no_packet_is_an_error_in_both(packet: Any) -> None:
    for kind in (InPython, InC):
        run = kind(DepacketizerConfig())
        run.push(Packet(0, 0, False, b"first"))
        with pytest.raises((AttributeError, TypeError)):
            run.push(packet)


def test_a_run_needs_a_configuration() -> None:
    kinds: list[Any] = [packet_run.PacketRun, Native.PacketRun]
    for kind in kinds:
        with pytest.raises((TypeError, AttributeError)):
            kind()
        with pytest.raises((TypeError, AttributeError)):
            kind(7)


@pytest.mark.parametrize("name", ["H264", "H265", "VP8", "VP9", "AV1"])
def test_frames_go_through_c_and_come_back(name: str) -> None:
    form = payload_format(name)
    frame = frame_of(name, 30_000)
    payloads = form.packetizer(1200).packetize(frame)
    packets: list[Any] = [
        RtpPacket(sequence_number=65_530 + at & 0xFFFF, marker=at == len(payloads) - 1, payload=payload)
        for at, payload in enumerate(payloads)
    ]
    (one,) = form.depacketizer().push_many(packets)
    assert one.data == frame


@pytest.mark.parametrize("stream", [None, 7, "text", bytearray(b"\0\0\1abc")])
def test_other_types_are_taken_or_refused_alike(stream: Any) -> None:
    assert outcome(Native.split_annex_b, stream) == outcome(nal.split_annex_b, stream)
    assert outcome(Native.split_evenly, stream, b"", b"", 3) == outcome(split.split_evenly, stream, b"", b"", 3)
    assert outcome(Native.split_evenly, b"abcd", b"", b"", 1 << 80) == [b"abcd"]


def test_the_twins_run_where_frames_are_cut() -> None:
    assert cutting.split_annex_b is Native.split_annex_b and cutting.split_evenly is Native.split_evenly
    for name in ("join_annex_b", "pack_annex_b", "join_behind", "cut_obus", "join_temporal_unit", "PacketRun"):
        assert getattr(cutting, name) is getattr(Native, name)
    assert Native.split_annex_b(b"\0\0\1" + b"\x65" * 50_000) == [b"\x65" * 50_000]


def test_nothing_is_leaked() -> None:
    code = """
import resource
from webrtc_stack.packetization import payload_format
from webrtc_stack.packetization.base import DepacketizerConfig
from webrtc_stack.packetization.cutting import *
from webrtc_stack.packetization.h264 import _LAYOUT, _aggregate
from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import RtpPacket
frame = (b"\\0\\0\\1" + b"a" * 3000) * 3
form = payload_format("H264")
packetizer, depacketizer = form.packetizer(1200), form.depacketizer(DepacketizerConfig(wait_for_keyframe=False))
elements = [b"\\x30" + b"a" * 2000] * 3
def work(times):
    number = 0
    for _ in range(times):
        for at, payload in enumerate(payloads := packetizer.packetize(frame)):
            last = at + 1 == len(payloads)
            depacketizer.push(RtpPacket(sequence_number=number & 0xFFFF, payload=payload, marker=last))
            number += 1
        join_temporal_unit(cut_obus(elements, 1200))
        join_behind(payloads, 1, b"a"), join_behind(payloads, 1, b"")
        split_annex_b(frame), split_evenly(frame, b"abc", b"de", 1200, b"fg")
        for wrong in (lambda: split_annex_b(b"x"), lambda: split_evenly(frame, b"", b"abc", 3),
                      lambda: join_annex_b(_LAYOUT, [b"\\x7c\\x05"]),
                      lambda: pack_annex_b(_LAYOUT, b"x", 99, _aggregate),
                      lambda: join_temporal_unit([b"\\x80\\x01"])):
            try:
                wrong()
            except (ValueError, ParseError):
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
