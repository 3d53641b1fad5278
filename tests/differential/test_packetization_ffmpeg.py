"""Bitstreams of real encoders through our packetizer and depacketizer, judged by FFmpeg's decoders (through PyAV)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from tests.support.programs import find_module
from tests.unit.packetization.streams import Packet, push_all, to_packets
from webrtc_stack.packetization import EncodedFrame, payload_format
from webrtc_stack.packetization.nal import split_annex_b
from webrtc_stack.packetization.vp9_header import Vp9FrameHeader

av = find_module("av")

ENCODERS = {
    "VP8": ("libvpx", "vp8", {"deadline": "realtime", "cpu-used": "8"}),
    "VP9": ("libvpx-vp9", "vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "H264": ("libx264", "h264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "slices=3"}),
    "H265": (
        "libx265",
        "hevc",
        {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none:pools=none"},
    ),
    "AV1": ("libsvtav1", "libdav1d", {"preset": "12", "svtav1-params": "pred-struct=1:lookahead=0:lp=1"}),
}
FRAME_COUNT = 16
KEY_EVERY = 6
WIDTH, HEIGHT = 320, 240


def picture(index: int) -> Any:
    """A picture with detail and motion, without chance."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane_index, plane in enumerate(frame.planes):
        rows = [
            bytes((x * x // 7 + y * 3 + index * 5 + (x ^ y) * plane_index) & 0xFF for x in range(plane.width))
            + bytes(plane.line_size - plane.width)
            for y in range(plane.height)
        ]
        plane.update(b"".join(rows))
    frame.pts = index
    frame.time_base = Fraction(1, 30)
    return frame


@cache
def encoded(name: str) -> tuple[list[bytes], list[int]]:
    """The frames of a real encoder, and which of them are key frames."""
    encoder_name, _, options = ENCODERS[name]
    try:
        encoder = av.CodecContext.create(encoder_name, "w")
    except (av.error.FFmpegError, ValueError):
        pytest.skip(f"this FFmpeg has no {encoder_name}")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.framerate = Fraction(30)
    if name != "AV1":  # this encoder has no such mode without a delay
        encoder.bit_rate = 2_000_000
    encoder.gop_size = KEY_EVERY
    encoder.options = dict(options)
    packets: list[Any] = []
    for index in range(FRAME_COUNT):
        packets += encoder.encode(picture(index))
    packets += encoder.encode(None)
    frames = [bytes(packet) for packet in packets if packet.size]
    return frames, [index for index, packet in enumerate(packets) if packet.is_keyframe]


def decode(name: str, frames: list[bytes]) -> list[bytes]:
    decoder = av.CodecContext.create(ENCODERS[name][1], "r")
    pictures: list[Any] = []
    for data in frames:
        pictures += decoder.decode(av.Packet(data))
    pictures += decoder.decode(None)
    return [b"".join(visible(plane) for plane in one.planes) for one in pictures]


def visible(plane: Any) -> bytes:
    """The pixels of a plane: what lies behind the width of a row is anything."""
    data, stride = bytes(plane), plane.line_size
    return b"".join(data[row * stride : row * stride + plane.width] for row in range(plane.height))


def units_of(name: str, data: bytes) -> list[bytes]:
    return split_annex_b(data) if name in ("H264", "H265") else [data]


def same(name: str, frames: list[EncodedFrame], sent: list[bytes]) -> bool:
    """Unit by unit: start codes may be written in two lengths."""
    return [units_of(name, frame.data) for frame in frames] == [units_of(name, data) for data in sent]


@pytest.fixture(params=sorted(ENCODERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def packets_of(name: str, **options: Any) -> list[Packet]:
    return to_packets(encoded(name)[0], payload_format(name).packetizer(300, **options), first=65500)


def test_a_real_stream_comes_out_as_it_went_in_and_decodes_the_same(name: str) -> None:
    sent, keys = encoded(name)
    assert len(keys) > 1
    depacketizer = payload_format(name).depacketizer()
    frames = push_all(depacketizer, packets_of(name))
    assert same(name, frames, sent)
    assert [index for index, frame in enumerate(frames) if frame.keyframe] == keys
    assert decode(name, [frame.data for frame in frames]) == decode(name, sent)
    assert depacketizer.drops.total == 0


def test_any_packet_lost_leaves_whole_frames_and_every_later_key_frame(name: str) -> None:
    sent, keys = encoded(name)
    packets = packets_of(name)
    wanted = [units_of(name, data) for data in sent]
    for lost in range(len(packets)):
        broken = packets[lost].timestamp // 3000
        depacketizer = payload_format(name).depacketizer()
        frames = push_all(depacketizer, packets[:lost] + packets[lost + 1 :]) + depacketizer.flush()
        got = [frame.timestamp // 3000 for frame in frames]
        after = next((key for key in keys if key > broken), len(sent))
        if broken == 0 and got[:1] != [after]:
            # The very first packet was a whole key frame: nobody can know that it was there.
            assert packets[0].marker
            after = 1
        assert got == [*range(broken), *range(after, len(sent))], lost
        assert all(units_of(name, frame.data) == wanted[index] for frame, index in zip(frames, got, strict=True))


def test_what_comes_out_after_a_loss_decodes_to_the_pictures_that_were_sent(name: str) -> None:
    sent, _ = encoded(name)
    packets = packets_of(name)
    pictures = decode(name, sent)
    assert len(pictures) == len(sent)
    for lost in range(1, len(packets), max(1, len(packets) // 8)):
        depacketizer = payload_format(name).depacketizer()
        frames = push_all(depacketizer, packets[:lost] + packets[lost + 1 :]) + depacketizer.flush()
        got = [frame.timestamp // 3000 for frame in frames]
        assert decode(name, [frame.data for frame in frames]) == [pictures[index] for index in got]


def test_doubled_and_swapped_packets_change_nothing(name: str) -> None:
    sent, _ = encoded(name)
    packets = packets_of(name)
    for index in range(len(packets) - 2):
        swapped = list(packets)
        swapped[index], swapped[index + 2] = swapped[index + 2], swapped[index]
        swapped.insert(index + 1, packets[index])
        assert same(name, push_all(payload_format(name).depacketizer(), swapped), sent), index


def test_vp9_in_flexible_mode_comes_out_as_it_went_in() -> None:
    sent, _ = encoded("VP9")
    frames = push_all(payload_format("VP9").depacketizer(), packets_of("VP9", flexible=True))
    assert same("VP9", frames, sent)


def test_key_frames_tell_their_size() -> None:
    for name in ("VP8", "VP9"):
        frame = push_all(payload_format(name).depacketizer(), packets_of(name))[0]
        assert (frame.facts.width, frame.facts.height) == (WIDTH, HEIGHT)
    header = Vp9FrameHeader.parse(encoded("VP9")[0][0])
    assert header.key_frame and header.bit_depth == 8


def test_h264_tells_the_profile_of_its_stream() -> None:
    frame = push_all(payload_format("H264").depacketizer(), packets_of("H264"))[0]
    assert frame.facts.profile_level_id == units_of("H264", encoded("H264")[0][0])[0][1:4].hex()


# --- FFmpeg's own RTP muxer -----------------------------------------------------------------------------------------


class PacketFile:
    """A file object that keeps every write apart: FFmpeg flushes each RTP packet by itself."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.datagrams.append(bytes(data))
        return len(data)


def muxed(name: str) -> list[Packet]:
    """The RTP packets that FFmpeg makes of the same encoded frames."""
    sink = PacketFile()
    container = av.open(sink, "w", format="rtp", options={"packetsize": "400", "strict": "experimental"})
    encoder_name = ENCODERS[name][0]
    sent, keys = encoded(name)
    stream = container.add_stream(encoder_name, rate=30)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    for index, data in enumerate(sent):
        packet = av.Packet(data)
        packet.stream = stream
        packet.pts = packet.dts = index
        packet.time_base = Fraction(1, 30)
        packet.is_keyframe = index in keys
        container.mux(packet)
    container.close()
    packets = []
    for datagram in sink.datagrams:
        if 192 <= datagram[1] < 224:
            continue  # RTCP
        sequence, timestamp = int.from_bytes(datagram[2:4], "big"), int.from_bytes(datagram[4:8], "big")
        packets.append(Packet(sequence, timestamp, bool(datagram[1] & 0x80), datagram[12:]))
    return packets


def test_what_ffmpeg_packetizes_comes_out_unit_by_unit(name: str) -> None:
    sent, keys = encoded(name)
    packets = muxed(name)
    depacketizer = payload_format(name).depacketizer()
    frames = push_all(depacketizer, packets)
    assert same(name, frames, sent)
    assert [index for index, frame in enumerate(frames) if frame.keyframe] == keys
    assert depacketizer.drops.total == 0


def test_what_ffmpeg_packetizes_stays_whole_when_any_packet_is_lost_doubled_or_swapped(name: str) -> None:
    stays_whole_when_packets_are_lost_doubled_or_swapped(name, muxed(name))


def stays_whole_when_packets_are_lost_doubled_or_swapped(name: str, packets: Sequence[Any], step: int = 1) -> None:
    """Loses one packet; doubles one and swaps two: another packet each time, every `step`th of them."""
    sent, keys = encoded(name)
    order = {one: index for index, one in enumerate(dict.fromkeys(packet.timestamp for packet in packets))}
    assert len(order) == len(sent)
    for at in range(0, len(packets), step):
        depacketizer = payload_format(name).depacketizer()
        frames = push_all(depacketizer, [*packets[:at], *packets[at + 1 :]]) + depacketizer.flush()
        got = [order[frame.timestamp] for frame in frames]
        broken = order[packets[at].timestamp]
        assert same(name, frames, [sent[index] for index in got]), at
        assert broken not in got
        assert all(key in got for key in keys if key > broken), at
        again = [*packets[: at + 2], packets[at], *packets[at + 2 :]]
        again[at : at + 2] = again[at : at + 2][::-1]
        assert same(name, push_all(payload_format(name).depacketizer(), again), sent), at
