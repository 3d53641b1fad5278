"""Applying descriptions: the state machine of offer and answer.

Spec: RFC 9429 sections 3.2, 5.5 to 5.11; W3C webrtc-pc section 4.4.1.6.
A description in the wrong state is the caller's mistake (`InvalidStateError`), one that breaks the rules is the
peer's (`NegotiationError`); either way the state handed in is the state that holds.
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import InvalidArgumentError, InvalidStateError
from ...sdp import SessionDescription
from .association import all_rolled_back, track_changes, with_answer, with_local_offer, with_remote_offer
from .create import create_answer, create_offer
from .plan import carrier_index, check_remote, exchange_of, ice_restarts, plan_for, role_for, transports_for
from .remote import check_answer, check_continuity, check_structure, dead_stay_dead, speaker
from .served import carried_sections, check_media_answer, served_sections
from .values import (
    Applied,
    Description,
    DtlsRole,
    LocalTransport,
    NegotiationState,
    SdpType,
    SignalingState,
    Wishes,
    renewed,
)

_S = SignalingState
_OFFERS = (SdpType.OFFER,)
_ANSWERS = (SdpType.ANSWER, SdpType.PRANSWER)

_LOCAL = {
    _S.STABLE: _OFFERS,
    _S.HAVE_LOCAL_OFFER: _OFFERS,
    _S.HAVE_REMOTE_OFFER: _ANSWERS,
    _S.HAVE_LOCAL_PRANSWER: _ANSWERS,
    _S.HAVE_REMOTE_PRANSWER: (),
    _S.CLOSED: (),
}
_REMOTE = {
    _S.STABLE: _OFFERS,
    _S.HAVE_REMOTE_OFFER: _OFFERS,
    _S.HAVE_LOCAL_OFFER: _ANSWERS,
    _S.HAVE_REMOTE_PRANSWER: _ANSWERS,
    _S.HAVE_LOCAL_PRANSWER: (),
    _S.CLOSED: (),
}


def set_local_description(
    state: NegotiationState,
    local: LocalTransport,
    wishes: Wishes | None = None,
    description: Description | None = None,
) -> Applied:
    """Applies a description of ours; without one, the offer or answer that the state calls for is made.

    A description given must be the one created last, unchanged (RFC 9429 section 5.4); its type may be `pranswer`.
    Errors: `InvalidStateError` for the wrong state, `InvalidArgumentError` for a changed description.
    """
    if description is None:
        if state.signaling_state in (_S.HAVE_REMOTE_OFFER, _S.HAVE_LOCAL_PRANSWER):
            state, description = create_answer(state, local)
        else:
            _require(state, "set_local_description", SdpType.OFFER, _LOCAL)
            state, description = create_offer(state, wishes or Wishes(), local)
    if description.type is SdpType.ROLLBACK:
        return rollback(state)
    _require(state, "set_local_description", description.type, _LOCAL)
    created = state.created_offer if description.type is SdpType.OFFER else state.created_answer
    if created is None or not _same(created.sdp, description.sdp):
        kind = "offer" if description.type is SdpType.OFFER else "answer"
        raise InvalidArgumentError(
            f"this {kind} is not the one created last; apply what create_{kind} returned, unchanged"
        )
    description = replace(description, sdp=created.sdp)
    if description.type is SdpType.OFFER:
        after = _with_offer(state, description, local=True)
    else:
        after = _with_answer(state, description, local=True)
    after = renewed(after, description.sdp.origin.session_version)
    return _settled(after, state)


def set_remote_description(
    state: NegotiationState, description: Description, *, implicit_rollback: bool = False
) -> Applied:
    """Applies a description of the peer.

    `implicit_rollback` lets an offer that crosses ours take ours back first, as W3C's setRemoteDescription does: the
    polite side of perfect negotiation. Without it glare is an `InvalidStateError`.
    Errors: `InvalidStateError` for the wrong state, `NegotiationError` or `SdpParseError` for a description that
    cannot be applied.
    """
    if description.type is SdpType.ROLLBACK:
        return rollback(state)
    offered = description.type is SdpType.OFFER
    base = state
    if implicit_rollback and offered and state.signaling_state is _S.HAVE_LOCAL_OFFER:
        base = rollback(state).state
    _require(base, "set_remote_description", description.type, _REMOTE)
    check_structure(description.sdp)
    if offered:
        stable = base.stable
        previous = exchange_of(stable).answer
        check_continuity(description.sdp, previous.sdp if previous is not None else None, stable.mids)
        after = _with_offer(base, description, local=False)
    else:
        offer = base.pending_local
        if offer is None:
            raise InvalidStateError("an answer came, but there is no local offer")
        description = replace(description, sdp=dead_stay_dead(description.sdp, offer.sdp))
        check_answer(description.sdp, offer.sdp, base.mids)
        after = _with_answer(base, description, local=False)
    check_remote(after, description.sdp, answer=not offered, role=base.dtls_role)
    return _settled(after, state, rolled_back=base is not state)


def rollback(state: NegotiationState) -> Applied:
    """Takes the pending offer back: the last stable state holds again, in all but the version counter.

    Errors: `InvalidStateError` unless an offer is pending without any answer.
    """
    if state.signaling_state not in (_S.HAVE_LOCAL_OFFER, _S.HAVE_REMOTE_OFFER):
        raise InvalidStateError(
            f"rollback in signaling state {state.signaling_state}; allowed are have-local-offer and have-remote-offer"
        )
    after = replace(
        renewed(state.stable, state.session_version),
        created_offer=None,
        created_answer=None,
        offered=(),
        transceivers=all_rolled_back(state),
        next_handle=state.next_handle,
    )
    return _settled(after, state, rolled_back=True)


def close(state: NegotiationState) -> NegotiationState:
    """Ends the session: the descriptions stay readable, nothing can be applied any more."""
    return replace(state, signaling_state=_S.CLOSED, fallback=None, created_offer=None, created_answer=None)


def _require(
    state: NegotiationState, verb: str, type_: SdpType, table: dict[SignalingState, tuple[SdpType, ...]]
) -> None:
    allowed = table[state.signaling_state]
    if type_ not in allowed:
        what = f"allowed is {' or '.join(allowed)}" if allowed else "nothing is allowed"
        hint = "; roll back first" if state.signaling_state is _S.HAVE_LOCAL_OFFER and type_ is SdpType.OFFER else ""
        raise InvalidStateError(f"{verb} with a {type_} in signaling state {state.signaling_state}; {what}{hint}")


def _same(created: SessionDescription, given: SessionDescription) -> bool:
    """True if both say the same but for what gathering has added meanwhile."""

    def bare(sdp: SessionDescription) -> SessionDescription:
        return replace(
            sdp,
            media=tuple(
                media.without("candidate", "end-of-candidates").with_field("c", "").with_port(min(media.port, 1))
                for media in sdp.media
            ),
        )

    return bare(created) == bare(given)


def _with_offer(state: NegotiationState, offer: Description, *, local: bool) -> NegotiationState:
    stable = state.stable
    mids = _mids(offer.sdp, stable.mids)
    if local:
        after = replace(state, signaling_state=_S.HAVE_LOCAL_OFFER, pending_local=offer, fallback=stable, mids=mids)
        after = with_local_offer(after)
    else:
        after = replace(state, signaling_state=_S.HAVE_REMOTE_OFFER, pending_remote=offer, fallback=stable, mids=mids)
        after = with_remote_offer(after, offer.sdp, served_sections(offer.sdp, mids, stable.carried))
    after = replace(after, next_mid=_next_mid(stable, mids))
    controlling = stable.controlling
    if controlling is None or _restarts(after):
        # Whoever offers controls; roles are drawn anew when ICE restarts (RFC 8445 sections 6.1.1, 9).
        controlling = local
    if after.remote is not None:
        controlling = _against_lite(controlling, after.remote.sdp, after)
    return replace(after, controlling=controlling, created_answer=None)


def _with_answer(state: NegotiationState, answer: Description, *, local: bool) -> NegotiationState:
    offer = state.pending_remote if local else state.pending_local
    final = answer.type is SdpType.ANSWER
    assert offer is not None  # the states see to it
    if local:
        alive = frozenset(index for index, media in enumerate(answer.sdp.media) if media.port != 0)
    else:
        alive = carried_sections(answer.sdp, offer.sdp, state.mids, state.stable.carried)
        check_media_answer(answer.sdp, offer.sdp, alive)
    state = replace(state, carried=tuple(mid for index, mid in enumerate(state.mids) if index in alive))
    state = with_answer(state, answer.sdp, offer.sdp, local=local, final=final)
    if final:
        after = replace(
            state,
            signaling_state=_S.STABLE,
            current_local=answer if local else offer,
            current_remote=offer if local else answer,
            pending_local=None,
            pending_remote=None,
            created_offer=None,
            created_answer=None,
        )
    elif local:
        after = replace(state, signaling_state=_S.HAVE_LOCAL_PRANSWER, pending_local=answer)
    else:
        after = replace(state, signaling_state=_S.HAVE_REMOTE_PRANSWER, pending_remote=answer)
    controlling = bool(after.controlling)
    if not local:
        controlling = _against_lite(controlling, answer.sdp, after)
    else:
        controlling = _against_lite(controlling, offer.sdp, after)
    role = _role(after, answer, local=local)
    in_use = state.stable.dtls_role
    if not local and in_use is not None and not any(one.new_dtls_association for one in transports_for(after)):
        # Within an association the roles stay (RFC 8842 section 5.3). Firefox ESR 153 as DTLS server answers "active"
        # to a restart's actpass all the same, and means nothing by it.
        role = in_use
    return replace(after, controlling=controlling, dtls_role=role)


def _next_mid(stable: NegotiationState, mids: tuple[str, ...]) -> int:
    """The number after those of the mids that are new, of either side, so that none names two sections in turn."""
    fresh = [int(mid) for mid in mids if mid not in stable.mids and mid.isascii() and mid.isdigit() and len(mid) < 9]
    return max([stable.next_mid, *(number + 1 for number in fresh)])


def _against_lite(controlling: bool, remote: SessionDescription, state: NegotiationState) -> bool:
    """A full agent controls a lite one, whoever offered (RFC 8445 section 6.1.1)."""
    if remote.ice_lite == state.config.ice_lite:
        return controlling
    return remote.ice_lite


def _restarts(state: NegotiationState) -> bool:
    """True if the pending offer brings other ICE credentials than its side had."""
    offer, before = exchange_of(state).offer, state.stable
    old = before.current_local if state.pending_local is offer else before.current_remote
    carried = {before.mids.index(mid) for mid in before.carried if mid in before.mids}
    return offer is not None and bool(carried) and ice_restarts(old, offer, carrier_index(before, carried))


def _role(state: NegotiationState, answer: Description, *, local: bool) -> DtlsRole | None:
    """Our DTLS role by the answer's first live section; the role in use if none is alive."""
    for media in answer.sdp.media:
        if media.port == 0:
            continue
        speaks = speaker(answer.sdp, media, answer=True)
        setup = speaks.setup or answer.sdp.setup
        reader = role_for(setup) if setup is not None else DtlsRole.SERVER  # absent means active: RFC 4145 section 4
        if reader is None:
            continue
        if not local:
            return reader
        return DtlsRole.CLIENT if reader is DtlsRole.SERVER else DtlsRole.SERVER
    return state.dtls_role


def _mids(sdp: SessionDescription, known: tuple[str, ...]) -> tuple[str, ...]:
    """The mid of each section; those of a peer that writes none are made up and then kept (RFC 9429 section 5.10)."""
    used = {media.mid for media in sdp.media if media.mid is not None} | set(known)
    found: list[str] = []
    for index, media in enumerate(sdp.media):
        mid = media.mid
        if mid is None and index < len(known):
            mid = known[index]
        if mid is None:
            number = index
            while str(number) in used:
                number += 1
            mid = str(number)
            used.add(mid)
        found.append(mid)
    return tuple(found)


def _settled(after: NegotiationState, before: NegotiationState, *, rolled_back: bool = False) -> Applied:
    """The plan of `after`, told against `before` and the last stable state; only then the way back is forgotten."""
    plan = plan_for(after, rolled_back=rolled_back)
    old = {one.handle for one in before.transceivers}
    new = {one.handle for one in after.transceivers}
    gone = tuple(one.handle for one in before.transceivers if one.handle not in new)
    taken_back = {one.handle for one in before.transceivers if one.by_remote and rolled_back} - {
        one.handle for one in before.stable.transceivers
    }
    plan = replace(
        plan,
        tracks=track_changes(before.transceivers, after.transceivers),
        created_transceivers=tuple(one.handle for one in after.transceivers if one.handle not in old),
        removed_transceivers=tuple(handle for handle in gone if handle in taken_back),
        stopped_transceivers=tuple(handle for handle in gone if handle not in taken_back),
    )
    if after.signaling_state is _S.STABLE:
        after = replace(after, fallback=None)
    return Applied(after, plan)
