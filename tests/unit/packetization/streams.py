"""Made-up streams of every video format, and the wire between a packetizer and a depacketizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from webrtc_stack.base import SeededEntropy
from webrtc_stack.packetization import Depacketizer, EncodedFrame, RtpPacketLike, payload_format

START = b"\x00\x00\x00\x01"


class Packet(NamedTuple):
    sequence_number: int
    timestamp: int
    marker: bool
    payload: bytes


def filler(entropy: SeededEntropy, size: int) -> bytes:
    """Bytes without zeros, so that no start code and no emulation prevention is in them."""
    return entropy.bytes(size).replace(b"\x00", b"\x77")


def vp8_frame(key: bool, body: bytes) -> bytes:
    return b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00" + body if key else b"\x11\x02\x00" + body


def vp9_frame(key: bool, body: bytes) -> bytes:
    return bytes.fromhex("824983420077f03234") + body if key else b"\x86\x00\x40\x92" + body


def h264_frame(key: bool, body: bytes) -> bytes:
    if key:
        return START + bytes.fromhex("6742c01f8c8d40501e") + START + b"\x68\xce\x3c\x80" + START + b"\x65\x88" + body
    return START + b"\x41\x9a" + body


def h265_frame(key: bool, body: bytes) -> bytes:
    if key:
        sets = START + b"\x40\x01\x0c\x01" + START + b"\x42\x01\x01\x01" + START + b"\x44\x01\xc1\x72"
        return sets + START + b"\x26\x01\xaf" + body
    return START + b"\x02\x01\xd0" + body


def leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def av1_frame(key: bool, body: bytes) -> bytes:
    frame = b"\x32" + leb128(len(body) + 1) + (b"\x10" if key else b"\x30") + body
    return b"\x12\x00" + (b"\x0a\x0b\x00\x00\x00\x24\xc4\xff\xdf\x3f\xfe\xbc\x08" if key else b"") + frame


FRAMES: dict[str, Callable[[bool, bytes], bytes]] = {
    "VP8": vp8_frame,
    "VP9": vp9_frame,
    "H264": h264_frame,
    "H265": h265_frame,
    "AV1": av1_frame,
}
VIDEO = sorted(FRAMES)


def make_frames(name: str, sizes: Sequence[int], keys: Sequence[int] = (0,), seed: int = 1) -> list[bytes]:
    entropy = SeededEntropy(f"{name} {seed}")
    return [FRAMES[name](index in keys, filler(entropy, size)) for index, size in enumerate(sizes)]


def to_packets(
    frames: Sequence[bytes], packetizer: Any, *, first: int = 0, step: int = 3000, timestamp: int = 0
) -> list[Packet]:
    packets: list[Packet] = []
    for frame in frames:
        payloads = packetizer.packetize(frame)
        for index, payload in enumerate(payloads):
            sequence = (first + len(packets)) & 0xFFFF
            packets.append(Packet(sequence, timestamp & 0xFFFFFFFF, index == len(payloads) - 1, payload))
        timestamp += step
    return packets


def stream(name: str, frames: Sequence[bytes], *, max_payload_bytes: int = 100, first: int = 0) -> list[Packet]:
    packetizer = payload_format(name).packetizer(max_payload_bytes)
    return to_packets(frames, packetizer, first=first)


def push_all(depacketizer: Depacketizer, packets: Sequence[RtpPacketLike]) -> list[EncodedFrame]:
    frames: list[EncodedFrame] = []
    for packet in packets:
        frames += depacketizer.push(packet)
    return frames
