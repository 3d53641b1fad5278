"""As much of an RTP header as SRTP needs: where it ends.

Spec: RFC 3550 sections 5.1, 5.3.1.
"""

from __future__ import annotations

from typing import Final

MAX_PACKET_BYTES: Final = 65_535
"""What a datagram (or RFC 4571 frame) holds. It also keeps counter mode far below its 2**16 blocks a packet."""


def header_end(packet: bytes, end: int) -> int:
    """Where CSRCs and header extension end; more than `end` if the packet is shorter than they say, or not RTP."""
    first = packet[0]
    if first & 0xC0 != 0x80:
        return end + 1
    head = 12 + 4 * (first & 0x0F)
    if not first & 0x10:
        return head
    if head + 4 > end:
        return end + 1
    return head + 4 + 4 * (packet[head + 2] << 8 | packet[head + 3])
