"""Certificates: our own, made or loaded, and what is read of a peer's.

In WebRTC a certificate is a key in an envelope: nobody signs it but itself, and what makes it right is a fingerprint
that came with signalling. So of a peer's certificate only the key is read; names, dates and its own signature are not
looked at (RFC 8827 section 6.5).

Spec: RFC 8122 section 5 (fingerprint), RFC 8827 section 6.5, RFC 5280 (form).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ..base import SYSTEM_ENTROPY, Entropy, Fingerprint
from ..errors import InvalidArgumentError, NotSupportedError, ParseError
from .key_exchange import derive_ec_key
from .signatures import PrivateKey, PublicKey, authentication_of

_HASHLIB_NAMES: Final = {
    "sha-1": "sha1",
    "sha-224": "sha224",
    "sha-256": "sha256",
    "sha-384": "sha384",
    "sha-512": "sha512",
}
_DAY: Final = 86_400.0


def fingerprint_of(der: bytes, algorithm: str = "sha-256") -> Fingerprint:
    """The fingerprint of a DER certificate. `algorithm` is a name of RFC 8122, in any case.

    Errors: `NotSupportedError` for an unknown algorithm (MD2 and MD5 are forbidden by RFC 8122 section 5).
    """
    name = algorithm.lower()
    if name not in _HASHLIB_NAMES:
        raise NotSupportedError(f"no fingerprint algorithm {algorithm!r}; use one of {', '.join(_HASHLIB_NAMES)}")
    return Fingerprint(algorithm=name, digest=hashlib.new(_HASHLIB_NAMES[name], der, usedforsecurity=False).digest())


def public_key_of(der: bytes) -> PublicKey:
    """The key inside a DER certificate.

    Errors: `ParseError` when it is no certificate, or holds a key that is neither RSA nor elliptic-curve.
    """
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, Warning) as error:
        # Warning: an application that turns warnings into errors must not make `receive` raise.
        raise ParseError(f"not a certificate ({type(error).__name__})", field="certificate") from None
    if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise ParseError("a key that is neither RSA nor elliptic-curve", field="certificate")
    return key


class Certificate:
    """Our certificate with its private key. Immutable; may serve any number of connections."""

    __slots__ = ("_key", "chain", "der", "not_after")

    def __init__(self, der: bytes, key: PrivateKey, *, chain: tuple[bytes, ...] = ()) -> None:
        self.der = der
        self.chain = chain
        """Certificates above ours, sent along. Empty for self-signed ones."""
        self._key = key
        self.not_after: float = x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()
        """When it expires, Unix seconds."""

    @classmethod
    def generate(
        cls,
        *,
        wall_time: float,
        entropy: Entropy = SYSTEM_ENTROPY,
        lifetime: float = 30 * _DAY,
        curve: str = "P-256",
        common_name: str = "webrtc",
    ) -> Certificate:
        """Makes a self-signed ECDSA certificate.

        `wall_time` is the present, Unix seconds; the certificate is valid from a day before (clocks differ) until
        `lifetime` after. The same entropy and time give the same bytes.

        Errors: `InvalidArgumentError` for a `curve` other than `P-256` and `P-384`, a `lifetime` that is not positive.
        """
        if curve not in ("P-256", "P-384"):
            raise InvalidArgumentError(f"curve must be P-256 or P-384, got {curve!r}")
        if not lifetime > 0:
            raise InvalidArgumentError(f"lifetime is in seconds and positive, got {lifetime}")
        key = derive_ec_key(ec.SECP256R1() if curve == "P-256" else ec.SECP384R1(), entropy)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        # RFC 5280 section 4.1.2.2: positive, at most 20 bytes. The top bit stays clear, the lowest is set.
        serial = int.from_bytes(entropy.bytes(16), "big") >> 1 | 1
        start = datetime.fromtimestamp(int(wall_time), UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(start - timedelta(days=1))
            .not_valid_after(start + timedelta(seconds=lifetime))
            .sign(key, hashes.SHA256() if curve == "P-256" else hashes.SHA384(), ecdsa_deterministic=True)
        )
        return cls(certificate.public_bytes(serialization.Encoding.DER), key)

    @classmethod
    def from_pem(cls, certificate: bytes | str, key: bytes | str, password: bytes | None = None) -> Certificate:
        """Loads a certificate (the first; any others become the chain) and its private key, RSA or ECDSA.

        Errors: `InvalidArgumentError` when either cannot be read or they do not belong together;
        `NotSupportedError` for another kind of key.
        """
        certificate = certificate.encode() if isinstance(certificate, str) else certificate
        key = key.encode() if isinstance(key, str) else key
        try:
            certificates = x509.load_pem_x509_certificates(certificate)
            private = serialization.load_pem_private_key(key, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidArgumentError(f"certificate or key cannot be read: {error}") from None
        if isinstance(private, ec.EllipticCurvePrivateKey):
            if private.curve.name not in ("secp256r1", "secp384r1"):
                raise NotSupportedError(f"an ECDSA key must be on P-256 or P-384, this one is on {private.curve.name}")
        elif not isinstance(private, rsa.RSAPrivateKey):
            raise NotSupportedError("the private key must be RSA or ECDSA")
        if certificates[0].public_key() != private.public_key():
            raise InvalidArgumentError("the private key does not belong to the certificate")
        ders = [each.public_bytes(serialization.Encoding.DER) for each in certificates]
        return cls(ders[0], private, chain=tuple(ders[1:]))

    def to_pem(self) -> tuple[str, str]:
        """The certificates and the private key (PKCS #8, not encrypted) as PEM text."""
        ders = (self.der, *self.chain)
        pems = [x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM) for der in ders]
        key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return b"".join(pems).decode(), key.decode()

    def fingerprint(self, algorithm: str = "sha-256") -> Fingerprint:
        """What signalling must tell the peer. See `fingerprint_of`."""
        return fingerprint_of(self.der, algorithm)

    @property
    def private_key(self) -> PrivateKey:
        return self._key

    @property
    def authentication(self) -> str:
        """`ecdsa` or `rsa`."""
        return authentication_of(self._key)

    def __repr__(self) -> str:
        return f"<Certificate {self.authentication} sha-256 {self.fingerprint().value[:11]}...>"
