"""Session keys out of a master key.

The key derivation rate is always 0 (keys are derived once), as DTLS-SRTP requires.

Spec: RFC 3711 section 4.3; RFC 6188 section 2 (longer keys); RFC 7714 section 11 (12-byte master salts are padded);
RFC 6904 section 4 (labels 6 and 7). Left out: key derivation rates other than 0.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

AUTHENTICATION_KEY_BYTES: Final = 20
"""HMAC-SHA1's; RFC 3711 section 5.2."""
COUNTER_MODE_SALT_BYTES: Final = 14


class Label(IntEnum):
    RTP_ENCRYPTION = 0
    RTP_AUTHENTICATION = 1
    RTP_SALT = 2
    RTCP_ENCRYPTION = 3
    RTCP_AUTHENTICATION = 4
    RTCP_SALT = 5
    RTP_HEADER_ENCRYPTION = 6
    RTP_HEADER_SALT = 7


class SessionKeys(NamedTuple):
    """What protects one kind of packet."""

    encryption: bytes
    salt: bytes
    authentication: bytes


def derive(master_key: bytes, master_salt: bytes, label: Label, length: int) -> bytes:
    """`length` bytes of the pseudo-random function (AES in counter mode) for `label`."""
    x = int.from_bytes(master_salt.ljust(COUNTER_MODE_SALT_BYTES, b"\0"), "big") ^ label << 48
    stream = Cipher(AES(master_key), CTR((x << 16).to_bytes(16, "big"))).encryptor()
    return stream.update(bytes(length))


def rtp_keys(master_key: bytes, master_salt: bytes) -> SessionKeys:
    return SessionKeys(
        derive(master_key, master_salt, Label.RTP_ENCRYPTION, len(master_key)),
        derive(master_key, master_salt, Label.RTP_SALT, len(master_salt)),
        derive(master_key, master_salt, Label.RTP_AUTHENTICATION, AUTHENTICATION_KEY_BYTES),
    )


def rtcp_keys(master_key: bytes, master_salt: bytes) -> SessionKeys:
    return SessionKeys(
        derive(master_key, master_salt, Label.RTCP_ENCRYPTION, len(master_key)),
        derive(master_key, master_salt, Label.RTCP_SALT, len(master_salt)),
        derive(master_key, master_salt, Label.RTCP_AUTHENTICATION, AUTHENTICATION_KEY_BYTES),
    )


def header_keys(master_key: bytes, master_salt: bytes) -> SessionKeys:
    """Keys of RFC 6904. Its key stream is counter mode for every profile: the shorter salt of GCM is padded for it."""
    return SessionKeys(
        derive(master_key, master_salt, Label.RTP_HEADER_ENCRYPTION, len(master_key)),
        derive(master_key, master_salt, Label.RTP_HEADER_SALT, len(master_salt)).ljust(COUNTER_MODE_SALT_BYTES, b"\0"),
        b"",
    )
