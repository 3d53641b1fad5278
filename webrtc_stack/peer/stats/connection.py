"""Statistics of what carries a connection: transports, candidates, pairs, certificates, data channels.

Spec: W3C webrtc-stats sections 6.14 to 6.20 (RTCPeerConnectionStats, RTCDataChannelStats, RTCTransportStats,
RTCIceCandidateStats, RTCIceCandidatePairStats, RTCCertificateStats).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from ...base import CandidateType, TcpType
from ...datachannel import ChannelState
from ...ice import IceState, PairState
from ..transport import DtlsState
from .values import Stats, StatsType


class IceRole(StrEnum):
    """RTCIceRole."""

    UNKNOWN = "unknown"
    CONTROLLING = "controlling"
    CONTROLLED = "controlled"


class DtlsRole(StrEnum):
    """RTCDtlsRole."""

    CLIENT = "client"
    SERVER = "server"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConnectionStats(Stats):
    type: ClassVar[StatsType] = StatsType.PEER_CONNECTION
    data_channels_opened: int | None = None
    data_channels_closed: int | None = None
    """Of those that were open; a channel that never was does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannelStats(Stats):
    type: ClassVar[StatsType] = StatsType.DATA_CHANNEL
    label: str | None = None
    protocol: str | None = None
    data_channel_identifier: int | None = None
    state: ChannelState
    messages_sent: int | None = None
    bytes_sent: int | None = None
    messages_received: int | None = None
    bytes_received: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportStats(Stats):
    """One bundle. Packets and bytes are those of DTLS and SRTP, without STUN and without IP and UDP headers."""

    type: ClassVar[StatsType] = StatsType.TRANSPORT
    packets_sent: int | None = None
    packets_received: int | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None
    ice_role: IceRole | None = None
    ice_local_username_fragment: str | None = None
    dtls_state: DtlsState
    ice_state: IceState | None = None
    selected_candidate_pair_id: str | None = None
    local_certificate_id: str | None = None
    remote_certificate_id: str | None = None
    tls_version: str | None = None
    """Four hexadecimal digits: `FEFD` is DTLS 1.2, `FEFC` 1.3."""
    dtls_cipher: str | None = None
    dtls_role: DtlsRole | None = None
    srtp_cipher: str | None = None
    selected_candidate_pair_changes: int | None = None


class RelayProtocol(StrEnum):
    """RTCIceServerTransportProtocol."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCandidateStats(Stats):
    """A candidate of either side. `address` is a name where the peer signalled one (mDNS)."""

    transport_id: str
    address: str | None = None
    port: int | None = None
    protocol: str | None = None
    candidate_type: CandidateType
    priority: int | None = None
    url: str | None = None
    """The server that a candidate of ours came from."""
    foundation: str | None = None
    related_address: str | None = None
    related_port: int | None = None
    relay_protocol: RelayProtocol | None = None
    """How we reach the server of a relay of ours."""
    tcp_type: TcpType | None = None
    username_fragment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCandidateStats(IceCandidateStats):
    type: ClassVar[StatsType] = StatsType.LOCAL_CANDIDATE


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCandidateStats(IceCandidateStats):
    type: ClassVar[StatsType] = StatsType.REMOTE_CANDIDATE


@dataclass(frozen=True, slots=True, kw_only=True)
class IceCandidatePairStats(Stats):
    """A pair. Packets and bytes are those of data, requests and responses those of checks, without retransmissions."""

    type: ClassVar[StatsType] = StatsType.CANDIDATE_PAIR
    transport_id: str
    local_candidate_id: str
    remote_candidate_id: str
    state: PairState
    nominated: bool | None = None
    packets_sent: int | None = None
    packets_received: int | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None
    last_packet_sent_timestamp: float | None = None
    last_packet_received_timestamp: float | None = None
    total_round_trip_time: float | None = None
    current_round_trip_time: float | None = None
    available_outgoing_bitrate: float | None = None
    """What the peer said that it can take, for the selected pair."""
    requests_received: int | None = None
    requests_sent: int | None = None
    responses_received: int | None = None
    responses_sent: int | None = None
    consent_requests_sent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateStats(Stats):
    type: ClassVar[StatsType] = StatsType.CERTIFICATE
    fingerprint: str
    fingerprint_algorithm: str
    base64_certificate: str
    """DER, in base64."""
    issuer_certificate_id: str | None = None
