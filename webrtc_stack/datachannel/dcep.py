"""The two messages of the Data Channel Establishment Protocol, and the payload protocol identifiers around them.

Spec: RFC 8832 sections 5.1, 5.2, 8.2 (messages, channel types); RFC 8831 section 8 (PPIDs), section 6.4 (priority).

Invariant: `parse_message` is total: a value or a `ParseError`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, TypeAlias

from ..errors import InvalidArgumentError, ParseError


class Ppid(IntEnum):
    """SCTP payload protocol identifiers of WebRTC. The two partial ones are deprecated and only ever received."""

    DCEP = 50
    STRING = 51
    BINARY_PARTIAL = 52
    BINARY = 53
    STRING_PARTIAL = 54
    STRING_EMPTY = 56
    BINARY_EMPTY = 57


class MessageType(IntEnum):
    DATA_CHANNEL_ACK = 0x02
    DATA_CHANNEL_OPEN = 0x03


class ChannelType(IntEnum):
    RELIABLE = 0x00
    PARTIAL_RELIABLE_REXMIT = 0x01
    PARTIAL_RELIABLE_TIMED = 0x02
    RELIABLE_UNORDERED = 0x80
    PARTIAL_RELIABLE_REXMIT_UNORDERED = 0x81
    PARTIAL_RELIABLE_TIMED_UNORDERED = 0x82


_CHANNEL_TYPES: Final = frozenset(int(kind) for kind in ChannelType)
_UNORDERED: Final = 0x80
_REXMIT: Final = 0x01
_TIMED: Final = 0x02


class Priority(StrEnum):
    """How much a channel matters against others, in W3C's words. Spec: RFC 8831 section 6.4."""

    VERY_LOW = "very-low"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def wire(self) -> int:
        """The number that DATA_CHANNEL_OPEN carries."""
        return _WIRE_PRIORITIES[self]

    @classmethod
    def from_wire(cls, value: int) -> Priority:
        """The nearest word for any 16-bit number: Firefox sends 0, which is below everything that has a name."""
        for priority, limit in _WIRE_PRIORITIES.items():
            if value <= limit:
                return priority
        return cls.HIGH


_WIRE_PRIORITIES: Final = {Priority.VERY_LOW: 128, Priority.LOW: 256, Priority.MEDIUM: 512, Priority.HIGH: 1024}

MAX_NAME_BYTES: Final = 65535
"""Label and protocol sit behind 16-bit lengths."""

_OPEN: Final = struct.Struct("!BBHIHH")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannelOpen:
    """DATA_CHANNEL_OPEN. At most one of the two limits is set; `max_packet_life_time` is in milliseconds.

    Spec: RFC 8832 section 5.1.
    """

    label: str = ""
    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_life_time: int | None = None
    priority: int = 256

    @property
    def channel_type(self) -> ChannelType:
        value = 0 if self.ordered else _UNORDERED
        if self.max_retransmits is not None:
            value |= _REXMIT
        elif self.max_packet_life_time is not None:
            value |= _TIMED
        return ChannelType(value)

    def serialize(self) -> bytes:
        """The message as SCTP carries it.

        Errors: `InvalidArgumentError` for values that do not fit their fields, or both limits at once.
        """
        if self.max_retransmits is not None and self.max_packet_life_time is not None:
            raise InvalidArgumentError("a channel has max_retransmits or max_packet_life_time, not both")
        label, protocol = self.label.encode(), self.protocol.encode()
        reliability = self.max_retransmits if self.max_retransmits is not None else self.max_packet_life_time or 0
        for name, value, limit in (
            ("label bytes", len(label), MAX_NAME_BYTES),
            ("protocol bytes", len(protocol), MAX_NAME_BYTES),
            ("priority", self.priority, 0xFFFF),
            ("reliability parameter", reliability, 0xFFFFFFFF),
        ):
            if not 0 <= value <= limit:
                raise InvalidArgumentError(f"{name}: got {value}, allowed are 0 to {limit}")
        head = _OPEN.pack(
            MessageType.DATA_CHANNEL_OPEN, self.channel_type, self.priority, reliability, len(label), len(protocol)
        )
        return head + label + protocol

    @classmethod
    def parse(cls, data: bytes) -> DataChannelOpen:
        """Reads a DATA_CHANNEL_OPEN; invalid UTF-8 in the names is replaced, as W3C decodes them.

        Bytes behind the protocol are ignored, as browsers do: refusing would cost a channel and protect nothing. For
        the same reason the reliability parameter of a reliable channel, which must be ignored, may be anything.
        Errors: `ParseError`.
        """
        if len(data) < _OPEN.size:
            raise ParseError(f"{len(data)} bytes, the fixed part has {_OPEN.size}", offset=0, field="open")
        message_type, channel_type, priority, reliability, label_length, protocol_length = _OPEN.unpack_from(data)
        if message_type != MessageType.DATA_CHANNEL_OPEN:
            raise ParseError(f"not a DATA_CHANNEL_OPEN: {message_type:#04x}", offset=0, field="open.message_type")
        if channel_type not in _CHANNEL_TYPES:
            raise ParseError(f"unknown channel type {channel_type:#04x}", offset=1, field="open.channel_type")
        middle = _OPEN.size + label_length
        end = middle + protocol_length
        if end > len(data):
            raise ParseError(f"names end at {end}, the message at {len(data)}", offset=8, field="open.label_length")
        kind = channel_type & ~_UNORDERED
        return cls(
            label=data[_OPEN.size : middle].decode("utf-8", "replace"),
            protocol=data[middle:end].decode("utf-8", "replace"),
            ordered=not channel_type & _UNORDERED,
            max_retransmits=reliability if kind == _REXMIT else None,
            max_packet_life_time=reliability if kind == _TIMED else None,
            priority=priority,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChannelAck:
    """DATA_CHANNEL_ACK: one byte that says yes. Spec: RFC 8832 section 5.2."""

    def serialize(self) -> bytes:
        return b"\x02"

    @classmethod
    def parse(cls, data: bytes) -> DataChannelAck:
        """Reads an ACK; anything behind its one byte is ignored. Errors: `ParseError`."""
        if not data or data[0] != MessageType.DATA_CHANNEL_ACK:
            raise ParseError("not a DATA_CHANNEL_ACK", offset=0, field="ack.message_type")
        return cls()


DcepMessage: TypeAlias = DataChannelOpen | DataChannelAck


def parse_message(data: bytes) -> DcepMessage:
    """One DCEP message. Errors: `ParseError`, also for unknown message types."""
    if not data:
        raise ParseError("an empty message", offset=0, field="message_type")
    if data[0] == MessageType.DATA_CHANNEL_OPEN:
        return DataChannelOpen.parse(data)
    if data[0] == MessageType.DATA_CHANNEL_ACK:
        return DataChannelAck.parse(data)
    raise ParseError(f"unknown message type {data[0]:#04x}", offset=0, field="message_type")
