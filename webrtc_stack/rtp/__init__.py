"""RTP and RTCP: packets, header extensions, feedback. See README.md."""

from .extensions import ExtensionMap, HeaderExtensions, Uri
from .packet import RtpPacket

__all__ = ["ExtensionMap", "HeaderExtensions", "RtpPacket", "Uri"]
