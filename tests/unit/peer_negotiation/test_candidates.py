"""Candidates: ours into a description, the peer's taken in."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from webrtc_stack.base import CandidateType
from webrtc_stack.errors import InvalidArgumentError, InvalidStateError, NegotiationError
from webrtc_stack.peer.negotiation import (
    NegotiationConfig,
    NegotiationState,
    TrickledCandidate,
    Wishes,
    add_remote_candidate,
    close,
    default_destination,
    set_local_description,
    set_remote_description,
    with_candidates,
)
from webrtc_stack.sdp import SessionDescription

from .odd_offers import PLAIN
from .support import DATA, check_description, exchange, host, local, offer, over_the_wire, start

LINE = "candidate:1 1 udp 5 192.0.2.9 7 typ host"


def answering(config: NegotiationConfig | None = None) -> NegotiationState:
    state, _ = set_remote_description(start("B", config), offer(PLAIN))
    return set_local_description(state, local("B")).state


def described(state: NegotiationState, **changes: object) -> SessionDescription:
    assert state.local is not None
    return with_candidates(state.local.sdp, replace(local("A"), **changes))  # type: ignore[arg-type]


def test_a_description_shows_what_has_been_gathered_so_far() -> None:
    state, _ = set_local_description(start(), local("A"), DATA)
    before = described(state)
    assert (before.media[0].port, before.media[0].field("c")) == (9, "IN IP4 0.0.0.0")
    assert before.media[0].candidates == () and not before.media[0].end_of_candidates
    some = described(state, candidates=(host(1), host(2)))
    assert some.media[0].candidates == (host(1), host(2)) and not some.media[0].end_of_candidates
    assert (some.media[0].port, some.media[0].field("c")) == (5001, "IN IP4 192.0.2.1")
    whole = described(state, candidates=(host(1), host(2)), gathering_complete=True)
    assert whole.media[0].end_of_candidates and whole.origin == before.origin
    assert SessionDescription.parse(whole.serialize()) == whole
    assert with_candidates(whole, local("A", candidates=(host(1), host(2)), gathering_complete=True)) == whole


def test_candidates_of_one_generation_stay_out_of_another() -> None:
    first, _, _, _ = exchange(start("A"), start("B"), local("A"), local("B"))
    first, _ = set_local_description(first, local("A"), Wishes(ice_restart=True))
    assert first.local is not None and first.current_local is not None
    old = local("A", candidates=(host(1),), gathering_complete=True)
    assert with_candidates(first.local.sdp, old) == first.local.sdp
    assert with_candidates(first.current_local.sdp, old).media[0].candidates == (host(1),)
    new = local("A", generation=1, candidates=(host(2),))
    assert with_candidates(first.local.sdp, new).media[0].candidates == (host(2),)


def test_a_dead_section_gets_no_candidates() -> None:
    state, _ = set_remote_description(start(), offer(PLAIN + "m=text 9 X 0\r\na=mid:t\r\n"))
    state, _ = set_local_description(state, local("A"))
    sdp = described(state, candidates=(host(1),), gathering_complete=True)
    assert sdp.media[0].candidates and not sdp.media[1].candidates and sdp.media[1].port == 0


def test_the_default_destination_is_the_one_most_likely_to_work() -> None:
    reflexive = host(3, type=CandidateType.SRFLX, host="203.0.113.3")
    relayed = host(4, type=CandidateType.RELAY, host="198.51.100.4")
    v6 = host(5, host="2001:db8::5", priority=2**31)
    named = host(6, host="8e4bdbe8-4e4c-4f9c.local")
    stream = host(7, transport="tcp")
    for candidates, address, port in (
        ((host(1), reflexive, relayed), "IN IP4 198.51.100.4", 5004),
        ((host(1), reflexive), "IN IP4 203.0.113.3", 5003),
        ((v6, host(1)), "IN IP4 192.0.2.1", 5001),
        ((v6,), "IN IP6 2001:db8::5", 5005),
        ((named, stream), "IN IP4 0.0.0.0", 9),
        ((), "IN IP4 0.0.0.0", 9),
    ):
        connection, found = default_destination(candidates)
        assert (connection.serialize(), found) == (address, port)


def test_an_offer_made_late_has_its_candidates_in_it_and_a_version_of_its_own() -> None:
    first, second, _, _ = exchange(start("A"), start("B"), local("A"), local("B"))
    ready = local("A", candidates=(host(1),), gathering_complete=True)
    first, _ = set_local_description(first, ready, DATA)
    assert first.local is not None
    vanilla = replace(first.local, sdp=with_candidates(first.local.sdp, ready))
    second, plan = set_remote_description(second, over_the_wire(vanilla))
    assert plan.transports[0].remote_candidates == (host(1),) and plan.transports[0].remote_end_of_candidates
    check_description(first.local)


def test_a_trickled_candidate_reaches_its_transport_and_the_description() -> None:
    state = answering()
    added = add_remote_candidate(state, TrickledCandidate.parse(LINE, mid="0", index=0, ufrag="dsN7"))
    assert added.transports == ("0",) and added.candidate is not None and not added.ignored
    assert added.state.remote is not None
    assert added.candidate in added.state.remote.sdp.media[0].candidates
    again = add_remote_candidate(added.state, TrickledCandidate.parse("a=" + LINE, index=0))
    assert again.state == added.state, "the same one is noted once"


@pytest.mark.parametrize("text", ["", "  ", None])
def test_an_empty_candidate_is_the_end_of_them(text: str | None) -> None:
    added = add_remote_candidate(answering(), TrickledCandidate.parse(text, mid="0"))
    assert added.candidate is None and added.transports == ("0",)
    assert added.state.remote is not None and added.state.remote.sdp.media[0].end_of_candidates
    added = add_remote_candidate(answering(), TrickledCandidate.parse(text))
    assert added.candidate is None and added.transports == ("0",)
    assert added.state.remote is not None and added.state.remote.sdp.media[0].end_of_candidates


def test_component_two_is_ignored_with_a_reason() -> None:
    added = add_remote_candidate(answering(), TrickledCandidate.parse(LINE.replace("1 1 udp", "1 2 UDP"), mid="0"))
    assert added.transports == () and "component 2" in added.ignored


def test_a_candidate_that_belongs_nowhere_is_refused() -> None:
    state = answering()
    with pytest.raises(NegotiationError, match="no section has the mid 'x'"):
        add_remote_candidate(state, TrickledCandidate.parse(LINE, mid="x", index=0))
    with pytest.raises(NegotiationError, match="names section 3; there are 1"):
        add_remote_candidate(state, TrickledCandidate.parse(LINE, index=3))
    with pytest.raises(NegotiationError, match="is of ufrag 'zzzz'"):
        add_remote_candidate(state, TrickledCandidate.parse(LINE + " ufrag zzzz", mid="0"))
    with pytest.raises(InvalidArgumentError, match="mid or its section index"):
        add_remote_candidate(state, TrickledCandidate.parse(LINE))
    with pytest.raises(InvalidStateError, match="before a remote description"):
        add_remote_candidate(start(), TrickledCandidate.parse(LINE, mid="0"))
    with pytest.raises(InvalidStateError, match="after close"):
        add_remote_candidate(close(state), TrickledCandidate.parse(LINE, mid="0"))


def test_a_candidate_of_the_generation_before_a_restart_is_ignored() -> None:
    first, second, _, _ = exchange(start("A"), start("B"), local("A"), local("B"))
    second, _ = set_local_description(second, local("B"), Wishes(ice_restart=True))
    first, _ = set_remote_description(first, over_the_wire(second.local))
    added = add_remote_candidate(first, TrickledCandidate.parse(LINE, mid="0", ufrag=local("B").ice.ufrag))
    assert added.transports == () and "before the ICE restart" in added.ignored


@pytest.mark.parametrize("count", [10_000, pytest.param(150_000, marks=pytest.mark.slow)])
def test_endless_candidates_leave_the_state_at_its_limit(count: int) -> None:
    state = answering(NegotiationConfig(max_remote_candidates=50))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    taken = 0
    for number in range(count):
        line = f"candidate:1 1 udp {number} 192.0.2.9 7 typ host"
        state, transports, _, _ = add_remote_candidate(state, TrickledCandidate.parse(line, mid="0"))
        taken += bool(transports)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken == 46, "the offer has four of its own"
    assert grown < 1 << 20


def test_a_description_with_endless_candidates_is_cut_to_the_limit() -> None:
    lines = "".join(f"a=candidate:1 1 udp 5 192.0.2.9 {port} typ host\r\n" for port in range(5000))
    _, plan = set_remote_description(start(), offer(PLAIN + lines))
    assert len(plan.transports[0].remote_candidates) == NegotiationConfig().max_remote_candidates
