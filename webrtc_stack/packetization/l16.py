"""L16: plain 16-bit sound in network order.

Spec: RFC 3551 section 4.5.11 (samples of one instant lie together, left first), static payload types 10 and 11 at
44,100 Hz. Left out: L8, L20, L24, and channel orders other than that of RFC 3551 section 4.1.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping

from ..errors import InvalidArgumentError
from .audio import AudioPacketizer, RatedAudioFormat, SampleDepacketizer, SamplePacketizer, packet_ticks
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
)


def to_network(pcm: bytes) -> bytes:
    """Signed 16-bit samples of this machine's byte order as L16. Errors: `InvalidArgumentError` for an odd length."""
    return _swapped(pcm)


def from_network(data: bytes) -> bytes:
    """L16 as samples of this machine's byte order. Errors: `InvalidArgumentError` for an odd length."""
    return _swapped(data)


def _swapped(data: bytes) -> bytes:
    if len(data) % 2:
        raise InvalidArgumentError(f"{len(data)} bytes are no whole number of 16-bit samples")
    if sys.byteorder == "big":
        return data
    samples = array("H", data)
    samples.byteswap()
    return samples.tobytes()


class L16Format(RatedAudioFormat):
    """L16 at any rate with any number of channels. Frames are payloads: big-endian, channels interleaved.

    `ptime` (ms, default 20) is the length of a payload; where it does not fit, a packet time is cut evenly.
    """

    encoding_name = "L16"
    clock_rate = 44_100
    clock_rates = range(1000, 384_001)
    channel_counts = range(1, 33)

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        clock_rate: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(parameters, clock_rate=clock_rate, channels=channels)
        self._ticks = packet_ticks(self)

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> AudioPacketizer:
        return SamplePacketizer(ticks=self._ticks, unit=2 * self.channels, max_payload_bytes=max_payload_bytes)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        return SampleDepacketizer(config, self.clock_rate, 2 * self.channels)
