"""What all payload formats share: the frame, the two directions, and the format that makes them.

A *payload format* (`PayloadFormat`) is one encoding name with its format parameters. It makes a `Packetizer`, which
cuts a frame into RTP payloads, and a `Depacketizer`, which takes RTP packets in any order and gives whole frames.
Both are sans-IO and know no time: what counts as late is said in packets and in RTP timestamps.

Invariants: a payload is never longer than `max_payload_bytes`; the RTP marker belongs on the last payload of the list
(video), or as the format says (audio); `push` never raises, whatever the payload.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..base import Drops
from ..errors import InvalidArgumentError
from ..trace import NO_TRACE, Trace

DEFAULT_MAX_PAYLOAD_BYTES = 1200


class RtpPacketLike(Protocol):
    """What a depacketizer reads of a packet; `rtp.RtpPacket` has it all."""

    @property
    def sequence_number(self) -> int: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def marker(self) -> bool: ...

    @property
    def payload(self) -> bytes: ...


class EncodedFrame(NamedTuple):
    """One frame (video: everything of one capture time; audio: what one packet carried) as a decoder takes it.

    `timestamp` is the RTP timestamp. `keyframe` says that nothing earlier is needed (always true for audio).
    `follows_loss` says that packets between this frame and the last one given out were lost (or, where nothing waits
    for key frames, at any time since the last key frame). `facts` are what the payload descriptor or bitstream tells
    of the frame, a type of each format's own.
    """

    data: bytes
    timestamp: int
    keyframe: bool = True
    follows_loss: bool = False
    first_sequence_number: int = 0
    packet_count: int = 1
    facts: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepacketizerConfig:
    """Limits of a depacketizer.

    `reorder_packets`: how far behind the newest packet a missing one is still waited for; 64 packets are 0.1 s at
    6 Mbit/s, a round trip with a retransmission. 0 where packets come ordered, from a jitter buffer.
    `reorder_time`: seconds of RTP timestamp after which a missing packet is given up although few packets came since
    (but never before three came, lest a stream of one packet a second loses frames by a mere swap).
    `max_frame_bytes`: larger frames are dropped; 4 MiB is some ten times a large 4K key frame.
    `max_frame_packets`: the same in packets, so that empty payloads cannot pile up.
    `wait_for_keyframe`: after a loss give out nothing that builds on what was lost: only a key frame, or a frame
    that its descriptor proves independent of the lost ones. False gives out every complete frame.
    """

    reorder_packets: int = 64
    reorder_time: float = 0.5
    max_frame_bytes: int = 4 << 20
    max_frame_packets: int = 8192
    wait_for_keyframe: bool = True
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if not 0 <= self.reorder_packets <= 1024:
            raise InvalidArgumentError(f"reorder_packets is {self.reorder_packets}, allowed are 0 to 1024")
        if self.reorder_time <= 0 or self.max_frame_bytes < 1 or self.max_frame_packets < 1:
            raise InvalidArgumentError("reorder_time, max_frame_bytes and max_frame_packets must be above 0")


DEFAULT_DEPACKETIZER_CONFIG = DepacketizerConfig()


@dataclass(slots=True)
class DepacketizerCounters:
    """What a depacketizer did so far; reasons for dropping are in its `drops`."""

    packets: int = 0
    frames: int = 0
    keyframes: int = 0
    gaps: int = 0
    resets: int = 0


class Packetizer(ABC):
    """Cuts frames of one stream into RTP payloads."""

    @abstractmethod
    def packetize(self, frame: bytes) -> list[bytes]:
        """The payloads of one frame, in the order they must be sent; the RTP marker belongs on the last.

        Errors: `InvalidArgumentError` if the frame is not what the format carries; nothing has changed then.
        """


class Depacketizer(ABC):
    """Puts the packets of one stream (one SSRC) together into frames."""

    drops: Drops
    _counters: DepacketizerCounters

    @property
    def counters(self) -> DepacketizerCounters:
        """What it did so far."""
        return self._counters

    @abstractmethod
    def push(self, packet: RtpPacketLike) -> list[EncodedFrame]:
        """Takes one packet, in any order, and returns the frames that are complete by it. Never raises."""

    def push_many(self, packets: list[RtpPacketLike]) -> list[EncodedFrame]:
        """`push` for a burst."""
        frames: list[EncodedFrame] = []
        for packet in packets:
            frames += self.push(packet)
        return frames

    @property
    def needs_keyframe(self) -> bool:
        """True from a loss until a frame comes that does not depend on it: time to ask the sender for a key frame."""
        return False

    def flush(self) -> list[EncodedFrame]:
        """Gives up on whatever is missing and returns the complete frames that waited for it."""
        return []


class PayloadFormat(ABC):
    """One encoding name with its parameters: makes packetizers and depacketizers.

    `parameters` are those of `a=fmtp`, by lower-case name with `-` written as `_`, as text.
    """

    encoding_name: str
    kind: str = "video"
    clock_rate: int = 90_000
    channels: int = 1

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        self.parameters: dict[str, str] = dict(parameters or {})

    @abstractmethod
    def packetizer(self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> Packetizer:
        """A new packetizer for one stream."""

    @abstractmethod
    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        """A new depacketizer for one stream."""

    def integer(self, name: str, default: int) -> int:
        """The parameter `name` as a number. Errors: `InvalidArgumentError` if it is none."""
        value = self.parameters.get(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError:
            raise InvalidArgumentError(f"{self.encoding_name} parameter {name} is {value!r}, not a number") from None

    def __repr__(self) -> str:
        return f"<{self.encoding_name}/{self.clock_rate} {self.parameters}>"
