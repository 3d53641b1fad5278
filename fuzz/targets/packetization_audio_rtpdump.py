"""Recordings given to `webrtc-stack rtp`: any bytes are a recording or a `ParseError`; every figure of it can be
computed, every line printed, and what can be written reads back."""

from __future__ import annotations

import json

from webrtc_stack.cli.rtp import packet_line, read_recording, to_json, to_rtpdump
from webrtc_stack.cli.rtp_streams import Overview
from webrtc_stack.cli.rtpdump import DumpedPacket, RtpDump, read_rtpdump, write_rtpdump
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.rtp import RtpPacket

COUNT = 1500


def _dump() -> bytes:
    packets = [
        DumpedPacket(n * 0.02, RtpPacket(sequence_number=n, timestamp=n * 160, payload=b"ab").serialize(), 14, False)
        for n in (1, 2, 3, 5, 4, 9, 9, 10, 11, 12, 13)
    ]
    packets.append(DumpedPacket(0.3, bytes.fromhex("80c90001000000 07".replace(" ", "")), 8, True))
    return write_rtpdump(RtpDump(1e9, "10.0.0.1", 5004, packets))


SEEDS: list[bytes] = [_dump(), _dump()[:60], bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")]


def fuzz_one(data: bytes) -> None:
    try:
        recording = read_recording(data)
    except ParseError:
        return
    overview = Overview({})
    for seen in recording.seen:
        overview.add(seen)
        assert packet_line(seen, recording.start).isprintable()
    json.dumps(to_json(overview, recording))
    dump = to_rtpdump(recording.seen)
    try:
        written = write_rtpdump(dump)
    except InvalidArgumentError:
        return  # a name or time that the format cannot hold
    assert [one.data for one in read_rtpdump(written).packets] == [one.data for one in dump.packets]
