"""From a captured frame to what travels in IP: addresses, protocol, payload.

`unwrap` is total: a `Payload` or a `ParseError`. Fragments other than the first have no transport header and are
refused with a reason, as is everything that is not IP.

Link types: Ethernet (with VLAN tags), raw IP, BSD loopback, Linux cooked (1 and 2).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ...base import Address, canonical_ip
from ...errors import ParseError

UDP: Final = 17
SCTP: Final = 132
_ETHERNET_HEADS: Final = {1: 12, 113: 14}
_RAW: Final = frozenset({12, 14, 101, 228, 229})
_IP_ETHERTYPES: Final = (0x0800, 0x86DD)
_VLAN: Final = (0x8100, 0x88A8, 0x9100)
_IPV6_EXTENSIONS: Final = (0, 43, 60)
_IPV6_FRAGMENT: Final = 44


class Payload(NamedTuple):
    """What an IP packet carries. Ports are 0 for SCTP straight on IP: they are inside."""

    protocol: int
    source: Address
    destination: Address
    data: bytes


def unwrap(link_type: int, frame: bytes) -> Payload:
    """The payload of a frame. Errors: `ParseError`."""
    return _ip(frame, _ip_offset(link_type, frame))


def _ip_offset(link_type: int, frame: bytes) -> int:
    if link_type in _RAW:
        return 0
    if link_type in (0, 108):
        return 4
    if link_type == 276:
        return 20
    at = _ETHERNET_HEADS.get(link_type)
    if at is None:
        raise ParseError(f"link type {link_type} is not known here", field="frame")
    for _ in range(4):
        if at + 2 > len(frame):
            raise ParseError("the frame is cut off", offset=at, field="frame")
        kind = int.from_bytes(frame[at : at + 2], "big")
        at += 2
        if kind not in _VLAN:
            if kind not in _IP_ETHERTYPES:
                raise ParseError(f"not IP: type {kind:#06x}", offset=at - 2, field="frame")
            return at
        at += 2
    raise ParseError("too many VLAN tags", offset=at, field="frame")


def _ip(frame: bytes, at: int) -> Payload:
    version = frame[at] >> 4 if at < len(frame) else 0
    if version == 4:
        return _ipv4(frame, at)
    if version == 6:
        return _ipv6(frame, at)
    raise ParseError("not IP", offset=at, field="frame")


def _ipv4(frame: bytes, at: int) -> Payload:
    if at + 20 > len(frame):
        raise ParseError("the IPv4 header is cut off", offset=at, field="ip")
    head, total = (frame[at] & 15) * 4, int.from_bytes(frame[at + 2 : at + 4], "big")
    if head < 20 or at + head > len(frame):
        raise ParseError(f"an IPv4 header of {head} bytes", offset=at, field="ip")
    if int.from_bytes(frame[at + 6 : at + 8], "big") & 0x1FFF:
        raise ParseError("a later fragment of an IPv4 packet", offset=at + 6, field="ip")
    # A total of 0 comes from segmentation in the network card; then the frame's end counts.
    end = min(len(frame), at + total) if total >= head else len(frame)
    source, destination = _v4(frame[at + 12 : at + 16]), _v4(frame[at + 16 : at + 20])
    return _transport(frame[at + 9], source, destination, frame[at + head : end])


def _ipv6(frame: bytes, at: int) -> Payload:
    if at + 40 > len(frame):
        raise ParseError("the IPv6 header is cut off", offset=at, field="ip")
    length, following = struct.unpack_from("!HB", frame, at + 4)
    source, destination = _v6(frame[at + 8 : at + 24]), _v6(frame[at + 24 : at + 40])
    end = min(len(frame), at + 40 + length) if length else len(frame)
    at += 40
    for _ in range(8):
        if following in _IPV6_EXTENSIONS and at + 8 <= end:
            following, size = frame[at], 8 + frame[at + 1] * 8
            at += size
        elif following == _IPV6_FRAGMENT and at + 8 <= end:
            if int.from_bytes(frame[at + 2 : at + 4], "big") & 0xFFF8:
                raise ParseError("a later fragment of an IPv6 packet", offset=at, field="ip")
            following = frame[at]
            at += 8
        else:
            break
    return _transport(following, source, destination, frame[at:end])


def _transport(protocol: int, source: str, destination: str, data: bytes) -> Payload:
    if protocol == SCTP:
        return Payload(SCTP, Address(source, 0), Address(destination, 0), data)
    if protocol != UDP:
        raise ParseError({6: "TCP", 1: "ICMP", 58: "ICMPv6"}.get(protocol, f"IP protocol {protocol}"), field="ip")
    if len(data) < 8:
        raise ParseError("the UDP header is cut off", field="udp")
    from_port, to_port, length = struct.unpack_from("!HHH", data)
    end = length if 8 <= length <= len(data) else len(data)
    return Payload(UDP, Address(source, from_port), Address(destination, to_port), data[8:end])


def _v4(packed: bytes) -> str:
    return ".".join(map(str, packed))


def _v6(packed: bytes) -> str:
    return canonical_ip(":".join(packed[i : i + 2].hex() for i in range(0, 16, 2)))
