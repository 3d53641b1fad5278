"""Randomness as an argument: a system source, and a seeded one that makes whole runs repeatable.

`SeededEntropy` is an SHA-256 counter generator, so the same seed gives the same bytes in every process, whatever
`PYTHONHASHSEED` is. `fork(label)` gives a machine its own stream: two machines that draw in another order still draw
the same numbers.
"""

from __future__ import annotations

import hashlib
import os
from typing import Protocol


class Entropy(Protocol):
    """A source of unpredictable bytes. All machines draw from the one in their config."""

    def bytes(self, count: int) -> bytes: ...

    def fork(self, label: str) -> Entropy: ...


class SystemEntropy:
    """The operating system's generator: the secure default, and the only place that touches it."""

    __slots__ = ()

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)  # noqa: TID251 - the one named exception to "no ambient randomness"

    def fork(self, label: str) -> Entropy:
        return self


class SeededEntropy:
    """Bytes that depend on nothing but the seed and the labels forked by. For simulation, never for real keys."""

    __slots__ = ("_buffer", "_counter", "_key")

    def __init__(self, seed: int | str | bytes) -> None:
        material = seed if isinstance(seed, bytes) else str(seed).encode()
        self._key = hashlib.sha256(b"webrtc_stack seed\0" + material).digest()
        self._counter = 0
        self._buffer = b""

    def bytes(self, count: int) -> bytes:
        parts = [self._buffer]
        have = len(self._buffer)
        while have < count:
            block = hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
            parts.append(block)
            have += len(block)
        buffer = b"".join(parts)
        self._buffer = buffer[count:]
        return buffer[:count]

    def fork(self, label: str) -> SeededEntropy:
        return SeededEntropy(self._key + b"\0" + label.encode())


SYSTEM_ENTROPY = SystemEntropy()

_WORD_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def random_u16(entropy: Entropy) -> int:
    return int.from_bytes(entropy.bytes(2), "big")


def random_u32(entropy: Entropy) -> int:
    return int.from_bytes(entropy.bytes(4), "big")


def random_u64(entropy: Entropy) -> int:
    return int.from_bytes(entropy.bytes(8), "big")


def random_below(entropy: Entropy, limit: int) -> int:
    """A number in [0, limit); eight bytes are drawn, so the bias is below 2**-32 for limits that fit 32 bits."""
    return int.from_bytes(entropy.bytes(8), "big") % limit


def random_unit(entropy: Entropy) -> float:
    """A float in [0, 1)."""
    return (int.from_bytes(entropy.bytes(7), "big") >> 3) / (1 << 53)


def random_word(entropy: Entropy, length: int) -> str:
    """`length` characters of the ice-char alphabet (RFC 8839 section 5.4): 6 bits of entropy each."""
    return "".join(_WORD_CHARACTERS[b & 63] for b in entropy.bytes(length))
