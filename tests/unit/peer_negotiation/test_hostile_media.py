"""Media descriptions that contradict themselves or are very large: refused or taken within limits, in bounded work."""

from __future__ import annotations

import re
import tracemalloc

import pytest

from webrtc_stack.errors import InvalidArgumentError, NegotiationError, ProtocolError
from webrtc_stack.peer.negotiation import (
    MediaPlan,
    NegotiationState,
    Wishes,
    add_transceiver,
    negotiation_needed,
    set_local_description,
    set_remote_description,
)
from webrtc_stack.sdp import Direction

from .odd_offers import MEDIA
from .support import answer, check_answer_fits, check_description, exchange, local, offer, over_the_wire, start

A, B = local("A"), local("B")
NOTHING = Wishes()


def in_video(*lines: str, text: str = MEDIA) -> str:
    """The plain offer with more lines in its video section."""
    return text.replace("a=mid:1\r\n", "a=mid:1\r\n" + "".join(f"{line}\r\n" for line in lines))


def answered(text: str) -> tuple[NegotiationState, MediaPlan]:
    state, _ = set_remote_description(start("B"), offer(text))
    state, plan = set_local_description(state, B)
    check_answer_fits(offer(text).sdp, check_description(state.local))
    return state, plan.media[1]


def test_of_doubled_payload_types_the_first_meaning_holds() -> None:
    text = MEDIA.replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/90000\r\na=rtpmap:96 H264/90000")
    text = re.sub("SAVPF 96 97", "SAVPF 96 96 97 97 96", text)
    _, video = answered(text)
    assert video.rtp is not None and video.rtp.send_codecs[0].codec.name == "VP8"


def test_retransmission_that_points_at_nothing_or_in_a_circle_is_left_out() -> None:
    text = MEDIA.replace("a=fmtp:97 apt=96", "a=fmtp:97 apt=97").replace("a=fmtp:103 apt=102", "a=fmtp:103 apt=999999")
    text = text.replace("a=fmtp:109 apt=108", "a=fmtp:109 apt=\u0663")
    _, video = answered(text)
    assert video.rtp is not None
    repairs = {one.payload_type: one.rtx_payload_type for one in video.rtp.send_codecs}
    assert (repairs[96], repairs[102], repairs[108], repairs[98]) == (None, None, None, 99)


def test_payload_types_that_are_no_numbers_or_too_large_are_left_out() -> None:
    text = re.sub("SAVPF 96 97", "SAVPF x 128 4000 -1 96 97", MEDIA)
    _, video = answered(text)
    assert video.rtp is not None and video.rtp.send_codecs[0].payload_type == 96


def test_sources_and_groups_without_end_are_kept_up_to_the_limit() -> None:
    lines = [f"a=ssrc:{number} cname:{'c' * 20}" for number in range(10, 9000)]
    groups = [f"a=ssrc-group:FID {number} {number + 1}" for number in range(10, 9000)]
    for extra in (lines, groups, lines[:6000] + groups[:6000]):
        _, video = answered(in_video(*extra))
        assert video.rtp is not None and 0 < len(video.rtp.remote_sources) <= 64


def test_streams_without_end_are_kept_up_to_the_limit() -> None:
    state, video = answered(in_video(*(f"a=msid:s{number} t" for number in range(5000))))
    assert video.rtp is not None and len(video.rtp.remote_stream_ids) == 16
    assert not negotiation_needed(state, NOTHING)


def test_one_huge_line_of_parameters_is_read_in_linear_work() -> None:
    huge = ";".join(f"k{number}={number}" for number in range(60_000))
    _, video = answered(in_video(text=MEDIA.replace("a=fmtp:98 profile-id=0", f"a=fmtp:98 profile-id=0;{huge}")))
    assert video.rtp is not None and 98 in {one.payload_type for one in video.rtp.send_codecs}


def test_feedback_without_end_is_read_up_to_the_limit() -> None:
    _, video = answered(in_video(*(f"a=rtcp-fb:* kind{number}" for number in range(9000))))
    assert video.rtp is not None and all(len(one.codec.feedback) <= 32 for one in video.rtp.send_codecs)


def test_extensions_without_end_take_one_id_each() -> None:
    lines = [f"a=extmap:{number % 260} urn:x-{number}" for number in range(9000)]
    _, video = answered(in_video(*lines))
    assert video.rtp is not None


@pytest.mark.parametrize("bundled", [True, False])
def test_a_thousand_media_sections_are_answered(bundled: bool) -> None:
    count = 1000
    head, audio, *_ = MEDIA.split("m=")
    fields = ("ice-", "fingerprint", "setup", "rtcp-mux", "rtpmap:111")
    body = [line for line in audio.split("\r\n") if line.startswith("a=") and line[2:].startswith(fields)]
    sections = "".join(
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n" + "\r\n".join([f"a=mid:m{index}", *body]) + "\r\n"
        for index in range(count)
    )
    group = "a=group:BUNDLE " + " ".join(f"m{index}" for index in range(count)) + "\r\n"
    text = re.sub("a=group.*\r\n", group if bundled else "", head) + sections
    state, plan = set_remote_description(start("B"), offer(text))
    assert len(plan.created_transceivers) == (count if bundled else 1)
    state, plan = set_local_description(state, B)
    assert sum(media.alive for media in plan.media) == len(state.transceivers)
    assert len(plan.transports) == 1


def test_a_refused_description_leaves_every_transceiver_as_it_was() -> None:
    a = add_transceiver(add_transceiver(start("A"), "audio"), "video")
    a, b, _, _ = exchange(a, start("B"), A, B, NOTHING)
    b, _ = set_local_description(b, B, NOTHING)
    before = b.transceivers
    assert a.local is not None and b.local is not None
    for text, words in (
        (MEDIA.replace("a=mid:1", "a=mid:0"), "two sections"),
        (MEDIA.replace("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1 7"), "no section has that mid"),
        (re.sub("a=ice-pwd.*\r\n", "", MEDIA), "ice-pwd"),
    ):
        with pytest.raises(NegotiationError, match=words):
            set_remote_description(b, offer(text), implicit_rollback=True)
    with pytest.raises(NegotiationError, match="sections, the offer"):
        set_remote_description(b, answer(MEDIA))
    assert b.transceivers == before


def test_an_answer_may_not_widen_a_direction() -> None:
    a = add_transceiver(start("A"), "audio", direction=Direction.SENDONLY)
    a, _ = set_local_description(a, A, NOTHING)
    b, _ = set_remote_description(start("B"), over_the_wire(a.local))
    b, _ = set_local_description(b, B)
    assert b.local is not None
    a, plan = set_remote_description(a, answer(b.local.text.replace("a=recvonly", "a=sendrecv")))
    assert plan.media[0].rtp is not None and plan.media[0].rtp.direction is Direction.SENDONLY and plan.tracks == ()


def test_every_line_left_out_of_a_media_answer_is_applied_or_refused() -> None:
    a = add_transceiver(add_transceiver(start("A"), "audio"), "video")
    a, _ = set_local_description(a, A, NOTHING)
    b, _ = set_remote_description(add_transceiver(start("B"), "video", made_by_add_track=True), over_the_wire(a.local))
    b, _ = set_local_description(b, B)
    assert b.local is not None
    lines = b.local.text.split("\r\n")
    for index in range(len(lines)):
        try:
            state, _ = set_remote_description(a, answer("\r\n".join(lines[:index] + lines[index + 1 :])))
        except ProtocolError:
            continue
        state, _ = set_local_description(state, A, NOTHING)
        check_description(state.local)


@pytest.mark.parametrize("count", [40, pytest.param(120, marks=pytest.mark.slow)])
def test_offers_without_end_leave_the_state_at_its_size(count: int) -> None:
    texts = [
        MEDIA,
        MEDIA.replace("m=video 34078", "m=video 0").replace("BUNDLE 0 1 2", "BUNDLE 0 2"),
        MEDIA.replace("a=sendrecv", "a=inactive"),
        in_video("a=extmap:4 urn:x-other", "a=ssrc:77 cname:x"),
    ]
    state = start("B")

    def churn(times: int) -> NegotiationState:
        after = state
        for number in range(times):
            try:
                after, _ = set_remote_description(after, offer(texts[number % 4]))
                if number % 3:
                    after, _ = set_local_description(after, B)
            except (ProtocolError, InvalidArgumentError):
                continue
        return after

    churn(20)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        after = churn(count)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(after.transceivers) <= 3 and grown < 1 << 20


def test_broken_lines_of_a_section_that_was_rejected_do_not_hurt_when_its_place_is_used_again() -> None:
    text = MEDIA[: MEDIA.index("m=video")].replace("BUNDLE 0 1 2", "BUNDLE 0").replace("a=rtcp-mux\r\n", "")
    text = re.sub("a=fingerprint:sha-256 .*\r\n", "a=fingerprint:sha-256 broken in pieces\r\n", text)
    b, _ = set_remote_description(start("B"), offer(text))
    b, plan = set_local_description(b, B)
    assert not plan.media[0].alive
    b, plan = set_local_description(add_transceiver(b, "video"), B, NOTHING)
    (transport,) = plan.transports
    assert transport.remote_ice is None and not transport.local_ice_restart and plan.media[0].alive
    a, _ = set_remote_description(start("A"), over_the_wire(b.local))
    a, _ = set_local_description(a, A)
    _, plan = set_remote_description(b, over_the_wire(a.local))
    assert not plan.transports[0].remote_ice_restart and not plan.transports[0].new_dtls_association
