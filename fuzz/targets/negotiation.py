"""Remote offers, answers and candidates: applied, or refused by a `ProtocolError`; our own descriptions stay valid."""

from __future__ import annotations

from pathlib import Path

from webrtc_stack.base import Fingerprint, IceParameters, SeededEntropy
from webrtc_stack.errors import ProtocolError
from webrtc_stack.peer.negotiation import (
    Description,
    LocalTransport,
    NegotiationState,
    TrickledCandidate,
    Wishes,
    add_remote_candidate,
    set_local_description,
    set_remote_description,
)
from webrtc_stack.sdp import SessionDescription

_VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors" / "sdp" / "browsers"
_SPLIT = b"\n---\n"


def _local(name: str) -> LocalTransport:
    return LocalTransport(
        ice=IceParameters(ufrag=name * 4, pwd=name * 22),
        next_ice=IceParameters(ufrag=name * 5, pwd=name * 23),
        fingerprints=(Fingerprint(algorithm="sha-256", digest=bytes(32)),),
    )


def _answer_text() -> bytes:
    offerer, _ = set_local_description(NegotiationState.start(SeededEntropy(1)), _local("a"), Wishes(data_channel=True))
    answerer = NegotiationState.start(SeededEntropy(2))
    assert offerer.local is not None
    answerer, _ = set_remote_description(answerer, Description.parse("offer", offerer.local.text))
    answerer, _ = set_local_description(answerer, _local("b"))
    assert answerer.local is not None
    return answerer.local.text.encode()


_CANDIDATE = b"candidate:1 1 udp 5 192.0.2.1 7 typ host"

SEEDS: list[bytes] = [
    (_VECTORS / "chromium_offer_data.sdp").read_bytes() + _SPLIT + _CANDIDATE,
    (_VECTORS / "firefox_offer_max_bundle.sdp").read_bytes() + _SPLIT,
    (_VECTORS / "chromium_offer_av_data.sdp").read_bytes(),
    _answer_text() + _SPLIT + _CANDIDATE,
]


def fuzz_one(data: bytes) -> None:
    head, _, candidate = data.partition(_SPLIT)
    text = head.decode("utf-8", "replace")
    offered, _ = set_local_description(NegotiationState.start(SeededEntropy(1)), _local("a"), Wishes(data_channel=True))
    for type_, state in (("answer", offered), ("offer", NegotiationState.start(SeededEntropy(3)))):
        try:
            state, _ = set_remote_description(state, Description.parse(type_, text))
        except ProtocolError:
            continue
        if type_ == "offer":
            state, _ = set_local_description(state, _local("c"))
        assert state.local is not None
        ours = SessionDescription.parse(state.local.text)
        assert ours == state.local.sdp and ours.problems() == []
        assert len(ours.media) == len(state.mids)
        try:
            trickled = TrickledCandidate.parse(candidate.decode("utf-8", "replace"), index=0)
            state = add_remote_candidate(state, trickled).state
            state, _ = set_remote_description(state, Description.parse("offer", text))
            set_local_description(state, _local("c"))
        except ProtocolError:
            continue
