"""RED: each packet also carries what earlier ones carried, so that a loss costs nothing but a little delay.

Sending, `RedPacketizer` puts copies of earlier payloads before the new one. Receiving, `RedDepacketizer` gives every
payload once and in order: from its own packet where that came, from a later one's copy where it did not. A gap that
copies fill is not waited for.

Invariants: copies serve only packets that are missing, and only what is newer than all that was given out, so nothing
comes out twice; the sender keeps `max(distances)` payloads.

Spec: RFC 2198 sections 3, 4, 5 (`a=fmtp` is a list of payload types). Left out: mixing several primary encodings in one
stream without their payload types being told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ..errors import InvalidArgumentError, ParseError
from .audio import AudioPacketizer, OrderedDepacketizer, RatedAudioFormat
from .base import (
    DEFAULT_DEPACKETIZER_CONFIG,
    DEFAULT_MAX_PAYLOAD_BYTES,
    Depacketizer,
    DepacketizerConfig,
    EncodedFrame,
    RtpPacketLike,
)
from .opus import timestamp_step

MAX_OFFSET: Final = 0x3FFF
MAX_BLOCK_BYTES: Final = 0x3FF
MAX_BLOCKS: Final = 32
"""More copies than anybody sends; a limit to the work that one packet can ask for."""
MAX_DISTANCE: Final = 16


class RedBlock(NamedTuple):
    """One payload inside a RED payload; `timestamp_offset` is how much older it is. The last is the primary, with 0."""

    payload_type: int
    timestamp_offset: int
    data: bytes


class RedFacts(NamedTuple):
    """Whose payload a frame is, and whether it came from a copy because its own packet is missing."""

    payload_type: int
    recovered: bool = False


def parse_red(payload: bytes) -> list[RedBlock]:
    """The blocks of a RED payload, the primary last. Errors: `ParseError`."""
    end = len(payload)
    at = 0
    heads: list[tuple[int, int, int]] = []
    while True:
        if at >= end:
            raise ParseError("the primary's header is missing", offset=at, field="red")
        first = payload[at]
        if not first & 0x80:
            break
        if at + 4 > end:
            raise ParseError("a block header is cut off", offset=at, field="red")
        if len(heads) >= MAX_BLOCKS:
            raise ParseError(f"more than {MAX_BLOCKS} blocks", offset=at, field="red")
        bits = int.from_bytes(payload[at + 1 : at + 4], "big")
        heads.append((first & 0x7F, bits >> 10, bits & 0x3FF))
        at += 4
    at += 1
    blocks = []
    for payload_type, offset, length in heads:
        if at + length > end:
            raise ParseError(f"a block of {length} bytes, {end - at} are left", offset=at, field="red")
        blocks.append(RedBlock(payload_type, offset, payload[at : at + length]))
        at += length
    blocks.append(RedBlock(first, 0, payload[at:]))
    return blocks


def write_red(blocks: Sequence[RedBlock]) -> bytes:
    """A RED payload of `blocks`, the primary last. Errors: `InvalidArgumentError` for what the headers cannot say."""
    if not blocks:
        raise InvalidArgumentError("no block; the primary is always there")
    if len(blocks) > MAX_BLOCKS + 1:
        raise InvalidArgumentError(f"{len(blocks) - 1} copies; at most {MAX_BLOCKS}")
    parts = []
    for payload_type, offset, data in blocks[:-1]:
        if not (0 <= payload_type <= 127 and 0 <= offset <= MAX_OFFSET and len(data) <= MAX_BLOCK_BYTES):
            raise InvalidArgumentError(
                f"a copy of type {payload_type}, {offset} ticks old, of {len(data)} bytes; "
                f"allowed are 127, {MAX_OFFSET}, {MAX_BLOCK_BYTES}"
            )
        parts.append(bytes((0x80 | payload_type,)) + (offset << 10 | len(data)).to_bytes(3, "big"))
    primary = blocks[-1]
    if not 0 <= primary.payload_type <= 127 or primary.timestamp_offset:
        raise InvalidArgumentError(
            f"a primary of type {primary.payload_type} with offset {primary.timestamp_offset}; allowed are 127 and 0"
        )
    parts.append(bytes((primary.payload_type,)))
    parts += [block.data for block in blocks]
    return b"".join(parts)


class RedPacketizer(AudioPacketizer):
    """Adds copies of earlier payloads, `distances` packets back.

    A copy is left out where its age or size cannot be said, or where it does not fit; the nearest copy goes last.
    """

    def __init__(
        self,
        *,
        payload_type: int,
        distances: Sequence[int] = (1,),
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
    ) -> None:
        if not 0 <= payload_type <= 127:
            raise InvalidArgumentError(f"payload types are 0 to 127, not {payload_type}")
        if len(set(distances)) != len(distances) or not all(1 <= one <= MAX_DISTANCE for one in distances):
            raise InvalidArgumentError(f"distances {list(distances)}; allowed are 1 to {MAX_DISTANCE}, each once")
        self.payload_type = payload_type
        self.distances = tuple(sorted(distances))
        self._max = max_payload_bytes
        self._history: deque[tuple[int, int, bytes]] = deque(maxlen=max(self.distances, default=1))
        self._next_timestamp = 0

    def packetize(self, frame: bytes, timestamp: int | None = None, payload_type: int | None = None) -> list[bytes]:
        """One RED payload for one payload of the encoding inside.

        Without `timestamp` the frame is taken for an Opus packet that follows the last one without a pause; give it
        for other encodings and after pauses.
        """
        inner = self.payload_type if payload_type is None else payload_type
        if not 0 <= inner <= 127:
            raise InvalidArgumentError(f"payload types are 0 to 127, not {inner}")
        if 1 + len(frame) > self._max:
            raise InvalidArgumentError(f"{len(frame)} bytes, {self._max - 1} fit")
        try:
            step = timestamp_step(frame)
        except ParseError as error:
            if timestamp is None:
                raise InvalidArgumentError(f"not Opus ({error}): its timestamp must be given") from None
            step = 0  # some other encoding: whoever gives one timestamp gives them all
        now = self._next_timestamp if timestamp is None else timestamp & 0xFFFFFFFF
        self._next_timestamp = (now + step) & 0xFFFFFFFF
        room = self._max - 1 - len(frame)
        history = self._history
        copies: list[RedBlock] = []
        for distance in self.distances:
            if distance > len(history):
                break
            kept_type, kept_timestamp, data = history[-distance]
            offset = (now - kept_timestamp) & 0xFFFFFFFF
            if not 0 < offset <= MAX_OFFSET or not 0 < len(data) <= MAX_BLOCK_BYTES:
                continue
            if 4 + len(data) > room:
                break
            room -= 4 + len(data)
            copies.append(RedBlock(kept_type, offset, data))
        history.append((inner, now, frame))
        return [write_red([*reversed(copies), RedBlock(inner, 0, frame)])]

    def timestamp_step(self, payload: bytes) -> int:
        """The length of the primary, where it is Opus; 0 where it is not."""
        try:
            return timestamp_step(parse_red(payload)[-1].data)
        except ParseError:
            return 0


class RedDepacketizer(OrderedDepacketizer):
    """Gives the payloads inside, each once and in order, with `RedFacts`; lost ones from their copies."""

    bridges_gaps = True

    def __init__(self, config: DepacketizerConfig, clock_rate: int) -> None:
        super().__init__(config, clock_rate)
        self._last_timestamp: int | None = None
        self.recovered = 0

    def _restarted(self) -> None:
        self._last_timestamp = None

    def _copies(self, packet: RtpPacketLike, blocks: list[RedBlock]) -> list[tuple[int, RedBlock]]:
        """The copies of what is missing before `packet`, each time stamp once, with their age, the oldest first.

        They lie in the packet itself or, where a sender leaves out the nearest ones, in those that wait behind it.
        """
        last = self._last_timestamp
        if last is None:
            return []
        timestamp = packet.timestamp
        gap = (timestamp - last) & 0xFFFFFFFF
        if not 0 < gap < 0x80000000:
            return []
        found: dict[int, RedBlock] = {}
        self._collect(found, blocks, 0, gap)
        for sequence, other in self._held.items():
            if 0 < (sequence - packet.sequence_number) & 0xFFFF < MAX_DISTANCE:
                ahead = (other.timestamp - timestamp) & 0xFFFFFFFF
                try:
                    self._collect(found, parse_red(other.payload), ahead, gap)
                except ParseError:
                    pass  # its own turn to be dropped and counted comes
        return [(age, found[age]) for age in sorted(found, reverse=True)]

    @staticmethod
    def _collect(found: dict[int, RedBlock], blocks: list[RedBlock], ahead: int, gap: int) -> None:
        for block in blocks[:-1]:
            age = block.timestamp_offset - ahead
            if block.data and 0 < age < gap:
                found[age] = block

    def _bridges(self, packet: RtpPacketLike, missing: int) -> bool:
        try:
            blocks = parse_red(packet.payload)
        except ParseError:
            return False
        return len(self._copies(packet, blocks)) >= missing

    def _frames(self, packet: RtpPacketLike, missing: int) -> list[EncodedFrame]:
        blocks = parse_red(packet.payload)
        timestamp = packet.timestamp
        frames: list[EncodedFrame] = []
        if missing:
            copies = self._copies(packet, blocks)[-missing:]
            lost = missing - len(copies)
            for age, block in copies:
                facts = RedFacts(block.payload_type, True)
                frames.append(
                    EncodedFrame(
                        block.data,
                        (timestamp - age) & 0xFFFFFFFF,
                        True,
                        lost > 0,
                        packet.sequence_number,
                        facts=facts,
                    )
                )
                lost = 0
            self.recovered += len(copies)
            missing = lost
        primary = blocks[-1]
        self._last_timestamp = timestamp
        if primary.data:
            facts = RedFacts(primary.payload_type)
            frames.append(EncodedFrame(primary.data, timestamp, True, missing > 0, packet.sequence_number, facts=facts))
        return frames


class RedFormat(RatedAudioFormat):
    """red/48000/2 around Opus, or any other rate.

    Parameters: `payload_types` (or `red`), as in `a=fmtp:63 111/111`: what lies inside, the primary first. There is
    one copy for each further type, if `distances` ("1,2") does not say otherwise.
    """

    encoding_name = "red"
    clock_rate = 48_000
    channels = 2
    channel_counts = range(1, 256)

    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        *,
        clock_rate: int | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(parameters, clock_rate=clock_rate, channels=channels)
        text = self.parameters.get("payload_types", self.parameters.get("red", ""))
        self.payload_types = _numbers(text, "/", "payload_types", 127)
        given = self.parameters.get("distances")
        if given is not None:
            self.distances = _numbers(given, ",", "distances", MAX_DISTANCE)
        else:
            self.distances = tuple(range(1, min(max(len(self.payload_types), 2), MAX_DISTANCE + 1)))

    def packetizer(
        self, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES, *, payload_type: int | None = None
    ) -> RedPacketizer:
        """A packetizer around `payload_type`, by default the first of `payload_types`."""
        if payload_type is None:
            if not self.payload_types:
                raise InvalidArgumentError("red does not know what it carries; give payload_types, such as 111/111")
            payload_type = self.payload_types[0]
        return RedPacketizer(payload_type=payload_type, distances=self.distances, max_payload_bytes=max_payload_bytes)

    def depacketizer(self, config: DepacketizerConfig = DEFAULT_DEPACKETIZER_CONFIG) -> Depacketizer:
        return RedDepacketizer(config, self.clock_rate)


def _numbers(text: str, separator: str, name: str, most: int) -> tuple[int, ...]:
    found = []
    for one in text.split(separator) if text else ():
        word = one.strip()
        if not (word.isascii() and word.isdigit() and len(word) < 4 and int(word) <= most):
            raise InvalidArgumentError(f"red parameter {name} is {text!r}; numbers of 0 to {most} are wanted")
        found.append(int(word))
    return tuple(found)
