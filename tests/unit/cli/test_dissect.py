"""Packets in words."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack import datachannel, sctp, stun
from webrtc_stack.base import Address
from webrtc_stack.cli.pcap.dissect import describe
from webrtc_stack.cli.pcap.network import SCTP, UDP, Payload, unwrap
from webrtc_stack.errors import ParseError

HERE, THERE = Address("10.0.0.1", 1), Address("10.0.0.2", 2)


def line(data: bytes, protocol: int = UDP) -> str:
    return "; ".join(map(str, describe(Payload(protocol, HERE, THERE, data))))


def packet(*chunks: sctp.DataChunk | sctp.SackChunk | sctp.AbortChunk | sctp.ReConfigChunk) -> str:
    made = sctp.Packet(source_port=5000, destination_port=5000, verification_tag=1, chunks=chunks)
    return line(made.serialize(), SCTP)


def test_stun_attributes_are_shown_by_name_and_value() -> None:
    message = stun.Message(
        message_class=stun.MessageClass.REQUEST,
        transaction_id=b"abcdefghijkl",
        attributes=(
            stun.Attribute(stun.AttributeType.USERNAME, "them:us"),
            stun.Attribute(stun.AttributeType.USE_CANDIDATE),
            stun.Attribute(0xC070, b"\x01\x02"),
        ),
    )
    text = line(message.serialize(b"key"))
    assert text.startswith("STUN Binding request 61626364")
    assert "USERNAME=them:us, USE-CANDIDATE, 0xc070=0102, MESSAGE-INTEGRITY, FINGERPRINT" in text


def test_an_error_response_shows_code_and_reason() -> None:
    request = stun.Message(message_class=stun.MessageClass.REQUEST, transaction_id=bytes(12))
    assert "ERROR-CODE=487 Role Conflict" in line(request.failure(487).serialize())


def test_alerts_and_sealed_records_are_told_apart() -> None:
    alert = struct.pack("!BHQH", 21, 0xFEFD, 0, 2) + b"\x02\x28"
    sealed = struct.pack("!BHQH", 23, 0xFEFD, 1 << 48 | 7, 3) + b"abc"
    unified = b"\x2f\x00\x01\x00\x02ab"
    assert line(alert + sealed) == (
        "DTLS alert fatal handshake_failure; DTLS application data epoch 1 number 7, 3 bytes"
    )
    assert "DTLS 1.3 record" in line(unified)


def test_data_is_shown_with_its_kind_and_piece() -> None:
    whole = sctp.DataChunk(tsn=9, stream_id=3, stream_sequence_number=4, ppid=51, data="héllo\x1b".encode())
    piece = sctp.DataChunk(tsn=10, stream_id=3, stream_sequence_number=0, ppid=53, data=b"xx", flags=4 | 2)
    text = packet(whole, piece)
    assert "SCTP DATA tsn 9, stream 3 #4, text, 7 bytes “héllo\\x1b”" in text
    assert "SCTP DATA tsn 10, stream 3 unordered, first piece, binary, 2 bytes" in text


def test_data_channel_messages_are_opened() -> None:
    opening = datachannel.DataChannelOpen(label="chat", ordered=False, max_retransmits=2, protocol="json").serialize()
    text = packet(sctp.DataChunk(tsn=1, stream_id=1, stream_sequence_number=0, ppid=50, data=opening))
    assert "DCEP OPEN tsn 1, stream 1 #0, “chat” unordered, at most 2 retransmissions, protocol “json”" in text
    broken = packet(sctp.DataChunk(tsn=1, stream_id=1, stream_sequence_number=0, ppid=50, data=b"\x09"))
    assert broken.startswith("DCEP unreadable")


def test_gaps_and_duplicates_of_a_sack_are_shown() -> None:
    sack = sctp.SackChunk(
        cumulative_tsn_ack=100, advertised_receiver_window=65536, gap_ack_blocks=((2, 4),), duplicate_tsns=(99, 98)
    )
    assert packet(sack) == "SCTP SACK up to 100, window 64.0 KiB, and +2..+4, 2 duplicates"


def test_resets_and_aborts_say_why() -> None:
    reset = struct.pack("!III", 1, 2, 3) + struct.pack("!HH", 5, 7)
    text = packet(sctp.ReConfigChunk(parameters=(sctp.Parameter(13, reset),)))
    assert "outgoing ssn reset request of [5, 7]" in text
    text = packet(sctp.AbortChunk(parameters=(sctp.Parameter(12, b"bye"),)))
    assert text == "SCTP ABORT user initiated abort “bye”"


def test_other_protocols_of_rfc_7983_are_named() -> None:
    assert line(b"\x80\xe0\x00\x05" + bytes(8)).startswith("RTP type 96, sequence 5")
    assert line(b"\x81\xc9" + bytes(10)) == "RTCP type 201, 12 bytes"
    assert line(b"\x40\x01\x00\x00") == "TURN ChannelData channel 0x4001, 0 bytes"
    assert line(b"\xff") == "unknown 1 bytes, first byte 255"
    assert line(b"") == "empty datagram"


def test_a_wrong_checksum_is_said() -> None:
    assert "CRC32c" in line(bytes(16), SCTP)


@pytest.mark.parametrize(
    ("link_type", "frame", "words"),
    [
        (999, b"", "link type 999"),
        (1, bytes(12) + b"\x08\x06" + bytes(28), "not IP"),
        (101, b"\x45" + bytes(5), "cut off"),
        (101, bytes((0x45, 0, 0, 40, 0, 0, 0, 9)) + bytes(32), "later fragment"),
        (101, bytes((0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6)) + bytes(30), "TCP"),
        (1, b"\x81\x00" * 60, "VLAN"),
    ],
)
def test_frames_that_hold_no_datagram_are_refused_with_the_reason(link_type: int, frame: bytes, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        unwrap(link_type, frame)


@settings(max_examples=300)
@given(st.sampled_from([UDP, SCTP]), st.binary(max_size=200))
def test_any_payload_is_described_in_printable_words(protocol: int, data: bytes) -> None:
    parts = describe(Payload(protocol, HERE, THERE, data))
    assert parts
    assert all(str(part).isprintable() for part in parts)


@settings(max_examples=300)
@given(st.sampled_from([0, 1, 101, 113, 276]), st.binary(max_size=120))
def test_any_frame_is_a_payload_or_a_parse_error(link_type: int, frame: bytes) -> None:
    try:
        unwrap(link_type, frame)
    except ParseError:
        pass
