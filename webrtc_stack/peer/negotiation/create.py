"""Making offers and answers, and the question whether an offer is needed.

Spec: RFC 9429 sections 5.2 (offers), 5.3 (answers); W3C webrtc-pc section 4.7.3 (negotiation-needed).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ...base import IceParameters, SetupRole
from ...errors import InvalidArgumentError, InvalidStateError
from ...sdp import Attribute, Group, MediaDescription, Origin, SessionDescription
from .candidates import with_candidates
from .plan import data_index, exchange_of, new_association, our_setup, remote_restarts, section_alive
from .remote import remote_dtls, speaker
from .sections import ICE_OPTIONS, OwnSide, data_section, is_data, rejected_section, served_sections
from .values import Created, Description, LocalTransport, NegotiationState, SdpType, SignalingState, Wishes


def create_offer(state: NegotiationState, wishes: Wishes, local: LocalTransport) -> Created:
    """An offer of everything negotiated so far and wished for.

    With nothing to offer it has no sections and is still valid.
    Errors: `InvalidStateError` unless stable or have-local-offer; `InvalidArgumentError` if fresh credentials are
    needed and missing.
    """
    _require(state, "create_offer", SignalingState.STABLE, SignalingState.HAVE_LOCAL_OFFER)
    _check_local(local)
    stable = state.stable
    ice = _credentials(stable, local, restart=wishes.ice_restart)
    own = OwnSide(
        ice=ice, setup=SetupRole.ACTPASS, fingerprints=local.fingerprints, sctp=local.sctp, tls_id=local.tls_id
    )
    mids: list[str] = []
    alive: list[str] = []
    media: list[MediaDescription] = []
    slots = _slots(stable)
    used = {slot.mid for slot in slots}
    has_data = any(slot.alive and is_data(slot.section) for slot in slots)
    for slot in slots:
        mid = slot.mid
        live = slot.alive
        if not live and wishes.data_channel and not has_data and slot.section.kind == "application":
            # The place of a dead data section is taken again, under a mid that was never used.
            mid, live = _fresh_mid(used), True
        if live and slot.alive and not is_data(slot.section):
            media.append(slot.section.replacing("setup", Attribute("setup", SetupRole.ACTPASS.value)))
            alive.append(mid)
        elif live:
            has_data = True
            media.append(data_section(own, mid=mid, like=slot.section.media if slot.alive else None))
            alive.append(mid)
        else:
            media.append(rejected_section(slot.section, mid=mid))
        used.add(mid)
        mids.append(mid)
    if wishes.data_channel and not has_data:
        mid = _fresh_mid(used)
        media.append(data_section(own, mid=mid))
        mids.append(mid)
        alive.append(mid)
    groups = (Group(semantics="BUNDLE", mids=tuple(alive)),) if alive else ()
    sdp = _describe(state, local, ice, groups, tuple(media))
    offer = Description(type=SdpType.OFFER, sdp=sdp)
    return Created(replace(state, created_offer=offer), offer)


def create_answer(state: NegotiationState, local: LocalTransport) -> Created:
    """An answer to the pending remote offer: every section gets one, those that are not served with port 0.

    Apply it as `answer`, or as `pranswer` by replacing its type.
    Errors: `InvalidStateError` unless have-remote-offer or have-local-pranswer; `InvalidArgumentError` if fresh
    credentials are needed and missing.
    """
    _require(state, "create_answer", SignalingState.HAVE_REMOTE_OFFER, SignalingState.HAVE_LOCAL_PRANSWER)
    _check_local(local)
    remote = state.pending_remote
    if remote is None:
        raise InvalidStateError("create_answer needs a remote offer; set one first")
    offer = remote.sdp
    stable = state.stable
    served = served_sections(offer, data_index(state))
    restart = any(remote_restarts(state, remote, index) for index in served)
    ice = _credentials(stable, local, restart=restart)
    media: list[MediaDescription] = []
    for index, offered in enumerate(offer.media):
        if index not in served:
            media.append(rejected_section(offered, mid=offered.mid))
            continue
        dtls = remote_dtls(offer, speaker(offer, offered, answer=False), state.config, answer=False)
        role = None if new_association(state, remote, index) else stable.dtls_role
        own = OwnSide(
            ice=ice,
            setup=our_setup(dtls.setup, role),
            fingerprints=local.fingerprints,
            sctp=local.sctp,
            # RFC 8842 section 5.3: no tls-id for an offerer that does not know it.
            tls_id=local.tls_id if dtls.tls_id is not None else None,
        )
        media.append(data_section(own, mid=offered.mid, like=offered.media))
    live = {section.mid for section in media if section.port != 0}
    groups = tuple(
        Group(semantics="BUNDLE", mids=kept)
        for kept in (tuple(mid for mid in bundle if mid in live) for bundle in offer.bundles)
        if kept
    )
    sdp = _describe(state, local, ice, groups, tuple(media))
    answer = Description(type=SdpType.ANSWER, sdp=sdp)
    return Created(replace(state, created_answer=answer), answer)


def negotiation_needed(state: NegotiationState, wishes: Wishes) -> bool:
    """True if what is wished for is not negotiated yet, and an offer may be made now.

    While not stable the answer is False: ask again when stable. A data section that was rejected counts as
    negotiated, so that a peer without data channels is not asked for ever.
    """
    if state.signaling_state is not SignalingState.STABLE:
        return False
    if wishes.ice_restart and state.current_local is not None:
        return True
    if not wishes.data_channel:
        return False
    return not any(slot.section.kind == "application" for slot in _slots(state))


class _Slot(NamedTuple):
    """A section of the last stable state."""

    mid: str
    alive: bool
    section: MediaDescription


def _slots(stable: NegotiationState) -> list[_Slot]:
    exchange = exchange_of(stable)
    if exchange.offer is None or exchange.answer is None or stable.current_local is None:
        return []
    ours = stable.current_local.sdp.media
    return [
        _Slot(mid, section_alive(exchange, index), section)
        for index, (mid, section) in enumerate(zip(stable.mids, ours, strict=True))
    ]


def _fresh_mid(used: set[str]) -> str:
    number = 0
    while str(number) in used:
        number += 1
    return str(number)


def _require(state: NegotiationState, verb: str, *allowed: SignalingState) -> None:
    if state.signaling_state not in allowed:
        raise InvalidStateError(
            f"{verb} in signaling state {state.signaling_state}; allowed are {' and '.join(allowed)}"
        )


def _check_local(local: LocalTransport) -> None:
    if not local.fingerprints:
        raise InvalidArgumentError("the local transport has no fingerprint; give that of the certificate in use")


def _credentials(stable: NegotiationState, local: LocalTransport, *, restart: bool) -> IceParameters:
    """The credentials to write: those in use, or fresh ones if ICE restarts."""
    ice = local.ice
    if restart and stable.current_local is not None and _names(stable.current_local.sdp, ice):
        if local.next_ice is None:
            raise InvalidArgumentError("ICE restarts, so fresh credentials are needed: set next_ice, or renew ice")
        ice = local.next_ice
        if (ice.ufrag, ice.pwd) == (local.ice.ufrag, local.ice.pwd):
            raise InvalidArgumentError("next_ice equals ice; a restart needs other credentials")
    return ice if ice.options else replace(ice, options=ICE_OPTIONS)


def _names(sdp: SessionDescription, ice: IceParameters) -> bool:
    return any(media.ice_ufrag == ice.ufrag for media in sdp.media)


def _describe(
    state: NegotiationState,
    local: LocalTransport,
    ice: IceParameters,
    groups: tuple[Group, ...],
    media: tuple[MediaDescription, ...],
) -> SessionDescription:
    """The session lines around `media`, with a version that changes only if something else does."""
    lines = [Attribute("ice-options", " ".join(ice.options))]
    if state.config.ice_lite:
        lines.append(Attribute("ice-lite"))
    before = state.local
    version = before.sdp.origin.session_version if before is not None else 0

    def at(version: int) -> SessionDescription:
        origin = Origin(session_id=state.session_id, session_version=version)
        session = SessionDescription.create(origin).adding(*lines, *groups)
        return replace(session, media=media)

    if before is not None:
        same = at(version)
        if with_candidates(same, local) == with_candidates(before.sdp, local):
            return same
    return at(state.session_version + 1)
