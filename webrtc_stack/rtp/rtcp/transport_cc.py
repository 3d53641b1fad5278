"""Transport-wide congestion control feedback.

Only packets that arrived are listed, so a value is never larger than its packet lets it be: 65,535 lost packets take
eight bytes on the wire, and no more here.

Spec: draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1; feedback without arrival times as
transport-wide-cc-02 has it. Chunks are chosen as libwebrtc chooses them (one pass, up to 14 statuses of look-back), so
both browsers' feedback is written back byte for byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ...errors import InvalidArgumentError, ParseError
from .packet import PacketType, TransportFormat, build, pack, too_short

REFERENCE_TIME_UNIT: Final = 0.064
DELTA_UNIT: Final = 0.00025
_HEAD: Final = struct.Struct(">IIHHI")
_U16: Final = struct.Struct(">H")
_I16: Final = struct.Struct(">h")
_FIELD: Final = "rtcp.transport-cc"
_MAX_RUN: Final = 8191


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportCc:
    """Which packets of a transport arrived, and when.

    `received` are (transport-wide sequence number, delta) of the packets that arrived, in order: the delta is the time
    since the one before (the first: since `reference_time`). Those of the `status_count` numbers from
    `base_sequence_number` on that are not in it did not arrive.
    Units: deltas 250 us, signed 16 bits; `reference_time` 64 ms, signed 24 bits. Without `with_timing` deltas are 0;
    about up to three packets the format cannot tell that from times of 0, since zeros fill the last word.
    """

    sender_ssrc: int
    media_ssrc: int
    base_sequence_number: int
    status_count: int
    reference_time: int
    feedback_count: int
    received: tuple[tuple[int, int], ...]
    with_timing: bool = True
    padding: int = 0

    @classmethod
    def from_arrivals(
        cls,
        *,
        sender_ssrc: int,
        media_ssrc: int,
        feedback_count: int,
        base_sequence_number: int,
        status_count: int,
        arrivals: Iterable[tuple[int, float]],
    ) -> TransportCc:
        """Feedback from (sequence number, arrival time in seconds of any clock), in the order of the numbers.

        Rounding does not add up: each delta is what remains to the rounded absolute time. Errors:
        `InvalidArgumentError` when two neighbours are more than 8.19 s apart: split the feedback there.
        """
        received: list[tuple[int, int]] = []
        reference = 0
        last = 0
        for number, arrival in arrivals:
            ticks = round(arrival / DELTA_UNIT)
            if not received:
                reference = ticks // 256
                last = reference * 256
            delta = ticks - last
            if not -32768 <= delta <= 32767:
                raise InvalidArgumentError(f"{delta * DELTA_UNIT:.3f} s between two packets, at most 8.19; split here")
            received.append((number & 0xFFFF, delta))
            last = ticks
        return cls(
            sender_ssrc=sender_ssrc,
            media_ssrc=media_ssrc,
            base_sequence_number=base_sequence_number & 0xFFFF,
            status_count=status_count,
            reference_time=((reference + 0x800000) & 0xFFFFFF) - 0x800000,
            feedback_count=feedback_count & 0xFF,
            received=tuple(received),
        )

    def arrivals(self) -> list[tuple[int, float]]:
        """(sequence number, arrival) of the packets that arrived. Units: seconds of the receiver's clock, which wraps
        (signed) after 2**24 * 64 ms, so differences are what counts."""
        ticks = self.reference_time * 256
        found = []
        for number, delta in self.received:
            ticks += delta
            found.append((number, ticks * DELTA_UNIT))
        return found

    @property
    def lost(self) -> tuple[int, ...]:
        """The numbers that did not arrive."""
        arrived = {number for number, _ in self.received}
        base = self.base_sequence_number
        return tuple([n & 0xFFFF for n in range(base, base + self.status_count) if n & 0xFFFF not in arrived])

    @classmethod
    def read(cls, body: bytes, padding: int) -> TransportCc:
        if len(body) < 16:
            raise too_short(body, 16, _FIELD)
        sender_ssrc, media_ssrc, base, count, word = _HEAD.unpack_from(body)
        statuses, position = _read_statuses(body, count)
        end = len(body)
        need = sum([size for _, size in statuses])
        with_timing = True
        received: list[tuple[int, int]] = []
        if position + need > end:
            if end - position >= 4:
                raise ParseError(
                    f"{need} bytes of deltas, {end - position} are left", offset=4 + position, field=_FIELD
                )
            with_timing = False
            received = [((base + offset) & 0xFFFF, 0) for offset, _ in statuses]
        else:
            for offset, size in statuses:
                if size == 1:
                    delta = body[position]
                    position += 1
                else:
                    delta = _I16.unpack_from(body, position)[0]
                    position += 2
                received.append(((base + offset) & 0xFFFF, delta))
        reference = word >> 8
        return cls(
            sender_ssrc=sender_ssrc,
            media_ssrc=media_ssrc,
            base_sequence_number=base,
            status_count=count,
            reference_time=reference - 0x1000000 if reference & 0x800000 else reference,
            feedback_count=word & 0xFF,
            received=tuple(received),
            with_timing=with_timing,
            padding=padding,
        )

    def serialize(self) -> bytes:
        """With `padding` 0 zeros fill the last word, uncounted, as Firefox does."""
        if not -0x800000 <= self.reference_time <= 0x7FFFFF or not 0 <= self.feedback_count <= 255:
            raise InvalidArgumentError("reference_time has 24 signed bits, feedback_count 8")
        word = (self.reference_time & 0xFFFFFF) << 8 | self.feedback_count
        ssrcs = (self.sender_ssrc, self.media_ssrc)
        body = pack(_HEAD, "transport-cc", *ssrcs, self.base_sequence_number, self.status_count, word)
        chunks = _ChunkWriter()
        deltas = bytearray()
        next_offset = 0
        for number, delta in self.received:
            offset = (number - self.base_sequence_number) & 0xFFFF
            if not next_offset <= offset < self.status_count:
                raise InvalidArgumentError(f"packet {number} is not in its order, or beyond status_count")
            chunks.add_lost(offset - next_offset)
            next_offset = offset + 1
            if 0 <= delta <= 255:
                chunks.add(1)
                deltas.append(delta)
            else:
                chunks.add(2)
                deltas += pack(_I16, "a delta", delta)
        chunks.add_lost(self.status_count - next_offset)
        body += chunks.finish()
        if self.with_timing:
            body += deltas
        body += bytes(-(len(body) + self.padding) & 3)
        return build(PacketType.RTPFB, TransportFormat.TRANSPORT_CC, body, self.padding)


def _read_statuses(body: bytes, count: int) -> tuple[list[tuple[int, int]], int]:
    """(offset, size of the delta) of each packet that arrived, and the position behind the chunks."""
    found: list[tuple[int, int]] = []
    position = 16
    end = len(body)
    offset = 0
    while offset < count:
        if position + 2 > end:
            raise ParseError(f"chunks for {offset} of {count} packets", offset=4 + position, field=_FIELD)
        chunk = body[position] << 8 | body[position + 1]
        position += 2
        if chunk < 0x8000:
            symbol = chunk >> 13
            after = min(offset + (chunk & _MAX_RUN), count)
            if symbol == 3:
                raise ParseError("a reserved status", offset=2 + position, field=_FIELD)
            if symbol:
                found += [(at, symbol) for at in range(offset, after)]
            offset = after
        elif chunk < 0xC000:
            for shift in range(13, max(-1, 13 - (count - offset)), -1):
                if chunk >> shift & 1:
                    found.append((offset + 13 - shift, 1))
            offset += 14
        else:
            for slot in range(min(7, count - offset)):
                symbol = chunk >> (12 - 2 * slot) & 3
                if symbol == 3:
                    raise ParseError("a reserved status", offset=2 + position, field=_FIELD)
                if symbol:
                    found.append((offset + slot, symbol))
            offset += 7
    return found, position


class _ChunkWriter:
    """Collects statuses (0 lost, 1 small, 2 large delta) and emits the chunks that hold most of them."""

    __slots__ = ("_count", "_first", "_large", "_out", "_same", "_window")

    def __init__(self) -> None:
        self._out = bytearray()
        self._window: list[int] = []  # the first 14 statuses that no chunk holds yet
        self._count = 0
        self._same = True
        self._large = False
        self._first = 0

    def add_lost(self, count: int) -> None:
        while count:
            if self._count >= 14 and self._same and self._first == 0:
                # A run of losses can be long: it is counted, not walked.
                taken = min(count, _MAX_RUN - self._count)
                self._count += taken
                count -= taken
                if not count:
                    return
            self.add(0)
            count -= 1

    def add(self, status: int) -> None:
        count = self._count
        fits = (
            count < 7
            or (count < 14 and not self._large and status != 2)
            or (count < _MAX_RUN and self._same and status == self._first)
        )
        if not fits:
            self._emit()
        self._push(status)

    def _push(self, status: int) -> None:
        if not self._count:
            self._first = status
            self._same = True
            self._large = False
        elif status != self._first:
            self._same = False
        if status == 2:
            self._large = True
        if self._count < 14:
            self._window.append(status)
        self._count += 1

    def _emit(self) -> None:
        window = self._window
        if self._same:
            self._write(self._first << 13 | self._count)
            rest: list[int] = []
        elif self._count == 14:
            self._one_bit(window)
            rest = []
        else:
            self._two_bit(window[:7])
            rest = window[7:]
        self._window = []
        self._count = 0
        for status in rest:
            self._push(status)

    def finish(self) -> bytes:
        if self._count:
            if self._same:
                self._write(self._first << 13 | self._count)
            elif self._count <= 7:
                self._two_bit(self._window)
            else:
                self._one_bit(self._window)
        return bytes(self._out)

    def _write(self, chunk: int) -> None:
        self._out += _U16.pack(chunk)

    def _one_bit(self, statuses: list[int]) -> None:
        chunk = 0x8000
        for slot, status in enumerate(statuses):
            chunk |= status << (13 - slot)
        self._write(chunk)

    def _two_bit(self, statuses: list[int]) -> None:
        chunk = 0xC000
        for slot, status in enumerate(statuses):
            chunk |= status << (12 - 2 * slot)
        self._write(chunk)
