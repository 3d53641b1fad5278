"""Video depacketizers: any payloads, in any order, come to frames within their limit, and nothing raises.

The input is a list of packets: a byte of flags and step, a length, the payload. The first byte chooses the format.
"""

from __future__ import annotations

from typing import NamedTuple

from webrtc_stack.errors import InvalidArgumentError
from webrtc_stack.packetization import DepacketizerConfig, payload_format

_NAMES = ("VP8", "VP9", "H264", "H265", "AV1")
_LIMIT = 400


class _Packet(NamedTuple):
    sequence_number: int
    timestamp: int
    marker: bool
    payload: bytes


def _seed(index: int, payloads: tuple[str, ...]) -> bytes:
    out = bytearray((index,))
    for at, payload in enumerate(payloads):
        data = bytes.fromhex(payload)
        out += bytes((0x80 if at == len(payloads) - 1 else 0, len(data))) + data
    return bytes(out)


SEEDS: list[bytes] = [
    _seed(0, ("908081201002009d012a4001f000", "80808120aabbcc")),
    _seed(0, ("90e0812007601002009d012a", "80e0812007601122")),
    _seed(1, ("8ba1f4180780032401140182", "85a1f44983420077f03234")),
    _seed(1, ("b8a1f42302000a2802104421824983420077f0", "d8a1f4230304aabb")),
    _seed(2, ("78000e6742c01f8c8d40501e900f08846a000468ce3c80", "7c85b8000400", "7c458899")),
    _seed(3, ("600100040c0c0c0c000442010101", "62019301af11", "62015301af11")),
    _seed(4, ("680b0a0b000000", "a00511223344553022", "1022aabb")),
]


def fuzz_one(data: bytes) -> None:
    if not data:
        return
    made = payload_format(_NAMES[data[0] % len(_NAMES)])
    config = DepacketizerConfig(
        max_frame_bytes=_LIMIT, max_frame_packets=20, reorder_packets=8, wait_for_keyframe=bool(data[0] & 0x80)
    )
    depacketizer = made.depacketizer(config)
    packetizer = made.packetizer(50)
    sequence = timestamp = 0
    at = 1
    frames = []
    while at + 2 <= len(data):
        flags, size = data[at], data[at + 1]
        payload = data[at + 2 : at + 2 + size]
        at += 2 + size
        sequence = (sequence + 1 + (flags & 0x07) - (flags >> 3 & 0x03)) & 0xFFFF
        timestamp += 3000 if flags & 0x40 else 0
        frames += depacketizer.push(_Packet(sequence, timestamp, bool(flags & 0x80), payload))
    frames += depacketizer.flush()
    for frame in frames:
        assert 0 < len(frame.data) <= _LIMIT
        try:
            payloads = packetizer.packetize(frame.data)
        except InvalidArgumentError:
            continue  # what a hostile sender's frame holds need not be what we would send
        assert all(0 < len(payload) <= 50 for payload in payloads)
