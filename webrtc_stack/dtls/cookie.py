"""Stateless cookies: proof that a client receives at the address it sends from, without memory for it.

WebRTC does not need them, because ICE has proven the path before DTLS begins; a server on a bare socket does.

The cookie is an HMAC over what RFC 6347 says both ClientHellos of one client have in common. The address is not in
it: machines of this room do not know addresses. Whoever runs a server on a bare socket gives each source its own
endpoint, hence its own secret, so a cookie is worth nothing elsewhere.

Spec: RFC 6347 section 4.2.1.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Final

from ..base import Entropy
from .messages import ClientHello

COOKIE_BYTES: Final = 20
"""RFC 6347 allows 255, DTLS 1.0 clients only 32; 160 bits cannot be guessed."""


class CookieJar:
    """Makes and checks cookies under one secret."""

    __slots__ = ("_secret",)

    def __init__(self, entropy: Entropy) -> None:
        self._secret = entropy.bytes(32)

    def cookie_for(self, hello: ClientHello) -> bytes:
        """The cookie that this ClientHello must carry the second time."""
        return hmac.digest(self._secret, replace(hello, cookie=b"", extensions=()).serialize(), "sha256")[:COOKIE_BYTES]

    def accepts(self, hello: ClientHello) -> bool:
        return hmac.compare_digest(hello.cookie, self.cookie_for(hello))
