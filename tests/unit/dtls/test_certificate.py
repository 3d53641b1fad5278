"""Certificates: made, loaded, fingerprinted."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.support.dtls_peers import WALL_TIME, certificate
from webrtc_stack.base import SeededEntropy
from webrtc_stack.dtls import Certificate, fingerprint_of
from webrtc_stack.dtls.certificate import public_key_of
from webrtc_stack.errors import InvalidArgumentError, NotSupportedError, ParseError


def test_the_same_entropy_gives_the_same_certificate() -> None:
    made = [Certificate.generate(wall_time=WALL_TIME, entropy=SeededEntropy(seed)).der for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_a_generated_certificate_is_self_signed_and_valid_around_now(curve: str) -> None:
    made = Certificate.generate(wall_time=WALL_TIME, entropy=SeededEntropy(1), curve=curve, lifetime=3600.0)
    parsed = x509.load_der_x509_certificate(made.der)
    parsed.verify_directly_issued_by(parsed)
    assert parsed.not_valid_before_utc.timestamp() == WALL_TIME - 86400
    assert parsed.not_valid_after_utc.timestamp() == made.not_after == WALL_TIME + 3600
    assert made.authentication == "ecdsa"


def test_system_entropy_is_the_default() -> None:
    assert Certificate.generate(wall_time=WALL_TIME).der != Certificate.generate(wall_time=WALL_TIME).der


def test_a_fingerprint_is_the_digest_of_the_der_form() -> None:
    made = certificate("client")
    assert made.fingerprint().digest == hashlib.sha256(made.der).digest()
    assert made.fingerprint("SHA-512").digest == hashlib.sha512(made.der).digest()
    assert made.fingerprint("sha-384").algorithm == "sha-384"
    assert fingerprint_of(made.der, "sha-1").digest == hashlib.sha1(made.der).digest()
    with pytest.raises(NotSupportedError, match="md5"):
        made.fingerprint("md5")


@pytest.mark.parametrize("name", ["client", "p384", "rsa"])
def test_a_certificate_survives_pem(name: str) -> None:
    original = certificate(name)
    pem, key = original.to_pem()
    loaded = Certificate.from_pem(pem, key.encode())
    assert loaded.der == original.der
    assert loaded.private_key.private_numbers() == original.private_key.private_numbers()
    assert loaded.authentication == original.authentication


def test_further_certificates_become_the_chain() -> None:
    pem, key = certificate("client").to_pem()
    other, _ = certificate("server").to_pem()
    loaded = Certificate.from_pem(pem + other, key)
    assert loaded.chain == (certificate("server").der,)
    assert loaded.to_pem()[0] == pem + other


def test_a_key_that_does_not_belong_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="does not belong"):
        Certificate.from_pem(certificate("client").to_pem()[0], certificate("server").to_pem()[1])


def test_unreadable_pem_is_refused() -> None:
    pem, key = certificate("client").to_pem()
    for bad in (("", key), (pem, ""), ("nonsense", "nonsense"), (pem, pem)):
        with pytest.raises(InvalidArgumentError):
            Certificate.from_pem(*bad)


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP521R1())])
def test_a_key_of_another_kind_is_refused(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(NotSupportedError):
        Certificate.from_pem(certificate("client").to_pem()[0], pem)


def test_odd_wishes_are_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        Certificate.generate(wall_time=WALL_TIME, curve="P-521")
    with pytest.raises(InvalidArgumentError):
        Certificate.generate(wall_time=WALL_TIME, lifetime=0)


def test_bytes_that_are_no_certificate_are_a_parse_error() -> None:
    der = certificate("client").der
    for bad in (b"", b"\x30", der[:-1], der + b"\0", bytes(300), b"\x30\x82" + der[2:][::-1]):
        with pytest.raises(ParseError):
            public_key_of(bad)


def test_a_certificate_does_not_show_its_key() -> None:
    assert "PRIVATE" not in repr(certificate("client"))
