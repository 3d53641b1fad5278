"""Capture files: any bytes are a capture or a `ParseError`; every packet in it is explained, on one printable line."""

from __future__ import annotations

import io

from webrtc_stack.base import Address
from webrtc_stack.cli.pcap import explain
from webrtc_stack.cli.pcap.capture import read_capture
from webrtc_stack.errors import ParseError
from webrtc_stack.trace import KeyLog, PacketKind, PacketLog


def _log() -> bytes:
    stream = io.BytesIO()
    log = PacketLog(stream, wall_epoch=1e9)
    stun = bytes.fromhex("000100002112a442000102030405060708090a0b")
    sctp = bytes.fromhex("138813880000000100000000") + bytes.fromhex("0300001000000001000100000000000000000000")
    log.packet(0.0, PacketKind.UDP, stun, outgoing=True, comment="check")
    log.packet(0.5, PacketKind.SCTP, sctp, outgoing=False)
    log.packet(0.6, PacketKind.UDP, bytes.fromhex("16fefd000000000000000000020100"), outgoing=False)
    log.packet(0.7, PacketKind.RTP, b"\x80" + bytes(11), outgoing=True, remote=Address("2001:db8::1", 9))
    KeyLog(packet_log=log).write("CLIENT_RANDOM", bytes(32), bytes(48))
    return stream.getvalue()


SEEDS: list[bytes] = [
    _log(),
    bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000") + bytes(16),
    bytes.fromhex("a1b23c4d0002000400000000000000000000ffff00000065")
    + bytes.fromhex("00000001000000020000000400000004")
    + b"\x45\x00\x00\x04",
    b"",
]


def fuzz_one(data: bytes) -> None:
    try:
        capture = read_capture(data)
    except ParseError:
        return
    for one in explain(capture):
        line = one.line(0.0, addresses=True)
        assert line.isprintable()
