"""What every contender is given: the same packets and frames, made from a seed."""

from __future__ import annotations

from typing import Final, NamedTuple

from ...base import SeededEntropy

SIZES: Final = (1200, 160)
"""Bytes of an RTP packet: video, and 20 ms of Opus."""
FRAME_BYTES: Final = 50_000
CODECS: Final = ("H264", "H265", "VP8", "VP9", "AV1")
PROFILES: Final = ("AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")
BURST: Final = 32

TRANSPORT_CC_ID: Final = 3
MID_ID: Final = 4
RTP_PACKET: Final = bytes.fromhex("90e01234000102030a0b0c0dbede00023112344030000000") + bytes(1100)
"""Two one-byte extensions, transport-wide sequence number and mid."""

_START: Final = b"\x00\x00\x00\x01"


class ArrivedPacket(NamedTuple):
    """What a depacketizer reads of a packet."""

    sequence_number: int
    timestamp: int
    marker: bool
    payload: bytes


def rtp_packets(size: int, count: int) -> list[bytes]:
    """Packets of one stream, `size` bytes each."""
    payload = SeededEntropy(size).bytes(size - 12)
    return [
        b"\x80\x60" + (n & 0xFFFF).to_bytes(2, "big") + b"\x00\x00\x00\x00\xde\xca\xfb\xad" + payload
        for n in range(count)
    ]


def frame_of(codec: str, size: int = FRAME_BYTES) -> bytes:
    """A key frame, as far as packetizers look. No zeros in it, which are rare in what encoders make."""
    body = bytes(byte or 1 for byte in SeededEntropy(1).bytes(size))
    match codec:
        case "H264":
            sets = _START + bytes.fromhex("6742c01f8c8d40501e") + _START + bytes.fromhex("68ce3c80")
            return sets + _START + b"\x65\x88" + body
        case "H265":
            sets = b"".join(_START + bytes((kind << 1, 1)) + body[:20] for kind in (32, 33, 34))
            return sets + _START + b"\x26\x01\xa0" + body
        case "VP8":
            return b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00" + body
        case "VP9":
            return bytes.fromhex("824983420013f00ef600") + body
        case "AV1":
            frame = b"\x10" + body  # a frame header OBU type 6 with a size field, behind a sequence header
            length = len(frame)
            leb = bytes((length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14))
            return bytes.fromhex("12000a0b0000002445fbfcfdf00a10") + b"\x32" + leb + frame
        case _:
            raise ValueError(codec)


def arrived(payloads: list[bytes], first: int, timestamp: int) -> list[ArrivedPacket]:
    """The packets of one frame, the marker on the last."""
    last = len(payloads) - 1
    return [ArrivedPacket((first + n) & 0xFFFF, timestamp, n == last, payload) for n, payload in enumerate(payloads)]
