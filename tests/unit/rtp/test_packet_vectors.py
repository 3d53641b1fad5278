"""RTP packets that others wrote down: fields as they say, and the same bytes again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.vectors import cases
from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import ExtensionMap, RtpPacket, Uri


def _named(name: str) -> list[Any]:
    return [pytest.param(case, id=case.get("id", case.get("file"))) for case in cases(f"rtp/{name}.json")]


@pytest.mark.parametrize("case", _named("rtp_packets"))
def test_packets_have_the_fields_that_were_noted_and_are_written_back(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if "error" in case:
        with pytest.raises(ParseError):
            RtpPacket.parse(data)
        return
    expect = case["expect"]
    packet = RtpPacket.parse(data)
    assert packet.marker is expect["marker"]
    assert packet.payload_type == expect["payload_type"]
    assert packet.sequence_number == expect["sequence"]
    assert packet.timestamp == expect["timestamp"]
    assert packet.ssrc == expect["ssrc"]
    assert list(packet.csrcs) == expect["csrcs"]
    assert packet.payload.hex() == expect["payload"]
    assert packet.padding == expect.get("padding", 0)
    assert packet.extensions.profile == expect.get("extension_profile")
    if "extension_data" in expect:
        assert packet.extensions.data.hex() == expect["extension_data"]
        assert not packet.extensions.elements
    if "extensions" in expect:
        found = [{"id": number, "data": value.hex()} for number, value in packet.extensions.elements.items()]
        assert found == expect["extensions"]
    written = packet.serialize()
    fill = data[len(data) - packet.padding : -1] if packet.padding else b""
    if not any(fill):  # what padding is filled with means nothing, and is not kept
        assert written == data
    assert packet.size == len(written) == len(data)
    assert RtpPacket.parse(written) == packet
    if "rtx_of" in case:
        original = RtpPacket.parse(bytes.fromhex(case["rtx_of"]))
        assert packet.payload == original.sequence_number.to_bytes(2, "big") + original.payload
        assert packet.extensions == original.extensions


_PLAIN = [case for case in _named("aiortc") if case.values[0]["file"].startswith("rtp")]


@pytest.mark.parametrize("case", _PLAIN)
def test_packets_of_the_aiortc_tests_are_written_back(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    packet = RtpPacket.parse(data, ExtensionMap({9: Uri.MID, 2: Uri.ABS_SEND_TIME}))
    if packet.padding:
        assert packet.payload == b""
        assert packet.padding == 224
        assert len(packet.serialize()) == len(data)
        assert packet.serialize()[-1] == data[-1]
    else:
        assert packet.serialize() == data
    if case["file"] == "rtp_with_sdes_mid.bin":
        assert packet.get(Uri.MID) == "0"
        assert len(packet.payload) == 54
    if case["file"] == "rtp_only_padding_with_header_extensions.bin":
        assert packet.get(Uri.ABS_SEND_TIME) == 15846540
    if case["file"] == "rtp_with_csrc.bin":
        assert packet.csrcs == (2882400001, 3735928559)
