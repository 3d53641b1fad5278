"""One data channel: what it was opened with, where it is in its life, and what it has counted.

```
 CONNECTING --OPEN sent, or negotiated--> OPEN --close, or peer's reset--> CLOSING --both reset--> CLOSED
```
Spec: W3C WebRTC section 6.2 (RTCDataChannelState), RFC 8831 section 6.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from ..errors import WebRTCError
from .dcep import DataChannelOpen

ChannelHandle = NewType("ChannelHandle", int)
"""A channel's name for its whole life, issued by the machine and never used twice."""


class ChannelState(StrEnum):
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSnapshot:
    """A channel at one moment: for statistics and for people."""

    handle: ChannelHandle
    label: str
    protocol: str
    ordered: bool
    max_packet_life_time: int | None
    max_retransmits: int | None
    priority: int
    negotiated: bool
    opened_by_peer: bool
    id: int | None
    state: ChannelState
    buffered_amount: int
    unread_bytes: int
    """Received and not yet consumed: they hold the receive window."""
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int
    error: WebRTCError | None


class Channel:
    """The state of one channel. Attributes are read on hot paths, so there are no properties over them."""

    __slots__ = (
        "announced",
        "awaiting_ack",
        "buffered",
        "bytes_received",
        "bytes_sent",
        "control_bytes",
        "error",
        "fast",
        "handle",
        "holds_window",
        "id",
        "incoming_reset",
        "low_threshold",
        "max_lifetime",
        "max_retransmits",
        "messages_received",
        "messages_sent",
        "negotiated",
        "opened_by_peer",
        "outgoing_reset",
        "parameters",
        "partial",
        "partial_is_string",
        "refused",
        "reset_requested",
        "send_ordered",
        "state",
        "unread",
    )

    def __init__(
        self,
        handle: ChannelHandle,
        parameters: DataChannelOpen,
        *,
        negotiated: bool = False,
        opened_by_peer: bool = False,
        refused: bool = False,
        id: int | None = None,
    ) -> None:
        self.handle = handle
        self.parameters = parameters
        self.negotiated = negotiated
        self.opened_by_peer = opened_by_peer
        self.refused = refused
        """True for what is no channel, only a stream that is being reset: the application never hears of it."""
        self.id = id
        self.state = ChannelState.CONNECTING
        self.error: WebRTCError | None = None
        self.announced = False
        """Our DATA_CHANNEL_OPEN was handed to the association."""
        self.awaiting_ack = False
        """We sent DATA_CHANNEL_OPEN and the peer has said nothing on the channel yet."""
        self.fast = False
        """A whole user message can go straight up: open, answered, and no deprecated partial message begun."""
        self.send_ordered = parameters.ordered
        self.max_retransmits = parameters.max_retransmits
        life_time = parameters.max_packet_life_time
        self.max_lifetime = None if life_time is None else life_time / 1000
        self.buffered = 0
        """Bytes of user messages handed to the association and not yet on the wire."""
        self.control_bytes = 0
        """Bytes of DCEP among those; they are the first of their stream, so they leave first."""
        self.low_threshold = 0
        self.unread = 0
        self.holds_window = True
        """False once the peer restarted: the new association's window knows nothing of what is unread."""
        self.partial: bytearray | None = None
        self.partial_is_string = False
        self.reset_requested = False
        self.outgoing_reset = False
        self.incoming_reset = False
        self.messages_sent = 0
        self.bytes_sent = 0
        self.messages_received = 0
        self.bytes_received = 0

    def snapshot(self) -> ChannelSnapshot:
        parameters = self.parameters
        return ChannelSnapshot(
            handle=self.handle,
            label=parameters.label,
            protocol=parameters.protocol,
            ordered=parameters.ordered,
            max_packet_life_time=parameters.max_packet_life_time,
            max_retransmits=parameters.max_retransmits,
            priority=parameters.priority,
            negotiated=self.negotiated,
            opened_by_peer=self.opened_by_peer,
            id=self.id,
            state=self.state,
            buffered_amount=self.buffered,
            unread_bytes=self.unread,
            messages_sent=self.messages_sent,
            bytes_sent=self.bytes_sent,
            messages_received=self.messages_received,
            bytes_received=self.bytes_received,
            error=self.error,
        )
