"""Descriptions: text to values and back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import vectors
from webrtc_stack.base import Candidate, CandidateType, IceParameters, SctpParameters, SetupRole
from webrtc_stack.errors import InvalidArgumentError, SdpParseError
from webrtc_stack.sdp import (
    Attribute,
    Connection,
    Direction,
    Field,
    Group,
    MediaDescription,
    MediaLine,
    Origin,
    RtpMap,
    SdpLimits,
    SessionDescription,
    candidate_line,
)

from .texts import all_texts, with_crlf

TEXTS = all_texts()
SMALL = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def test_there_are_as_many_texts_as_the_vectors_hold() -> None:
    assert len(TEXTS) == 97


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_text_of_the_vectors_comes_back_byte_for_byte(name: str) -> None:
    text = TEXTS[name]
    parsed = SessionDescription.parse(text)
    assert parsed.serialize() == with_crlf(text)
    assert SessionDescription.parse(parsed.serialize()) == parsed


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_lines_may_end_in_lf_or_crlf(name: str) -> None:
    text = TEXTS[name].replace("\r\n", "\n")
    assert SessionDescription.parse(text) == SessionDescription.parse(text.replace("\n", "\r\n"))


@pytest.mark.parametrize("name", sorted(name for name in TEXTS if not name.startswith("sdp_transform")))
def test_texts_of_webrtc_programs_have_no_malformed_attribute(name: str) -> None:
    assert SessionDescription.parse(TEXTS[name]).problems() == []


@pytest.mark.parametrize("case", vectors.cases("sdp/sdp_transform.json"), ids=lambda case: str(case["id"]))
def test_sections_have_the_counts_that_another_reader_found(case: dict[str, Any]) -> None:
    parsed = SessionDescription.parse(case["sdp"])
    expect = case["expect"]
    assert [
        {
            "type": media.kind,
            "port": media.port,
            "protocol": media.protocol,
            "payloads": " ".join(media.formats),
            "mid": media.mid,
            "direction": media.direction,
        }
        for media in parsed.media
    ] == expect["media"]
    assert len(parsed.attributes) + sum(len(media.attributes) for media in parsed.media) == expect["attributes"]
    assert (list(parsed.bundles[0]) if parsed.bundles else None) == expect["bundle"]


def test_unknown_lines_stay_where_they_were() -> None:
    text = (
        SMALL + "m=audio 9 X 0\r\na=mid:0\r\nf=odd\r\na=zed\r\na=foo:bar:baz\r\na=empty:\r\nX=upper\r\na=ptime:20\r\n"
    )
    parsed = SessionDescription.parse(text)
    assert parsed.serialize() == text
    media = parsed.media[0]
    assert media.lines[1] == Field("f", "odd")
    assert media.text("foo") == "bar:baz"
    assert media.has("zed") and media.text("zed") == "" and media.text("empty") == ""
    assert Attribute("zed") != Attribute("zed", "")


def test_a_broken_candidate_is_skipped_and_survives() -> None:
    text = SMALL + (
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
        "a=candidate:nonsense\r\n"
        "a=candidate:1 1 UDP 5 192.0.2.1 7 typ host\r\n"
        "a=candidate:1 1 tcp 5 192.0.2.1 9 typ host tcptype unheard-of\r\n"
    )
    parsed = SessionDescription.parse(text)
    assert [candidate.transport for candidate in parsed.media[0].candidates] == ["udp", "tcp"]
    assert parsed.serialize() == text


def test_a_malformed_attribute_is_an_error_only_when_it_is_read_and_names_its_line() -> None:
    text = (
        "v=0\n\no=- 1 2 IN IP4 0.0.0.0\ns=-\nt=0 0\nm=audio 9 X 96\na=mid:0\na=rtpmap:96 opus\na=rtpmap:97 VP8/90000\n"
    )
    parsed = SessionDescription.parse(text)
    assert parsed.media[0].mid == "0"
    with pytest.raises(SdpParseError, match="rtpmap") as caught:
        _ = parsed.media[0].rtpmaps
    assert caught.value.line == 8
    assert [problem.line for problem in parsed.problems()] == [8]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("hello", 1),
        ("o=- 1 2 IN IP4 0.0.0.0\n", 1),
        ("v=1\no=- 1 2 IN IP4 0.0.0.0\n", 1),
        ("v=0\ns=-\n", None),
        ("v=0\no=- x 2 IN IP4 0.0.0.0\n", None),
        ("v=0\no=- 1 2 IN IP4\n", None),
        (SMALL + "not a line\n", 5),
        (SMALL + "m=audio\n", 5),
        (SMALL + "m=audio 70000 X 0\n", 5),
        (SMALL + "m=audio 9/x X 0\n", 5),
        (SMALL + "a=x\ry\n", 5),
        (SMALL + "a=x\0y\n", 5),
        (SMALL + "é=x\n", 5),
        (SMALL + "m=aud io 9 X 0\n", 5),
    ],
)
def test_text_that_is_not_sdp_is_refused_with_its_line(text: str, line: int | None) -> None:
    with pytest.raises(SdpParseError) as caught:
        SessionDescription.parse(text)
    assert caught.value.line == line


def test_limits_bound_what_is_read() -> None:
    with pytest.raises(SdpParseError, match="characters"):
        SessionDescription.parse(SMALL + "a=x\n" * 100, SdpLimits(max_characters=200))
    with pytest.raises(SdpParseError, match="lines"):
        SessionDescription.parse(SMALL + "a=x\n" * 100, SdpLimits(max_lines=50))
    with pytest.raises(SdpParseError, match="media sections"):
        SessionDescription.parse(SMALL + "m=audio 9 X 0\n" * 4, SdpLimits(max_media=3))
    assert len(SessionDescription.parse(SMALL + "m=audio 9 X 0\n" * 3, SdpLimits(max_media=3)).media) == 3


@pytest.mark.parametrize("text", ["x\r\na=setup:active", "x\n", "\0"])
def test_a_value_can_not_smuggle_in_a_line(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        Attribute("mid", text)
    with pytest.raises(InvalidArgumentError):
        Field("s", text)
    with pytest.raises(InvalidArgumentError):
        Attribute("a:b")
    with pytest.raises(InvalidArgumentError):
        Field("m", "audio 9 X 0")


def test_session_lines_hold_for_a_section_that_has_none_of_its_own() -> None:
    fingerprint = "sha-256 " + ":".join(["AB"] * 32)
    text = SMALL + (
        f"a=ice-lite\r\na=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\na=ice-options:trickle\r\n"
        f"a=fingerprint:{fingerprint}\r\na=setup:passive\r\na=tls-id:t\r\na=sendonly\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"
        "m=audio 9 X 0\r\na=mid:1\r\na=ice-ufrag:efgh\r\na=ice-options:ice2 trickle\r\na=setup:active\r\na=recvonly\r\n"
    )
    parsed = SessionDescription.parse(text)
    first, second = parsed.media
    assert parsed.ice_parameters(first) == IceParameters(ufrag="abcd", pwd="p" * 22, lite=True, options=("trickle",))
    ice = parsed.ice_parameters(second)
    assert ice is not None and ice.ufrag == "efgh" and ice.options == ("trickle", "ice2")
    dtls = parsed.dtls_parameters(first)
    assert dtls is not None and dtls.setup is SetupRole.PASSIVE and dtls.tls_id == "t"
    other = parsed.dtls_parameters(second)
    assert other is not None and other.setup is SetupRole.ACTIVE
    assert parsed.direction_of(first) is Direction.SENDONLY and parsed.direction_of(second) is Direction.RECVONLY


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5001\n", SctpParameters(port=5001)),
        (
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=max-message-size:0\n",
            SctpParameters(max_message_size=0),
        ),
        ("m=application 9 DTLS/SCTP 5002\na=sctpmap:5002 webrtc-datachannel 1024\n", SctpParameters(port=5002)),
        ("m=application 9 DTLS/SCTP 5003\n", SctpParameters(port=5003)),
    ],
)
def test_sctp_parameters_come_in_the_new_form_and_the_old(section: str, expected: SctpParameters) -> None:
    assert SessionDescription.parse(SMALL + section).media[0].sctp_parameters == expected


def test_a_description_is_built_and_edited_without_changing_the_old_one() -> None:
    description = SessionDescription.create(Origin(session_id=1, session_version=2)).adding(
        Group(semantics="BUNDLE", mids=("0",))
    )
    head = MediaLine(kind="audio", port=9, protocol="UDP/TLS/RTP/SAVPF", formats=("111",))
    media = MediaDescription(media=head).adding(
        Field("c", "IN IP4 0.0.0.0"), Attribute("mid", "0"), RtpMap(payload_type=111, encoding="opus", clock_rate=48000)
    )
    with_media = description.adding()
    with_media = SessionDescription(lines=with_media.lines, media=(media,))
    candidate = Candidate(foundation="1", priority=1, host="192.0.2.1", port=5, type=CandidateType.HOST)
    edited = with_media.with_media(
        0, media.adding(candidate_line(candidate)).with_port(7).replacing("mid", Attribute("mid", "x"))
    )
    assert edited.media[0].candidates == (candidate,)
    assert edited.media[0].mid == "x" and with_media.media[0].mid == "0"
    assert edited.media[0].lines[1] == Attribute("mid", "x"), "replaced in place"
    assert edited.media[0].without("mid", "rtpmap").lines[0] == Field("c", "IN IP4 0.0.0.0")
    assert edited.media[0].with_field("b", "AS:1").lines[1] == Field("b", "AS:1")
    assert edited.media[0].connection == Connection(address="0.0.0.0")
    assert SessionDescription.parse(edited.serialize()) == edited
    assert edited.with_origin(Origin(session_id=1, session_version=3)).origin.session_version == 3
    assert edited.media_by_mid("x") is edited.media[0] and edited.media_by_mid("0") is None


def test_a_port_of_zero_rejects_unless_it_is_bundle_only() -> None:
    text = SMALL + "m=audio 0 X 0\na=mid:0\nm=audio 0 X 0\na=mid:1\na=bundle-only\n"
    first, second = SessionDescription.parse(text).media
    assert first.rejected and not second.rejected
