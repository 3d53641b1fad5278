"""NTP time, as RTCP and abs-capture-time write it.

Three forms: UQ32.32 (64 bits, seconds since 1900), its middle 32 bits (UQ16.16, in report blocks), and the 24 bits of
abs-send-time. Unix seconds are floats; at today's date a float holds about 0.24 microseconds.

Spec: RFC 3550 section 4; RFC 5905 section 6 (eras: from 2036-02-07 on the seconds start again at 0).
"""

from __future__ import annotations

from typing import Final

NTP_UNIX_OFFSET: Final = 2_208_988_800
"""Seconds from 1900-01-01 to 1970-01-01."""

_ERA: Final = 1 << 32


def unix_to_ntp(seconds: float) -> int:
    """Unix seconds as a 64-bit NTP timestamp, within its era."""
    whole = int(seconds // 1)
    fraction = int((seconds - whole) * _ERA)
    return (whole + NTP_UNIX_OFFSET) % _ERA << 32 | min(fraction, _ERA - 1)


def ntp_to_unix(timestamp: int) -> float:
    """A 64-bit NTP timestamp as Unix seconds; one before 1968 is taken to be in the era that begins in 2036."""
    whole = timestamp >> 32
    if whole < _ERA >> 1:
        whole += _ERA
    return whole - NTP_UNIX_OFFSET + (timestamp & 0xFFFFFFFF) / _ERA


def compact_ntp(timestamp: int) -> int:
    """The middle 32 bits: what `last_sr` and `last_rr` carry."""
    return timestamp >> 16 & 0xFFFFFFFF


def seconds_to_compact(seconds: float) -> int:
    """A span as UQ16.16, for `delay_since_last_sr`; at most 65535.99998 s, never below zero."""
    return min(max(int(seconds * 65536 + 0.5), 0), 0xFFFFFFFF)


def compact_to_seconds(value: int) -> float:
    """A UQ16.16 span in seconds."""
    return value / 65536


def ntp_to_abs_send_time(timestamp: int) -> int:
    """The 24 bits of abs-send-time (6.18 fixed point) of a 64-bit NTP timestamp."""
    return timestamp >> 14 & 0xFFFFFF
