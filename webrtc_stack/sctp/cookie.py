"""The state cookie: all that is needed to make an association, signed, so that nothing is kept for an INIT.

Spec: RFC 9260 sections 5.1.3, 5.1.5, 5.2.4, 5.2.6. The signature is HMAC-SHA256 under a secret of this association.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Final, NamedTuple

from ..base import Instant

_FIELDS: Final = struct.Struct(">4sdIIIIIHHIIB")
_MAGIC: Final = b"wsCK"
_MAC_BYTES: Final = 32
COOKIE_BYTES: Final = _FIELDS.size + _MAC_BYTES


class Cookie(NamedTuple):
    """What INIT and INIT ACK agreed on, seen from the side that made the cookie."""

    created: Instant
    local_tag: int
    peer_tag: int
    local_tsn: int
    peer_tsn: int
    peer_window: int
    outbound_streams: int
    inbound_streams: int
    local_tie_tag: int
    peer_tie_tag: int
    extensions: int
    """Bit 0: FORWARD TSN, bit 1: RE-CONFIG."""


class CookieJar:
    """Makes and checks cookies. Stateless but for its secret."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, cookie: Cookie) -> bytes:
        body = _FIELDS.pack(_MAGIC, *cookie)
        return body + hmac.digest(self._secret, body, hashlib.sha256)

    def open(self, data: bytes) -> Cookie | None:
        """The cookie, or None if it is not one of ours."""
        if len(data) != COOKIE_BYTES:
            return None
        body = data[:-_MAC_BYTES]
        if not hmac.compare_digest(hmac.digest(self._secret, body, hashlib.sha256), data[-_MAC_BYTES:]):
            return None
        return Cookie(*_FIELDS.unpack(body)[1:])
