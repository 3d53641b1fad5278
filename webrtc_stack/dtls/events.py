"""What happened, as `poll_events` tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

from ..base import Fingerprint
from ..errors import WebRTCError
from .constants import CipherSuite, NamedGroup, SrtpProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeCompleted:
    """Both sides are authenticated and data may flow.

    `peer_certificate` is DER, `peer_fingerprints` its SHA-256, SHA-384 and SHA-512. `srtp_profile` is None when no
    profile was agreed on.
    """

    version: str
    cipher_suite: CipherSuite
    srtp_profile: SrtpProfile | None
    peer_certificate: bytes
    peer_fingerprints: tuple[Fingerprint, ...]
    group: NamedGroup
    extended_master_secret: bool
    alpn_protocol: str | None = None


class DataReceived(NamedTuple):
    """One record of application data (one SCTP packet in WebRTC)."""

    data: bytes


_make_data_received = partial(tuple.__new__, DataReceived)


def data_received(payloads: Iterable[bytes]) -> Iterator[DataReceived]:
    """One event for each payload, made without a Python call each (a NamedTuple's own `__new__` is one)."""
    return map(_make_data_received, zip(payloads, strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The end; nothing comes after it. `error` is None when either side closed in good order.

    `error` is otherwise a `DtlsAlertError`, `FingerprintMismatch`, `TimedOut` or `KeyLimitReached`.
    """

    reason: str
    error: WebRTCError | None = None


DtlsEvent: TypeAlias = HandshakeCompleted | DataReceived | Closed
