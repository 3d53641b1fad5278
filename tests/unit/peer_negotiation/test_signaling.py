"""The signalling states, renegotiation, rollback, provisional answers, glare: two sides against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from webrtc_stack.base import SctpParameters, SetupRole
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError, NegotiationError
from webrtc_stack.peer.negotiation import (
    ROLLBACK,
    Description,
    DtlsRole,
    NegotiationConfig,
    NegotiationState,
    SdpType,
    SignalingState,
    Wishes,
    close,
    create_answer,
    create_offer,
    negotiation_needed,
    rollback,
    set_local_description,
    set_remote_description,
)
from webrtc_stack.sdp import Attribute, SessionDescription

from .support import DATA, check_description, exchange, host, local, offer, over_the_wire, start

A, B = local("A"), local("B")


def connected() -> tuple[NegotiationState, NegotiationState]:
    offerer, answerer, _, _ = exchange(start("A"), start("B"), A, B)
    return offerer, answerer


def in_state(name: SignalingState) -> NegotiationState:
    offered, _ = set_local_description(start("A"), A, DATA)
    received, _ = set_remote_description(start("B"), over_the_wire(offered.local))
    if name is SignalingState.STABLE:
        return connected()[0]
    if name is SignalingState.HAVE_LOCAL_OFFER:
        return offered
    if name is SignalingState.HAVE_REMOTE_OFFER:
        return received
    if name is SignalingState.CLOSED:
        return close(offered)
    state, made = create_answer(received, B)
    provisional = replace(made, type=SdpType.PRANSWER)
    if name is SignalingState.HAVE_LOCAL_PRANSWER:
        return set_local_description(state, B, description=provisional).state
    return set_remote_description(offered, over_the_wire(provisional)).state


def test_two_sides_agree_on_everything() -> None:
    offerer, answerer, offerer_plan, answerer_plan = exchange(start("A"), start("B"), A, B)
    for state, plan, ours, theirs in (
        (offerer, offerer_plan, A, B),
        (answerer, answerer_plan, B, A),
    ):
        assert state.signaling_state is SignalingState.STABLE and plan.answered and plan.gather
        (transport,) = plan.transports
        assert transport.id == "0" and transport.mids == ("0",)
        assert transport.local_ice is not None and transport.local_ice.ufrag == ours.ice.ufrag
        assert transport.remote_ice is not None and transport.remote_ice.pwd == theirs.ice.pwd
        assert transport.remote_ice.options == ("trickle", "ice2")
        assert transport.remote_fingerprints == theirs.fingerprints
        assert transport.sctp == SctpParameters(port=5000, max_message_size=262144)
        assert not transport.local_ice_restart and not transport.remote_ice_restart
        assert plan.data_transport == transport
    assert offerer_plan.transports[0].controlling and not answerer_plan.transports[0].controlling
    assert offerer.dtls_role is DtlsRole.SERVER and answerer.dtls_role is DtlsRole.CLIENT
    assert offerer.current_local is not None and offerer.pending_local is None


def test_the_offer_is_ours_before_it_is_answered() -> None:
    state, plan = set_local_description(start(), A, DATA)
    assert state.signaling_state is SignalingState.HAVE_LOCAL_OFFER
    assert state.current_local is None and state.local == state.pending_local
    (transport,) = plan.transports
    assert plan.gather and not plan.answered
    assert transport.controlling and transport.remote_ice is None and transport.dtls_role is None
    sdp = check_description(state.local)
    assert sdp.media[0].setup is SetupRole.ACTPASS and sdp.bundles == (("0",),)
    assert (sdp.media[0].port, sdp.media[0].text("max-message-size")) == (9, "262144")


def test_an_offer_of_nothing_has_no_sections_and_is_answered_by_one_like_it() -> None:
    offerer, answerer, plan, other = exchange(start("A"), start("B"), A, B, Wishes())
    assert offerer.current_local is not None and offerer.current_local.sdp.media == ()
    assert offerer.current_local.sdp.bundles == ()
    assert plan.transports == () == other.transports and not plan.gather
    offerer, _, plan, _ = exchange(offerer, answerer, A, B)
    assert plan.data_transport is not None


TABLE = {
    SignalingState.STABLE: ({"offer"}, {"offer"}),
    SignalingState.HAVE_LOCAL_OFFER: ({"offer", "rollback"}, {"answer", "pranswer", "rollback"}),
    SignalingState.HAVE_REMOTE_OFFER: ({"answer", "pranswer", "rollback"}, {"offer", "rollback"}),
    SignalingState.HAVE_LOCAL_PRANSWER: ({"answer", "pranswer"}, set()),
    SignalingState.HAVE_REMOTE_PRANSWER: (set(), {"answer", "pranswer"}),
    SignalingState.CLOSED: (set(), set()),
}


@pytest.mark.parametrize("type_", list(SdpType))
@pytest.mark.parametrize("name", list(SignalingState))
def test_a_description_is_taken_in_its_states_only(name: SignalingState, type_: SdpType) -> None:
    ours, theirs = TABLE[name]
    state = in_state(name)
    given = Description(type=type_, sdp=SessionDescription())

    def try_it(apply: Callable[[], object], allowed: set[str]) -> None:
        if type_ in allowed:
            # Allowed by the state; the empty text is refused for another reason, or taken back.
            try:
                apply()
            except InvalidStateError:  # pragma: no cover - the failure this test looks for
                raise
            except (InvalidArgumentError, NegotiationError):
                pass
            return
        with pytest.raises(InvalidStateError, match=name.value):
            apply()

    try_it(lambda: set_local_description(state, A, description=given), ours)
    try_it(lambda: set_remote_description(state, given), theirs)


@pytest.mark.parametrize("name", list(SignalingState))
def test_offers_and_answers_are_made_in_their_states_only(name: SignalingState) -> None:
    state = in_state(name)
    if name in (SignalingState.STABLE, SignalingState.HAVE_LOCAL_OFFER):
        create_offer(state, DATA, A)
    else:
        with pytest.raises(InvalidStateError, match="create_offer"):
            create_offer(state, DATA, A)
    if name in (SignalingState.HAVE_REMOTE_OFFER, SignalingState.HAVE_LOCAL_PRANSWER):
        create_answer(state, B)
    else:
        with pytest.raises(InvalidStateError, match="create_answer"):
            create_answer(state, B)


def test_without_a_description_the_state_chooses() -> None:
    assert set_local_description(start(), A, DATA).state.signaling_state is SignalingState.HAVE_LOCAL_OFFER
    received = in_state(SignalingState.HAVE_REMOTE_OFFER)
    assert set_local_description(received, B).state.signaling_state is SignalingState.STABLE
    with pytest.raises(InvalidStateError):
        set_local_description(in_state(SignalingState.HAVE_REMOTE_PRANSWER), A)
    with pytest.raises(InvalidStateError):
        set_local_description(in_state(SignalingState.CLOSED), A)


def test_a_local_description_must_be_the_one_created() -> None:
    state, made = create_offer(start(), DATA, A)
    with pytest.raises(InvalidArgumentError, match="created last"):
        set_local_description(start(), A, description=made)
    munged = replace(made, sdp=made.sdp.adding(Attribute("x-own")))
    with pytest.raises(InvalidArgumentError, match="unchanged"):
        set_local_description(state, A, description=munged)
    again = Description.parse("offer", made.text)
    assert set_local_description(state, A, description=again).state.local == made


def test_a_side_without_a_fingerprint_can_not_describe_itself() -> None:
    with pytest.raises(InvalidArgumentError, match="fingerprint"):
        create_offer(start(), DATA, local(fingerprints=()))


# --- versions and renegotiation -------------------------------------------------------------------------------------


def version(state: NegotiationState) -> int:
    assert state.local is not None
    origin = state.local.sdp.origin
    assert origin.session_id == state.session_id
    return origin.session_version


def test_the_version_grows_with_the_content_only() -> None:
    state, first = create_offer(start(), DATA, A)
    state, second = create_offer(state, DATA, A)
    assert first == second
    state, _ = set_local_description(state, A, DATA)
    assert version(state) == 1
    state, again = create_offer(state, DATA, A)
    assert again.sdp == first.sdp, "the same content keeps its version"
    with_more = local("A", candidates=(host(),))
    state, more = create_offer(state, DATA, replace(with_more, sctp=SctpParameters(max_message_size=1)))
    assert more.sdp.origin.session_version == 2


def test_a_session_is_negotiated_again_in_both_directions_without_change() -> None:
    first, second = connected()
    assert (version(first), version(second)) == (1, 1)
    for turn in range(6):
        if turn % 2:
            first, second, one, two = exchange(first, second, A, B)
        else:
            second, first, two, one = exchange(second, first, B, A)
        assert first.mids == second.mids == ("0",)
        assert first.dtls_role is DtlsRole.SERVER and second.dtls_role is DtlsRole.CLIENT
        for plan in (one, two):
            (transport,) = plan.transports
            assert not transport.local_ice_restart and not transport.remote_ice_restart
            assert not transport.new_dtls_association
        assert one.transports[0].controlling and not two.transports[0].controlling, "roles stay without a restart"
    assert version(first) > 1


def test_a_rejected_data_section_keeps_its_place_and_may_be_taken_again() -> None:
    offerer, _ = set_local_description(start("A"), A, DATA)
    assert offerer.local is not None
    section = offerer.local.sdp.media[0]
    refusal = offerer.local.sdp.without("group").with_media(0, section.with_port(0))
    offerer, plan = set_remote_description(offerer, Description(type=SdpType.ANSWER, sdp=refusal))
    assert plan.transports == () and not plan.media[0].alive
    assert not negotiation_needed(offerer, DATA), "a peer that refuses data is not asked for ever"
    state, made = create_offer(offerer, Wishes(), A)
    assert [media.port for media in made.sdp.media] == [0] and made.sdp.bundles == ()
    state, made = create_offer(offerer, DATA, A)
    assert [(media.port, media.mid) for media in made.sdp.media] == [(9, "1")]
    state, _ = set_local_description(state, A, description=made)
    answerer, _ = set_remote_description(start("B"), over_the_wire(made))
    answerer, _ = set_local_description(answerer, B)
    _, plan = set_remote_description(state, over_the_wire(answerer.local))
    assert plan.data_transport is not None and plan.data_transport.id == "1"


def test_data_is_added_behind_the_sections_of_the_peer() -> None:
    audio = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    audio += "c=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n"
    state, _ = set_remote_description(start(), offer(audio))
    state, _ = set_local_description(state, A)
    state, plan = set_local_description(state, A, DATA)
    sdp = check_description(state.local)
    assert [(media.kind, media.mid, media.port) for media in sdp.media] == [("audio", "0", 0), ("application", "1", 9)]
    assert sdp.bundles == (("1",),) and plan.data_transport is not None


# --- ICE restart ----------------------------------------------------------------------------------------------------


def test_our_ice_restart_brings_new_credentials_and_asks_the_peer_for_its_own() -> None:
    first, second = connected()
    restart = Wishes(ice_restart=True)
    assert negotiation_needed(second, restart) and not negotiation_needed(start(), restart)
    second, plan = set_local_description(second, B, restart)
    (transport,) = plan.transports
    assert transport.local_ice_restart and transport.controlling, "whoever restarts controls"
    assert transport.local_ice is not None and B.next_ice is not None
    assert transport.local_ice.ufrag == B.next_ice.ufrag
    first, plan = set_remote_description(first, over_the_wire(second.local))
    assert plan.transports[0].remote_ice_restart and not plan.transports[0].controlling
    with pytest.raises(InvalidArgumentError, match="next_ice"):
        set_local_description(first, replace(A, next_ice=None))
    first, plan = set_local_description(first, A)
    assert plan.transports[0].local_ice_restart and plan.transports[0].remote_ice_restart
    second, plan = set_remote_description(second, over_the_wire(first.local))
    assert plan.transports[0].local_ice_restart and plan.transports[0].remote_ice_restart
    assert not plan.transports[0].new_dtls_association and second.dtls_role is DtlsRole.CLIENT


def test_credentials_that_were_renewed_before_the_offer_are_used() -> None:
    first, _ = connected()
    renewed = local("A", generation=1, next_ice=None)
    first, plan = set_local_description(first, renewed, Wishes(ice_restart=True))
    assert plan.transports[0].local_ice_restart
    assert plan.transports[0].local_ice is not None and plan.transports[0].local_ice.ufrag == renewed.ice.ufrag


def test_an_answer_to_a_restart_must_restart() -> None:
    first, second = connected()
    first, _ = set_local_description(first, A, Wishes(ice_restart=True))
    assert second.local is not None
    stale = Description(type=SdpType.ANSWER, sdp=second.local.sdp)
    with pytest.raises(NegotiationError, match="needs new ones"):
        set_remote_description(first, stale)


# --- rollback and glare ---------------------------------------------------------------------------------------------


def test_a_rollback_returns_to_what_was_stable() -> None:
    fresh = start()
    offered, _ = set_local_description(fresh, A, DATA)
    state, plan = rollback(offered)
    assert plan.rolled_back and plan.transports == ()
    assert replace(state, session_version=0) == fresh and state.session_version == 1
    again, _ = set_local_description(state, A, DATA)
    assert version(again) == 2, "a version is never used for two contents"
    first, _ = connected()
    changed, _ = set_local_description(first, A, Wishes(ice_restart=True))
    back, plan = set_local_description(changed, A, description=ROLLBACK)
    assert back.current_local == first.current_local and back.pending_local is None
    assert plan.transports[0].local_ice is not None and plan.transports[0].local_ice.ufrag == A.ice.ufrag
    received = in_state(SignalingState.HAVE_REMOTE_OFFER)
    assert set_remote_description(received, ROLLBACK).state.signaling_state is SignalingState.STABLE


def test_a_rollback_needs_a_pending_offer() -> None:
    for name in (
        SignalingState.STABLE,
        SignalingState.HAVE_LOCAL_PRANSWER,
        SignalingState.HAVE_REMOTE_PRANSWER,
        SignalingState.CLOSED,
    ):
        with pytest.raises(InvalidStateError, match="rollback"):
            rollback(in_state(name))


def test_crossing_offers_are_a_usage_error_unless_ours_may_be_taken_back() -> None:
    ours, _ = set_local_description(start("A"), A, DATA)
    theirs, _ = set_local_description(start("B"), B, DATA)
    with pytest.raises(InvalidStateError, match="roll back first"):
        set_remote_description(ours, over_the_wire(theirs.local))
    polite, plan = set_remote_description(ours, over_the_wire(theirs.local), implicit_rollback=True)
    assert plan.rolled_back and polite.signaling_state is SignalingState.HAVE_REMOTE_OFFER
    polite, _ = set_local_description(polite, A)
    theirs, plan = set_remote_description(theirs, over_the_wire(polite.local))
    assert plan.answered and plan.transports[0].controlling
    assert not set_local_description(polite, A, DATA).plan.transports[0].controlling


def test_a_replaced_offer_takes_the_place_of_the_pending_one() -> None:
    offered, _ = set_local_description(start("A"), A, DATA)
    received, _ = set_remote_description(start("B"), over_the_wire(offered.local))
    offered, _ = set_local_description(offered, local("A", sctp=SctpParameters(max_message_size=1)), DATA)
    received, plan = set_remote_description(received, over_the_wire(offered.local))
    assert version(offered) == 2
    assert plan.transports[0].sctp == SctpParameters(max_message_size=1)


# --- provisional answers --------------------------------------------------------------------------------------------


def test_a_provisional_answer_opens_the_way_and_the_final_one_settles_it() -> None:
    offered, _ = set_local_description(start("A"), A, DATA)
    received, _ = set_remote_description(start("B"), over_the_wire(offered.local))
    received, made = create_answer(received, B)
    received, plan = set_local_description(received, B, description=replace(made, type=SdpType.PRANSWER))
    assert received.signaling_state is SignalingState.HAVE_LOCAL_PRANSWER and plan.answered
    assert received.current_local is None and received.dtls_role is DtlsRole.CLIENT
    offered, plan = set_remote_description(offered, over_the_wire(received.local))
    assert offered.signaling_state is SignalingState.HAVE_REMOTE_PRANSWER and plan.answered
    assert plan.transports[0].remote_ice is not None
    received, _ = set_local_description(received, B)
    offered, plan = set_remote_description(offered, over_the_wire(received.local))
    assert offered.signaling_state is received.signaling_state is SignalingState.STABLE
    assert version(received) == 1 and offered.current_remote == received.current_local


def test_the_final_answer_keeps_the_dtls_roles_of_the_provisional_one() -> None:
    offered = in_state(SignalingState.HAVE_REMOTE_PRANSWER)
    assert offered.pending_remote is not None and offered.dtls_role is DtlsRole.SERVER
    sdp = offered.pending_remote.sdp
    turned = sdp.with_media(0, sdp.media[0].replacing("setup", Attribute("setup", "passive")))
    with pytest.raises(NegotiationError, match="turn the DTLS roles"):
        set_remote_description(offered, Description(type=SdpType.ANSWER, sdp=turned))
    assert set_remote_description(offered, Description(type=SdpType.ANSWER, sdp=sdp)).plan.answered


# --- roles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(True, False), (False, True), (True, True), (False, False)],
    ids=["peer lite", "we lite", "both lite", "none lite"],
)
@pytest.mark.parametrize("we_offer", [True, False])
def test_a_full_agent_controls_a_lite_one(theirs: bool, ours: bool, we_offer: bool) -> None:
    us, them = start("A", NegotiationConfig(ice_lite=ours)), start("B", NegotiationConfig(ice_lite=theirs))
    plan = exchange(us, them, A, B)[2] if we_offer else exchange(them, us, B, A)[3]
    assert plan.transports[0].controlling is (theirs if ours != theirs else we_offer)


def test_the_peer_may_not_turn_the_dtls_roles_around() -> None:
    first, second = connected()
    second, made = create_offer(second, DATA, B)
    turned = made.sdp.with_media(0, made.sdp.media[0].replacing("setup", Attribute("setup", "passive")))
    with pytest.raises(NegotiationError, match="turn the DTLS roles"):
        set_remote_description(first, Description(type=SdpType.OFFER, sdp=turned))
    renewed = local("B", fingerprints=A.fingerprints)
    _, made = create_offer(second, DATA, renewed)
    turned = made.sdp.with_media(0, made.sdp.media[0].replacing("setup", Attribute("setup", "passive")))
    first, plan = set_remote_description(first, Description(type=SdpType.OFFER, sdp=turned))
    assert plan.transports[0].new_dtls_association, "another certificate is another association"
    first, _ = set_local_description(first, A)
    assert first.dtls_role is DtlsRole.CLIENT


def test_an_answer_that_turns_the_roles_of_an_association_in_use_changes_nothing() -> None:
    first, second = connected()
    role = first.dtls_role
    first, made = create_offer(first, DATA, A)
    first, _ = set_local_description(first, A, DATA, made)
    second, _ = set_remote_description(second, over_the_wire(made))
    _, answer = create_answer(second, B)
    setup = answer.sdp.media[0].setup
    other = "active" if setup == "passive" else "passive"
    turned = answer.sdp.with_media(0, answer.sdp.media[0].replacing("setup", Attribute("setup", other)))
    first, plan = set_remote_description(first, Description(type=SdpType.ANSWER, sdp=turned))
    assert first.dtls_role is role and plan.transports[0].dtls_role is role


def test_a_tls_id_is_written_to_a_peer_that_knows_it() -> None:
    named = local("A", tls_id="x" * 20)
    offerer, _ = set_local_description(start("A"), named, DATA)
    assert check_description(offerer.local).media[0].tls_id == "x" * 20
    answerer, _ = set_remote_description(start("B"), over_the_wire(offerer.local))
    answerer, plan = set_local_description(answerer, local("B", tls_id="y" * 20))
    assert plan.transports[0].remote_tls_id == "x" * 20
    assert check_description(answerer.local).media[0].tls_id == "y" * 20
    plain, _ = set_local_description(start("A"), A, DATA)
    answerer, _ = set_remote_description(start("B"), over_the_wire(plain.local))
    answerer, _ = set_local_description(answerer, local("B", tls_id="y" * 20))
    assert check_description(answerer.local).media[0].tls_id is None


# --- negotiation needed ---------------------------------------------------------------------------------------------


def test_an_offer_is_needed_for_what_is_not_negotiated() -> None:
    assert not negotiation_needed(start(), Wishes())
    assert negotiation_needed(start(), DATA)
    offered, _ = set_local_description(start(), A, DATA)
    assert not negotiation_needed(offered, DATA), "asked again when stable"
    for state in connected():
        assert not negotiation_needed(state, DATA)
        assert negotiation_needed(state, Wishes(ice_restart=True))
    assert not negotiation_needed(close(connected()[0]), Wishes(ice_restart=True))


def test_a_closed_session_keeps_its_descriptions() -> None:
    first, _ = connected()
    closed = close(first)
    assert closed.current_local == first.current_local
    assert closed.signaling_state is SignalingState.CLOSED
