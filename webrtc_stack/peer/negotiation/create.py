"""Making offers and answers.

Spec: RFC 9429 sections 5.2 (offers), 5.3 (answers); RFC 9143 section 7 (BUNDLE).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ...base import IceParameters, SetupRole
from ...errors import InvalidArgumentError, InvalidStateError
from ...sdp import Attribute, Group, MediaDescription, Origin, SessionDescription
from ..config import BundlePolicy
from ..parameters import TransceiverHandle
from .candidates import with_candidates
from .media_sections import OfferTables, answered_section, is_rtp, offered_section
from .plan import carrier_index, new_association, our_setup, remote_restarts
from .remote import remote_dtls, speaker
from .sections import ICE_OPTIONS, OwnSide, data_section, is_data, rejected_section
from .served import served_sections
from .values import Created, Description, LocalTransport, NegotiationState, SdpType, SignalingState, Wishes


def create_offer(state: NegotiationState, wishes: Wishes, local: LocalTransport) -> Created:
    """An offer of everything negotiated so far, of every transceiver, and of what is wished for.

    Sections keep their places. New transceivers take dead places first, then new ones, data the last. With nothing
    to offer it has no sections and is still valid.
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
    slots = _slots(state)
    writer = _OfferWriter(state, own, {slot.mid for slot in slots}, _tables(state))
    by_mid = {one.mid: one for one in state.transceivers if one.mid is not None and not one.stopped}
    waiting = [one for one in state.transceivers if one.mid is None and not one.stopping and not one.stopped]
    wants_data = wishes.data_channel and not any(slot.alive and is_data(slot.section) for slot in slots)
    for slot in slots:
        associated = by_mid.get(slot.mid)
        if slot.alive and is_data(slot.section):
            writer.data(slot.mid, slot)
        elif slot.alive and associated is not None and not associated.stopping:
            writer.rtp(slot.mid, slot, associated.handle)
        elif not slot.alive and wants_data and slot.section.kind == "application":
            # The place of a dead section is taken again, under a mid that was never used.
            writer.data(writer.fresh_mid())
            wants_data = False
        elif not slot.alive and not slot.negotiated and associated is None and waiting:
            writer.rtp(writer.fresh_mid(), None, waiting.pop(0).handle)
        else:
            handle = associated.handle if associated is not None else None
            writer.add(rejected_section(slot.section, mid=slot.mid, own=own), slot.mid, handle, alive=False)
    for one in waiting:
        writer.rtp(writer.fresh_mid(), None, one.handle)
    if wants_data:
        writer.data(writer.fresh_mid())
    groups = (Group(semantics="BUNDLE", mids=tuple(writer.alive)),) if writer.alive else ()
    sdp = _describe(state, local, ice, groups, tuple(writer.media))
    offer = Description(type=SdpType.OFFER, sdp=sdp)
    return Created(replace(state, created_offer=offer, offered=tuple(writer.handles)), offer)


class _Slot(NamedTuple):
    """A section of the last stable state, or of the offer that is pending and may be replaced."""

    mid: str
    alive: bool
    negotiated: bool
    """Alive in the last stable state too."""
    section: MediaDescription


class _OfferWriter:
    """The sections of one offer, in the making."""

    def __init__(self, state: NegotiationState, own: OwnSide, used: set[str], tables: OfferTables) -> None:
        self._state = state
        self._own = own
        self._used = used
        self._tables = tables
        self._number = state.next_mid
        self._transceivers = {one.handle: one for one in state.transceivers}
        self.media: list[MediaDescription] = []
        self.handles: list[TransceiverHandle | None] = []
        self.alive: list[str] = []

    def fresh_mid(self) -> str:
        """A mid that was never used."""
        while str(self._number) in self._used:
            self._number += 1
        mid = str(self._number)
        self._used.add(mid)
        return mid

    def add(self, section: MediaDescription, mid: str, handle: TransceiverHandle | None, *, alive: bool = True) -> None:
        self.media.append(section)
        self.handles.append(handle)
        if alive:
            self.alive.append(mid)

    def data(self, mid: str, slot: _Slot | None = None) -> None:
        like = slot.section.media if slot is not None else None
        bundle_only = self._bundle_only(slot)
        self.add(data_section(self._own, mid=mid, like=like, bundle_only=bundle_only), mid, None)

    def rtp(self, mid: str, slot: _Slot | None, handle: TransceiverHandle) -> None:
        section = offered_section(
            self._transceivers[handle],
            mid=mid,
            own=None if self._bundle_only(slot) else self._own,
            cname=self._state.cname,
            tables=self._tables,
            before=slot.section if slot is not None else None,
        )
        self.add(section, mid, handle)

    def _bundle_only(self, slot: _Slot | None) -> bool:
        """True for what is not negotiated yet, behind the first section, under max-bundle (RFC 9143 section 7.2.1)."""
        if self._state.config.bundle_policy is not BundlePolicy.MAX_BUNDLE or not self.alive:
            return False
        return slot is None or not slot.negotiated


def _tables(state: NegotiationState) -> OfferTables:
    pending = state.pending_local if state.signaling_state is SignalingState.HAVE_LOCAL_OFFER else None
    sections: list[MediaDescription] = []
    for description in (state.stable.current_local, pending, state.stable.current_remote):
        if description is not None:
            sections += description.sdp.media
    return OfferTables.of(sections)


def _slots(state: NegotiationState) -> list[_Slot]:
    stable = state.stable
    carried = set(stable.carried)
    pending = state.pending_local if state.signaling_state is SignalingState.HAVE_LOCAL_OFFER else None
    if pending is not None:
        return [
            _Slot(mid, not section.rejected, mid in carried, section)
            for mid, section in zip(state.mids, pending.sdp.media, strict=True)
        ]
    if stable.current_local is None:
        return []
    return [
        _Slot(mid, mid in carried, mid in carried, section)
        for mid, section in zip(stable.mids, stable.current_local.sdp.media, strict=True)
    ]


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
    served = served_sections(offer, state.mids, stable.carried)
    restart = any(remote_restarts(state, remote, index) for index in served)
    ice = _credentials(stable, local, restart=restart)
    own = _answering_side(state, remote, local, ice, served)
    by_mid = {one.mid: one for one in state.transceivers if one.mid is not None}
    bundle_ids: dict[int, str] = {}
    media: list[MediaDescription] = []
    for index, offered in enumerate(offer.media):
        section = None
        if index in served and own is not None:
            associated = by_mid.get(state.mids[index])
            if not is_rtp(offered):
                section = data_section(own, mid=offered.mid, like=offered.media)
            elif associated is not None and not associated.stopping and not associated.stopped:
                section = answered_section(
                    associated,
                    offer,
                    offered,
                    own=own,
                    cname=state.cname,
                    bundle_ids=bundle_ids,
                    max_rids=state.config.max_receive_rids,
                )
        media.append(section if section is not None else rejected_section(offered, mid=offered.mid, own=own))
    live = {section.mid for section in media if section.port != 0}
    groups = tuple(
        Group(semantics="BUNDLE", mids=kept)
        for kept in (tuple(mid for mid in bundle if mid in live) for bundle in offer.bundles)
        if kept
    )
    sdp = _describe(state, local, ice, groups, tuple(media))
    answer = Description(type=SdpType.ANSWER, sdp=sdp)
    return Created(replace(state, created_answer=answer), answer)


def _answering_side(
    state: NegotiationState, remote: Description, local: LocalTransport, ice: IceParameters, served: frozenset[int]
) -> OwnSide | None:
    """What our answer says of the transport, by the section of the offer that speaks for it; None without any."""
    if not served:
        return None
    index = carrier_index(state, served)
    dtls = remote_dtls(
        remote.sdp, speaker(remote.sdp, remote.sdp.media[index], answer=False), state.config, answer=False
    )
    role = None if new_association(state, remote, index) else state.stable.dtls_role
    return OwnSide(
        ice=ice,
        setup=our_setup(dtls.setup, role),
        fingerprints=local.fingerprints,
        sctp=local.sctp,
        # RFC 8842 section 5.3: no tls-id for an offerer that does not know it.
        tls_id=local.tls_id if dtls.tls_id is not None else None,
    )


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
