"""The rtpdump file format of the rtptools: RTP and RTCP packets with the time when each came.

`read_rtpdump` is total: a `RtpDump`, or a `ParseError` when the bytes are no such file. A file that ends in the middle
of a packet gives what is whole and says so.

Spec: the format has no RFC; it is a line of text (`#!rtpplay1.0 address/port`), a header of 16 bytes and packets behind
8 bytes each, all in network order. Left out: the text forms that `rtpdump` prints.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import InvalidArgumentError, ParseError

MAGIC: Final = b"#!rtpplay1.0 "
MAX_PACKETS: Final = 2_000_000
_HEADER: Final = struct.Struct("!IIIHH")
_PACKET: Final = struct.Struct("!HHI")
_LONGEST_LINE: Final = 256


class DumpedPacket(NamedTuple):
    """One packet. `offset` is seconds since the file's start, kept to the millisecond. `original_length` is larger than
    the data where the recording was cut."""

    offset: float
    data: bytes
    original_length: int
    rtcp: bool


@dataclass(slots=True)
class RtpDump:
    """A whole file: `start` in Unix seconds, and the address that it was recorded from or at."""

    start: float = 0.0
    host: str = "0.0.0.0"
    port: int = 0
    packets: list[DumpedPacket] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_rtpdump(data: bytes) -> bool:
    return data.startswith(MAGIC)


def read_rtpdump(data: bytes) -> RtpDump:
    """Reads a file's bytes. Errors: `ParseError`. Cost: linear."""
    if not is_rtpdump(data):
        raise ParseError("not an rtpdump file: the first line is unknown", offset=0, field="rtpdump")
    line = data.find(b"\n", 0, _LONGEST_LINE)
    if line < 0:
        raise ParseError("the first line has no end", offset=0, field="rtpdump")
    at = line + 1
    if at + _HEADER.size > len(data):
        raise ParseError("the header is cut off", offset=at, field="rtpdump")
    host, _, _ = data[len(MAGIC) : line].decode("ascii", "replace").strip().rpartition("/")
    seconds, microseconds, source, port, _ = _HEADER.unpack_from(data, at)
    if not host:
        host = ".".join(map(str, source.to_bytes(4, "big")))
    dump = RtpDump(seconds + microseconds / 1e6, host, port)
    at += _HEADER.size
    end = len(data)
    while at < end:
        if at + _PACKET.size > end:
            dump.notes.append("the file ends in the middle of a packet")
            break
        length, original, milliseconds = _PACKET.unpack_from(data, at)
        if length < _PACKET.size:
            dump.notes.append(f"the packet at byte {at} has an impossible length of {length}; the rest is not read")
            break
        if at + length > end:
            dump.notes.append("the file ends in the middle of a packet")
            break
        if len(dump.packets) >= MAX_PACKETS:
            dump.notes.append(f"only the first {MAX_PACKETS:,} packets are read")
            break
        body = data[at + _PACKET.size : at + length]
        dump.packets.append(DumpedPacket(milliseconds / 1000, body, max(original, len(body)), original == 0))
        at += length
    return dump


def write_rtpdump(dump: RtpDump) -> bytes:
    """A file's bytes. Errors: `InvalidArgumentError` for a packet that the format cannot hold."""
    host = dump.host
    words = host.split(".")
    try:
        source = bytes(map(int, words)) if len(words) == 4 else bytes(4)
    except ValueError:
        source = bytes(4)  # the header has room for IPv4 alone; the first line has the rest
    if not (host.isascii() and host.isprintable() and " " not in host and len(host) < 200):
        raise InvalidArgumentError(f"{host!r} is no address")
    if not (0 <= dump.start < 1 << 32 and 0 <= dump.port <= 0xFFFF):
        raise InvalidArgumentError(f"a start of {dump.start} s or port {dump.port} is beyond what the header can say")
    microseconds = round(dump.start * 1_000_000)
    return b"".join(
        [
            MAGIC + f"{host}/{dump.port}\n".encode(),
            _HEADER.pack(
                microseconds // 1_000_000, microseconds % 1_000_000, int.from_bytes(source, "big"), dump.port, 0
            ),
            *_records(dump.packets),
        ]
    )


def _records(packets: Iterable[DumpedPacket]) -> Iterable[bytes]:
    for number, packet in enumerate(packets):
        length = len(packet.data) + _PACKET.size
        milliseconds = round(packet.offset * 1000)
        original = 0 if packet.rtcp else packet.original_length
        if length > 0xFFFF or original > 0xFFFF or not 0 <= milliseconds < 1 << 32:
            raise InvalidArgumentError(
                f"packet {number} of {length} bytes at {packet.offset} s does not fit the format"
            )
        yield _PACKET.pack(length, original, milliseconds) + packet.data
