"""Hellos: what a client offers, how a server chooses, how a client checks the choice.

Functions from values to values. A list of offers is searched for what we know, so unknown numbers, GREASE and the TLS
versions that Firefox lists among DTLS ones need no case of their own.

Spec: RFC 5246 section 7.4.1; RFC 8422 section 5.1; RFC 5764 section 4.1; RFC 7627 section 5; RFC 5746 sections 3.4
to 3.7; RFC 7301; RFC 8446 sections 4.1.3 (downgrade sentinels) and 4.2.1 (supported_versions).
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from .ciphers import SUITES
from .config import DtlsConfig
from .constants import (
    DTLS_1_2,
    DTLS_1_3,
    EMPTY_RENEGOTIATION_INFO_SCSV,
    AlertDescription,
    CipherSuite,
    ExtensionType,
    NamedGroup,
    SignatureScheme,
    SrtpProfile,
)
from .extensions import (
    Extension,
    Extensions,
    UseSrtp,
    find,
    parse_alpn,
    parse_point_formats,
    parse_supported_versions,
    parse_u16_vector,
    parse_use_srtp,
    serialize_alpn,
    serialize_u16_vector,
    serialize_use_srtp,
)
from .failure import HandshakeFailure
from .messages import ClientHello, ServerHello
from .signatures import choose_scheme

_UNCOMPRESSED_ONLY: Final = b"\x01\x00"


class Downgrade(Enum):
    """The last eight bytes of a ServerHello's random, when they say that the server speaks more than it chose."""

    TO_1_2 = b"DOWNGRD\x01"
    BELOW_1_2 = b"DOWNGRD\x00"


def downgrade_of(server_random: bytes) -> Downgrade | None:
    """The sentinel in a server's random, if there is one."""
    tail = server_random[24:]
    for sentinel in Downgrade:
        if tail == sentinel.value:
            return sentinel
    return None


# --- the client -----------------------------------------------------------------------------------------------------


def make_client_hello(config: DtlsConfig, random: bytes) -> ClientHello:
    """The first ClientHello. The second one, after a HelloVerifyRequest, is the same with a cookie."""
    extensions = [
        Extension(ExtensionType.EXTENDED_MASTER_SECRET, b""),
        Extension(ExtensionType.RENEGOTIATION_INFO, b"\0"),
        Extension(ExtensionType.SUPPORTED_GROUPS, serialize_u16_vector(config.groups)),
        Extension(ExtensionType.EC_POINT_FORMATS, _UNCOMPRESSED_ONLY),
        Extension(ExtensionType.SIGNATURE_ALGORITHMS, serialize_u16_vector(config.signature_schemes)),
    ]
    if config.srtp_profiles:
        extensions.append(Extension(ExtensionType.USE_SRTP, serialize_use_srtp(UseSrtp(config.srtp_profiles))))
    if config.alpn_protocols:
        names = [name.encode() for name in config.alpn_protocols]
        extensions.append(Extension(ExtensionType.ALPN, serialize_alpn(names)))
    return ClientHello(random=random, cipher_suites=tuple(config.cipher_suites), extensions=tuple(extensions))


class Agreement(NamedTuple):
    """What a client learns from a ServerHello."""

    suite: CipherSuite
    srtp_profile: SrtpProfile | None
    extended_master_secret: bool
    alpn_protocol: str | None
    downgrade: Downgrade | None


def check_server_hello(config: DtlsConfig, offered: ClientHello, hello: ServerHello) -> Agreement:
    """What was agreed on. Errors: `HandshakeFailure` when the server chose what was not offered."""
    if hello.version != DTLS_1_2:
        raise HandshakeFailure(
            AlertDescription.PROTOCOL_VERSION, f"the server chose version {hello.version:#06x}, 1.2 was offered"
        )
    if hello.cipher_suite not in offered.cipher_suites or hello.cipher_suite not in SUITES:
        raise HandshakeFailure(
            AlertDescription.ILLEGAL_PARAMETER, f"the server chose suite {hello.cipher_suite:#06x}, never offered"
        )
    if hello.compression_method:
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the server chose a compression, never offered")
    ours = {extension.type for extension in offered.extensions}
    for extension in hello.extensions:
        if extension.type not in ours:
            raise HandshakeFailure(
                AlertDescription.UNSUPPORTED_EXTENSION, f"the server sent extension {extension.type}, never offered"
            )
    _check_renegotiation_info(hello.extensions)
    formats = find(hello.extensions, ExtensionType.EC_POINT_FORMATS)
    if formats is not None and 0 not in parse_point_formats(formats):
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the server does not speak uncompressed points")
    extended = find(hello.extensions, ExtensionType.EXTENDED_MASTER_SECRET) is not None
    _check_extended_master_secret(config, extended)
    return Agreement(
        CipherSuite(hello.cipher_suite),
        _agreed_profile(config, hello.extensions),
        extended,
        _agreed_alpn(config, hello.extensions),
        downgrade_of(hello.random),
    )


def _agreed_profile(config: DtlsConfig, extensions: Extensions) -> SrtpProfile | None:
    data = find(extensions, ExtensionType.USE_SRTP)
    if data is None:
        return None
    answer = parse_use_srtp(data)
    if len(answer.profiles) != 1 or answer.profiles[0] not in config.srtp_profiles or answer.mki:
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the server chose an SRTP profile never offered")
    return SrtpProfile(answer.profiles[0])


def _agreed_alpn(config: DtlsConfig, extensions: Extensions) -> str | None:
    data = find(extensions, ExtensionType.ALPN)
    if data is None:
        return None
    names = parse_alpn(data)
    if len(names) != 1 or names[0] not in [name.encode() for name in config.alpn_protocols]:
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the server chose a protocol name never offered")
    return names[0].decode()


# --- the server -----------------------------------------------------------------------------------------------------


class Choice(NamedTuple):
    """What a server chooses from a ClientHello."""

    suite: CipherSuite
    group: NamedGroup
    scheme: SignatureScheme
    srtp_profile: SrtpProfile | None
    extended_master_secret: bool
    alpn_protocol: str | None
    extensions: Extensions
    """What the ServerHello answers with."""


def choose_version(hello: ClientHello) -> int:
    """The version to speak with this client: only 1.2 is served.

    Errors: `HandshakeFailure` when the client does not speak it.
    """
    data = find(hello.extensions, ExtensionType.SUPPORTED_VERSIONS)
    if data is not None:
        if DTLS_1_2 in parse_supported_versions(data):
            return DTLS_1_2
    elif hello.version >> 8 == 0xFE and hello.version <= DTLS_1_2:  # DTLS numbers count downwards
        return DTLS_1_2
    raise HandshakeFailure(AlertDescription.PROTOCOL_VERSION, "the client does not speak DTLS 1.2")


def offers_1_3(hello: ClientHello) -> bool:
    """Whether the client would have spoken DTLS 1.3: for traces, and for the sentinel of a server that could too."""
    data = find(hello.extensions, ExtensionType.SUPPORTED_VERSIONS)
    return data is not None and DTLS_1_3 in parse_supported_versions(data)


def choose(config: DtlsConfig, hello: ClientHello) -> Choice:
    """Picks suite, group, signature scheme and extensions, each by our own preference.

    Errors: `HandshakeFailure` when there is nothing in common; `ParseError` for malformed extensions.
    """
    if 0 not in hello.compression_methods:
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the client insists on compression")
    extensions = hello.extensions
    _check_renegotiation_info(extensions)
    scheme = _choose_scheme(config, extensions)
    group = _choose_group(config, extensions)
    authentication = config.certificate.authentication
    suite = next(
        (
            suite
            for suite in config.cipher_suites
            if suite in hello.cipher_suites and SUITES[suite].authentication == authentication
        ),
        None,
    )
    if suite is None:
        raise HandshakeFailure(
            AlertDescription.HANDSHAKE_FAILURE, f"no cipher suite in common for an {authentication} certificate"
        )
    answers: list[Extension] = []
    if find(extensions, ExtensionType.RENEGOTIATION_INFO) is not None or (
        EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites
    ):
        answers.append(Extension(ExtensionType.RENEGOTIATION_INFO, b"\0"))
    extended = find(extensions, ExtensionType.EXTENDED_MASTER_SECRET) is not None
    _check_extended_master_secret(config, extended)
    if extended:
        answers.append(Extension(ExtensionType.EXTENDED_MASTER_SECRET, b""))
    formats = find(extensions, ExtensionType.EC_POINT_FORMATS)
    if formats is not None:
        if 0 not in parse_point_formats(formats):
            raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the client does not speak uncompressed points")
        answers.append(Extension(ExtensionType.EC_POINT_FORMATS, _UNCOMPRESSED_ONLY))
    profile = _choose_profile(config, extensions)
    if profile is not None:
        answers.append(Extension(ExtensionType.USE_SRTP, serialize_use_srtp(UseSrtp((profile,)))))
    alpn = _choose_alpn(config, extensions)
    if alpn is not None:
        answers.append(Extension(ExtensionType.ALPN, serialize_alpn([alpn.encode()])))
    return Choice(suite, group, scheme, profile, extended, alpn, tuple(answers))


def _choose_scheme(config: DtlsConfig, extensions: Extensions) -> SignatureScheme:
    data = find(extensions, ExtensionType.SIGNATURE_ALGORITHMS)
    # RFC 5246 section 7.4.1.4.1: a client that does not say takes SHA-1 only, which is not made here.
    offered = parse_u16_vector(data, "signature_algorithms") if data is not None else ()
    scheme = choose_scheme(config.certificate.private_key, config.signature_schemes, offered)
    if scheme is None:
        raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "no signature scheme in common for our certificate")
    return scheme


def _choose_group(config: DtlsConfig, extensions: Extensions) -> NamedGroup:
    data = find(extensions, ExtensionType.SUPPORTED_GROUPS)
    # RFC 8422 section 4: without the extension a server is free to choose; P-256 is what everybody has.
    offered = parse_u16_vector(data, "supported_groups") if data is not None else (int(NamedGroup.SECP256R1),)
    for group in config.groups:
        if group in offered:
            return group
    raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "no group in common")


def _choose_profile(config: DtlsConfig, extensions: Extensions) -> SrtpProfile | None:
    """No common profile is no failure (RFC 5764 section 4.1.1): a connection for data only goes on without."""
    data = find(extensions, ExtensionType.USE_SRTP)
    if data is None:
        return None
    offered = parse_use_srtp(data).profiles
    return next((profile for profile in config.srtp_profiles if profile in offered), None)


def _choose_alpn(config: DtlsConfig, extensions: Extensions) -> str | None:
    """A name in common, or none: refusing a client over it would lose peers and win nothing."""
    data = find(extensions, ExtensionType.ALPN)
    if data is None:
        return None
    offered = parse_alpn(data)
    return next((name for name in config.alpn_protocols if name.encode() in offered), None)


# --- both -----------------------------------------------------------------------------------------------------------


def _check_renegotiation_info(extensions: Extensions) -> None:
    data = find(extensions, ExtensionType.RENEGOTIATION_INFO)
    if data is not None and data != b"\0":
        # Non-empty would mean that the peer sees a renegotiation where we see a first handshake (RFC 5746).
        raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "renegotiation_info is not empty")


def _check_extended_master_secret(config: DtlsConfig, extended: bool) -> None:
    if config.require_extended_master_secret and not extended:
        raise HandshakeFailure(
            AlertDescription.HANDSHAKE_FAILURE,
            "the peer does not speak extended_master_secret; require_extended_master_secret=False would allow that",
        )
