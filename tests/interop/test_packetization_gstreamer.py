"""Our payload formats against GStreamer's payloaders and depayloaders, both ways, unit by unit.

GStreamer's elements for AV1 are not in the plugins that Debian 12 has (they are of gst-plugins-rs): there AV1 skips.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from tests.differential.test_packetization_audio_ffmpeg import opus_packets, sound
from tests.differential.test_packetization_ffmpeg import (
    ENCODERS,
    encoded,
    same,
    stays_whole_when_packets_are_lost_doubled_or_swapped,
    units_of,
)
from tests.support.gstreamer import Buffer, GStreamer
from tests.support.programs import find_module
from tests.unit.packetization.streams import Packet, push_all, to_packets
from webrtc_stack.packetization import (
    AudioPacketizer,
    DepacketizerConfig,
    EventEnded,
    EventStarted,
    PayloadFormat,
    RedPacketizer,
    TelephoneEventReceiver,
    TelephoneEventSender,
    alaw_encode,
    payload_format,
    ulaw_encode,
)
from webrtc_stack.packetization.h264 import parse_stap_a
from webrtc_stack.packetization.h265 import parse_aggregation
from webrtc_stack.rtp import RtpPacket

find_module("av")

BYTE_STREAM = "stream-format=byte-stream,alignment=au"
RAW = {name: f"video/x-{name.lower()}" for name in ("VP8", "VP9", "AV1")} | {
    name: f"video/x-{name.lower()},{BYTE_STREAM}" for name in ("H264", "H265")
}
PICTURE_IDS = [f"picture-id-mode={mode}" for mode in ("none", "7-bit", "15-bit")]
PAYLOADERS = {
    "VP8": PICTURE_IDS,
    "VP9": PICTURE_IDS,
    "H264": [f"aggregate-mode={mode}" for mode in ("none", "zero-latency", "max-stap")],
    "H265": [f"aggregate-mode={mode}" for mode in ("none", "zero-latency", "max")],
    "AV1": [""],
}
WAITS_FOR_KEYFRAME = ("VP8", "VP9")
PAYLOADER_CASES = [(name, options) for name in sorted(PAYLOADERS) for options in PAYLOADERS[name]]
# Enough for a packet that is not too late; it costs this much real time where one is missing.
JITTER_BUFFER = "rtpjitterbuffer latency=100 ! "


@pytest.fixture(scope="module")
def gstreamer() -> Iterator[GStreamer]:
    with GStreamer() as made:
        yield made


@pytest.fixture(params=sorted(ENCODERS))
def name(request: pytest.FixtureRequest, gstreamer: GStreamer) -> str:
    made = str(request.param)
    gstreamer.need(f"rtp{made.lower()}depay", promised=made != "AV1")
    return made


def buffers(packets: Sequence[Packet], rate: int = 90_000, payload_type: int = 96) -> list[Buffer]:
    return [
        Buffer(
            packet.timestamp * 10**9 // rate,
            RtpPacket(
                payload_type=payload_type,
                sequence_number=packet.sequence_number,
                timestamp=packet.timestamp,
                ssrc=0x1234,
                marker=packet.marker,
                payload=packet.payload,
            ).serialize(),
        )
        for packet in packets
    ]


# --- video: what we cut, GStreamer joins ----------------------------------------------------------------------------


def cut(name: str, max_payload_bytes: int = 1000, **options: Any) -> list[Packet]:
    format = payload_format(name, **({"packetization_mode": 1} if name == "H264" else {}))
    return to_packets(encoded(name)[0], format.packetizer(max_payload_bytes, **options), first=65500)


def joined(gstreamer: GStreamer, name: str, packets: Sequence[Packet], *, before: str = "", options: str = "") -> Any:
    """The units of each frame that GStreamer makes of `packets`."""
    caps = f"application/x-rtp,media=video,clock-rate=90000,encoding-name={name},payload=96"
    elements = f"{before}rtp{name.lower()}depay {options} ! {RAW[name]}"
    return [units_of(name, out.data) for out in gstreamer.run(elements, caps, buffers(packets))]


def wanted(name: str) -> list[list[bytes]]:
    return [units_of(name, data) for data in encoded(name)[0]]


@pytest.mark.parametrize("size", [100, 1000, 60_000])
def test_gstreamer_joins_what_we_cut(gstreamer: GStreamer, name: str, size: int) -> None:
    assert joined(gstreamer, name, cut(name, size)) == wanted(name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("VP8", {"picture_id_bits": 7}),
        ("VP8", {"first_picture_id": None}),
        ("VP9", {"flexible": True}),
        ("VP9", {"first_picture_id": None}),
    ],
)
def test_gstreamer_joins_what_we_cut_with_other_descriptors(
    gstreamer: GStreamer, name: str, options: dict[str, Any]
) -> None:
    assert joined(gstreamer, name, cut(name, **options)) == wanted(name)


def test_gstreamer_joins_h264_that_we_send_in_mode_0(gstreamer: GStreamer) -> None:
    packets = to_packets(encoded("H264")[0], payload_format("H264", packetization_mode=0).packetizer(60_000))
    assert len(packets) == sum(map(len, wanted("H264")))
    assert joined(gstreamer, "H264", packets) == wanted("H264")


def test_gstreamer_joins_what_we_cut_through_doubled_and_swapped_packets(gstreamer: GStreamer, name: str) -> None:
    packets = cut(name)
    doubled = [packet for packet in packets for _ in range(2)]
    assert joined(gstreamer, name, doubled) == wanted(name)
    swapped = list(packets)
    for at in range(1, len(packets) - 2, 5):
        swapped[at : at + 2] = swapped[at : at + 2][::-1]
    # Depayloaders leave the order to the jitter buffer.
    assert joined(gstreamer, name, swapped, before=JITTER_BUFFER) == wanted(name)


def test_gstreamer_gives_out_the_same_frames_as_we_do_when_any_packet_is_lost(gstreamer: GStreamer, name: str) -> None:
    """With VP8 and VP9 frame by frame, waiting for a key frame or not; with H.264 and H.265 unit by unit."""
    packets, frames = cut(name), wanted(name)
    for lost in range(1, len(packets), 3):
        rest = packets[:lost] + packets[lost + 1 :]
        broken = packets[lost].timestamp // 3000
        for waits in (True, False) if name in WAITS_FOR_KEYFRAME else (False,):
            depacketizer = payload_format(name).depacketizer(DepacketizerConfig(wait_for_keyframe=waits))
            ours = [frame.timestamp // 3000 for frame in push_all(depacketizer, rest) + depacketizer.flush()]
            if name in WAITS_FOR_KEYFRAME:
                theirs = joined(gstreamer, name, rest, options=f"wait-for-keyframe={str(waits).lower()}")
                if not broken:  # before its first key frame GStreamer gives out nothing in any case
                    ours = [index for index in ours if index >= encoded(name)[1][1]]
                assert theirs == [frames[index] for index in ours], lost
                continue
            assert ours == [index for index in range(len(frames)) if index != broken], lost
            # GStreamer gives out what is left of the broken access unit, and whole ones around it.
            theirs = [unit for units in joined(gstreamer, name, rest) for unit in units]
            before, behind = flat(frames[:broken]), flat(frames[broken + 1 :])
            gone = carried(name, packets[lost].payload)
            units = frames[broken]
            some = [units[:at] + units[at + gone :] for at in range(len(units) - gone + 1)]
            assert theirs in [before + left + behind for left in some], lost


def flat(frames: list[list[bytes]]) -> list[bytes]:
    return [unit for units in frames for unit in units]


def carried(name: str, payload: bytes) -> int:
    """How many NAL units a payload holds whole or a part of."""
    if name == "H264":
        return len(parse_stap_a(payload)) if payload[0] & 0x1F == 24 else 1
    return len(parse_aggregation(payload)) if payload[0] >> 1 & 0x3F == 48 else 1


# --- video: what GStreamer cuts, we join ----------------------------------------------------------------------------


def payloaded(gstreamer: GStreamer, name: str, options: str, mtu: int) -> list[RtpPacket]:
    gstreamer.need(f"rtp{name.lower()}pay", promised=name != "AV1")
    elements = f"rtp{name.lower()}pay mtu={mtu} seqnum-offset=65500 timestamp-offset=4294960000 {options}"
    sent = [Buffer(index * 10**9 // 30, data) for index, data in enumerate(encoded(name)[0])]
    return [RtpPacket.parse(out.data) for out in gstreamer.run(elements, RAW[name], sent)]


@pytest.mark.parametrize("mtu", [100, 1200, 60_000])
@pytest.mark.parametrize(("name", "options"), PAYLOADER_CASES)
def test_what_gstreamer_cuts_comes_out_unit_by_unit(gstreamer: GStreamer, name: str, options: str, mtu: int) -> None:
    packets = payloaded(gstreamer, name, options, mtu)
    depacketizer = payload_format(name).depacketizer()
    frames = push_all(depacketizer, packets)
    frames += depacketizer.flush()
    assert same(name, frames, encoded(name)[0])
    assert [index for index, frame in enumerate(frames) if frame.keyframe] == encoded(name)[1]
    assert depacketizer.drops.total == 0


@pytest.mark.parametrize(("name", "options"), PAYLOADER_CASES)
def test_what_gstreamer_cuts_stays_whole_when_packets_are_lost_doubled_or_swapped(
    gstreamer: GStreamer, name: str, options: str
) -> None:
    stays_whole_when_packets_are_lost_doubled_or_swapped(name, payloaded(gstreamer, name, options, 1200), step=5)


# --- sound ----------------------------------------------------------------------------------------------------------


class Sound(NamedTuple):
    """One audio format: its frames, and the two types in GStreamer's words."""

    format: PayloadFormat
    frames: list[bytes]
    ticks: int
    raw: str
    payload_type: int
    element: str
    caps: str = ""


def sounds() -> dict[str, Sound]:
    pcm = sound(1, 8000)
    stereo = sound(2, 8820)
    return {
        "PCMU": Sound(payload_format("PCMU"), [ulaw_encode(pcm)], 160, "audio/x-mulaw,rate=8000,channels=1", 0, "pcmu"),
        "PCMA": Sound(payload_format("PCMA"), [alaw_encode(pcm)], 160, "audio/x-alaw,rate=8000,channels=1", 8, "pcma"),
        "G722": Sound(
            payload_format("G722"),
            [random.Random(1).randbytes(8000)],
            160,
            "audio/G722,rate=16000,channels=1",
            9,
            "g722",
        ),
        "L16": Sound(
            payload_format("L16", clock_rate=44_100, channels=2),
            [stereo],
            882,
            "audio/x-raw,format=S16BE,layout=interleaved,rate=44100,channels=2",
            10,
            "L16",
            ",channels=2",
        ),
        "opus": Sound(
            payload_format("opus"),
            [bytes(one) for one in opus_packets(duration="20", application="audio", bit_rate=64_000, channels=2)],
            960,
            "audio/x-opus,channel-mapping-family=0,channels=2,rate=48000",
            111,
            "opus",
        ),
    }


SOUNDS = ["G722", "L16", "PCMA", "PCMU", "opus"]


def sound_packets(one: Sound) -> list[Packet]:
    packetizer = one.format.packetizer(4000)
    assert isinstance(packetizer, AudioPacketizer)
    packets: list[Packet] = []
    timestamp = 0
    for payload in [payload for frame in one.frames for payload in packetizer.packetize(frame)]:
        packets.append(Packet((65_530 + len(packets)) & 0xFFFF, timestamp, not packets, payload))
        timestamp += packetizer.timestamp_step(payload)
    return packets


@pytest.mark.parametrize("name", SOUNDS)
def test_gstreamer_takes_out_the_sound_that_we_packed(gstreamer: GStreamer, name: str) -> None:
    one = sounds()[name]
    packets = sound_packets(one)
    assert len(packets) >= 10
    caps = (
        f"application/x-rtp,media=audio,clock-rate={one.format.clock_rate},encoding-name={name.upper()},"
        f"payload={one.payload_type}{one.caps}"
    )

    def taken_out(packets: Sequence[Packet], before: str = "") -> list[bytes]:
        sent = buffers(packets, one.format.clock_rate, one.payload_type)
        return [out.data for out in gstreamer.run(f"{before}rtp{one.element}depay", caps, sent)]

    payloads = [packet.payload for packet in packets]
    assert taken_out(packets) == payloads
    assert taken_out([packet for packet in packets for _ in range(2)]) == payloads
    assert taken_out([*packets[:4], packets[5], packets[4], *packets[6:]], JITTER_BUFFER) == payloads
    assert taken_out(packets[:4] + packets[5:]) == payloads[:4] + payloads[5:]


@pytest.mark.parametrize("name", SOUNDS)
def test_we_take_out_the_sound_that_gstreamer_packed(gstreamer: GStreamer, name: str) -> None:
    one = sounds()[name]
    sent = [Buffer(index * 20_000_000, frame) for index, frame in enumerate(one.frames)]
    times = "" if name == "opus" else "min-ptime=20000000 max-ptime=20000000"
    elements = f"rtp{one.element}pay pt={max(96, one.payload_type)} seqnum-offset=65530 timestamp-offset=0 mtu=4000 "
    packets = [RtpPacket.parse(out.data) for out in gstreamer.run(elements + times, one.raw, sent)]
    assert [packet.timestamp for packet in packets] == [one.ticks * index for index in range(len(packets))]
    frames = push_all(one.format.depacketizer(), packets)
    assert b"".join(frame.data for frame in frames) == b"".join(one.frames)
    if name == "opus":
        assert [frame.data for frame in frames] == one.frames
    data = [frame.data for frame in frames]
    mixed = [*packets[:4], packets[5], packets[4], packets[5], *packets[6:]]
    assert [frame.data for frame in push_all(one.format.depacketizer(), mixed)] == data
    depacketizer = one.format.depacketizer()
    rest = push_all(depacketizer, packets[:4] + packets[5:]) + depacketizer.flush()
    assert [frame.data for frame in rest] == data[:4] + data[5:]
    assert [index for index, frame in enumerate(rest) if frame.follows_loss] == [4]


# --- RED ------------------------------------------------------------------------------------------------------------


def test_gstreamer_takes_every_frame_out_of_our_red_when_each_third_packet_is_lost(gstreamer: GStreamer) -> None:
    one = sounds()["opus"]
    packetizer = RedPacketizer(payload_type=111)
    red = [packet._replace(payload=packetizer.packetize(packet.payload)[0]) for packet in sound_packets(one)]
    caps = "application/x-rtp,media=audio,clock-rate=48000,encoding-name=RED,payload=63"
    for packets in (red, [packet for index, packet in enumerate(red) if index % 3 != 1 or packet is red[-1]]):
        out = gstreamer.run("rtpreddec pt=63", caps, buffers(packets, 48_000, 63))
        decoded = [RtpPacket.parse(buffer.data) for buffer in out]
        assert [packet.payload for packet in decoded] == one.frames
        assert {packet.payload_type for packet in decoded} == {111}
        assert [packet.timestamp for packet in decoded] == [index * one.ticks for index in range(len(one.frames))]


@pytest.mark.parametrize("distance", [0, 1, 2])
def test_we_take_every_frame_out_of_the_red_of_gstreamer(gstreamer: GStreamer, distance: int) -> None:
    one = sounds()["opus"]
    caps = "application/x-rtp,media=audio,clock-rate=48000,encoding-name=OPUS,payload=111"
    out = gstreamer.run(f"rtpredenc pt=63 distance={distance}", caps, buffers(sound_packets(one), 48_000, 111))
    packets = [RtpPacket.parse(buffer.data) for buffer in out]
    assert {packet.payload_type for packet in packets} == {63}
    assert [frame.data for frame in push_all(payload_format("red").depacketizer(), packets)] == one.frames
    rest = [packet for index, packet in enumerate(packets) if index % 5 != 1]
    depacketizer = payload_format("red").depacketizer()
    frames = push_all(depacketizer, rest) + depacketizer.flush()
    expected = one.frames if distance else [data for index, data in enumerate(one.frames) if index % 5 != 1]
    assert [frame.data for frame in frames] == expected
    assert all(frame.facts.payload_type == 111 for frame in frames)
    assert sum(frame.facts.recovered for frame in frames) == (len(packets) - len(rest) if distance else 0)


# --- telephone events -----------------------------------------------------------------------------------------------

EVENT_CAPS = "application/x-rtp,media=audio,clock-rate=8000,encoding-name=TELEPHONE-EVENT,payload=101"


def test_gstreamer_hears_the_keys_that_we_press(gstreamer: GStreamer) -> None:
    sender = TelephoneEventSender()
    sender.send_tones("159D*0#", 0.0, duration=0.2)
    sent: list[Buffer] = []
    now = 0.0
    while sender.next_timeout() < 60:
        now = max(now, sender.next_timeout())
        for one in sender.poll_transmits(now):
            packet = RtpPacket(
                payload_type=101,
                sequence_number=65_530 + len(sent) & 0xFFFF,
                timestamp=one.timestamp,
                marker=one.marker,
                payload=one.payload,
            )
            sent.append(Buffer(int(now * 1e9), packet.serialize()))
    keys = [1, 5, 9, 15, 10, 0, 11]
    for packets in (sent, [one for one in sent for _ in range(2)], sent[:3] + sent[4:]):
        posted = gstreamer.messages("rtpdtmfdepay", EVENT_CAPS, packets)
        assert [one["number"] for one in posted] == keys
        assert {one["volume"] for one in posted} == {10}
    played = gstreamer.run("rtpdtmfdepay", EVENT_CAPS, sent)
    assert sum(len(one.data) for one in played) == len(keys) * 1600 * 2  # 0.2 s of 16-bit sound each


def test_we_hear_the_keys_that_gstreamer_presses(gstreamer: GStreamer) -> None:
    elements = "rtpdtmfsrc pt=101 clock-rate=8000 timestamp-offset=0 seqnum-offset=65530 num-buffers=16"
    packets = [RtpPacket.parse(out.data) for out in gstreamer.tones(elements, [1, 11, 3])]
    for arriving in (packets, [one for one in packets for _ in range(2)], packets[:3] + packets[4:]):
        receiver = TelephoneEventReceiver(8000)
        heard = [event for packet in arriving for event in receiver.push(packet)]
        assert [event.event for event in heard if isinstance(event, EventStarted)][:2] == [1, 11]
        ended = [event for event in heard if isinstance(event, EventEnded)]
        assert [event.event for event in ended][:2] == [1, 11]
        assert all(event.volume == 10 and event.duration >= 800 and not event.end_lost for event in ended)
