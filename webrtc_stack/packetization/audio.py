"""What the audio formats share: packets in order, pieces of one packet time, and chunks made even.

In audio every packet is a frame of its own, so a depacketizer only puts packets in order, drops what came twice, says
where something was lost, and lets the format look at each payload. Where a jitter buffer already gives packets in
order, `reorder_packets=0` keeps it from waiting.

Invariants: `push` never raises; at most `reorder_packets + 1` packets are held; frames leave in the order of their
sequence numbers, each once.

Spec: RFC 3550 appendix A.1 (a source that restarts); RFC 3551 section 4.2 (packet time).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

from ..base import Drops
from ..errors import InvalidArgumentError, ParseError
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    DepacketizerCounters,
    EncodedFrame,
    Packetizer,
    PayloadFormat,
    RtpPacketLike,
)

# A packet this far from where the stream is belongs to a sender that restarted, or is a stray.
_MAX_JUMP: Final = 1024
# Packets behind a gap before time alone may give it up: a mere swap is no loss.
_REORDER_THRESHOLD: Final = 3


class AudioPacketizer(Packetizer):
    """A packetizer that knows how long its payloads last."""

    @abstractmethod
    def timestamp_step(self, payload: bytes) -> int:
        """How far the RTP timestamp moves from this payload to the next one. Units: ticks of the RTP clock."""


class OrderedDepacketizer(Depacketizer):
    """Packets in order, each once; `_frames` turns one payload into frames."""

    bridges_gaps = False
    """Whether a packet may hold what others carried: then `_bridges` is asked."""

    def __init__(self, config: DepacketizerConfig, clock_rate: int) -> None:
        self.config = config
        self._counters = DepacketizerCounters()
        self.drops = Drops()
        self._trace = config.trace
        self._clock_rate = clock_rate
        self._time_limit = int(config.reorder_time * clock_rate)
        self._window = config.reorder_packets
        self._expected = -1
        self._held: dict[int, RtpPacketLike] = {}
        self._newest = 0
        self._newest_timestamp = 0
        self._timestamp = 0
        self._missing = 0
        self._stray: RtpPacketLike | None = None

    # --- what a format says -----------------------------------------------------------------------------------------

    @abstractmethod
    def _frames(self, packet: RtpPacketLike, missing: int) -> list[EncodedFrame]:
        """The frames of one packet, `missing` lost packets after the last. Errors: `ParseError`, nothing changed."""

    def _bridges(self, packet: RtpPacketLike, missing: int) -> bool:
        """Whether `packet` itself holds what the `missing` packets before it carried, so that waiting is needless."""
        return False

    def _restarted(self) -> None:
        """The sender began anew: timestamps and sequence numbers have nothing to do with earlier ones."""

    # --- taking packets ---------------------------------------------------------------------------------------------

    def push(self, packet: RtpPacketLike) -> list[EncodedFrame]:
        self._counters.packets += 1
        sequence = packet.sequence_number
        frames: list[EncodedFrame] = []
        if sequence == self._expected or self._expected < 0:
            self._take(packet, frames)
            if self._held:
                self._settle(frames)
            return frames
        distance = (sequence - self._expected) & 0xFFFF
        if distance > _MAX_JUMP and 0x10000 - distance > _MAX_JUMP:
            self._take_far(packet, frames)
            return frames
        if distance >= 0x8000 or sequence in self._held:
            self.drops.add("late or doubled")
            return frames
        held = self._held
        if not held or ((sequence - self._newest) & 0xFFFF) < 0x8000:
            self._newest = sequence
            self._newest_timestamp = packet.timestamp
        held[sequence] = packet
        self._settle(frames)
        return frames

    def flush(self) -> list[EncodedFrame]:
        frames: list[EncodedFrame] = []
        while self._held:
            self._skip_gap()
            self._advance(frames)
        return frames

    def _take_far(self, packet: RtpPacketLike, frames: list[EncodedFrame]) -> None:
        """Two far packets in sequence are a sender that restarted; one alone is a stray."""
        stray, self._stray = self._stray, packet
        if stray is None or (stray.sequence_number + 1) & 0xFFFF != packet.sequence_number:
            self.drops.add("far off")
            return
        self._stray = None
        frames += self.flush()
        self._counters.resets += 1
        self._expected = -1
        self._restarted()
        self._missing = 1
        self._take(stray, frames)
        self._take(packet, frames)

    def _settle(self, frames: list[EncodedFrame]) -> None:
        """Takes held packets as far as they go, and gives up gaps that are overdue or that redundancy bridges."""
        self._advance(frames)
        held = self._held
        while held:
            if not self._overdue():
                if not self.bridges_gaps:
                    return
                first = min(held, key=self._distance)
                if not self._bridges(held[first], self._distance(first) + self._missing):
                    return
            self._skip_gap()
            self._advance(frames)

    def _overdue(self) -> bool:
        """Whether what is missing has been waited for long enough."""
        reach = self._distance(self._newest)
        if reach > self._window:
            return True
        elapsed = (self._newest_timestamp - self._timestamp) & 0xFFFFFFFF
        return reach >= _REORDER_THRESHOLD and self._time_limit < elapsed < 0x80000000

    def _distance(self, sequence: int) -> int:
        return (sequence - self._expected) & 0xFFFF

    def _skip_gap(self) -> None:
        first = min(self._held, key=self._distance)
        self._counters.gaps += 1
        self._missing += self._distance(first)
        self._expected = first

    def _advance(self, frames: list[EncodedFrame]) -> None:
        held = self._held
        while held:
            packet = held.pop(self._expected, None)
            if packet is None:
                return
            self._take(packet, frames)

    def _take(self, packet: RtpPacketLike, frames: list[EncodedFrame]) -> None:
        """The packet next in sequence."""
        self._expected = (packet.sequence_number + 1) & 0xFFFF
        self._timestamp = packet.timestamp
        payload = packet.payload
        if not payload:
            return  # padding alone: it probes the path and carries no sound
        if len(payload) > self.config.max_frame_bytes:
            self.drops.add("frame too large")
            self._missing += 1
            return
        try:
            made = self._frames(packet, self._missing)
        except ParseError as error:
            self.drops.add("malformed")
            self._missing += 1
            if self._trace:
                self._trace.event(
                    packet.timestamp / self._clock_rate, "frame_malformed", bytes=len(payload), error=str(error)
                )
            return
        self._missing = 0
        counters = self._counters
        counters.frames += len(made)
        counters.keyframes += len(made)
        frames += made


class SampleDepacketizer(OrderedDepacketizer):
    """For formats of fixed size a sample: the payload is the frame. `unit` is the bytes that belong together."""

    def __init__(self, config: DepacketizerConfig, clock_rate: int, unit: int = 1) -> None:
        super().__init__(config, clock_rate)
        self._unit = unit

    def _frames(self, packet: RtpPacketLike, missing: int) -> list[EncodedFrame]:
        payload = packet.payload
        if len(payload) % self._unit:
            raise ParseError(f"{len(payload)} bytes are no whole number of {self._unit}-byte samples", field="payload")
        return [EncodedFrame(payload, packet.timestamp, True, missing > 0, packet.sequence_number)]


class SamplePacketizer(AudioPacketizer):
    """Cuts sound of fixed size a sample into payloads of one packet time; the last may be shorter.

    `unit` is the bytes of one tick of the RTP clock. A packet time that does not fit `max_payload_bytes` is cut into
    pieces as equal as whole ticks allow.
    """

    def __init__(self, *, ticks: int, unit: int, max_payload_bytes: int) -> None:
        room = max_payload_bytes // unit
        if room < 1:
            raise InvalidArgumentError(f"max_payload_bytes is {max_payload_bytes}, one sample has {unit} bytes")
        pieces = -(-ticks // room)
        self._unit = unit
        self.payload_bytes = -(-ticks // pieces) * unit

    def packetize(self, frame: bytes) -> list[bytes]:
        if len(frame) % self._unit:
            raise InvalidArgumentError(f"{len(frame)} bytes are no whole number of {self._unit}-byte samples")
        size = self.payload_bytes
        if len(frame) <= size:
            return [frame] if frame else []
        return [frame[at : at + size] for at in range(0, len(frame), size)]

    def timestamp_step(self, payload: bytes) -> int:
        return len(payload) // self._unit


class RatedAudioFormat(PayloadFormat):
    """An audio encoding that exists at several clock rates or with several numbers of channels.

    `clock_rates` and `channel_counts` are what a format allows; its `clock_rate` and `channels` are the defaults.
    """

    kind = "audio"
    clock_rates: ClassVar[range] = range(1, 1 << 32)
    channel_counts: ClassVar[range] = range(1, 2)

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        clock_rate: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(parameters)
        name = self.encoding_name
        if clock_rate is not None:
            self.clock_rate = clock_rate
        if channels is not None:
            self.channels = channels
        for what, value, allowed in (
            ("Hz", self.clock_rate, self.clock_rates),
            ("channels", self.channels, self.channel_counts),
        ):
            if value not in allowed:
                raise InvalidArgumentError(f"{name} with {value} {what}; allowed are {allowed[0]} to {allowed[-1]}")


class BytePerTickFormat(PayloadFormat):
    """An audio encoding in which one byte is one tick. `ptime` (ms, default 20) is the length of a payload."""

    kind = "audio"
    clock_rate = 8000

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        super().__init__(parameters)
        self._ticks = packet_ticks(self)

    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> AudioPacketizer:
        return SamplePacketizer(ticks=self._ticks, unit=1, max_payload_bytes=max_payload_bytes)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        return SampleDepacketizer(config, self.clock_rate)


class Chunker:
    """Chunks of any length in, chunks of one length out: what stands between a device or a peer and a codec.

    It keeps less than one chunk.
    """

    __slots__ = ("_rest", "size")

    def __init__(self, size: int) -> None:
        if size < 1:
            raise InvalidArgumentError(f"a chunk of {size} bytes; at least 1")
        self.size = size
        self._rest = b""

    @property
    def pending_bytes(self) -> int:
        return len(self._rest)

    def push(self, data: bytes) -> list[bytes]:
        """Returns: every chunk that is complete by `data`."""
        size = self.size
        whole = self._rest + data if self._rest else data
        end = len(whole) - len(whole) % size
        self._rest = whole[end:]
        return [whole[at : at + size] for at in range(0, end, size)]

    def flush(self) -> bytes:
        """What is left, shorter than a chunk, perhaps empty."""
        rest, self._rest = self._rest, b""
        return rest


def packet_ticks(format: PayloadFormat, default_ms: int = 20) -> int:
    """The `ptime` of a format in ticks of its RTP clock. Errors: `InvalidArgumentError` beyond 1 to 1000 ms."""
    ptime = format.integer("ptime", default_ms)
    if not 1 <= ptime <= 1000:
        raise InvalidArgumentError(f"{format.encoding_name} parameter ptime is {ptime}, allowed are 1 to 1000 ms")
    return max(1, ptime * format.clock_rate // 1000)
