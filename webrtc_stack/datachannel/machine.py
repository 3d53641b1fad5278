"""Data channels on one SCTP association, as a machine over SCTP packets.

Spec: RFC 8831 (sections 6.4 to 6.7: channels, streams, messages, closing), RFC 8832 (DCEP), W3C WebRTC sections 6.1.1
and 6.2 (opening, announcing, closing, `send`), RFC 8841 section 6 (message size).
Left out: adding streams to a running association (RFC 6525 section 5: both sides of WebRTC ask for all of them at the
start), and priorities as a weight in the scheduler (RFC 8831 section 6.4): they are carried and reported.

Decisions:

* A channel opens as soon as its DATA_CHANNEL_OPEN is handed to the association, one round trip before the ACK, as
  RFC 8832 section 6 allows and browsers do; until the peer has answered, its messages go ordered.
* Messages that were delivered and not consumed hold the receive window. What the application never sees (DCEP, messages
  of closed or unknown channels) is released here.
* DATA_CHANNEL_OPEN of channels made before the association is up travels with the COOKIE ECHO.
* A DCEP message that finds the send buffer full waits in a queue of our own and goes out first when there is room.

Invariants: every channel that was made ends in one `ChannelClosed`; an identifier is free again only when both
directions of its stream are reset; `Closed` is last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from .. import sctp
from ..base import SYSTEM_ENTROPY, Instant
from ..errors import (
    BufferFull,
    InvalidArgumentError,
    InvalidStateError,
    MessageTooLarge,
    TooManyStreams,
    WebRTCError,
)
from .channel import ChannelHandle, ChannelSnapshot, ChannelState
from .config import DataChannelsConfig
from .dcep import MAX_NAME_BYTES, DataChannelOpen, Ppid, Priority
from .inbound import InboundChannels
from .lifecycle import Phase, Timer
from .stream_ids import MAX_STREAM_ID

MessageData: TypeAlias = str | bytes | bytearray | memoryview

_OPEN: Final = ChannelState.OPEN
_STRING: Final = int(Ppid.STRING)
_BINARY: Final = int(Ppid.BINARY)
_STRING_EMPTY: Final = int(Ppid.STRING_EMPTY)
_BINARY_EMPTY: Final = int(Ppid.BINARY_EMPTY)
_MAX_LIMIT: Final = 65535
"""W3C's maxRetransmits and maxPacketLifeTime are unsigned shorts, though the wire has 32 bits for them."""


class DataChannels(InboundChannels):
    """All data channels of one peer.

    Shapes: SCTP packets in and out, as `bytes`. `association` replaces the one made from `config.sctp`.
    Spec: RFC 8831, RFC 8832.
    """

    __slots__ = ("_send_limit",)

    def __init__(
        self, config: DataChannelsConfig | None = None, *, association: sctp.Association | None = None
    ) -> None:
        config = DataChannelsConfig() if config is None else config
        super().__init__(config, sctp.Association(_sctp_config(config)) if association is None else association)
        self._table.ids.limit = min(MAX_STREAM_ID + 1, config.sctp.outbound_streams)
        self._send_limit = 0
        self.set_remote_max_message_size(config.remote_max_message_size)

    # --- what people ask ------------------------------------------------------------------------------------------

    @property
    def association(self) -> sctp.Association:
        """The association below, for statistics; its commands and polls belong to this machine."""
        return self._association

    @property
    def max_message_size(self) -> int:
        """What SDP announces for us."""
        return self._max_message_size

    def channel(self, handle: ChannelHandle) -> ChannelSnapshot:
        """The channel as it is now. Errors: `InvalidAccessError` for one unknown or closed long ago."""
        return self._table.snapshot(handle)

    def channels(self) -> list[ChannelSnapshot]:
        """All channels that are not closed and read to the end."""
        return [channel.snapshot() for channel in self._by_handle.values()]

    def buffered_amount(self, handle: ChannelHandle) -> int:
        """Bytes of user messages that wait to be sent. An empty message counts as the one byte it is on the wire.

        Spec: W3C WebRTC section 6.2, `bufferedAmount`.
        """
        channel = self._table.find(handle)
        return 0 if channel is None else channel.buffered

    # --- commands -------------------------------------------------------------------------------------------------

    def connect(self, now: Instant, *, dtls_client: bool) -> None:
        """Starts the association; the DTLS role decides who opens channels on even streams.

        Errors: `InvalidStateError` when called twice or after `close`.
        Spec: RFC 8832 section 6.
        """
        now = self._advance(now)
        if self._phase is not Phase.NEW:
            raise InvalidStateError(f"connect was called before, or the end came: {self._phase.name.lower()}")
        self._phase = Phase.CONNECTING
        ids = self._table.ids
        ids.set_role(dtls_client=dtls_client)
        for channel in self._table.living():
            if channel.id is None:
                self._assign_id(channel, now)
        self._association.connect(now)
        for channel in self._table.living():
            self._start(channel, now)
        self._translate(now)

    def open_channel(
        self,
        label: str,
        now: Instant,
        *,
        ordered: bool = True,
        max_packet_life_time: int | None = None,
        max_retransmits: int | None = None,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,
        priority: Priority | int = Priority.LOW,
    ) -> ChannelHandle:
        """Makes a channel, before or after the association is up.

        Units: `max_packet_life_time` in milliseconds.
        Returns: its handle; `ChannelOpened` follows when messages may be sent.
        Errors: `InvalidArgumentError` for what W3C forbids, `TooManyStreams` when no identifier is left,
        `InvalidStateError` after `close`.
        Spec: W3C WebRTC section 6.1, `createDataChannel`; RFC 8832 section 6.
        """
        now = self._advance(now)
        if self._phase in (Phase.CLOSING, Phase.CLOSED):
            raise InvalidStateError("the data channels are closed: make a new machine")
        parameters = DataChannelOpen(
            label=_name("label", label),
            protocol=_name("protocol", protocol),
            ordered=ordered,
            max_retransmits=_limit("max_retransmits", max_retransmits),
            max_packet_life_time=_limit("max_packet_life_time", max_packet_life_time),
            priority=_wire_priority(priority),
        )
        if max_retransmits is not None and max_packet_life_time is not None:
            raise InvalidArgumentError("give max_retransmits or max_packet_life_time, not both")
        ids = self._table.ids
        stream_id: int | None = None
        if negotiated:
            if id is None:
                raise InvalidArgumentError("a negotiated channel needs the id that both sides agreed on")
            if not 0 <= id <= MAX_STREAM_ID:
                raise InvalidArgumentError(f"id must be 0 to {MAX_STREAM_ID}, got {id}")
            if id in ids:
                raise InvalidArgumentError(f"id {id} is in use by another channel")
            if id >= ids.limit:
                raise TooManyStreams(f"id {id}: the association has {ids.limit} streams")
            stream_id = id
        elif ids.parity is not None:
            # W3C ignores an id without negotiated; so do we: identifiers are then ours to choose.
            stream_id = ids.allocate()
            if stream_id is None:
                raise TooManyStreams("every stream identifier of this side is in use: close a channel first")
        elif len(self._by_handle) > MAX_STREAM_ID // 2:
            raise TooManyStreams("every stream identifier of either side will be in use: close a channel first")
        channel = self._table.create(parameters, negotiated=negotiated, stream_id=stream_id)
        if self._phase is not Phase.NEW:
            self._start(channel, now)
            self._replay_early(now)
        return channel.handle

    def send(self, handle: ChannelHandle, data: MessageData, now: Instant) -> None:
        """Queues one message: a string for `str`, a binary one for the rest.

        Errors: `InvalidStateError` unless the channel is open, `MessageTooLarge`, `BufferFull`; nothing was queued.
        Spec: RFC 8831 section 6.6, W3C WebRTC section 6.2 `send`.
        """
        if now > self._now:
            self._now = now
        channel = self._by_handle.get(handle)
        if channel is None or channel.state is not _OPEN:
            raise self._not_open(handle)
        if isinstance(data, str):
            ppid = _STRING
            try:
                payload = data.encode()
            except UnicodeEncodeError:
                payload = _utf8(data)
        else:
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise InvalidArgumentError(f"a message is str or bytes-like, got {type(data).__name__}")
            payload, ppid = bytes(data), _BINARY  # of bytes, this is the same object
        size = length = len(payload)
        if not size:
            # SCTP has no empty messages: one zero byte, and a PPID that says so.
            payload, ppid, length = b"\0", _STRING_EMPTY if ppid == _STRING else _BINARY_EMPTY, 1
        if length > self._send_limit:
            raise MessageTooLarge(f"{size} bytes, at most {self._send_limit} can be sent: split the message")
        assert channel.id is not None
        self._association.send(
            channel.id,
            ppid,
            payload,
            self._now,
            ordered=channel.send_ordered,
            max_retransmits=channel.max_retransmits,
            max_lifetime=channel.max_lifetime,
        )
        channel.buffered += length
        channel.messages_sent += 1
        channel.bytes_sent += size
        counters = self.counters
        counters.messages_sent += 1
        counters.bytes_sent += size

    def send_many(self, handle: ChannelHandle, messages: Iterable[MessageData], now: Instant) -> int:
        """Queues messages in order until all are, or the buffer is full.

        Returns: how many were queued; the rest is for later.
        Errors: as `send`, but for `BufferFull`; those before the faulty one are queued.
        """
        count = 0
        for data in messages:
            try:
                self.send(handle, data, now)
            except BufferFull:
                break
            count += 1
        return count

    def set_remote_max_message_size(self, size: int) -> None:
        """What the peer's SDP announces; 0 means that it sets no limit, so ours holds. Spec: RFC 8841 section 6.1."""
        if size < 0:
            raise InvalidArgumentError(f"max-message-size is not negative, got {size}")
        own = self._config.max_send_message_size
        self._send_limit = min(size, own) if size else own

    def set_buffered_amount_low_threshold(self, handle: ChannelHandle, threshold: int) -> None:
        """At which buffered amount `BufferedAmountLow` is reported; setting it reports nothing."""
        if threshold < 0:
            raise InvalidArgumentError(f"the threshold is in bytes and not negative, got {threshold}")
        channel = self._table.find(handle)
        if channel is not None:
            channel.low_threshold = threshold

    def watch_send_buffer(self) -> None:
        """Asks for one `SendBufferMoved` as soon as anything queued leaves: for a sender that waits for room."""
        self._watched = True

    def message_consumed(self, handle: ChannelHandle, size: int, now: Instant) -> None:
        """The application has taken a message (or several): `size` bytes of the receive window open again.

        Units: the `size` of `MessageReceived`, or a sum of them. Also for channels that have closed meanwhile.
        Errors: `InvalidArgumentError` for more than is unread.
        """
        if now > self._now:
            self._now = now
        channel = self._by_handle.get(handle)
        unread = 0 if channel is None else channel.unread
        if not 0 <= size <= unread:
            if channel is None:
                self._table.find(handle)
            if self._phase is Phase.CLOSED:
                return
            raise InvalidArgumentError(f"{size} bytes consumed, {unread} are unread on channel {handle}")
        if channel is not None and size:
            channel.unread = unread - size
            if channel.holds_window:
                self._release(size, self._now)
            if channel.state is ChannelState.CLOSED:
                self._table.retire(channel)

    def discard_unread(self, handle: ChannelHandle, now: Instant) -> None:
        """Gives up all messages of a channel that were delivered and not consumed: nobody will read them."""
        channel = self._table.find(handle)
        if channel is not None and channel.unread:
            self.message_consumed(handle, channel.unread, now)

    def close_channel(self, handle: ChannelHandle, now: Instant) -> None:
        """Closes a channel: what was sent still arrives, then both directions of its stream are reset.

        Works in any state, any number of times. `ChannelClosed` follows when the peer has done the same.
        Spec: RFC 8831 section 6.7, W3C WebRTC section 6.2.4.
        """
        now = self._advance(now)
        channel = self._table.find(handle)
        if channel is not None and channel.state in (ChannelState.CONNECTING, _OPEN):
            self._begin_close(channel, now, by_peer=False)
            self._replay_early(now)

    def close(self, now: Instant) -> None:
        """Ends everything within the association's `close_timeout`: politely if the peer answers, else by ABORT."""
        now = self._advance(now)
        if self._phase is Phase.CLOSED:
            return
        self._begin_end(now)
        self._association.close(now)
        self._translate(now)

    def shutdown(self, now: Instant) -> None:
        """Ends everything after all that was sent is delivered, however long that takes. `close` may still follow."""
        now = self._advance(now)
        if self._phase in (Phase.CLOSING, Phase.CLOSED):
            return
        self._begin_end(now)
        self._association.shutdown(now)
        self._translate(now)

    def abort(self, now: Instant, reason: str = "aborted by the application", error: WebRTCError | None = None) -> None:
        """Ends everything at once: the peer gets an ABORT, what was not delivered is lost.

        `error` is what `ChannelClosed` and `Closed` report: for callers whose transport failed under the association.
        """
        now = self._advance(now)
        if self._phase is Phase.CLOSED:
            return
        self._begin_end(now)
        self._end_error = error
        self._association.abort(now, reason)
        self._translate(now)

    # --- the machine ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[bytes], now: Instant) -> None:
        now = self._advance(now)
        if self._phase is Phase.CLOSED:
            return
        if len(self._events) + len(self._overtaking) >= self._config.max_pending_events:
            self.drops.add("events_not_polled", len(burst))
            return
        self._association.receive_many(burst, now)
        self._translate(now)

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        if self._phase is Phase.CLOSED:
            return
        if self._association.next_timeout() <= now:
            self._association.handle_timeout(now)
            self._translate(now)
        for timer in self._deadlines.pop_due(now):
            if timer is Timer.EARLY_MESSAGES:
                self._expire_early(now)
                self._replay_early(now)

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[bytes]:
        now = self._advance(now)
        if self._phase is Phase.CLOSED:
            # The last packet (ABORT, SHUTDOWN COMPLETE) may be built after the association reported its end.
            return self._association.poll_transmits(now, limit)
        sent = self._association.poll_transmits(now, limit)
        # Sending makes events too (buffered amounts fall), and those can make packets (a stream is drained: reset it).
        while self._translate(now) and len(sent) < limit:
            more = self._association.poll_transmits(now, limit - len(sent))
            if not more:
                break
            sent = [*sent, *more]
        return sent

    def next_timeout(self) -> Instant:
        return min(self._association.next_timeout(), self._deadlines.next())

    # --- arguments ------------------------------------------------------------------------------------------------

    def _not_open(self, handle: ChannelHandle) -> InvalidStateError:
        channel = self._table.find(handle)
        state = ChannelState.CLOSED if channel is None else channel.state
        hint = "wait for ChannelOpened" if state is ChannelState.CONNECTING else "open another channel"
        return InvalidStateError(f"channel {handle} is {state.value}: {hint}")


def _sctp_config(config: DataChannelsConfig) -> sctp.SctpConfig:
    """The association's config, with entropy and trace of ours where it has none of its own."""
    lower = config.sctp
    if lower.entropy is SYSTEM_ENTROPY and config.entropy is not SYSTEM_ENTROPY:
        lower = replace(lower, entropy=config.entropy.fork("sctp"))
    if config.trace and not lower.trace:
        lower = replace(lower, trace=config.trace)
    return lower


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # W3C takes a USVString: pairs of surrogates become their character, lone ones U+FFFD.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _name(what: str, text: str) -> str:
    encoded = _utf8(text)
    if len(encoded) > MAX_NAME_BYTES:
        raise InvalidArgumentError(f"{what} has {len(encoded)} bytes of UTF-8, at most {MAX_NAME_BYTES} fit")
    return encoded.decode()


def _limit(what: str, value: int | None) -> int | None:
    if value is not None and not 0 <= value <= _MAX_LIMIT:
        raise InvalidArgumentError(f"{what} must be 0 to {_MAX_LIMIT}, got {value}")
    return value


def _wire_priority(priority: Priority | int) -> int:
    if isinstance(priority, Priority):
        return priority.wire
    if not 0 <= priority <= 0xFFFF:
        raise InvalidArgumentError(f"priority is a Priority or a number from 0 to 65535, got {priority!r}")
    return priority
