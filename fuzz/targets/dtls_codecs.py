"""DTLS records, fragments, handshake messages and extension bodies."""

from __future__ import annotations

from webrtc_stack.dtls import extensions as ext
from webrtc_stack.dtls import messages as m
from webrtc_stack.dtls.certificate import public_key_of
from webrtc_stack.dtls.record import parse_record
from webrtc_stack.errors import ParseError

_HELLO = m.ClientHello(
    random=bytes(32),
    cipher_suites=(0xC02B, 0xC02F),
    extensions=(
        ext.Extension(10, b"\0\4\0\x1d\0\x17"),
        ext.Extension(13, b"\0\2\4\3"),
        ext.Extension(14, b"\0\4\0\7\0\1\0"),
        ext.Extension(43, b"\4\xfe\xfc\xfe\xfd"),
    ),
).serialize()
_FRAGMENT = m.message_header(1, len(_HELLO), 0, 0, len(_HELLO)) + _HELLO

SEEDS: list[bytes] = [
    b"\x16\xfe\xfd" + bytes(8) + len(_FRAGMENT).to_bytes(2, "big") + _FRAGMENT,
    b"\x2e\x00\x01\x00\x04abcd",
    _HELLO,
    m.ServerHello(random=bytes(32), cipher_suite=0xC02B).serialize(),
    m.CertificateMessage(certificates=(b"\x30\x03\x02\x01\x01",)).serialize(),
    m.ServerKeyExchange(group=29, public_key=bytes(32), scheme=0x0403, signature=bytes(70)).serialize(),
    m.CertificateRequest(certificate_types=(64,), schemes=(0x0403,)).serialize(),
    m.CertificateVerify(scheme=0x0403, signature=bytes(70)).serialize(),
    b"\0\4\0\7\0\1\0",
]
_PARSERS = (
    m.ClientHello.parse,
    m.ServerHello.parse,
    m.HelloVerifyRequest.parse,
    m.CertificateMessage.parse,
    m.ServerKeyExchange.parse,
    m.CertificateRequest.parse,
    m.ClientKeyExchange.parse,
    m.CertificateVerify.parse,
    m.parse_fragments,
    ext.parse_use_srtp,
    ext.parse_alpn,
    ext.parse_supported_versions,
    ext.parse_point_formats,
    public_key_of,
)


def fuzz_one(data: bytes) -> None:
    for parse in _PARSERS:
        try:
            value = parse(data)
        except ParseError:
            continue
        if isinstance(value, (m.ClientHello, m.ServerHello)):
            assert type(value).parse(value.serialize()) == value
    at = 0
    try:
        while at < len(data):
            _, after = parse_record(data, at)
            assert after > at
            at = after
    except ParseError:
        pass  # the other allowed outcome
