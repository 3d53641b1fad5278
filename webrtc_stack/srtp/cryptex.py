"""Cryptex: header extensions and CSRCs encrypted whole.

CSRCs, extension body and payload are encrypted as one run, but the four bytes in front of the extension body stay
readable and lie between them. So a packet is *gathered* (those four bytes moved up behind the fixed header, which
makes the run contiguous) and *scattered* again.

Spec: RFC 9335 sections 5, 6.
"""

from __future__ import annotations

from typing import Final

FIXED_BYTES: Final = 12
FRONT_BYTES: Final = 16
"""The readable part of a gathered packet: fixed header, extension profile and length."""
ENCRYPTED_PROFILES: Final = {b"\xbe\xde": b"\xc0\xde", b"\x10\x00": b"\xc2\xde"}
"""Extension profiles that have an encrypted twin; others (application bits, other framings) stay as they are."""
PLAIN_PROFILES: Final = {encrypted: plain for plain, encrypted in ENCRYPTED_PROFILES.items()}
_EMPTY_EXTENSION: Final = b"\xc0\xde\0\0"


def gather(packet: bytes, csrcs_end: int) -> bytes:
    """fixed | CSRCs | front | rest  ->  fixed | front | CSRCs | rest"""
    if csrcs_end == FIXED_BYTES:
        return packet
    front = csrcs_end + 4
    return packet[:FIXED_BYTES] + packet[csrcs_end:front] + packet[FIXED_BYTES:csrcs_end] + packet[front:]


def scatter(packet: bytes, csrcs_end: int) -> bytes:
    """fixed | front | CSRCs | rest  ->  fixed | CSRCs | front | rest"""
    if csrcs_end == FIXED_BYTES:
        return packet
    front = csrcs_end + 4
    return packet[:FIXED_BYTES] + packet[FRONT_BYTES:front] + packet[FIXED_BYTES:FRONT_BYTES] + packet[front:]


def with_profile(packet: bytes, csrcs_end: int, profile: bytes) -> bytes:
    """The packet with another extension profile."""
    return packet[:csrcs_end] + profile + packet[csrcs_end + 2 :]


def with_empty_extension(packet: bytes, csrcs_end: int) -> bytes:
    """The packet with an empty Cryptex extension, which tells a receiver that the CSRCs are encrypted."""
    return bytes((packet[0] | 0x10,)) + packet[1:csrcs_end] + _EMPTY_EXTENSION + packet[csrcs_end:]
