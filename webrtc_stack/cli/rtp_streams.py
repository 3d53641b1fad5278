"""What the RTP and RTCP packets of a recording say together: a line for each stream.

Only headers are read, which SRTP leaves in the clear, so protected streams have the same figures as plain ones. RTCP
is read as far as it is plain.

Invariants: at most `MAX_STREAMS` streams and as many RTCP senders are kept; what comes beyond is counted.

Spec: RFC 3550 A.1 (sequence numbers, restarts), A.3 (loss), A.8 (jitter); RFC 5761 section 4 (RTP or RTCP).
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .. import rtp
from ..base import Unwrapper
from ..errors import ParseError

MAX_STREAMS: Final = 4096
_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
_RATES: Final = (8000, 16_000, 32_000, 44_100, 48_000, 90_000)
STATIC_TYPES: Final[dict[int, tuple[str, int]]] = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    4: ("G723", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    10: ("L16 stereo", 44_100),
    11: ("L16", 44_100),
    13: ("CN", 8000),
    14: ("MPA", 90_000),
    15: ("G728", 8000),
    18: ("G729", 8000),
    26: ("JPEG", 90_000),
    31: ("H261", 90_000),
    32: ("MPV", 90_000),
    33: ("MP2T", 90_000),
    34: ("H263", 90_000),
}
"""Payload types that RFC 3551 section 6 ties to an encoding and a clock."""


class Seen(NamedTuple):
    """A datagram that is RTP or RTCP by its first bytes. `flow` names where it came from and went."""

    time: float
    flow: str
    data: bytes
    original_length: int
    rtcp: bool


class StreamKey(NamedTuple):
    ssrc: int
    flow: str


class Stream:
    """One SSRC on one flow."""

    def __init__(self, key: StreamKey) -> None:
        self.key = key
        self.types: Counter[int] = Counter()
        self.packets = 0
        self.payload_bytes = 0
        self.duplicates = 0
        self.reordered = 0
        self.far = 0
        self.restarts = 0
        self.sequential = False
        self.first_time = 0.0
        self.last_time = 0.0
        self._expected_before = 0
        self._seen_before = 0
        self._seen: set[int] = set()
        self._base = 0
        self._highest = 0
        self._bad = -1
        self._times = array("d")
        self._stamps = array("Q")
        self._stamp_types = bytearray()
        self._unwrapper = Unwrapper(32)

    def add(self, time: float, sequence: int, timestamp: int, payload_type: int, payload_bytes: int) -> None:
        if not self.packets:
            self.first_time = self.last_time = time
            self._base = self._highest = 0x10000 + sequence
        self.packets += 1
        self.first_time, self.last_time = min(self.first_time, time), max(self.last_time, time)
        self.types[payload_type] += 1
        self.payload_bytes += payload_bytes
        if self._place(sequence):
            self._times.append(time)
            self._stamps.append(self._unwrapper.unwrap(timestamp))
            self._stamp_types.append(payload_type)

    def _place(self, sequence: int) -> bool:
        """Counts the sequence number. Returns: whether the packet is new."""
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead > _MAX_DROPOUT and 0x10000 - ahead > _MAX_MISORDER:
            if sequence != self._bad:
                self._bad = (sequence + 1) & 0xFFFF
                self.far += 1
                return False
            # The second in a row: the sender began anew, with the one before it.
            self.restarts += 1
            self.far -= 1
            self._expected_before += self._highest - self._base + 1
            self._seen_before += len(self._seen)
            self._base = 0x10000 + sequence - 1
            self._highest = self._base + 1
            self._seen = {self._base, self._highest}
            self._bad = -1
            self._unwrapper = Unwrapper(32)
            return True
        extended = self._highest + (ahead if ahead < 0x8000 else ahead - 0x10000)
        if extended in self._seen:
            self.duplicates += 1
            return False
        self._seen.add(extended)
        if extended > self._highest:
            self.sequential = self.sequential or extended == self._highest + 1
            self._highest = extended
        elif extended < self._highest:
            self.reordered += 1
            self._base = min(self._base, extended)
        return True

    @property
    def expected(self) -> int:
        return self._expected_before + self._highest - self._base + 1

    @property
    def lost(self) -> int:
        return self.expected - self._seen_before - len(self._seen)

    @property
    def payload_type(self) -> int:
        """The one that most packets have."""
        return self.types.most_common(1)[0][0]

    @property
    def bit_rate(self) -> float | None:
        """Payload alone. Units: bit/s; None for a single moment."""
        span = self.last_time - self.first_time
        return self.payload_bytes * 8 / span if span > 0 else None

    def guess_clock(self) -> int | None:
        """The usual clock rate nearest to how time stamps and arrivals run, if one is near."""
        main = self.payload_type
        chosen = [at for at, one in enumerate(self._stamp_types) if one == main]
        if len(chosen) < 8 or self.restarts:
            return None
        first, last = chosen[0], chosen[-1]
        span = self._times[last] - self._times[first]
        ticks = self._stamps[last] - self._stamps[first]
        if span < 0.1 or ticks <= 0:
            return None
        measured = ticks / span
        nearest = min(_RATES, key=lambda rate: abs(math.log(measured / rate)))
        return nearest if abs(math.log(measured / nearest)) < 0.2 else None

    def jitter(self, clock_rate: int) -> tuple[float, float, float]:
        """Interarrival jitter at the end, on average and at most. Units: seconds. Spec: RFC 3550 A.8."""
        main = self.payload_type
        value = total = highest = 0.0
        count = 0
        previous: tuple[float, int] | None = None
        for time, stamp, kind in zip(self._times, self._stamps, self._stamp_types, strict=True):
            if kind != main:
                continue  # events and comfort noise beside the sound have time stamps of their own making
            if previous is not None:
                moved = abs((time - previous[0]) - (stamp - previous[1]) / clock_rate)
                value += (moved - value) / 16
                total += value
                highest = max(highest, value)
                count += 1
            previous = (time, stamp)
        return value, total / count if count else 0.0, highest


@dataclass(slots=True)
class RtcpSender:
    """What one SSRC sent of RTCP: packets by name, its CNAME, and what could not be read."""

    ssrc: int
    kinds: Counter[str] = field(default_factory=Counter)
    cname: str | None = None
    unreadable: int = 0


class Reception(NamedTuple):
    """The last that `reporter` said about how it receives `ssrc`."""

    reporter: int
    ssrc: int
    fraction_lost: float
    packets_lost: int
    jitter: int
    reports: int


@dataclass(slots=True)
class Overview:
    """All streams of a recording."""

    clock_rates: Mapping[int, int]
    streams: dict[StreamKey, Stream] = field(default_factory=dict)
    senders: dict[int, RtcpSender] = field(default_factory=dict)
    receptions: dict[tuple[int, int], Reception] = field(default_factory=dict)
    ignored: int = 0

    def add(self, seen: Seen) -> None:
        """Takes one datagram."""
        if seen.rtcp:
            self._add_rtcp(seen.data)
        else:
            self._add_rtp(seen)

    def confirmed(self) -> list[Stream]:
        """Streams that had two packets in sequence at least once; other things that begin like RTP have none."""
        return [stream for stream in self.streams.values() if stream.sequential or stream.restarts]

    def clock(self, stream: Stream) -> tuple[int | None, bool]:
        """The clock rate, and whether it is a guess."""
        kind = stream.payload_type
        if kind in self.clock_rates:
            return self.clock_rates[kind], False
        if kind in STATIC_TYPES:
            return STATIC_TYPES[kind][1], False
        return stream.guess_clock(), True

    def _add_rtp(self, seen: Seen) -> None:
        data = seen.data
        if len(data) < 12:
            self.ignored += 1
            return
        ssrc = int.from_bytes(data[8:12], "big")
        key = StreamKey(ssrc, seen.flow)
        stream = self.streams.get(key)
        if stream is None:
            if len(self.streams) >= MAX_STREAMS:
                self.ignored += 1
                return
            stream = self.streams[key] = Stream(key)
        head = 12 + 4 * (data[0] & 15)
        if data[0] & 0x10 and head + 4 <= len(data):
            head += 4 + 4 * int.from_bytes(data[head + 2 : head + 4], "big")
        stream.add(
            seen.time,
            int.from_bytes(data[2:4], "big"),
            int.from_bytes(data[4:8], "big"),
            data[1] & 0x7F,
            max(0, seen.original_length - head),
        )

    def _add_rtcp(self, data: bytes) -> None:
        if len(data) < 8:
            self.ignored += 1
            return
        ssrc = int.from_bytes(data[4:8], "big")
        sender = self.senders.get(ssrc)
        if sender is None:
            if len(self.senders) >= MAX_STREAMS:
                self.ignored += 1
                return
            sender = self.senders[ssrc] = RtcpSender(ssrc)
        try:
            packets = rtp.rtcp.parse_compound(data)
        except ParseError:
            sender.unreadable += 1  # SRTCP, most likely: all behind the first eight bytes is cipher text
            return
        for packet in packets:
            sender.kinds[type(packet).__name__] += 1
            if isinstance(packet, rtp.rtcp.SenderReport | rtp.rtcp.ReceiverReport):
                self._take_reports(ssrc, packet)
            elif isinstance(packet, rtp.rtcp.SourceDescription):
                for chunk in packet.chunks:
                    if chunk.ssrc == ssrc and chunk.cname is not None:
                        sender.cname = chunk.cname

    def _take_reports(self, reporter: int, packet: rtp.rtcp.SenderReport | rtp.rtcp.ReceiverReport) -> None:
        for block in packet.reports:
            key = (reporter, block.ssrc)
            before = self.receptions.get(key)
            if before is None and len(self.receptions) >= MAX_STREAMS:
                self.ignored += 1
                continue
            self.receptions[key] = Reception(
                reporter,
                block.ssrc,
                block.fraction_lost / 256,
                block.packets_lost,
                block.jitter,
                1 if before is None else before.reports + 1,
            )
