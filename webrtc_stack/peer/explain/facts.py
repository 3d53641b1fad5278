"""Collecting the facts of a living peer: reads every room, changes nothing.

Cost: O(candidates + pairs); asked for by people and once when a connection fails, never on a hot path.
"""

from __future__ import annotations

from ...base import Candidate, Fingerprint, Instant
from ...errors import WebRTCError
from ...ice import StunServer
from ..config import IceServer
from ..report import take_drops
from ..transport import DtlsState, Transport
from .history import History
from .values import (
    CandidateFacts,
    ConnectionFacts,
    DtlsFacts,
    IgnoredCandidate,
    Moment,
    PairFacts,
    ServerFacts,
)

_MAX_PAIRS = 64


def collect(
    transport: Transport,
    history: History,
    *,
    now: Instant,
    connection_state: str,
    reason: str,
    signaling_state: str,
    gathering_state: str,
    local_description: bool,
    remote_description: bool,
    ice_servers: tuple[IceServer, ...],
    dtls_mtu: int,
    local_fingerprints: tuple[Fingerprint, ...],
) -> ConnectionFacts:
    """Everything that is known at `now`."""
    agent = transport.ice
    return ConnectionFacts(
        connection_state=str(connection_state),
        reason=reason,
        signaling_state=str(signaling_state),
        gathering_state=str(gathering_state),
        ice_state=agent.state.value,
        ice_reason=agent.failure_reason or "",
        controlling=agent.controlling,
        relay_only=transport.relay_only,
        local_description=local_description,
        remote_description=remote_description,
        remote_parameters=agent.remote_parameters is not None,
        remote_end_of_candidates=Moment.REMOTE_END in history,
        local_candidates=tuple(_local(transport, one) for one in agent.local_candidates),
        local_addresses=transport.local_addresses,
        remote_candidates=tuple(_facts(one) for one in agent.remote_candidates),
        ignored_candidates=tuple(IgnoredCandidate(one.serialize(), why) for one, why in agent.ignored_candidates),
        servers=_servers(transport, ice_servers),
        pairs=_pairs(transport),
        dtls=_dtls(transport, dtls_mtu, local_fingerprints),
        data_wanted=transport.data_enabled,
        media_wanted=transport.media.wanted,
        sctp_state=(
            str(transport.channels.association.state.value) if transport.dtls_state is not DtlsState.NEW else None
        ),
        drops=take_drops(transport),
        datagrams_sent=transport.traffic.datagrams_sent,
        datagrams_received=transport.traffic.datagrams_received,
        ages=history.ages(now),
    )


def _facts(one: Candidate) -> CandidateFacts:
    return CandidateFacts(type=one.type.value, host=one.host, port=one.port, transport=one.transport)


def _local(transport: Transport, one: Candidate) -> CandidateFacts:
    return CandidateFacts(
        type=one.type.value,
        host=one.host,
        port=one.port,
        transport=one.transport,
        server=transport.ice.server_url(one),
        relay_protocol=transport.ice.relay_protocol(one),
    )


def _servers(transport: Transport, ice_servers: tuple[IceServer, ...]) -> tuple[ServerFacts, ...]:
    urls: list[str] = []
    for server in ice_servers:
        if not transport.relay_only:
            urls += [StunServer(host, port).url for host, port in server.stun_servers()]
        urls += [one.url for one in server.turn_servers()]
    gave: dict[str, list[str]] = {}
    for candidate in transport.ice.local_candidates:
        url = transport.ice.server_url(candidate)
        if url is not None:
            gave.setdefault(url, []).append(_facts(candidate).address)
    errors = {one.url: one for one in transport.candidate_errors}
    return tuple(
        ServerFacts(
            url=url,
            code=errors[url].code if url in errors else None,
            reason=errors[url].reason if url in errors else "",
            hint=errors[url].hint if url in errors else "",
            gave=tuple(gave.get(url, ())),
        )
        for url in dict.fromkeys(urls)
    )


def _pairs(transport: Transport) -> tuple[PairFacts, ...]:
    agent = transport.ice
    present = [pair for pair in agent.pairs if pair.generation == agent.generation or pair.selected]
    return tuple(
        PairFacts(
            local=_local(transport, pair.local),
            remote=_facts(pair.remote),
            state=pair.state.value,
            failure=pair.failure,
            selected=pair.selected,
            nominated=pair.nominated,
            rtt=pair.rtt,
            requests_sent=pair.requests_sent,
            requests_received=pair.requests_received,
            responses_sent=pair.responses_sent,
            responses_received=pair.responses_received,
        )
        for pair in present[:_MAX_PAIRS]
    )


def _dtls(transport: Transport, mtu: int, local_fingerprints: tuple[Fingerprint, ...]) -> DtlsFacts:
    endpoint = transport.dtls
    error: WebRTCError | None = transport.dtls_error
    done = transport.handshake
    return DtlsFacts(
        state=transport.dtls_state.value,
        role=transport.dtls_role,
        version=None if done is None else done.version,
        srtp_profile=None if done is None or done.srtp_profile is None else done.srtp_profile.name,
        error=None if error is None else type(error).__name__,
        error_text="" if error is None else str(error),
        datagrams_sent=0 if endpoint is None else endpoint.counters.datagrams_sent,
        datagrams_received=0 if endpoint is None else endpoint.counters.datagrams_received,
        messages_received=0 if endpoint is None else endpoint.counters.messages_received,
        largest_bytes=mtu,
        local_fingerprints=tuple(f"{one.algorithm} {one.value}" for one in local_fingerprints),
        remote_fingerprints=tuple(f"{one.algorithm} {one.value}" for one in transport.remote_fingerprints),
    )
