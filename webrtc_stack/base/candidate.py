"""An ICE candidate as a value, and its text form (`candidate:` lines of SDP and of trickle signalling).

Spec: RFC 8839 section 5.1, RFC 6544 section 4.5 (tcptype), RFC 8838. Unknown extension attributes survive in order.
Addresses are kept as text: an mDNS name (`….local`) or an FQDN is as legal here as an IP literal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ParseError

MAX_CANDIDATE_CHARACTERS = 1024
"""Longer lines are refused: a real candidate has about 150 characters."""

_ICE_CHAR = re.compile(r"[A-Za-z0-9+/]+\Z")
_HOST = re.compile(r"[0-9A-Za-z.:%_\-]+\Z")
_NUMBER = re.compile(r"[0-9]{1,10}\Z")


class CandidateType(StrEnum):
    HOST = "host"
    SRFLX = "srflx"
    PRFLX = "prflx"
    RELAY = "relay"


class TcpType(StrEnum):
    ACTIVE = "active"
    PASSIVE = "passive"
    SO = "so"


_TCP_TYPES = frozenset(kind.value for kind in TcpType)

_TCP_TYPES = frozenset(kind.value for kind in TcpType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate. `transport` is lower case (`udp`, `tcp`, or an unknown token); `ufrag` is the trickle extension
    that says to which generation the candidate belongs."""

    foundation: str
    component: int = 1
    transport: str = "udp"
    priority: int
    host: str
    port: int
    type: CandidateType
    related_host: str | None = None
    related_port: int | None = None
    tcp_type: TcpType | None = None
    ufrag: str | None = None
    extensions: tuple[tuple[str, str], ...] = ()
    """Unknown (name, value) pairs behind the known ones, in order."""

    @property
    def is_mdns(self) -> bool:
        """True if the address is a multicast DNS name that must be resolved first."""
        return self.host.lower().endswith(".local")

    @classmethod
    def parse(cls, text: str) -> Candidate:
        """Reads `candidate:…` with or without the `a=` in front.

        Browsers differ in case (`UDP`), and write unknown extensions such as `network-cost`; both are accepted.
        Errors: `ParseError`.
        """
        if len(text) > MAX_CANDIDATE_CHARACTERS:
            raise ParseError(f"{len(text)} characters are too many for a candidate", field="candidate")
        text = text.strip()
        if text.startswith("a="):
            text = text[2:]
        if not text.lower().startswith("candidate:"):
            raise ParseError("a candidate begins with 'candidate:'", offset=0, field="candidate")
        words = text[10:].split()
        if len(words) < 8 or words[6].lower() != "typ":
            raise ParseError("expected foundation component transport priority host port typ type", field="candidate")
        foundation, component, transport, priority, host, port, _, kind = words[:8]
        if not _ICE_CHAR.match(foundation) or len(foundation) > 32:
            raise ParseError(f"not a foundation: {foundation[:40]!r}", field="candidate.foundation")
        if not _HOST.match(host):
            raise ParseError(f"not an address: {host[:80]!r}", field="candidate.host")
        try:
            candidate_type = CandidateType(kind.lower())
        except ValueError:
            raise ParseError(f"unknown candidate type {kind[:20]!r}", field="candidate.type") from None
        rest = words[8:]
        if len(rest) % 2:
            raise ParseError("extension without a value", field="candidate.extensions")
        related_host: str | None = None
        related_port: int | None = None
        tcp_type: TcpType | None = None
        ufrag: str | None = None
        extensions: list[tuple[str, str]] = []
        for name, value in zip(rest[::2], rest[1::2], strict=True):
            if name == "raddr" and related_host is None and _HOST.match(value):
                related_host = value
            elif name == "rport" and related_port is None:
                related_port = _number(value, 65535, "candidate.rport")
            elif name == "tcptype" and tcp_type is None and value in _TCP_TYPES:
                tcp_type = TcpType(value)
            elif name == "ufrag" and ufrag is None:
                ufrag = value
            else:
                extensions.append((name, value))
        return cls(
            foundation=foundation,
            component=_number(component, 256, "candidate.component"),
            transport=transport.lower(),
            priority=_number(priority, 2**32 - 1, "candidate.priority"),
            host=host,
            port=_number(port, 65535, "candidate.port"),
            type=candidate_type,
            related_host=related_host,
            related_port=related_port,
            tcp_type=tcp_type,
            ufrag=ufrag,
            extensions=tuple(extensions),
        )

    def serialize(self) -> str:
        """`candidate:…`, without the `a=`; what JavaScript calls the candidate string."""
        words = [
            f"candidate:{self.foundation}",
            str(self.component),
            self.transport,
            str(self.priority),
            self.host,
            str(self.port),
            "typ",
            self.type.value,
        ]
        if self.related_host is not None:
            words += ["raddr", self.related_host]
        if self.related_port is not None:
            words += ["rport", str(self.related_port)]
        if self.tcp_type is not None:
            words += ["tcptype", self.tcp_type.value]
        if self.ufrag is not None:
            words += ["ufrag", self.ufrag]
        for name, value in self.extensions:
            words += [name, value]
        return " ".join(words)


def _number(text: str, limit: int, field: str) -> int:
    if not _NUMBER.match(text) or int(text) > limit:
        raise ParseError(f"expected a number up to {limit}, got {text[:20]!r}", field=field)
    return int(text)
