"""Descriptions that contradict the rules are refused with a reason, and leave the state as it was."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from webrtc_stack.errors import NegotiationError, ProtocolError, SdpParseError
from webrtc_stack.peer.negotiation import set_local_description, set_remote_description

from .odd_offers import MEDIA, PLAIN
from .support import DATA, answer, check_description, exchange, local, offer, over_the_wire, start

A, B = local("A"), local("B")


def answer_text() -> str:
    offerer, _ = set_local_description(start("A"), A, DATA)
    state, _ = set_remote_description(start("B"), over_the_wire(offerer.local))
    state, _ = set_local_description(state, B)
    return over_the_wire(state.local).text


SECOND = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda text: text + SECOND, "answer has 2 sections, the offer 1"),
        (lambda text: text[: text.index("m=")].replace("a=group:BUNDLE 0\r\n", ""), "answer has 0 sections"),
        (lambda text: text.replace("m=application", "m=audio"), "offered as application, answered as audio"),
        (lambda text: text.replace("a=mid:0", "a=mid:7").replace("BUNDLE 0", "BUNDLE 7"), "offered with mid '0'"),
        (lambda text: text.replace("BUNDLE 0", "BUNDLE 0 9"), "no section has that mid"),
        (lambda text: text.replace("BUNDLE 0", "BUNDLE 0 0"), "bundled twice"),
        (lambda text: re.sub("a=fingerprint.*\r\n", "", text), "has no fingerprint"),
        (lambda text: re.sub("a=ice-pwd.*\r\n", "", text), "no ice-ufrag and ice-pwd"),
        (lambda text: re.sub("a=ice-pwd:.*\r\n", "a=ice-pwd:short\r\n", text), "ice-pwd .* has 5 characters"),
        (lambda text: re.sub("a=ice-ufrag:.*\r\n", "a=ice-ufrag:a b c d\r\n", text), "ice-ufrag"),
        (lambda text: text.replace("setup:active", "setup:actpass"), "an answer says active or passive"),
        (lambda text: text.replace("setup:active", "setup:holdconn"), "holdconn"),
    ],
)
def test_an_answer_that_breaks_a_rule_is_refused(edit: Callable[[str], str], words: str) -> None:
    offerer, _ = set_local_description(start("A"), A, DATA)
    with pytest.raises(NegotiationError, match=words):
        set_remote_description(offerer, answer(edit(answer_text())))
    set_remote_description(offerer, answer(answer_text()))


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda text: text.replace("sctp-port:5000", "sctp-port:x"), "sctp-port"),
        (lambda text: text.replace("sctp-port:5000", "sctp-port:70000"), "sctp-port"),
        (lambda text: text.replace("max-message-size:262144", "max-message-size:-1"), "max-message-size"),
        (lambda text: re.sub("a=fingerprint:.*?\r\n", "a=fingerprint:sha-256 AB\r\n", text), "32 bytes"),
        (lambda text: text.replace("setup:actpass", "setup:maybe"), "setup"),
        (lambda text: text.replace("a=group:BUNDLE 0", "a=group:"), "group"),
    ],
)
def test_a_malformed_attribute_that_is_needed_is_a_parse_error(edit: Callable[[str], str], words: str) -> None:
    with pytest.raises(SdpParseError, match=words):
        set_remote_description(start(), offer(edit(PLAIN)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MEDIA.replace("a=mid:1", "a=mid:0"), "two sections have the mid '0'"),
        (PLAIN.replace("BUNDLE 0", "BUNDLE 0 5"), "no section has that mid"),
        (PLAIN.replace("a=group:BUNDLE 0", "a=group:BUNDLE 0\r\na=group:BUNDLE 0"), "bundled twice"),
    ],
)
def test_an_offer_that_contradicts_itself_is_refused(text: str, words: str) -> None:
    with pytest.raises(NegotiationError, match=words):
        set_remote_description(start(), offer(text))


def test_a_later_offer_may_not_drop_or_change_sections() -> None:
    state, _ = set_remote_description(start(), offer(PLAIN))
    state, _ = set_local_description(state, A)
    for text, words in (
        (PLAIN[: PLAIN.index("m=")].replace("a=group:BUNDLE 0\r\n", ""), "none may be left out"),
        (PLAIN.replace("m=application", "m=audio"), "was application"),
        (PLAIN.replace("a=mid:0", "a=mid:5").replace("BUNDLE 0", "BUNDLE 5"), "has the mid '0'"),
    ):
        with pytest.raises(NegotiationError, match=words):
            set_remote_description(state, offer(text))


def test_a_dead_section_may_become_another() -> None:
    dead = MEDIA.replace("m=audio 55678", "m=audio 0").replace("BUNDLE 0 1 2", "BUNDLE 1 2")
    state, _ = set_remote_description(start(), offer(dead))
    state, _ = set_local_description(state, A)
    recycled = MEDIA.replace("m=audio", "m=video").replace("a=mid:0", "a=mid:9").replace("BUNDLE 0", "BUNDLE 9")
    state, plan = set_remote_description(state, offer(recycled))
    assert state.mids == ("9", "1", "2") and plan.data_transport is not None


def test_a_port_of_zero_ends_the_data_section() -> None:
    first, second, _, _ = exchange(start("A"), start("B"), A, B)
    assert first.local is not None
    ended = first.local.sdp.without("group").with_media(0, first.local.sdp.media[0].with_port(0))
    second, plan = set_remote_description(second, offer(ended.serialize()))
    assert plan.transports == () and plan.data_transport is None
    second, plan = set_local_description(second, B)
    assert plan.transports == () and not plan.media[0].alive


@pytest.mark.parametrize("count", [300, 1000])
def test_very_many_sections_are_answered_one_by_one(count: int) -> None:
    sections = "".join(f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:m{index}\r\n" for index in range(count))
    text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + sections
    state, _ = set_remote_description(start(), offer(text))
    state, plan = set_local_description(state, A)
    assert len(plan.media) == count and plan.transports == ()


def test_very_many_data_sections_cost_no_more_than_others() -> None:
    mids = [f"m{index}" for index in range(1000)]
    sections = "".join(
        f"m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:{m}\r\na=bundle-only\r\n" for m in mids
    )
    body = sections + "m=" + PLAIN.split("m=", 1)[1].replace("a=mid:0", "a=mid:last")
    head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE last " + " ".join(mids) + "\r\n"
    state, first = start(), None
    for _ in range(2):
        state, _ = set_remote_description(state, offer(head + body))
        state, plan = set_local_description(state, A)
        assert [transport.id for transport in plan.transports] == ["m0"]
        assert first is None or plan.transports[0] == first
        first = plan.transports[0]


def test_a_broken_line_of_the_peer_is_not_repeated_by_us() -> None:
    text = MEDIA.replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 op\u00f6s/48000/2")
    state, _ = set_remote_description(start(), offer(text))
    state, _ = set_local_description(state, A)
    audio = check_description(state.local).media[0]
    assert "111" not in audio.formats and audio.port != 0, "the codecs that can be read are taken"
    dead = text.replace("a=rtcp-mux", "a=x-no-mux")
    state, _ = set_remote_description(start(), offer(dead))
    state, _ = set_local_description(state, A)
    assert not check_description(state.local).media[0].has("rtpmap")


def test_every_cut_of_an_offer_is_applied_or_refused() -> None:
    lines = MEDIA.split("\r\n")
    for index in range(len(lines)):
        text = "\r\n".join(lines[:index] + lines[index + 1 :])
        try:
            state, _ = set_remote_description(start(), offer(text))
            set_local_description(state, A)
        except ProtocolError:
            continue
