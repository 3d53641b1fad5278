"""Two sides to negotiate between, and checks that every description of ours must pass.

The checks read text with the parser and their own small rules; nothing of negotiation's own readers is used in them.
"""

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
from webrtc_stack.sdp import MediaDescription, SessionDescription

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
        if media.rejected:
            assert media.mid not in bundled
            continue
        if media.bundle_only:
            assert media.mid in bundled and media.mid != bundled[0] and media.port == 0
            assert sdp.ice_parameters(media) is None and media.setup is None
        else:
            assert sdp.ice_parameters(media) is not None
            assert sdp.dtls_parameters(media) is not None
        if media.kind == "application":
            assert media.sctp_port == 5000
        else:
            check_rtp_section(media)
    check_bundle(sdp)
    return sdp


def check_rtp_section(media: MediaDescription) -> None:
    """An RTP section of ours is complete and does not contradict itself."""
    assert media.rtcp_mux and media.direction is not None
    formats = [int(one) for one in media.formats]
    assert len(set(formats)) == len(formats)
    assert not any(64 <= number < 96 for number in formats), "would look like RTCP"
    maps = {one.payload_type: one for one in media.rtpmaps}
    assert sorted(maps) == sorted(formats), "each format has its rtpmap, and nothing else has one"
    parameters = {one.format: one.parameters for one in media.fmtps}
    assert {int(one) for one in parameters} <= set(formats)
    for number, one in maps.items():
        if one.encoding == "rtx":
            apt = parameters[str(number)]["apt"]
            assert apt is not None and int(apt) in maps and maps[int(apt)].encoding != "rtx"
    assert {one.payload_type for one in media.rtcp_feedback} <= set(formats)
    ids = [one.id for one in media.extmaps]
    uris = [one.uri for one in media.extmaps]
    assert len(set(ids)) == len(ids) and len(set(uris)) == len(uris)
    assert all(0 < one < 256 and one != 15 for one in ids)
    sends = media.direction in ("sendrecv", "sendonly")
    assert bool(media.msids) == sends
    sources = {one.ssrc for one in media.ssrcs}
    said = {"cname", "msid"} if sends else {"cname"}
    assert all({two.attribute for two in media.ssrcs if two.ssrc == one} == said for one in sources)
    for group in media.ssrc_groups:
        assert group.semantics == "FID" and set(group.ssrcs) <= sources
    sent = [one.id for one in media.rids if one.direction == "send"]
    received = [one.id for one in media.rids if one.direction == "recv"]
    simulcast = media.simulcast
    listed = (
        ([], [])
        if simulcast is None
        else (
            [two.rid for one in simulcast.send for two in one],
            [two.rid for one in simulcast.recv for two in one],
        )
    )
    assert (sent, received) == listed
    if sends:
        assert bool(sources) != bool(sent), "sources are announced by SSRC or by rid"
    else:
        assert not sent, "sources stay for a section that has sent, without streams"


def check_bundle(sdp: SessionDescription) -> None:
    """Over the bundle a payload type means one codec and an id one extension."""
    kinds: dict[int, str] = {}
    ids: dict[int, str] = {}
    for media in sdp.media:
        if media.rejected or media.kind == "application":
            continue
        for one in media.rtpmaps:
            said = f"{media.kind} {one.serialize()}"
            assert kinds.setdefault(one.payload_type, said) == said
        for extension in media.extmaps:
            assert ids.setdefault(extension.id, extension.uri) == extension.uri


def check_answer_fits(offered: SessionDescription, answered: SessionDescription) -> None:
    """An answer has a section for each of the offer's, in order, of its kind and mid, and bundles what it takes.

    Spec: RFC 3264 section 6, RFC 9429 section 5.3.1, RFC 9143 section 7.3, RFC 8285 section 6, RFC 8853 section 5.3.
    """
    assert len(answered.media) == len(offered.media)
    for ours, theirs in zip(answered.media, offered.media, strict=True):
        assert (ours.kind, ours.mid, ours.protocol) == (theirs.kind, theirs.mid, theirs.protocol)
        assert not ours.bundle_only
        if theirs.rejected:
            assert ours.port == 0
        if ours.port != 0:
            setup = answered.dtls_parameters(ours)
            assert setup is not None and setup.setup in ("active", "passive")
            if ours.kind != "application":
                check_rtp_answer(offered, theirs, ours)
    live = [media.mid for media in answered.media if media.port != 0]
    assert len(live) < 2 or None not in live, "what is not bundled cannot be carried beside another"
    for bundle in answered.bundles:
        assert set(bundle) <= set(live)
        assert any(set(bundle) <= set(one) for one in offered.bundles)
    for one in offered.bundles:
        kept = tuple(mid for mid in one if mid in live)
        assert not kept or kept in answered.bundles


def check_rtp_answer(offered: SessionDescription, theirs: MediaDescription, ours: MediaDescription) -> None:
    """A live RTP section answers nothing that was not offered."""
    assert set(ours.formats) <= set(theirs.formats)
    assert theirs.rtcp_mux or any(one.rtcp_mux for one in offered.media), "of one bundle"
    static = {0: "pcmu/8000", 8: "pcma/8000", 9: "g722/8000", 13: "cn/8000"}
    maps = {one.payload_type: f"{one.encoding}/{one.clock_rate}".lower() for one in reversed(theirs.rtpmaps)}
    named = {**static, **maps}
    for one in ours.rtpmaps:
        assert f"{one.encoding}/{one.clock_rate}".lower() == named[one.payload_type]
        assert one.encoding.lower() not in ("ulpfec", "flexfec-03")
        assert one.encoding.lower() != "red" or ours.kind == "audio", "that one may be asked for"
    theirs_fb = {(one.payload_type, one.kind, one.parameter) for one in theirs.rtcp_feedback}
    for feedback in ours.rtcp_feedback:
        said = (feedback.kind, feedback.parameter)
        assert (feedback.payload_type, *said) in theirs_fb or (None, *said) in theirs_fb
    allowed = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
    asked = allowed[offered.direction_of(theirs)]
    given = ours.direction
    assert given is not None and (asked == "sendrecv" or given in (asked, "inactive"))
    extensions = {(one.id, one.uri): one for one in theirs.extmaps}
    for extension in ours.extmaps:
        their = extensions[extension.id, extension.uri]
        limit = allowed[their.direction or "sendrecv"]
        assert limit == "sendrecv" or extension.direction == limit
    if ours.has("extmap-allow-mixed"):
        assert theirs.has("extmap-allow-mixed") or offered.has("extmap-allow-mixed")
    if ours.has("rtcp-rsize"):
        assert theirs.has("rtcp-rsize") or any(one.has("rtcp-rsize") for one in offered.media)
    described = {(one.id, one.direction) for one in theirs.rids}
    for rid in ours.rids:
        assert (rid.id, "recv" if rid.direction == "send" else "send") in described
