"""The cipher suites: what each is made of, and the record protection it gives.

Spec: RFC 5289 (AES-GCM with ECDHE), RFC 7905 (ChaCha20-Poly1305).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from .constants import CipherSuite
from .protection import ChaChaOpener, ChaChaSealer, GcmOpener, GcmSealer, Opener, Sealer


class SuiteParameters(NamedTuple):
    """What a suite is made of. `authentication` is the kind of the server's key: `ecdsa` or `rsa`."""

    authentication: str
    hash_name: str
    key_bytes: int
    iv_bytes: int
    is_gcm: bool


_GCM_IV: Final = 4
_CHACHA_IV: Final = 12

SUITES: Final[Mapping[int, SuiteParameters]] = {
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: SuiteParameters("ecdsa", "sha256", 16, _GCM_IV, True),
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: SuiteParameters("ecdsa", "sha384", 32, _GCM_IV, True),
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: SuiteParameters("rsa", "sha256", 16, _GCM_IV, True),
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: SuiteParameters("rsa", "sha384", 32, _GCM_IV, True),
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: SuiteParameters("rsa", "sha256", 32, _CHACHA_IV, False),
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: SuiteParameters(
        "ecdsa", "sha256", 32, _CHACHA_IV, False
    ),
}


def make_opener(suite: SuiteParameters, key: bytes, iv: bytes, *, epoch: int, window: int) -> Opener:
    """Protection of the records that come in."""
    if suite.is_gcm:
        return GcmOpener(AESGCM(key), iv, epoch=epoch, window=window)
    return ChaChaOpener(ChaCha20Poly1305(key), iv, epoch=epoch, window=window)


def make_sealer(suite: SuiteParameters, key: bytes, iv: bytes, *, epoch: int) -> Sealer:
    """Protection of the records that go out."""
    if suite.is_gcm:
        return GcmSealer(AESGCM(key), iv, epoch=epoch)
    return ChaChaSealer(ChaCha20Poly1305(key), iv, epoch=epoch)
