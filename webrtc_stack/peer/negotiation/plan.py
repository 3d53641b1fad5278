"""From two descriptions to what the transports shall do.

Pure reading: `plan_for` looks at the descriptions of a state and says what they amount to. It decides nothing that a
description does not say.
"""

from __future__ import annotations

from typing import NamedTuple

from ...base import IceParameters, SetupRole
from ...errors import NegotiationError
from ...sdp import MediaDescription, SessionDescription
from .remote import bundle_of, remote_candidates, remote_dtls, remote_ice, speaker
from .sections import is_data, served_sections
from .values import (
    Description,
    DtlsRole,
    MediaPlan,
    NegotiationState,
    Plan,
    SdpType,
    SignalingState,
    TransportPlan,
)

_ANSWERED = frozenset({SignalingState.STABLE, SignalingState.HAVE_LOCAL_PRANSWER, SignalingState.HAVE_REMOTE_PRANSWER})


class Exchange(NamedTuple):
    """One offer and what has answered it so far."""

    offer: Description | None
    answer: Description | None
    we_offered: bool


def exchange_of(state: NegotiationState) -> Exchange:
    """The offer that counts now, and its answer."""
    if state.signaling_state is SignalingState.HAVE_LOCAL_OFFER:
        return Exchange(state.pending_local, None, True)
    if state.signaling_state is SignalingState.HAVE_REMOTE_OFFER:
        return Exchange(state.pending_remote, None, False)
    local, remote = state.local, state.remote
    if local is not None and local.type is SdpType.OFFER:
        return Exchange(local, remote, True)
    return Exchange(remote, local, False)


def data_index(state: NegotiationState) -> int | None:
    """The index of the data section that is alive in the last stable state."""
    stable = state.stable
    exchange = exchange_of(stable)
    if exchange.offer is None or exchange.answer is None:
        return None
    for index, media in enumerate(exchange.answer.sdp.media):
        if is_data(media) and section_alive(exchange, index):
            return index
    return None


def section_alive(exchange: Exchange, index: int, served: frozenset[int] = frozenset()) -> bool:
    """True if section `index` is in use, or would be if we answered now, serving the sections `served`."""
    if exchange.offer is None:
        return False
    offered = exchange.offer.sdp.media[index]
    if offered.rejected:
        return False
    if exchange.answer is not None:
        return exchange.answer.sdp.media[index].port != 0
    return exchange.we_offered or index in served


class Bundles(NamedTuple):
    """Which sections live, and which transport carries them."""

    alive: tuple[bool, ...]
    carrier: dict[str, str]
    """The id of the transport by mid, living sections only."""
    members: dict[str, list[str]]
    """The mids of each transport by its id, in the order of the description."""


def bundles_of(state: NegotiationState, exchange: Exchange) -> Bundles:
    """How the sections of the offer that counts share transports."""
    if exchange.offer is None:
        return Bundles((), {}, {})
    undecided = exchange.answer is None and not exchange.we_offered
    served = served_sections(exchange.offer.sdp, data_index(state)) if undecided else frozenset()
    groups = exchange.answer.sdp if exchange.answer is not None else exchange.offer.sdp
    alive = tuple(section_alive(exchange, index, served) for index in range(len(exchange.offer.sdp.media)))
    living = {mid for mid, is_alive in zip(state.mids, alive, strict=True) if is_alive}
    carrier: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for index, mid in enumerate(state.mids):
        if not alive[index]:
            continue
        together = [other for other in bundle_of(groups, groups.media[index].mid) if other in living] or [mid]
        carrier[mid] = together[0]
        members.setdefault(together[0], []).append(mid)
    return Bundles(alive, carrier, members)


def plan_for(state: NegotiationState, *, rolled_back: bool = False) -> Plan:
    """What the transports shall do in `state`. Errors: `NegotiationError`, `SdpParseError` from the remote side."""
    exchange = exchange_of(state)
    if exchange.offer is None:
        return Plan(signaling_state=state.signaling_state, rolled_back=rolled_back)
    alive, carrier, members = bundles_of(state, exchange)
    media = tuple(
        MediaPlan(index=index, mid=mid, kind=section.kind, alive=alive[index], transport=carrier.get(mid))
        for index, (mid, section) in enumerate(zip(state.mids, exchange.offer.sdp.media, strict=True))
    )
    return Plan(
        signaling_state=state.signaling_state,
        media=media,
        transports=tuple(_transport(state, exchange, id_, tuple(mids)) for id_, mids in members.items()),
        gather=state.local is not None and bool(members),
        answered=state.signaling_state in _ANSWERED,
        rolled_back=rolled_back,
    )


def _transport(state: NegotiationState, exchange: Exchange, id_: str, mids: tuple[str, ...]) -> TransportPlan:
    index = state.mids.index(id_)
    stable = state.stable
    local_ice = _ice_at(state.local, index)
    local_before = _ice_at(stable.current_local, index) if stable is not state else None
    controlling = state.controlling if state.controlling is not None else exchange.we_offered
    remote = state.remote
    if remote is None or index >= len(remote.sdp.media) or _dead(remote, index):
        return TransportPlan(
            id=id_,
            mids=mids,
            controlling=controlling,
            local_ice=local_ice,
            remote_ice=None,
            local_ice_restart=_differ(local_before, local_ice),
            dtls_role=None,
        )
    answer = remote.type is not SdpType.OFFER
    section = remote.sdp.media[index]
    speaks = speaker(remote.sdp, section, answer=answer)
    ice = remote_ice(remote.sdp, speaks)
    dtls = remote_dtls(remote.sdp, speaks, state.config, answer=answer)
    sctp = next(
        (
            remote.sdp.media[at].sctp_parameters
            for at, mid in enumerate(state.mids[: len(remote.sdp.media)])
            if mid in mids and is_data(remote.sdp.media[at])
        ),
        None,
    )
    return TransportPlan(
        id=id_,
        mids=mids,
        controlling=controlling,
        local_ice=local_ice,
        remote_ice=ice,
        local_ice_restart=_differ(local_before, local_ice),
        remote_ice_restart=remote_restarts(state, remote, index),
        remote_candidates=remote_candidates(remote.sdp, section, state.config, answer=answer),
        remote_end_of_candidates=speaks.end_of_candidates or remote.sdp.end_of_candidates,
        dtls_role=state.dtls_role,
        remote_fingerprints=dtls.fingerprints,
        remote_tls_id=dtls.tls_id,
        new_dtls_association=new_association(state, remote, index),
        sctp=sctp,
    )


def _dead(description: Description, index: int) -> bool:
    section = description.sdp.media[index]
    return section.port == 0 and not (section.bundle_only and description.type is SdpType.OFFER)


def _ice_at(description: Description | None, index: int) -> IceParameters | None:
    """The credentials that hold for section `index` of one of our own descriptions."""
    if description is None or index >= len(description.sdp.media) or _dead(description, index):
        return None
    return _speaking_ice(description, description.sdp.media[index])


def _speaking_ice(description: Description, section: MediaDescription) -> IceParameters | None:
    answer = description.type is not SdpType.OFFER
    return description.sdp.ice_parameters(speaker(description.sdp, section, answer=answer))


def _differ(before: IceParameters | None, after: IceParameters | None) -> bool:
    """True for a restart: both are there and one of ufrag and pwd changed (RFC 8839 section 4.4.1.1.1)."""
    if before is None or after is None:
        return False
    return (before.ufrag, before.pwd) != (after.ufrag, after.pwd)


def remote_restarts(state: NegotiationState, remote: Description, index: int) -> bool:
    """True if `remote` brings other ICE credentials for section `index` than the last stable state had."""
    return ice_restarts(state.stable.current_remote, remote, index)


def ice_restarts(before: Description | None, after: Description, index: int) -> bool:
    """True if section `index` has ICE credentials in both descriptions of one side, and they differ."""
    if before is None or before is after or index >= len(before.sdp.media) or index >= len(after.sdp.media):
        return False
    if _dead(before, index) or _dead(after, index):
        return False
    return _differ(
        _speaking_ice(before, before.sdp.media[index]),
        _speaking_ice(after, after.sdp.media[index]),
    )


def new_association(state: NegotiationState, remote: Description, index: int) -> bool:
    """True if `remote` asks for a new DTLS association: another tls-id, or other fingerprints.

    Spec: RFC 8842 sections 4, 5.
    """
    before = state.stable.current_remote
    if before is None or before is remote or index >= len(before.sdp.media) or _dead(before, index):
        return False
    if index >= len(remote.sdp.media):
        return False
    old, new = _dtls_facts(before, index), _dtls_facts(remote, index)
    if old is None or new is None:
        return False
    return old[0] != new[0] or (old[1] is not None and new[1] is not None and old[1] != new[1])


def _dtls_facts(description: Description, index: int) -> tuple[frozenset[object], str | None] | None:
    section = description.sdp.media[index]
    speaks = speaker(description.sdp, section, answer=description.type is not SdpType.OFFER)
    dtls = description.sdp.dtls_parameters(speaks)
    return None if dtls is None else (frozenset(dtls.fingerprints), dtls.tls_id)


def our_setup(remote: SetupRole, role: DtlsRole | None) -> SetupRole:
    """What we answer to the peer's `a=setup`: the role in use if we may choose, else `active`, as browsers do.

    Active saves half a round trip: the answerer knows everything it needs to send the ClientHello.
    Spec: RFC 8842 section 5.3, RFC 9429 section 5.3.1.
    """
    if remote is SetupRole.ACTIVE:
        return SetupRole.PASSIVE
    if remote is SetupRole.ACTPASS and role is DtlsRole.SERVER:
        return SetupRole.PASSIVE
    return SetupRole.ACTIVE


def check_remote(state: NegotiationState, sdp: SessionDescription, *, answer: bool, role: DtlsRole | None) -> None:
    """Refuses a remote description whose live sections cannot be used. Errors: `NegotiationError`, `SdpParseError`.

    `state` is the one that the description leads to, `role` our DTLS role before it: that of the association in use,
    or of a provisional answer.
    """
    plan = plan_for(state)
    for transport in plan.transports:
        index = state.mids.index(transport.id)
        if index >= len(sdp.media) or transport.remote_ice is None:
            continue
        if answer and transport.local_ice_restart and not transport.remote_ice_restart:
            raise NegotiationError(
                "the offer restarted ICE, but the answer has the old ufrag and pwd; it needs new ones"
            )
        dtls = remote_dtls(sdp, speaker(sdp, sdp.media[index], answer=answer), state.config, answer=answer)
        if role is None or transport.new_dtls_association:
            continue
        if answer and state.stable.dtls_role is not None:
            continue  # an answer to an association in use: see `_with_answer`
        ours = role_for(dtls.setup)
        if ours is not None and ours is not role:
            raise NegotiationError(
                f"setup:{dtls.setup} would turn the DTLS roles around; with the association in use we are the {role}, "
                "so allowed is the other value, or a new tls-id"
            )


def role_for(remote: SetupRole) -> DtlsRole | None:
    """Our role against a peer that says `remote`; None if that is still open."""
    if remote is SetupRole.ACTIVE:
        return DtlsRole.SERVER
    if remote is SetupRole.PASSIVE:
        return DtlsRole.CLIENT
    return None
