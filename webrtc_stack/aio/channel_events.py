"""What happens to data channels, as values for `match`, and the queue that a follower of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..errors import WebRTCError
from .data_channel import DataChannel, DataChannelState
from .stream import EventStream


@dataclass(frozen=True, slots=True)
class DataChannelAnnounced:
    """The peer opened a channel."""

    channel: DataChannel


@dataclass(frozen=True, slots=True)
class DataChannelOpened:
    """Messages can be sent."""

    channel: DataChannel


@dataclass(frozen=True, slots=True)
class DataChannelClosing:
    """Either side has begun to close."""

    channel: DataChannel


@dataclass(frozen=True, slots=True)
class DataChannelClosed:
    """The channel is gone; `error` is None when somebody closed it on purpose."""

    channel: DataChannel
    error: WebRTCError | None


@dataclass(frozen=True, slots=True)
class BufferedAmountLow:
    """`buffered_amount` fell to the channel's threshold."""

    channel: DataChannel


DataChannelEvent: TypeAlias = (
    DataChannelAnnounced | DataChannelOpened | DataChannelClosing | DataChannelClosed | BufferedAmountLow
)


class ChannelEventHub:
    """Hands each event to every follower. A follower first hears how things stand, so it cannot come too late."""

    def __init__(self) -> None:
        self._followers: list[EventStream[DataChannelEvent]] = []
        self._ended = False

    def follow(self, channels: list[DataChannel]) -> EventStream[DataChannelEvent]:
        """A new queue, beginning with the present state of `channels`."""
        stream = EventStream[DataChannelEvent]()
        for channel in channels:
            if channel.ready_state.value is DataChannelState.OPEN:
                stream.put(DataChannelOpened(channel))
            elif channel.ready_state.value is DataChannelState.CLOSING:
                stream.put(DataChannelClosing(channel))
        if self._ended:
            stream.end()
        else:
            self._followers.append(stream)
        return stream

    def put(self, event: DataChannelEvent) -> None:
        for stream in self._followers:
            if not (isinstance(event, BufferedAmountLow) and event in stream):
                stream.put(event)

    def end(self) -> None:
        self._ended = True
        for stream in self._followers:
            stream.end()
        self._followers.clear()
