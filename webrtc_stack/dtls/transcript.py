"""The transcript: every handshake message that both sides must have seen alike.

The bytes are kept, not only hashed, because the hash is not known before the suite is chosen and because
CertificateVerify signs under a hash of its own choice. They are released when the handshake is over.

Spec: RFC 5246 section 7.4.9; RFC 6347 section 4.2.6 (each message as if unfragmented; the first ClientHello and
HelloVerifyRequest are left out).
"""

from __future__ import annotations

import hashlib

from .messages import HandshakeMessage


class Transcript:
    """An append-only record of handshake messages."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, message: HandshakeMessage) -> None:
        self._data += message.serialize()

    def reset(self) -> None:
        """Forgets all: the cookie exchange is not part of the handshake, and a finished one needs no transcript."""
        self._data.clear()

    def raw(self) -> bytes:
        """All messages so far, as CertificateVerify signs them."""
        return bytes(self._data)

    def digest(self, hash_name: str) -> bytes:
        """The hash of all messages so far."""
        return hashlib.new(hash_name, self._data).digest()

    def __len__(self) -> int:
        return len(self._data)
