"""Devices, codecs, files and synthetic sources, all through PyAV. See README.md."""

from .audio_encoder import AudioEncoder
from .counter import COUNTER_MODULUS, counter_cells, counter_script, read_cells, read_counter
from .decoders import AudioDecoder, MediaDecoderCounters, VideoDecoder
from .engine import Engine, engine
from .failures import OverconstrainedError
from .picture import TestPicture
from .sound import Sine, dominant_frequency, mono_samples, silence
from .synthetic import test_picture, tone
from .video_encoder import VideoEncoder, default_bitrate

__all__ = [
    "AudioDecoder",
    "AudioEncoder",
    "COUNTER_MODULUS",
    "Engine",
    "MediaDecoderCounters",
    "OverconstrainedError",
    "Sine",
    "TestPicture",
    "VideoDecoder",
    "VideoEncoder",
    "counter_cells",
    "counter_script",
    "default_bitrate",
    "dominant_frequency",
    "engine",
    "mono_samples",
    "read_cells",
    "read_counter",
    "silence",
    "test_picture",
    "tone",
]
