"""Sound made and measured without devices: a sine, and which frequency is the loudest.

The measurement is a radix-2 Fourier transform in plain Python: a few milliseconds for 4,096 samples, and no numpy.
"""

from __future__ import annotations

import array
import cmath
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import av

from ..errors import InvalidArgumentError
from .failures import MEDIA_FAILURES

_LONGEST = 8192
"""Samples that are looked at: 0.17 s at 48 kHz, a resolution of some 6 Hz before interpolation."""


class Sine:
    """Makes frames of a sine whose phase runs on from frame to frame.

    Units: `frequency` Hz, `sample_rate` samples a second, `amplitude` 0 to 1, `frame_time` seconds a frame.
    """

    def __init__(
        self,
        frequency: float = 440.0,
        *,
        sample_rate: int = 48_000,
        channels: int = 1,
        amplitude: float = 0.4,
        frame_time: float = 0.02,
    ) -> None:
        if not 0 < frequency < sample_rate / 2:
            raise InvalidArgumentError(
                f"a tone of {frequency} Hz needs a frequency above 0 and below {sample_rate / 2}"
            )
        if channels not in (1, 2) or not 0 <= amplitude <= 1:
            raise InvalidArgumentError("a tone has 1 or 2 channels and an amplitude from 0 to 1")
        self.frequency, self.sample_rate, self.channels = frequency, sample_rate, channels
        self.samples_per_frame = max(1, round(sample_rate * frame_time))
        self._peak = amplitude * 32767
        self._position = 0

    def frame(self) -> av.AudioFrame:
        """The next frame, s16; its timestamp counts samples from 0."""
        step, start = 2 * math.pi * self.frequency / self.sample_rate, self._position
        mono = [int(self._peak * math.sin(step * n)) for n in range(start, start + self.samples_per_frame)]
        samples = mono if self.channels == 1 else [value for value in mono for _ in range(2)]
        frame = av.AudioFrame(
            format="s16", layout="mono" if self.channels == 1 else "stereo", samples=self.samples_per_frame
        )
        frame.planes[0].update(array.array("h", samples).tobytes())
        frame.sample_rate = self.sample_rate
        frame.pts, frame.time_base = start, Fraction(1, self.sample_rate)
        self._position += self.samples_per_frame
        return frame


def silence(samples: int, sample_rate: int, layout: str = "mono") -> av.AudioFrame:
    """A frame of silence, s16, without a timestamp."""
    frame = av.AudioFrame(format="s16", layout=layout, samples=samples)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate = sample_rate
    return frame


class SampleConverter:
    """Brings frames of any form to s16, interleaved, of one rate and number of channels."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate, self._channels = sample_rate, channels
        self.layout = "stereo" if channels == 2 else "mono"
        self._resampler: av.AudioResampler | None = None
        self._source: tuple[str, str, int] | None = None

    @property
    def octets_per_second(self) -> int:
        return 2 * self._channels * self._rate

    def convert(self, frame: av.AudioFrame) -> bytes:
        """The samples that are ready; a few may come with the next frame. Errors: `InvalidArgumentError`."""
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source == ("s16", self.layout, self._rate) and self._resampler is None:
            return bytes(memoryview(frame.planes[0])[: frame.samples * 2 * self._channels])
        if self._resampler is None or source != self._source:
            self._resampler = av.AudioResampler(format="s16", layout=self.layout, rate=self._rate)
            self._source = source
        try:
            made = self._resampler.resample(frame)
        except MEDIA_FAILURES as error:
            self._resampler = None
            raise InvalidArgumentError(f"cannot convert samples of {' '.join(map(str, source))}: {error}") from error
        return b"".join(bytes(memoryview(piece.planes[0])[: piece.samples * 2 * self._channels]) for piece in made)


_FORMATS = {"u8": "B", "s16": "h", "s32": "i", "flt": "f", "dbl": "d"}
_SCALES = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "flt": 1.0, "dbl": 1.0}


def mono_samples(frames: av.AudioFrame | Iterable[av.AudioFrame]) -> list[float]:
    """The first channel of one or many frames, as numbers from -1 to 1."""
    result: list[float] = []
    for frame in [frames] if isinstance(frames, av.AudioFrame) else frames:
        packed = frame.format.name.removesuffix("p")
        values = array.array(_FORMATS[packed])
        values.frombytes(bytes(frame.planes[0]))
        step = 1 if frame.format.is_planar else len(frame.layout.channels)
        scale, middle = _SCALES[packed], 128 if packed == "u8" else 0
        result.extend((value - middle) / scale for value in values[: frame.samples * step : step])
    return result


def dominant_frequency(samples: Sequence[float], sample_rate: int) -> float:
    """The frequency of the loudest sine in `samples`, in Hz; 0.0 for silence.

    Looks at the last 8,192 samples at most (a power of two of them), under a Hann window, and interpolates between
    bins: within 1 Hz for one clean tone of 0.1 s or more.
    """
    size = 1 << (min(len(samples), _LONGEST).bit_length() - 1) if samples else 0
    if size < 64:
        raise InvalidArgumentError(f"{len(samples)} samples are too few to find a frequency in: at least 64")
    window = samples[-size:]
    spectrum = _transform(
        [complex(value * (0.5 - 0.5 * math.cos(2 * math.pi * n / size))) for n, value in enumerate(window)]
    )
    power = [abs(value) for value in spectrum[: size // 2]]
    peak = max(range(1, size // 2), key=power.__getitem__)
    if power[peak] < 1e-4 * size:
        return 0.0
    offset = 0.0
    if peak + 1 < len(power) and min(power[peak - 1], power[peak + 1]) > 0:
        left, middle, right = (math.log(power[at]) for at in (peak - 1, peak, peak + 1))
        curve = left - 2 * middle + right
        offset = (left - right) / (2 * curve) if curve else 0.0
    return (peak + offset) * sample_rate / size


def _transform(values: list[complex]) -> list[complex]:
    size = len(values)
    if size == 1:
        return values
    even, odd = _transform(values[::2]), _transform(values[1::2])
    turned = [cmath.rect(1.0, -2 * math.pi * k / size) * value for k, value in enumerate(odd)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [a - b for a, b in zip(even, turned, strict=True)]
