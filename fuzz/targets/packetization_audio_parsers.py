"""The parsers of the audio formats: any bytes give a value that writes back what it means, or a `ParseError`."""

from __future__ import annotations

from webrtc_stack.errors import ParseError
from webrtc_stack.packetization.comfort_noise import ComfortNoise
from webrtc_stack.packetization.opus import parse_packet
from webrtc_stack.packetization.red import parse_red, write_red
from webrtc_stack.packetization.telephone_event import TelephoneEvent, format_event_ranges, parse_event_ranges

SEEDS: list[bytes] = [
    bytes.fromhex("08c0010203"),
    bytes.fromhex("0b8201aabbcc"),
    bytes.fromhex("83ff0005"),
    bytes.fromhex("ef0f00036faabbccdd"),
    bytes.fromhex("018a03c0"),
    bytes.fromhex("407f00fe"),
    b"0-15,66,70",
    b"",
]


def fuzz_one(data: bytes) -> None:
    try:
        facts = parse_packet(data)
        assert facts.first_frame + sum(facts.frame_sizes) <= len(data)
        assert 0 < facts.ticks <= 5760
    except ParseError:
        pass  # what is promised
    try:
        assert write_red(parse_red(data)) == data
    except ParseError:
        pass  # what is promised
    try:
        reports = TelephoneEvent.parse_all(data)
        assert tuple(TelephoneEvent.parse(one.serialize()) for one in reports) == reports
    except ParseError:
        pass  # what is promised
    try:
        noise = ComfortNoise.parse(data)
        assert ComfortNoise.parse(noise.serialize()) == noise
    except ParseError:
        pass  # what is promised
    try:
        events = parse_event_ranges(data.decode("latin-1"))
        assert parse_event_ranges(format_event_ranges(events)) == events
    except ParseError:
        pass  # what is promised
