"""`sdp` explains what browsers write, and never breaks on what they do not."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import cli
from webrtc_stack.cli.explain_sdp import explain
from webrtc_stack.errors import SdpParseError

OFFER = "\r\n".join(
    """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=rtcp-mux
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijkl
a=ice-options:trickle
a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF
a=setup:actpass
a=mid:0
a=sendonly
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtcp-fb:111 transport-cc
a=rtpmap:0 PCMU/8000
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 5f2b6c3a-1111-4222-8333-444455556666.local 53421 typ host
a=candidate:2 1 udp 1677729535 203.0.113.7 53421 typ srflx raddr 10.0.0.1 rport 53421
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijkl
a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF
a=setup:active
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
""".splitlines()
)


def words(text: str) -> str:
    return "\n".join(explain(text))


def test_an_offer_is_explained_section_by_section() -> None:
    text = words(OFFER)
    assert "2 media sections" in text
    assert "one transport carries the sections 0, 1" in text
    audio, data = text.split("Section 1: ")[1].split("Section 2: ")
    assert "sends, does not receive" in audio
    assert "111 opus at 48000 Hz, 2 channels; minptime=10;useinbandfec=1" in audio
    assert "feedback: transport-cc" in audio
    assert "either side may begin" in audio
    assert "no candidates yet" in audio
    assert data.startswith("Data channels, called “1”")
    assert "an address hidden behind a name" in data
    assert "203.0.113.7:53421 udp: how a STUN server sees it, from 10.0.0.1:53421" in data
    assert "this side is the client" in data
    assert "up to 256.0 KiB" in data


def test_a_broken_attribute_is_told_and_the_rest_is_still_explained() -> None:
    text = words(OFFER.replace("a=setup:active", "a=setup:sideways") + "\r\na=fmtp\r\n")
    assert "expected actpass, active, passive or holdconn" in text
    assert "Lines that cannot be read" in text
    assert "up to 256.0 KiB" in text


def test_a_rejected_section_is_said_to_be_so() -> None:
    assert "its port is 0" in words(OFFER.replace("m=application 9", "m=application 0"))


def test_json_around_the_text_is_taken_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.dumps({"type": "offer", "sdp": OFFER}).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert cli.main(["sdp", "-"]) == 0
    assert "Section 2: Data channels" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"hello", b"{", b'{"sdp": 1}', b"\xff\xfe", b"v=0\r\n"])
def test_what_is_no_description_is_refused_in_one_line(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.sdp"
    path.write_bytes(content)
    assert cli.main(["sdp", str(path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, len(OFFER) - 1), st.text(max_size=6)), max_size=4))
def test_any_damage_gives_an_explanation_or_a_parse_error(edits: list[tuple[int, str]]) -> None:
    text = OFFER
    for at, fresh in edits:
        text = text[:at] + fresh + text[at + len(fresh) :]
    try:
        lines = list(explain(text))
    except SdpParseError:
        return
    assert all(line.isprintable() for line in lines)
