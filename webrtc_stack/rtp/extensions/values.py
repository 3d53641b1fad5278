"""Values of the small header extensions: identification, audio, time.

Each has a `parse_…` (a value or a `ParseError`) and a `serialize_…` (bytes or an `InvalidArgumentError`).

Spec: RFC 9143 section 15 (mid), RFC 8852 (rid, repaired-rid), RFC 5450 (toffset), RFC 6464 and 6465 (audio levels),
draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2, and the pages of the webrtc.org experiments:
abs-send-time, transport-wide-cc-02, playout-delay, abs-capture-time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from ...errors import InvalidArgumentError, ParseError


class AudioLevel(NamedTuple):
    """How loud the packet's audio is: `level` in -dBov (0 the loudest, 127 silence), `voice` if it is speech."""

    level: int
    voice: bool = False


class TransportSequence(NamedTuple):
    """Transport-wide sequence number, version 02, where feedback comes on request.

    `feedback_count` is how many packets of history the wanted feedback covers (0: none wanted), `with_timing` whether
    it shall tell arrival times.
    """

    sequence_number: int
    feedback_count: int = 0
    with_timing: bool = False


class PlayoutDelay(NamedTuple):
    """What the sender thinks right for the receiver's buffer. Units: milliseconds, in steps of 10, up to 40950."""

    min_delay_ms: int
    max_delay_ms: int


class AbsCaptureTime(NamedTuple):
    """When the frame was captured, by the capturer's clock.

    `ntp_timestamp` is UQ32.32 (`rtp.ntp_to_unix` reads it); `clock_offset` is the signed Q32.32 estimate of the
    capturer's clock minus the sender's, or None where it is not told.
    """

    ntp_timestamp: int
    clock_offset: int | None = None


_U16: Final = struct.Struct(">H")
_U16_U16: Final = struct.Struct(">HH")
_U64: Final = struct.Struct(">Q")
_U64_I64: Final = struct.Struct(">Qq")


def wrong_size(data: bytes, allowed: str, field: str) -> ParseError:
    return ParseError(f"{len(data)} bytes, expected {allowed}", offset=0, field=field)


def in_range(value: int, low: int, high: int, what: str) -> int:
    if not low <= value <= high:
        raise InvalidArgumentError(f"{what} is {low} to {high}, not {value}")
    return value


# --- identification ---------------------------------------------------------------------------------------------------


def parse_mid(data: bytes) -> str:
    """A media section's identification tag."""
    if not data:
        raise ParseError("empty", offset=0, field="mid")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ParseError("not UTF-8", offset=error.start, field="mid") from None


def serialize_mid(value: str) -> bytes:
    data = value.encode()
    in_range(len(data), 1, 255, "the size of a mid")
    return data


def parse_rid(data: bytes) -> str:
    """A stream's identifier; `-` and `_` are read although RFC 8852 has letters and digits only."""
    if not data or not data.isascii() or not data.replace(b"-", b"").replace(b"_", b"").isalnum():
        raise ParseError(f"not an identifier: {data[:20]!r}", offset=0, field="rid")
    return data.decode("ascii")


def serialize_rid(value: str) -> bytes:
    data = value.encode()
    try:
        parse_rid(data)
    except ParseError as error:
        raise InvalidArgumentError(str(error)) from None
    in_range(len(data), 1, 255, "the size of a rid")
    return data


# --- time -------------------------------------------------------------------------------------------------------------


def parse_u24(data: bytes) -> int:
    """abs-send-time: seconds in units of 2**-18, modulo 64."""
    if len(data) != 3:
        raise wrong_size(data, "3", "abs-send-time")
    return int.from_bytes(data, "big")


def serialize_u24(value: int) -> bytes:
    return in_range(value, 0, 0xFFFFFF, "abs-send-time").to_bytes(3, "big")


def abs_send_time(seconds: float) -> int:
    """The 24 bits of abs-send-time for a time in seconds of any clock."""
    return int(seconds * 262144 + 0.5) & 0xFFFFFF


def parse_offset(data: bytes) -> int:
    """toffset: signed, in units of the RTP clock."""
    if len(data) != 3:
        raise wrong_size(data, "3", "toffset")
    return int.from_bytes(data, "big", signed=True)


def serialize_offset(value: int) -> bytes:
    return in_range(value, -0x800000, 0x7FFFFF, "toffset").to_bytes(3, "big", signed=True)


def parse_transport_cc(data: bytes) -> int:
    """The transport-wide sequence number."""
    if len(data) != 2:
        raise wrong_size(data, "2", "transport-cc")
    return data[0] << 8 | data[1]


def serialize_transport_cc(value: int) -> bytes:
    try:
        return _U16.pack(value)  # once a packet: no call that is not needed
    except struct.error:
        raise InvalidArgumentError(f"a transport-wide sequence number is 0 to 65535, not {value}") from None


def parse_transport_cc_02(data: bytes) -> TransportSequence:
    if len(data) == 2:
        return TransportSequence(data[0] << 8 | data[1])
    if len(data) != 4:
        raise wrong_size(data, "2 or 4", "transport-cc-02")
    sequence_number, request = _U16_U16.unpack(data)
    return TransportSequence(sequence_number, request & 0x7FFF, request > 0x7FFF)


def serialize_transport_cc_02(value: TransportSequence) -> bytes:
    sequence_number = in_range(value.sequence_number, 0, 0xFFFF, "a transport-wide sequence number")
    count = in_range(value.feedback_count, 0, 0x7FFF, "feedback_count")
    if not count and not value.with_timing:
        return _U16.pack(sequence_number)
    return _U16_U16.pack(sequence_number, count | (0x8000 if value.with_timing else 0))


def parse_playout_delay(data: bytes) -> PlayoutDelay:
    if len(data) != 3:
        raise wrong_size(data, "3", "playout-delay")
    low, high = data[0] << 4 | data[1] >> 4, (data[1] & 15) << 8 | data[2]
    if low > high:
        raise ParseError(f"a minimum of {low}0 ms above a maximum of {high}0", offset=0, field="playout-delay")
    return PlayoutDelay(low * 10, high * 10)


def serialize_playout_delay(value: PlayoutDelay) -> bytes:
    low = in_range(value.min_delay_ms, 0, 40950, "min_delay_ms") // 10
    high = in_range(value.max_delay_ms, value.min_delay_ms, 40950, "max_delay_ms") // 10
    return (low << 12 | high).to_bytes(3, "big")


def parse_abs_capture_time(data: bytes) -> AbsCaptureTime:
    if len(data) == 8:
        return AbsCaptureTime(_U64.unpack(data)[0])
    if len(data) != 16:
        raise wrong_size(data, "8 or 16", "abs-capture-time")
    return AbsCaptureTime(*_U64_I64.unpack(data))


def serialize_abs_capture_time(value: AbsCaptureTime) -> bytes:
    in_range(value.ntp_timestamp, 0, 2**64 - 1, "ntp_timestamp")
    if value.clock_offset is None:
        return _U64.pack(value.ntp_timestamp)
    return _U64_I64.pack(value.ntp_timestamp, in_range(value.clock_offset, -(2**63), 2**63 - 1, "clock_offset"))


# --- audio ------------------------------------------------------------------------------------------------------------


def parse_audio_level(data: bytes) -> AudioLevel:
    if len(data) != 1:
        raise wrong_size(data, "1", "ssrc-audio-level")
    return AudioLevel(data[0] & 0x7F, data[0] > 0x7F)


def serialize_audio_level(value: AudioLevel) -> bytes:
    return bytes((in_range(value.level, 0, 127, "an audio level") | (0x80 if value.voice else 0),))


def parse_csrc_audio_levels(data: bytes) -> tuple[int, ...]:
    """One level a contributing source, in -dBov, in the order of the packet's CSRCs."""
    if not 0 < len(data) <= 15:
        raise wrong_size(data, "1 to 15", "csrc-audio-level")
    return tuple([byte & 0x7F for byte in data])


def serialize_csrc_audio_levels(value: Sequence[int]) -> bytes:
    in_range(len(value), 1, 15, "the number of contributing sources")
    return bytes([in_range(level, 0, 127, "an audio level") for level in value])


# --- LEB128, which video-layers-allocation and AV1 use ----------------------------------------------------------------


def parse_leb128(data: bytes, position: int = 0) -> tuple[int, int]:
    """(value, position behind it). At most eight bytes. Errors: `ParseError`."""
    value = 0
    for count in range(8):
        if position >= len(data):
            raise ParseError("does not end", offset=position, field="leb128")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, position
    raise ParseError("longer than 8 bytes", offset=position, field="leb128")


def serialize_leb128(value: int) -> bytes:
    in_range(value, 0, 2**56 - 1, "a LEB128 value")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
