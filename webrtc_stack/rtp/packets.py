"""The packet class that runs: `packet.RtpPacket`, or its twin in C. The room and its door take it from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hot import twin
from .extensions.elements import HeaderExtensions
from .extensions.values import AudioLevel, parse_audio_level, parse_mid, parse_transport_cc, parse_u24
from .packet import RtpPacket

if not TYPE_CHECKING:
    _PARTS = (RtpPacket, HeaderExtensions, AudioLevel, parse_mid, parse_u24, parse_transport_cc, parse_audio_level)
    RtpPacket = twin("RtpPacket", RtpPacket, parts=_PARTS)

__all__ = ["RtpPacket"]
