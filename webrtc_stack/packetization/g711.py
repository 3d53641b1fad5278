"""G.711, mu-law and A-law: sound to bytes and back, and its payload format.

One byte is one sample at 8000 Hz, so bytes, samples and RTP ticks are the same number. PCM is signed 16-bit, little
endian, as files and sound devices have it. Decoding is two `bytes.translate`, encoding one look-up a sample.

Spec: ITU-T G.711; RFC 3551 sections 4.5.14 (PCMA, PCMU), 4.2. Left out: appendices of G.711 (loss concealment,
comfort noise: see `comfort_noise`).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from ..errors import InvalidArgumentError
from .audio import BytePerTickFormat


def _ulaw_level(code: int) -> int:
    """The sample that a mu-law byte stands for: 8 segments, each twice as coarse, with all bits inverted."""
    code = ~code & 0xFF
    magnitude = ((((code & 15) << 3) + 132) << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def _alaw_level(code: int) -> int:
    """The sample that an A-law byte stands for: every other bit inverted, a set sign bit is positive."""
    code ^= 0x55
    step, segment = code & 15, code >> 4 & 7
    magnitude = (step << 4) + 8 if not segment else ((step << 4) + 264) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


class _Law:
    """The tables of one law. Encoding takes the nearest level, judged in steps of 4 (14-bit sound)."""

    __slots__ = ("_high", "_low", "levels", "table")

    def __init__(self, level: Callable[[int], int], positive_zero: int) -> None:
        self.levels = tuple(level(code) for code in range(256))
        self._low = bytes(value & 0xFF for value in self.levels)
        self._high = bytes(value >> 8 & 0xFF for value in self.levels)
        # Codes of magnitude 0 to 127, upwards; both signs differ in the top bit.
        upwards = [index ^ positive_zero for index in range(128)]
        borders = [(self.levels[one] + self.levels[two] + 4) >> 3 for one, two in pairwise(upwards)]
        positive = bytearray(8192)
        index = 0
        for magnitude in range(8192):
            while index < 127 and magnitude >= max(borders[index], 1):
                index += 1
            positive[magnitude] = upwards[index]
        # By the unsigned value of a 16-bit sample: first 0 to 32767, then -32768 to -1.
        upper = b"".join(bytes((code,)) * 4 for code in positive)
        # Magnitude 8192, only there below zero, is as loud as 8191.
        below = [positive[min(-(value >> 2), 8191)] ^ 0x80 for value in range(-32768, 0)]
        self.table = upper + bytes(below)

    def encode(self, pcm: bytes) -> bytes:
        if len(pcm) % 2:
            raise InvalidArgumentError(f"{len(pcm)} bytes are no whole number of 16-bit samples")
        samples = array("H", pcm)
        if sys.byteorder == "big":
            samples.byteswap()
        return bytes(map(self.table.__getitem__, samples))

    def decode(self, data: bytes) -> bytes:
        pcm = bytearray(2 * len(data))
        pcm[0::2] = data.translate(self._low)
        pcm[1::2] = data.translate(self._high)
        return bytes(pcm)


_ULAW: Final = _Law(_ulaw_level, 0xFF)
_ALAW: Final = _Law(_alaw_level, 0xD5)


def ulaw_encode(pcm: bytes) -> bytes:
    """Signed 16-bit little-endian samples as mu-law. Errors: `InvalidArgumentError` for an odd number of bytes."""
    return _ULAW.encode(pcm)


def ulaw_decode(data: bytes) -> bytes:
    """Mu-law as signed 16-bit little-endian samples."""
    return _ULAW.decode(data)


def alaw_encode(pcm: bytes) -> bytes:
    """Signed 16-bit little-endian samples as A-law. Errors: `InvalidArgumentError` for an odd number of bytes."""
    return _ALAW.encode(pcm)


def alaw_decode(data: bytes) -> bytes:
    """A-law as signed 16-bit little-endian samples."""
    return _ALAW.decode(data)


class PcmuFormat(BytePerTickFormat):
    """PCMU, static payload type 0."""

    encoding_name = "PCMU"
    encode = staticmethod(ulaw_encode)
    decode = staticmethod(ulaw_decode)


class PcmaFormat(BytePerTickFormat):
    """PCMA, static payload type 8."""

    encoding_name = "PCMA"
    encode = staticmethod(alaw_encode)
    decode = staticmethod(alaw_decode)
