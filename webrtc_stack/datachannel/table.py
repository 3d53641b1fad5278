"""All channels of one association, found by handle and by stream.

Invariants: a stream identifier leads to at most one channel; a channel leaves the table when it is closed *and* nothing
of it is unread, so a peer cannot pile up closed channels behind an application that does not read; the snapshots of the
last few that left stay.
"""

from __future__ import annotations

from ..errors import InvalidAccessError
from .channel import Channel, ChannelHandle, ChannelSnapshot, ChannelState
from .dcep import DataChannelOpen
from .stream_ids import StreamIds

_NO_HANDLE = ChannelHandle(0)


class ChannelTable:
    """Bookkeeping without policy."""

    __slots__ = ("_kept", "_kept_limit", "_last_handle", "by_handle", "by_id", "ids", "refused", "remote")

    def __init__(self, *, closed_channels_kept: int) -> None:
        self.by_handle: dict[ChannelHandle, Channel] = {}
        self.by_id: dict[int, Channel] = {}
        self.ids = StreamIds()
        self.remote = 0
        """Channels in the table that the peer opened."""
        self.refused = 0
        """Streams in the table that are only being reset."""
        self._last_handle = 0
        self._kept: dict[ChannelHandle, Channel] = {}
        self._kept_limit = closed_channels_kept

    def create(
        self,
        parameters: DataChannelOpen,
        *,
        negotiated: bool = False,
        opened_by_peer: bool = False,
        stream_id: int | None = None,
    ) -> Channel:
        self._last_handle += 1
        handle = ChannelHandle(self._last_handle)
        channel = Channel(handle, parameters, negotiated=negotiated, opened_by_peer=opened_by_peer)
        self.by_handle[handle] = channel
        self.remote += opened_by_peer
        if stream_id is not None:
            self.bind(channel, stream_id)
        return channel

    def create_refused(self, stream_id: int) -> Channel:
        """A stand-in that holds a stream until it is reset; no handle, no events."""
        channel = Channel(_NO_HANDLE, DataChannelOpen(), refused=True)
        channel.state = ChannelState.CLOSING
        self.refused += 1
        self.bind(channel, stream_id)
        return channel

    def bind(self, channel: Channel, stream_id: int) -> None:
        channel.id = stream_id
        self.ids.take(stream_id)
        self.by_id[stream_id] = channel

    def unbind(self, channel: Channel, *, reusable: bool = True) -> None:
        """Takes a channel off its stream; with `reusable` the identifier is free again."""
        if channel.id is not None and self.by_id.get(channel.id) is channel:
            del self.by_id[channel.id]
            self.refused -= channel.refused
            if reusable:
                self.ids.give_back(channel.id)

    def retire(self, channel: Channel) -> None:
        """Forgets a channel if it is closed and read to the end."""
        if channel.state is not ChannelState.CLOSED or channel.unread:
            return
        if self.by_handle.pop(channel.handle, None) is None:
            return
        self.remote -= channel.opened_by_peer
        self._kept[channel.handle] = channel
        while len(self._kept) > self._kept_limit:
            del self._kept[next(iter(self._kept))]

    def find(self, handle: ChannelHandle) -> Channel | None:
        """The channel, or None if it is closed and gone.

        Errors: `InvalidAccessError` for a handle that was never issued.
        """
        channel = self.by_handle.get(handle)
        if channel is None:
            if not 0 < handle <= self._last_handle:
                raise InvalidAccessError(f"no channel has the handle {handle!r}")
            channel = self._kept.get(handle)
        return channel

    def snapshot(self, handle: ChannelHandle) -> ChannelSnapshot:
        channel = self.find(handle)
        if channel is None:
            raise InvalidAccessError(
                f"channel {handle} closed long ago; the last {self._kept_limit} closed channels are kept"
            )
        return channel.snapshot()

    def living(self) -> list[Channel]:
        """Channels that are not closed, in order of their handles."""
        return [channel for channel in self.by_handle.values() if channel.state is not ChannelState.CLOSED]
