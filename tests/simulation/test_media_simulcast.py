"""Simulcast: three layers sent as browsers do, found by their rid, repaired by their repaired-rid."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.peer_media.support import (
    LAYERS,
    VIDEO,
    Call,
    audio,
    pair,
    session,
    simulcast_receiver,
    simulcast_sender,
)
from webrtc_stack.peer.media import KeyframeRequested, MediaSession, SourceStarted
from webrtc_stack.peer.parameters import Encoding
from webrtc_stack.sim import LinkConfig


def _pair(seed: int = 1) -> tuple[MediaSession, MediaSession]:
    return pair([simulcast_sender()], [simulcast_receiver()], seed=seed)


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_each_layer_arrives_under_its_rid(loss: float) -> None:
    left, right = _pair()
    call = Call(left, right, link=LinkConfig(latency=0.02, loss=loss))
    sources = {rid: call.add(0, VIDEO, rid=rid, size=4000 - 1500 * n) for n, rid in enumerate(LAYERS)}
    call.run(5)
    assert sorted(event.rid for event in call.of(1, SourceStarted)) == sorted(LAYERS)
    for rid, source in sources.items():
        got = [frame.data for frame in call.frames_of(1, "video", rid)]
        sent = list(source.sent.values())
        if not loss:
            assert got == sent
        else:
            assert len(got) > 0.9 * len(sent) and set(got) <= set(sent)
    if loss:
        assert all(facts.retransmitted_packets_received for facts in right.inbound())
        assert all(facts.rtx_ssrc for facts in right.inbound())


def test_names_are_left_out_once_the_receiver_has_reported_the_source() -> None:
    left, right = _pair()
    call = Call(left, right)
    for rid in LAYERS:
        call.add(0, VIDEO, rid=rid, size=600)
    call.run(4)
    sizes = [len(delivery.data) for delivery in call.pair.log if delivery.side == 0 and delivery.data[1] & 0x7F == 96]
    assert sizes[0] > sizes[-1]


def test_a_key_frame_is_asked_of_one_layer() -> None:
    left, right = _pair()
    call = Call(left, right)
    for rid in LAYERS:
        call.add(0, VIDEO, rid=rid)
    call.at(1.0, lambda now: right.request_keyframe(VIDEO, now, "m"))
    call.run(2)
    assert call.of(0, KeyframeRequested) == [KeyframeRequested(VIDEO, "m")]


def test_a_layer_that_is_switched_off_stops_and_comes_back_with_a_key_frame() -> None:
    left, right = _pair()
    call = Call(left, right)
    sources = {rid: call.add(0, VIDEO, rid=rid) for rid in LAYERS}
    off = [Encoding(rid=rid, active=rid != "h") for rid in LAYERS]
    call.at(1.0, lambda now: left.set_encodings(VIDEO, off, now))
    call.at(2.0, lambda now: left.set_encodings(VIDEO, [Encoding(rid=rid) for rid in LAYERS], now))
    call.run(3)
    assert 25 <= sources["h"].refused <= 35
    assert sources["l"].refused == 0
    high = call.frames_of(1, "video", "h")
    assert [frame.data for frame in high] == list(sources["h"].sent.values())
    assert sum(frame.keyframe for frame in high) == 2


def test_a_peer_that_declines_simulcast_gets_the_first_encoding() -> None:
    plan = simulcast_sender()
    assert plan.rtp is not None
    left, right = session(0), session(1)
    declined = replace(plan, rtp=replace(plan.rtp, send_rids=()))
    left.configure([declined], 0.0)
    assert [one.active for one in left.outbound()] == [True, False, False]
    right.configure([audio(1)], 0.0)
