"""`turn:` and `turns:` URIs as values.

Spec: RFC 7065; RFC 5928 section 3 (default ports). Left out: resolution by NAPTR and SRV (RFC 5928).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..base import canonical_ip
from ..errors import InvalidArgumentError, ParseError

_URI: Final = re.compile(
    r"(?P<scheme>turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::(?P<port>[0-9]*))?"
    r"(?:\?transport=(?P<transport>[A-Za-z0-9._~-]+))?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnUri:
    """Where a TURN server is. `transport` is `udp`, `tcp`, `tls` or `dtls` (`turns:` over udp)."""

    host: str
    port: int
    transport: str

    @classmethod
    def parse(cls, text: str) -> TurnUri:
        """Reads `turn:host[:port][?transport=udp|tcp]` and the same with `turns`.

        Errors: `ParseError`.
        """
        match = _URI.fullmatch(text)
        if match is None:
            raise ParseError(f"not a TURN URI: {text[:80]!r}; the form is turn:host:port?transport=udp", field="uri")
        secure = match["scheme"].lower() == "turns"
        transport = (match["transport"] or ("tcp" if secure else "udp")).lower()
        if transport not in ("udp", "tcp"):
            raise ParseError(f"transport is udp or tcp, got {transport[:20]!r}", field="transport")
        digits = match["port"] or ("5349" if secure else "3478")
        port = int(digits) if len(digits) < 6 else 0
        if not 0 < port < 65536:
            raise ParseError(f"a port is from 1 to 65535, got {digits[:12]}", field="port")
        host = match["host"]
        if host.startswith("["):
            try:
                host = canonical_ip(host[1:-1])
            except InvalidArgumentError as error:
                raise ParseError(str(error), field="host") from None
        if secure:
            transport = "tls" if transport == "tcp" else "dtls"
        return cls(host=host, port=port, transport=transport)

    def serialize(self) -> str:
        """The URI, with port and transport written out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "turns" if self.transport in ("tls", "dtls") else "turn"
        return f"{scheme}:{host}:{self.port}?transport={'tcp' if self.transport in ('tcp', 'tls') else 'udp'}"

    def __str__(self) -> str:
        return self.serialize()
