"""Bursts of packets: parsed, written, and their headers rewritten for another session, which is what forwarding does.

Spec: RFC 3550 section 5.1; RFC 8285 section 4.2 (identifiers are a session's own).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgumentError, ParseError
from .extensions.elements import ONE_BYTE_PROFILE, TWO_BYTE_PROFILE, HeaderExtensions
from .extensions.mapping import ExtensionMap
from .packet import RtpPacket

_AS_THEY_ARE: Final = bytes(range(128))


def parse_many(packets: list[bytes], extension_map: ExtensionMap | None = None) -> list[RtpPacket | ParseError]:
    """`RtpPacket.parse` for a burst. In the place of what is no packet stands the `ParseError` that says why."""
    made: list[RtpPacket | ParseError] = []
    for data in packets:
        try:
            made.append(RtpPacket.parse(data, extension_map))
        except ParseError as error:
            made.append(error)
    return made


def serialize_many(packets: list[RtpPacket], extension_map: ExtensionMap | None = None) -> list[bytes]:
    """`RtpPacket.serialize` for a burst. Errors: `InvalidArgumentError` for a field out of range."""
    return [packet.serialize(extension_map) for packet in packets]


class RewritePlan(NamedTuple):
    """What `rewrite_headers` does, in numbers; `HeaderRewrite` makes it."""

    ssrc: int
    """-1 keeps the packets' own."""
    payload_types: bytes
    """128: the new one of each."""
    sequence_offset: int
    timestamp_offset: int
    identifiers: bytes
    """256: the new identifier of each, 0 to leave the element out. Empty: blocks stay as they are."""
    two_byte: int
    """0, or 1 where the target takes the two-byte form; 2 where packets choose (RFC 8285, section 4.1.2)."""
    values: tuple[tuple[int, bytes], ...]
    """Elements that every packet gets, by identifier of the target."""
    transport_id: int
    """The identifier of the transport-wide sequence number, 0 for none."""


def rewrite_headers(
    plan: RewritePlan, packets: list[bytes], transport_sequence_number: int
) -> tuple[list[bytes | ParseError], int]:
    """A burst of packets as another session numbers them.

    Returns: the packets, in the place of what is none the `ParseError` that says why; and the transport-wide sequence
    number that comes next.
    """
    made: list[bytes | ParseError] = []
    for data in packets:
        try:
            packet = RtpPacket.parse(data)
        except ParseError as error:
            made.append(error)
            continue
        packet.payload_type = plan.payload_types[packet.payload_type]
        packet.sequence_number = (packet.sequence_number + plan.sequence_offset) & 0xFFFF
        packet.timestamp = (packet.timestamp + plan.timestamp_offset) & 0xFFFFFFFF
        if plan.ssrc >= 0:
            packet.ssrc = plan.ssrc
        if plan.identifiers:
            packet.extensions = _renumbered(plan, packet.extensions, transport_sequence_number)
        made.append(packet.serialize())
        transport_sequence_number = (transport_sequence_number + 1) & 0xFFFF
    return made, transport_sequence_number


def _renumbered(plan: RewritePlan, extensions: HeaderExtensions, number: int) -> HeaderExtensions:
    profile = extensions.profile
    if profile is not None and profile != ONE_BYTE_PROFILE and profile & 0xFFF0 != TWO_BYTE_PROFILE:
        return extensions  # a block of another profile has no elements, and goes as it is
    made = HeaderExtensions(two_byte=plan.two_byte == 1)
    for identifier, value in extensions.elements.items():
        new = plan.identifiers[identifier]
        if new and (plan.two_byte or 0 < len(value) <= 16):
            made[new] = value
    for identifier, value in plan.values:
        made[identifier] = value
    if plan.transport_id:
        made[plan.transport_id] = number.to_bytes(2, "big")
    return made


def plan_of(
    ssrc: int | None,
    payload_types: Mapping[int, int],
    sequence_offset: int,
    timestamp_offset: int,
    maps: tuple[ExtensionMap, ExtensionMap] | None,
    values: Mapping[str, Any],
    transport_uri: str | None,
) -> RewritePlan:
    """The plan of these wishes. Errors: `InvalidArgumentError`."""
    if ssrc is not None and not 0 <= ssrc <= 0xFFFFFFFF:
        raise InvalidArgumentError(f"an SSRC has 32 bits, not {ssrc:#x}")
    types = bytearray(_AS_THEY_ARE)
    for old, new in payload_types.items():
        if not 0 <= old <= 127 or not 0 <= new <= 127:
            raise InvalidArgumentError(f"payload types are 0 to 127, not {old} and {new}")
        types[old] = new
    common = (-1 if ssrc is None else ssrc, bytes(types), sequence_offset & 0xFFFF, timestamp_offset & 0xFFFFFFFF)
    if maps is None:
        if values:
            raise InvalidArgumentError("values of extensions need the maps: say `maps=(theirs, ours)`")
        return RewritePlan(*common, b"", 0, (), 0)
    source, target = maps
    identifiers = bytearray(256)
    for identifier, uri in source.uris.items():
        identifiers[identifier] = target.by_uri.get(uri, 0)
    packet = RtpPacket(extension_map=target)
    for uri, value in values.items():
        packet.set(uri, value)  # refuses what the target does not know, or what does not fit it
    transport_id = 0 if transport_uri is None else target.by_uri.get(transport_uri, 0)
    fixed = tuple(packet.extensions.elements.items())
    two_byte = 1 if target.two_byte else 2 if target.allow_mixed else 0
    return RewritePlan(*common, bytes(identifiers), two_byte, fixed, transport_id)
