"""Two sides to negotiate between, and checks that every description of ours must pass."""

from __future__ import annotations

from pathlib import Path

from tests.support import vectors
from webrtc_stack.base import Candidate, CandidateType, Fingerprint, IceParameters, SctpParameters, SeededEntropy
from webrtc_stack.peer.negotiation import (
    Description,
    LocalTransport,
    NegotiationConfig,
    NegotiationState,
    Plan,
    Wishes,
    set_local_description,
    set_remote_description,
)
from webrtc_stack.sdp import SessionDescription

SDP = vectors.VECTORS / "sdp"
DATA = Wishes(data_channel=True)


def local(name: str = "A", *, generation: int = 0, **changes: object) -> LocalTransport:
    """The transport of side `name`, in its `generation`th ICE credentials."""
    values: dict[str, object] = {
        "ice": IceParameters(ufrag=f"u{name}{generation:04}", pwd=f"p{name}{generation:020}"),
        "next_ice": IceParameters(ufrag=f"u{name}{generation + 1:04}", pwd=f"p{name}{generation + 1:020}"),
        "fingerprints": (Fingerprint(algorithm="sha-256", digest=name.encode()[:1] * 32),),
        "sctp": SctpParameters(port=5000, max_message_size=262144),
    }
    values.update(changes)
    return LocalTransport(**values)  # type: ignore[arg-type]


def host(number: int = 1, **changes: object) -> Candidate:
    values: dict[str, object] = {
        "foundation": str(number),
        "priority": 2130706431 - number,
        "host": f"192.0.2.{number}",
        "port": 5000 + number,
        "type": CandidateType.HOST,
    }
    values.update(changes)
    return Candidate(**values)  # type: ignore[arg-type]


def start(name: str = "A", config: NegotiationConfig | None = None) -> NegotiationState:
    return NegotiationState.start(SeededEntropy(name), config)


def sdp_file(path: str | Path) -> str:
    return (SDP / path).read_bytes().decode()


def offer(text: str) -> Description:
    return Description.parse("offer", text)


def answer(text: str) -> Description:
    return Description.parse("answer", text)


def over_the_wire(description: Description | None) -> Description:
    """What the other side reads of it."""
    assert description is not None
    return Description.parse(description.type, description.text)


def exchange(
    offerer: NegotiationState,
    answerer: NegotiationState,
    offerer_side: LocalTransport,
    answerer_side: LocalTransport,
    wishes: Wishes = DATA,
) -> tuple[NegotiationState, NegotiationState, Plan, Plan]:
    """A whole offer and answer; returns both states and both final plans."""
    offerer, _ = set_local_description(offerer, offerer_side, wishes)
    answerer, _ = set_remote_description(answerer, over_the_wire(offerer.local))
    check_description(offerer.local)
    answerer, answerer_plan = set_local_description(answerer, answerer_side)
    check_answer_fits(over_the_wire(answerer.current_remote).sdp, over_the_wire(answerer.local).sdp)
    offerer, offerer_plan = set_remote_description(offerer, over_the_wire(answerer.local))
    return offerer, answerer, offerer_plan, answerer_plan


def check_description(description: Description | None) -> SessionDescription:
    """Every description of ours is well formed and complete."""
    sdp = over_the_wire(description).sdp
    assert sdp == (description.sdp if description else None)
    assert sdp.problems() == []
    assert [line.serialize()[:2] for line in sdp.lines[:4]] == ["v=", "o=", "s=", "t="]
    assert set(sdp.ice_options) >= {"trickle", "ice2"}
    mids = [media.mid for media in sdp.media]
    assert len(set(mids)) == len(mids) or None in mids
    bundled = [mid for bundle in sdp.bundles for mid in bundle]
    assert len(set(bundled)) == len(bundled)
    for media in sdp.media:
        assert media.connection is not None
        assert media.formats
        if media.port == 0:
            assert media.mid not in bundled
            continue
        assert sdp.ice_parameters(media) is not None
        assert sdp.dtls_parameters(media) is not None
        assert media.sctp_port == 5000
    return sdp


def check_answer_fits(offered: SessionDescription, answered: SessionDescription) -> None:
    """An answer has a section for each of the offer's, in order, of its kind and mid, and bundles what it takes."""
    assert len(answered.media) == len(offered.media)
    for ours, theirs in zip(answered.media, offered.media, strict=True):
        assert (ours.kind, ours.mid, ours.protocol) == (theirs.kind, theirs.mid, theirs.protocol)
        assert not ours.bundle_only
        if theirs.rejected:
            assert ours.port == 0
        if ours.port != 0:
            setup = answered.dtls_parameters(ours)
            assert setup is not None and setup.setup in ("active", "passive")
    live = [media.mid for media in answered.media if media.port != 0]
    for bundle in answered.bundles:
        assert set(bundle) <= set(live)
        assert any(set(bundle) <= set(one) for one in offered.bundles)
    for one in offered.bundles:
        kept = tuple(mid for mid in one if mid in live)
        assert not kept or kept in answered.bundles
