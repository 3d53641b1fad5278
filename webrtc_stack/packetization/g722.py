"""G.722: the payload format. The codec itself is not here.

G.722 samples at 16 kHz, yet its RTP clock runs at 8000 Hz: the first RFC said so by mistake and everybody kept it. At
64 kbit/s one byte holds two samples, so one byte is one tick, and a packet of 20 ms has 160 bytes like G.711.

Spec: RFC 3551 section 4.5.2. Left out: 56 and 48 kbit/s, which RTP does not tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from .audio import AudioPacketizer, SampleDepacketizer, SamplePacketizer, packet_ticks
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    PayloadFormat,
)

SAMPLE_RATE = 16_000
SAMPLES_PER_TICK = 2


class G722Format(PayloadFormat):
    """G722, static payload type 9. `ptime` (ms, default 20) is the length of a payload."""

    encoding_name = "G722"
    kind = "audio"
    clock_rate = 8000
    sample_rate = SAMPLE_RATE

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        super().__init__(parameters)
        self._ticks = packet_ticks(self)

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> AudioPacketizer:
        return SamplePacketizer(ticks=self._ticks, unit=1, max_payload_bytes=max_payload_bytes)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        return SampleDepacketizer(config, self.clock_rate)
