"""From association events to channel events: user messages, DCEP, and what to do with those that fit nowhere.

`_translate` is the hot path: a whole message on an answered, open channel costs one lookup and one tuple. Everything
else goes through `_receive_message`, which decides:

| the stream has | user message | DATA_CHANNEL_OPEN | DATA_CHANNEL_ACK |
|---|---|---|---|
| no channel | kept a while (`early`) | new channel, or refused | dropped |
| an open channel | delivered | fault: the channel closes | ends the ordered phase |
| a channel that we are closing | dropped | dropped | dropped |
| ... and that the peer has reset | kept: it is the stream's next life | kept | kept |

Spec: RFC 8831 sections 6.6 and 8, RFC 8832 section 6, W3C WebRTC section 6.2.6.
"""

from __future__ import annotations

from typing import Final

from .. import sctp
from ..base import Instant
from ..errors import MessageTooLarge, ParseError, ProtocolError, WebRTCError
from .channel import Channel, ChannelState
from .config import DataChannelsConfig
from .dcep import DataChannelAck, DataChannelOpen, MessageType, Ppid, parse_message
from .events import ChannelAnnounced, MessageReceived
from .lifecycle import ChannelLifecycle, Phase
from .stream_ids import MAX_STREAM_ID

# Bound once: the loop asks for them on every event.
_MessageReceived = sctp.MessageReceived
_BufferedAmountDecreased = sctp.BufferedAmountDecreased

_STRING: Final = int(Ppid.STRING)
_BINARY: Final = int(Ppid.BINARY)
_DCEP: Final = int(Ppid.DCEP)
_STRINGS: Final = frozenset({_STRING, int(Ppid.STRING_EMPTY), int(Ppid.STRING_PARTIAL)})
_EMPTY: Final = frozenset({int(Ppid.STRING_EMPTY), int(Ppid.BINARY_EMPTY)})
_PARTIAL: Final = frozenset({int(Ppid.STRING_PARTIAL), int(Ppid.BINARY_PARTIAL)})
_USER: Final = frozenset({_STRING, _BINARY}) | _EMPTY | _PARTIAL
_ACK: Final = DataChannelAck().serialize()
_new_tuple: Final = tuple.__new__  # a NamedTuple's own constructor is a Python frame more, on every message


class InboundChannels(ChannelLifecycle):
    """Adds what the peer sends to the life of channels."""

    __slots__ = ("_max_message_size", "_overtaking")

    def __init__(self, config: DataChannelsConfig, association: sctp.Association) -> None:
        super().__init__(config, association)
        self._max_message_size = config.max_message_size
        self._overtaking: list[sctp.AssociationEvent] = []
        """Association events from before it was established; few, because the peer has one window of them."""

    def _translate(self, now: Instant) -> bool:
        """Takes over what happened in the association. Returns: whether anything did."""
        if self._phase is Phase.NEW:
            return False  # packets came before `connect`: roles are unknown, so the events wait where they are
        if self._control:
            # Room in the send buffer comes with acknowledgments, which are no events.
            self._flush_control(now)
            self._replay_early(now)
        events = self._association.poll_events()
        if not events:
            return False
        if self._phase is Phase.CONNECTING:
            events = self._established_first(events)
        by_id, emit, limit = self._by_id, self._events.append, self._max_message_size
        messages = total = 0
        for event in events:
            if type(event) is _MessageReceived:
                stream_id, ppid, data = event
                channel = by_id.get(stream_id)
                size = len(data)
                if channel is None or not channel.fast or size > limit or (ppid != _BINARY and ppid != _STRING):
                    self._receive_message(stream_id, ppid, data, now)
                    if self._ready:
                        self._replay_early(now)
                    continue
                message: str | bytes = data
                if ppid == _STRING:
                    try:
                        message = data.decode()
                    except UnicodeDecodeError:
                        message = self._decode_anyway(data)
                messages += 1
                total += size
                channel.unread += size
                channel.messages_received += 1
                channel.bytes_received += size
                emit(_new_tuple(MessageReceived, (channel.handle, message, size)))
            elif type(event) is _BufferedAmountDecreased:
                self._on_sent(event.stream_id, event.amount, now)
            else:
                self._on_association_event(event, now)
                self._replay_early(now)
        counters = self.counters
        counters.messages_received += messages
        counters.bytes_received += total
        return True

    def _established_first(self, events: list[sctp.AssociationEvent]) -> list[sctp.AssociationEvent]:
        """Holds back what overtook the end of the handshake: browsers' DATA can come before their COOKIE ACK."""
        events = [*self._overtaking, *events]
        self._overtaking = []
        for event in events:
            if type(event) is sctp.AssociationEstablished:
                return [event, *(other for other in events if other is not event)]
            if type(event) is sctp.Closed:
                return events
        self._overtaking = events
        return []

    def _on_association_event(self, event: sctp.AssociationEvent, now: Instant) -> None:
        match event:
            case sctp.AssociationEstablished():
                self._on_established(event.outbound_streams, event.inbound_streams, now)
            case sctp.StreamsResetByPeer():
                self._on_reset_by_peer(event.stream_ids, now)
            case sctp.StreamsReset():
                self._on_reset(event.stream_ids, now)
            case sctp.StreamResetFailed():
                self._on_reset_failed(event.stream_ids, now)
            case sctp.MessageAbandoned():
                self.counters.messages_abandoned += 1
            case sctp.AssociationRestarted():
                self._on_restarted(now)
            case sctp.Closed():
                self._on_closed(event.reason, event.error, now)

    # --- messages that are not the common case --------------------------------------------------------------------

    def _receive_message(self, stream_id: int, ppid: int, data: bytes, now: Instant) -> None:
        channel = self._by_id.get(stream_id)
        if channel is not None and channel.state is ChannelState.CLOSING and channel.incoming_reset:
            # The peer has reset this stream and begun its next life; it is ours to begin when our own reset is
            # confirmed, and that answer may be lost or late.
            self._keep_early(stream_id, ppid, data, now)
        elif ppid == _DCEP:
            self._release(len(data), now)
            self._receive_control(channel, stream_id, data, now)
        elif ppid not in _USER:
            self._drop(data, "unknown_ppid", now)
        elif channel is None:
            self._keep_early(stream_id, ppid, data, now)
        elif channel.state is not ChannelState.OPEN:
            self._drop(data, "channel_not_open", now)
        else:
            if channel.awaiting_ack:
                self._acknowledged(channel)
            if ppid in _PARTIAL or channel.partial is not None:
                self._receive_partial(channel, ppid, data, now)
            else:
                self._deliver(channel, ppid, data, len(data), now)

    def _drop(self, data: bytes, reason: str, now: Instant) -> None:
        self.drops.add(reason)
        self._release(len(data), now)

    def _keep_early(self, stream_id: int, ppid: int, data: bytes, now: Instant) -> None:
        if self._phase is Phase.CONNECTED and self._early.add(stream_id, ppid, data, now):
            self._arm_early()
        else:
            self._drop(data, "early_full", now)

    def _replay_early(self, now: Instant) -> None:
        """Gives early messages of streams whose state changed another try."""
        while self._ready:
            stream_id = self._ready.pop()
            kept = self._early.take(stream_id)
            if kept:
                self._arm_early()
                for ppid, data in kept:
                    self._receive_message(stream_id, ppid, data, now)

    def _deliver(self, channel: Channel, ppid: int, data: bytes, size: int, now: Instant) -> None:
        """Hands a whole user message up; `size` is what it holds of the receive window."""
        if ppid in _EMPTY:
            data = b""  # whatever stood for it: RFC 8831 section 6.6 says one zero byte, which must be ignored
        if len(data) > self._max_message_size:
            self._release(size, now)
            self._fail_too_large(channel, len(data), now)
            return
        message: str | bytes = data
        if ppid in _STRINGS:
            try:
                message = data.decode()
            except UnicodeDecodeError:
                message = self._decode_anyway(data)
        channel.unread += size
        channel.messages_received += 1
        channel.bytes_received += len(data)
        self.counters.messages_received += 1
        self.counters.bytes_received += len(data)
        self._emit(MessageReceived(channel.handle, message, size))

    def _receive_partial(self, channel: Channel, ppid: int, data: bytes, now: Instant) -> None:
        """Joins the deprecated partial messages. Spec: RFC 8831 section 6.6: reliable, ordered channels only."""
        parameters = channel.parameters
        if ppid in _PARTIAL and (
            not parameters.ordered
            or parameters.max_retransmits is not None
            or parameters.max_packet_life_time is not None
        ):
            self._drop(data, "partial_on_unreliable", now)
            return
        is_string = ppid in _STRINGS
        partial = channel.partial
        if partial is None:
            partial = channel.partial = bytearray()
            channel.partial_is_string = is_string
            channel.fast = False
        elif channel.partial_is_string is not is_string:
            self._drop(data, "partial_type_changed", now)
            self._fail(channel, ProtocolError("a partial message changed between string and binary"), now)
            return
        if len(partial) + len(data) > self._max_message_size:
            self._release(len(data), now)
            self._fail_too_large(channel, len(partial) + len(data), now)
            return
        partial += data
        if ppid in _PARTIAL:
            return
        channel.partial = None
        channel.fast = True
        self._deliver(channel, _STRING if is_string else _BINARY, bytes(partial), len(partial), now)

    def _decode_anyway(self, data: bytes) -> str:
        """W3C decodes strings as UTF-8 with replacement: a wrong byte costs a character, never the channel."""
        self.counters.invalid_utf8 += 1
        return data.decode("utf-8", "replace")

    # --- DCEP -----------------------------------------------------------------------------------------------------

    def _receive_control(self, channel: Channel | None, stream_id: int, data: bytes, now: Instant) -> None:
        try:
            message = parse_message(data)
        except ParseError as error:
            if data[:1] != bytes([MessageType.DATA_CHANNEL_OPEN]):
                self.drops.add("unknown_dcep_message")
            elif channel is None:
                self._refuse_if_connected(stream_id, "malformed_open", now)
            else:
                self.drops.add("malformed_open")
                self._fail(channel, error, now)
            return
        if isinstance(message, DataChannelAck):
            if channel is not None and channel.awaiting_ack and channel.state is ChannelState.OPEN:
                self._acknowledged(channel)
            else:
                self.drops.add("unexpected_ack")
        elif channel is not None:
            self.drops.add("open_on_used_stream")
            self._fail(channel, ProtocolError("the peer opened a channel on a stream that has one"), now)
        elif self._table.ids.is_ours(stream_id):
            self._refuse_if_connected(stream_id, "open_on_wrong_parity", now)
        elif stream_id > MAX_STREAM_ID or stream_id >= self._table.ids.limit:
            self._refuse_if_connected(stream_id, "open_beyond_streams", now)
        elif self._table.remote >= self._config.max_remote_channels:
            self._refuse_if_connected(stream_id, "too_many_channels", now)
        elif self._phase is Phase.CONNECTED:
            self._accept(message, stream_id, now)
        else:
            self.drops.add("open_while_closing")

    def _refuse_if_connected(self, stream_id: int, reason: str, now: Instant) -> None:
        if self._phase is Phase.CONNECTED:
            self._refuse(stream_id, reason, now)
        else:
            self.drops.add(reason)

    def _accept(self, message: DataChannelOpen, stream_id: int, now: Instant) -> None:
        channel = self._table.create(message, opened_by_peer=True, stream_id=stream_id)
        self.counters.channels_accepted += 1
        self._emit(
            ChannelAnnounced(
                channel.handle,
                message.label,
                message.protocol,
                message.ordered,
                message.max_packet_life_time,
                message.max_retransmits,
                message.priority,
                stream_id,
            )
        )
        self._opened(channel, now)
        self._send_control(channel, _ACK, now)

    # --- faults of the peer ---------------------------------------------------------------------------------------

    def _fail(self, channel: Channel, error: WebRTCError, now: Instant) -> None:
        if channel.state in (ChannelState.CONNECTING, ChannelState.OPEN):
            self._begin_close(channel, now, by_peer=False, error=error)

    def _fail_too_large(self, channel: Channel, size: int, now: Instant) -> None:
        self.drops.add("message_too_large")
        self._fail(
            channel,
            MessageTooLarge(f"the peer sent a message of {size} bytes, {self._max_message_size} were announced"),
            now,
        )
