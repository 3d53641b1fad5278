"""Streams in layers of real encoders: what comes out of a depacketizer is what FFmpeg can decode, no more and no less.

libvpx makes temporal layers (VP8 and VP9). FFmpeg has no way to ask it for spatial ones, so pictures with two spatial
layers are put together from two streams, each decoded by a decoder of its own: that shows the way of the layers through
packets and where one ends in a picture. That a decoder takes such a picture whole, and prediction from one layer to the
next, is not shown; `tests/unit/packetization` has the descriptors of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from tests.differential.test_packetization_ffmpeg import HEIGHT, WIDTH, decode, picture
from tests.support.programs import find_module
from tests.unit.packetization.streams import Packet, push_all
from webrtc_stack.packetization import (
    DepacketizerConfig,
    EncodedFrame,
    Vp9GroupPicture,
    Vp9ScalabilityStructure,
    payload_format,
)

av = find_module("av")

FRAMES = 24
STEP = 3000
REALTIME = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"}


def _options(*parts: str) -> str:
    return "".join(parts)


LAYERS: dict[int, tuple[str, tuple[tuple[int, bool, tuple[int, ...]], ...]]] = {
    # layers: (libvpx's parameters; for each picture of a period its layer, whether it builds on layer 0 alone, and how
    # many pictures back its references lie)
    2: (
        _options(
            "ts_number_layers=2:ts_target_bitrate=360,600:ts_rate_decimator=2,1:ts_periodicity=2:ts_layer_id=0,1",
            ":ts_layering_mode=2",
        ),
        ((0, False, (2,)), (1, True, (1,))),
    ),
    3: (
        _options(
            "ts_number_layers=3:ts_target_bitrate=240,360,600:ts_rate_decimator=4,2,1:ts_periodicity=4",
            ":ts_layer_id=0,2,1,2:ts_layering_mode=3",
        ),
        ((0, False, (4,)), (2, True, (1,)), (1, True, (2,)), (2, False, (1, 3))),
    ),
}
GROUP = {
    layers: Vp9ScalabilityStructure(
        resolutions=((WIDTH, HEIGHT),),
        pictures=tuple(Vp9GroupPicture(tid, True, references) for tid, _, references in pattern),
    )
    for layers, (_, pattern) in LAYERS.items()
}
WAYS = ["VP8", "VP9 by TL0PICIDX", "VP9 by group", "VP9 flexible"]


@cache
def encoded(name: str, layers: int, scale: int = 1) -> list[bytes]:
    """A key frame and what follows it, in temporal layers."""
    encoder = av.CodecContext.create({"VP8": "libvpx", "VP9": "libvpx-vp9"}[name], "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH // scale, HEIGHT // scale, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    encoder.bit_rate, encoder.gop_size = 600_000, 1000
    encoder.options = {**REALTIME, "ts-parameters": LAYERS[layers][0]}
    packets: list[Any] = []
    for index in range(FRAMES):
        packets += encoder.encode(picture(index).reformat(width=encoder.width, height=encoder.height))
    packets += encoder.encode(None)
    assert [packet.is_keyframe for packet in packets] == [True] + [False] * (FRAMES - 1)
    return [bytes(packet) for packet in packets]


@cache
def pictures(name: str, layers: int) -> list[bytes]:
    decoded = decode(name, encoded(name, layers))
    assert len(decoded) == FRAMES
    return decoded


@cache
def harmed(name: str, layers: int, lost: int) -> list[int]:
    """The frames that FFmpeg decodes to other pictures when one frame is missing."""
    if lost == 0:
        return list(range(1, FRAMES))
    wanted, sent = pictures(name, layers), encoded(name, layers)
    rest = [index for index in range(FRAMES) if index != lost]
    got = decode(name, [sent[index] for index in rest])
    return [index for index, one in zip(rest, got, strict=True) if one != wanted[index]]


def packets_of(way: str, layers: int, chosen: Sequence[int] = range(FRAMES)) -> list[Packet]:
    """The packets of the chosen frames, numbered without a gap, as a forwarder does that leaves frames out."""
    name = way[:3]
    pattern = LAYERS[layers][1]
    packetizer: Any
    format: Any = payload_format(name)
    if name == "VP8":
        packetizer = format.packetizer(500, first_picture_id=32760)
    else:
        structure = GROUP[layers] if way == "VP9 by group" else None
        packetizer = format.packetizer(500, flexible=way == "VP9 flexible", structure=structure, first_picture_id=32760)
    packets: list[Packet] = []
    for index, data in enumerate(encoded(name, layers)):
        tid, on_base, references = pattern[index % len(pattern)]
        if name == "VP8":
            payloads = packetizer.packetize(data, tid=tid, y=on_base and index > 0)
        else:
            payloads = packetizer.packetize(data, tid=tid, u=True, references=references)
        if index not in chosen:
            continue
        for number, payload in enumerate(payloads):
            packets.append(Packet((65500 + len(packets)) & 0xFFFF, index * STEP, number == len(payloads) - 1, payload))
    return packets


def indices(frames: Sequence[EncodedFrame]) -> list[int]:
    return [frame.timestamp // STEP for frame in frames]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(LAYERS))
def layers(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_a_stream_in_temporal_layers_comes_out_as_it_went_in(way: str, layers: int) -> None:
    depacketizer = payload_format(way[:3]).depacketizer()
    frames = push_all(depacketizer, packets_of(way, layers))
    assert [frame.data for frame in frames] == encoded(way[:3], layers)
    tids = [tid for tid, _, _ in LAYERS[layers][1]]
    assert [frame.facts.descriptor.tid for frame in frames] == [tids[at % len(tids)] for at in range(FRAMES)]


def test_what_a_forwarder_leaves_of_the_layers_decodes_to_the_same_pictures(way: str, layers: int) -> None:
    name, pattern = way[:3], LAYERS[layers][1]
    for top in range(layers):
        chosen = [index for index in range(FRAMES) if pattern[index % len(pattern)][0] <= top]
        frames = push_all(payload_format(name).depacketizer(), packets_of(way, layers, chosen))
        assert indices(frames) == chosen
        assert decode(name, [frame.data for frame in frames]) == [pictures(name, layers)[index] for index in chosen]


def test_after_a_loss_all_that_ffmpeg_decodes_rightly_comes_out_and_nothing_else(way: str, layers: int) -> None:
    name = way[:3]
    packets = packets_of(way, layers)
    seen: set[int] = set()
    for lost, packet in enumerate(packets):
        broken = packet.timestamp // STEP
        if lost == 0 or broken in seen:
            continue
        seen.add(broken)
        depacketizer = payload_format(name).depacketizer(DepacketizerConfig(reorder_packets=3))
        frames = push_all(depacketizer, packets[:lost] + packets[lost + 1 :]) + depacketizer.flush()
        gone = {broken, *harmed(name, layers, broken)}
        good = [index for index in range(FRAMES) if index not in gone]
        got = indices(frames)
        assert [index for index in got if index in gone] == [], broken
        if way == "VP8" and broken % 4 == 1 and layers == 3:
            # The layer's next picture is not marked as building on layer 0 alone: it might build on the lost one.
            good.remove(broken + 2)
        if way == "VP9 by TL0PICIDX":
            # Nothing tells what an upper layer's picture builds on: only the next one of layer 0 is sure.
            period = len(LAYERS[layers][1])
            good = [index for index in good if index < broken or index >= broken + period - broken % period]
        assert got == good, broken


# --- spatial layers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flexible", [False, True])
def test_spatial_layers_come_out_one_behind_the_other_and_each_decodes(flexible: bool) -> None:
    streams = [encoded("VP9", 3, scale) for scale in (2, 1)]
    pattern = LAYERS[3][1]
    format: Any = payload_format("VP9")
    packetizer = format.packetizer(500, flexible=flexible)
    packets: list[Packet] = []
    for index, layers in enumerate(zip(*streams, strict=True)):
        tid, _, references = pattern[index % len(pattern)]
        payloads = packetizer.packetize_picture(layers, tid=tid, u=True, references=references, inter_layer=False)
        for number, payload in enumerate(payloads):
            packets.append(Packet(len(packets), index * STEP, number == len(payloads) - 1, payload))

    def decoded(frames: Sequence[EncodedFrame]) -> list[list[bytes]]:
        cut = [frame.facts.layer_sizes for frame in frames]
        assert all(len(sizes) == 2 for sizes in cut)
        lower = [frame.data[: sizes[0]] for frame, sizes in zip(frames, cut, strict=True)]
        upper = [frame.data[sizes[0] :] for frame, sizes in zip(frames, cut, strict=True)]
        return [decode("VP9", lower), decode("VP9", upper)]

    wanted = [decode("VP9", stream) for stream in streams]
    assert [len(one[0]) for one in wanted] == [WIDTH * HEIGHT * 3 // 2 // 4, WIDTH * HEIGHT * 3 // 2]
    assert decoded(push_all(payload_format("VP9").depacketizer(), packets)) == wanted
    for lost in range(1, len(packets), 7):
        depacketizer = payload_format("VP9").depacketizer()
        frames = push_all(depacketizer, packets[:lost] + packets[lost + 1 :]) + depacketizer.flush()
        got = indices(frames)
        broken = packets[lost].timestamp // STEP
        gone = {broken, *harmed("VP9", 3, broken)}
        assert gone.isdisjoint(got)
        assert got == [index for index in range(FRAMES) if index not in gone] or not flexible
        assert got[:broken] == list(range(broken))
        assert decoded(frames) == [[pictures[index] for index in got] for pictures in wanted]
