"""A peer, or somebody between the peers, that breaks the rules of the handshake: each check, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.support.dtls_peers import certificate, endpoint, exchange, pair
from webrtc_stack.base import SeededEntropy
from webrtc_stack.dtls import (
    AlertDescription,
    Certificate,
    CipherSuite,
    Closed,
    DtlsConfig,
    DtlsEndpoint,
    NamedGroup,
    SignatureScheme,
    State,
    client12,
    server12,
)
from webrtc_stack.dtls import extensions as ext
from webrtc_stack.dtls import messages as m
from webrtc_stack.dtls.constants import ExtensionType, HandshakeType
from webrtc_stack.dtls.failure import HandshakeFailure
from webrtc_stack.dtls.key_exchange import make_share
from webrtc_stack.dtls.negotiation import (
    Downgrade,
    check_server_hello,
    choose,
    choose_version,
    downgrade_of,
    make_client_hello,
)
from webrtc_stack.dtls.record import Record, parse_record, serialize_record
from webrtc_stack.errors import DtlsAlertError, ParseError


def _ended(machine: DtlsEndpoint, alert: AlertDescription, reason: str) -> None:
    event = machine.poll_events()[-1]
    assert isinstance(event, Closed)
    assert isinstance(event.error, DtlsAlertError)
    assert (event.error.alert, event.error.sent) == (alert, True), event
    assert reason in event.reason


def _rewrite(datagrams: list[bytes], kind: HandshakeType, change: Callable[[bytes], bytes]) -> list[bytes]:
    """The flight with the body of one (unfragmented) message of epoch 0 changed."""
    out = []
    changed = 0
    for datagram in datagrams:
        at = 0
        while at < len(datagram):
            record, at = parse_record(datagram, at)
            assert isinstance(record, Record)
            payload = record.payload
            if record.content_type == 22 and not record.epoch and payload[0] == kind:
                (fragment,) = m.parse_fragments(payload)
                body = change(fragment.data)
                payload = m.message_header(kind, len(body), fragment.message_seq, 0, len(body)) + body
                changed += 1
            out.append(serialize_record(record.content_type, record.version, record.number, payload))
    assert changed == 1
    return out


def _up_to_flight(number: int, **config: Any) -> tuple[DtlsEndpoint, DtlsEndpoint, list[bytes]]:
    """A pair of which flight `number` (1: ClientHello) has been built and not yet delivered."""
    client, server = pair(mtu=9000, **config)
    sides = (client, server)
    flight = client.poll_transmits(0.0)
    for step in range(1, number):
        sides[step % 2].receive_many(flight, 0.0)
        flight = sides[step % 2].poll_transmits(0.0)
    return client, server, flight


# --- signatures and keys --------------------------------------------------------------------------------------------


def _stolen(name: str) -> Certificate:
    """Somebody's certificate, which everybody has seen, with a key that does not belong to it."""
    return Certificate(certificate(name).der, certificate("thief").private_key)


def test_a_server_that_shows_a_certificate_without_having_its_key_is_refused() -> None:
    server = DtlsEndpoint(
        DtlsConfig(
            role="server", certificate=_stolen("server"), remote_fingerprints=(certificate("client").fingerprint(),)
        )
    )
    server.connect(0.0)
    client = endpoint("client")
    exchange(client, server)
    _ended(client, AlertDescription.DECRYPT_ERROR, "ServerKeyExchange")


def test_a_client_that_shows_a_certificate_without_having_its_key_is_refused() -> None:
    client = DtlsEndpoint(
        DtlsConfig(
            role="client", certificate=_stolen("client"), remote_fingerprints=(certificate("server").fingerprint(),)
        )
    )
    client.connect(0.0)
    server = endpoint("server")
    exchange(client, server)
    _ended(server, AlertDescription.DECRYPT_ERROR, "CertificateVerify")


def test_a_key_share_exchanged_on_the_way_is_noticed_at_once() -> None:
    client, _, flight = _up_to_flight(2)
    evil = make_share(NamedGroup.X25519, SeededEntropy("evil")).public_key

    def swap(body: bytes) -> bytes:
        return replace(m.ServerKeyExchange.parse(body), public_key=evil).serialize()

    client.receive_many(_rewrite(flight, HandshakeType.SERVER_KEY_EXCHANGE, swap), 0.0)
    _ended(client, AlertDescription.DECRYPT_ERROR, "ServerKeyExchange")


@pytest.mark.parametrize("scheme", [0x0203, 0x0807, SignatureScheme.RSA_PKCS1_SHA256])
def test_a_signature_scheme_that_was_not_offered_is_refused(scheme: int) -> None:
    offered = (SignatureScheme.ECDSA_SECP256R1_SHA256,)
    client, _, flight = _up_to_flight(2, signature_schemes=offered)
    client.receive_many(
        _rewrite(
            flight,
            HandshakeType.SERVER_KEY_EXCHANGE,
            lambda body: replace(m.ServerKeyExchange.parse(body), scheme=scheme).serialize(),
        ),
        0.0,
    )
    _ended(client, AlertDescription.ILLEGAL_PARAMETER, "never offered")
    _, server, flight = _up_to_flight(3, signature_schemes=offered)
    server.receive_many(
        _rewrite(
            flight,
            HandshakeType.CERTIFICATE_VERIFY,
            lambda body: replace(m.CertificateVerify.parse(body), scheme=scheme).serialize(),
        ),
        0.0,
    )
    _ended(server, AlertDescription.ILLEGAL_PARAMETER, "never offered")


def test_a_scheme_for_another_kind_of_key_is_a_wrong_signature() -> None:
    client, _, flight = _up_to_flight(2)
    client.receive_many(
        _rewrite(
            flight,
            HandshakeType.SERVER_KEY_EXCHANGE,
            lambda body: replace(m.ServerKeyExchange.parse(body), scheme=SignatureScheme.RSA_PKCS1_SHA256).serialize(),
        ),
        0.0,
    )
    _ended(client, AlertDescription.DECRYPT_ERROR, "ServerKeyExchange")


def test_a_group_that_was_not_offered_is_refused() -> None:
    client, _, flight = _up_to_flight(2)
    client.receive_many(
        _rewrite(
            flight,
            HandshakeType.SERVER_KEY_EXCHANGE,
            lambda body: replace(m.ServerKeyExchange.parse(body), group=25).serialize(),
        ),
        0.0,
    )
    _ended(client, AlertDescription.ILLEGAL_PARAMETER, "group 25")


def test_a_certificate_whose_key_does_not_fit_the_suite_is_refused() -> None:
    client, _, flight = _up_to_flight(2)
    rsa_der = certificate("rsa").der
    client.set_remote_fingerprints([certificate("rsa").fingerprint()])
    client.receive_many(
        _rewrite(
            flight,
            HandshakeType.CERTIFICATE,
            lambda _: m.CertificateMessage(certificates=(rsa_der,)).serialize(),
        ),
        0.0,
    )
    _ended(client, AlertDescription.ILLEGAL_PARAMETER, "does not fit the suite")


@pytest.mark.parametrize("body", [b"junk that is no certificate", b"\x30\x03\x02\x01\x01"])
def test_a_certificate_that_cannot_be_read_is_refused(body: bytes) -> None:
    client, _, flight = _up_to_flight(2)
    message = m.CertificateMessage(certificates=(body,)).serialize()
    client.receive_many(_rewrite(flight, HandshakeType.CERTIFICATE, lambda _: message), 0.0)
    _ended(client, AlertDescription.BAD_CERTIFICATE, "not a certificate")


def test_a_short_rsa_key_is_refused_unless_the_config_allows_it() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak")])
    template = x509.load_der_x509_certificate(certificate("client").der)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    weak = Certificate(built.public_bytes(serialization.Encoding.DER), key)
    for minimum in (2048, 1024):
        client = DtlsEndpoint(
            DtlsConfig(role="client", certificate=weak, remote_fingerprints=(certificate("server").fingerprint(),))
        )
        client.connect(0.0)
        server = endpoint("server", remote_fingerprints=(weak.fingerprint(),), minimum_rsa_bits=minimum)
        exchange(client, server)
        if minimum == 2048:
            _ended(server, AlertDescription.UNSUPPORTED_CERTIFICATE, "1024 bits")
        else:
            assert server.state is State.CONNECTED


# --- shares ---------------------------------------------------------------------------------------------------------


def _compressed(curve: ec.EllipticCurve) -> bytes:
    key = ec.derive_private_key(5, curve).public_key()
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


@pytest.mark.parametrize(
    ("group", "share"),
    [
        (NamedGroup.X25519, bytes(32)),
        (NamedGroup.X25519, b"\x01" + bytes(31)),
        (NamedGroup.X25519, bytes(31)),
        (NamedGroup.X25519, b""),
        (NamedGroup.SECP256R1, b""),
        (NamedGroup.SECP256R1, b"\x04" + bytes(64)),
        (NamedGroup.SECP256R1, b"\x04" + b"\xff" * 64),
        (NamedGroup.SECP256R1, b"\x00"),
        (NamedGroup.SECP256R1, _compressed(ec.SECP256R1())),
        (NamedGroup.SECP384R1, _compressed(ec.SECP384R1())),
        (NamedGroup.SECP384R1, b"\x04" + bytes(96)),
    ],
)
def test_a_share_that_is_no_point_of_its_group_is_refused(group: NamedGroup, share: bytes) -> None:
    with pytest.raises(HandshakeFailure) as caught:
        make_share(group, SeededEntropy(1)).agree(share)
    assert caught.value.alert is AlertDescription.ILLEGAL_PARAMETER


# --- Finished -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("liar", ["client", "server"])
def test_a_finished_that_does_not_match_is_refused(liar: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = client12 if liar == "client" else server12
    honest = module.verify_data

    def lie(*args: Any, **kwargs: Any) -> bytes:
        data: bytes = honest(*args, **kwargs)
        return data[::-1] if kwargs["from_client"] == (liar == "client") else data

    monkeypatch.setattr(module, "verify_data", lie)
    client, server = pair()
    exchange(client, server)
    _ended(server if liar == "client" else client, AlertDescription.DECRYPT_ERROR, "Finished does not match")


@pytest.mark.parametrize("kind", [HandshakeType.CERTIFICATE, HandshakeType.CLIENT_KEY_EXCHANGE])
def test_a_handshake_changed_on_the_way_does_not_end_well(kind: HandshakeType) -> None:
    """Whatever is changed, the extended master secret or Finished covers it."""
    client, server, flight = _up_to_flight(3)
    if kind is HandshakeType.CERTIFICATE:
        der, other = certificate("client").der, certificate("server").der
        server.set_remote_fingerprints([certificate("server").fingerprint()])
        change = m.CertificateMessage(certificates=(other, der)).serialize()
    else:
        change = m.ClientKeyExchange(public_key=make_share(NamedGroup.X25519, SeededEntropy(9)).public_key).serialize()
    server.receive_many(_rewrite(flight, kind, lambda _: change), 0.0)
    assert server.state is not State.CONNECTED
    assert client.state is not State.CONNECTED


def test_a_finished_in_the_clear_is_ignored() -> None:
    client, server, flight = _up_to_flight(3)
    forged = m.message_header(HandshakeType.FINISHED, 12, 4, 0, 12) + bytes(12)
    server.receive(serialize_record(22, 0xFEFD, 0, forged), 0.0)
    assert server.drops["wrong_epoch"] == 1
    server.receive_many(flight, 0.0)
    exchange(client, server)
    assert client.state is server.state is State.CONNECTED


def test_a_message_out_of_its_turn_is_refused() -> None:
    for kind, seq in ((HandshakeType.CLIENT_KEY_EXCHANGE, 1), (HandshakeType.CERTIFICATE_VERIFY, 1), (99, 1)):
        _, server, _ = _up_to_flight(3)
        payload = m.message_header(kind, 1, seq, 0, 1) + b"\0"
        server.receive(serialize_record(22, 0xFEFD, 9, payload), 0.0)
        _ended(server, AlertDescription.UNEXPECTED_MESSAGE, "instead of certificate")
    client, _, _ = _up_to_flight(1)
    payload = m.message_header(HandshakeType.CERTIFICATE, 3, 0, 0, 3) + bytes(3)
    client.receive(serialize_record(22, 0xFEFD, 9, payload), 0.0)
    _ended(client, AlertDescription.UNEXPECTED_MESSAGE, "instead of a ServerHello")


def test_a_server_hello_done_with_a_body_is_refused() -> None:
    client, _, flight = _up_to_flight(2)
    client.receive_many(_rewrite(flight, HandshakeType.SERVER_HELLO_DONE, lambda _: b"x"), 0.0)
    _ended(client, AlertDescription.DECODE_ERROR, "has a body")


def test_an_alert_in_the_clear_counts_no_longer_once_the_peer_was_heard_under_its_keys() -> None:
    client, server, flight = _up_to_flight(3)
    server.receive_many(flight, 0.0)
    server.poll_transmits(0.0)  # the last flight is lost, and data comes first
    server.send(b"early", 0.0)
    client.receive_many(server.poll_transmits(0.0), 0.0)
    assert client.state.value == "handshaking"
    client.receive(serialize_record(21, 0xFEFD, 40, b"\x02\x28"), 0.0)
    assert client.drops["unauthenticated_alert"] == 1
    client.handle_timeout(0.3)
    server.receive_many(client.poll_transmits(0.3), 0.3)
    client.receive_many(server.poll_transmits(0.3), 0.3)
    assert client.state.value == "connected"


def test_a_repetition_of_what_is_being_answered_asks_for_nothing() -> None:
    client, server = endpoint("client"), endpoint("server", mtu=150)
    server.receive_many(client.poll_transmits(0.0), 0.0)
    flight = server.poll_transmits(0.0)
    client.receive_many(flight[:3], 0.1)
    client.receive_many(flight[:3], 0.15)
    assert client.poll_transmits(0.15) == []
    assert client.counters.retransmissions_requested == 0
    client.receive_many(flight[3:], 0.16)
    exchange(client, server, 0.16)
    assert client.state is server.state is State.CONNECTED


# --- hellos ---------------------------------------------------------------------------------------------------------


def _config(**changes: Any) -> DtlsConfig:
    return DtlsConfig(role="client", certificate=certificate("client"), **changes)


_OFFER = make_client_hello(_config(), bytes(32))
_EMS = ext.Extension(ExtensionType.EXTENDED_MASTER_SECRET, b"")
_ANSWER = m.ServerHello(
    random=bytes(32), cipher_suite=CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, extensions=(_EMS,)
)


def test_an_honest_answer_is_taken() -> None:
    agreement = check_server_hello(_config(), _OFFER, _ANSWER)
    assert agreement.suite == _ANSWER.cipher_suite
    assert agreement.downgrade is None


@pytest.mark.parametrize(
    ("wrong", "alert"),
    [
        ({"version": 0xFEFF}, AlertDescription.PROTOCOL_VERSION),
        ({"version": 0x0303}, AlertDescription.PROTOCOL_VERSION),
        ({"cipher_suite": 0x1301}, AlertDescription.ILLEGAL_PARAMETER),
        ({"cipher_suite": 0x009C}, AlertDescription.ILLEGAL_PARAMETER),
        ({"compression_method": 1}, AlertDescription.ILLEGAL_PARAMETER),
        ({"extensions": ()}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": (_EMS, ext.Extension(35, b""))}, AlertDescription.UNSUPPORTED_EXTENSION),
        ({"extensions": (_EMS, ext.Extension(43, b"\xfe\xfc"))}, AlertDescription.UNSUPPORTED_EXTENSION),
        ({"extensions": (_EMS, ext.Extension(16, b"\0\3\2h2"))}, AlertDescription.UNSUPPORTED_EXTENSION),
        ({"extensions": (_EMS, ext.Extension(0xFF01, b"\1x"))}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": (_EMS, ext.Extension(11, b"\1\1"))}, AlertDescription.ILLEGAL_PARAMETER),
        ({"extensions": (_EMS, ext.Extension(14, b"\0\2\0\2\0"))}, AlertDescription.ILLEGAL_PARAMETER),
        ({"extensions": (_EMS, ext.Extension(14, b"\0\4\0\7\0\1\0"))}, AlertDescription.ILLEGAL_PARAMETER),
        ({"extensions": (_EMS, ext.Extension(14, b"\0\2\0\7\1k"))}, AlertDescription.ILLEGAL_PARAMETER),
    ],
    ids=str,
)
def test_an_answer_that_was_not_offered_is_refused(wrong: dict[str, Any], alert: AlertDescription) -> None:
    with pytest.raises(HandshakeFailure) as caught:
        check_server_hello(_config(), _OFFER, replace(_ANSWER, **wrong))
    assert caught.value.alert is alert


def test_a_suite_that_is_known_but_was_not_offered_is_refused() -> None:
    config = _config(cipher_suites=(CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,))
    with pytest.raises(HandshakeFailure) as caught:
        check_server_hello(config, make_client_hello(config, bytes(32)), _ANSWER)
    assert caught.value.alert is AlertDescription.ILLEGAL_PARAMETER


def test_an_alpn_name_that_was_not_offered_is_refused() -> None:
    config = _config(alpn_protocols=("webrtc",))
    offer = make_client_hello(config, bytes(32))
    for body, good in ((b"\0\7\6webrtc", True), (b"\0\3\2h2", False), (b"\0\12\6webrtc\2h2", False)):
        answer = replace(_ANSWER, extensions=(_EMS, ext.Extension(16, body)))
        if good:
            assert check_server_hello(config, offer, answer).alpn_protocol == "webrtc"
        else:
            with pytest.raises(HandshakeFailure):
                check_server_hello(config, offer, answer)


def test_downgrade_sentinels_are_read() -> None:
    assert downgrade_of(bytes(24) + b"DOWNGRD\x01") is Downgrade.TO_1_2
    assert downgrade_of(bytes(24) + b"DOWNGRD\x00") is Downgrade.BELOW_1_2
    assert downgrade_of(bytes(32)) is None
    # A server that could speak 1.3 says so; a client that offered only 1.2 sees no attack in it.
    answer = replace(_ANSWER, random=bytes(24) + b"DOWNGRD\x01")
    assert check_server_hello(_config(), _OFFER, answer).downgrade is Downgrade.TO_1_2


def _without(kind: ExtensionType) -> tuple[ext.Extension, ...]:
    return tuple(extension for extension in _OFFER.extensions if extension.type != kind)


def _with(kind: int, data: bytes) -> tuple[ext.Extension, ...]:
    return (*(extension for extension in _OFFER.extensions if extension.type != kind), ext.Extension(kind, data))


@pytest.mark.parametrize(
    ("wrong", "alert"),
    [
        ({"compression_methods": b"\1"}, AlertDescription.ILLEGAL_PARAMETER),
        ({"cipher_suites": (0x1301, 0x0A0A)}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": _without(ExtensionType.EXTENDED_MASTER_SECRET)}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": _without(ExtensionType.SIGNATURE_ALGORITHMS)}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": _with(0xFF01, b"\1x")}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": _with(10, b"\0\2\x0a\x0a")}, AlertDescription.HANDSHAKE_FAILURE),
        ({"extensions": _with(11, b"\1\1")}, AlertDescription.ILLEGAL_PARAMETER),
    ],
    ids=str,
)
def test_a_hello_that_cannot_be_served_is_refused(wrong: dict[str, Any], alert: AlertDescription) -> None:
    with pytest.raises(HandshakeFailure) as caught:
        choose(_config(), replace(_OFFER, **wrong))
    assert caught.value.alert is alert


@pytest.mark.parametrize("kind", [10, 11, 13, 14, 16, 43])
def test_malformed_extensions_are_parse_errors(kind: int) -> None:
    hello = replace(_OFFER, extensions=_with(kind, b"\1"))
    with pytest.raises(ParseError):
        choose_version(hello)
        choose(_config(), hello)


def test_grease_and_unknown_offers_are_passed_over() -> None:
    grease = 0x1A1A
    hello = replace(
        _OFFER,
        cipher_suites=(grease, 0x1301, *_OFFER.cipher_suites, 0x5A5A),
        extensions=(
            ext.Extension(grease, b""),
            *_with(10, ext.serialize_u16_vector((grease, 4588, NamedGroup.SECP384R1))),
            ext.Extension(0x4A4A, b"\0"),
            ext.Extension(43, b"\x08\x1a\x1a\xfe\xfc\xfe\xfd\x03\x03"),
        ),
    )
    assert choose_version(hello) == 0xFEFD
    assert choose(_config(), hello).group is NamedGroup.SECP384R1


def test_without_supported_groups_the_server_takes_p_256() -> None:
    hello = replace(_OFFER, extensions=_without(ExtensionType.SUPPORTED_GROUPS))
    assert choose(_config(), hello).group is NamedGroup.SECP256R1


@pytest.mark.parametrize(
    ("version", "supported", "good"),
    [
        (0xFEFD, None, True),
        (0xFEFC, None, True),
        (0xFEFF, None, False),
        (0x0303, None, False),
        (0xFEFD, (0xFEFC,), False),
        (0xFEFD, (0x0303, 0x0304), False),
        (0xFEFF, (0xFEFD,), True),
    ],
)
def test_the_version_is_chosen_from_the_whole_hello(
    version: int, supported: tuple[int, ...] | None, good: bool
) -> None:
    extensions = _OFFER.extensions
    if supported is not None:
        body = b"".join(number.to_bytes(2, "big") for number in supported)
        extensions = (*extensions, ext.Extension(43, bytes([len(body)]) + body))
    hello = replace(_OFFER, version=version, extensions=extensions)
    if good:
        assert choose_version(hello) == 0xFEFD
    else:
        with pytest.raises(HandshakeFailure) as caught:
            choose_version(hello)
        assert caught.value.alert is AlertDescription.PROTOCOL_VERSION
