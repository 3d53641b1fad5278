"""What a `DataChannels` machine reports: past-tense values, in the order in which things happened.

Per channel: `ChannelAnnounced` (only if the peer opened it), `ChannelOpened`, then messages, then `ChannelClosing`, and
`ChannelClosed` exactly once. Over all: `Connected` at most once, `Closed` exactly once, after every `ChannelClosed`.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ..errors import WebRTCError
from .channel import ChannelHandle


class Connected(NamedTuple):
    """The SCTP association is up."""


class ChannelAnnounced(NamedTuple):
    """The peer opened a channel. `max_packet_life_time` is in milliseconds, `priority` as it was on the wire."""

    handle: ChannelHandle
    label: str
    protocol: str
    ordered: bool
    max_packet_life_time: int | None
    max_retransmits: int | None
    priority: int
    id: int


class ChannelOpened(NamedTuple):
    """Messages may be sent on the channel; its stream identifier is settled."""

    handle: ChannelHandle
    id: int


class MessageReceived(NamedTuple):
    """A message. Pass `size` to `message_consumed` when the application has taken it."""

    handle: ChannelHandle
    data: str | bytes
    size: int
    """Bytes that the message holds of the receive window; not `len(data)` for strings and empty messages."""


class BufferedAmountLow(NamedTuple):
    """The buffered amount fell from above the channel's threshold to it or below."""

    handle: ChannelHandle


class SendBufferMoved(NamedTuple):
    """Some of what all channels have queued left the queue; told once after `watch_send_buffer`."""


class ChannelClosing(NamedTuple):
    """No more messages can be sent; those already sent are still on their way."""

    handle: ChannelHandle
    by_peer: bool


class ChannelClosed(NamedTuple):
    """The end of a channel. `error` is None if either side closed it politely."""

    handle: ChannelHandle
    error: WebRTCError | None


class Closed(NamedTuple):
    """The end of everything: no channel is left, nothing follows."""

    reason: str
    error: WebRTCError | None


DataChannelsEvent: TypeAlias = (
    Connected
    | ChannelAnnounced
    | ChannelOpened
    | MessageReceived
    | BufferedAmountLow
    | SendBufferMoved
    | ChannelClosing
    | ChannelClosed
    | Closed
)
