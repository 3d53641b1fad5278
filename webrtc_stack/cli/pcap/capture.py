"""Reads capture files: pcapng and the older pcap, in either byte order.

`read_capture` is total: a `Capture`, or a `ParseError` when the bytes are no capture at all. A file that ends in the
middle of a packet, as every capture does that is still being written, gives what is whole and says so.

Spec: draft-ietf-opsawg-pcapng (section header, interface description, enhanced and simple packets, decryption
secrets; other blocks are skipped), draft-ietf-opsawg-pcap. Left out: the obsolete packet block, name resolution,
statistics; compressed files.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ...errors import ParseError

MAX_PACKETS: Final = 2_000_000
MAX_INTERFACES: Final = 1000
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 3, 6, 10
_PCAP_MAGICS: Final = {
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
}


class CapturedPacket(NamedTuple):
    """One packet. `time` is Unix seconds; `outgoing` is None where the file does not say."""

    time: float
    link_type: int
    data: bytes
    original_length: int
    outgoing: bool | None
    comment: str


@dataclass(slots=True)
class Capture:
    """A whole file. `notes` says in words what was odd about it; `secrets` counts embedded key logs."""

    format: str
    packets: list[CapturedPacket] = field(default_factory=list)
    secrets: int = 0
    notes: list[str] = field(default_factory=list)


class _Interface(NamedTuple):
    link_type: int
    resolution: float
    offset: int


def read_capture(data: bytes) -> Capture:
    """Reads a file's bytes. Errors: `ParseError`. Cost: linear."""
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        return _read_pcapng(data)
    if data[:4] in _PCAP_MAGICS:
        return _read_pcap(data)
    if data[:2] == b"\x1f\x8b":
        raise ParseError("a compressed file; unpack it first", offset=0, field="capture")
    raise ParseError("neither pcapng nor pcap: the first bytes are unknown", offset=0, field="capture")


def _read_pcap(data: bytes) -> Capture:
    order, unit = _PCAP_MAGICS[data[:4]]
    if len(data) < 24:
        raise ParseError("the file header is cut off", offset=len(data), field="pcap header")
    capture = Capture("pcap")
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0x0FFFFFFF
    record = struct.Struct(order + "IIII")
    at = 24
    while at < len(data):
        if at + 16 > len(data):
            capture.notes.append("the file ends in the middle of a packet")
            break
        seconds, fraction, length, original = record.unpack_from(data, at)
        at += 16
        if at + length > len(data):
            capture.notes.append("the file ends in the middle of a packet")
            break
        if not _keep(
            capture,
            CapturedPacket(seconds + fraction * unit, link_type, data[at : at + length], original, None, ""),
        ):
            break
        at += length
    return capture


def _keep(capture: Capture, packet: CapturedPacket) -> bool:
    if len(capture.packets) >= MAX_PACKETS:
        capture.notes.append(f"only the first {MAX_PACKETS:,} packets are read")
        return False
    capture.packets.append(packet)
    return True


def _read_pcapng(data: bytes) -> Capture:
    capture = Capture("pcapng")
    interfaces: list[_Interface] = []
    order = "<"
    at = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            found = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(data[at + 8 : at + 12])
            if found is None:
                if not at:
                    raise ParseError("the byte-order magic is missing", offset=8, field="section header")
                capture.notes.append(f"the section at byte {at} has no byte order; the rest is not read")
                return capture
            order = found
            interfaces = []  # their numbers begin anew in every section
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or length % 4:
            capture.notes.append(f"the block at byte {at} has an impossible length of {length}; the rest is not read")
            return capture
        if at + length > len(data):
            break
        body = data[at + 8 : at + length - 4]
        at += length
        if kind == _INTERFACE and len(interfaces) < MAX_INTERFACES:
            interfaces.append(_interface(body, order))
        elif kind == _SECRETS:
            capture.secrets += 1
        elif kind in (_ENHANCED, _SIMPLE):
            packet = (_enhanced if kind == _ENHANCED else _simple)(body, order, interfaces)
            if packet is None:
                capture.notes.append(f"the packet that ends at byte {at} does not fit its block")
                if len(capture.notes) > 20:
                    return capture
            elif not _keep(capture, packet):
                return capture
    if at < len(data):
        capture.notes.append("the file ends in the middle of a block")
    return capture


def _options(body: bytes, at: int, order: str) -> dict[int, bytes]:
    """The options from `at` to the end, the first of each kind; what does not fit is left out."""
    found: dict[int, bytes] = {}
    while at + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, at)
        at += 4
        if not code or at + length > len(body):
            break
        found.setdefault(code, body[at : at + length])
        at += (length + 3) & ~3
    return found


def _interface(body: bytes, order: str) -> _Interface:
    if len(body) < 8:
        return _Interface(-1, 1e-6, 0)
    (link_type,) = struct.unpack_from(order + "H", body)
    options = _options(body, 8, order)
    resolution = 1e-6
    if options.get(9):
        exponent = options[9][0]
        resolution = 2.0 ** -(exponent & 0x7F) if exponent & 0x80 else 10.0**-exponent
    shift = options.get(14, b"")
    offset = struct.unpack(order + "q", shift)[0] if len(shift) == 8 else 0
    return _Interface(link_type, resolution, offset)


def _enhanced(body: bytes, order: str, interfaces: list[_Interface]) -> CapturedPacket | None:
    if len(body) < 20:
        return None
    number, high, low, length, original = struct.unpack_from(order + "IIIII", body)
    if number >= len(interfaces) or 20 + length > len(body):
        return None
    interface = interfaces[number]
    options = _options(body, 20 + ((length + 3) & ~3), order)
    outgoing = None
    if len(options.get(2, b"")) == 4:
        outgoing = {1: False, 2: True}.get(struct.unpack(order + "I", options[2])[0] & 3)
    return CapturedPacket(
        time=(high << 32 | low) * interface.resolution + interface.offset,
        link_type=interface.link_type,
        data=body[20 : 20 + length],
        original_length=original,
        outgoing=outgoing,
        comment=options.get(1, b"").decode("utf-8", "replace"),
    )


def _simple(body: bytes, order: str, interfaces: list[_Interface]) -> CapturedPacket | None:
    if len(body) < 4 or not interfaces:
        return None
    (original,) = struct.unpack_from(order + "I", body)
    return CapturedPacket(0.0, interfaces[0].link_type, body[4 : 4 + original], original, None, "")
