"""Handshake messages of DTLS 1.2 as values: bodies with `parse` and `serialize`, fragments, and the message header.

Spec: RFC 6347 section 4.2 (header, fragments, HelloVerifyRequest), RFC 5246 section 7.4, RFC 8422 section 5 (ECDHE).
Left out: HelloRequest has no body, NewSessionTicket and CertificateStatus are never offered, so never read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..base import Reader, Writer
from ..errors import ParseError
from .constants import DTLS_1_2
from .extensions import Extensions, parse_extensions, serialize_extensions

MESSAGE_HEADER_BYTES: Final = 12
_HEADER: Final = struct.Struct("!IHHBHB")
RANDOM_BYTES: Final = 32


class Fragment(NamedTuple):
    """A piece of a handshake message as one record carries it."""

    type: int
    length: int
    message_seq: int
    offset: int
    data: bytes


class HandshakeMessage(NamedTuple):
    """A whole handshake message, and the epoch in which it travels."""

    type: int
    message_seq: int
    body: bytes
    epoch: int = 0

    def serialize(self) -> bytes:
        """The message as if sent in one fragment: the form that the transcript hashes."""
        return message_header(self.type, len(self.body), self.message_seq, 0, len(self.body)) + self.body


def message_header(kind: int, length: int, message_seq: int, offset: int, fragment_length: int) -> bytes:
    return _HEADER.pack(
        kind << 24 | length,
        message_seq,
        offset >> 8,
        offset & 0xFF,
        fragment_length >> 8,
        fragment_length & 0xFF,
    )


def parse_fragments(payload: bytes) -> list[Fragment]:
    """All the fragments that one handshake record carries.

    Errors: `ParseError` when the record is empty, a fragment is cut off or reaches beyond its message.
    """
    fragments: list[Fragment] = []
    offset = 0
    total = len(payload)
    if not total:
        raise ParseError("an empty handshake record", field="handshake record")
    while offset < total:
        if total - offset < MESSAGE_HEADER_BYTES:
            raise ParseError(
                f"{MESSAGE_HEADER_BYTES} bytes wanted, {total - offset} left", offset=offset, field="message header"
            )
        word, message_seq, offset_high, offset_low, size_high, size_low = _HEADER.unpack_from(payload, offset)
        length, at, size = word & 0xFFFFFF, offset_high << 8 | offset_low, size_high << 8 | size_low
        start = offset + MESSAGE_HEADER_BYTES
        if at + size > length:
            raise ParseError("a fragment reaches beyond its message", offset=offset, field="message header")
        if start + size > total:
            raise ParseError(f"{size} bytes wanted, {total - start} left", offset=start, field="fragment")
        fragments.append(Fragment(word >> 24, length, message_seq, at, payload[start : start + size]))
        offset = start + size
    return fragments


def _suites(reader: Reader) -> tuple[int, ...]:
    data = reader.vector16("cipher_suites")
    if not data or len(data) % 2:
        raise ParseError(f"{len(data)} bytes are no list of suites", offset=reader.position, field="cipher_suites")
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """Spec: RFC 6347 section 4.2.1."""

    random: bytes
    cipher_suites: tuple[int, ...]
    version: int = DTLS_1_2
    session_id: bytes = b""
    cookie: bytes = b""
    compression_methods: bytes = b"\0"
    extensions: Extensions = ()

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        reader = Reader(body)
        version = reader.u16("client_version")
        random = reader.take(RANDOM_BYTES, "random")
        session_id = reader.vector8("session_id")
        if len(session_id) > 32:
            raise ParseError(f"{len(session_id)} bytes, 32 are allowed", field="session_id")
        cookie = reader.vector8("cookie")
        suites = _suites(reader)
        compression = reader.vector8("compression_methods")
        if not compression:
            raise ParseError("an empty list", offset=reader.position, field="compression_methods")
        return cls(
            version=version,
            random=random,
            session_id=session_id,
            cookie=cookie,
            cipher_suites=suites,
            compression_methods=compression,
            extensions=parse_extensions(reader),
        )

    def serialize(self) -> bytes:
        writer = Writer().u16(self.version).raw(self.random).vector8(self.session_id).vector8(self.cookie)
        writer.vector16(b"".join(suite.to_bytes(2, "big") for suite in self.cipher_suites))
        writer.vector8(self.compression_methods).raw(serialize_extensions(self.extensions))
        return writer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHello:
    """Spec: RFC 5246 section 7.4.1.3."""

    random: bytes
    cipher_suite: int
    version: int = DTLS_1_2
    session_id: bytes = b""
    compression_method: int = 0
    extensions: Extensions = ()

    @classmethod
    def parse(cls, body: bytes) -> ServerHello:
        reader = Reader(body)
        version = reader.u16("server_version")
        random = reader.take(RANDOM_BYTES, "random")
        session_id = reader.vector8("session_id")
        if len(session_id) > 32:
            raise ParseError(f"{len(session_id)} bytes, 32 are allowed", field="session_id")
        return cls(
            version=version,
            random=random,
            session_id=session_id,
            cipher_suite=reader.u16("cipher_suite"),
            compression_method=reader.u8("compression_method"),
            extensions=parse_extensions(reader),
        )

    def serialize(self) -> bytes:
        writer = Writer().u16(self.version).raw(self.random).vector8(self.session_id)
        writer.u16(self.cipher_suite).u8(self.compression_method).raw(serialize_extensions(self.extensions))
        return writer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloVerifyRequest:
    """Spec: RFC 6347 section 4.2.1. Its version says nothing about the one that will be negotiated."""

    cookie: bytes
    version: int = DTLS_1_2

    @classmethod
    def parse(cls, body: bytes) -> HelloVerifyRequest:
        reader = Reader(body)
        version = reader.u16("server_version")
        cookie = reader.vector8("cookie")
        reader.expect_end("hello_verify_request")
        return cls(version=version, cookie=cookie)

    def serialize(self) -> bytes:
        return Writer().u16(self.version).vector8(self.cookie).getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateMessage:
    """A chain of DER certificates, the sender's own first; empty when it has none. Spec: RFC 5246 section 7.4.2."""

    certificates: tuple[bytes, ...]

    @classmethod
    def parse(cls, body: bytes) -> CertificateMessage:
        reader = Reader(body)
        block = reader.sub(reader.u24("certificate_list"), "certificate_list")
        reader.expect_end("certificate")
        certificates: list[bytes] = []
        while block:
            der = block.vector24("certificate")
            if not der:
                raise ParseError("an empty certificate", offset=block.position, field="certificate_list")
            certificates.append(der)
        return cls(certificates=tuple(certificates))

    def serialize(self) -> bytes:
        writer = Writer()
        with writer.length_prefix(3):
            for der in self.certificates:
                writer.vector24(der)
        return writer.getvalue()


_NAMED_CURVE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKeyExchange:
    """ECDHE parameters and the signature over them. Spec: RFC 8422 section 5.4."""

    group: int
    public_key: bytes
    scheme: int
    signature: bytes

    @classmethod
    def parse(cls, body: bytes) -> ServerKeyExchange:
        reader = Reader(body)
        if reader.u8("curve_type") != _NAMED_CURVE:
            raise ParseError("only named curves are spoken", offset=0, field="curve_type")
        group = reader.u16("named_curve")
        public_key = reader.vector8("public key")
        scheme = reader.u16("signature algorithm")
        signature = reader.vector16("signature")
        reader.expect_end("server_key_exchange")
        return cls(group=group, public_key=public_key, scheme=scheme, signature=signature)

    @staticmethod
    def parameters(group: int, public_key: bytes) -> bytes:
        """The part that is signed, behind both randoms."""
        return Writer().u8(_NAMED_CURVE).u16(group).vector8(public_key).getvalue()

    def serialize(self) -> bytes:
        head = self.parameters(self.group, self.public_key)
        return Writer().raw(head).u16(self.scheme).vector16(self.signature).getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """Spec: RFC 5246 section 7.4.4. The list of authorities is read over: WebRTC certificates are self-signed."""

    certificate_types: tuple[int, ...]
    schemes: tuple[int, ...]

    @classmethod
    def parse(cls, body: bytes) -> CertificateRequest:
        reader = Reader(body)
        types = tuple(reader.vector8("certificate_types"))
        schemes = reader.vector16("supported_signature_algorithms")
        if len(schemes) % 2:
            raise ParseError("an odd number of bytes", offset=reader.position, field="supported_signature_algorithms")
        reader.vector16("certificate_authorities")
        reader.expect_end("certificate_request")
        numbers = tuple(int.from_bytes(schemes[at : at + 2], "big") for at in range(0, len(schemes), 2))
        return cls(certificate_types=types, schemes=numbers)

    def serialize(self) -> bytes:
        writer = Writer().vector8(bytes(self.certificate_types))
        writer.vector16(b"".join(scheme.to_bytes(2, "big") for scheme in self.schemes))
        return writer.vector16(b"").getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKeyExchange:
    """The client's ECDHE share. Spec: RFC 8422 section 5.7."""

    public_key: bytes

    @classmethod
    def parse(cls, body: bytes) -> ClientKeyExchange:
        reader = Reader(body)
        public_key = reader.vector8("public key")
        reader.expect_end("client_key_exchange")
        return cls(public_key=public_key)

    def serialize(self) -> bytes:
        return Writer().vector8(self.public_key).getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateVerify:
    """A signature over the handshake so far. Spec: RFC 5246 section 7.4.8."""

    scheme: int
    signature: bytes

    @classmethod
    def parse(cls, body: bytes) -> CertificateVerify:
        reader = Reader(body)
        scheme = reader.u16("signature algorithm")
        signature = reader.vector16("signature")
        reader.expect_end("certificate_verify")
        return cls(scheme=scheme, signature=signature)

    def serialize(self) -> bytes:
        return Writer().u16(self.scheme).vector16(self.signature).getvalue()
