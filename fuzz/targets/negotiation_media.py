"""Offers and answers of audio and video: applied, or refused by a `ProtocolError`; what we write stays whole."""

from __future__ import annotations

from pathlib import Path

from webrtc_stack.base import Fingerprint, IceParameters, SeededEntropy
from webrtc_stack.errors import ProtocolError
from webrtc_stack.peer.negotiation import (
    Description,
    LocalTransport,
    NegotiationState,
    Plan,
    Wishes,
    add_track,
    add_transceiver,
    negotiation_needed,
    rollback,
    set_local_description,
    set_remote_description,
)
from webrtc_stack.peer.parameters import Encoding
from webrtc_stack.sdp import SessionDescription

_VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors" / "sdp"
_WISHES = Wishes(data_channel=True)
COUNT = 150  # one run is a dozen descriptions


def _local(name: str) -> LocalTransport:
    return LocalTransport(
        ice=IceParameters(ufrag=name * 4, pwd=name * 22),
        next_ice=IceParameters(ufrag=name * 5, pwd=name * 23),
        fingerprints=(Fingerprint(algorithm="sha-256", digest=bytes(32)),),
    )


def _offering() -> NegotiationState:
    state = add_transceiver(NegotiationState.start(SeededEntropy(1)), "audio", stream_ids=("s",))
    return add_transceiver(state, "video", encodings=[Encoding(rid=rid) for rid in "hml"])


def _offered() -> NegotiationState:
    return set_local_description(_offering(), _local("a"), _WISHES).state


def _answer_text() -> bytes:
    offered = _offered()
    assert offered.local is not None
    answerer, _ = set_remote_description(
        NegotiationState.start(SeededEntropy(2)), Description.parse("offer", offered.local.text)
    )
    answerer, _ = set_local_description(answerer, _local("b"))
    assert answerer.local is not None
    return answerer.local.text.encode()


SEEDS: list[bytes] = [
    (_VECTORS / "browsers" / "chromium_offer_av_data.sdp").read_bytes(),
    (_VECTORS / "browsers" / "chromium_offer_simulcast.sdp").read_bytes(),
    (_VECTORS / "browsers" / "firefox_offer_simulcast.sdp").read_bytes(),
    (_VECTORS / "browsers" / "firefox_offer_max_bundle.sdp").read_bytes(),
    (_VECTORS / "peers" / "gstreamer_offer.sdp").read_bytes(),
    _answer_text(),
]


def _check(state: NegotiationState, plan: Plan) -> None:
    config = state.config
    assert len(plan.media) == len(state.mids) == len(set(state.mids))
    mids = [one.mid for one in state.transceivers if one.mid is not None]
    assert len(mids) == len(set(mids)) and set(mids) <= set(state.mids)
    sources = [ids.ssrc for one in state.transceivers for ids in one.sources]
    assert len(sources) == len(set(sources))
    for media in plan.media:
        if media.rtp is None:
            continue
        assert len(media.rtp.remote_sources) <= config.max_remote_sources
        assert len(media.rtp.receive_rids) <= config.max_receive_rids
        assert len(media.rtp.sources) == len(media.rtp.encodings)
        assert all(0 <= one.payload_type < 128 for one in (*media.rtp.send_codecs, *media.rtp.receive_codecs))
    if state.local is not None:
        ours = SessionDescription.parse(state.local.text)
        assert ours == state.local.sdp and ours.problems() == []


def fuzz_one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    waiting, _ = add_track(NegotiationState.start(SeededEntropy(3)), "video", track_id="t", stream_ids=("s",))
    for type_, state in (("answer", _offered()), ("offer", waiting), ("offer", _offered())):
        try:
            after, plan = set_remote_description(state, Description.parse(type_, text), implicit_rollback=True)
        except ProtocolError:
            continue
        _check(after, plan)
        if type_ == "offer":
            _check(*rollback(after))
            after, plan = set_local_description(after, _local("c"))
            _check(after, plan)
        negotiation_needed(after, _WISHES)
        after = add_transceiver(after, "video")
        after, plan = set_local_description(after, _local("c"), _WISHES)
        _check(after, plan)
        try:
            after, plan = set_remote_description(after, Description.parse("offer", text), implicit_rollback=True)
            _check(after, plan)
        except ProtocolError:
            continue
