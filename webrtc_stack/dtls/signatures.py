"""Signatures of handshakes: which schemes fit which key, making and checking them.

ECDSA signatures are made deterministically (RFC 6979), so that a run can be repeated; RSA-PSS cannot be, which is why
an RSA key of ours signs by PKCS#1 v1.5 unless the peer takes only PSS.

Spec: RFC 5246 section 7.4.1.4.1; RFC 8422 section 5.4; RFC 8446 section 4.2.3 (RSA-PSS in 1.2: section 4.2.3 too).
Left out: anything with SHA-1 or MD5, DSA, EdDSA.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from .constants import SignatureScheme

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_HASHES: Final[dict[int, hashes.HashAlgorithm]] = {
    SignatureScheme.RSA_PKCS1_SHA256: hashes.SHA256(),
    SignatureScheme.RSA_PKCS1_SHA384: hashes.SHA384(),
    SignatureScheme.RSA_PKCS1_SHA512: hashes.SHA512(),
    SignatureScheme.ECDSA_SECP256R1_SHA256: hashes.SHA256(),
    SignatureScheme.ECDSA_SECP384R1_SHA384: hashes.SHA384(),
    SignatureScheme.RSA_PSS_RSAE_SHA256: hashes.SHA256(),
    SignatureScheme.RSA_PSS_RSAE_SHA384: hashes.SHA384(),
    SignatureScheme.RSA_PSS_RSAE_SHA512: hashes.SHA512(),
}
_ECDSA: Final = frozenset({SignatureScheme.ECDSA_SECP256R1_SHA256, SignatureScheme.ECDSA_SECP384R1_SHA384})
_PSS: Final = frozenset(
    {
        SignatureScheme.RSA_PSS_RSAE_SHA256,
        SignatureScheme.RSA_PSS_RSAE_SHA384,
        SignatureScheme.RSA_PSS_RSAE_SHA512,
    }
)


def authentication_of(key: PrivateKey | PublicKey) -> str:
    """`ecdsa` or `rsa`, as the cipher suites call it."""
    return "ecdsa" if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)) else "rsa"


def fits(scheme: int, key: PrivateKey | PublicKey) -> bool:
    """Whether `scheme` is one of ours and for this kind of key. DTLS 1.2 does not tie an ECDSA scheme to a curve."""
    return scheme in _HASHES and (scheme in _ECDSA) == (authentication_of(key) == "ecdsa")


def choose_scheme(
    key: PrivateKey, ours: tuple[SignatureScheme, ...], theirs: tuple[int, ...]
) -> SignatureScheme | None:
    """The scheme to sign with: the first of ours that fits our key and that the peer takes.

    A P-384 key prefers the scheme named after its curve: some peers insist on it although DTLS 1.2 does not.
    """
    usable = [scheme for scheme in ours if scheme in theirs and fits(scheme, key)]
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1":
        usable.sort(key=lambda scheme: scheme is not SignatureScheme.ECDSA_SECP384R1_SHA384)
    return usable[0] if usable else None


def sign(scheme: SignatureScheme, key: PrivateKey, data: bytes) -> bytes:
    """The signature over `data`."""
    algorithm = _HASHES[scheme]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(algorithm, deterministic_signing=True))
    return key.sign(data, _rsa_padding(scheme, algorithm), algorithm)


def verify(scheme: int, key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is the key's over `data`; False as well for a scheme that does not fit the key."""
    if not fits(scheme, key):
        return False
    algorithm = _HASHES[scheme]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(algorithm))
        else:
            key.verify(signature, data, _rsa_padding(scheme, algorithm), algorithm)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _rsa_padding(scheme: int, algorithm: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if scheme in _PSS:
        return padding.PSS(mgf=padding.MGF1(algorithm), salt_length=padding.PSS.DIGEST_LENGTH)
    return padding.PKCS1v15()
