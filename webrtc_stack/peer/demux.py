"""What a datagram is, by its first byte.

Spec: RFC 7983 section 7 as updated by RFC 9443: STUN 0-3, DTLS 20-63, TURN channels 64-79, RTP and RTCP 128-191.
QUIC (the rest of 64-127 and 192-255) is not spoken here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Protocol(IntEnum):
    STUN = 0
    DTLS = 1
    RTP = 2
    OTHER = 3


def _classify(first: int) -> Protocol:
    if first <= 3:
        return Protocol.STUN
    if 20 <= first <= 63:
        return Protocol.DTLS
    if 128 <= first <= 191:
        return Protocol.RTP
    return Protocol.OTHER


BY_FIRST_BYTE: Final = tuple(_classify(first) for first in range(256))
"""Indexed by the first byte of a datagram."""
