"""Video frames to RTP payloads and back, without a socket or a codec: a stream that loses a packet.

Shown: one payload format's two directions, what a loss costs (with and without temporal layers), and how two H.264
formats are compared. The frames are made up: a header that tells key frames from others, and filler.

Run: `python -m webrtc_stack.examples.packetization_alone`
"""

from __future__ import annotations

from typing import NamedTuple

from webrtc_stack import packetization


class Packet(NamedTuple):
    """What a depacketizer reads of a packet; `rtp.RtpPacket` has it too."""

    sequence_number: int
    timestamp: int
    marker: bool
    payload: bytes


def vp8_frame(index: int, size: int) -> bytes:
    head = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00" if index % 8 == 0 else b"\x11\x02\x00"
    return head + bytes([index + 1]) * size


def make_stream(layered: bool) -> list[Packet]:
    """Twelve frames, a key frame each eight; layered: every other frame is in temporal layer 1."""
    packetizer = packetization.Vp8Format().packetizer(500, first_picture_id=0)
    packets: list[Packet] = []
    for index in range(12):
        tid = index % 2 if layered else None
        payloads = packetizer.packetize(vp8_frame(index, 1500 if index % 8 == 0 else 700), tid=tid)
        for at, payload in enumerate(payloads):
            packets.append(Packet(len(packets), index * 3000, at == len(payloads) - 1, payload))
    return packets


def show_sizes(packets: list[Packet]) -> None:
    for timestamp in (0, 3000):
        sizes = [len(packet.payload) for packet in packets if packet.timestamp == timestamp]
        print(f"  the frame at {timestamp}: payloads of {sizes} bytes")


def receive(packets: list[Packet], lost: int) -> None:
    """Gives all packets but one to a depacketizer, two of them in the wrong order."""
    config = packetization.DepacketizerConfig(reorder_packets=8)
    depacketizer = packetization.payload_format("VP8").depacketizer(config)
    arriving = [packet for packet in packets if packet.sequence_number != lost]
    arriving[1], arriving[2] = arriving[2], arriving[1]
    shown = []
    for packet in arriving:
        for frame in depacketizer.push(packet):
            kind = "K" if frame.keyframe else "d"
            shown.append(f"{kind}{frame.timestamp // 3000}{'!' if frame.follows_loss else ''}")
    print(f"  frames (K key, ! after a loss): {' '.join(shown)}")
    print(f"  dropped packets by reason: {depacketizer.drops.by_reason}")


def main() -> None:
    print("VP8, one temporal layer, a packet of frame 3 lost: frames wait for the next key frame")
    packets = make_stream(layered=False)
    show_sizes(packets)
    lost = next(packet.sequence_number for packet in packets if packet.timestamp == 9000)
    receive(packets, lost)
    print("VP8, two temporal layers, the same loss: layer 0 goes on")
    receive(make_stream(layered=True), lost)
    ours = {"profile_level_id": "42e034", "packetization_mode": "1"}
    theirs = {"profile_level_id": "42c01f", "packetization_mode": "1"}
    print(f"H.264 {ours['profile_level_id']} and {theirs['profile_level_id']}:")
    print(f"  {packetization.ProfileLevelId.parse('42c01f')}")
    print(f"  one format: {packetization.same_h264_format(ours, theirs)}")
    print(f"  an answer says {packetization.answer_profile_level_id(ours, theirs)}")


if __name__ == "__main__":
    main()
