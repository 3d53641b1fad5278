"""`rtp.streams.JitterBuffer`: any items at any time come out once and in order, and the buffer drains."""

from __future__ import annotations

import struct

from webrtc_stack.rtp.extensions import PlayoutDelay
from webrtc_stack.rtp.streams import Item, JitterBuffer, JitterBufferConfig

_RECORD = struct.Struct(">HHBIB")
COUNT = 2000
SEEDS: list[bytes] = [
    b"".join(_RECORD.pack(20, number, 0, number * 1800, 0) for number in range(40)),
    b"".join(_RECORD.pack(7, number ^ 3, number & 3, number * 3000, number) for number in range(60)),
    b"".join(_RECORD.pack(3000, number * 977 & 0xFFFF, 9, number << 28 & 0xFFFFFFFF, 8) for number in range(30)),
]


def fuzz_one(data: bytes) -> None:
    now = 0.0
    buffer = JitterBuffer(JitterBufferConfig(max_items=16))
    passed = -1
    for wait, first, length, timestamp, kind in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]):
        now += wait / 1000
        if kind & 4:
            buffer.set_playout_delay(PlayoutDelay(kind * 10, length * 10))
        buffer.set_sync_delay((kind >> 4) / 10)
        data_or_none = None if kind & 8 else b"x"
        buffer.push(Item(first, first + length, timestamp, data_or_none), now, repaired=bool(kind & 1))
        assert len(buffer) <= 16 and 0 <= buffer.delay <= 2.0
        for found in buffer.pop(now):
            assert found.first > passed and found.last >= found.first
            passed = found.last
        assert buffer.next_timeout() > now
    buffer.pop(now + 2.0)
    assert len(buffer) == 0
