"""Depacketizers of the audio formats and the telephone-event receiver, fed a stream: nothing is raised, no frame comes
twice, and what is held stays within the window.

An input is a list of packets: step of the sequence number (signed byte), step of the time stamp in units of 80
(byte), marker and length (byte), payload.
"""

from __future__ import annotations

from webrtc_stack.packetization import DepacketizerConfig, payload_format
from webrtc_stack.packetization.audio import OrderedDepacketizer
from webrtc_stack.packetization.red import RedPacketizer
from webrtc_stack.packetization.telephone_event import TelephoneEventReceiver
from webrtc_stack.rtp import RtpPacket

COUNT = 1500
NAMES = ("opus", "pcma", "l16", "cn", "telephone-event", "red")


def _line(payload: bytes, *, step: int = 1, ticks: int = 12) -> bytes:
    return bytes((step & 0xFF, ticks, len(payload) & 0x7F)) + payload


def _red() -> bytes:
    packetizer = RedPacketizer(payload_type=111, distances=(1, 2))
    payloads = [packetizer.packetize(b"\x08" + bytes((n,)))[0] for n in range(6)]
    return b"".join(_line(one, step=2 if n == 3 else 1) for n, one in enumerate(payloads))


SEEDS: list[bytes] = [
    b"".join(_line(b"\x08\x40abc") for _ in range(5)),
    _line(b"ab") + _line(b"ab", step=3) + _line(b"ab", step=-1) + _line(b"ab", step=-1) + _line(b"ab", step=4),
    _line(bytes.fromhex("018a0190")) + _line(bytes.fromhex("018a0190"), ticks=0) + _line(bytes.fromhex("020a0190")),
    _red(),
]


def fuzz_one(data: bytes) -> None:
    config = DepacketizerConfig(reorder_packets=8)
    depacketizers = [payload_format(name).depacketizer(config) for name in NAMES]
    receiver = TelephoneEventReceiver()
    sequence, timestamp, at = 65_530, 0, 0
    given: dict[str, set[tuple[int, int]]] = {name: set() for name in NAMES}
    while at + 3 <= len(data):
        step, ticks, size = data[at], data[at + 1], data[at + 2]
        sequence = (sequence + step - (256 if step > 127 else 0)) & 0xFFFF
        timestamp = (timestamp + ticks * 80) & 0xFFFFFFFF
        end = at + 3 + (size & 0x7F)
        packet = RtpPacket(sequence_number=sequence, timestamp=timestamp, marker=size > 127, payload=data[at + 3 : end])
        at = end
        for name, depacketizer in zip(NAMES, depacketizers, strict=True):
            assert isinstance(depacketizer, OrderedDepacketizer)
            for frame in depacketizer.push(packet):
                key = (frame.first_sequence_number, frame.timestamp)
                if name != "red" and not depacketizer.counters.resets:
                    assert key not in given[name]
                given[name].add(key)
            assert len(depacketizer._held) <= config.reorder_packets + 1
        receiver.push(packet)
        receiver.advance(timestamp)
    for depacketizer in depacketizers:
        depacketizer.flush()
