"""What crosses the virtual network besides plain datagrams: packets of either transport, and TCP segments."""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import NamedTuple

from ..base import Address

TCP_EXTRA_BYTES = 12
"""What a TCP header without options has more than a UDP header."""


class Transport(StrEnum):
    """What a packet carries."""

    UDP = "udp"
    TCP = "tcp"


class Flag(IntFlag):
    """The bits of a TCP header that the virtual TCP uses."""

    ACK = 1
    SYN = 2
    FIN = 4
    RST = 8


class Segment(NamedTuple):
    """A TCP segment: numbers count from 0 in each direction, never wrap, and SYN and FIN take one each."""

    flags: Flag
    seq: int
    ack: int
    data: bytes = b""

    @property
    def words(self) -> str:
        """For logs: `SYN ACK`, `FIN ACK`, `RST`, or `ACK` for everything else."""
        return " ".join(flag.name or "" for flag in (Flag.SYN, Flag.FIN, Flag.RST, Flag.ACK) if flag & self.flags)


class Packet(NamedTuple):
    """Something on its way between two transport addresses. `segment` is for TCP, `data` for UDP."""

    transport: Transport
    source: Address
    destination: Address
    data: bytes = b""
    ecn: int = 0
    segment: Segment | None = None

    @property
    def size(self) -> int:
        """Payload bytes as a link counts them (it adds the headers of IP and UDP itself)."""
        return len(self.data) if self.segment is None else len(self.segment.data) + TCP_EXTRA_BYTES

    @property
    def payload(self) -> bytes:
        """The application's bytes."""
        return self.data if self.segment is None else self.segment.data
