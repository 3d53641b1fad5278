"""G.722: the payload format. The codec itself is not here.

G.722 samples at 16 kHz, yet its RTP clock runs at 8000 Hz: the first RFC said so by mistake and everybody kept it. At
64 kbit/s one byte holds two samples, so one byte is one tick, and a packet of 20 ms has 160 bytes like G.711.

Spec: RFC 3551 section 4.5.2. Left out: 56 and 48 kbit/s, which RTP does not tell apart.
"""

from __future__ import annotations

from .audio import BytePerTickFormat

SAMPLE_RATE = 16_000
SAMPLES_PER_TICK = 2


class G722Format(BytePerTickFormat):
    """G722, static payload type 9. `ptime` (ms, default 20) is the length of a payload."""

    encoding_name = "G722"
    sample_rate = SAMPLE_RATE
