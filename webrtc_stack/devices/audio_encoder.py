"""Encodes sound through FFmpeg: any frames in, packets of exactly 20 ms out.

Samples are brought to the codec's rate, layout and format, gathered, and cut; each packet's media time is that of its
first sample. Where the source's time leaves its samples behind (a gap, a source begun anew) by more than 40 ms, what
is left over is filled with silence to a whole packet and the count begins anew at the source's time.

Spec: RFC 7587 (Opus at 48 kHz), RFC 3551 (G.711, G.722: a sampling rate of 16 kHz under an RTP clock of 8 kHz).
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from math import log10
from operator import mul
from time import perf_counter

import av
from av.audio.codeccontext import AudioCodecContext

from ..aio import EncodedChunk, EncoderCounters, EncoderSettings
from ..errors import DeviceError, InvalidArgumentError, InvalidStateError, NotSupportedError
from .codec_names import AUDIO, Parameters, opus_options
from .failures import MEDIA_FAILURES
from .sound import SampleConverter

_TOLERANCE = 0.04
"""Seconds that a source's time may differ from the count of its samples: jitter of capture, rounding of clocks."""
_BYTES_PER_SAMPLE = 2
_OPUS_BITRATE = 32_000
"""A voice in full band; stereo gets twice that."""


def loudness(samples: bytes) -> int:
    """Of 16-bit samples in -dBov: 0 the loudest there is, 127 silence. Spec: RFC 6464 section 3.

    Cost: a third of the samples is looked at, which is enough for a level; some 30 us for 20 ms.
    """
    values = memoryview(samples).cast("h")[::3].tolist()
    power = sum(map(mul, values, values)) / (len(values) * 32768.0 * 32768.0) if values else 0.0
    return 127 if power <= 0 else min(127, max(0, round(-10 * log10(power))))


class AudioEncoder:
    """One stream of samples to one stream of packets; see `aio.Encoder`.

    Errors: `NotSupportedError` if this FFmpeg has no encoder for the codec.
    """

    def __init__(self, mime_type: str, parameters: Parameters, settings: EncoderSettings, channels: int | None) -> None:
        names = AUDIO.get(mime_type.lower())
        if names is None:
            raise NotSupportedError(
                f"{mime_type} is no audio codec that can be encoded here; known are {', '.join(AUDIO)}"
            )
        self._name = settings.implementation or names.encoder
        self._is_opus = mime_type.lower() == "audio/opus"
        self._parameters, self._settings = parameters, settings
        self._rate = names.sample_rate
        # Opus is always announced with two channels (RFC 7587 section 7); whether they are used, `stereo` tells.
        stereo = parameters.get("stereo") == "1" if self._is_opus else (channels or 1) == 2
        self._channels = 2 if stereo else 1
        self._frame_time = names.frame_time
        self._chunk_samples = round(self._rate * names.frame_time)
        self._bitrate = self._limited(settings.bitrate)
        self._samples = SampleConverter(self._rate, self._channels)
        self._buffer = bytearray()
        self._base = 0.0
        self._position = 0
        self._started = False
        self._times: deque[tuple[float, int]] = deque(maxlen=16)
        self._counters = EncoderCounters()
        self._closed = False
        self._context = self._open()

    @property
    def implementation_name(self) -> str:
        return self._name

    @property
    def counters(self) -> EncoderCounters:
        return self._counters

    def set_bitrate(self, bps: int) -> None:
        """Opus is opened anew when the change exceeds a tenth; the others have one bitrate only."""
        if bps <= 0:
            raise InvalidArgumentError(f"a bitrate of {bps} is none; to send nothing, make the encoding inactive")
        bps = self._limited(bps)
        if self._is_opus and not self._closed and abs(bps / self._bitrate - 1) > 0.1:
            self._bitrate = bps
            self._context = self._open()

    def encode(self, frame: av.AudioFrame, *, keyframe: bool = False) -> list[EncodedChunk]:
        """Takes any number of samples of any form and gives the packets that are complete by them.

        Errors: `InvalidArgumentError` for samples that cannot be converted; `DeviceError` when the encoder fails.
        """
        if self._closed:
            raise InvalidStateError("the encoder is closed")
        began = perf_counter()
        chunks: list[EncodedChunk] = []
        self._align(frame, chunks)
        self._buffer += self._samples.convert(frame)
        self._cut(chunks)
        self._counters.total_encode_time += perf_counter() - began
        return chunks

    def flush(self) -> list[EncodedChunk]:
        """What is left over, filled with silence to a whole packet."""
        chunks: list[EncodedChunk] = []
        self._fill(chunks)
        return chunks

    def close(self) -> None:
        """Frees the encoder. Idempotent."""
        self._closed = True
        self._buffer.clear()

    # --- time ------------------------------------------------------------------------------------------------------

    def _align(self, frame: av.AudioFrame, chunks: list[EncodedChunk]) -> None:
        if frame.pts is None or not frame.time_base:
            self._started = True  # then the count of samples is the time
            return
        time = float(frame.pts * frame.time_base)
        held = len(self._buffer) // (_BYTES_PER_SAMPLE * self._channels)
        expected = self._base + (self._position + held) / self._rate
        if self._started and abs(time - expected) <= _TOLERANCE:
            return
        self._fill(chunks)
        self._base, self._position, self._started = time, 0, True

    def _fill(self, chunks: list[EncodedChunk]) -> None:
        if self._buffer:
            whole = self._chunk_samples * _BYTES_PER_SAMPLE * self._channels
            self._buffer += bytes(-len(self._buffer) % whole)
            self._cut(chunks)

    # --- samples ---------------------------------------------------------------------------------------------------

    def _cut(self, chunks: list[EncodedChunk]) -> None:
        whole = self._chunk_samples * _BYTES_PER_SAMPLE * self._channels
        while len(self._buffer) >= whole:
            piece = av.AudioFrame(format="s16", layout=self._samples.layout, samples=self._chunk_samples)
            samples = bytes(self._buffer[:whole])
            piece.planes[0].update(samples)
            del self._buffer[:whole]
            piece.sample_rate = self._rate
            piece.pts, piece.time_base = self._position, Fraction(1, self._rate)
            self._times.append((self._base + self._position / self._rate, loudness(samples)))
            self._position += self._chunk_samples
            try:
                packets = self._context.encode(piece)
            except MEDIA_FAILURES as error:
                self._times.clear()
                self._context = self._open()
                raise DeviceError(f"the encoder {self._name} failed: {error}") from error
            for packet in packets:
                if packet.size and self._times:
                    self._counters.frames_encoded += 1
                    time, level = self._times.popleft()
                    chunks.append(EncodedChunk(bytes(packet), time, True, self._frame_time, level))

    # --- the codec -------------------------------------------------------------------------------------------------

    def _limited(self, bitrate: int | None) -> int:
        limit = self._parameters.get("maxaveragebitrate", "")
        wanted = bitrate or _OPUS_BITRATE * self._channels
        return max(6_000, min(wanted, int(limit) if limit.isdecimal() and int(limit) else 510_000))

    def _open(self) -> AudioCodecContext:
        try:
            context = av.CodecContext.create(self._name, "w")
        except MEDIA_FAILURES as error:
            raise NotSupportedError(f"this FFmpeg has no encoder {self._name}: {error}") from error
        if not isinstance(context, AudioCodecContext):
            raise NotSupportedError(f"{self._name} is no encoder for sound")
        context.sample_rate = self._rate
        context.layout = self._samples.layout
        context.format = "s16"
        context.time_base = Fraction(1, self._rate)
        if self._is_opus:
            context.bit_rate = self._bitrate
            context.options = {**opus_options(self._parameters), **self._settings.options}
        try:
            context.open()
        except MEDIA_FAILURES as error:
            raise DeviceError(f"the encoder {self._name} cannot be opened: {error}") from error
        return context
