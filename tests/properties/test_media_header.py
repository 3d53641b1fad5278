"""Header extension blocks: what is written in pieces reads as the `rtp` room reads it, and the two readers agree."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from webrtc_stack.errors import ParseError
from webrtc_stack.peer.media.header import ExtensionWriter, extension_map, read_elements
from webrtc_stack.rtp import RtpPacket, Uri

URIS = [Uri.MID, Uri.RID, Uri.TRANSPORT_CC, Uri.ABS_SEND_TIME, Uri.AUDIO_LEVEL, Uri.VIDEO_ORIENTATION, "urn:x:other"]


@settings(max_examples=300)
@given(
    numbers=st.lists(st.integers(1, 30), min_size=len(URIS), max_size=len(URIS), unique=True),
    chosen=st.sets(st.integers(0, len(URIS) - 1)),
    values=st.lists(st.binary(min_size=0, max_size=20), min_size=len(URIS), max_size=len(URIS)),
    allow_mixed=st.booleans(),
    wide=st.integers(0, 0xFFFF),
)
def test_blocks_read_as_they_were_written(
    numbers: list[int], chosen: set[int], values: list[bytes], allow_mixed: bool, wide: int
) -> None:
    ids = {numbers[n]: str(URIS[n]) for n in sorted(chosen)}
    mapping = extension_map(ids, allow_mixed=allow_mixed)
    writer = ExtensionWriter(mapping)
    fixed = {writer.transport_cc, writer.abs_send_time}
    elements = [(numbers[n], values[n]) for n in sorted(chosen) if numbers[n] not in fixed and numbers[n] != 15]
    block = writer.block(elements)
    wire = block.before + (wide.to_bytes(2, "big") if writer.transport_cc else b"")
    wire += (block.send_time_head + b"\1\2\3" if block.send_time_head else b"") + block.rest
    assert len(wire) == block.size and not block.size % 4
    data = struct.pack(">BBHII", 0x90 if block.size else 0x80, 96, 1, 2, 3) + wire + b"payload"
    packet = RtpPacket.parse(data, mapping)
    assert packet.payload == b"payload"
    found = dict(packet.extensions.elements)
    assert read_elements(data) == found
    expected = {number: value for number, value in elements if not mapping.one_byte or 0 < len(value) <= 16}
    if writer.transport_cc:
        expected[writer.transport_cc] = wide.to_bytes(2, "big")
    if writer.abs_send_time:
        expected[writer.abs_send_time] = b"\1\2\3"
    assert found == expected


@settings(max_examples=400)
@given(
    first=st.integers(0, 255),
    profile=st.sampled_from([0xBEDE, 0x1000, 0x100F, 0x1234, 0]),
    words=st.integers(0, 12),
    body=st.binary(max_size=48),
)
def test_damaged_blocks_read_the_same_in_both_readers(first: int, profile: int, words: int, body: bytes) -> None:
    csrcs = bytes(4 * (first & 15))
    data = struct.pack(">BBHII", 0x90 | first & 15, 96, 1, 2, 3) + csrcs + struct.pack(">HH", profile, words) + body
    found = read_elements(data)
    try:
        packet = RtpPacket.parse(data)
    except ParseError:
        assert found == {}
    else:
        assert found == dict(packet.extensions.elements)
