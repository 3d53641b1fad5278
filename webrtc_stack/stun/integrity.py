"""What protects a STUN message: HMACs, the FINGERPRINT checksum, and keys from passwords.

Spec: RFC 8489 sections 9.2.2 (long-term key), 9.2 (USERHASH), 14.5, 14.6, 14.7. Preparation of text is RFC 4013
(SASLprep) for every algorithm: the OpaqueString profile of RFC 8265 gives the same for all text that both accept, and
its refusals would lock out users of older servers.
"""

from __future__ import annotations

import hashlib
import hmac
import stringprep
import struct
import unicodedata
import zlib
from typing import Final

from ..errors import InvalidArgumentError

_FINGERPRINT_XOR: Final = 0x5354554E


def fingerprint(head: bytes) -> int:
    """The FINGERPRINT value for a message that is `head` up to that attribute, its header length already final."""
    return zlib.crc32(head) ^ _FINGERPRINT_XOR


def with_length(head: bytes, length: int) -> bytes:
    """`head` with the header's length field set to `length`."""
    return head[:2] + struct.pack("!H", length) + head[4:]


def message_integrity(head: bytes, key: bytes, algorithm: str = "sha1") -> bytes:
    """The full HMAC over `head`, counting as if the message ended behind the integrity attribute itself."""
    size = 24 if algorithm == "sha1" else 36
    return integrity_of(head, key, algorithm, size)


def integrity_of(head: bytes, key: bytes, algorithm: str, attribute_size: int) -> bytes:
    """The same for an attribute of `attribute_size` bytes, header included: truncation changes the length hashed."""
    return hmac.digest(key, with_length(head, len(head) - 20 + attribute_size), algorithm)


def prepare_text(text: str) -> str:
    """Text prepared for hashing: spaces mapped, invisible characters removed, compatibility forms composed.

    Errors: `InvalidArgumentError` for control and other prohibited characters.
    Spec: RFC 4013.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    prepared = unicodedata.normalize("NFKC", mapped)
    for c in prepared:
        if any(
            table(c)
            for table in (
                stringprep.in_table_c21_c22,
                stringprep.in_table_c3,
                stringprep.in_table_c4,
                stringprep.in_table_c5,
                stringprep.in_table_c6,
                stringprep.in_table_c7,
                stringprep.in_table_c8,
                stringprep.in_table_c9,
            )
        ):
            raise InvalidArgumentError(f"user names and passwords may not contain U+{ord(c):04X}")
    return prepared


def short_term_key(password: str) -> bytes:
    """The key of short-term credentials, as ICE uses them."""
    return prepare_text(password).encode()


def long_term_key(username: str, realm: str, password: str, algorithm: str = "md5") -> bytes:
    """The key of long-term credentials: a digest over `username:realm:password`.

    Errors: `InvalidArgumentError` for an algorithm other than `md5` and `sha256`.
    """
    if algorithm not in ("md5", "sha256"):
        raise InvalidArgumentError(f"password algorithms are md5 and sha256, got {algorithm!r}")
    text = f"{prepare_text(username)}:{prepare_text(realm)}:{prepare_text(password)}"
    return hashlib.new(algorithm, text.encode(), usedforsecurity=False).digest()


def user_hash(username: str, realm: str) -> bytes:
    """The USERHASH value: a user name that observers cannot read."""
    return hashlib.sha256(f"{prepare_text(username)}:{prepare_text(realm)}".encode()).digest()
