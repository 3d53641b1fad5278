"""Media in the descriptions of real programs: what we answer, and what both sides of a recorded call amount to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support import vectors
from webrtc_stack.base import Fingerprint
from webrtc_stack.errors import ProtocolError
from webrtc_stack.peer.config import BundlePolicy
from webrtc_stack.peer.negotiation import (
    Description,
    NegotiationConfig,
    NegotiationState,
    Plan,
    RtpPlan,
    SdpType,
    SignalingState,
    Wishes,
    add_transceiver,
    negotiation_needed,
    set_local_description,
    set_remote_description,
)
from webrtc_stack.peer.parameters import Encoding
from webrtc_stack.sdp import Direction, SessionDescription

from .odd_offers import MEDIA, ODD_OFFERS
from .support import (
    DATA,
    SDP,
    answer,
    check_answer_fits,
    check_description,
    exchange,
    local,
    offer,
    over_the_wire,
    sdp_file,
    start,
)

A, B = local("A"), local("B")
SESSIONS = sorted(path.name.removesuffix(".offer.sdp") for path in SDP.glob("browsers/sessions/*.offer.sdp"))
OFFERS = sorted(
    str(path.relative_to(SDP))
    for pattern in ("browsers/*_offer_*.sdp", "browsers/sessions/*.offer.sdp", "peers/*_offer.sdp")
    for path in SDP.glob(pattern)
)
TEXTS = {
    f"{name}:{case['id']}": case["sdp"]
    for name in ("sdp_jsep", "sdp_aiortc", "sdp_transform")
    for case in vectors.cases(f"sdp/{name}.json")
    if "sdp" in case
}
# What the texts of others come to as first offers: the kinds of the living sections, or the words of the refusal.
OUTCOMES = {
    "sdp_aiortc:test_audio_chrome": ["audio"],
    "sdp_aiortc:test_audio_firefox": ["audio"],
    "sdp_aiortc:test_audio_freeswitch": ["audio"],
    "sdp_aiortc:test_audio_dtls_session_level": ["audio"],
    "sdp_aiortc:test_audio_ice_lite": ["audio"],
    "sdp_aiortc:test_audio_ice_session_level_credentials": ["audio"],
    "sdp_aiortc:test_datachannel_firefox": ["application"],
    "sdp_aiortc:test_datachannel_firefox_63": ["application"],
    "sdp_aiortc:test_safari": ["audio", "video", "application"],
    "sdp_aiortc:test_video_chrome": ["video"],
    "sdp_aiortc:test_video_firefox": ["video"],
    "sdp_aiortc:test_video_session_star_rtcp_fb": ["video"],
    "sdp_jsep:offer-A1": ["audio", "video"],
    "sdp_jsep:offer-B1": ["audio", "application"],
    "sdp_jsep:offer-B2": ["audio", "application", "video", "video"],
    "sdp_jsep:offer-C1": ["audio", "video"],
    "sdp_jsep:offer-C2": ["audio", "video"],
}


def rtp_of(plan: Plan) -> dict[str, RtpPlan]:
    return {media.mid: media.rtp for media in plan.media if media.rtp is not None}


def having_offered(text: str) -> NegotiationState:
    """A state in which a recorded text is our own offer, with the transceivers that would have made it."""
    made = offer(text)
    state = stable = start("A")
    mids = tuple(media.mid or str(index) for index, media in enumerate(made.sdp.media))
    for index, media in enumerate(made.sdp.media):
        if media.kind in ("audio", "video"):
            rids = [one.id for one in media.rids if one.direction == "send"]
            state = add_transceiver(
                state,
                media.kind,
                direction=made.sdp.direction_of(media),
                encodings=[Encoding(rid=rid) for rid in rids] or [Encoding()],
            )
            associated = replace(state.transceivers[-1], mid=mids[index], index=index)
            state = replace(state, transceivers=(*state.transceivers[:-1], associated))
    return replace(
        state,
        signaling_state=SignalingState.HAVE_LOCAL_OFFER,
        pending_local=made,
        mids=mids,
        controlling=True,
        fallback=replace(stable, next_handle=state.next_handle),
    )


def having_answered(offered: str, answered: str) -> Plan:
    """The plan of one who answered a recorded offer by a recorded answer."""
    state, _ = set_remote_description(start("B"), offer(offered))
    made = answer(answered)
    for one in state.transceivers:
        assert one.index is not None
        layers = [rid.id for rid in made.sdp.media[one.index].rids if rid.direction == "send"]
        assert not layers
    state = replace(state, created_answer=Description(type=SdpType.ANSWER, sdp=made.sdp))
    return set_local_description(state, B, description=made).plan


@pytest.mark.parametrize("name", SESSIONS)
def test_both_sides_of_a_recorded_call_amount_to_the_same(name: str) -> None:
    offered, answered = (sdp_file(f"browsers/sessions/{name}.{kind}.sdp") for kind in ("offer", "answer"))
    _, offering = set_remote_description(having_offered(offered), answer(answered))
    answering = having_answered(offered, answered)
    mine, theirs = rtp_of(offering), rtp_of(answering)
    assert mine.keys() == theirs.keys() and mine
    assert [media.alive for media in offering.media] == [media.alive for media in answering.media]
    for mid, ours in mine.items():
        other = theirs[mid]
        assert ours.direction is other.direction.reversed and ours.direction is not Direction.INACTIVE
        for one, two in ((ours, other), (other, ours)):
            sent = {(codec.payload_type, codec.codec.mime_type.lower()) for codec in one.send_codecs}
            assert sent == {(codec.payload_type, codec.codec.mime_type.lower()) for codec in two.receive_codecs}
            assert one.send_codecs[0].codec.name in ("opus", "VP8")
            assert one.send_extensions == two.receive_extensions
            assert {codec.payload_type: codec.rtx_payload_type for codec in one.send_codecs} == {
                codec.payload_type: codec.rtx_payload_type for codec in two.receive_codecs
            }
            if one.direction in (Direction.SENDRECV, Direction.RECVONLY) and not one.receive_rids:
                assert len(one.remote_sources) == 1
                assert (one.remote_sources[0].rtx_ssrc is not None) == (one.send_codecs[0].codec.name == "VP8")
        assert (ours.reduced_size, ours.allow_mixed) == (other.reduced_size, other.allow_mixed)
        layered = ("h", "m", "l") if "simulcast" in name else ()
        assert ours.send_rids == other.receive_rids == layered


@pytest.mark.parametrize("name", OFFERS)
def test_an_offer_of_a_real_program_is_answered_with_tracks_of_ours(name: str) -> None:
    text = sdp_file(name)
    offered = SessionDescription.parse(text)
    state = start("B")
    for media in offered.media:
        if media.kind != "application":
            state = add_transceiver(state, media.kind, stream_ids=("mine",), made_by_add_track=True, has_track=True)
    state, heard = set_remote_description(state, offer(text))
    state, plan = set_local_description(state, B)
    sdp = check_description(state.local)
    check_answer_fits(offered, sdp)
    assert all((change.added and change.stream_ids) or change.track_id for change in heard.tracks)
    for one, section in zip(plan.media, offered.media, strict=True):
        if one.rtp is None:
            continue
        assert one.rtp.direction is offered.direction_of(section).reversed, "our tracks take all that is offered"
        assert one.rtp.send_codecs[0].codec.name.lower() in ("opus", "vp8")
        if one.rtp.direction in (Direction.SENDRECV, Direction.RECVONLY):
            assert one.rtp.remote_sources or one.rtp.receive_rids
    again, _ = set_remote_description(state, offer(text))
    again, plan = set_local_description(again, B)
    assert plan.created_transceivers == plan.stopped_transceivers == () == plan.tracks
    assert not negotiation_needed(again, Wishes()) or len(again.transceivers) > len(rtp_of(plan))


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_text_as_an_offer_is_answered_or_refused(name: str) -> None:
    before = start("B")
    try:
        state, _ = set_remote_description(before, offer(TEXTS[name]))
    except ProtocolError:
        assert name not in OUTCOMES
        return
    state, plan = set_local_description(state, B)
    sdp = check_description(state.local)
    check_answer_fits(offer(TEXTS[name]).sdp, sdp)
    alive = [media.kind for media in plan.media if media.alive]
    if name in OUTCOMES:
        assert alive == OUTCOMES[name]


@pytest.mark.parametrize("policy", list(BundlePolicy))
@pytest.mark.parametrize("wishes", [DATA, Wishes()], ids=["data", "no data"])
def test_our_own_offers_are_answered_by_ourselves_under_every_policy(policy: BundlePolicy, wishes: Wishes) -> None:
    a = start("A", NegotiationConfig(bundle_policy=policy))
    for kind in ("audio", "video", "video"):
        a = add_transceiver(a, kind, stream_ids=("s",))
    a, _ = set_local_description(a, A, wishes)
    sdp = check_description(a.local)
    alone = [not media.bundle_only for media in sdp.media]
    assert alone == [True] + [policy is not BundlePolicy.MAX_BUNDLE] * (len(alone) - 1)
    b, plan = set_remote_description(start("B"), over_the_wire(a.local))
    assert plan.main_transport is not None and plan.main_transport.remote_ice is not None
    b, _ = set_local_description(b, B)
    a, plan = set_remote_description(a, over_the_wire(b.local))
    assert all(media.alive for media in plan.media) and len(plan.transports) == 1
    a = add_transceiver(a, "audio")
    a, b, plan, _ = exchange(a, b, A, B, wishes)
    assert all(media.alive for media in plan.media) and not plan.transports[0].local_ice_restart
    assert a.current_local is not None
    fresh = a.current_local.sdp.media[-1]
    assert fresh.bundle_only is (policy is BundlePolicy.MAX_BUNDLE)
    assert not any(media.bundle_only for media in a.current_local.sdp.media[:-1])


def test_the_odd_offers_of_media_tell_their_directions_and_codecs() -> None:
    for name in ("bundle-only", "SAVP profile", "TCP/TLS profile"):
        state, _ = set_remote_description(start("B"), offer(ODD_OFFERS[name]))
        state, plan = set_local_description(state, B)
        found = rtp_of(plan)
        assert set(found) == {"0", "1"} and all(one.direction is Direction.RECVONLY for one in found.values())
        check_answer_fits(offer(ODD_OFFERS[name]).sdp, check_description(state.local))


def test_a_media_offer_changes_its_certificate_by_a_new_association() -> None:
    state, _ = set_remote_description(start("B"), offer(MEDIA))
    state, _ = set_local_description(state, B)
    digest = Fingerprint(algorithm="sha-256", digest=bytes(32))
    text = MEDIA.replace("22:2D:C3:14", "22:2D:C3:15")
    _, plan = set_remote_description(state, offer(text))
    assert plan.transports[0].new_dtls_association and digest not in plan.transports[0].remote_fingerprints
