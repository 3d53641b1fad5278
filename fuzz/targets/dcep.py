"""DCEP messages: any bytes are a message or a `ParseError`, and what was read writes back to an equal value."""

from __future__ import annotations

from webrtc_stack.datachannel import DataChannelAck, DataChannelOpen, parse_message
from webrtc_stack.errors import ParseError

SEEDS: list[bytes] = [
    DataChannelAck().serialize(),
    DataChannelOpen(label="label", protocol="protocol").serialize(),
    DataChannelOpen(label="ä", ordered=False, max_retransmits=3, priority=0).serialize(),
    DataChannelOpen(max_packet_life_time=2**32 - 1, priority=65535).serialize(),
    b"",
]


def fuzz_one(data: bytes) -> None:
    try:
        message = parse_message(data)
    except ParseError:
        return
    assert parse_message(message.serialize()) == message
