"""From two descriptions to what the transports shall do.

Pure reading: `plan_for` looks at the descriptions of a state and says what they amount to. It decides nothing that a
description does not say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from ...base import IceParameters, SetupRole
from ...errors import NegotiationError
from ...sdp import MediaDescription, SessionDescription
from .remote import remote_candidates, remote_dtls, remote_ice, speaker
from .rtp_plan import RtpPlan, Side, agreed_plan, heard_plan, offered_plan
from .sections import is_data
from .served import served_sections
from .transceivers import Transceiver
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


class Bundles(NamedTuple):
    """Which sections live, and which transport carries them."""

    alive: tuple[bool, ...]
    carrier: dict[str, str]
    """The id of the transport by mid, living sections only."""
    members: dict[str, list[str]]
    """The mids of each transport by its id, in the order of the description: one transport, or none."""


def bundles_of(state: NegotiationState, exchange: Exchange) -> Bundles:
    """How the sections of the offer that counts share the transport."""
    if exchange.offer is None:
        return Bundles((), {}, {})
    offered = exchange.offer.sdp
    if exchange.answer is not None:
        carried = set(state.carried)
        alive = tuple(mid in carried for mid in state.mids)
    elif exchange.we_offered:
        alive = tuple(not media.rejected for media in offered.media)
    else:
        served = served_sections(offered, state.mids, state.stable.carried)
        alive = tuple(index in served for index in range(len(offered.media)))
    living = [mid for mid, is_alive in zip(state.mids, alive, strict=True) if is_alive]
    if not living:
        return Bundles(alive, {}, {})
    return Bundles(alive, dict.fromkeys(living, living[0]), {living[0]: living})


def carrier_index(state: NegotiationState, indices: Iterable[int]) -> int:
    """The section by which the transport of `indices` is told: one that it carried before, else the first."""
    known = set(state.stable.carried)
    ordered = sorted(indices)
    return next((index for index in ordered if state.mids[index] in known), ordered[0])


def plan_for(state: NegotiationState, *, rolled_back: bool = False) -> Plan:
    """What the transports shall do in `state`. Errors: `NegotiationError`, `SdpParseError` from the remote side."""
    exchange = exchange_of(state)
    if exchange.offer is None:
        return Plan(signaling_state=state.signaling_state, rolled_back=rolled_back)
    alive, carrier, members = bundles_of(state, exchange)
    by_mid = {one.mid: one for one in state.transceivers if one.mid is not None}
    media = []
    for index, (mid, section) in enumerate(zip(state.mids, exchange.offer.sdp.media, strict=True)):
        associated = by_mid.get(mid)
        media.append(
            MediaPlan(
                index=index,
                mid=mid,
                kind=section.kind,
                alive=alive[index],
                transport=carrier.get(mid),
                transceiver=associated.handle if associated is not None else None,
                rtp=_rtp(state, exchange, index, associated) if associated is not None and alive[index] else None,
            )
        )
    return Plan(
        signaling_state=state.signaling_state,
        media=tuple(media),
        transports=_transports(state, exchange, members),
        gather=state.local is not None and bool(members),
        answered=state.signaling_state in _ANSWERED,
        rolled_back=rolled_back,
    )


def transports_for(state: NegotiationState) -> tuple[TransportPlan, ...]:
    """The transports of `plan_for` alone: what checks need. Errors: as `plan_for`."""
    exchange = exchange_of(state)
    return _transports(state, exchange, bundles_of(state, exchange).members)


def _transports(
    state: NegotiationState, exchange: Exchange, members: dict[str, list[str]]
) -> tuple[TransportPlan, ...]:
    return tuple(_transport(state, exchange, id_, tuple(mids)) for id_, mids in members.items())


def _rtp(state: NegotiationState, exchange: Exchange, index: int, one: Transceiver) -> RtpPlan:
    """The plan of an RTP section that lives; while an offer is open, what was agreed before goes on."""
    config, offer, answer = state.config, exchange.offer, exchange.answer
    assert offer is not None  # no section without an offer

    def agreed(offer: Description, answer: Description, *, we_offered: bool) -> RtpPlan:
        sides = [Side(offer.sdp, offer.sdp.media[index]), Side(answer.sdp, answer.sdp.media[index])]
        local, remote = sides if we_offered else reversed(sides)
        return agreed_plan(
            one,
            local,
            remote,
            we_offered=we_offered,
            cname=state.cname,
            max_sources=config.max_remote_sources,
            max_rids=config.max_receive_rids,
        )

    if answer is not None:
        return agreed(offer, answer, we_offered=exchange.we_offered)
    stable = state.stable
    before = None
    settled = exchange_of(stable)
    if one.mid in stable.carried and settled.offer is not None and settled.answer is not None:
        before = agreed(settled.offer, settled.answer, we_offered=settled.we_offered)
    section = Side(offer.sdp, offer.sdp.media[index])
    if exchange.we_offered:
        return offered_plan(one, section, cname=state.cname, before=before)
    if before is not None:
        return before
    heard = heard_plan(one, section, max_sources=config.max_remote_sources)
    return replace(heard, sources=one.sources, encodings=one.encodings, cname=state.cname)


def _transport(state: NegotiationState, exchange: Exchange, id_: str, mids: tuple[str, ...]) -> TransportPlan:
    index = _carrier(state, mids)
    stable = state.stable
    local_ice = _ice_at(state.local, index)
    known = _carried_before(state, index)
    local_before = _ice_at(stable.current_local, index) if known and stable is not state else None
    controlling = state.controlling if state.controlling is not None else exchange.we_offered
    remote = state.remote
    # While our offer is open, the remote description is of the exchange before and speaks of what that carried.
    unheard = exchange.answer is None and exchange.we_offered and not known
    if remote is None or unheard or index >= len(remote.sdp.media) or _dead(remote, index):
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
    members = set(mids)
    sctp = next(
        (
            remote.sdp.media[at].sctp_parameters
            for at, mid in enumerate(state.mids[: len(remote.sdp.media)])
            if mid in members and is_data(remote.sdp.media[at])
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


def _carried_before(state: NegotiationState, index: int) -> bool:
    """True if the last stable state carried section `index`: only then its old lines mean anything."""
    stable = state.stable
    return index < len(stable.mids) and stable.mids[index] == state.mids[index] and stable.mids[index] in stable.carried


def _carrier(state: NegotiationState, mids: tuple[str, ...]) -> int:
    members = set(mids)
    return carrier_index(state, (index for index, mid in enumerate(state.mids) if mid in members))


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
    return _carried_before(state, index) and ice_restarts(state.stable.current_remote, remote, index)


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
    if before is None or before is remote or not _carried_before(state, index) or _dead(before, index):
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
    for transport in transports_for(state):
        index = _carrier(state, transport.mids)
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
