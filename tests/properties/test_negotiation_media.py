"""Two sides that add, change and stop transceivers in any order, and negotiate by any allowed moves, always agree."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.peer_negotiation.odd_offers import MEDIA
from tests.unit.peer_negotiation.support import (
    check_answer_fits,
    check_description,
    local,
    over_the_wire,
    sdp_file,
    start,
)
from webrtc_stack.errors import ProtocolError, UsageError, WebRTCError
from webrtc_stack.peer.config import BundlePolicy
from webrtc_stack.peer.negotiation import (
    Description,
    NegotiationConfig,
    NegotiationState,
    Plan,
    SdpType,
    SignalingState,
    Wishes,
    add_track,
    add_transceiver,
    capabilities,
    create_answer,
    negotiation_needed,
    remove_track,
    rollback,
    set_codec_preferences,
    set_local_description,
    set_remote_description,
    stop_transceiver,
    update_transceiver,
)
from webrtc_stack.peer.parameters import Encoding, MediaKind
from webrtc_stack.sdp import Direction, SessionDescription

_Command: TypeAlias = tuple[str, MediaKind, int, Direction]
_Turn: TypeAlias = tuple[list[_Command], list[_Command], bool, str, list[_Command]]

_COMMANDS = st.tuples(
    st.sampled_from(["add", "layers", "track", "remove", "direction", "stop", "prefer", "streams"]),
    st.sampled_from(list(MediaKind)),
    st.integers(0, 5),
    st.sampled_from(list(Direction)),
)
_TURNS = st.lists(
    st.tuples(
        st.lists(_COMMANDS, max_size=3),
        st.lists(_COMMANDS, max_size=3),
        st.booleans(),
        st.sampled_from(["answer", "answer", "pranswer", "rollback", "glare", "again"]),
        st.lists(_COMMANDS, max_size=2),
    ),
    min_size=1,
    max_size=5,
)


@dataclass
class Side:
    """One side, what it last planned, and what it has seen of its own numbers."""

    name: str
    state: NegotiationState
    wishes: Wishes = field(default_factory=Wishes)
    plan: Plan | None = None
    tracks: set[int] = field(default_factory=set)
    handles: set[int] = field(default_factory=set)
    counter: int = 0

    def command(self, what: str, kind: MediaKind, number: int, direction: Direction) -> None:
        before = self.state
        try:
            self.state = self._commanded(what, kind, number, direction)
        except UsageError:
            assert self.state is before
        for one in self.state.transceivers:
            self.handles.add(one.handle)

    def _commanded(self, what: str, kind: MediaKind, number: int, direction: Direction) -> NegotiationState:
        state = self.state
        self.counter += 1
        if what == "add":
            return add_transceiver(state, kind, direction=direction, stream_ids=(f"s{number}",))
        if what == "layers":
            layers = [Encoding(rid=rid) for rid in "hml"[: number % 3 + 1]]
            return add_transceiver(state, kind, direction=direction, encodings=layers)
        if what == "track":
            return add_track(state, kind, track_id=f"t{self.counter}", stream_ids=(f"s{number}",))[0]
        if not state.transceivers:
            return state
        one = state.transceivers[number % len(state.transceivers)]
        if what == "remove":
            return remove_track(state, one.handle)
        if what == "direction":
            return update_transceiver(state, one.handle, direction=direction)
        if what == "stop":
            return stop_transceiver(state, one.handle)
        if what == "streams":
            return update_transceiver(state, one.handle, stream_ids=(f"s{number}", "more"))
        return set_codec_preferences(state, one.handle, capabilities(one.kind).codecs[number:])

    def took(self, plan: Plan) -> None:
        """Follows the remote tracks that plans tell of: one begins once, and ends once."""
        self.plan = plan
        for change in plan.tracks:
            if change.added:
                self.tracks.add(change.transceiver)
            else:
                assert change.transceiver in self.tracks
                self.tracks.discard(change.transceiver)
        assert self.tracks == {one.handle for one in self.state.transceivers if one.fires}
        for handle in plan.created_transceivers:
            assert handle not in self.handles, "handles are never used again"
            self.handles.add(handle)
        gone = {*plan.removed_transceivers, *plan.stopped_transceivers}
        assert not gone & {one.handle for one in self.state.transceivers} and gone <= self.handles
        mids = [one.mid for one in self.state.transceivers if one.mid is not None]
        assert len(set(mids)) == len(mids) and set(mids) <= set(self.state.mids)
        assert len(set(self.state.mids)) == len(self.state.mids)

    def describe(self) -> Description:
        self.state, plan = set_local_description(self.state, local(self.name), self.wishes)
        self.took(plan)
        check_description(self.state.local)
        return over_the_wire(self.state.local)

    def hear(self, description: Description, *, polite: bool = False) -> None:
        self.state, plan = set_remote_description(self.state, description, implicit_rollback=polite)
        self.took(plan)

    def take_back(self) -> None:
        self.state, plan = rollback(self.state)
        self.took(plan)


@settings(max_examples=25, deadline=None)
@given(_TURNS, st.sampled_from(list(BundlePolicy)), st.booleans())
def test_two_sides_with_media_agree_whatever_they_do(turns: list[_Turn], policy: BundlePolicy, data: bool) -> None:
    run(turns, policy, data)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(_TURNS, st.sampled_from(list(BundlePolicy)), st.booleans())
def test_two_sides_with_media_agree_at_length(turns: list[_Turn], policy: BundlePolicy, data: bool) -> None:
    run(turns, policy, data)


def run(turns: list[_Turn], policy: BundlePolicy, data: bool) -> None:
    config = NegotiationConfig(bundle_policy=policy)
    a, b = Side("A", start("A", config), Wishes(data_channel=data)), Side("B", start("B", config))
    places: list[str] = []
    kinds: dict[str, str] = {}
    for turn in turns:
        for_a, for_b, a_offers, then, meanwhile = turn
        for side, commands in ((a, for_a), (b, for_b)):
            for command in commands:
                side.command(*command)
        one, two = (a, b) if a_offers else (b, a)
        offer = one.describe()
        if then == "glare":
            two.describe()
            for command in meanwhile:
                two.command(*command)
            two.hear(offer, polite=True)
        else:
            two.hear(offer)
        if then == "again":
            for command in meanwhile:
                one.command(*command)
            offer = one.describe()
            two.hear(offer)
        if then == "rollback":
            for command in meanwhile:
                two.command(*command)
            one.take_back()
            two.take_back()
        else:
            if then == "pranswer":
                two.state, made = create_answer(two.state, local(two.name))
                provisional = Description(type=SdpType.PRANSWER, sdp=made.sdp)
                two.state, plan = set_local_description(two.state, local(two.name), description=provisional)
                two.took(plan)
                one.hear(over_the_wire(provisional))
                for command in meanwhile:
                    two.command(*command)
            answer = two.describe()
            check_answer_fits(offer.sdp, answer.sdp)
            one.hear(answer)
            assert [media.mid for media in offer.sdp.media] == list(one.state.mids)
            for mid, media in zip(one.state.mids, offer.sdp.media, strict=True):
                assert kinds.setdefault(mid, media.kind) == media.kind, "a mid names one section for ever"
        for side in (one, two):
            assert side.state.signaling_state is SignalingState.STABLE and side.state.fallback is None
        assert one.state.mids == two.state.mids
        assert len(one.state.mids) >= len(places), "places are never given up"
        places = list(one.state.mids)
        _check_mirror(one, two)
    _settle(a, b)


def _check_mirror(one: Side, two: Side) -> None:
    assert one.plan is not None and two.plan is not None
    assert [media.alive for media in one.plan.media] == [media.alive for media in two.plan.media]
    for mine, theirs in zip(one.plan.media, two.plan.media, strict=True):
        assert (mine.rtp is None) == (theirs.rtp is None) and (mine.mid, mine.kind) == (theirs.mid, theirs.kind)
        if mine.rtp is None or theirs.rtp is None:
            continue
        assert mine.alive and mine.rtp.direction is theirs.rtp.direction.reversed
        for out, back in ((mine.rtp, theirs.rtp), (theirs.rtp, mine.rtp)):
            assert {codec.payload_type for codec in out.send_codecs} == {
                codec.payload_type for codec in back.receive_codecs
            }
            assert out.send_extensions == back.receive_extensions
            assert out.send_rids == back.receive_rids
            if out.direction in (Direction.SENDRECV, Direction.SENDONLY) and not out.send_rids:
                assert [source.ssrc for source in back.remote_sources] == [out.sources[0].ssrc]
            else:
                assert back.remote_sources == ()


def _settle(a: Side, b: Side) -> None:
    """Whoever needs an offer makes one: that comes to an end, and then nobody needs any."""
    for _ in range(6):
        needing = [side for side in (a, b) if negotiation_needed(side.state, side.wishes)]
        if not needing:
            break
        one = needing[0]
        two = b if one is a else a
        two.hear(one.describe())
        one.hear(two.describe())
        _check_mirror(one, two)
    assert not any(negotiation_needed(side.state, side.wishes) for side in (a, b))


_TEXTS = [MEDIA, *(sdp_file(f"browsers/{name}_offer_simulcast.sdp") for name in ("chromium", "firefox"))]
_NOISE = st.sampled_from(
    [
        "a=rtpmap:96 VP8/90000",
        "a=rtpmap:96 H264/90000",
        "a=rtpmap:111 opus/48000",
        "a=fmtp:97 apt=97",
        "a=fmtp:102 profile-level-id=zz",
        "a=extmap:4 urn:x-other",
        "a=extmap:0 urn:x-zero",
        "a=rid:h recv",
        "a=simulcast:send h;h recv m",
        "a=ssrc-group:FID 1 1",
        "a=ssrc:0 cname:",
        "a=msid:",
        "a=inactive",
        "a=bundle-only",
        "a=rtcp-fb:* nack",
        "a=rtcp-mux",
        "a=mid:0",
        "b=TIAS:99999999999999",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
    ]
)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(_TEXTS), st.lists(st.tuples(_NOISE, st.integers(0, 10_000), st.booleans()), max_size=5))
def test_a_damaged_media_offer_is_answered_or_refused_and_refusal_changes_nothing(
    text: str, edits: list[tuple[str, int, bool]]
) -> None:
    lines = text.split("\r\n")[:-1]
    for noise, at, drop in edits:
        at = 5 + at % (len(lines) - 5)
        lines[at : at + int(drop)] = [noise]
    damaged = "\r\n".join(lines) + "\r\n"
    before = add_track(start("B"), "video", track_id="t")[0]
    try:
        state, plan = set_remote_description(before, Description.parse("offer", damaged))
    except ProtocolError:
        return
    state, plan = set_local_description(state, local("B"))
    sdp = check_description(state.local)
    assert SessionDescription.parse(sdp.serialize()) == sdp
    assert len(plan.media) == len(sdp.media)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(_NOISE, st.integers(0, 10_000), st.booleans()), max_size=4))
def test_a_damaged_media_answer_is_applied_or_refused(edits: list[tuple[str, int, bool]]) -> None:
    a = add_transceiver(start("A"), "video", encodings=[Encoding(rid=rid) for rid in "hml"])
    a, _ = set_local_description(add_transceiver(a, "audio"), local("A"), Wishes(data_channel=True))
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, _ = set_local_description(b, local("B"))
    assert b.local is not None
    lines = b.local.text.split("\r\n")[:-1]
    for noise, at, drop in edits:
        at = 5 + at % (len(lines) - 5)
        lines[at : at + int(drop)] = [noise]
    try:
        a, plan = set_remote_description(a, Description.parse("answer", "\r\n".join(lines) + "\r\n"))
    except WebRTCError as error:
        assert isinstance(error, ProtocolError)
        return
    assert len(plan.media) == 3
    a, _ = set_local_description(a, local("A"), Wishes(data_channel=True))
    check_description(a.local)


def test_the_noise_is_worth_its_name() -> None:
    assert len(re.findall("m=", MEDIA)) == 3 and all("a=simulcast" in text for text in _TEXTS[1:])
