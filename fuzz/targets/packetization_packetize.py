"""Video packetizers: any bytes are a frame or a misuse; what was cut joins to the same frame."""

from __future__ import annotations

from typing import NamedTuple

from webrtc_stack.errors import UsageError
from webrtc_stack.packetization import DepacketizerConfig, payload_format
from webrtc_stack.packetization.nal import split_annex_b
from webrtc_stack.packetization.obu import NOT_CARRIED, obu_type, split_temporal_unit

_NAMES = ("VP8", "VP9", "H264", "H265", "AV1")
SEEDS: list[bytes] = [
    b"\x00\x20" + bytes.fromhex("1002009d012a4001f000") + b"x" * 60,
    b"\x01\x20" + bytes.fromhex("824983420077f03234") + b"x" * 60,
    b"\x02\x20" + bytes.fromhex("000000016742c01f0000000168ce3c800000016588") + b"x" * 60,
    b"\x03\x20" + bytes.fromhex("0000000140010c0000000142010100000001260188") + b"x" * 60,
    b"\x04\x20" + bytes.fromhex("12000a0b00000024c4ffdf3ffebc08323c10") + b"x" * 59,
    b"\x04\x20" + bytes.fromhex("12000a01002a01002a01002a0100320110"),
]


class _Packet(NamedTuple):
    sequence_number: int
    timestamp: int
    marker: bool
    payload: bytes


def fuzz_one(data: bytes) -> None:
    if len(data) < 2:
        return
    name = _NAMES[data[0] % len(_NAMES)]
    frame = data[2:]
    limit = 24 + data[1]  # room for the scalability structure of VP9
    try:
        payloads = payload_format(name).packetizer(limit).packetize(frame)
    except UsageError:
        return
    assert all(0 < len(payload) <= limit for payload in payloads)
    depacketizer = payload_format(name).depacketizer(DepacketizerConfig(wait_for_keyframe=False))
    frames = []
    for index, payload in enumerate(payloads):
        frames += depacketizer.push(_Packet(index, 0, index == len(payloads) - 1, payload))
    if name in ("H264", "H265"):
        units = split_annex_b(frame)
        if name == "H264" and any(unit[0] & 0x1F == 0 for unit in units):
            return  # RFC 6184 has receivers ignore type 0
        assert [split_annex_b(one.data) for one in frames] == [units]
    elif name == "AV1":
        sent = [obu for obu in split_temporal_unit(frame) if obu_type(obu) not in NOT_CARRIED]
        assert [split_temporal_unit(one.data)[1:] for one in frames] == [sent]
    else:
        assert [one.data for one in frames] == [frame]
