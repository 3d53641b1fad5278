"""Statistics of transports, candidates, pairs, certificates, data channels, from the rooms that do the work."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

from ...base import Address, Candidate
from ...dtls import SrtpProfile, fingerprint_of
from ...ice import GatheringState, IceState, PairSnapshot
from . import ids
from .connection import (
    CertificateStats,
    DataChannelStats,
    DtlsRole,
    IceCandidatePairStats,
    IceRole,
    LocalCandidateStats,
    PeerConnectionStats,
    RelayProtocol,
    RemoteCandidateStats,
    TransportStats,
)
from .overlays import Overlays
from .times import WallClock

if TYPE_CHECKING:
    from ..core import PeerCore
    from ..transport import Transport

TLS_VERSIONS: Final = {"1.2": "FEFD", "1.3": "FEFC"}
SRTP_CIPHERS: Final = {
    SrtpProfile.AES128_CM_SHA1_80: "SRTP_AES128_CM_HMAC_SHA1_80",
    SrtpProfile.AES128_CM_SHA1_32: "SRTP_AES128_CM_HMAC_SHA1_32",
    SrtpProfile.AEAD_AES_128_GCM: "SRTP_AEAD_AES_128_GCM",
    SrtpProfile.AEAD_AES_256_GCM: "SRTP_AEAD_AES_256_GCM",
}
"""The names of IANA's registry of DTLS-SRTP protection profiles."""


def peer_connection(core: PeerCore, clock: WallClock) -> list[PeerConnectionStats]:
    counters = core.transport.channels.counters
    return [
        PeerConnectionStats(
            id=ids.PEER_CONNECTION,
            timestamp=clock.timestamp,
            data_channels_opened=counters.channels_opened,
            data_channels_closed=counters.channels_left_open,
        )
    ]


def data_channels(core: PeerCore, clock: WallClock) -> list[DataChannelStats]:
    return [
        DataChannelStats(
            id=ids.data_channel(channel.handle),
            timestamp=clock.timestamp,
            label=channel.label,
            protocol=channel.protocol,
            data_channel_identifier=channel.id,
            state=channel.state,
            messages_sent=channel.messages_sent,
            bytes_sent=channel.bytes_sent,
            messages_received=channel.messages_received,
            bytes_received=channel.bytes_received,
        )
        for channel in core.transport.channels.channels()
    ]


def transport(core: PeerCore, clock: WallClock) -> list[TransportStats]:
    below = core.transport
    agent, done = below.ice, below.handshake
    counters = agent.counters
    selected = next((pair for pair in agent.pairs if pair.selected), None)
    role = IceRole.CONTROLLING if agent.controlling else IceRole.CONTROLLED
    begun = agent.gathering_state is not GatheringState.NEW or agent.state is not IceState.NEW
    return [
        TransportStats(
            id=ids.TRANSPORT,
            timestamp=clock.timestamp,
            packets_sent=counters.data_packets_sent,
            packets_received=counters.data_packets_received,
            bytes_sent=counters.data_bytes_sent,
            bytes_received=counters.data_bytes_received,
            ice_role=role if begun else IceRole.UNKNOWN,
            ice_local_username_fragment=agent.local_parameters.ufrag if begun else None,
            dtls_state=below.dtls_state,
            ice_state=agent.state,
            selected_candidate_pair_id=None if selected is None else ids.pair(selected),
            local_certificate_id=ids.certificate(core.certificate.fingerprint()),
            remote_certificate_id=None if done is None else ids.certificate(fingerprint_of(done.peer_certificate)),
            tls_version=None if done is None else TLS_VERSIONS.get(done.version),
            dtls_cipher=None if done is None else done.cipher_suite.name,
            dtls_role=DtlsRole.UNKNOWN if below.dtls_role is None else DtlsRole(below.dtls_role),
            srtp_cipher=None if done is None or done.srtp_profile is None else SRTP_CIPHERS.get(done.srtp_profile),
            selected_candidate_pair_changes=counters.selected_pair_changes,
        )
    ]


def ice(
    core: PeerCore, overlays: Overlays, clock: WallClock
) -> list[IceCandidatePairStats | LocalCandidateStats | RemoteCandidateStats]:
    """Pairs, and every candidate that is gathered, known, or part of one of them."""
    agent = core.transport.ice
    generation = agent.generation
    pairs = agent.pairs
    local = {ids.local_candidate(one, generation): (one, generation) for one in agent.local_candidates}
    remote = {
        ids.remote_candidate(address, transport, generation): (address, one, generation)
        for (address, transport), one in agent.remote_endpoints.items()
    }
    for pair in pairs:
        local.setdefault(ids.local_candidate(pair.local, pair.generation), (pair.local, pair.generation))
        remote.setdefault(
            ids.remote_candidate(pair.remote_address, pair.remote.transport, pair.generation),
            (pair.remote_address, pair.remote, pair.generation),
        )
    return [
        *(_pair(pair, overlays, clock) for pair in pairs),
        *(_local(id, core.transport, *one, clock) for id, one in local.items()),
        *(_remote(id, core.transport, *one, clock) for id, one in remote.items()),
    ]


def _pair(pair: PairSnapshot, overlays: Overlays, clock: WallClock) -> IceCandidatePairStats:
    return IceCandidatePairStats(
        id=ids.pair(pair),
        timestamp=clock.timestamp,
        transport_id=ids.TRANSPORT,
        local_candidate_id=ids.local_candidate(pair.local, pair.generation),
        remote_candidate_id=ids.remote_candidate(pair.remote_address, pair.remote.transport, pair.generation),
        state=pair.state,
        nominated=pair.nominated,
        packets_sent=pair.packets_sent,
        packets_received=pair.packets_received,
        bytes_sent=pair.bytes_sent,
        bytes_received=pair.bytes_received,
        last_packet_sent_timestamp=clock.known(pair.last_sent_at),
        last_packet_received_timestamp=clock.known(pair.last_received_at),
        total_round_trip_time=pair.total_rtt,
        current_round_trip_time=pair.rtt,
        available_outgoing_bitrate=overlays.available_outgoing_bitrate if pair.selected else None,
        requests_received=pair.requests_received,
        requests_sent=pair.requests_sent - pair.retransmissions,
        responses_received=pair.responses_received,
        responses_sent=pair.responses_sent,
        consent_requests_sent=pair.consent_requests_sent,
    )


def _local(
    id: str, transport: Transport, candidate: Candidate, generation: int, clock: WallClock
) -> LocalCandidateStats:
    agent = transport.ice
    present = generation == agent.generation
    protocol = agent.relay_protocol(candidate) if present else None
    return LocalCandidateStats(
        id=id,
        timestamp=clock.timestamp,
        transport_id=ids.TRANSPORT,
        address=candidate.host,
        port=candidate.port,
        protocol=candidate.transport,
        candidate_type=candidate.type,
        priority=candidate.priority,
        url=agent.server_url(candidate) if present else None,
        foundation=candidate.foundation,
        related_address=candidate.related_host,
        related_port=candidate.related_port,
        tcp_type=candidate.tcp_type,
        relay_protocol=None if protocol is None else RelayProtocol(protocol),
        username_fragment=candidate.ufrag or (agent.local_parameters.ufrag if present else None),
    )


def _remote(
    id: str, transport: Transport, address: Address, candidate: Candidate, generation: int, clock: WallClock
) -> RemoteCandidateStats:
    agent = transport.ice
    parameters = agent.remote_parameters if generation == agent.generation else None
    return RemoteCandidateStats(
        id=id,
        timestamp=clock.timestamp,
        transport_id=ids.TRANSPORT,
        address=candidate.host,
        port=address.port,
        protocol=candidate.transport,
        candidate_type=candidate.type,
        priority=candidate.priority,
        foundation=candidate.foundation,
        related_address=candidate.related_host,
        related_port=candidate.related_port,
        tcp_type=candidate.tcp_type,
        username_fragment=candidate.ufrag or (None if parameters is None else parameters.ufrag),
    )


def certificates(core: PeerCore, clock: WallClock) -> list[CertificateStats]:
    """Ours with its chain, and the peer's once it has proved that it is its own."""
    chains = [(core.certificate.der, *core.certificate.chain)]
    done = core.transport.handshake
    if done is not None and done.peer_certificate != core.certificate.der:  # both ends may have the same one
        chains.append((done.peer_certificate,))
    stats = []
    for chain in chains:
        prints = [fingerprint_of(der) for der in chain]
        for index, (der, fingerprint) in enumerate(zip(chain, prints, strict=True)):
            stats.append(
                CertificateStats(
                    id=ids.certificate(fingerprint),
                    timestamp=clock.timestamp,
                    fingerprint=fingerprint.value,
                    fingerprint_algorithm=fingerprint.algorithm,
                    base64_certificate=b64encode(der).decode(),
                    issuer_certificate_id=ids.certificate(prints[index + 1]) if index + 1 < len(prints) else None,
                )
            )
    return stats
