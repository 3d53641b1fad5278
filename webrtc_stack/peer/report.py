"""Taking a snapshot of a peer: reads every room's own facts into the values of `snapshot`."""

from __future__ import annotations

from dataclasses import asdict

from ..base import Fingerprint, Instant
from .snapshot import (
    DtlsSnapshot,
    IceSnapshot,
    PairSnapshot,
    PeerSnapshot,
    TransportCounters,
)
from .transport import DtlsState, Transport


def take_snapshot(
    transport: Transport,
    *,
    time: Instant,
    connection_state: str,
    signaling_state: str,
    reason: str,
    gathering_state: str,
    local_fingerprints: tuple[Fingerprint, ...],
) -> PeerSnapshot:
    """How the peer stands at `time`."""
    return PeerSnapshot(
        time=time,
        connection_state=connection_state,
        signaling_state=signaling_state,
        reason=reason,
        ice=_ice(transport, gathering_state),
        dtls=_dtls(transport, local_fingerprints),
        sctp=transport.channels.association.snapshot() if transport.dtls_state is not DtlsState.NEW else None,
        transport=TransportCounters(**asdict(transport.traffic)),
        channels=tuple(transport.channels.channels()),
        drops=take_drops(transport),
    )


def _ice(transport: Transport, gathering_state: str) -> IceSnapshot:
    agent = transport.ice
    return IceSnapshot(
        state=agent.state,
        gathering_state=gathering_state,
        controlling=agent.controlling,
        local_candidates=tuple(agent.local_candidates),
        remote_candidates=tuple(agent.remote_candidates),
        pairs=tuple(
            PairSnapshot(
                local=pair.local,
                remote=pair.remote,
                remote_address=path.remote if (path := transport.paths.lookup(pair.path)) is not None else None,
                state=pair.state,
                nominated=pair.nominated,
                selected=pair.selected,
                rtt=pair.rtt,
                requests_sent=pair.requests_sent,
                requests_received=pair.requests_received,
                responses_sent=pair.responses_sent,
                responses_received=pair.responses_received,
            )
            for pair in agent.pairs
        ),
    )


def _dtls(transport: Transport, local_fingerprints: tuple[Fingerprint, ...]) -> DtlsSnapshot:
    done = transport.handshake
    return DtlsSnapshot(
        state=transport.dtls_state,
        role=transport.dtls_role,
        version=done.version if done is not None else None,
        cipher_suite=done.cipher_suite.name if done is not None else None,
        srtp_profile=done.srtp_profile.name if done is not None and done.srtp_profile is not None else None,
        local_fingerprints=local_fingerprints,
        remote_fingerprints=transport.remote_fingerprints,
    )


def take_drops(transport: Transport) -> dict[str, int]:
    """What was refused, by `room: reason`."""
    rooms = {
        "peer": transport.drops,
        "ice": transport.ice.drops,
        "carriers": transport.carriers.drops,
        "sctp": transport.channels.association.drops,
        "datachannel": transport.channels.drops,
    }
    if transport.dtls is not None:
        rooms["dtls"] = transport.dtls.counters.drops
    return {f"{room}: {reason}": count for room, drops in rooms.items() for reason, count in drops.by_reason.items()}
