"""Simulcast layers in both directions, over renegotiation, and with peers that decline."""

from __future__ import annotations

import re

import pytest

from webrtc_stack.peer.negotiation import (
    NegotiationConfig,
    NegotiationState,
    Plan,
    RtpPlan,
    Wishes,
    add_transceiver,
    create_offer,
    set_local_description,
    set_remote_description,
    update_transceiver,
)
from webrtc_stack.peer.parameters import Encoding
from webrtc_stack.sdp import Direction, MediaDescription, SessionDescription

from .support import answer, check_answer_fits, check_description, local, offer, over_the_wire, sdp_file, start

A, B = local("A"), local("B")
NOTHING = Wishes()
LAYERS = tuple(Encoding(rid=rid, max_bitrate=rate) for rid, rate in (("h", 900_000), ("m", 300_000), ("l", 100_000)))


def rtp(plan: Plan) -> RtpPlan:
    found = plan.media[0].rtp
    assert found is not None
    return found


def layers(section: MediaDescription) -> tuple[str | None, list[str]]:
    return section.text("simulcast"), [one.serialize() for one in section.rids]


def sender() -> NegotiationState:
    state = add_transceiver(start("A"), "video", encodings=LAYERS, direction=Direction.SENDONLY, stream_ids=("s",))
    return set_local_description(state, A, NOTHING).state


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_all_layers_of_a_browser_are_received(browser: str) -> None:
    text = sdp_file(f"browsers/{browser}_offer_simulcast.sdp")
    state, _ = set_remote_description(start("B"), offer(text))
    state, plan = set_local_description(state, B)
    sdp = check_description(state.local)
    check_answer_fits(SessionDescription.parse(text), sdp)
    assert layers(sdp.media[0]) == ("recv h;m;l", ["h recv", "m recv", "l recv"])
    assert rtp(plan).receive_rids == ("h", "m", "l") and rtp(plan).send_rids == ()
    assert rtp(plan).direction is Direction.RECVONLY
    sources = rtp(plan).remote_sources
    assert len(sources) == (3 if browser == "firefox" else 0) and all(one.rtx_ssrc for one in sources)
    _, made = create_offer(state, NOTHING, B)
    assert layers(check_description(made).media[0]) == layers(sdp.media[0]), "our offers ask for the layers again"
    held = update_transceiver(state, state.transceivers[0].handle, direction=Direction.INACTIVE)
    _, made = create_offer(held, NOTHING, B)
    assert layers(check_description(made).media[0]) == (None, [])


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_our_layers_are_those_that_a_recorded_answer_accepts(browser: str) -> None:
    # The answers of aiortc to the browsers' simulcast offers, given to an offer of ours.
    state = sender()
    text = sdp_file(f"browsers/sessions/{browser}_simulcast.answer.sdp")
    ours = check_description(state.local).media[0]
    ids = {one.uri: one.id for one in ours.extmaps}
    text = re.sub(r"a=extmap:\d+ (\S+)", lambda found: f"a=extmap:{ids.get(found[1], 99)} {found[1]}", text)
    _, plan = set_remote_description(state, answer(text))
    assert rtp(plan).send_rids == ("h", "m", "l") and rtp(plan).encodings == LAYERS
    assert len(rtp(plan).sources) == 3 and rtp(plan).direction is Direction.SENDONLY


def test_three_layers_are_offered_without_ssrcs_and_received_by_our_own_kind() -> None:
    state = sender()
    section = check_description(state.local).media[0]
    assert layers(section) == ("send h;m;l", ["h send", "m send", "l send"]) and section.ssrcs == ()
    b, _ = set_remote_description(start("B"), over_the_wire(state.local))
    b, theirs = set_local_description(b, B)
    state, mine = set_remote_description(state, over_the_wire(b.local))
    assert rtp(mine).send_rids == rtp(theirs).receive_rids == ("h", "m", "l")
    b, made = create_offer(b, NOTHING, B)
    b, _ = set_local_description(b, B, NOTHING, made)
    state, _ = set_remote_description(state, over_the_wire(made))
    state, mine = set_local_description(state, A)
    b, theirs = set_remote_description(b, over_the_wire(state.local))
    assert rtp(mine).send_rids == rtp(theirs).receive_rids == ("h", "m", "l"), "and after the peer has offered"


def test_a_peer_takes_some_layers_or_none() -> None:
    state = sender()
    b, _ = set_remote_description(start("B", NegotiationConfig(max_receive_rids=2)), over_the_wire(state.local))
    b, theirs = set_local_description(b, B)
    _, plan = set_remote_description(state, over_the_wire(b.local))
    assert rtp(plan).send_rids == rtp(theirs).receive_rids == ("h", "m")
    assert rtp(plan).encodings == LAYERS[:2] and len(rtp(plan).sources) == 2
    assert b.local is not None
    plain = re.sub(r"a=(rid|simulcast):.*\r\n", "", b.local.text)
    _, plan = set_remote_description(state, answer(plain))
    assert rtp(plan).send_rids == () and rtp(plan).encodings == LAYERS[:1] and len(rtp(plan).sources) == 1


def test_a_server_that_offers_to_receive_layers_gets_them() -> None:
    a = add_transceiver(start("A"), "video", direction=Direction.RECVONLY)
    a, _ = set_local_description(a, A, NOTHING)
    assert a.local is not None
    text = a.local.text + "".join(f"a=rid:{rid} recv\r\n" for rid in "hml") + "a=simulcast:recv h;m,l;gone\r\n"
    b = add_transceiver(start("B"), "video", made_by_add_track=True)
    b, _ = set_remote_description(b, offer(text))
    assert [one.rid for one in b.transceivers[0].encodings] == ["h", "m"], "of alternatives the first"
    b, plan = set_local_description(b, B)
    sdp = check_description(b.local)
    check_answer_fits(SessionDescription.parse(text), sdp)
    assert layers(sdp.media[0]) == ("send h;m", ["h send", "m send"])
    assert rtp(plan).send_rids == ("h", "m") and len({one.ssrc for one in rtp(plan).sources}) == 2


def test_layers_need_the_rid_on_the_wire_and_codecs_that_are_taken() -> None:
    text = sdp_file("browsers/chromium_offer_simulcast.sdp")
    without = re.sub(r"a=extmap:\d+ urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n", "", text)
    bound = text.replace("a=rid:h send", "a=rid:h send pt=118").replace(
        "a=rid:m send", "a=rid:m send pt=96;max-width=9"
    )
    for given, found in ((without, ()), (bound, ("m", "l"))):
        state, _ = set_remote_description(start("B"), offer(given))
        state, plan = set_local_description(state, B)
        check_description(state.local)
        assert rtp(plan).receive_rids == found


@pytest.mark.parametrize(
    "line",
    [
        "simulcast: send rid=h;m;l",
        "simulcast:send",
        "simulcast:send h;m;l send h",
        "simulcast:recv h;m;l",
        "simulcast:x",
    ],
)
def test_simulcast_in_another_form_is_as_none(line: str) -> None:
    text = re.sub(r"a=simulcast:.*", "a=" + line, sdp_file("browsers/chromium_offer_simulcast.sdp"))
    state, _ = set_remote_description(start("B"), offer(text))
    state, plan = set_local_description(state, B)
    check_description(state.local)
    assert rtp(plan).receive_rids == ()


def test_very_many_layers_are_taken_up_to_the_limit() -> None:
    text = sdp_file("browsers/chromium_offer_simulcast.sdp")
    rids = [f"r{number}" for number in range(3000)]
    text = re.sub(r"a=rid:.*\r\n", "", text)
    text = re.sub(
        r"a=simulcast:.*\r\n",
        "".join(f"a=rid:{rid} send\r\n" for rid in rids) + f"a=simulcast:send {';'.join(rids)}\r\n",
        text,
    )
    state, _ = set_remote_description(start("B"), offer(text))
    state, plan = set_local_description(state, B)
    assert rtp(plan).receive_rids == tuple(rids[:16]) and len(check_description(state.local).media[0].rids) == 16
