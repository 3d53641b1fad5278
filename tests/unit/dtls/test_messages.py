"""Handshake messages, extensions and the ClientHellos that browsers really send."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import vectors
from webrtc_stack.dtls import extensions as ext
from webrtc_stack.dtls import messages as m
from webrtc_stack.dtls.constants import ExtensionType
from webrtc_stack.dtls.negotiation import choose_version, offers_1_3
from webrtc_stack.errors import ParseError

_MESSAGES = [
    m.ClientHello(
        random=bytes(range(32)),
        cipher_suites=(0xC02B, 0x0A0A),
        session_id=b"s",
        cookie=b"c" * 20,
        extensions=(ext.Extension(23, b""), ext.Extension(0xFF01, b"\0")),
    ),
    m.ClientHello(random=bytes(32), cipher_suites=(0xC02B,)),
    m.ServerHello(random=bytes(32), cipher_suite=0xC02B, extensions=(ext.Extension(14, b"\0\2\0\7\0"),)),
    m.ServerHello(random=bytes(32), cipher_suite=0xC02B),
    m.HelloVerifyRequest(cookie=b"cookie"),
    m.CertificateMessage(certificates=(b"first", b"second")),
    m.CertificateMessage(certificates=()),
    m.ServerKeyExchange(group=29, public_key=bytes(32), scheme=0x0403, signature=b"sig"),
    m.CertificateRequest(certificate_types=(64, 1), schemes=(0x0403, 0x0401)),
    m.ClientKeyExchange(public_key=bytes(32)),
    m.CertificateVerify(scheme=0x0403, signature=b"sig"),
]


@pytest.mark.parametrize("message", _MESSAGES, ids=lambda message: type(message).__name__)
def test_each_message_is_read_as_it_was_written(message: Any) -> None:
    assert type(message).parse(message.serialize()) == message


@pytest.mark.parametrize("message", _MESSAGES, ids=lambda message: type(message).__name__)
def test_each_message_cut_off_or_too_long_is_refused(message: Any) -> None:
    body = message.serialize()
    hello = isinstance(message, (m.ClientHello, m.ServerHello))
    # A hello may end before its extensions.
    bare = len(body) - len(ext.serialize_extensions(message.extensions)) if hello else -1
    for size in range(len(body)):
        if size != bare:
            with pytest.raises(ParseError):
                type(message).parse(body[:size])
    with pytest.raises(ParseError):
        type(message).parse(body + b"\0")


def test_an_extension_that_occurs_twice_is_refused() -> None:
    hello = m.ClientHello(
        random=bytes(32), cipher_suites=(1,), extensions=(ext.Extension(23, b""), ext.Extension(23, b""))
    )
    with pytest.raises(ParseError, match="twice"):
        m.ClientHello.parse(hello.serialize())


def test_fragments_of_one_record_are_all_read() -> None:
    payload = m.message_header(1, 10, 3, 2, 4) + b"abcd" + m.message_header(14, 0, 4, 0, 0)
    assert m.parse_fragments(payload) == [m.Fragment(1, 10, 3, 2, b"abcd"), m.Fragment(14, 0, 4, 0, b"")]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01\x00\x00",
        m.message_header(1, 4, 0, 2, 4) + b"abcd",
        m.message_header(1, 4, 0, 0, 4) + b"abc",
    ],
    ids=["empty", "short header", "beyond the message", "cut off"],
)
def test_a_malformed_fragment_is_refused(payload: bytes) -> None:
    with pytest.raises(ParseError):
        m.parse_fragments(payload)


@pytest.mark.parametrize(
    ("browser", "size", "profiles", "versions"),
    [
        ("chromium", 1413, (1, 8, 7), (0xFEFC, 0xFEFD)),
        ("firefox", 1461, (7, 8, 1, 2), (0xFEFC, 0xFEFD, 0x0303)),
    ],
)
def test_the_hellos_of_both_browsers_are_read_wholly(
    browser: str, size: int, profiles: tuple[int, ...], versions: tuple[int, ...]
) -> None:
    body = vectors.binary(f"dtls/{browser}_clienthello.bin")
    assert len(body) == size
    hello = m.ClientHello.parse(body)
    assert hello.serialize() == body
    found = {extension.type: extension.data for extension in hello.extensions}
    assert ext.parse_use_srtp(found[ExtensionType.USE_SRTP]) == ext.UseSrtp(profiles)
    assert ext.parse_supported_versions(found[ExtensionType.SUPPORTED_VERSIONS]) == versions
    assert 29 in ext.parse_u16_vector(found[ExtensionType.SUPPORTED_GROUPS], "groups")
    assert choose_version(hello) == 0xFEFD
    assert offers_1_3(hello)
    if browser == "firefox":
        assert ext.parse_alpn(found[ExtensionType.ALPN]) == (b"webrtc", b"c-webrtc")


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\1\0", b"\0\2\0\1\0\0", b"\0\0\0"])
def test_a_malformed_use_srtp_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        ext.parse_use_srtp(data)


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\2\1", b"\0\1\0", b"\0\3\2a"])
def test_a_malformed_alpn_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        ext.parse_alpn(data)
