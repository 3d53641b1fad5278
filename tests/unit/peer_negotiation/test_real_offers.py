"""Offers and answers of real programs: what we answer, what we refuse, and what the transports are told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.support import vectors
from webrtc_stack.base import Candidate, SctpParameters
from webrtc_stack.errors import NegotiationError
from webrtc_stack.peer.negotiation import (
    Description,
    DtlsRole,
    NegotiationState,
    Plan,
    SignalingState,
    TrickledCandidate,
    add_remote_candidate,
    set_local_description,
    set_remote_description,
)
from webrtc_stack.sdp import SessionDescription

from .odd_offers import ODD_OFFERS
from .support import SDP, answer, check_answer_fits, check_description, local, offer, sdp_file, start

OFFERS = sorted(
    str(path.relative_to(SDP))
    for pattern in ("browsers/*_offer_*.sdp", "browsers/sessions/*.offer.sdp", "peers/*_offer.sdp")
    for path in SDP.glob(pattern)
)
SESSIONS = sorted(path.name.removesuffix(".offer.sdp") for path in SDP.glob("browsers/sessions/*.offer.sdp"))
JSEP = {case["id"]: case for case in vectors.cases("sdp/sdp_jsep.json")}


def having_offered(text: str) -> NegotiationState:
    """A state in which `text` is our own offer, as if we had made it."""
    made = offer(text)
    mids = tuple(media.mid or str(index) for index, media in enumerate(made.sdp.media))
    state = start()
    return replace(
        state,
        signaling_state=SignalingState.HAVE_LOCAL_OFFER,
        pending_local=made,
        mids=mids,
        controlling=True,
        fallback=state,
    )


def answered(text: str) -> tuple[NegotiationState, Plan, SessionDescription]:
    state, _ = set_remote_description(start(), offer(text))
    state, plan = set_local_description(state, local())
    sdp = check_description(state.local)
    check_answer_fits(SessionDescription.parse(text), sdp)
    return state, plan, sdp


@pytest.mark.parametrize("name", OFFERS)
def test_every_offer_of_a_real_program_gets_a_valid_answer(name: str) -> None:
    text = sdp_file(name)
    state, plan, sdp = answered(text)
    assert state.signaling_state is SignalingState.STABLE
    offered = SessionDescription.parse(text)
    served = {index for index, media in enumerate(offered.media) if media.kind == "application" or media.rtcp_mux}
    assert [media.alive for media in plan.media] == [index in served for index in range(len(offered.media))]
    transport = plan.main_transport
    assert transport is not None and plan.transports == (transport,)
    assert transport.mids == offered.bundles[0]
    assert transport.dtls_role is DtlsRole.CLIENT and not transport.controlling
    tagged = offered.media[0]
    assert transport.remote_ice == offered.ice_parameters(tagged)
    assert transport.remote_fingerprints and transport.remote_candidates
    assert all(candidate.component == 1 for candidate in transport.remote_candidates)
    assert all(media.setup == "active" for media in sdp.media)
    data = any(media.kind == "application" for media in offered.media)
    assert (plan.data_transport is not None) == (transport.sctp is not None) == data


@pytest.mark.parametrize("name", SESSIONS)
def test_every_answer_of_a_real_program_fits_its_offer(name: str) -> None:
    state = having_offered(sdp_file(f"browsers/sessions/{name}.offer.sdp"))
    state, plan = set_remote_description(state, answer(sdp_file(f"browsers/sessions/{name}.answer.sdp")))
    assert state.signaling_state is SignalingState.STABLE and plan.answered
    (transport,) = plan.transports
    assert all(media.alive and media.transport == transport.id for media in plan.media)
    assert transport.controlling and transport.dtls_role is DtlsRole.SERVER
    assert transport.remote_candidates


@pytest.mark.parametrize("peer", ["chromium", "firefox", "aiortc"])
def test_answers_of_janus_are_read(peer: str) -> None:
    text = sdp_file(f"peers/janus_answer_to_{peer}.sdp")
    parsed = SessionDescription.parse(text)
    offered = text.replace("setup:active", "setup:actpass")
    _, plan = set_remote_description(having_offered(offered), answer(text))
    assert [media.alive for media in plan.media] == [True] * len(parsed.media)
    assert plan.transports[0].sctp == SctpParameters()


def test_the_sessions_of_the_standard_run_from_the_answering_side() -> None:
    for session in ("A1", "B1", "C1"):
        _, plan, _ = answered(JSEP[f"offer-{session}"]["sdp"])
        assert all(media.alive for media in plan.media)
    _, plan, _ = answered(JSEP["offer-B1"]["sdp"])
    transport = plan.data_transport
    assert transport is not None and transport.remote_ice is not None
    assert transport.remote_ice.ufrag == "ATEn", "a bundle-only section takes its ICE from the first of its group"


@pytest.mark.parametrize(("first", "second"), [("B1", "B2"), ("C1", "C2")])
def test_the_sessions_of_the_standard_run_from_the_offering_side(first: str, second: str) -> None:
    state = having_offered(JSEP[f"offer-{first}"]["sdp"])
    state, plan = set_remote_description(state, answer(JSEP[f"answer-{first}"]["sdp"]))
    assert state.dtls_role is DtlsRole.SERVER
    (transport,) = plan.transports
    assert all(media.transport == transport.id for media in plan.media)
    for name, case in JSEP.items():
        if name.startswith(f"answer-{first}-candidate"):
            given = case["candidate"]
            trickled = TrickledCandidate.parse(
                given["candidate"], mid=given["sdpMid"], index=given["sdpMLineIndex"], ufrag=given["usernameFragment"]
            )
            added = add_remote_candidate(state, trickled)
            assert added.transports == (transport.id,) and added.candidate == Candidate.parse(given["candidate"])
            state = added.state
    state, plan = set_remote_description(state, offer(JSEP[f"offer-{second}"]["sdp"]))
    assert not any(transport.remote_ice_restart or transport.new_dtls_association for transport in plan.transports)
    state, _ = set_local_description(state, local())
    sdp = check_description(state.local)
    setups = {media.setup for media in sdp.media if media.port}
    assert setups == {"passive"}, "the DTLS roles stay as they are"


def test_the_first_session_of_the_standard_is_answered_without_sections_dropped() -> None:
    state = having_offered(JSEP["offer-A1"]["sdp"])
    state, plan = set_remote_description(state, answer(JSEP["answer-A1"]["sdp"]))
    assert [transport.mids for transport in plan.transports] == [("a1", "v1")]
    assert plan.transports[0].remote_end_of_candidates


# What we do with each odd offer: an answer's `setup`, or the words of the refusal.
VERDICTS = {
    "actpass": "active",
    "active": "passive",
    "passive": "active",
    "no setup": "active",  # Chromium takes it, Firefox does not
    "holdconn": "holdconn; allowed are actpass, active and passive",
    "no max-message-size": "active",
    "max-message-size:0": "active",
    "max 100000": "active",
    "old sctpmap": "active",
    "no fingerprint": "has no fingerprint",
    "sha-1 fingerprint": "fingerprints by sha-1 only; allowed are sha-256",  # both browsers take it
    "sha-512 fp": "active",
    "two fps": "active",
    "no ufrag": "has no ice-ufrag",
    "short ufrag": "allowed are 4 to 256",
    "LF only": "active",
    "no mid": "active",
    "no rtcp-mux": "active",  # both browsers refuse it all; here the sections that lack it are rejected alone
    "no bundle": "active",
    "no ice-options": "active",
    "ice-lite": "active",
    "ice2": "active",
    "bundle-only": "active",
    "m=video 0 rejected": "active",
    "SAVP profile": "active",
    "TCP/TLS profile": "active",  # Firefox cannot parse it
    "TCP/DTLS/SCTP": "active",
    "DTLS/SCTP 5000 w sctp-port": "active",  # Firefox cannot parse it
    "mid long": "active",  # both browsers refuse it for the sake of RTP; data does not mind
    "unknown attrs": "active",
    "m=text unknown": "active",  # Firefox cannot parse it
}


# What lives of the odd offers that have audio, video and data.
ALIVE = {
    "no mid": ["application"],  # without mids nothing is bundled; there is one transport, and data has it
    "no rtcp-mux": ["application"],
    "no bundle": ["application"],
    "bundle-only": ["audio", "video", "application"],
    "m=video 0 rejected": ["audio", "application"],
    "SAVP profile": ["audio", "video", "application"],
    "TCP/TLS profile": ["audio", "video", "application"],
}


def test_every_odd_offer_has_a_verdict() -> None:
    recorded = json.loads(sdp_file("browsers/answers_to_odd_offers.json"))
    assert set(recorded) == set(VERDICTS) == set(ODD_OFFERS)


@pytest.mark.parametrize("name", VERDICTS)
def test_an_odd_offer_is_answered_or_refused_with_a_reason(name: str) -> None:
    verdict = VERDICTS[name]
    if verdict not in ("active", "passive"):
        with pytest.raises(NegotiationError, match=verdict):
            set_remote_description(start(), offer(ODD_OFFERS[name]))
        return
    _, plan, sdp = answered(ODD_OFFERS[name])
    assert {media.setup for media in sdp.media if media.port} == {verdict}
    transport = plan.data_transport
    assert transport is not None
    assert transport.dtls_role is (DtlsRole.CLIENT if verdict == "active" else DtlsRole.SERVER)
    alive = [media.kind for media in plan.media if media.alive]
    assert alive == ALIVE.get(name, ["application"])


@pytest.mark.parametrize(
    ("name", "sizes"), [("no max-message-size", 65536), ("max-message-size:0", 0), ("max 100000", 100000)]
)
def test_the_message_limit_of_an_odd_offer_reaches_the_plan(name: str, sizes: int) -> None:
    _, plan, _ = answered(ODD_OFFERS[name])
    assert plan.data_transport is not None
    assert plan.data_transport.sctp == SctpParameters(port=5000, max_message_size=sizes)


def test_the_old_form_is_answered_in_the_old_form() -> None:
    _, plan, sdp = answered(ODD_OFFERS["old sctpmap"])
    (data,) = sdp.media
    assert (data.protocol, data.formats) == ("DTLS/SCTP", ("5000",))
    assert data.text("sctpmap") == "5000 webrtc-datachannel 65535" and not data.has("sctp-port")
    assert plan.data_transport is not None and plan.data_transport.sctp == SctpParameters()


def test_a_lite_peer_is_controlled_by_us() -> None:
    _, plan, _ = answered(ODD_OFFERS["ice-lite"])
    assert plan.data_transport is not None and plan.data_transport.controlling


def test_an_offer_without_mids_is_answered_without_them_and_still_addressable() -> None:
    state, plan, sdp = answered(ODD_OFFERS["no mid"])
    assert state.mids == ("0", "1", "2") and plan.data_transport is not None and plan.data_transport.id == "2"
    assert [media.mid for media in sdp.media] == [None] * 3 and sdp.bundles == ()
    added = add_remote_candidate(state, TrickledCandidate.parse("candidate:1 1 udp 5 192.0.2.9 7 typ host", index=2))
    assert added.transports == ("2",)


def test_all_usable_fingerprints_reach_the_plan() -> None:
    _, plan, _ = answered(ODD_OFFERS["two fps"])
    assert plan.data_transport is not None
    assert [one.algorithm for one in plan.data_transport.remote_fingerprints] == ["sha-256", "sha-512"]


def test_an_offer_that_puts_all_on_the_session_level_is_enough() -> None:
    fingerprint = "sha-256 " + ":".join(["AB"] * 32)
    text = (
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
        f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=fingerprint:{fingerprint}\r\na=setup:active\r\n"
        "a=end-of-candidates\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\n"
    )
    _, plan, sdp = answered(text)
    transport = plan.data_transport
    assert transport is not None and transport.dtls_role is DtlsRole.SERVER and transport.remote_end_of_candidates
    assert transport.remote_ice is not None and transport.remote_ice.ufrag == "abcd"
    assert sdp.bundles == () and transport.sctp == SctpParameters()


def test_only_the_first_data_section_is_served() -> None:
    section = ODD_OFFERS["actpass"].split("m=", 1)[1].replace("a=mid:0", "a=mid:1")
    _, plan, sdp = answered(ODD_OFFERS["actpass"].replace("BUNDLE 0", "BUNDLE 0 1") + "m=" + section)
    assert [media.alive for media in plan.media] == [True, False]
    assert sdp.bundles == (("0",),)


def test_a_max_bundle_offer_names_its_candidates_in_its_first_section() -> None:
    _, plan, _ = answered(sdp_file("browsers/chromium_offer_max_bundle.sdp"))
    assert plan.data_transport is not None and len(plan.data_transport.remote_candidates) == 4
    state, plan, _ = answered(
        "\r\n".join(
            line
            for line in sdp_file("browsers/chromium_offer_max_bundle.sdp").split("\r\n")
            if not line.startswith("a=candidate")
        )
    )
    assert plan.data_transport is not None and plan.data_transport.remote_candidates == ()
    trickled = TrickledCandidate.parse("candidate:1 1 udp 5 192.0.2.9 7 typ host ufrag y+wo", mid="0", index=0)
    assert add_remote_candidate(state, trickled).transports == ("0",)


def test_a_description_names_its_type() -> None:
    assert Description.parse("rollback", "").sdp.media == ()
    with pytest.raises(ValueError, match="unknown type"):
        Description.parse("proposal", "")
