"""Comfort noise: how loud and of what colour silence is.

A payload is a level and, if the sender cares, reflection coefficients of an all-pole filter, one byte each.

Spec: RFC 3389 sections 3 and 4. Left out: making the noise and deciding when to send (section 5), which are a codec's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InvalidArgumentError, ParseError
from .audio import AudioPacketizer, OrderedDepacketizer, RatedAudioFormat
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    EncodedFrame,
    RtpPacketLike,
)

_STEP = 258 / 32768
_MIDDLE = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class ComfortNoise:
    """One description of silence.

    `level` is loudness below overload. `spectrum` are the quantized reflection coefficients, 0 to 254 with 127 for
    none; empty for white noise.
    Units: `level` in -dBov, 0 (loud) to 127 (silent).
    """

    level: int
    spectrum: bytes = b""

    @classmethod
    def parse(cls, payload: bytes) -> ComfortNoise:
        """Reads a payload. Errors: `ParseError`.

        The top bit of the level has no meaning and is ignored. Of many coefficients a decoder may use the first few.
        """
        if not payload:
            raise ParseError("no level", offset=0, field="comfort noise")
        spectrum = payload[1:]
        if 255 in spectrum:
            raise ParseError("255 is no coefficient", offset=1 + spectrum.index(255), field="comfort noise")
        return cls(level=payload[0] & 0x7F, spectrum=spectrum)

    def serialize(self) -> bytes:
        """The payload. Errors: `InvalidArgumentError` for a field out of range."""
        if not 0 <= self.level <= 127:
            raise InvalidArgumentError(f"a level of -{self.level} dBov; allowed are 0 to 127")
        if 255 in self.spectrum:
            raise InvalidArgumentError("255 is no coefficient; allowed are 0 to 254")
        return bytes((self.level,)) + self.spectrum

    @property
    def reflection_coefficients(self) -> tuple[float, ...]:
        """The coefficients, each between -1 and 1."""
        return tuple((one - _MIDDLE) * _STEP for one in self.spectrum)

    @classmethod
    def from_coefficients(cls, level: int, coefficients: Sequence[float]) -> ComfortNoise:
        """Quantizes reflection coefficients. Errors: `InvalidArgumentError` for one beyond -1 to 1."""
        if not all(-1 <= one <= 1 for one in coefficients):
            raise InvalidArgumentError("a reflection coefficient is beyond -1 to 1; the filter would not be stable")
        return cls(level=level, spectrum=bytes(round(one / _STEP) + _MIDDLE for one in coefficients))


class ComfortNoisePacketizer(AudioPacketizer):
    """Lets through what `ComfortNoise` can read. How long silence lasts, only the sender knows."""

    def __init__(self, max_payload_bytes: int) -> None:
        self._max = max_payload_bytes

    def packetize(self, frame: bytes) -> list[bytes]:
        try:
            ComfortNoise.parse(frame)
        except ParseError as error:
            raise InvalidArgumentError(str(error)) from None
        if len(frame) > self._max:
            raise InvalidArgumentError(f"{len(frame)} bytes of comfort noise; {self._max} fit: use fewer coefficients")
        return [bytes((frame[0] & 0x7F,)) + frame[1:]]

    def timestamp_step(self, payload: bytes) -> int:
        """0: the next packet comes whenever the silence changes or ends."""
        return 0


class ComfortNoiseDepacketizer(OrderedDepacketizer):
    """Gives each payload, with its `ComfortNoise` as facts."""

    def _frames(self, packet: RtpPacketLike, missing: int) -> list[EncodedFrame]:
        noise = ComfortNoise.parse(packet.payload)
        return [EncodedFrame(packet.payload, packet.timestamp, True, missing > 0, packet.sequence_number, facts=noise)]


class ComfortNoiseFormat(RatedAudioFormat):
    """CN, static payload type 13 at 8000 Hz; at other rates beside codecs of that rate."""

    encoding_name = "CN"
    clock_rate = 8000

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> AudioPacketizer:
        return ComfortNoisePacketizer(max_payload_bytes)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        return ComfortNoiseDepacketizer(config, self.clock_rate)
