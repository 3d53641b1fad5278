"""The packet class that runs, and what is done to bursts: Python's, or twins in C. The room takes them from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hot import twin
from .bursts import parse_many, rewrite_headers, serialize_many
from .extensions.elements import HeaderExtensions
from .extensions.values import AudioLevel, parse_audio_level, parse_mid, parse_transport_cc, parse_u24
from .packet import RtpPacket

if not TYPE_CHECKING:
    _PARTS = (RtpPacket, HeaderExtensions, AudioLevel, parse_mid, parse_u24, parse_transport_cc, parse_audio_level)
    RtpPacket = twin("RtpPacket", RtpPacket, parts=_PARTS)
    parse_many = twin("parse_many", parse_many, parts=(parse_many,))
    serialize_many = twin("serialize_many", serialize_many, parts=(serialize_many,))
    rewrite_headers = twin("rewrite_headers", rewrite_headers, parts=(rewrite_headers,))

__all__ = ["RtpPacket", "parse_many", "rewrite_headers", "serialize_many"]
