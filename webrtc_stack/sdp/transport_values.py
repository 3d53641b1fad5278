"""Typed values of the attributes that describe transports and grouping.

Spec: RFC 8839 (ice-*, candidate, remote-candidates), RFC 8122 and 8842 (fingerprint, setup, tls-id), RFC 4145
(setup, connection), RFC 8841 (sctp-port, max-message-size), RFC 5888 and 9143 (group, mid), RFC 3605 (rtcp),
draft-ietf-mmusic-sctp-sdp-05 (sctpmap, still written by old peers).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ..base import Fingerprint, SetupRole
from ..errors import SdpParseError
from .values import number, token, words

DIGEST_BYTES = {"md2": 16, "md5": 16, "sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Digest length by hash function (RFC 8122 section 5); an unknown function may have any."""

_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*\Z")


def parse_fingerprint(text: str) -> Fingerprint:
    """Reads the text of `a=fingerprint`. Hex of either case is taken: RFC 8122 wants upper case, some write lower.

    Errors: `SdpParseError`.
    """
    algorithm, value = words(text, 2, "fingerprint", most=2)
    if not _HEX_PAIRS.match(value):
        raise SdpParseError("expected hex pairs joined by colons", field="fingerprint")
    digest = bytes.fromhex(value.replace(":", ""))
    algorithm = token(algorithm, "fingerprint").lower()
    wanted = DIGEST_BYTES.get(algorithm)
    if wanted is not None and len(digest) != wanted:
        raise SdpParseError(f"{algorithm} has {wanted} bytes, got {len(digest)}", field="fingerprint")
    return Fingerprint(algorithm=algorithm, digest=digest)


def serialize_fingerprint(fingerprint: Fingerprint) -> str:
    """The text of `a=fingerprint`."""
    return f"{fingerprint.algorithm} {fingerprint.value}"


def parse_setup(text: str) -> SetupRole:
    """Reads the text of `a=setup`. Errors: `SdpParseError`."""
    try:
        return SetupRole(text.strip().lower())
    except ValueError:
        raise SdpParseError(
            f"expected actpass, active, passive or holdconn, got {text[:20]!r}", field="setup"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`a=group`: media sections that belong together; `BUNDLE` ones share a transport, `LS` ones are in lip sync."""

    NAME: ClassVar[str] = "group"

    semantics: str
    mids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Group:
        semantics, *mids = words(text, 1, "group")
        return cls(semantics=token(semantics, "group"), mids=tuple(mids))

    def serialize(self) -> str:
        return " ".join((self.semantics, *self.mids))


@dataclass(frozen=True, slots=True, kw_only=True)
class SctpMap:
    """`a=sctpmap`: the form before RFC 8841: port, application, number of streams."""

    NAME: ClassVar[str] = "sctpmap"

    port: int
    application: str
    streams: int | None = None

    @classmethod
    def parse(cls, text: str) -> SctpMap:
        port, application, *streams = words(text, 2, "sctpmap", most=3)
        return cls(
            port=number(port, 65535, "sctpmap port"),
            application=application,
            streams=number(streams[0], 65536, "sctpmap streams") if streams else None,
        )

    def serialize(self) -> str:
        streams = "" if self.streams is None else f" {self.streams}"
        return f"{self.port} {self.application}{streams}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rtcp:
    """`a=rtcp`: where RTCP goes when it is not multiplexed with RTP."""

    NAME: ClassVar[str] = "rtcp"

    port: int
    network_type: str | None = None
    address_type: str | None = None
    address: str | None = None

    @classmethod
    def parse(cls, text: str) -> Rtcp:
        found = words(text, 1, "rtcp", most=4)
        port = number(found[0], 65535, "rtcp port")
        if len(found) == 1:
            return cls(port=port)
        if len(found) != 4 or found[1] != "IN" or found[2] not in ("IP4", "IP6"):
            raise SdpParseError("expected port, or port IN IP4|IP6 address", field="rtcp")
        return cls(port=port, network_type=found[1], address_type=found[2], address=found[3])

    def serialize(self) -> str:
        if self.address is None:
            return str(self.port)
        return f"{self.port} {self.network_type} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCandidate:
    """One triple of `a=remote-candidates`."""

    component: int
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCandidates:
    """`a=remote-candidates`: the selected remote candidates, in a controlling offerer's later offer."""

    NAME: ClassVar[str] = "remote-candidates"

    candidates: tuple[RemoteCandidate, ...]

    @classmethod
    def parse(cls, text: str) -> RemoteCandidates:
        found = words(text, 3, "remote-candidates")
        if len(found) % 3:
            raise SdpParseError("expected triples of component, address, port", field="remote-candidates")
        return cls(
            candidates=tuple(
                RemoteCandidate(
                    component=number(component, 256, "remote-candidates component"),
                    host=host,
                    port=number(port, 65535, "remote-candidates port"),
                )
                for component, host, port in zip(found[::3], found[1::3], found[2::3], strict=True)
            )
        )

    def serialize(self) -> str:
        return " ".join(f"{c.component} {c.host} {c.port}" for c in self.candidates)
