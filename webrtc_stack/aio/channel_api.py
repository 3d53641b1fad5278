"""The data channel methods of a peer connection, and what the core reports of channels.

Spec: W3C webrtc-pc section 6.1 (createDataChannel, ondatachannel).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from ..datachannel import (
    BufferedAmountLow as CoreBufferedAmountLow,
)
from ..datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelHandle,
    ChannelOpened,
    Priority,
    SendBufferMoved,
)
from ..errors import InvalidArgumentError
from ..io import Driver, Runtime
from ..peer import PeerCore
from .channel_events import (
    BufferedAmountLow,
    ChannelEventHub,
    DataChannelAnnounced,
    DataChannelClosed,
    DataChannelClosing,
    DataChannelEvent,
    DataChannelOpened,
)
from .config import ClientConfig
from .data_channel import DataChannel, DataChannelState
from .stream import EventStream

MAX_UNCLAIMED_CHANNELS = 1024
"""Channels of the peer that nobody has taken from `data_channels()`; one more is closed at once."""

_PRIORITIES = [priority.value for priority in Priority]


class ChannelApi:
    """What `PeerConnection` is for data channels."""

    config: ClientConfig
    core: PeerCore
    runtime: Runtime
    _driver: Driver

    def _begin_channels(self) -> None:
        self._channels: dict[ChannelHandle, DataChannel] = {}
        self._incoming = EventStream[DataChannel]()
        self._hub = ChannelEventHub()

    def _finish_channels(self) -> None:
        for channel in list(self._channels.values()):
            channel._set_state(DataChannelState.CLOSED)
        self._channels.clear()
        self._incoming.end()
        self._hub.end()

    # --- data channels ----------------------------------------------------------------------------------------------

    def create_data_channel(
        self,
        label: str,
        *,
        ordered: bool = True,
        max_packet_life_time: int | None = None,
        max_retransmits: int | None = None,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,
        priority: Priority | str = Priority.LOW,
    ) -> DataChannel:
        """Opens a channel, now or as soon as the connection stands. Errors: `UsageError` kinds, `TooManyStreams`."""
        if priority not in _PRIORITIES:
            raise InvalidArgumentError(f"priority is one of {', '.join(_PRIORITIES)}, got {priority!r}")
        priority = Priority(priority)
        handle = self.core.create_data_channel(
            label,
            self.runtime.time(),
            ordered=ordered,
            max_packet_life_time=max_packet_life_time,
            max_retransmits=max_retransmits,
            protocol=protocol,
            negotiated=negotiated,
            id=id,
            priority=priority,
        )
        channel = DataChannel(
            self,
            handle,
            label=label,
            protocol=protocol,
            ordered=ordered,
            max_packet_life_time=max_packet_life_time,
            max_retransmits=max_retransmits,
            negotiated=negotiated,
            priority=priority,
            id=id,
        )
        self._channels[handle] = channel
        self._driver.wake()
        return channel

    def data_channels(self) -> AsyncIterator[DataChannel]:
        """The channels that the peer opens, from the first on; ends when the connection does."""
        return self._incoming

    def data_channel_events(self) -> AsyncIterator[DataChannelEvent]:
        """Everything that happens to any channel; begins with how the present ones stand."""
        return self._hub.follow(list(self._channels.values()))

    # --- called by channels -----------------------------------------------------------------------------------------

    def _send(self, handle: ChannelHandle, data: str | bytes | bytearray | memoryview) -> None:
        self.core.send(handle, data, self.runtime.time())
        self._driver.wake()

    def _consumed(self, handle: ChannelHandle, size: int) -> None:
        self.core.message_consumed(handle, size, self.runtime.time())
        if self.core.next_timeout() <= self.runtime.time():
            self._driver.wake()  # the window has opened enough to tell the peer

    def _close_channel(self, handle: ChannelHandle) -> None:
        if handle in self._channels:
            self.core.discard_unread(handle, self.runtime.time())
            self.core.close_channel(handle, self.runtime.time())
            self._driver.wake()

    def _channel_announced(self, event: ChannelAnnounced) -> None:
        channel = DataChannel(
            self,
            event.handle,
            label=event.label,
            protocol=event.protocol,
            ordered=event.ordered,
            max_packet_life_time=event.max_packet_life_time,
            max_retransmits=event.max_retransmits,
            negotiated=False,
            priority=Priority.from_wire(event.priority),
            id=event.id,
        )
        self._channels[event.handle] = channel
        self._hub.put(DataChannelAnnounced(channel))
        if len(self._incoming) >= MAX_UNCLAIMED_CHANNELS:
            self.config.trace.event(self.runtime.time(), "channel_refused", label=event.label, reason="unclaimed")
            self._close_channel(event.handle)
            return
        self._incoming.put(channel)

    def _channel_opened(self, event: ChannelOpened) -> None:
        channel = self._channels.get(event.handle)
        if channel is not None:
            channel.id = event.id
            channel._set_state(DataChannelState.OPEN)
            self._hub.put(DataChannelOpened(channel))

    def _channel_closing(self, event: ChannelClosing) -> None:
        channel = self._channels.get(event.handle)
        if channel is not None:
            channel._set_state(DataChannelState.CLOSING)
            self._hub.put(DataChannelClosing(channel))

    def _channel_closed(self, event: ChannelClosed) -> None:
        channel = self._channels.pop(event.handle, None)
        if channel is not None:
            channel._set_state(DataChannelState.CLOSED, event.error)
            self._hub.put(DataChannelClosed(channel, event.error))

    def _buffered_amount_low(self, event: CoreBufferedAmountLow) -> None:
        channel = self._channels.get(event.handle)
        if channel is not None:
            self._hub.put(BufferedAmountLow(channel))

    def _send_buffer_moved(self, event: SendBufferMoved) -> None:
        for channel in self._channels.values():
            channel._wake_writers()


CHANNEL_HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    ChannelAnnounced: ChannelApi._channel_announced,
    ChannelOpened: ChannelApi._channel_opened,
    ChannelClosing: ChannelApi._channel_closing,
    ChannelClosed: ChannelApi._channel_closed,
    CoreBufferedAmountLow: ChannelApi._buffered_amount_low,
    SendBufferMoved: ChannelApi._send_buffer_moved,
}
