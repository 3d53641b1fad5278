"""Typed values: their reading, their writing, and what they refuse."""

from __future__ import annotations

import pytest

from webrtc_stack.base import Fingerprint
from webrtc_stack.errors import SdpParseError
from webrtc_stack.sdp import (
    AttributeValue,
    Bandwidth,
    Connection,
    Crypto,
    Direction,
    ExtMap,
    Fmtp,
    Group,
    MediaLine,
    Msid,
    MsidSemantic,
    Origin,
    RemoteCandidates,
    Rid,
    Rtcp,
    RtcpFeedback,
    RtpMap,
    SctpMap,
    SessionDescription,
    Simulcast,
    SimulcastRid,
    Ssrc,
    SsrcGroup,
    Timing,
    parse_fingerprint,
    serialize_fingerprint,
)

from .texts import all_texts

KINDS: tuple[type[AttributeValue], ...] = (
    Crypto,
    ExtMap,
    Fmtp,
    Group,
    Msid,
    MsidSemantic,
    RemoteCandidates,
    Rid,
    Rtcp,
    RtcpFeedback,
    RtpMap,
    SctpMap,
    Simulcast,
    Ssrc,
    SsrcGroup,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_values_of_the_vectors_are_written_as_they_were_read(kind: type[AttributeValue]) -> None:
    seen = 0
    for text in all_texts().values():
        parsed = SessionDescription.parse(text)
        for section in (parsed, *parsed.media):
            for written in section.texts(kind.NAME):
                try:
                    value = kind.parse(written)
                except SdpParseError:
                    continue
                seen += 1
                assert value.serialize() == " ".join(written.split())
                assert kind.parse(value.serialize()) == value
    assert seen or kind is RemoteCandidates


def test_an_rtpmap_has_channels() -> None:
    opus = RtpMap.parse("111 opus/48000/2")
    assert opus == RtpMap(payload_type=111, encoding="opus", clock_rate=48000, parameters="2")
    assert opus.channels == 2 and RtpMap.parse("96 VP8/90000").channels == 1


def test_fmtp_reads_pairs_and_keeps_its_text() -> None:
    fmtp = Fmtp.parse("97 Profile-Level-Id=42e01f; packetization-mode=1;flag;sprop=Z0I=,aM4=")
    assert fmtp.parameters == {
        "profile-level-id": "42e01f",
        "packetization-mode": "1",
        "flag": None,
        "sprop": "Z0I=,aM4=",
    }
    assert fmtp.serialize() == "97 Profile-Level-Id=42e01f; packetization-mode=1;flag;sprop=Z0I=,aM4="
    assert Fmtp.of(111, minptime=10, useinbandfec=1).serialize() == "111 minptime=10;useinbandfec=1"
    assert Fmtp.of(98, packetization_mode=1).parameters == {"packetization-mode": "1"}


def test_feedback_is_for_one_payload_type_or_all() -> None:
    assert RtcpFeedback.parse("* nack") == RtcpFeedback(payload_type=None, kind="nack")
    assert RtcpFeedback.parse("96 nack pli") == RtcpFeedback(payload_type=96, kind="nack", parameter="pli")


def test_simulcast_has_streams_of_alternatives() -> None:
    value = Simulcast.parse("recv c send 1,~4;2")
    assert value.send == ((SimulcastRid(rid="1"), SimulcastRid(rid="4", paused=True)), (SimulcastRid(rid="2"),))
    assert value.recv == ((SimulcastRid(rid="c"),),)
    assert value.serialize() == "recv c send 1,~4;2"


def test_a_rid_has_payload_types_and_restrictions() -> None:
    rid = Rid.parse("1 send pt=97,98;max-width=1280;depend")
    assert rid.payload_types == (97, 98) and rid.restrictions == (("max-width", "1280"), ("depend", None))


def test_an_extmap_has_a_direction_and_attributes() -> None:
    value = ExtMap.parse("2/recvonly urn:x opt 1")
    assert value == ExtMap(id=2, direction=Direction.RECVONLY, uri="urn:x", attributes="opt 1")


def test_a_direction_is_turned_around() -> None:
    assert [one.reversed for one in Direction] == [
        Direction.SENDRECV,
        Direction.RECVONLY,
        Direction.SENDONLY,
        Direction.INACTIVE,
    ]


def test_a_fingerprint_takes_either_case_and_is_written_in_upper_case() -> None:
    value = parse_fingerprint("SHA-256 " + ":".join(["ab"] * 32))
    assert value == Fingerprint(algorithm="sha-256", digest=b"\xab" * 32)
    assert serialize_fingerprint(value) == "sha-256 " + ":".join(["AB"] * 32)


def test_plain_lines_are_read_and_written() -> None:
    assert Origin.parse("- 1 2 IN IP4 0.0.0.0") == Origin(session_id=1, session_version=2)
    assert Connection.parse("IN IP4 239.0.0.1/32").suffix == "/32"
    assert Connection.parse("IN IP4 239.0.0.1/32").serialize() == "IN IP4 239.0.0.1/32"
    assert Bandwidth.parse("TIAS:96000") == Bandwidth(kind="TIAS", value=96000)
    assert Timing.parse("0 0") == Timing()
    assert MediaLine.parse("audio 49170/2 RTP/AVP 0  8 ").serialize() == "audio 49170/2 RTP/AVP 0 8"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (RtpMap, "96 opus"),
        (RtpMap, "300 opus/48000"),
        (RtpMap, "96 opus/x"),
        (RtpMap, ""),
        (Fmtp, "96"),
        (RtcpFeedback, "96"),
        (RtcpFeedback, "x nack"),
        (ExtMap, "1"),
        (ExtMap, "1/sideways urn:x"),
        (Ssrc, "1"),
        (Ssrc, "99999999999 cname:x"),
        (SsrcGroup, "FID x"),
        (SsrcGroup, ""),
        (Msid, ""),
        (Msid, "a b c"),
        (Rid, "1 up"),
        (Rid, "1 send pt=x"),
        (Simulcast, "send"),
        (Simulcast, "send 1 send 2"),
        (Simulcast, "up 1"),
        (Simulcast, "send 1;;2"),
        (Simulcast, "send rid=1;2"),
        (Group, ""),
        (SctpMap, "5000"),
        (SctpMap, "x webrtc-datachannel"),
        (Rtcp, ""),
        (Rtcp, "1 IN IP7 x"),
        (RemoteCandidates, "1 192.0.2.1"),
        (Crypto, "1 x"),
    ],
)
def test_text_of_another_form_is_refused(kind: type[AttributeValue], text: str) -> None:
    with pytest.raises(SdpParseError):
        kind.parse(text)


@pytest.mark.parametrize("text", ["", "sha-256", "sha-256 zz", "sha-256 AB", "sha-1 " + ":".join(["AB"] * 32), "x y z"])
def test_a_fingerprint_of_the_wrong_form_is_refused(text: str) -> None:
    with pytest.raises(SdpParseError):
        parse_fingerprint(text)
