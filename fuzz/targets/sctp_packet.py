"""`sctp.Packet.parse`: a packet or a `ParseError`; what was parsed encodes to something that parses to the same.

The checksum is made right before parsing, or nothing but it would be tested.
"""

from __future__ import annotations

from crc32c import crc32c

from webrtc_stack import sctp
from webrtc_stack.errors import ParseError

_CHUNKS: tuple[sctp.Chunk, ...] = (
    sctp.DataChunk(tsn=1, stream_id=2, stream_sequence_number=3, ppid=51, data=b"hello"),
    sctp.InitChunk(
        initiate_tag=1,
        advertised_receiver_window=65536,
        outbound_streams=65535,
        inbound_streams=65535,
        initial_tsn=9,
        parameters=(sctp.Parameter(0xC000, b""), sctp.Parameter(0x8008, b"\x82\xc0")),
    ),
    sctp.SackChunk(
        cumulative_tsn_ack=7, advertised_receiver_window=9, gap_ack_blocks=((2, 3), (5, 9)), duplicate_tsns=(7,)
    ),
    sctp.HeartbeatChunk(parameters=(sctp.Parameter(1, b"info"),)),
    sctp.AbortChunk(parameters=(sctp.Parameter(12, b"bye"),)),
    sctp.ForwardTsnChunk(new_cumulative_tsn=5, streams=((1, 2), (3, 4))),
    sctp.ReConfigChunk(parameters=(sctp.Parameter(13, bytes(14)), sctp.Parameter(16, bytes(8)))),
    sctp.ShutdownChunk(cumulative_tsn_ack=1),
    sctp.CookieEchoChunk(cookie=b"cookie"),
)
SEEDS: list[bytes] = [
    sctp.Packet(source_port=5000, destination_port=5000, verification_tag=1, chunks=(chunk, chunk)).serialize()
    for chunk in _CHUNKS
]


def fuzz_one(data: bytes) -> None:
    if len(data) >= 12:
        bare = data[:8] + bytes(4) + data[12:]
        data = data[:8] + crc32c(bare).to_bytes(4, "little") + data[12:]
    try:
        packet = sctp.Packet.parse(data)
    except ParseError:
        return
    assert sctp.Packet.parse(packet.serialize()) == packet
