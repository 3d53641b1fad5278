"""Transceivers between two sides: directions, tracks, stopping, places used again, rollback, the need for an offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from webrtc_stack.errors import InvalidAccessError, InvalidArgumentError, InvalidStateError
from webrtc_stack.peer.negotiation import (
    Description,
    NegotiationState,
    Plan,
    RtpPlan,
    SdpType,
    SignalingState,
    Transceiver,
    Wishes,
    add_track,
    add_transceiver,
    close,
    create_answer,
    create_offer,
    negotiation_needed,
    remove_track,
    rollback,
    set_local_description,
    set_remote_description,
    stop_transceiver,
    update_transceiver,
)
from webrtc_stack.peer.parameters import Encoding, MediaKind, SourceIds, TransceiverHandle
from webrtc_stack.sdp import Direction

from .support import DATA, check_answer_fits, check_description, exchange, local, over_the_wire, start

A, B = local("A"), local("B")
NOTHING = Wishes()
SR, SO, RO, NO = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE


def with_media(name: str, *kinds: str, direction: Direction = SR) -> NegotiationState:
    state = start(name)
    for kind in kinds:
        state = add_transceiver(state, kind, direction=direction, stream_ids=(f"stream{name}",))
    return state


def rtp(plan: Plan, index: int = 0) -> RtpPlan:
    found = plan.media[index].rtp
    assert found is not None
    return found


def only(state: NegotiationState) -> Transceiver:
    (found,) = state.transceivers
    return found


def call(
    wishes: Wishes = NOTHING, kinds: Sequence[str] = ("audio",)
) -> tuple[NegotiationState, NegotiationState, Plan, Plan]:
    """A call that A offers and B answers with tracks of its own."""
    b = start("B")
    for kind in kinds:
        b, _ = add_track(b, kind, track_id=f"track-{kind}", stream_ids=("streamB",))
    return exchange(with_media("A", *kinds), b, A, B, wishes)


def test_audio_video_and_data_are_agreed_on_one_transport() -> None:
    a, b, mine, theirs = call(DATA, ("audio", "video"))
    for plan in (mine, theirs):
        assert plan.main_transport is plan.transports[0] and plan.main_transport.mids == ("0", "1", "2")
        assert plan.data_transport == plan.main_transport
        assert [media.alive for media in plan.media] == [True, True, True]
        assert plan.media[2].rtp is None and plan.media[2].transceiver is None
    for index in (0, 1):
        ours, other = rtp(mine, index), rtp(theirs, index)
        assert ours.direction == other.direction == SR
        assert ours.cname == a.cname != b.cname
        assert [one.ssrc for one in ours.remote_sources] == [one.ssrc for one in other.sources]
        assert [one.rtx_ssrc for one in other.remote_sources] == [one.rtx_ssrc for one in ours.sources]
        assert other.remote_sources[0].cname == a.cname
        assert ours.send_extensions == other.receive_extensions and ours.send_extensions
        assert ours.reduced_size and ours.allow_mixed and ours.rtcp_xr_rcvr_rtt
        assert [one.payload_type for one in ours.send_codecs] == [one.payload_type for one in other.receive_codecs]
        assert ours.remote_stream_ids == ("streamB",) and other.remote_stream_ids == ("streamA",)
    assert rtp(mine, 0).remote_track_id == "track-audio"
    assert rtp(mine, 0).sources[0].rtx_ssrc is None and rtp(mine, 1).sources[0].rtx_ssrc is not None
    assert rtp(mine, 0).send_codecs[0].codec.mime_type == "audio/opus"
    assert rtp(mine, 1).send_codecs[0].rtx_payload_type == 97
    for state in (a, b):
        assert [one.current_direction for one in state.transceivers] == [SR, SR]
        assert all(one.ever_sent for one in state.transceivers)
        assert not negotiation_needed(state, DATA)


@pytest.mark.parametrize("theirs", list(Direction))
@pytest.mark.parametrize("ours", list(Direction))
def test_both_sides_agree_on_the_direction(ours: Direction, theirs: Direction) -> None:
    a = with_media("A", "audio", direction=ours)
    a, _ = set_local_description(a, A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b = update_transceiver(b, only(b).handle, direction=theirs)
    b, answering = set_local_description(b, B)
    check_answer_fits(over_the_wire(b.remote).sdp, over_the_wire(b.local).sdp)
    a, offering = set_remote_description(a, over_the_wire(b.local))
    agreed = rtp(offering).direction
    assert agreed is rtp(answering).direction.reversed
    assert only(a).current_direction is agreed and only(b).current_direction is agreed.reversed
    sends = ours in (SR, SO) and theirs in (SR, RO)
    receives = ours in (SR, RO) and theirs in (SR, SO)
    assert (agreed in (SR, SO), agreed in (SR, RO)) == (sends, receives)
    assert bool(rtp(offering).remote_sources) == receives


def test_a_remote_offer_makes_a_receiver_and_tells_of_its_track() -> None:
    a, _ = set_local_description(with_media("A", "video"), A, NOTHING)
    b, plan = set_remote_description(start("B"), over_the_wire(a.local))
    made = only(b)
    assert plan.created_transceivers == (made.handle,) and made.by_remote and made.direction is RO
    (change,) = plan.tracks
    assert change == (made.handle, True, ("streamA",), only(a).track_id)
    assert rtp(plan).direction is NO and rtp(plan).remote_sources
    assert plan.media[0].transceiver == made.handle and made.mid == "0"
    b, plan = set_local_description(b, B)
    assert plan.tracks == () and only(b).current_direction is RO
    again, plan = set_remote_description(b, over_the_wire(a.local))
    assert plan.created_transceivers == () and again.transceivers[0].handle == made.handle


def test_what_our_offer_allows_may_arrive_before_the_answer() -> None:
    state, plan = set_local_description(with_media("A", "audio", "video"), A, NOTHING)
    for index in (0, 1):
        assert rtp(plan, index).direction is RO and rtp(plan, index).receive_codecs
        assert rtp(plan, index).send_codecs == () and rtp(plan, index).receive_extensions
    _, plan = set_local_description(with_media("A", "audio", direction=SO), A, NOTHING)
    assert rtp(plan).direction is NO and rtp(plan).receive_codecs == ()
    assert state.transceivers[0].current_direction is None


def test_a_track_that_waits_is_used_for_the_section_of_the_peer() -> None:
    a, _ = set_local_description(with_media("A", "audio", "audio"), A, NOTHING)
    b, handle = add_track(start("B"), "audio", track_id="mine")
    b = add_transceiver(b, "audio")
    b, plan = set_remote_description(b, over_the_wire(a.local))
    assert [one.mid for one in b.transceivers] == ["0", None, "1"], "only tracks wait for sections of the peer"
    assert plan.created_transceivers == (b.transceivers[2].handle,) and b.transceivers[0].handle == handle
    b, _ = set_local_description(b, B)
    assert [one.current_direction for one in b.transceivers] == [SR, None, RO]
    assert negotiation_needed(b, NOTHING), "the other transceiver still waits"


def test_a_section_that_only_sends_does_not_take_a_waiting_track() -> None:
    a, _ = set_local_description(with_media("A", "audio", direction=SO), A, NOTHING)
    b, _ = add_track(start("B"), "audio", track_id="mine")
    b, plan = set_remote_description(b, over_the_wire(a.local))
    assert len(b.transceivers) == 2 and len(plan.created_transceivers) == 1


def test_hold_and_resume_end_and_begin_the_remote_track() -> None:
    a, b, _, _ = call()
    a = update_transceiver(a, only(a).handle, direction=NO)
    assert negotiation_needed(a, NOTHING)
    a, plan = set_local_description(a, A, NOTHING)
    assert rtp(plan).direction is SR, "until the answer all goes on"
    b, plan = set_remote_description(b, over_the_wire(a.local))
    assert [change.added for change in plan.tracks] == [False] and rtp(plan).direction is SR
    b, plan = set_local_description(b, B)
    assert rtp(plan).direction is NO and rtp(plan).remote_sources == ()
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert [change.added for change in plan.tracks] == [False]
    assert only(a).current_direction is NO and not negotiation_needed(a, NOTHING)
    assert not negotiation_needed(b, NOTHING), "we still want both, but the peer has just said no"
    a = update_transceiver(a, only(a).handle, direction=SR)
    a, b, mine, theirs = exchange(a, b, A, B, NOTHING)
    assert [change.added for change in mine.tracks] == [True] and rtp(theirs).direction is SR


def test_streams_are_told_when_they_grow_and_ask_for_an_offer_when_they_change() -> None:
    a, b, _, _ = call()
    a = update_transceiver(a, only(a).handle, stream_ids=("streamA", "more"))
    assert negotiation_needed(a, NOTHING)
    a, _ = set_local_description(a, A, NOTHING)
    b, plan = set_remote_description(b, over_the_wire(a.local))
    assert plan.tracks == ((only(b).handle, True, ("streamA", "more"), only(a).track_id),)
    replaced = update_transceiver(a, only(a).handle, track_id="another")
    assert only(replaced).track_id == "another"
    b, _ = set_local_description(b, B)
    a, _ = set_remote_description(a, over_the_wire(b.local))
    assert not negotiation_needed(a, NOTHING)
    assert not negotiation_needed(update_transceiver(a, only(a).handle, track_id="another"), NOTHING)


def test_a_removed_track_is_not_sent_any_more_and_its_sender_is_not_used_again() -> None:
    a, b, _, _ = call()
    a = update_transceiver(a, only(a).handle, has_track=True)
    a = remove_track(a, only(a).handle)
    assert only(a).direction is RO and negotiation_needed(a, NOTHING)
    a, b, mine, _ = exchange(a, b, A, B, NOTHING)
    assert rtp(mine).direction is RO
    section = check_description(a.local).media[0]
    assert {one.ssrc for one in section.ssrcs} == {a.transceivers[0].sources[0].ssrc}, "its source is still named"
    a, handle = add_track(a, "audio", track_id="second")
    assert handle != a.transceivers[0].handle, "it has sent before, so the new track gets its own"
    fresh = add_transceiver(start("C"), "audio", direction=RO)
    fresh, handle = add_track(fresh, "audio", track_id="t", stream_ids=("s",))
    assert handle == only(fresh).handle and only(fresh).direction is SR and only(fresh).stream_ids == ("s",)
    with pytest.raises(InvalidAccessError, match="exists already"):
        add_track(fresh, "audio", track_id="t")


# --- stop, and places used again ------------------------------------------------------------------------------------


def test_a_stopped_transceiver_leaves_and_its_place_is_used_again_under_a_new_mid() -> None:
    a, b, _, _ = call(DATA, ("audio", "video"))
    gone = a.transceivers[0]
    a = stop_transceiver(a, gone.handle)
    assert a.transceivers[0].stopping and not a.transceivers[0].stopped and negotiation_needed(a, DATA)
    a, plan = set_local_description(a, A, DATA)
    offered = check_description(a.local)
    assert [media.port for media in offered.media] == [0, 9, 9] and offered.bundles == (("1", "2"),)
    assert plan.main_transport is not None and plan.main_transport.mids == ("1", "2")
    b, plan = set_remote_description(b, over_the_wire(a.local))
    assert [change.added for change in plan.tracks] == [False] and plan.stopped_transceivers == ()
    b, plan = set_local_description(b, B)
    assert plan.stopped_transceivers == (gone.handle,) and len(b.transceivers) == 1
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert plan.stopped_transceivers == (gone.handle,) and len(a.transceivers) == 1
    assert not plan.media[0].alive and plan.media[0].transceiver is None
    assert not plan.transports[0].local_ice_restart and not negotiation_needed(a, DATA)
    b = add_transceiver(b, "video", stream_ids=("again",))
    assert b.transceivers[-1].handle > max(one.handle for one in b.transceivers[:-1])
    b, a, theirs, mine = exchange(b, a, B, A, DATA)
    assert a.mids == b.mids == ("3", "1", "2"), "the first place under a mid that was never used"
    assert [media.kind for media in mine.media] == ["video", "video", "application"]
    assert all(media.alive for media in mine.media)
    assert not mine.transports[0].remote_ice_restart and not theirs.transports[0].new_dtls_association
    assert rtp(mine, 0).direction is RO and rtp(mine, 1).direction is SR


def test_a_transceiver_without_a_section_stops_at_once_and_is_never_offered() -> None:
    a = with_media("A", "audio", "video")
    a = stop_transceiver(a, a.transceivers[0].handle)
    assert a.transceivers[0].stopped
    a, _, mine, _ = exchange(a, start("B"), A, B, NOTHING)
    assert [media.kind for media in mine.media] == ["video"] and mine.stopped_transceivers == (TransceiverHandle(1),)
    assert [one.kind for one in a.transceivers] == [MediaKind.VIDEO]


def test_a_section_that_is_being_stopped_is_not_used_again_in_the_same_offer() -> None:
    a, _, _, _ = call()
    a = stop_transceiver(a, only(a).handle)
    a = add_transceiver(a, "audio")
    a, _ = set_local_description(a, A, NOTHING)
    assert [(media.mid, media.port) for media in check_description(a.local).media] == [("0", 0), ("1", 9)]
    a, again = create_offer(a, NOTHING, A)
    assert [(media.mid, media.port) for media in again.sdp.media] == [("0", 0), ("1", 9)]


def test_the_peer_rejects_a_section_and_the_transceiver_ends() -> None:
    a, _ = set_local_description(with_media("A", "audio", "video"), A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b = stop_transceiver(b, b.transceivers[1].handle)
    b, plan = set_local_description(b, B)
    assert plan.stopped_transceivers == (TransceiverHandle(2),) and len(b.transceivers) == 1
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert plan.stopped_transceivers == (TransceiverHandle(2),) and [media.alive for media in plan.media] == [
        True,
        False,
    ]
    assert not negotiation_needed(a, NOTHING)


def test_what_is_dead_says_how_it_would_be_reached_as_some_peers_insist() -> None:
    a, b, _, _ = call(DATA, ("audio", "video"))
    b = stop_transceiver(b, b.transceivers[1].handle)
    a, _ = set_local_description(a, A, DATA)
    b, _ = set_remote_description(b, over_the_wire(a.local))
    b, _ = set_local_description(b, B)  # an answer that rejects
    a, _ = set_remote_description(a, over_the_wire(b.local))
    a, again = create_offer(a, DATA, A)  # an offer that keeps the place
    for description, side in ((b.local, B), (again, A)):
        sdp = check_description(description)
        live, dead = sdp.media[:2]
        assert dead.rejected and dead.rtcp_mux
        assert sdp.ice_parameters(dead) == sdp.ice_parameters(live)
        assert dead.fingerprints == side.fingerprints
        assert dead.setup == live.setup
        assert not dead.candidates


def test_an_answer_that_revives_a_dead_section_leaves_it_dead() -> None:
    a, b, _, _ = call(DATA, ("audio", "video"))
    before = over_the_wire(b.local).sdp
    gone = a.transceivers[1]
    a = stop_transceiver(a, gone.handle)
    a, _ = set_local_description(a, A, DATA)
    a, plan = set_remote_description(a, Description(type=SdpType.ANSWER, sdp=before))  # as if nothing had happened
    assert [media.alive for media in plan.media] == [True, False, True]
    assert plan.stopped_transceivers == (gone.handle,)
    assert plan.main_transport is not None
    assert plan.main_transport.mids == ("0", "2")
    a = add_transceiver(a, "video")
    a, _ = set_local_description(a, A, DATA)
    assert a.mids == ("0", "3", "2"), "its place is free"
    assert check_description(a.local).bundles == (("0", "3", "2"),)


def test_an_answer_that_leaves_the_bundle_is_treated_as_a_rejection_that_we_then_tell() -> None:
    a, _ = set_local_description(with_media("A", "audio", "video"), A, DATA)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, made = create_answer(b, B)
    answer = Description(type=SdpType.ANSWER, sdp=made.sdp.without("group"))
    a, plan = set_remote_description(a, over_the_wire(answer))
    assert [media.alive for media in plan.media] == [False, False, True], "one transport, and data has it"
    assert len(plan.transports) == 1 and plan.data_transport is plan.main_transport
    assert all(one.stopping for one in a.transceivers) and negotiation_needed(a, DATA)
    a, made = create_offer(a, DATA, A)
    assert [media.port for media in made.sdp.media] == [0, 0, 9]


def test_a_session_of_audio_alone_needs_no_bundle() -> None:
    a, _ = set_local_description(with_media("A", "audio"), A, NOTHING)
    assert a.local is not None
    plain = Description(type=SdpType.OFFER, sdp=a.local.sdp.without("group"))
    b, _ = set_remote_description(start("B"), over_the_wire(plain))
    b, plan = set_local_description(b, B)
    assert [media.alive for media in plan.media] == [True] and plan.main_transport is not None
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert [media.alive for media in plan.media] == [True]


# --- rollback, glare, provisional answers ---------------------------------------------------------------------------


def test_a_rollback_undoes_what_the_remote_offer_did_and_keeps_what_the_application_did() -> None:
    a, _ = set_local_description(with_media("A", "audio", "video"), A, NOTHING)
    b, waiting = add_track(start("B"), "audio", track_id="mine")
    b, plan = set_remote_description(b, over_the_wire(a.local))
    made = plan.created_transceivers[0]
    b = add_transceiver(b, "video", stream_ids=("late",))
    b = update_transceiver(b, waiting, direction=SO)
    b, plan = rollback(b)
    assert plan.removed_transceivers == (made,) and plan.stopped_transceivers == ()
    assert [(change.transceiver, change.added) for change in plan.tracks] == [(waiting, False), (made, False)]
    assert [one.mid for one in b.transceivers] == [None, None]
    assert [one.direction for one in b.transceivers] == [SO, SR], "what the application did stays"
    assert b.next_handle > made, "handles are never used again"
    b, plan = set_remote_description(b, over_the_wire(a.local))
    assert plan.created_transceivers == (b.transceivers[-1].handle,) and b.transceivers[0].mid == "0"


def test_a_transceiver_of_the_peer_that_got_a_track_survives_the_rollback() -> None:
    a, _ = set_local_description(with_media("A", "audio"), A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, handle = add_track(b, "audio", track_id="mine")
    assert handle == only(b).handle and only(b).by_remote
    b, plan = rollback(b)
    assert plan.removed_transceivers == () and only(b).mid is None and only(b).direction is SR
    assert negotiation_needed(b, NOTHING)


def test_a_rollback_of_our_offer_takes_the_associations_back() -> None:
    a, _, _, _ = call()
    a = add_transceiver(a, "video")
    a, _ = set_local_description(a, A, NOTHING)
    assert [one.mid for one in a.transceivers] == ["0", "1"]
    a, plan = rollback(a)
    assert [one.mid for one in a.transceivers] == ["0", None] and [media.mid for media in plan.media] == ["0"]
    assert rtp(plan).direction is SR and negotiation_needed(a, NOTHING)
    a = stop_transceiver(a, a.transceivers[1].handle)
    a, plan = set_local_description(a, A, NOTHING)
    assert len(check_description(a.local).media) == 1


def test_a_transceiver_stopped_while_its_offer_is_pending_is_stopped_after_the_rollback() -> None:
    a, _ = set_local_description(with_media("A", "audio"), A, NOTHING)
    a = stop_transceiver(a, only(a).handle)
    assert not only(a).stopped
    a, _ = rollback(a)
    assert only(a).stopped and not negotiation_needed(a, NOTHING)


def test_crossing_offers_of_media_settle_on_both_tracks_in_one_section() -> None:
    a, handle_a = add_track(start("A"), "audio", track_id="a")
    b, handle_b = add_track(start("B"), "audio", track_id="b")
    a, _ = set_local_description(a, A, NOTHING)
    b, _ = set_local_description(b, B, NOTHING)
    b, plan = set_remote_description(b, over_the_wire(a.local), implicit_rollback=True)
    assert plan.rolled_back and only(b).handle == handle_b and only(b).mid == "0"
    assert plan.created_transceivers == plan.removed_transceivers == ()
    b, theirs = set_local_description(b, B)
    a, mine = set_remote_description(a, over_the_wire(b.local))
    assert rtp(mine).direction is rtp(theirs).direction is SR and only(a).handle == handle_a
    assert not negotiation_needed(a, NOTHING) and not negotiation_needed(b, NOTHING)


def test_a_provisional_answer_sets_directions_and_the_final_one_may_change_them() -> None:
    a, _ = set_local_description(with_media("A", "audio", "video"), A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, made = create_answer(b, B)
    b, plan = set_local_description(b, B, description=replace(made, type=SdpType.PRANSWER))
    assert rtp(plan).direction is RO and b.signaling_state is SignalingState.HAVE_LOCAL_PRANSWER
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert rtp(plan).direction is SO and a.transceivers[0].current_direction is SO
    b = update_transceiver(b, b.transceivers[0].handle, direction=SR)
    b, _ = set_local_description(b, B)
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert rtp(plan).direction is SR and [change.added for change in plan.tracks] == [True]
    assert a.signaling_state is b.signaling_state is SignalingState.STABLE


def test_a_pending_offer_may_be_replaced_by_one_with_more() -> None:
    a, _ = set_local_description(with_media("A", "audio"), A, DATA)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    a = add_transceiver(a, "video")
    a, plan = set_local_description(a, A, DATA)
    assert [(media.kind, media.mid) for media in check_description(a.local).media] == [
        ("audio", "0"),
        ("application", "1"),
        ("video", "2"),
    ]
    b, plan = set_remote_description(b, over_the_wire(a.local))
    assert [one.mid for one in b.transceivers] == ["0", "2"] and len(plan.created_transceivers) == 1
    b, _ = set_local_description(b, B)
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert all(media.alive for media in plan.media)


def test_a_replaced_remote_offer_takes_its_transceivers_back() -> None:
    both, _ = set_local_description(with_media("A", "audio", "video"), A, NOTHING)
    one, _ = set_local_description(with_media("A", "audio"), A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(both.local))
    b, plan = set_remote_description(b, over_the_wire(one.local))
    assert [one.mid for one in b.transceivers] == ["0"]
    assert [change.added for change in plan.tracks] == [False]


# --- misuse ---------------------------------------------------------------------------------------------------------


def test_a_transceiver_is_made_and_changed_within_the_rules() -> None:
    state = with_media("A", "audio")
    handle = only(state).handle
    with pytest.raises(InvalidArgumentError, match="unknown kind"):
        add_transceiver(state, "text")
    with pytest.raises(InvalidArgumentError, match="given before"):
        add_transceiver(state, "audio", handle=handle)
    with pytest.raises(InvalidArgumentError, match="as many sources"):
        add_transceiver(state, "audio", sources=())
    with pytest.raises(InvalidArgumentError, match="audio has one encoding"):
        add_transceiver(state, "audio", encodings=(Encoding(rid="a"), Encoding(rid="b")))
    for rids in (("a", None), ("a", "a"), ("a", "b-c"), ("", "b")):
        with pytest.raises(InvalidArgumentError, match="rid"):
            add_transceiver(state, "video", encodings=[Encoding(rid=rid) for rid in rids])
    with pytest.raises(InvalidArgumentError, match="at least 1"):
        add_transceiver(state, "video", encodings=[Encoding(scale_resolution_down_by=0.5)])
    for stream in ("two words", "", "line\r\nbreak", "x" * 65):
        with pytest.raises(InvalidArgumentError, match="a=msid"):
            add_transceiver(state, "audio", stream_ids=[stream])
    with pytest.raises(InvalidAccessError):
        update_transceiver(state, TransceiverHandle(77), direction=SO)
    with pytest.raises(InvalidArgumentError, match="cannot be changed"):
        update_transceiver(state, handle, mid="7")
    with pytest.raises(InvalidArgumentError, match="rids of encodings"):
        update_transceiver(state, handle, encodings=[Encoding(rid="x")])
    changed = update_transceiver(state, handle, encodings=[Encoding(max_bitrate=5)])
    assert only(changed).encodings[0].max_bitrate == 5
    stopped = stop_transceiver(state, handle)
    with pytest.raises(InvalidStateError, match="stopped"):
        update_transceiver(stopped, handle, direction=SO)
    assert stop_transceiver(stopped, handle) is stopped and remove_track(stopped, handle) is stopped
    with pytest.raises(InvalidStateError, match="closed"):
        add_transceiver(close(state), "audio")
    with pytest.raises(InvalidStateError, match="closed"):
        stop_transceiver(close(state), handle)


def test_sources_are_the_same_in_a_replay_and_different_between_senders() -> None:
    one = add_transceiver(with_media("A", "audio", "video"), "video", encodings=[Encoding(rid=rid) for rid in "hml"])
    two = add_transceiver(with_media("A", "audio", "video"), "video", encodings=[Encoding(rid=rid) for rid in "hml"])
    assert one == two != with_media("B", "audio", "video")
    numbers = [
        number
        for transceiver in one.transceivers
        for ids in transceiver.sources
        for number in (ids.ssrc, ids.rtx_ssrc)
        if number is not None
    ]
    assert len(numbers) == len(set(numbers)) == 1 + 2 + 6 and 0 not in numbers
    given = add_transceiver(start(), "audio", sources=[SourceIds(ssrc=5)])
    assert only(given).sources == (SourceIds(ssrc=5),)


@pytest.mark.parametrize("by_offerer", [True, False])
def test_an_ice_restart_carries_media_and_data_on(by_offerer: bool) -> None:
    a, b, before, _ = call(DATA, ("audio", "video"))
    restart = Wishes(data_channel=True, ice_restart=True)
    if by_offerer:
        a, b, mine, theirs = exchange(a, b, A, B, restart)
    else:
        b, a, theirs, mine = exchange(b, a, B, A, restart)
    for plan in (mine, theirs):
        (transport,) = plan.transports
        assert transport.local_ice_restart and transport.remote_ice_restart and not transport.new_dtls_association
        assert not plan.tracks and not plan.created_transceivers and not plan.stopped_transceivers
    assert [media.rtp for media in mine.media] == [media.rtp for media in before.media]
    assert not negotiation_needed(a, DATA) and not negotiation_needed(b, DATA)


def test_a_call_grows_from_audio_to_video_and_back_by_either_side() -> None:
    a, b, first, _ = call(DATA)
    b, _ = add_track(b, "video", track_id="camera", stream_ids=("streamB",))
    assert negotiation_needed(b, NOTHING)
    b, a, theirs, mine = exchange(b, a, B, A, NOTHING)
    assert mine.media[0].rtp == first.media[0].rtp, "the audio goes on untouched"
    assert rtp(mine, 2).direction is RO and rtp(theirs, 2).direction is SO
    assert [change.added for change in mine.tracks] == []  # told with the offer, not with the answer
    camera = b.transceivers[-1].handle
    b = remove_track(b, camera)
    b, a, theirs, mine = exchange(b, a, B, A, NOTHING)
    assert rtp(mine, 2).direction is rtp(theirs, 2).direction is NO and rtp(mine, 0) == rtp(first, 0)
    b = stop_transceiver(b, camera)
    b, a, theirs, _ = exchange(b, a, B, A, NOTHING)
    assert theirs.stopped_transceivers == (camera,) and not negotiation_needed(a, DATA)
