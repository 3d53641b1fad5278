"""Values that signalling carries from one room to another: ICE, DTLS and SCTP parameters.

They live on floor 0 because `sdp` writes them, `peer` moves them and the transports read them, and none of these
rooms imports another.

Spec: RFC 8839 (ICE), RFC 8122 and 8842 (fingerprint, setup), RFC 8841 (SCTP).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class IceParameters:
    """One side's ICE credentials and announcements."""

    ufrag: str
    pwd: str
    lite: bool = False
    options: tuple[str, ...] = ()


class SetupRole(StrEnum):
    """`a=setup` (RFC 4145, RFC 8842): who opens the DTLS association."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"
    HOLDCONN = "holdconn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """The digest of a certificate's DER form. `algorithm` is lower case (`sha-256`), `digest` the raw bytes."""

    algorithm: str
    digest: bytes

    @property
    def value(self) -> str:
        """Upper-case hex pairs joined by colons, as SDP writes it."""
        return self.digest.hex(":").upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class DtlsParameters:
    """One side's DTLS role and the certificates it may present; a peer matching any fingerprint is right."""

    setup: SetupRole
    fingerprints: tuple[Fingerprint, ...]
    tls_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SctpParameters:
    """One side's SCTP port and message limit. `max_message_size` 0 means "no limit" (RFC 8841 section 6)."""

    port: int = 5000
    max_message_size: int = 65536
