"""Comfort noise: what is heard while the peer says that its side is silent.

White noise of the level that was told; the spectrum (reflection coefficients) is left out, which RFC 3389 allows.

Spec: RFC 3389 section 3.1 (noise level in -dBov).
"""

from __future__ import annotations

import array
import math
from fractions import Fraction
from random import Random
from typing import Any

import av

from ..aio import DecodableFrame
from ..errors import InvalidStateError
from .counters import MediaDecoderCounters

_FRAME_TIME = 0.02
_LONGEST = 1.0
_SILENT = 127


class ComfortNoiseDecoder:
    """Makes noise of packets that tell its level; see `aio.Decoder`."""

    implementation_name = "comfort noise"

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._level = _SILENT
        self._next_time = 0.0
        self._noise = Random(0)  # noise is noise: the same each time, so that runs repeat
        self._counters = MediaDecoderCounters()
        self._closed = False

    @property
    def counters(self) -> MediaDecoderCounters:
        return self._counters

    def decode(self, frame: DecodableFrame) -> list[Any]:
        """20 ms of noise; the same level goes on when more is asked for by `conceal`."""
        if frame.data:
            self._level = frame.data[0] & 0x7F
        self._next_time = frame.media_time
        self._counters.frames_decoded += 1
        return self.conceal(_FRAME_TIME)

    def conceal(self, duration: float) -> list[Any]:
        """Noise of `duration` seconds."""
        if self._closed:
            raise InvalidStateError("the decoder is closed")
        samples = round(min(max(duration, 0.0), _LONGEST) * self._rate)
        if samples == 0:
            return []
        # uniform noise of peak p has a root mean square of p over the root of three
        peak = min(1.0, math.sqrt(3) * 10 ** (-self._level / 20)) if self._level < _SILENT else 0.0
        made = av.AudioFrame(format="s16", layout="mono", samples=samples)
        values = array.array("h", (int(32767 * peak * self._noise.uniform(-1, 1)) for _ in range(samples)))
        made.planes[0].update(values.tobytes())
        made.sample_rate = self._rate
        made.pts, made.time_base = round(self._next_time * self._rate), Fraction(1, self._rate)
        self._next_time += samples / self._rate
        return [made]

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
