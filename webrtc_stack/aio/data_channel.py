"""A data channel as applications see it: await to send, iterate to receive.

Spec: W3C webrtc-pc section 6 (RTCDataChannel), in snake_case. Differences on purpose: `send` is awaitable and holds
back while too much is buffered, and unread messages count against the receive window, so a slow reader slows the
sender down instead of filling memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import TYPE_CHECKING

from ..datachannel import Priority
from ..errors import BufferFull, ConnectionLost, InvalidStateError, TimedOut, WebRTCError
from .observable import Observable

if TYPE_CHECKING:
    from ..peer import ChannelHandle
    from .channel_api import ChannelApi

HIGH_WATER_BYTES = 1024 * 1024
"""`send` waits while more than this is buffered: enough for a full window at 100 Mbit/s and 80 ms."""


REPORT_BYTES = 64 * 1024
"""Read messages are reported to the core in portions of at most this much, or when none is left: one call a portion
instead of one a message, and small against any window."""


class DataChannelState(StrEnum):
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class DataChannel:
    """One channel of a peer connection. Make it by `PeerConnection.create_data_channel`."""

    def __init__(
        self,
        connection: ChannelApi,
        handle: ChannelHandle,
        *,
        label: str,
        protocol: str,
        ordered: bool,
        max_packet_life_time: int | None,
        max_retransmits: int | None,
        negotiated: bool,
        priority: Priority,
        id: int | None,
    ) -> None:
        self._connection = connection
        self._handle = handle
        self.label = label
        self.protocol = protocol
        self.ordered = ordered
        self.max_packet_life_time = max_packet_life_time
        """Milliseconds for which a message is sent again, None for no such limit."""
        self.max_retransmits = max_retransmits
        self.negotiated = negotiated
        self.priority = priority
        self.id = id
        """The SCTP stream, None until the connection has decided the parity of identifiers."""
        self.ready_state: Observable[DataChannelState] = Observable(
            DataChannelState.CONNECTING, name=f"channel {label!r}", lost_states=(DataChannelState.CLOSED,)
        )
        self.error: WebRTCError | None = None
        """Why the channel closed, if not because somebody closed it."""
        self.high_water_bytes = HIGH_WATER_BYTES
        self._low_threshold = 0
        self._unreported = 0
        self._inbox: deque[tuple[str | bytes, int]] = deque()
        self._readers: deque[asyncio.Future[None]] = deque()
        self._writers: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        return f"DataChannel({self.label!r}, id={self.id}, {self.ready_state.value})"

    # --- sending ----------------------------------------------------------------------------------------------------

    async def opened(self, *, timeout: float | None = None) -> None:
        """Waits until messages can be sent. Errors: `ConnectionLost`, `TimedOut`."""
        await self.ready_state.wait_for(DataChannelState.OPEN, timeout=timeout)

    async def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Sends one message: `str` as text, anything else as binary; both may be empty.

        Waits while the channel is connecting, and while more than `high_water_bytes` are buffered.
        Errors: `ConnectionLost` when the channel closes before the message was taken; `MessageTooLarge`;
        `InvalidStateError` when it was closed already.
        """
        while True:
            state = self.ready_state.value
            if state is DataChannelState.OPEN:
                if self.buffered_amount <= self.high_water_bytes:
                    try:
                        self.send_nowait(data)
                        return
                    except BufferFull:
                        pass  # other channels share the association's buffer: wait like for our own
                await self._buffer_moved()
            elif state is DataChannelState.CONNECTING:
                await self.opened()
            else:
                self.send_nowait(data)  # raises, and says why

    def send_nowait(self, data: str | bytes | bytearray | memoryview) -> None:
        """Sends without waiting, or queues nothing. Errors: `BufferFull`, `InvalidStateError`, `MessageTooLarge`."""
        if self.ready_state.value is not DataChannelState.OPEN:
            raise InvalidStateError(
                f"channel {self.label!r} is {self.ready_state.value}; await channel.opened() before sending"
                if self.ready_state.value is DataChannelState.CONNECTING
                else f"channel {self.label!r} is {self.ready_state.value}; nothing can be sent any more"
            )
        self._connection._send(self._handle, data)

    @property
    def buffered_amount(self) -> int:
        """Bytes accepted by `send` that have not gone to the network for the first time."""
        return self._connection.core.buffered_amount(self._handle)

    @property
    def buffered_amount_low_threshold(self) -> int:
        """`drained()` and the `BufferedAmountLow` event speak at or below this many bytes."""
        return self._low_threshold

    @buffered_amount_low_threshold.setter
    def buffered_amount_low_threshold(self, value: int) -> None:
        self._connection.core.set_buffered_amount_low_threshold(self._handle, value)
        self._low_threshold = value

    async def drained(self, *, timeout: float | None = None) -> None:
        """Waits until `buffered_amount` is at most the low threshold. Errors: `ConnectionLost`, `TimedOut`."""
        try:
            async with asyncio.timeout(timeout):
                while self.buffered_amount > self._low_threshold:
                    await self._buffer_moved()
        except TimeoutError:
            raise TimedOut(f"{self.buffered_amount} bytes are still buffered after {timeout:g} s") from None

    async def _buffer_moved(self) -> None:
        if self.ready_state.value is DataChannelState.CLOSED:
            raise ConnectionLost(f"channel {self.label!r} closed with {self.buffered_amount} bytes unsent")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writers.append(waiter)
        self._connection.core.watch_send_buffer()
        try:
            await waiter
        finally:
            if waiter in self._writers:
                self._writers.remove(waiter)

    # --- receiving --------------------------------------------------------------------------------------------------

    async def receive(self) -> str | bytes:
        """The next message. Errors: `ConnectionLost` once the channel is closed and everything has been read."""
        while not self._inbox:
            await self._arrival()
        return self._take()

    async def _arrival(self) -> None:
        if self.ready_state.value is DataChannelState.CLOSED:
            raise ConnectionLost(str(self.error) if self.error else f"channel {self.label!r} is closed")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake_reader()  # the message meant for this reader goes to the next one
            raise
        finally:
            if waiter in self._readers:
                self._readers.remove(waiter)

    def receive_nowait(self) -> str | bytes | None:
        """The next message if one is here, else None."""
        return self._take() if self._inbox else None

    async def receive_text(self) -> str:
        """The next message, which must be text. Errors: `InvalidStateError` if it is binary; it stays unread."""
        await self._peek_is(str)
        message = await self.receive()
        assert isinstance(message, str)
        return message

    async def receive_bytes(self) -> bytes:
        """The next message, which must be binary. Errors: `InvalidStateError` if it is text; it stays unread."""
        await self._peek_is(bytes)
        message = await self.receive()
        assert isinstance(message, bytes)
        return message

    async def _peek_is(self, kind: type) -> None:
        while not self._inbox:
            await self._arrival()
        if not isinstance(self._inbox[0][0], kind):
            raise InvalidStateError(
                f"the next message is {'text' if kind is bytes else 'binary'}; use receive() for either"
            )

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except ConnectionLost:
            raise StopAsyncIteration from None

    def _take(self) -> str | bytes:
        message, size = self._inbox.popleft()
        self._unreported += size
        if not self._inbox or self._unreported >= REPORT_BYTES:
            size, self._unreported = self._unreported, 0
            self._connection._consumed(self._handle, size)
        return message

    # --- the end ----------------------------------------------------------------------------------------------------

    async def close(self, *, timeout: float | None = 2.0) -> None:
        """Sends what is buffered, closes both directions and waits (bounded) for the peer to agree. Idempotent.

        Messages that were not read by now are given up, as W3C says. Without an answer in time the channel goes on
        closing in the background of its connection.
        """
        self._inbox.clear()
        self._unreported = 0
        self._connection._close_channel(self._handle)
        try:
            await self.ready_state.wait_for(DataChannelState.CLOSED, timeout=timeout)
        except TimedOut:
            return  # the reset is under way; the connection finishes it or ends

    # --- called by the connection -----------------------------------------------------------------------------------

    def _deliver(self, message: str | bytes, size: int) -> None:
        if self.ready_state.value is not DataChannelState.OPEN:
            self._connection._consumed(self._handle, size)
            return
        self._inbox.append((message, size))
        if self._readers:
            self._wake_reader()

    def _wake_reader(self) -> None:
        while self._readers:
            waiter = self._readers.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _wake_writers(self) -> None:
        if not self._writers:
            return
        writers, self._writers = self._writers, []
        for waiter in writers:
            if not waiter.done():
                waiter.set_result(None)

    def _set_state(self, state: DataChannelState, error: WebRTCError | None = None) -> None:
        if state is DataChannelState.CLOSED:
            self.error = error
        self.ready_state.set(state, str(error) if error else "")
        self._wake_writers()
        if state is DataChannelState.CLOSED:
            self.ready_state.end(str(error) if error else "closed")
            while self._readers:
                self._wake_reader()
