"""G.711, G.722, L16 and comfort noise: bytes and samples, cutting and joining."""

from __future__ import annotations

import array
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.packetization import payload_format
from webrtc_stack.packetization.audio import AudioPacketizer, Chunker
from webrtc_stack.packetization.comfort_noise import ComfortNoise
from webrtc_stack.packetization.g711 import (
    PcmaFormat,
    PcmuFormat,
    alaw_decode,
    alaw_encode,
    ulaw_decode,
    ulaw_encode,
)
from webrtc_stack.packetization.g722 import G722Format
from webrtc_stack.packetization.l16 import L16Format, from_network, to_network
from webrtc_stack.rtp import RtpPacket

LAWS = [pytest.param(ulaw_encode, ulaw_decode, id="mu"), pytest.param(alaw_encode, alaw_decode, id="A")]


def samples(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "little", signed=True) for at in range(0, len(data), 2)]


@pytest.mark.parametrize(
    ("decode", "levels"),
    [
        (ulaw_decode, {0x00: -32124, 0x7F: 0, 0x80: 32124, 0xFF: 0, 0xFE: 8, 0xF0: 120}),
        (alaw_decode, {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0xD4: 24}),
    ],
    ids=["mu", "A"],
)
def test_known_levels_of_the_recommendation(decode: object, levels: dict[int, int]) -> None:
    assert callable(decode)
    assert samples(decode(bytes(levels))) == list(levels.values())


@pytest.mark.parametrize(("encode", "decode"), LAWS)
def test_every_code_survives_decoding_and_encoding(encode: object, decode: object) -> None:
    assert callable(encode) and callable(decode)
    codes = bytes(range(256))
    back = encode(decode(codes))
    # Mu-law has two zeros that decode alike; only one can come back.
    assert all(one == two or decode(bytes((one,))) == b"\0\0" for one, two in zip(codes, back, strict=True))


@pytest.mark.parametrize(("encode", "decode"), LAWS)
def test_encoding_takes_the_nearest_level_of_every_sample(encode: object, decode: object) -> None:
    assert callable(encode) and callable(decode)
    pcm = array.array("h", range(-32768, 32768))
    coded = samples(decode(encode(pcm.tobytes())))
    assert coded == sorted(coded), "louder in, never quieter out"
    levels = sorted(samples(decode(bytes(range(256)))))
    for value, got in list(zip(pcm, coded, strict=True))[::97]:
        nearest = min(abs(value - level) for level in levels)
        assert abs(value - got) <= nearest + 8, value  # judged in steps of 4, and levels are rounded


def test_an_odd_number_of_bytes_is_no_sound() -> None:
    for convert in (ulaw_encode, alaw_encode, to_network, from_network):
        with pytest.raises(InvalidArgumentError):
            convert(b"abc")


FORMATS = [
    pytest.param(PcmuFormat(), 1, 160, id="PCMU"),
    pytest.param(PcmaFormat({"ptime": "30"}), 1, 240, id="PCMA 30 ms"),
    pytest.param(G722Format(), 1, 160, id="G722"),
    pytest.param(L16Format(clock_rate=16_000), 2, 640, id="L16"),
    pytest.param(L16Format(channels=2), 4, 1176, id="L16 44100 stereo, in three"),
]


@pytest.mark.parametrize(("made", "unit", "size"), FORMATS)
def test_sound_is_cut_into_packet_times_and_joins_again(
    made: PcmuFormat | G722Format | L16Format, unit: int, size: int
) -> None:
    packetizer = made.packetizer()
    sound = bytes(itertools.islice(itertools.cycle(range(251)), 5000 * unit))
    payloads = packetizer.packetize(sound)
    assert {len(one) for one in payloads[:-1]} == {size}
    assert 0 < len(payloads[-1]) <= size <= 1200
    depacketizer = made.depacketizer()
    timestamp, frames = 7, []
    for sequence, payload in enumerate(payloads):
        packet = RtpPacket(sequence_number=sequence, timestamp=timestamp, payload=payload)
        frames += depacketizer.push(packet)
        timestamp += packetizer.timestamp_step(payload)
    assert b"".join(frame.data for frame in frames) == sound
    assert timestamp == 7 + 5000
    assert packetizer.packetize(b"") == []


def test_a_packet_time_that_does_not_fit_is_cut_evenly() -> None:
    packetizer = L16Format(clock_rate=48_000, channels=2).packetizer()
    sizes = [len(one) for one in packetizer.packetize(bytes(3840))]
    assert sizes == [960, 960, 960, 960]
    with pytest.raises(InvalidArgumentError):
        L16Format(channels=2).packetizer(3)
    with pytest.raises(InvalidArgumentError):
        packetizer.packetize(bytes(3))


def test_half_a_sample_is_dropped_by_the_receiver() -> None:
    depacketizer = L16Format(channels=2).depacketizer()
    assert depacketizer.push(RtpPacket(payload=bytes(6))) == []
    assert depacketizer.drops["malformed"] == 1


def test_network_order_is_big_endian() -> None:
    native = array.array("h", [1, -2]).tobytes()
    assert to_network(native) == b"\x00\x01\xff\xfe"
    assert from_network(to_network(native)) == native


def test_odd_rates_and_channels_are_refused() -> None:
    for wrong in (
        {"clock_rate": 10},
        {"channels": 0},
        {"ptime": "0"},
        {"ptime": "long"},
    ):
        with pytest.raises(InvalidArgumentError):
            payload_format("L16", **wrong)
    with pytest.raises(InvalidArgumentError):
        payload_format("PCMU", clock_rate=16_000)
    with pytest.raises(InvalidArgumentError):
        payload_format("CN", channels=2)
    assert payload_format("g722").clock_rate == 8000


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 40))
def test_a_chunker_keeps_every_byte_in_order(pieces: list[bytes], size: int) -> None:
    chunker = Chunker(size)
    out: list[bytes] = []
    for piece in pieces:
        out += chunker.push(piece)
        assert chunker.pending_bytes < size
    assert all(len(one) == size for one in out)
    assert b"".join(out) + chunker.flush() == b"".join(pieces)
    assert chunker.flush() == b""


def test_comfort_noise_is_a_level_and_coefficients() -> None:
    noise = ComfortNoise.parse(b"\xc0\x7f\x00\xfe")
    assert noise == ComfortNoise(level=64, spectrum=b"\x7f\x00\xfe"), "the top bit of the level is ignored"
    assert noise.serialize() == b"\x40\x7f\x00\xfe"
    middle, low, high = noise.reflection_coefficients
    assert middle == 0 and low == pytest.approx(-0.99994, abs=1e-4) and high == -low
    assert ComfortNoise.from_coefficients(64, noise.reflection_coefficients) == noise
    assert ComfortNoise.from_coefficients(1, [1.0, -1.0]).spectrum == b"\xfe\x00"
    with pytest.raises(ParseError):
        ComfortNoise.parse(b"")
    with pytest.raises(ParseError):
        ComfortNoise.parse(b"\x01\xff")
    for wrong in (ComfortNoise(level=128), ComfortNoise(level=-1), ComfortNoise(level=1, spectrum=b"\xff")):
        with pytest.raises(InvalidArgumentError):
            wrong.serialize()
    with pytest.raises(InvalidArgumentError):
        ComfortNoise.from_coefficients(1, [1.5])


def test_comfort_noise_passes_through_its_format() -> None:
    made = payload_format("CN", clock_rate=16_000)
    packetizer = made.packetizer()
    assert isinstance(packetizer, AudioPacketizer)
    (payload,) = packetizer.packetize(b"\x22\x10")
    (frame,) = made.depacketizer().push(RtpPacket(payload=payload, timestamp=5))
    assert frame.facts == ComfortNoise(level=34, spectrum=b"\x10")
    assert packetizer.timestamp_step(payload) == 0
    for wrong in (b"", bytes(1201), b"\x01\xff"):
        with pytest.raises(InvalidArgumentError):
            packetizer.packetize(wrong)


@settings(max_examples=60)
@given(st.integers(0, 127), st.binary(max_size=40).filter(lambda data: 255 not in data))
def test_comfort_noise_comes_back_as_written(level: int, spectrum: bytes) -> None:
    noise = ComfortNoise(level=level, spectrum=spectrum)
    assert ComfortNoise.parse(noise.serialize()) == noise
    assert ComfortNoise.from_coefficients(level, noise.reflection_coefficients) == noise
