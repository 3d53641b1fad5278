"""Frames to payloads and back: this stack beside aiortc, in turns.

    python benchmarks/packetization.py [--rounds 300] [--bytes 50000] [--json FILE]

One H.264 key frame (SPS, PPS, one slice) or VP8 frame is cut into payloads of 1,200 bytes; the payloads, already in
RTP packets, are put together again by this stack's depacketizer and by aiortc's payload parsers and jitter buffer.
Both stacks take turns, round by round; the medians are shown. Only the ratio says something: a busy machine is slow
for both.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from aiortc.codecs import h264 as aiortc_h264
from aiortc.codecs import vpx as aiortc_vpx
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket as AiortcPacket

from webrtc_stack.packetization import cutting, h264, nal, nal_payloads, payload_format, split, vp8

START = b"\x00\x00\x00\x01"


class Packet(NamedTuple):
    sequence_number: int
    timestamp: int
    marker: bool
    payload: bytes


def frame_of(name: str, size: int) -> bytes:
    body = bytes(random.Random(1).choices(range(1, 256), k=size))
    if name == "VP8":
        return b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00" + body
    return START + bytes.fromhex("6742c01f8c8d40501e") + START + bytes.fromhex("68ce3c80") + START + b"\x65\x88" + body


class Ours:
    def __init__(self, name: str, functions: Any = cutting) -> None:
        self.functions = functions
        made = payload_format(name)
        self.packetizer = made.packetizer(1200)
        self.depacketizer = made.depacketizer()
        self.sequence = self.timestamp = 0

    def choose(self) -> None:
        """The functions of this core take the places where the formats call them."""
        vars(h264)["split_annex_b"] = self.functions.split_annex_b
        vars(vp8)["split_evenly"] = vars(nal_payloads)["split_evenly"] = self.functions.split_evenly

    def packetize(self, frame: bytes) -> list[bytes]:
        return self.packetizer.packetize(frame)

    def packets(self, payloads: list[bytes]) -> list[Any]:
        made = []
        for index, payload in enumerate(payloads):
            made.append(Packet(self.sequence, self.timestamp, index == len(payloads) - 1, payload))
            self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp += 3000
        return made

    def depacketize(self, packets: list[Any]) -> bytes:
        data = b""
        for packet in packets:
            for frame in self.depacketizer.push(packet):
                data = frame.data
        return data


class Pure:
    """What `cutting` has, in Python."""

    split_annex_b = staticmethod(nal.split_annex_b)
    split_evenly = staticmethod(split.split_evenly)


class Aiortc:
    def __init__(self, name: str) -> None:
        self.name = name
        self.picture_id = 0
        self.sequence = self.timestamp = 0
        self.buffer = JitterBuffer(capacity=128, is_video=True)

    def choose(self) -> None:
        """It has one core."""

    def packetize(self, frame: bytes) -> list[bytes]:
        if self.name == "VP8":
            self.picture_id = (self.picture_id + 1) & 0x7FFF
            made: list[bytes] = aiortc_vpx.Vp8Encoder._packetize(frame, self.picture_id)
        else:
            made = aiortc_h264.H264Encoder._packetize(aiortc_h264.H264Encoder._split_bitstream(frame))
        return made

    def packets(self, payloads: list[bytes]) -> list[Any]:
        made = []
        for index, payload in enumerate(payloads):
            packet = AiortcPacket(sequence_number=self.sequence, timestamp=self.timestamp, payload=payload)
            packet.marker = int(index == len(payloads) - 1)
            made.append(packet)
            self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp += 3000
        return made

    def depacketize(self, packets: list[Any]) -> bytes:
        depayload = aiortc_vpx.vp8_depayload if self.name == "VP8" else aiortc_h264.h264_depayload
        data = b""
        for packet in packets:
            packet._data = depayload(packet.payload)
            _, frame = self.buffer.add(packet)
            if frame is not None:
                data = frame.data
        return data


def timed(function: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = function(argument)
    return time.perf_counter() - begin, result


def measure(name: str, size: int, rounds: int) -> dict[str, dict[str, float]]:
    """Median microseconds of a frame: {stack: {step: time}}."""
    frame = frame_of(name, size)
    stacks: dict[str, Any] = {"ours": Ours(name), "pure": Ours(name, Pure), "aiortc": Aiortc(name)}
    times: dict[str, dict[str, list[float]]] = {stack: {"packetize": [], "depacketize": []} for stack in stacks}
    for index in range(rounds + 10):
        for stack, one in stacks.items():
            one.choose()
            cut, payloads = timed(one.packetize, frame)
            packets = one.packets(payloads)
            joined, data = timed(one.depacketize, packets)
            if index >= 10:  # aiortc gives a frame out when the next one begins
                assert data == frame, f"{stack} changed the frame"
                times[stack]["packetize"].append(cut)
                times[stack]["depacketize"].append(joined)
    return {
        stack: {step: statistics.median(values) * 1e6 for step, values in steps.items()}
        for stack, steps in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--bytes", type=int, default=50_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    core = "C" if cutting.split_evenly is not split.split_evenly else "no C"
    print(f"one frame of {options.bytes} bytes, medians of {options.rounds} rounds, microseconds")
    for name in ("H264", "VP8"):
        results[name] = measure(name, options.bytes, options.rounds)
        for step in ("packetize", "depacketize"):
            ours, pure, theirs = (results[name][stack][step] for stack in ("ours", "pure", "aiortc"))
            print(
                f"  {name:5} {step:12} {core} {ours:7.1f}   pure {pure:7.1f}   aiortc {theirs:7.1f}   "
                f"aiortc/{core} {theirs / ours:.1f}   aiortc/pure {theirs / pure:.1f}"
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
