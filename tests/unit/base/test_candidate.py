"""Candidate lines as they are met in the wild."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webrtc_stack.base import Candidate, CandidateType, TcpType
from webrtc_stack.errors import ParseError

CHROMIUM = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.77.0.1 rport 46154 "
    "generation 0 ufrag sXP5 network-cost 999"
)


def test_a_chromium_candidate_survives_with_its_unknown_extensions() -> None:
    candidate = Candidate.parse(CHROMIUM)
    assert candidate.type is CandidateType.SRFLX
    assert (candidate.host, candidate.port) == ("203.0.113.7", 46154)
    assert (candidate.related_host, candidate.related_port) == ("10.77.0.1", 46154)
    assert candidate.ufrag == "sXP5"
    assert candidate.extensions == (("generation", "0"), ("network-cost", "999"))
    assert Candidate.parse(candidate.serialize()) == candidate


def test_a_firefox_candidate_is_upper_case_and_may_be_tcp() -> None:
    candidate = Candidate.parse("a=candidate:2 1 TCP 2105458943 10.77.0.1 9 typ host tcptype active")
    assert candidate.transport == "tcp"
    assert candidate.tcp_type is TcpType.ACTIVE
    assert candidate.serialize() == "candidate:2 1 tcp 2105458943 10.77.0.1 9 typ host tcptype active"


@pytest.mark.parametrize(("host", "mdns"), [("d7c4.local", True), ("D7C4.LOCAL", True), ("10.0.0.1", False)])
def test_multicast_names_are_told_from_addresses(host: str, mdns: bool) -> None:
    assert Candidate.parse(f"candidate:1 1 udp 1 {host} 9 typ host").is_mdns is mdns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "1 1 udp 1 10.0.0.1 9 typ host",
        "candidate:1 1 udp 1 10.0.0.1 9 typ",
        "candidate:1 1 udp 1 10.0.0.1 9 type host",
        "candidate:1 1 udp 1 10.0.0.1 9 typ guest",
        "candidate:1 1 udp 1 10.0.0.1 65536 typ host",
        "candidate:1 257 udp 1 10.0.0.1 9 typ host",
        "candidate:1 -1 udp 1 10.0.0.1 9 typ host",
        "candidate:1 1 udp 4294967296 10.0.0.1 9 typ host",
        "candidate:1 1 udp ¹ 10.0.0.1 9 typ host",
        "candidate:1 1 udp 1 10.0.0.1;rm 9 typ host",
        "candidate:no,foundation 1 udp 1 10.0.0.1 9 typ host",
        "candidate:" + "1" * 33 + " 1 udp 1 10.0.0.1 9 typ host",
        "candidate:1 1 udp 1 10.0.0.1 9 typ host generation",
        "candidate:1 1 udp 1 10.0.0.1 9 typ srflx raddr 10.0.0.2 rport x",
        "candidate:1 1 udp 1 10.0.0.1 9 typ host x " + "y" * 1024,
    ],
)
def test_what_is_no_candidate_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        Candidate.parse(text)


@given(st.text(max_size=120))
def test_any_text_is_a_candidate_or_a_parse_error(text: str) -> None:
    for form in (text, f"candidate:{text}", f"candidate:1 1 udp 1 10.0.0.1 9 typ host {text}"):
        try:
            candidate = Candidate.parse(form)
        except ParseError:
            continue
        assert Candidate.parse(candidate.serialize()) == candidate


@given(
    kind=st.sampled_from(list(CandidateType)),
    tcp=st.none() | st.sampled_from(list(TcpType)),
    port=st.integers(0, 65535),
    priority=st.integers(0, 2**32 - 1),
    related=st.booleans(),
)
def test_serialize_and_parse_are_inverse(
    kind: CandidateType, tcp: TcpType | None, port: int, priority: int, related: bool
) -> None:
    candidate = Candidate(foundation="a/B+9", priority=priority, host="2001:db8::1", port=port, type=kind)
    candidate = dataclasses.replace(candidate, tcp_type=tcp, ufrag="Xy+/", extensions=(("cost", "1"),))
    if related:
        candidate = dataclasses.replace(candidate, related_host="::", related_port=0)
    assert Candidate.parse(candidate.serialize()) == candidate
