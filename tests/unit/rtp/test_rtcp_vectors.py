"""RTCP packets that others wrote down, and those of browsers: fields, and the same bytes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.vectors import cases
from webrtc_stack.errors import ParseError
from webrtc_stack.rtp import rtcp


def _named(name: str) -> list[Any]:
    return [pytest.param(case, id=case.get("id", case.get("file"))) for case in cases(f"rtp/{name}.json")]


def _blocks(reports: tuple[rtcp.ReportBlock, ...]) -> list[dict[str, int]]:
    names = ("ssrc", "fraction_lost", "packets_lost", "highest_sequence", "jitter", "lsr", "dlsr")
    return [dict(zip(names, block, strict=True)) for block in reports]


def _statuses(packet: rtcp.TransportCc) -> list[dict[str, Any]]:
    deltas = dict(packet.received)
    numbers = [(packet.base_sequence_number + n) & 0xFFFF for n in range(packet.status_count)]
    return [
        {"sequence": n, "received": True, "delta": deltas[n]} if n in deltas else {"sequence": n, "received": False}
        for n in numbers
    ]


def _ssrcs(p: Any) -> dict[str, Any]:
    return {"sender_ssrc": p.sender_ssrc, "media_ssrc": p.media_ssrc}


_SHOWN: dict[str, tuple[type[Any], Callable[[Any], dict[str, Any]]]] = {
    "sr": (
        rtcp.SenderReport,
        lambda p: {
            "ssrc": p.ssrc,
            "ntp_seconds": p.ntp_timestamp >> 32,
            "ntp_fraction": p.ntp_timestamp & 0xFFFFFFFF,
            "rtp_timestamp": p.rtp_timestamp,
            "packet_count": p.packet_count,
            "octet_count": p.octet_count,
            "reports": _blocks(p.reports),
        },
    ),
    "rr": (rtcp.ReceiverReport, lambda p: {"ssrc": p.ssrc, "reports": _blocks(p.reports)}),
    "sdes": (
        rtcp.SourceDescription,
        lambda p: {
            "chunks": [
                {"ssrc": chunk.ssrc, "items": [{"type": item.type, "text": item.text} for item in chunk.items]}
                for chunk in p.chunks
            ]
        },
    ),
    "bye": (rtcp.Bye, lambda p: {"ssrcs": list(p.ssrcs), "reason": p.reason.decode()}),
    "nack": (
        rtcp.Nack,
        lambda p: {**_ssrcs(p), "items": [{"pid": i.pid, "blp": i.blp} for i in p.items], "lost": list(p.lost)},
    ),
    "tmmbr": (
        rtcp.Tmmbr,
        lambda p: {
            **_ssrcs(p),
            "items": [{"ssrc": i.ssrc, "bitrate": i.bitrate_bps, "overhead": i.overhead} for i in p.items],
        },
    ),
    "rapid-sync-request": (rtcp.RapidResynchronizationRequest, _ssrcs),
    "ecn": (
        rtcp.EcnFeedback,
        lambda p: {
            **_ssrcs(p),
            "highest_sequence": p.highest_sequence_number,
            **{name: getattr(p, name) for name in ("ect0", "ect1", "ce", "not_ect", "lost", "duplicates")},
        },
    ),
    "transport-cc": (
        rtcp.TransportCc,
        lambda p: {
            **_ssrcs(p),
            "base_sequence": p.base_sequence_number,
            "status_count": p.status_count,
            "reference_time": p.reference_time,
            "feedback_count": p.feedback_count,
            "packets": _statuses(p),
        },
    ),
    "pli": (rtcp.Pli, _ssrcs),
    "sli": (
        rtcp.Sli,
        lambda p: {
            **_ssrcs(p),
            "items": [{"first": i.first, "number": i.number, "picture_id": i.picture_id} for i in p.items],
        },
    ),
    "rpsi": (
        rtcp.Rpsi,
        lambda p: {
            **_ssrcs(p),
            "padding_bits": p.padding_bits,
            "payload_type": p.payload_type,
            "bit_string": p.bit_string.hex(),
        },
    ),
    "fir": (
        rtcp.Fir,
        lambda p: {**_ssrcs(p), "items": [{"ssrc": i.ssrc, "sequence": i.sequence_number} for i in p.items]},
    ),
    "remb": (rtcp.Remb, lambda p: {**_ssrcs(p), "bitrate": p.bitrate_bps, "ssrcs": list(p.ssrcs)}),
    "afb": (rtcp.ApplicationFeedback, lambda p: {**_ssrcs(p), "fci": p.fci.hex()}),
    "xr": (
        rtcp.ExtendedReport,
        lambda p: {
            "ssrc": p.ssrc,
            "blocks": [
                {
                    "block_type": 5,
                    "reports": [{"ssrc": i[0], "lrr": i.last_rr, "dlrr": i.delay_since_last_rr} for i in block.items],
                }
                for block in p.blocks
            ],
        },
    ),
}


def _check(packet: Any, expect: dict[str, Any]) -> None:
    kind, show = _SHOWN[expect["kind"]]
    assert isinstance(packet, kind)
    assert packet.padding == expect.get("padding", 0)
    head = ("packet_type", "count", "length", "kind", "padding")
    assert show(packet) == {name: value for name, value in expect.items() if name not in head}


@pytest.mark.parametrize("case", _named("rtcp_packets"))
def test_packets_have_the_fields_that_were_noted_and_are_written_back(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if "error" in case:
        with pytest.raises(ParseError):
            rtcp.parse_compound(data)
        return
    (packet,) = rtcp.parse_compound(data)
    _check(packet, case["expect"])
    assert packet.serialize() == data


@pytest.mark.parametrize("case", _named("rtcp_browser_packets"))
def test_what_browsers_send_is_read_and_written_back(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    packets = rtcp.parse_compound(data)
    assert len(packets) == len(case["expect"])
    for packet, expect in zip(packets, case["expect"], strict=True):
        _check(packet, expect)
    assert rtcp.serialize_compound(packets) == data
    assert rtcp.is_rtcp(data)


_AIORTC = [case for case in _named("aiortc") if case.values[0]["file"].startswith("rtcp")]


@pytest.mark.parametrize("case", _AIORTC)
def test_packets_of_the_aiortc_tests_are_written_back_or_refused(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if "_invalid" in case["file"] or "_truncated" in case["file"]:
        with pytest.raises(ParseError):
            rtcp.parse_compound(data)
        return
    packets = rtcp.parse_compound(data)
    assert len(packets) == 1
    written = rtcp.serialize_compound(packets)
    if case["file"] == "rtcp_bye_padding.bin":
        assert packets == [rtcp.Bye(ssrcs=(), padding=4)]  # its padding is not of zeros
        assert written == bytes.fromhex("a0cb000100000004")
    else:
        assert written == data
