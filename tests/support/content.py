"""Bytes that both ends of a transfer can make by themselves; `content()` in browser_peer.js makes the same ones.

Little-endian words `(index + seed) * 2654435761 mod 2**32`: no word repeats within 16 GiB, so bytes that are lost,
doubled or swapped always show in the digest.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from functools import lru_cache

_FACTOR = 2654435761  # 2**32 over the golden ratio (Knuth's multiplicative hash): odd, so it visits every word


@lru_cache(maxsize=8)
def content(size: int, seed: int) -> bytes:
    """`size` bytes that depend on `seed` alone."""
    words = array("I", (index * _FACTOR & 0xFFFFFFFF for index in range(seed, seed + (size + 3) // 4)))
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()[:size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
