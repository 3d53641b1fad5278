"""Hello extensions: the list, and the few bodies that DTLS 1.2 for WebRTC reads or writes.

Spec: RFC 5246 section 7.4.1.4; RFC 8422 section 5.1 (groups, point formats); RFC 5764 section 4.1.1 (use_srtp);
RFC 7627 section 5.1; RFC 5746 section 3.2; RFC 7301 section 3.1 (ALPN); RFC 8446 section 4.2.1 (supported_versions).
Left out: everything else is carried as bytes and ignored, as RFC 5246 demands of a receiver.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from ..base import Reader, Writer
from ..errors import ParseError


class Extension(NamedTuple):
    """One extension, its body not looked into."""

    type: int
    data: bytes


Extensions: TypeAlias = tuple[Extension, ...]


def parse_extensions(reader: Reader) -> Extensions:
    """The extension block at the end of a hello; a hello that ends before it has none.

    Errors: `ParseError` on bad lengths or when a type occurs twice.
    """
    if not reader:
        return ()
    block = reader.sub(reader.u16("extensions"), "extensions")
    reader.expect_end("extensions")
    found: list[Extension] = []
    seen: set[int] = set()
    while block:
        kind = block.u16("extension type")
        if kind in seen:
            raise ParseError(f"extension {kind} occurs twice", offset=block.position, field="extensions")
        seen.add(kind)
        found.append(Extension(kind, block.vector16("extension data")))
    return tuple(found)


def serialize_extensions(extensions: Iterable[Extension]) -> bytes:
    """The block with its length, or nothing when there are no extensions."""
    writer = Writer()
    for extension in extensions:
        writer.u16(extension.type).vector16(extension.data)
    return Writer().vector16(writer.getvalue()).getvalue() if len(writer) else b""


def find(extensions: Extensions, kind: int) -> bytes | None:
    """The body of the extension of this type, or None."""
    for extension in extensions:
        if extension.type == kind:
            return extension.data
    return None


def _u16_list(data: bytes, field: str) -> tuple[int, ...]:
    if len(data) % 2:
        raise ParseError(f"{len(data)} bytes are no list of 16-bit numbers", field=field)
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


def parse_u16_vector(data: bytes, field: str) -> tuple[int, ...]:
    """Numbers behind a two-byte length: supported_groups, signature_algorithms."""
    reader = Reader(data)
    numbers = _u16_list(reader.vector16(field), field)
    reader.expect_end(field)
    if not numbers:
        raise ParseError("an empty list", field=field)
    return numbers


def serialize_u16_vector(numbers: Iterable[int]) -> bytes:
    return Writer().vector16(b"".join(number.to_bytes(2, "big") for number in numbers)).getvalue()


def parse_supported_versions(data: bytes) -> tuple[int, ...]:
    """The client's list. Firefox lists TLS numbers (0x0303) among the DTLS ones; the caller searches, not trusts."""
    reader = Reader(data)
    numbers = _u16_list(reader.vector8("supported_versions"), "supported_versions")
    reader.expect_end("supported_versions")
    return numbers


def parse_point_formats(data: bytes) -> bytes:
    reader = Reader(data)
    formats = reader.vector8("ec_point_formats")
    reader.expect_end("ec_point_formats")
    return formats


class UseSrtp(NamedTuple):
    """`use_srtp`: profiles in the sender's order of preference, and the master key identifier (always empty here)."""

    profiles: tuple[int, ...]
    mki: bytes = b""


def parse_use_srtp(data: bytes) -> UseSrtp:
    reader = Reader(data)
    profiles = _u16_list(reader.vector16("use_srtp"), "use_srtp")
    mki = reader.vector8("srtp_mki")
    reader.expect_end("use_srtp")
    if not profiles:
        raise ParseError("an empty list of profiles", field="use_srtp")
    return UseSrtp(profiles, mki)


def serialize_use_srtp(value: UseSrtp) -> bytes:
    return serialize_u16_vector(value.profiles) + Writer().vector8(value.mki).getvalue()


def parse_alpn(data: bytes) -> tuple[bytes, ...]:
    reader = Reader(data)
    block = reader.sub(reader.u16("alpn"), "alpn")
    reader.expect_end("alpn")
    names: list[bytes] = []
    while block:
        name = block.vector8("alpn name")
        if not name:
            raise ParseError("an empty protocol name", offset=block.position, field="alpn")
        names.append(name)
    if not names:
        raise ParseError("an empty list", field="alpn")
    return tuple(names)


def serialize_alpn(names: Iterable[bytes]) -> bytes:
    writer = Writer()
    for name in names:
        writer.vector8(name)
    return Writer().vector16(writer.getvalue()).getvalue()
