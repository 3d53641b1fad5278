"""How channels begin and end: identifiers, DATA_CHANNEL_OPEN, the closing procedure, the end of the association.

```
                   our close_channel, or a fault               peer's stream reset
                              \\                                   /
   OPEN ------------------------> CLOSING: what was sent leaves, then our outgoing stream is reset
                                     | both directions reset
                                  CLOSED: ChannelClosed, the identifier is free
```
A stream whose channel was refused walks the same path without a name (`Channel.refused`), so its identifier is held
until the peer has reset it too.

Spec: RFC 8831 section 6.7, RFC 8832 section 6, W3C WebRTC sections 6.1.1.2, 6.2.2 to 6.2.5.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from .. import sctp
from ..base import Deadlines, Drops, Instant, MachineBase
from ..errors import BufferFull, ConnectionLost, ProtocolError, TooManyStreams, UsageError, WebRTCError
from .channel import Channel, ChannelState
from .config import DataChannelCounters, DataChannelsConfig
from .dcep import Ppid
from .early import EarlyMessages
from .events import (
    BufferedAmountLow,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    Closed,
    Connected,
    DataChannelsEvent,
    SendBufferMoved,
)
from .table import ChannelTable


class Phase(Enum):
    """Where the whole machine is in its life."""

    NEW = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSING = auto()
    CLOSED = auto()


class Timer(Enum):
    """What the machine itself waits for; all else is the association's."""

    EARLY_MESSAGES = auto()


class ChannelLifecycle(MachineBase[DataChannelsEvent]):
    """State of the machine and every transition of a channel; no user messages."""

    __slots__ = (
        "_association",
        "_by_handle",
        "_by_id",
        "_config",
        "_control",
        "_deadlines",
        "_early",
        "_end_error",
        "_phase",
        "_ready",
        "_table",
        "_trace",
        "_watched",
        "counters",
        "drops",
    )

    def __init__(self, config: DataChannelsConfig, association: sctp.Association) -> None:
        super().__init__()
        self._config = config
        self._trace = config.trace.bind(room="datachannel")
        self._association = association
        self._phase = Phase.NEW
        self._end_error: WebRTCError | None = None
        self._table = ChannelTable(closed_channels_kept=config.closed_channels_kept)
        self._by_handle = self._table.by_handle
        self._by_id = self._table.by_id
        self._early = EarlyMessages(
            limit_messages=config.max_early_messages,
            limit_bytes=config.max_early_bytes,
            timeout=config.early_timeout,
        )
        self._ready: list[int] = []
        """Streams that may have early messages and are no longer what those had to wait for."""
        self._control: deque[tuple[Channel, bytes]] = deque()
        """DCEP messages that found the send buffer full: at most two a channel."""
        self._deadlines: Deadlines[Timer] = Deadlines()
        self._watched = False
        """Somebody waits for room in the send buffer."""
        self.counters = DataChannelCounters()
        self.drops = Drops()

    # --- beginning ------------------------------------------------------------------------------------------------

    def _assign_id(self, channel: Channel, now: Instant) -> None:
        stream_id = self._table.ids.allocate()
        if stream_id is None:
            self._finish(channel, TooManyStreams("no stream identifier was left when the roles became known"), now)
        else:
            self._table.bind(channel, stream_id)

    def _start(self, channel: Channel, now: Instant) -> None:
        """The channel has its stream: opens it, by DCEP unless both sides made it.

        While the handshake goes on, DATA_CHANNEL_OPEN is handed down already: it travels with the COOKIE ECHO and
        spares the peer half a round trip. The channel opens when the association is up.
        """
        if channel.negotiated:
            if self._phase is Phase.CONNECTED:
                self._opened(channel, now)
            return
        channel.awaiting_ack = True
        channel.send_ordered = True
        self._send_control(channel, channel.parameters.serialize(), now)

    def _opened(self, channel: Channel, now: Instant) -> None:
        assert channel.id is not None
        channel.state = ChannelState.OPEN
        channel.fast = not channel.awaiting_ack
        self.counters.channels_opened += 1
        if self._trace:
            self._trace.event(now, "channel_opened", handle=channel.handle, id=channel.id)
        self._emit(ChannelOpened(channel.handle, channel.id))
        self._ready.append(channel.id)

    def _send_control(self, channel: Channel, data: bytes, now: Instant) -> None:
        """Sends a DCEP message, or queues it behind others that wait for room."""
        self._control.append((channel, data))
        if len(self._control) == 1:
            self._flush_control(now)

    def _flush_control(self, now: Instant) -> None:
        control = self._control
        while control:
            channel, data = control[0]
            if channel.state in (ChannelState.CONNECTING, ChannelState.OPEN):
                assert channel.id is not None
                try:
                    self._association.send(channel.id, Ppid.DCEP, data, now)
                except BufferFull:
                    return
                except UsageError:
                    # The association is on its way out; its end closes the channel.
                    self.drops.add("control_not_sent")
                else:
                    channel.control_bytes += len(data)
                    channel.announced = True
                    if channel.state is ChannelState.CONNECTING and self._phase is Phase.CONNECTED:
                        self._opened(channel, now)
            control.popleft()

    def _acknowledged(self, channel: Channel) -> None:
        """The peer has spoken on the channel, so it knows it: unordered messages may be unordered from now on."""
        channel.awaiting_ack = False
        channel.send_ordered = channel.parameters.ordered
        channel.fast = channel.state is ChannelState.OPEN and channel.partial is None

    # --- ending a channel -----------------------------------------------------------------------------------------

    def _begin_close(self, channel: Channel, now: Instant, *, by_peer: bool, error: WebRTCError | None = None) -> None:
        on_wire = channel.announced or channel.state is ChannelState.OPEN
        channel.error = error
        self.counters.channels_left_open += channel.state is ChannelState.OPEN
        channel.state = ChannelState.CLOSING
        channel.fast = False
        self._drop_partial(channel, now)
        if self._trace:
            self._trace.event(
                now,
                "channel_closing",
                handle=channel.handle,
                id=channel.id,
                by_peer=by_peer,
                error=None if error is None else str(error),
            )
        self._emit(ChannelClosing(channel.handle, by_peer))
        if on_wire:
            self._request_reset(channel, now)
        else:
            self._finish(channel, error, now)

    def _request_reset(self, channel: Channel, now: Instant) -> None:
        """Resets our outgoing stream; the association does it behind everything that was sent on it."""
        assert channel.id is not None
        channel.reset_requested = True
        try:
            self._association.reset_streams([channel.id], now)
        except UsageError:
            # The association is on its way out; its end closes the channel.
            self.drops.add("reset_not_sent")

    def _finish_if_reset(self, channel: Channel, now: Instant) -> None:
        if channel.incoming_reset and channel.outgoing_reset:
            self._finish(channel, channel.error, now)

    def _finish(self, channel: Channel, error: WebRTCError | None, now: Instant, *, reusable: bool = True) -> None:
        """The channel is closed; with `reusable` its identifier is free."""
        self._drop_partial(channel, now)
        self.counters.channels_left_open += channel.state is ChannelState.OPEN
        channel.state = ChannelState.CLOSED
        channel.fast = False
        channel.error = error
        channel.buffered = channel.control_bytes = 0
        self._table.unbind(channel, reusable=reusable)
        if channel.id is not None:
            self._ready.append(channel.id)
        if channel.refused:
            return
        self.counters.channels_closed += 1
        if self._trace:
            self._trace.event(
                now,
                "channel_closed",
                handle=channel.handle,
                id=channel.id,
                error=None if error is None else str(error),
            )
        self._emit(ChannelClosed(channel.handle, error))
        self._table.retire(channel)

    def _release(self, size: int, now: Instant) -> None:
        """Gives bytes of delivered messages back to the receive window."""
        try:
            self._association.release(size, now)
        except UsageError:
            # Delivered before the peer restarted, in the very burst in which it did: that window is gone.
            self.drops.add("released_after_restart")

    def _drop_partial(self, channel: Channel, now: Instant) -> None:
        """Gives up a message of which only deprecated partial pieces have come."""
        if channel.partial is not None:
            if channel.holds_window:
                self._release(len(channel.partial), now)
            channel.partial = None
            self.drops.add("partial_message")

    def _refuse(self, stream_id: int, reason: str, now: Instant) -> None:
        """Resets a stream on which the peer began what it must not. Spec: RFC 8832 section 6."""
        self.drops.add(reason)
        self.counters.channels_refused += 1
        self._release_early(stream_id, reason, now)
        if self._table.refused >= self._config.max_refused_streams:
            self.drops.add("too_many_refused")
            return
        if self._trace:
            self._trace.event(now, "stream_refused", id=stream_id, reason=reason)
        self._request_reset(self._table.create_refused(stream_id), now)

    def _release_early(self, stream_id: int, reason: str, now: Instant) -> None:
        for _, data in self._early.take(stream_id):
            self.drops.add(reason)
            self._release(len(data), now)
        self._arm_early()

    def _arm_early(self) -> None:
        self._deadlines.clear(Timer.EARLY_MESSAGES)
        if (deadline := self._early.next_deadline()) < float("inf"):
            self._deadlines.set(Timer.EARLY_MESSAGES, deadline)

    def _expire_early(self, now: Instant) -> None:
        for stream_id in self._early.expired(now):
            if stream_id in self._by_id:
                self._release_early(stream_id, "early_expired", now)
            else:
                self._refuse(stream_id, "early_expired", now)
        self._arm_early()

    # --- what the association reports -----------------------------------------------------------------------------

    def _on_established(self, outbound_streams: int, inbound_streams: int, now: Instant) -> None:
        if self._phase is not Phase.CONNECTING:
            return
        self._phase = Phase.CONNECTED
        self._table.ids.limit = limit = min(self._table.ids.limit, outbound_streams, inbound_streams)
        self._emit(Connected())
        for channel in self._table.living():
            assert channel.id is not None
            if channel.id >= limit:
                error = TooManyStreams(f"id {channel.id}: the association has {limit} streams")
                self._finish(channel, channel.error or error, now)
            elif channel.state is ChannelState.CONNECTING and (channel.negotiated or channel.announced):
                self._opened(channel, now)
        self._flush_control(now)

    def _on_sent(self, stream_id: int, amount: int, now: Instant) -> None:
        """Part of what was queued on a stream is gone from the queue."""
        if self._watched:
            self._watched = False
            self._emit(SendBufferMoved())
        channel = self._by_id.get(stream_id)
        if channel is not None:
            if channel.control_bytes:
                control = min(channel.control_bytes, amount)
                channel.control_bytes -= control
                amount -= control
            before = channel.buffered
            channel.buffered = after = before - amount if amount < before else 0
            if before > channel.low_threshold >= after:
                self._emit(BufferedAmountLow(channel.handle))

    def _on_reset_by_peer(self, stream_ids: tuple[int, ...], now: Instant) -> None:
        for stream_id in stream_ids or tuple(self._by_id):
            channel = self._by_id.get(stream_id)
            if channel is None:
                self._release_early(stream_id, "early_reset", now)
                continue
            channel.incoming_reset = True
            if channel.state is ChannelState.CLOSING:
                self._finish_if_reset(channel, now)
                continue
            error: WebRTCError | None = None
            if channel.awaiting_ack:
                error = ProtocolError("the peer refused the channel: it reset the stream before any answer")
            self._begin_close(channel, now, by_peer=True, error=error)

    def _on_reset(self, stream_ids: tuple[int, ...], now: Instant) -> None:
        for stream_id in stream_ids:
            channel = self._by_id.get(stream_id)
            if channel is not None and channel.reset_requested:
                channel.outgoing_reset = True
                self._finish_if_reset(channel, now)

    def _on_reset_failed(self, stream_ids: tuple[int, ...], now: Instant) -> None:
        """The peer does not reset streams: the channel ends here alone, and its identifier is not used again."""
        for stream_id in stream_ids:
            channel = self._by_id.get(stream_id)
            if channel is not None and channel.reset_requested:
                self.drops.add("reset_refused")
                self._finish(channel, channel.error, now, reusable=False)

    def _on_restarted(self, now: Instant) -> None:
        """The peer began anew and knows none of our channels."""
        self.counters.associations_restarted += 1
        for channel in self._by_handle.values():
            channel.holds_window = False
        self._end_channels(ConnectionLost("the peer restarted the SCTP association"), now)

    def _on_closed(self, reason: str, error: WebRTCError | None, now: Instant) -> None:
        if self._phase is Phase.CLOSED:
            return
        error = error or self._end_error
        self._end_channels(error, now)
        self._phase = Phase.CLOSED
        self._deadlines.clear_all()
        self._ready.clear()
        if self._trace:
            self._trace.event(now, "closed", reason=reason)
        self._emit(Closed(reason, error))

    def _end_channels(self, error: WebRTCError | None, now: Instant) -> None:
        for stream_id in self._early.streams():
            self.drops.add("early_reset", len(self._early.take(stream_id)))
        self._deadlines.clear(Timer.EARLY_MESSAGES)
        self._control.clear()
        for channel in [*self._table.living(), *(one for one in self._by_id.values() if one.refused)]:
            self._finish(channel, channel.error or error, now)

    def _begin_end(self, now: Instant) -> None:
        """The whole machine is closing: no channel takes messages any more."""
        self._phase = Phase.CLOSING
        for channel in self._table.living():
            if channel.state is not ChannelState.CLOSING:
                self.counters.channels_left_open += channel.state is ChannelState.OPEN
                channel.state = ChannelState.CLOSING
                channel.fast = False
                self._emit(ChannelClosing(channel.handle, False))
