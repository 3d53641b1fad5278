"""Opus packets: the TOC, the frames, FEC and silence, and the way through a depacketizer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import vectors
from webrtc_stack.errors import InvalidArgumentError, ParseError
from webrtc_stack.packetization import DepacketizerConfig, payload_format
from webrtc_stack.packetization.opus import (
    TOCS,
    OpusFormat,
    OpusParameters,
    parse_packet,
    recoverable_ticks,
    timestamp_step,
)
from webrtc_stack.rtp import RtpPacket

CASES = vectors.cases("packetization_audio/opus_packets.json")


@pytest.mark.parametrize("case", [one for one in CASES if one["kind"] == "toc"], ids=lambda case: str(case["id"]))
def test_every_first_byte_reads_as_libopus_reads_it(case: dict[str, object]) -> None:
    toc = TOCS[int(str(case["toc"]))]
    assert case["expect"] == {
        "config": toc.config,
        "mode": toc.mode,
        "bandwidth": toc.bandwidth,
        "frame_us": toc.frame_us,
        "stereo": toc.stereo,
    }


@pytest.mark.parametrize("case", [one for one in CASES if one["kind"] == "packet"], ids=lambda case: str(case["id"]))
def test_packets_split_or_are_refused_as_by_libopus(case: dict[str, object]) -> None:
    data = bytes.fromhex(str(case["hex"]))
    if case.get("error"):
        with pytest.raises(ParseError):
            parse_packet(data)
        with pytest.raises(InvalidArgumentError):
            payload_format("opus").packetizer(4000).packetize(data)
        return
    facts = parse_packet(data)
    assert case["expect"] == {"frame_sizes": list(facts.frame_sizes), "duration_us": facts.duration_us}
    assert timestamp_step(data) == facts.ticks == facts.duration_us * 48 // 1000


@pytest.mark.parametrize(
    ("toc", "first", "fec", "voice"),
    [
        (0x08, 0b1100_0000, True, True),  # SILK 20 ms mono: VAD, LBRR
        (0x08, 0b1000_0000, False, True),
        (0x08, 0b0100_0000, True, False),
        (0x10, 0b0010_0000, True, False),  # 40 ms: two VAD bits before LBRR
        (0x18, 0b0001_0000, True, False),  # 60 ms: three
        (0x18, 0b0010_0000, False, True),
        (0x0C, 0b0001_0000, True, False),  # 20 ms stereo: the side's LBRR
        (0x0C, 0b0010_0000, False, True),  # and the side's VAD
        (0x78, 0b0100_0000, True, False),  # hybrid 20 ms
        (0xF8, 0b1111_1111, False, None),  # CELT has neither
    ],
)
def test_fec_and_voice_are_read_from_the_first_bits(toc: int, first: int, fec: bool, voice: bool | None) -> None:
    facts = parse_packet(bytes((toc, first, 0)))
    assert (facts.has_fec, facts.voice) == (fec, voice)


def test_fec_brings_back_one_frame_of_the_lost_packet() -> None:
    with_fec, without = bytes((0x08, 0x40, 1)), bytes((0x08, 0x80, 1))
    assert recoverable_ticks(with_fec) == 960
    assert recoverable_ticks(without) == 0
    assert recoverable_ticks(with_fec, 2880) == 960, "a longer packet comes back in part"
    assert recoverable_ticks(bytes((0x10, 0x20, 1)), 960) == 960, "never more than was lost"


@pytest.mark.parametrize(
    ("data", "silent"), [("08", True), ("0800", True), ("080000", False), ("0b8200", True), ("0b82020000", False)]
)
def test_silence_is_known_by_its_size(data: str, silent: bool) -> None:
    assert parse_packet(bytes.fromhex(data)).is_dtx is silent


def packet(sequence: int, payload: bytes = b"\x08\x40\x00", timestamp: int | None = None) -> RtpPacket:
    return RtpPacket(
        sequence_number=sequence & 0xFFFF,
        timestamp=(sequence * 960 if timestamp is None else timestamp) & 0xFFFFFFFF,
        payload=payload,
    )


def test_packets_leave_in_order_once_each_over_the_wrap() -> None:
    depacketizer = OpusFormat().depacketizer()
    frames = []
    for sequence in (65534, 65536, 65535, 65535, 65538, 65537, 65537):
        frames += depacketizer.push(packet(sequence))
    assert [frame.first_sequence_number for frame in frames] == [65534, 65535, 0, 1, 2]
    assert not any(frame.follows_loss for frame in frames)
    assert depacketizer.drops["late or doubled"] == 2
    assert depacketizer.counters.frames == 5


def test_after_a_loss_the_frame_says_whether_its_fec_helps() -> None:
    depacketizer = OpusFormat().depacketizer(DepacketizerConfig(reorder_packets=0))
    depacketizer.push(packet(1))
    (frame,) = depacketizer.push(packet(3))
    assert frame.follows_loss and frame.facts.recovers_loss
    (frame,) = depacketizer.push(packet(5, b"\x08\x80\x00"))
    assert frame.follows_loss and not frame.facts.recovers_loss
    (frame,) = depacketizer.push(packet(6))
    assert not frame.follows_loss and not frame.facts.recovers_loss


def test_a_gap_is_given_up_by_time_and_by_flush() -> None:
    depacketizer = OpusFormat().depacketizer(DepacketizerConfig(reorder_time=0.1))
    frames = list(depacketizer.push(packet(0)))
    counts = []
    for sequence in range(2, 9):
        frames += depacketizer.push(packet(sequence))
        counts.append(len(frames))
    assert counts == [1, 1, 1, 1, 6, 7, 8], "0.1 s are five packets"
    frames += depacketizer.push(packet(10))
    assert len(frames) == 8
    (last,) = depacketizer.flush()
    assert last.follows_loss
    assert depacketizer.counters.gaps == 2


def test_a_malformed_packet_counts_as_lost() -> None:
    depacketizer = OpusFormat().depacketizer()
    depacketizer.push(packet(0))
    assert depacketizer.push(packet(1, b"\x09\x00\x00\x00\x00" + bytes(5000))) == []
    assert depacketizer.push(packet(2, b"")) == [], "padding alone is no sound"
    (frame,) = depacketizer.push(packet(3))
    assert frame.follows_loss
    assert depacketizer.drops["malformed"] == 1


def test_a_sender_that_restarts_is_followed_and_a_stray_is_not() -> None:
    depacketizer = OpusFormat().depacketizer()
    depacketizer.push(packet(100))
    assert depacketizer.push(packet(30000)) == []
    assert len(depacketizer.push(packet(101))) == 1
    assert depacketizer.push(packet(20000)) == []
    first, second = depacketizer.push(packet(20001))
    assert (first.first_sequence_number, second.first_sequence_number) == (20000, 20001)
    assert first.follows_loss and not second.follows_loss
    assert depacketizer.counters.resets == 1


def test_parameters_are_read_with_their_defaults_and_written_back() -> None:
    made = payload_format("opus", minptime=10, useinbandfec=1, stereo="1", maxaveragebitrate=1_000_000)
    assert isinstance(made, OpusFormat)
    read = made.opus_parameters
    assert (read.minptime, read.useinbandfec, read.stereo, read.usedtx, read.ptime) == (10, True, True, False, 20)
    assert read.maxaveragebitrate == 510_000, "as much as there is"
    assert OpusParameters.from_fmtp({"sprop-stereo": "1"}).to_fmtp() == {"sprop-stereo": "1"}
    assert OpusParameters.from_fmtp({}).to_fmtp() == {}
    assert OpusParameters.from_fmtp(read.to_fmtp()) == read
    for bad in ({"stereo": "2"}, {"ptime": "x"}, {"ptime": "-1"}, {"maxptime": "9" * 4400}):
        with pytest.raises(InvalidArgumentError):
            OpusParameters.from_fmtp(bad)


def test_a_packet_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be cut"):
        OpusFormat().packetizer(100).packetize(b"\x08" + bytes(100))


@settings(max_examples=150)
@given(st.binary(max_size=80))
def test_whatever_is_read_lasts_at_most_120_ms_and_lies_inside_the_packet(data: bytes) -> None:
    try:
        facts = parse_packet(data)
    except ParseError:
        return
    assert 120 <= facts.ticks <= 5760
    assert facts.first_frame + sum(facts.frame_sizes) <= len(data)
    assert OpusFormat().packetizer().packetize(data) == [data]
