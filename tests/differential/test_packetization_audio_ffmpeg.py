"""G.711 and Opus against FFmpeg: the same bytes, the same durations, the same sound after the way through packets."""

from __future__ import annotations

import array
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from tests.support.programs import find_module
from webrtc_stack.packetization import DepacketizerConfig, payload_format
from webrtc_stack.packetization.audio import AudioPacketizer
from webrtc_stack.packetization.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from webrtc_stack.packetization.opus import OpusFacts, parse_packet
from webrtc_stack.packetization.red import RedPacketizer
from webrtc_stack.rtp import RtpPacket

av = find_module("av")

Convert = Callable[[bytes], bytes]
LAWS = [("pcm_mulaw", ulaw_encode, ulaw_decode), ("pcm_alaw", alaw_encode, alaw_decode)]


@pytest.mark.parametrize(("codec", "encode", "decode"), LAWS)
def test_g711_encodes_every_sample_as_ffmpeg_does(codec: str, encode: Convert, decode: Convert) -> None:
    pcm = array.array("h", range(-32768, 32768)).tobytes()
    encoder = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    frame = av.AudioFrame(format="s16", layout="mono", samples=65536)
    frame.planes[0].update(pcm)
    frame.sample_rate = 8000
    theirs = b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
    assert theirs == encode(pcm)


@pytest.mark.parametrize(("codec", "encode", "decode"), LAWS)
def test_g711_decodes_every_byte_as_ffmpeg_does(codec: str, encode: Convert, decode: Convert) -> None:
    codes = bytes(range(256))
    decoder = av.CodecContext.create(codec, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    frames = decoder.decode(av.Packet(codes))
    theirs = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in frames)
    assert theirs == decode(codes)


def sound(channels: int, samples: int) -> bytes:
    """A tone of changing height, with silence in the middle."""
    values = array.array("h")
    for at in range(samples):
        loud = 0 if samples // 3 < at < samples // 2 else 9000
        value = int(loud * math.sin(at * (0.02 + at / samples * 0.05)))
        values.extend([value] * channels)
    return values.tobytes()


def opus_packets(*, duration: str, application: str, bit_rate: int, channels: int, fec: bool = False) -> list[Any]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.bit_rate = 48_000, "s16", bit_rate
    encoder.layout = "stereo" if channels == 2 else "mono"
    encoder.options = {"application": application, "frame_duration": duration}
    if fec:
        encoder.options |= {"fec": "1", "packet_loss": "40"}
    encoder.time_base = Fraction(1, 48_000)
    pcm = sound(channels, 48_000)
    encoder.open()
    size = encoder.frame_size
    packets = []
    for at in range(0, 48_000 - size + 1, size):
        frame = av.AudioFrame(format="s16", layout=encoder.layout.name, samples=size)
        frame.planes[0].update(pcm[at * 2 * channels : (at + size) * 2 * channels])
        frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
        packets += encoder.encode(frame)
    return packets


@pytest.mark.parametrize("duration", ["2.5", "5", "10", "20", "40", "60"])
@pytest.mark.parametrize(
    ("application", "bit_rate", "channels"),
    [("voip", 16_000, 1), ("voip", 32_000, 2), ("audio", 96_000, 2), ("lowdelay", 64_000, 1)],
)
def test_durations_of_opus_packets_are_those_of_the_encoder(
    duration: str, application: str, bit_rate: int, channels: int
) -> None:
    packets = opus_packets(duration=duration, application=application, bit_rate=bit_rate, channels=channels)
    made = payload_format("opus")
    packetizer, depacketizer = made.packetizer(4000), made.depacketizer()
    assert isinstance(packetizer, AudioPacketizer)
    wanted = float(duration) * 48
    timestamp = 0
    assert len(packets) > 14
    for sequence, packet in enumerate(packets):
        data = bytes(packet)
        facts = parse_packet(data)
        assert facts.ticks == wanted
        if packet.duration:
            assert facts.ticks == packet.duration
        (payload,) = packetizer.packetize(data)
        (frame,) = depacketizer.push(RtpPacket(sequence_number=sequence, timestamp=timestamp, payload=payload))
        assert frame.data == data
        assert frame.timestamp == sequence * wanted
        timestamp += packetizer.timestamp_step(payload)


def test_the_fec_flag_is_set_when_the_encoder_was_asked_for_fec_and_only_then() -> None:
    with_fec, without = (
        [
            parse_packet(bytes(packet))
            for packet in opus_packets(duration="20", application="voip", bit_rate=20_000, channels=1, fec=fec)
        ]
        for fec in (True, False)
    )
    assert any(facts.has_fec for facts in with_fec)
    assert not any(facts.has_fec for facts in without)


def test_red_around_real_opus_hides_every_single_loss_from_the_decoder() -> None:
    packets = [bytes(one) for one in opus_packets(duration="20", application="voip", bit_rate=24_000, channels=1)]
    packetizer = RedPacketizer(payload_type=111)
    sent = []
    for sequence, data in enumerate(packets):
        (payload,) = packetizer.packetize(data)
        sent.append(RtpPacket(sequence_number=sequence, timestamp=sequence * 960, payload=payload))
    depacketizer = payload_format("red").depacketizer(DepacketizerConfig())
    kept = [packet for packet in sent if packet.sequence_number % 3 != 1 or packet is sent[-1]]
    out = [frame for packet in kept for frame in depacketizer.push(packet)]
    assert [frame.data for frame in out] == packets
    assert not any(frame.follows_loss for frame in out)
    assert all(isinstance(parse_packet(frame.data), OpusFacts) for frame in out)
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    samples = sum(frame.samples for one in out for frame in decoder.decode(av.Packet(one.data)))
    assert samples == len(packets) * 960
