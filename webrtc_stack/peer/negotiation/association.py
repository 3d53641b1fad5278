"""What descriptions do to transceivers: association with sections, directions, remote tracks, the end.

Spec: W3C webrtc-pc section 4.4.1.5 (set the description) and 5.1.1 (processing remote tracks); RFC 9429 sections
4.1.10.2 (rollback), 5.9, 5.10, 5.11. Differences: a section that we shall reject makes no transceiver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...sdp import Direction, MediaDescription, SessionDescription
from ..parameters import Encoding, MediaKind, TransceiverHandle
from .media_sections import is_rtp
from .rtp_plan import TrackChange, remote_msid
from .simulcast import layers_of
from .transceivers import (
    Transceiver,
    add_transceiver,
    common,
    draw_sources,
    receives,
    remote_track_id,
    sends,
    used_sources,
)
from .values import NegotiationState


def with_local_offer(state: NegotiationState) -> NegotiationState:
    """Associates the transceivers that our offer has sections for. `state.mids` are those of the offer."""
    place = {handle: (state.mids[index], index) for index, handle in enumerate(state.offered) if handle is not None}
    negotiated = {one.handle for one in state.stable.transceivers if one.mid is not None}
    changed = []
    for one in state.transceivers:
        if one.handle in place:
            mid, index = place[one.handle]
            one = replace(one, mid=mid, index=index)
        elif one.mid is not None and one.handle not in negotiated:
            one = replace(one, mid=None, index=None)
        changed.append(one)
    return replace(state, transceivers=tuple(changed))


def with_remote_offer(state: NegotiationState, offer: SessionDescription, served: frozenset[int]) -> NegotiationState:
    """Gives each served section a transceiver, and takes in what the offer says about remote tracks."""
    state = _without_strangers(state)
    by_mid = {one.mid: one for one in state.transceivers if one.mid is not None}
    free = [one for one in state.transceivers if one.mid is None and not one.stopping and not one.stopped]
    used = used_sources(state)
    changed: dict[TransceiverHandle, Transceiver] = {}
    for index, (mid, section) in enumerate(zip(state.mids, offer.media, strict=True)):
        found = by_mid.get(mid)
        if index not in served or not is_rtp(section):
            if found is not None:
                changed[found.handle] = _heard(state, found, section, Direction.INACTIVE)
            continue
        asked = offer.direction_of(section)
        if found is None and receives(asked):
            # The peer wants media, so a track that was added here may have waited for this section.
            found = next((one for one in free if one.kind == section.kind and one.made_by_add_track), None)
            if found is not None:
                free.remove(found)
        if found is None:
            state = add_transceiver(
                state, MediaKind(section.kind), direction=Direction.RECVONLY, by_remote=True, used=used
            )
            found = state.transceivers[-1]
        found = _with_asked_layers(state, replace(found, mid=mid, index=index), section, used)
        changed[found.handle] = _heard(state, found, section, asked.reversed)
    return _replacing(state, changed)


def _without_strangers(state: NegotiationState) -> NegotiationState:
    """Undoes what a replaced offer had done: associations of sections that the new offer does not have."""
    known = {one.handle: one for one in state.stable.transceivers}
    mids = set(state.mids)
    kept: list[Transceiver] = []
    for one in state.transceivers:
        if one.mid is None or one.mid in mids or (one.handle in known and known[one.handle].mid == one.mid):
            kept.append(one)
        elif (back := rolled_back(one, known.get(one.handle))) is not None:
            kept.append(back)
    return state if len(kept) == len(state.transceivers) else replace(state, transceivers=tuple(kept))


def _with_asked_layers(
    state: NegotiationState, one: Transceiver, section: MediaDescription, used: set[int]
) -> Transceiver:
    """A peer that offers to receive simulcast gets its layers from a sender that has none of its own."""
    if len(one.encodings) > 1 or one.encodings[0].rid is not None or one.kind is not MediaKind.VIDEO:
        return one
    rids = layers_of(section, "recv")
    if len(rids) < 2:
        return one
    more = draw_sources(state, one.handle, len(rids) - 1, repairs=True, used=used)
    return replace(one, encodings=tuple(Encoding(rid=rid) for rid in rids), sources=(*one.sources[:1], *more))


def _heard(state: NegotiationState, one: Transceiver, section: MediaDescription, direction: Direction) -> Transceiver:
    """`one` after a remote description that lets us send and receive by `direction`."""
    if not receives(direction):
        return replace(one, fired_direction=direction, remote_stream_ids=())
    streams, track = remote_msid(section)
    return replace(
        one,
        fired_direction=direction,
        remote_stream_ids=streams,
        remote_track_id=track or one.remote_track_id or remote_track_id(state, one.handle),
    )


def with_answer(
    state: NegotiationState, answer: SessionDescription, offer: SessionDescription, *, local: bool, final: bool
) -> NegotiationState:
    """Settles directions by an answer; a final one ends what it rejects. `state.carried` is that of the answer."""
    carried = set(state.carried)
    place = {mid: index for index, mid in enumerate(state.mids)}
    changed: dict[TransceiverHandle, Transceiver] = {}
    gone: set[TransceiverHandle] = set()
    for one in state.transceivers:
        index = place.get(one.mid) if one.mid is not None else None
        if index is None:
            if final and one.stopped:
                gone.add(one.handle)
            continue
        answered, offered = answer.media[index], offer.media[index]
        if one.mid not in carried:
            ended = _heard(state, one, answered, Direction.INACTIVE)
            if not final:
                changed[one.handle] = ended
            elif answered.port == 0 or offered.rejected:
                gone.add(one.handle)
            else:
                # Answered, but outside of the bundle: ours to end by the next offer.
                changed[one.handle] = replace(ended, stopping=True, current_direction=None)
            continue
        theirs = common(answer.direction_of(answered), offer.direction_of(offered).reversed)
        direction = theirs if local else theirs.reversed
        if not local:
            one = _heard(state, one, answered, direction)
        elif one.fires and not receives(direction):
            one = replace(one, remote_stream_ids=())
        changed[one.handle] = replace(
            one,
            current_direction=direction,
            fired_direction=direction,
            ever_sent=one.ever_sent or sends(direction),
            receive_rids=_agreed_layers(answered, offered, one, direction, local=local),
        )
    state = _replacing(state, changed)
    if gone:
        state = replace(state, transceivers=tuple(one for one in state.transceivers if one.handle not in gone))
    return state


def _agreed_layers(
    answered: MediaDescription, offered: MediaDescription, one: Transceiver, direction: Direction, *, local: bool
) -> tuple[str, ...]:
    """The layers that we receive from now on; they outlive a hold, so that our next offer asks for them again."""
    if not receives(direction):
        return one.receive_rids
    ours, theirs = (answered, offered) if local else (offered, answered)
    sent = layers_of(theirs, "send", 64)
    return tuple(rid for rid in layers_of(ours, "recv", 64) if rid in sent)


def rolled_back(one: Transceiver, before: Transceiver | None) -> Transceiver | None:
    """`one` after the pending offer was taken back; None if it goes with it. `before` is as it was when stable.

    What the application did meanwhile stays, what descriptions did is undone.
    """
    if before is None:
        if one.by_remote and not one.has_track:
            return None
        return replace(
            one,
            mid=None,
            index=None,
            current_direction=None,
            fired_direction=None,
            remote_stream_ids=(),
            remote_track_id="",
            receive_rids=(),
            stopped=one.stopped or one.stopping,
            # addTrack has taken over a transceiver that the peer made: from now on it is as one made by addTrack.
            by_remote=False,
            made_by_add_track=one.made_by_add_track or one.by_remote,
        )
    same_layers = [layer.rid for layer in one.encodings] == [layer.rid for layer in before.encodings]
    return replace(
        one,
        mid=before.mid,
        index=before.index,
        current_direction=before.current_direction,
        fired_direction=before.fired_direction,
        remote_stream_ids=before.remote_stream_ids,
        remote_track_id=before.remote_track_id,
        receive_rids=before.receive_rids,
        ever_sent=before.ever_sent,
        encodings=one.encodings if same_layers else before.encodings,
        sources=one.sources if same_layers else before.sources,
        stopped=one.stopped or (one.stopping and before.mid is None),
    )


def all_rolled_back(state: NegotiationState) -> tuple[Transceiver, ...]:
    """The transceivers after the pending offer was taken back."""
    known = {one.handle: one for one in state.stable.transceivers}
    found = (rolled_back(one, known.get(one.handle)) for one in state.transceivers)
    return tuple(one for one in found if one is not None)


def track_changes(before: Sequence[Transceiver], after: Sequence[Transceiver]) -> tuple[TrackChange, ...]:
    """The remote tracks that end and begin between two states: a track whose streams grew begins again."""
    old = {one.handle: one for one in before}
    new = {one.handle: one for one in after}
    changes = []
    for handle, was in old.items():
        if was.fires and (handle not in new or not new[handle].fires):
            changes.append(TrackChange(handle, False, was.remote_stream_ids, was.remote_track_id))
    for handle, one in new.items():
        if not one.fires:
            continue
        before_it = old.get(handle)
        grown = before_it is None or not set(one.remote_stream_ids) <= set(before_it.remote_stream_ids)
        if before_it is None or not before_it.fires or grown:
            changes.append(TrackChange(handle, True, one.remote_stream_ids, one.remote_track_id))
    return tuple(changes)


def _replacing(state: NegotiationState, changed: dict[TransceiverHandle, Transceiver]) -> NegotiationState:
    if not changed:
        return state
    return replace(state, transceivers=tuple(changed.get(one.handle, one) for one in state.transceivers))
