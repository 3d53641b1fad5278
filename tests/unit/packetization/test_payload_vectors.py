"""The vectors of other implementations: descriptors, payloads, headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import vectors
from webrtc_stack.errors import ParseError
from webrtc_stack.packetization import DepacketizerConfig, PayloadFormat, h264, h265, obu_payloads, payload_format, vp8
from webrtc_stack.packetization.vp9_descriptor import Vp9Descriptor
from webrtc_stack.packetization.vp9_header import Vp9FrameHeader

from .streams import Packet, push_all

CASES = vectors.cases("packetization/rtp_payloads.json")
pytestmark = pytest.mark.hot

JOINERS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "h264": h264.join_units,
    "h265": h265.join_units,
    "av1": obu_payloads.join_obus,
}
# These tell of single packets out of a broken frame. A frame with a hole never comes out here, see below.
BROKEN_FRAMES = ("av1-07", "av1-08", "av1-09")


def of_kind(kind: str, *codecs: str) -> list[Any]:
    return [
        pytest.param(case, id=case["id"])
        for case in CASES
        if case["kind"] == kind and case["codec"] in codecs and case["id"] not in BROKEN_FRAMES
    ]


def test_every_video_case_is_looked_at() -> None:
    seen = sum(
        len(of_kind(kind, "vp8", "vp9", "h264", "h265", "av1"))
        for kind in ("descriptor", "depacketize", "packetize", "frame_header", "nal_header", "fu_header")
    )
    assert seen + len(BROKEN_FRAMES) == sum(case["codec"] != "red" for case in CASES)


@pytest.mark.parametrize("case", of_kind("descriptor", "vp8"))
def test_vp8_descriptors_are_read_and_written(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if "error" in case:
        with pytest.raises(ParseError):
            vp8.Vp8Descriptor.parse(data)
        return
    descriptor, at = vp8.Vp8Descriptor.parse(data)
    expected = dict(case["expect"])
    assert data[at:].hex() == expected.pop("payload")
    for field, value in expected.items():
        assert getattr(descriptor, field) == value, field
    assert vp8.Vp8Descriptor.parse(descriptor.serialize())[0] == descriptor


@pytest.mark.parametrize("case", of_kind("descriptor", "vp9"))
def test_vp9_descriptors_are_read_and_written(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    if "error" in case:
        with pytest.raises(ParseError):
            Vp9Descriptor.parse(data)
        return
    descriptor, at, _ = Vp9Descriptor.parse(data)
    expected = dict(case["expect"])
    assert data[at:].hex() == expected.pop("payload")
    structure = expected.pop("ss", None)
    for field, value in expected.items():
        assert getattr(descriptor, field) == (tuple(value) if isinstance(value, list) else value), field
    if structure is not None:
        assert descriptor.ss is not None
        assert descriptor.ss.spatial_layers == structure["spatial_layers"]
        assert [list(one) for one in descriptor.ss.resolutions] == structure.get("resolutions", [])
        pictures = [{"tid": one.tid, "u": one.u, "p_diff": list(one.p_diff)} for one in descriptor.ss.pictures or ()]
        assert pictures == structure.get("pictures", [])
    assert Vp9Descriptor.parse(descriptor.serialize())[0] == descriptor


@pytest.mark.parametrize("case", of_kind("frame_header", "vp9"))
def test_vp9_frame_headers_are_read(case: dict[str, Any]) -> None:
    header = Vp9FrameHeader.parse(bytes.fromhex(case["hex"]))
    for field, value in case["expect"].items():
        assert getattr(header, field) == (tuple(value) if isinstance(value, list) else value), field


@pytest.mark.parametrize("case", of_kind("nal_header", "h265"))
def test_h265_headers_are_read_and_written(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    header = h265.H265NalHeader.parse(data)
    assert header._asdict() == case["expect"]
    assert header.serialize() == data


@pytest.mark.parametrize("case", of_kind("fu_header", "h265"))
def test_h265_fragment_headers_are_read(case: dict[str, Any]) -> None:
    assert h265.H265FuHeader.parse(bytes.fromhex(case["hex"])[0])._asdict() == case["expect"]


@pytest.mark.parametrize("case", of_kind("depacketize", "h264", "h265", "av1"))
def test_payloads_are_joined(case: dict[str, Any]) -> None:
    payloads = [bytes.fromhex(one) for one in case["packets"]]
    join = JOINERS[case["codec"]]
    if "error" not in case:
        wanted = case.get("units", case.get("obus"))
        assert [unit.hex() for unit in join(payloads)] == wanted
        return
    with pytest.raises(ParseError):
        join(payloads)
    depacketizer = payload_format(case["codec"]).depacketizer(DepacketizerConfig(wait_for_keyframe=False))
    packets = [Packet(index, 0, index == len(payloads) - 1, payload) for index, payload in enumerate(payloads)]
    assert push_all(depacketizer, packets) == []


@pytest.mark.parametrize("which", BROKEN_FRAMES)
def test_of_a_frame_with_a_hole_nothing_comes_out(which: str) -> None:
    case = next(case for case in CASES if case["id"] == which)
    first, second = [bytes.fromhex(one) for one in (case["packets"] * 2)[:2]]
    depacketizer = payload_format("AV1").depacketizer()
    frames = push_all(depacketizer, [Packet(1, 0, False, first), Packet(9, 3000, True, second)])
    frames += depacketizer.flush()
    # A packet that begins a coded video sequence begins its frame surely; any other may have lost its beginning.
    assert [frame.data.hex() for frame in frames] == (["12002203080203"] if which == "av1-09" else [])


def make_format(case: dict[str, Any]) -> PayloadFormat:
    return payload_format(case["codec"])


@pytest.mark.parametrize("case", of_kind("packetize", "vp8", "vp9"))
def test_frames_are_cut_like_others_cut_them(case: dict[str, Any]) -> None:
    options = {"flexible": case["flexible"]} if "flexible" in case else {}
    if case["first_picture_id"] == 32:
        options["picture_id_bits"] = 7
    packetizer = make_format(case).packetizer(  # type: ignore[call-arg]
        case["max_payload"] + options.get("flexible", 0),  # our flexible mode names its reference: one byte more
        first_picture_id=case["first_picture_id"],
        **options,
    )
    descriptor: Any = vp8.Vp8Descriptor if case["codec"] == "vp8" else Vp9Descriptor
    for frame, theirs in zip(case["frames"], case["packets"], strict=True):
        ours = packetizer.packetize(bytes.fromhex(frame))
        assert max(map(len, ours)) <= case["max_payload"] + options.get("flexible", 0)
        assert b"".join(one[descriptor.parse(one)[1] :] for one in ours).hex() == frame
        for one, other in ((ours[0], bytes.fromhex(theirs[0])), (ours[-1], bytes.fromhex(theirs[-1]))):
            left, right = descriptor.parse(one)[0], descriptor.parse(other)[0]
            if options.get("flexible"):
                right = right._replace(p=left.p, p_diff=left.p_diff, z=left.z)
            if len(ours) == len(theirs):
                assert left == right


@pytest.mark.parametrize("case", of_kind("packetize", "h264"))
def test_h264_units_are_cut_so_that_they_join_again(case: dict[str, Any]) -> None:
    units = [bytes.fromhex(one) for one in case["units"]]
    payloads = h264.H264Packetizer(case["max_payload"]).packetize_units(units)
    assert max(map(len, payloads)) <= case["max_payload"]
    assert h264.join_units(payloads) == units


def test_h264_packets_that_browsers_sent_are_joined() -> None:
    """A STAP-A, the beginning and the end of an FU-A, and a single unit."""
    case = {one["file"]: bytes.fromhex(one["hex"]) for one in vectors.cases("packetization/h264_aiortc.json")}
    sets, first, second, single = (case[f"h264_000{index}.bin"] for index in range(4))
    assert [unit[0] & 0x1F for unit in h264.join_units([sets])] == [h264.SPS, h264.PPS]
    assert sum(map(len, h264.join_units([sets]))) + 5 == len(sets)
    (unit,) = h264.join_units([first, second[:1] + b"\x45" + second[2:]])
    assert unit == bytes([0x65]) + first[2:] + second[2:]
    assert h264.join_units([single]) == [single]
    frames = push_all(
        payload_format("H264").depacketizer(),
        [Packet(0, 7, False, sets), Packet(1, 7, False, first), Packet(2, 7, True, second)],
    )
    assert [frame.keyframe for frame in frames] == [True]
    assert frames[0].facts == h264.H264Facts((7, 8, 5), "42c01f")
    for size in range(1, len(sets)):
        if size not in (17,):  # where one unit ends the packet is whole again
            with pytest.raises(ParseError):
                h264.join_units([sets[:size]])
