"""Opus: what a packet says about itself, and its payload format.

An RTP payload is one Opus packet, so packetizing changes nothing; everything of interest is in the first bytes: mode,
bandwidth, how many frames of what length, whether it is mere silence, and whether it carries a coarse copy of the
frame before (LBRR, "in-band FEC"). The RTP clock is 48 kHz whatever the sound was sampled at.

Spec: RFC 6716 sections 3.1 (TOC), 3.2 (frame packing, R1-R7), 4.2.3, 4.2.4 (SILK header bits); RFC 7587 sections 4.1,
4.2, 6.1, 7. Left out: the codec; self-delimiting packets (RFC 6716 appendix B) and with them multichannel Opus;
joining packets into longer ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from ..errors import InvalidArgumentError, ParseError
from .audio import AudioPacketizer, OrderedDepacketizer
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    EncodedFrame,
    PayloadFormat,
    RtpPacketLike,
)

CLOCK_RATE: Final = 48_000
MAX_FRAME_BYTES: Final = 1275
MAX_PACKET_TICKS: Final = 5760
"""120 ms, the most that one packet may last."""
_TWENTY_MS: Final = 960


class OpusMode(StrEnum):
    """Which of the two codecs inside Opus made a packet."""

    SILK = "SILK"
    HYBRID = "Hybrid"
    CELT = "CELT"


class OpusBandwidth(StrEnum):
    """Audio bandwidth: 4, 6, 8, 12 and 20 kHz."""

    NARROW = "NB"
    MEDIUM = "MB"
    WIDE = "WB"
    SUPER_WIDE = "SWB"
    FULL = "FB"


class OpusToc(NamedTuple):
    """The first byte of a packet. `frame_ticks` is the length of one frame at 48 kHz; `code` says how frames lie."""

    config: int
    mode: OpusMode
    bandwidth: OpusBandwidth
    frame_ticks: int
    stereo: bool
    code: int

    @property
    def frame_us(self) -> int:
        return self.frame_ticks * 1000 // 48


def _toc(value: int) -> OpusToc:
    config = value >> 3
    if config < 12:
        mode = OpusMode.SILK
        bandwidth = (OpusBandwidth.NARROW, OpusBandwidth.MEDIUM, OpusBandwidth.WIDE)[config >> 2]
        ticks = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        mode = OpusMode.HYBRID
        bandwidth = OpusBandwidth.SUPER_WIDE if config < 14 else OpusBandwidth.FULL
        ticks = (480, 960)[config & 1]
    else:
        mode = OpusMode.CELT
        bands = (OpusBandwidth.NARROW, OpusBandwidth.WIDE, OpusBandwidth.SUPER_WIDE, OpusBandwidth.FULL)
        bandwidth = bands[config - 16 >> 2]
        ticks = (120, 240, 480, 960)[config & 3]
    return OpusToc(config, mode, bandwidth, ticks, bool(value & 4), value & 3)


TOCS: Final = tuple(_toc(value) for value in range(256))
"""Every first byte, read."""


class OpusFacts(NamedTuple):
    """What a packet says about itself.

    `frame_sizes` are the bytes of its frames and `first_frame` where they begin. `is_dtx`: every frame is empty or a
    single byte, which is how an encoder says "as before" in silence. `has_fec`: it carries a coarse copy of the frame
    before. `voice` is the voice activity of its first frame; None where the mode has no such bit.
    `recovers_loss`: the packet before it is missing and its `has_fec` serves to make up for it.
    Units: `ticks` of 48 kHz for the whole packet.
    """

    toc: OpusToc
    ticks: int
    frame_sizes: tuple[int, ...]
    first_frame: int
    has_fec: bool
    voice: bool | None
    recovers_loss: bool = False

    @property
    def is_dtx(self) -> bool:
        return max(self.frame_sizes) <= 1

    @property
    def stereo(self) -> bool:
        return self.toc.stereo

    @property
    def duration_us(self) -> int:
        return self.ticks * 1000 // 48

    @property
    def fec_ticks(self) -> int:
        """How much of the time right before this packet its FEC makes up for: one frame, or nothing.

        Decoders read the copy in the first frame only (libopus does), so a lost packet of several frames comes back
        in part.
        """
        return self.toc.frame_ticks if self.has_fec else 0


def parse_packet(packet: bytes) -> OpusFacts:
    """Reads what a packet says about itself. Errors: `ParseError` where a decoder would refuse the packet."""
    if not packet:
        raise ParseError("an empty packet", offset=0, field="opus")
    toc = TOCS[packet[0]]
    code = toc.code
    end = len(packet)
    at = 1
    sizes: tuple[int, ...]
    if code == 0:
        sizes = (end - 1,)
    elif code == 1:
        if (end - 1) & 1:
            raise ParseError(f"two equal frames in {end - 1} bytes", offset=1, field="opus")
        sizes = ((end - 1) // 2,) * 2
    elif code == 2:
        first, at = _frame_size(packet, 1, end)
        if first > end - at:
            raise ParseError(f"a frame of {first} bytes, {end - at} are left", offset=at, field="opus")
        sizes = (first, end - at - first)
    else:
        sizes, at = _many(packet, toc, end)
    if sizes[-1] > MAX_FRAME_BYTES or sizes[0] > MAX_FRAME_BYTES:
        raise ParseError(f"a frame of {max(sizes)} bytes; at most {MAX_FRAME_BYTES}", offset=at, field="opus")
    has_fec, voice = False, None
    if toc.mode is not OpusMode.CELT:
        voice = False
        if sizes[0]:
            has_fec, voice = _silk_flags(packet[at], toc)
    return OpusFacts(toc, toc.frame_ticks * len(sizes), sizes, at, has_fec, voice)


def _frame_size(packet: bytes, at: int, end: int) -> tuple[int, int]:
    """A frame length of one or two bytes, and where it ends (RFC 6716 section 3.2.1)."""
    if at >= end:
        raise ParseError("a frame length is missing", offset=at, field="opus")
    first = packet[at]
    if first < 252:
        return first, at + 1
    if at + 1 >= end:
        raise ParseError("a frame length is cut off", offset=at, field="opus")
    return packet[at + 1] * 4 + first, at + 2


def _many(packet: bytes, toc: OpusToc, end: int) -> tuple[tuple[int, ...], int]:
    """Code 3: any number of frames, perhaps padded (RFC 6716 section 3.2.5)."""
    if end < 2:
        raise ParseError("the frame count is missing", offset=1, field="opus")
    head = packet[1]
    count = head & 0x3F
    if not count or count * toc.frame_ticks > MAX_PACKET_TICKS:
        raise ParseError(f"{count} frames of {toc.frame_us} us; at most 120 ms", offset=1, field="opus")
    at = 2
    if head & 0x40:
        padding = 0
        while True:
            if at >= end:
                raise ParseError("the padding length is cut off", offset=at, field="opus")
            one = packet[at]
            at += 1
            if one < 255:
                padding += one
                break
            padding += 254
        end -= padding
        if end < at:
            raise ParseError(f"{padding} bytes of padding do not fit", offset=at, field="opus")
    if not head & 0x80:
        size, rest = divmod(end - at, count)
        if rest:
            raise ParseError(f"{count} equal frames in {end - at} bytes", offset=at, field="opus")
        return (size,) * count, at
    sizes = []
    for _ in range(count - 1):
        size, at = _frame_size(packet, at, end)
        sizes.append(size)
    last = end - at - sum(sizes)
    if last < 0:
        raise ParseError(f"frames of {sum(sizes)} bytes, {end - at} are left", offset=at, field="opus")
    return (*sizes, last), at


def _silk_flags(first: int, toc: OpusToc) -> tuple[bool, bool]:
    """Whether the first frame carries LBRR, and voice activity.

    A SILK frame begins with a VAD bit for each 20 ms and one LBRR bit, first for mid (or mono), then for side. Being
    of even chance, they leave the range coder as plain bits from the top.
    """
    parts = max(1, toc.frame_ticks // _TWENTY_MS)
    fec = bool(first >> (7 - parts) & 1)
    voice = bool(first >> (8 - parts))
    if toc.stereo:
        fec = fec or bool(first >> (6 - 2 * parts) & 1)
        voice = voice or bool(first >> (7 - 2 * parts) & ((1 << parts) - 1))
    return fec, voice


def timestamp_step(packet: bytes) -> int:
    """How many ticks of 48 kHz a packet lasts. Errors: `ParseError`."""
    return parse_packet(packet).ticks


def recoverable_ticks(next_packet: bytes, lost_ticks: int = _TWENTY_MS) -> int:
    """How much of a lost packet of `lost_ticks` the FEC in the packet right after it brings back; 0 for nothing.

    Errors: `ParseError` if `next_packet` is not an Opus packet.
    """
    return min(lost_ticks, parse_packet(next_packet).fec_ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpusParameters:
    """The `a=fmtp` parameters of Opus, with the defaults of RFC 7587 section 6.1.

    All say what the one who wrote them wants to receive, except those named `sprop_`. `maxaveragebitrate` is None
    where the encoder chooses. `minptime` and the rest in ms, rates in Hz and bit/s.
    """

    maxplaybackrate: int = 48_000
    sprop_maxcapturerate: int = 48_000
    maxptime: int = 120
    ptime: int = 20
    minptime: int = 3
    maxaveragebitrate: int | None = None
    stereo: bool = False
    sprop_stereo: bool = False
    cbr: bool = False
    useinbandfec: bool = False
    usedtx: bool = False

    @classmethod
    def from_fmtp(cls, parameters: Mapping[str, str]) -> OpusParameters:
        """Reads format parameters; names may have `-` or `_`, unknown ones are left alone.

        A bit rate beyond what Opus can do is taken as the nearest it can, as section 6.1 wants.
        Errors: `InvalidArgumentError` for a value that is no number, or not one of this parameter.
        """
        read = {name.lower().replace("-", "_"): value for name, value in parameters.items()}
        values: dict[str, int] = {}
        for name, (low, high) in _LIMITS.items():
            text = read.get(name)
            if text is None:
                continue
            text = text.strip()
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                raise InvalidArgumentError(f"opus parameter {name} is {text!r}, not a number")
            value = int(text)
            if name == "maxaveragebitrate":
                value = min(max(value, low), high)
            elif not low <= value <= high:
                raise InvalidArgumentError(f"opus parameter {name} is {value}, allowed are {low} to {high}")
            values[name] = value
        return cls(
            maxplaybackrate=values.get("maxplaybackrate", 48_000),
            sprop_maxcapturerate=values.get("sprop_maxcapturerate", 48_000),
            maxptime=values.get("maxptime", 120),
            ptime=values.get("ptime", 20),
            minptime=values.get("minptime", 3),
            maxaveragebitrate=values.get("maxaveragebitrate"),
            stereo=bool(values.get("stereo")),
            sprop_stereo=bool(values.get("sprop_stereo")),
            cbr=bool(values.get("cbr")),
            useinbandfec=bool(values.get("useinbandfec")),
            usedtx=bool(values.get("usedtx")),
        )

    def to_fmtp(self) -> dict[str, str]:
        """The parameters that differ from their defaults, by their names in SDP."""
        found: dict[str, str] = {}
        for name in _LIMITS:
            value = getattr(self, name)
            if value != getattr(_DEFAULTS, name):
                found[name.replace("_", "-")] = str(int(value))
        return found


_FLAG: Final = (0, 1)
_LIMITS: Final = {
    "minptime": (1, 120),
    "ptime": (1, 120),
    "maxptime": (1, 1000),  # browsers and SIP phones write more than the 120 ms that a packet can have
    "maxplaybackrate": (1, 999_999_999),
    "sprop_maxcapturerate": (1, 999_999_999),
    "maxaveragebitrate": (6_000, 510_000),
    "stereo": _FLAG,
    "sprop_stereo": _FLAG,
    "cbr": _FLAG,
    "useinbandfec": _FLAG,
    "usedtx": _FLAG,
}
_DEFAULTS: Final = OpusParameters()


class OpusPacketizer(AudioPacketizer):
    """One packet in, the same packet out, once it is known to be one."""

    def __init__(self, max_payload_bytes: int) -> None:
        self._max = max_payload_bytes

    def packetize(self, frame: bytes) -> list[bytes]:
        try:
            parse_packet(frame)
        except ParseError as error:
            raise InvalidArgumentError(f"not an Opus packet: {error}") from None
        if len(frame) > self._max:
            raise InvalidArgumentError(
                f"an Opus packet of {len(frame)} bytes cannot be cut, and {self._max} fit: lower bit rate or duration"
            )
        return [frame]

    def timestamp_step(self, payload: bytes) -> int:
        return timestamp_step(payload)


class OpusDepacketizer(OrderedDepacketizer):
    """Gives each packet, with `OpusFacts`; what a decoder would refuse is dropped."""

    def _frames(self, packet: RtpPacketLike, missing: int) -> list[EncodedFrame]:
        facts = parse_packet(packet.payload)
        if missing:
            facts = facts._replace(recovers_loss=facts.has_fec)
        return [EncodedFrame(packet.payload, packet.timestamp, True, missing > 0, packet.sequence_number, facts=facts)]


class OpusFormat(PayloadFormat):
    """opus/48000/2: always announced with two channels, whatever is in it."""

    encoding_name = "opus"
    kind = "audio"
    clock_rate = CLOCK_RATE
    channels = 2

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        super().__init__(parameters)
        self.opus_parameters = OpusParameters.from_fmtp(self.parameters)

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> AudioPacketizer:
        return OpusPacketizer(max_payload_bytes)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        return OpusDepacketizer(config, self.clock_rate)
