"""A whole peer at one moment, as values: for panels, logs and bug reports.

The statistics of W3C (`get_stats`) are built from the same counters, in `stats`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base import Address, Candidate, Fingerprint
from ..datachannel import ChannelSnapshot
from ..sctp import SctpSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSnapshot:
    """One candidate pair and what its checks did."""

    local: Candidate
    remote: Candidate
    remote_address: Address | None
    state: str
    nominated: bool
    selected: bool
    rtt: float | None
    """Seconds, of the last answered check; None before one."""
    requests_sent: int
    requests_received: int
    responses_sent: int
    responses_received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IceSnapshot:
    state: str
    gathering_state: str
    controlling: bool
    local_candidates: tuple[Candidate, ...]
    remote_candidates: tuple[Candidate, ...]
    pairs: tuple[PairSnapshot, ...]

    @property
    def selected_pair(self) -> PairSnapshot | None:
        return next((pair for pair in self.pairs if pair.selected), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DtlsSnapshot:
    """`state` is one of new, connecting, connected, closed, failed (W3C RTCDtlsTransportState)."""

    state: str
    role: str | None
    version: str | None
    cipher_suite: str | None
    srtp_profile: str | None
    local_fingerprints: tuple[Fingerprint, ...]
    remote_fingerprints: tuple[Fingerprint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportCounters:
    """Datagrams and bytes of this peer on the wire, all protocols."""

    datagrams_sent: int = 0
    datagrams_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSnapshot:
    time: float
    connection_state: str
    signaling_state: str
    reason: str
    """Why the connection state last changed; may be empty."""
    ice: IceSnapshot
    dtls: DtlsSnapshot
    sctp: SctpSnapshot | None
    transport: TransportCounters
    channels: tuple[ChannelSnapshot, ...]
    drops: dict[str, int]
    """Datagrams refused, by `room: reason`, over all rooms."""
