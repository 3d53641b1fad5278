"""The middle of frames, which is what most packets are: next in sequence, same timestamp, no marker, nothing held."""

from __future__ import annotations

from typing import Any

from .base import DepacketizerConfig, EncodedFrame, RtpPacketLike


class PacketRun:
    """The state of a depacketizer that is looked at for every packet, and the packets that need nothing else.

    `_push` takes all others; it is the subclass's.
    """

    def __init__(self, config: DepacketizerConfig) -> None:
        self._max_bytes = config.max_frame_bytes
        self._max_packets = config.max_frame_packets
        self._packets = 0
        """Packets that were pushed."""
        self._expected = -1
        """The sequence number that comes next; -1 before the first packet."""
        self._held: dict[int, Any] = {}
        """Packets that came early, by sequence number."""
        self._timestamp = 0
        self._run: list[bytes] = []
        """The payloads of the frame in progress, `_run_bytes` together."""
        self._run_bytes = 0

    def push(self, packet: RtpPacketLike) -> list[EncodedFrame]:
        """Takes one packet, in any order, and returns the frames that are complete by it. Never raises."""
        self._packets += 1
        run = self._run
        sequence = packet.sequence_number
        if run and sequence == self._expected and packet.timestamp == self._timestamp and not packet.marker:
            payload = packet.payload
            size = self._run_bytes + len(payload)
            if payload and not self._held and size <= self._max_bytes and len(run) < self._max_packets:
                self._expected = (sequence + 1) & 0xFFFF
                run.append(payload)
                self._run_bytes = size
                return []
        return self._push(packet)

    def push_many(self, packets: list[RtpPacketLike]) -> list[EncodedFrame]:
        """`push` for a burst."""
        frames: list[EncodedFrame] = []
        for packet in packets:
            frames += self.push(packet)
        return frames

    def _push(self, packet: RtpPacketLike) -> list[EncodedFrame]:
        raise NotImplementedError
