"""Devices, codecs, files and synthetic sources, all through PyAV. See README.md."""

from .audio_encoder import AudioEncoder
from .capture import Capture, CaptureRequest, open_input
from .counter import COUNTER_MODULUS, counter_cells, counter_script, read_cells, read_counter
from .counters import MediaDecoderCounters
from .decoders import AudioDecoder, VideoDecoder
from .engine import Engine, engine
from .enumerate import Device, System, list_devices
from .failures import OverconstrainedError
from .fitness import Range, fitness_distance
from .picture import TestPicture
from .player import Player, play
from .recorder import Recorder, RecorderCounters
from .sound import Sine, dominant_frequency, mono_samples, silence
from .speech import Speech, pcm
from .synthetic import test_picture, tone
from .video_encoder import VideoEncoder, default_bitrate

__all__ = [
    "AudioDecoder",
    "AudioEncoder",
    "COUNTER_MODULUS",
    "Capture",
    "CaptureRequest",
    "Device",
    "Engine",
    "MediaDecoderCounters",
    "OverconstrainedError",
    "Player",
    "Range",
    "Recorder",
    "RecorderCounters",
    "Sine",
    "Speech",
    "System",
    "TestPicture",
    "VideoDecoder",
    "VideoEncoder",
    "counter_cells",
    "counter_script",
    "default_bitrate",
    "dominant_frequency",
    "engine",
    "fitness_distance",
    "list_devices",
    "mono_samples",
    "open_input",
    "pcm",
    "play",
    "read_cells",
    "read_counter",
    "silence",
    "test_picture",
    "tone",
]
