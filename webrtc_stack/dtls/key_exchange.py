"""Ephemeral Diffie-Hellman over X25519, P-256 and P-384. Private keys come from injected entropy.

Spec: RFC 8422 sections 5.4, 5.7, 5.10, 5.11 (only uncompressed points); RFC 7748 (X25519).
"""

from __future__ import annotations

from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..base import Entropy
from .constants import AlertDescription, NamedGroup
from .failure import HandshakeFailure

_ORDERS: Final = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}


def derive_ec_key(curve: ec.EllipticCurve, entropy: Entropy) -> ec.EllipticCurvePrivateKey:
    """A private key drawn from `entropy`; eight bytes more than the order make the bias of the reduction vanish."""
    order = _ORDERS[curve.name]
    drawn = int.from_bytes(entropy.bytes((curve.key_size + 7) // 8 + 8), "big")
    return ec.derive_private_key(1 + drawn % (order - 1), curve)


class KeyShare(Protocol):
    """One side's ephemeral key."""

    group: int
    public_key: bytes

    def agree(self, peer_public_key: bytes) -> bytes:
        """The premaster secret. Errors: `HandshakeFailure` when the peer's value is not a point of the group."""
        ...


class X25519Share:
    __slots__ = ("_private", "group", "public_key")

    def __init__(self, entropy: Entropy) -> None:
        self.group: int = NamedGroup.X25519
        self._private = x25519.X25519PrivateKey.from_private_bytes(entropy.bytes(32))
        self.public_key = self._private.public_key().public_bytes_raw()

    def agree(self, peer_public_key: bytes) -> bytes:
        try:
            return self._private.exchange(x25519.X25519PublicKey.from_public_bytes(peer_public_key))
        except ValueError:  # a wrong length, or a point of small order, which gives an all-zero secret
            raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the peer's X25519 share is invalid") from None


class EcShare:
    __slots__ = ("_curve", "_private", "group", "public_key")

    def __init__(self, group: NamedGroup, entropy: Entropy) -> None:
        self.group: int = group
        self._curve: ec.EllipticCurve = ec.SECP256R1() if group is NamedGroup.SECP256R1 else ec.SECP384R1()
        self._private = derive_ec_key(self._curve, entropy)
        self.public_key = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, peer_public_key: bytes) -> bytes:
        try:
            if peer_public_key[:1] != b"\x04":
                raise ValueError("only uncompressed points")
            peer = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer_public_key)
        except ValueError:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER, f"the peer's share is no point of {self._curve.name}"
            ) from None
        return self._private.exchange(ec.ECDH(), peer)


def make_share(group: NamedGroup, entropy: Entropy) -> KeyShare:
    """A fresh ephemeral key of `group`."""
    return X25519Share(entropy) if group is NamedGroup.X25519 else EcShare(group, entropy)
