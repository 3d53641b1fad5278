"""What this kernel can do for UDP, found out by asking it once.

Python's `socket` module has no names for generic segmentation offload, so their Linux numbers stand here. On another
system the probes answer "no" and the portable way serves. A `True` is still only a promise: a device or a route may
refuse a batch later, which `udp.py` notices and takes back for that socket.

Spec: Linux udp(7) `UDP_SEGMENT`, `UDP_GRO`; RFC 3168 section 5 (the two ECN bits of the IP header).
"""

from __future__ import annotations

import socket
import sys
from functools import cache
from typing import Final

SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104

MAX_SEGMENTS: Final = 64
"""What every kernel with segmentation takes in one call (newer ones take 128)."""
MAX_BATCH_BYTES: Final = 65_000
"""A batch is one IP packet to the upper half of the kernel: below 65,535 with room for the headers."""

IS_LINUX: Final = sys.platform.startswith("linux")


@cache
def has_gso() -> bool:
    """True if a UDP socket knows `UDP_SEGMENT` (Linux 4.18)."""
    return _accepts(socket.AF_INET, SOL_UDP, UDP_SEGMENT, 0)


@cache
def has_gro() -> bool:
    """True if a UDP socket knows `UDP_GRO` (Linux 5.0)."""
    return _accepts(socket.AF_INET, SOL_UDP, UDP_GRO, 1)


@cache
def has_ecn() -> bool:
    """True if the ECN bits of what arrives can be read."""
    return hasattr(socket, "IP_RECVTOS") and _accepts(socket.AF_INET, socket.IPPROTO_IP, socket.IP_RECVTOS, 1)


@cache
def has_ipv6() -> bool:
    """True if IPv6 sockets can be made and bound to the loopback address."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _accepts(family: int, level: int, option: int, value: int) -> bool:
    if level == SOL_UDP and not IS_LINUX:
        return False  # the same number may mean something else elsewhere
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(level, option, value)
    except OSError:
        return False
    return True
