"""Secrets of DTLS 1.2: the PRF, master secret, key block, Finished, exporter.

Spec: RFC 5246 sections 5, 6.3, 7.4.9, 8.1; RFC 7627 section 4 (extended master secret); RFC 5705 section 4 (exporter).
Left out: the MD5/SHA-1 PRF of versions before 1.2.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from ..errors import InvalidArgumentError

MASTER_SECRET_BYTES: Final = 48
VERIFY_DATA_BYTES: Final = 12

_RESERVED_LABELS: Final = frozenset(
    {"client finished", "server finished", "master secret", "extended master secret", "key expansion"}
)


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """P_hash over `label + seed`."""
    seed = label + seed
    output = bytearray()
    a = seed
    while len(output) < length:
        a = hmac.digest(secret, a, hash_name)
        output += hmac.digest(secret, a + seed, hash_name)
    return bytes(output[:length])


def master_secret(hash_name: str, premaster: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """The master secret without RFC 7627."""
    return prf(hash_name, premaster, b"master secret", client_random + server_random, MASTER_SECRET_BYTES)


def extended_master_secret(hash_name: str, premaster: bytes, session_hash: bytes) -> bytes:
    """The master secret bound to the handshake: `session_hash` covers all up to and with ClientKeyExchange."""
    return prf(hash_name, premaster, b"extended master secret", session_hash, MASTER_SECRET_BYTES)


class KeyBlock(NamedTuple):
    """Keys and fixed nonce parts of both directions."""

    client_key: bytes
    server_key: bytes
    client_iv: bytes
    server_iv: bytes


def key_block(
    hash_name: str, master: bytes, client_random: bytes, server_random: bytes, key_bytes: int, iv_bytes: int
) -> KeyBlock:
    """The key block of an AEAD suite (no MAC keys)."""
    block = prf(hash_name, master, b"key expansion", server_random + client_random, 2 * (key_bytes + iv_bytes))
    ivs = block[2 * key_bytes :]
    return KeyBlock(block[:key_bytes], block[key_bytes : 2 * key_bytes], ivs[:iv_bytes], ivs[iv_bytes:])


def verify_data(hash_name: str, master: bytes, *, from_client: bool, transcript_hash: bytes) -> bytes:
    """What a Finished message must contain."""
    label = b"client finished" if from_client else b"server finished"
    return prf(hash_name, master, label, transcript_hash, VERIFY_DATA_BYTES)


def export(
    hash_name: str,
    master: bytes,
    client_random: bytes,
    server_random: bytes,
    label: str,
    length: int,
    context: bytes | None,
) -> bytes:
    """Keying material for an application. An empty `context` differs from none (RFC 5705 section 4).

    Errors: `InvalidArgumentError` for labels that the handshake itself uses, and impossible lengths.
    """
    if label in _RESERVED_LABELS:
        raise InvalidArgumentError(f"the label {label!r} is used by the handshake itself; choose another")
    if not 0 < length <= 65535:
        raise InvalidArgumentError(f"length must be 1 to 65535 bytes, got {length}")
    seed = client_random + server_random
    if context is not None:
        if len(context) > 65535:
            raise InvalidArgumentError(f"a context of {len(context)} bytes, at most 65535 are allowed")
        seed += len(context).to_bytes(2, "big") + context
    try:
        raw_label = label.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidArgumentError("an exporter label is ASCII") from None
    return prf(hash_name, master, raw_label, seed, length)
