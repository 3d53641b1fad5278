"""Packets and chunks: others' packets decode and encode back to the same bytes, malformed ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import vectors
from webrtc_stack import sctp
from webrtc_stack.errors import ParseError
from webrtc_stack.sctp import Packet

BROWSER_PACKETS = [
    pytest.param(packet, id=f"{session['id']}-{at}")
    for session in vectors.load("sctp/browser_packets.json")["sessions"]
    for at, packet in enumerate(session["packets"])
]
AIORTC = {case["file"]: bytes.fromhex(case["hex"]) for case in vectors.cases("sctp/aiortc.json")}
REFUSED = {
    "sctp_data_truncated.bin": "length 8",
    "sctp_data_zero_length.bin": "length 0",
}


@pytest.mark.parametrize("packet", BROWSER_PACKETS)
def test_a_browser_packet_decodes_and_encodes_back(packet: dict[str, Any]) -> None:
    data = bytes.fromhex(packet["hex"])
    parsed = Packet.parse(data)
    assert parsed.serialize() == data
    expect = packet["expect"]
    assert parsed.source_port == expect["source_port"]
    assert parsed.verification_tag == expect["verification_tag"]
    assert len(parsed.chunks) == len(expect["chunks"])
    for chunk, want in zip(parsed.chunks, expect["chunks"], strict=True):
        kind = want["type"] if isinstance(want["type"], int) else sctp.ChunkType[want["type"]]
        assert chunk.type == kind
        assert chunk.flags == want["flags"]
        match chunk:
            case sctp.InitChunk():
                assert chunk.initiate_tag == want["tag"]
                assert chunk.initial_tsn == want["tsn"]
                assert chunk.advertised_receiver_window == want["a_rwnd"]
                assert [(p.type, p.value.hex()) for p in chunk.parameters] == [
                    (p["type"], p["value"]) for p in want["params"]
                ]
            case sctp.SackChunk():
                assert chunk.cumulative_tsn_ack == want["cum_tsn"]
            case sctp.DataChunk():
                assert chunk.tsn == want["tsn"]


@pytest.mark.parametrize("name", sorted(set(AIORTC) - set(REFUSED)))
def test_a_packet_of_another_stack_decodes_and_encodes_back(name: str) -> None:
    assert Packet.parse(AIORTC[name]).serialize() == AIORTC[name]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_malformed_packet_of_another_stack_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match=REFUSED[name]):
        Packet.parse(AIORTC[name])


def test_the_fields_of_other_stacks_packets_are_as_asserted_there() -> None:
    (sack,) = Packet.parse(AIORTC["sctp_sack.bin"]).chunks
    assert isinstance(sack, sctp.SackChunk)
    assert sack.cumulative_tsn_ack == 2222939037
    assert sack.gap_ack_blocks == ((2, 2), (4, 4))
    assert sack.duplicate_tsns == (2222939041,)
    (forward,) = Packet.parse(AIORTC["sctp_forward_tsn.bin"]).chunks
    assert isinstance(forward, sctp.ForwardTsnChunk)
    assert (forward.new_cumulative_tsn, forward.streams) == (1234, ((12, 34),))
    (data,) = Packet.parse(AIORTC["sctp_data.bin"]).chunks
    assert isinstance(data, sctp.DataChunk)
    assert (data.tsn, data.stream_id, data.ppid, data.data) == (2584679421, 1, 51, b"ping")
    (error,) = Packet.parse(AIORTC["sctp_error.bin"]).chunks
    assert isinstance(error, sctp.ErrorChunk)
    assert error.parameters == (sctp.Parameter(1, b"\x30\x39\0\0"),)
    (shutdown,) = Packet.parse(AIORTC["sctp_shutdown.bin"]).chunks
    assert shutdown == sctp.ShutdownChunk(cumulative_tsn_ack=2696426712)


def test_a_flipped_bit_anywhere_is_found_by_the_checksum() -> None:
    data = AIORTC["sctp_data_padding.bin"]
    for at in range(len(data) * 8):
        broken = bytearray(data)
        broken[at >> 3] ^= 1 << (at & 7)
        with pytest.raises(ParseError):
            Packet.parse(bytes(broken))


def test_the_padding_of_the_last_parameter_belongs_to_the_chunk() -> None:
    chunk = sctp.HeartbeatChunk(parameters=(sctp.Parameter(1, b"abc"), sctp.Parameter(2, b"defgh")))
    data = chunk.serialize()
    assert len(data) % 4 == 0
    assert int.from_bytes(data[2:4], "big") == 4 + 8 + 4 + 5
    assert sctp.parse_chunk(4, 0, data[4 : int.from_bytes(data[2:4], "big")]) == chunk


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (0, b"short"),
        (1, bytes(15)),
        (3, bytes(11)),
        (3, bytes(8) + b"\0\1\0\0"),
        (4, b"\0\1\0\2"),
        (4, b"\0\1\0\x09\0"),
        (7, b""),
        (8, b"x"),
        (11, b"x"),
        (14, b"x"),
        (192, b"abc"),
        (192, b"abcdef"),
    ],
)
def test_a_malformed_chunk_is_a_parse_error(kind: int, body: bytes) -> None:
    with pytest.raises(ParseError):
        sctp.parse_chunk(kind, 0, body)


def test_an_unknown_chunk_survives() -> None:
    chunk = sctp.parse_chunk(77, 5, b"abcde")
    assert chunk == sctp.UnknownChunk(type=77, flags=5, body=b"abcde")
    assert chunk.serialize() == bytes((77, 5, 0, 9)) + b"abcde\0\0\0"
