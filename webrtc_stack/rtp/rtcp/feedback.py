"""Feedback messages: lost packets, key frame requests, rates.

Spec: RFC 4585 section 6 (NACK, PLI, SLI, RPSI, application layer), RFC 5104 section 4 (TMMBR, TMMBN, FIR), RFC 6051
section 3.2 (rapid resynchronisation), RFC 6679 section 5.1 (ECN), draft-alvestrand-rmcat-remb-03 (REMB). Left out, and
kept as unknown packets: TSTR, TSTN and VBCM of RFC 5104, REFERENCE and pause messages of RFC 7728, LRR of RFC 9627.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Self

from ...errors import InvalidArgumentError, ParseError
from .packet import PacketType, PayloadFormat, TransportFormat, build, pack, too_short

SSRCS: Final = struct.Struct(">II")
_U16_U16: Final = struct.Struct(">HH")
_U32: Final = struct.Struct(">I")
_ECN: Final = struct.Struct(">IIIHHHH")


def split(body: bytes, field: str, least: int = 0) -> tuple[int, int, bytes]:
    """(sender, media source, feedback control information). Errors: `ParseError`."""
    if len(body) < 8 + least:
        raise too_short(body, 8 + least, field)
    sender_ssrc, media_ssrc = SSRCS.unpack_from(body)
    return sender_ssrc, media_ssrc, body[8:]


def _whole(fci: bytes, size: int, field: str) -> None:
    if not fci or len(fci) % size:
        raise ParseError(f"{len(fci)} bytes, expected a multiple of {size}", offset=12, field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Feedback:
    """What all messages share: who sends it, about which source, and the packet around its control information."""

    FORMAT: ClassVar[tuple[PacketType, TransportFormat | PayloadFormat]]
    FIELD: ClassVar[str]
    """How a `ParseError` names it."""

    sender_ssrc: int
    media_ssrc: int
    padding: int = 0

    def _fci(self) -> bytes:
        """The control information. Errors: `InvalidArgumentError`."""
        return b""

    def serialize(self) -> bytes:
        ssrcs = pack(SSRCS, "a feedback message", self.sender_ssrc, self.media_ssrc)
        return build(*self.FORMAT, ssrcs + self._fci(), self.padding)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request(_Feedback):
    """A message without control information: that it comes says everything."""

    @classmethod
    def read(cls, body: bytes, padding: int) -> Self:
        sender, media, _ = split(body, cls.FIELD)
        return cls(sender_ssrc=sender, media_ssrc=media, padding=padding)


# --- transport layer --------------------------------------------------------------------------------------------------


class NackItem(NamedTuple):
    """A lost packet, and which of the 16 behind it are lost too: bit 0 of `blp` is `pid` + 1."""

    pid: int
    blp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack(_Feedback):
    """Generic NACK: packets that did not arrive."""

    FORMAT = (PacketType.RTPFB, TransportFormat.NACK)
    FIELD = "rtcp.nack"

    items: tuple[NackItem, ...]

    @classmethod
    def from_lost(cls, sender_ssrc: int, media_ssrc: int, lost: Iterable[int]) -> Nack:
        """Packs sequence numbers, given in their order (also across the wrap), into the fewest items."""
        items: list[NackItem] = []
        pid, blp = -1, 0
        for number in lost:
            distance = (number - pid) & 0xFFFF
            if pid >= 0 and distance <= 16:
                if distance:
                    blp |= 1 << (distance - 1)
                continue
            if pid >= 0:
                items.append(NackItem(pid, blp))
            pid, blp = number & 0xFFFF, 0
        if pid >= 0:
            items.append(NackItem(pid, blp))
        return cls(sender_ssrc=sender_ssrc, media_ssrc=media_ssrc, items=tuple(items))

    @property
    def lost(self) -> tuple[int, ...]:
        """All sequence numbers asked for, in the order of the items."""
        found = []
        for pid, blp in self.items:
            found.append(pid)
            while blp:
                pid = (pid + 1) & 0xFFFF
                if blp & 1:
                    found.append(pid)
                blp >>= 1
        return tuple(found)

    @classmethod
    def read(cls, body: bytes, padding: int) -> Nack:
        sender, media, fci = split(body, cls.FIELD)
        _whole(fci, 4, cls.FIELD)
        items = tuple([NackItem(*item) for item in _U16_U16.iter_unpack(fci)])
        return cls(sender_ssrc=sender, media_ssrc=media, items=items, padding=padding)

    def _fci(self) -> bytes:
        if not self.items:
            raise InvalidArgumentError("a NACK names at least one packet")
        return b"".join([pack(_U16_U16, "a NACK item", *item) for item in self.items])


class RateItem(NamedTuple):
    """A rate of TMMBR or TMMBN: `mantissa` (17 bits) times 2**`exponent` (6 bits), and the overhead a packet."""

    ssrc: int
    exponent: int
    mantissa: int
    overhead: int = 0

    @classmethod
    def of(cls, ssrc: int, bitrate_bps: int, overhead: int = 0) -> RateItem:
        """The item for a rate, rounded down where it has more than 17 significant bits."""
        exponent = max(bitrate_bps.bit_length() - 17, 0)
        return cls(ssrc, exponent, bitrate_bps >> exponent, overhead)

    @property
    def bitrate_bps(self) -> int:
        return self.mantissa << self.exponent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rates(_Feedback):
    """A list of rates."""

    LEAST: ClassVar[int]
    """How many there must be."""

    media_ssrc: int = 0
    items: tuple[RateItem, ...]

    @classmethod
    def read(cls, body: bytes, padding: int) -> Self:
        sender, media, fci = split(body, cls.FIELD, 8 * cls.LEAST)
        if len(fci) % 8:
            raise ParseError(f"{len(fci)} bytes, expected a multiple of 8", offset=12, field=cls.FIELD)
        items = [RateItem(ssrc, word >> 26, word >> 9 & 0x1FFFF, word & 0x1FF) for ssrc, word in SSRCS.iter_unpack(fci)]
        return cls(sender_ssrc=sender, media_ssrc=media, items=tuple(items), padding=padding)

    def _fci(self) -> bytes:
        if len(self.items) < self.LEAST:
            raise InvalidArgumentError("a TMMBR asks for at least one rate")
        out = []
        for ssrc, exponent, mantissa, overhead in self.items:
            if not (0 <= exponent < 64 and 0 <= mantissa < 0x20000 and 0 <= overhead < 512):
                raise InvalidArgumentError("a rate has a 6-bit exponent, a 17-bit mantissa and a 9-bit overhead")
            out.append(pack(SSRCS, "a rate", ssrc, exponent << 26 | mantissa << 9 | overhead))
        return b"".join(out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmmbr(_Rates):
    """Temporary maximum media stream bit rate request."""

    FORMAT = (PacketType.RTPFB, TransportFormat.TMMBR)
    FIELD = "rtcp.tmmbr"
    LEAST = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmmbn(_Rates):
    """Temporary maximum media stream bit rate notification: the bounding set, which may be empty."""

    FORMAT = (PacketType.RTPFB, TransportFormat.TMMBN)
    FIELD = "rtcp.tmmbn"
    LEAST = 0

    items: tuple[RateItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RapidResynchronizationRequest(_Request):
    """Asks the media sender for a sender report at once."""

    FORMAT = (PacketType.RTPFB, TransportFormat.RAPID_RESYNCHRONIZATION)
    FIELD = "rtcp.rapid-resynchronization"


@dataclass(frozen=True, slots=True, kw_only=True)
class EcnFeedback(_Feedback):
    """How many packets came with which ECN mark, since the start of the session."""

    FORMAT = (PacketType.RTPFB, TransportFormat.ECN)
    FIELD = "rtcp.ecn"

    highest_sequence_number: int
    ect0: int = 0
    ect1: int = 0
    ce: int = 0
    not_ect: int = 0
    lost: int = 0
    duplicates: int = 0

    @classmethod
    def read(cls, body: bytes, padding: int) -> EcnFeedback:
        sender, media, fci = split(body, cls.FIELD, 20)
        highest, ect0, ect1, ce, not_ect, lost, duplicates = _ECN.unpack_from(fci)
        return cls(
            sender_ssrc=sender,
            media_ssrc=media,
            highest_sequence_number=highest,
            ect0=ect0,
            ect1=ect1,
            ce=ce,
            not_ect=not_ect,
            lost=lost,
            duplicates=duplicates,
            padding=padding,
        )

    def _fci(self) -> bytes:
        counts = (self.highest_sequence_number, self.ect0, self.ect1, self.ce, self.not_ect, self.lost, self.duplicates)
        return pack(_ECN, "ECN feedback", *counts)


# --- payload-specific -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pli(_Request):
    """Picture loss indication: asks for a key frame."""

    FORMAT = (PacketType.PSFB, PayloadFormat.PLI)
    FIELD = "rtcp.pli"


class SliItem(NamedTuple):
    """A run of lost macroblocks: the `first` (13 bits), how many (13 bits), and the picture (6 bits)."""

    first: int
    number: int
    picture_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sli(_Feedback):
    """Slice loss indication."""

    FORMAT = (PacketType.PSFB, PayloadFormat.SLI)
    FIELD = "rtcp.sli"

    items: tuple[SliItem, ...]

    @classmethod
    def read(cls, body: bytes, padding: int) -> Sli:
        sender, media, fci = split(body, cls.FIELD)
        _whole(fci, 4, cls.FIELD)
        items = tuple([SliItem(word >> 19, word >> 6 & 0x1FFF, word & 0x3F) for (word,) in _U32.iter_unpack(fci)])
        return cls(sender_ssrc=sender, media_ssrc=media, items=items, padding=padding)

    def _fci(self) -> bytes:
        words = []
        for first, number, picture_id in self.items:
            if not (0 <= first < 0x2000 and 0 <= number < 0x2000 and 0 <= picture_id < 64):
                raise InvalidArgumentError("an SLI item has 13, 13 and 6 bits")
            words.append(_U32.pack(first << 19 | number << 6 | picture_id))
        return b"".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpsi(_Feedback):
    """Reference picture selection: a codec's own name of a picture, `padding_bits` of its end unused."""

    FORMAT = (PacketType.PSFB, PayloadFormat.RPSI)
    FIELD = "rtcp.rpsi"

    payload_type: int
    bit_string: bytes
    padding_bits: int = 0
    """Unused bits at the end, those of whole bytes (which are not in `bit_string`) included."""

    @classmethod
    def read(cls, body: bytes, padding: int) -> Rpsi:
        sender, media, fci = split(body, cls.FIELD, 4)
        padding_bits, payload_type = fci[0], fci[1] & 0x7F
        whole = padding_bits // 8
        if whole > len(fci) - 2:
            raise ParseError(f"{padding_bits} bits of padding do not fit", offset=12, field=cls.FIELD)
        bit_string = fci[2 : len(fci) - whole]
        return cls(
            sender_ssrc=sender,
            media_ssrc=media,
            payload_type=payload_type,
            bit_string=bit_string,
            padding_bits=padding_bits,
            padding=padding,
        )

    def _fci(self) -> bytes:
        if not 0 <= self.payload_type <= 127 or not 0 <= self.padding_bits <= 255:
            raise InvalidArgumentError("payload types are 0 to 127, padding bits 0 to 255")
        return bytes((self.padding_bits, self.payload_type)) + self.bit_string + bytes(self.padding_bits // 8)


class FirItem(NamedTuple):
    """Whom a key frame is wanted of; the number grows with each new wish, and stays in its repetitions."""

    ssrc: int
    sequence_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fir(_Feedback):
    """Full intra request."""

    FORMAT = (PacketType.PSFB, PayloadFormat.FIR)
    FIELD = "rtcp.fir"

    media_ssrc: int = 0
    items: tuple[FirItem, ...]

    @classmethod
    def read(cls, body: bytes, padding: int) -> Fir:
        sender, media, fci = split(body, cls.FIELD)
        _whole(fci, 8, cls.FIELD)
        items = tuple([FirItem(ssrc, word >> 24) for ssrc, word in SSRCS.iter_unpack(fci)])
        return cls(sender_ssrc=sender, media_ssrc=media, items=items, padding=padding)

    def _fci(self) -> bytes:
        if not self.items:
            raise InvalidArgumentError("a FIR asks at least one source")
        return b"".join([pack(SSRCS, "a FIR item", item.ssrc, item.sequence_number << 24) for item in self.items])


@dataclass(frozen=True, slots=True, kw_only=True)
class Remb(_Feedback):
    """Receiver estimated maximum bit rate, for all of `ssrcs` together."""

    FORMAT = (PacketType.PSFB, PayloadFormat.APPLICATION)
    FIELD = "rtcp.remb"

    media_ssrc: int = 0
    bitrate_bps: int
    """Written with 18 significant bits, rounded down."""
    ssrcs: tuple[int, ...]

    @classmethod
    def read(cls, body: bytes, padding: int) -> Remb:
        sender, media, fci = split(body, cls.FIELD, 8)
        count = fci[4]
        if len(fci) != 8 + 4 * count:
            raise ParseError(f"{count} SSRCs in {len(fci)} bytes", offset=16, field=cls.FIELD)
        word = int.from_bytes(fci[5:8], "big")
        return cls(
            sender_ssrc=sender,
            media_ssrc=media,
            bitrate_bps=(word & 0x3FFFF) << (word >> 18),
            ssrcs=struct.unpack_from(f">{count}I", fci, 8),
            padding=padding,
        )

    def _fci(self) -> bytes:
        exponent = max(self.bitrate_bps.bit_length() - 18, 0)
        if self.bitrate_bps < 0 or exponent > 63 or len(self.ssrcs) > 255:
            raise InvalidArgumentError(f"a rate of {self.bitrate_bps} for {len(self.ssrcs)} sources does not fit")
        word = exponent << 18 | self.bitrate_bps >> exponent
        head = b"REMB" + bytes((len(self.ssrcs),)) + word.to_bytes(3, "big")
        return head + b"".join([pack(_U32, "a REMB", ssrc) for ssrc in self.ssrcs])


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationFeedback(_Feedback):
    """Application layer feedback other than REMB."""

    FORMAT = (PacketType.PSFB, PayloadFormat.APPLICATION)
    FIELD = "rtcp.afb"

    fci: bytes

    @classmethod
    def read(cls, body: bytes, padding: int) -> ApplicationFeedback | Remb:
        if body[8:12] == b"REMB":
            return Remb.read(body, padding)
        sender, media, fci = split(body, cls.FIELD)
        return cls(sender_ssrc=sender, media_ssrc=media, fci=fci, padding=padding)

    def _fci(self) -> bytes:
        return self.fci
