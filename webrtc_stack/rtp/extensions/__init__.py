"""RTP header extensions: raw elements, and typed values by URI. The inner door of the folder."""

from .dependency import (
    DecodeTargetIndication,
    DependencyDescriptor,
    DependencyReader,
    DependencyStructure,
    DependencyWriter,
    FrameDependency,
    FrameTemplate,
)
from .elements import HeaderExtensions
from .layers import SpatialLayer, VideoLayersAllocation
from .mapping import ExtensionMap
from .registry import CODECS, Codec
from .uri import Uri
from .values import (
    AbsCaptureTime,
    AudioLevel,
    PlayoutDelay,
    TransportSequence,
    abs_send_time,
    parse_leb128,
    serialize_leb128,
)
from .video import ColorSpace, HdrMetadata, VideoOrientation, VideoTiming

__all__ = [
    "CODECS",
    "AbsCaptureTime",
    "AudioLevel",
    "Codec",
    "ColorSpace",
    "DecodeTargetIndication",
    "DependencyDescriptor",
    "DependencyReader",
    "DependencyStructure",
    "DependencyWriter",
    "ExtensionMap",
    "FrameDependency",
    "FrameTemplate",
    "HdrMetadata",
    "HeaderExtensions",
    "PlayoutDelay",
    "SpatialLayer",
    "TransportSequence",
    "Uri",
    "VideoLayersAllocation",
    "VideoOrientation",
    "VideoTiming",
    "abs_send_time",
    "parse_leb128",
    "serialize_leb128",
]
