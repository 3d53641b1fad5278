"""A peer connection for asyncio: a `PeerCore`, a driver, and awaitable views on both.

Spec: W3C webrtc-pc section 4.4 (RTCPeerConnection), in snake_case. There is no logic of the protocol here: commands
go down with the runtime's time, events come up and become observables and streams. `core` stays reachable.

Left out so far: tracks and transceivers, `get_stats` in the W3C schema (`snapshot()` tells the facts meanwhile).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from ..base import SYSTEM_ENTROPY
from ..datachannel import (
    BufferedAmountLow as CoreBufferedAmountLow,
)
from ..datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelHandle,
    ChannelOpened,
    MessageReceived,
    Priority,
    SendBufferMoved,
)
from ..errors import InvalidArgumentError
from ..io import AddressPolicy, AsyncioRuntime, Driver, Runtime
from ..peer import (
    ConnectionState,
    ConnectionStateChanged,
    IceCandidate,
    IceCandidateErrored,
    IceCandidateGathered,
    IceConnectionStateChanged,
    IceGatheringStateChanged,
    NegotiationNeeded,
    PeerClosed,
    PeerCore,
    PeerSnapshot,
    SessionDescription,
    SignalingStateChanged,
)
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
from .observable import Observable
from .stream import EventStream

MAX_UNCLAIMED_CHANNELS = 1024
"""Channels of the peer that nobody has taken from `data_channels()`; one more is closed at once."""

_PRIORITIES = [priority.value for priority in Priority]


class PeerConnection:
    """One connection to one peer. Make it inside a running event loop, or give it a runtime (`sim.Host`).

    Use it as an async context manager: leaving the block closes it, in bounded time.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        runtime: Runtime | None = None,
        on_closed: Callable[[PeerConnection], None] | None = None,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self.config = config if config is not None else ClientConfig()
        self._own_runtime: AsyncioRuntime | None = None
        if runtime is None:
            runtime = self._own_runtime = AsyncioRuntime()
        self.runtime: Runtime = runtime
        entropy = self.config.entropy if self.config.entropy is not SYSTEM_ENTROPY else self.runtime.entropy
        self.core = PeerCore(
            self.config.peer_config(entropy=entropy, wall_epoch=self.runtime.wall_epoch), self.runtime.time()
        )
        """The whole peer as a sans-IO machine. Looking is free; after commands of your own call `wake()`."""
        self.signaling_state: Observable[str] = Observable("stable", name="signaling_state")
        self.connection_state: Observable[ConnectionState] = Observable(
            ConnectionState.NEW,
            name="connection_state",
            lost_states=(ConnectionState.FAILED, ConnectionState.CLOSED),
        )
        self.ice_connection_state: Observable[str] = Observable(
            "new", name="ice_connection_state", lost_states=("failed", "closed")
        )
        self.ice_gathering_state: Observable[str] = Observable("new", name="ice_gathering_state")
        self.ice_candidate_errors: list[IceCandidateErrored] = []
        """What STUN servers could not do, in order; one entry a server and generation."""
        self._on_closed = on_closed
        self._on_failure = on_failure
        self._channels: dict[ChannelHandle, DataChannel] = {}
        self._incoming = EventStream[DataChannel]()
        self._hub = ChannelEventHub()
        self._candidates = EventStream[IceCandidate]()
        self._negotiation = EventStream[None]()
        self._closed: asyncio.Event = asyncio.Event()
        self._driver = Driver(
            self.core,
            self.runtime,
            policy=AddressPolicy(
                include_loopback=self.config.include_loopback,
                ipv6=self.config.use_ipv6,
                interfaces=self.config.interfaces,
            ),
            port_range=self.config.port_range,
            on_events=self._on_events,
            trace=self.config.trace,
        )

    def __repr__(self) -> str:
        return f"PeerConnection({self.connection_state.value}, {len(self._channels)} channels)"

    # --- negotiation ------------------------------------------------------------------------------------------------

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        """An offer for the present wishes; nothing changes until it is set."""
        return self.core.create_offer(self.runtime.time(), ice_restart=ice_restart)

    async def create_answer(self) -> SessionDescription:
        """An answer to the remote offer. Errors: `InvalidStateError` when there is none."""
        return self.core.create_answer(self.runtime.time())

    async def set_local_description(self, description: SessionDescription | None = None) -> None:
        """Applies a description, or makes the right one first when none is given. Returns at once: gathering goes on.

        Errors: `InvalidStateError` in the wrong signaling state; `NegotiationError` when it cannot be applied.
        """
        self.core.set_local_description(description, self.runtime.time())
        self._driver.flush()  # states are up to date when this returns, as W3C says

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Applies the peer's description. Errors: `InvalidStateError`, `NegotiationError`, `SdpParseError`."""
        self.core.set_remote_description(description, self.runtime.time())
        self._driver.flush()  # states are up to date when this returns, as W3C says

    @property
    def local_description(self) -> SessionDescription | None:
        """The pending or else current local description, with the candidates gathered so far."""
        return self.core.local_description

    @property
    def remote_description(self) -> SessionDescription | None:
        return self.core.remote_description

    async def add_ice_candidate(self, candidate: IceCandidate | None) -> None:
        """Adds a trickled candidate; None (or an empty one) says that no more will come.

        Errors: `InvalidStateError` before a remote description; `ParseError` for text that is no candidate.
        """
        self.core.add_ice_candidate(candidate, self.runtime.time())
        self._driver.wake()

    def ice_candidates(self) -> AsyncIterator[IceCandidate]:
        """Local candidates as they are found, from the first on; ends at end-of-candidates.

        After an ICE restart call it again for the new generation.
        """
        return self._candidates

    async def wait_gathering_complete(self, *, timeout: float | None = None) -> None:
        """Waits for the last candidate: what signalling without trickle needs before it sends the description."""
        await self.ice_gathering_state.wait_for("complete", timeout=timeout)

    def restart_ice(self) -> None:
        """Asks for new ICE credentials in the next offer, and for that offer (`negotiation_needed`)."""
        self.core.restart_ice(self.runtime.time())
        self._driver.wake()

    def negotiation_needed(self) -> AsyncIterator[None]:
        """Yields whenever a new offer is due; coalesced, and never missed by a late reader."""
        return self._negotiation

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

    # --- facts ------------------------------------------------------------------------------------------------------

    def snapshot(self) -> PeerSnapshot:
        """How everything stands now: pairs, DTLS, SCTP, counters."""
        return self.core.snapshot()

    def wake(self) -> None:
        """Lets the driver look at the core again, after commands given to `core` directly."""
        self._driver.wake()

    # --- the end ----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Says goodbye to the peer and frees everything; at most `close_timeout` seconds. Idempotent."""
        try:
            if not self._closed.is_set():
                self.core.close(self.runtime.time())
                self._driver.wake()
                async with asyncio.timeout(self.config.close_timeout):
                    await self._closed.wait()
        except TimeoutError:
            self.config.trace.event(self.runtime.time(), "close_timed_out")
        finally:
            self._finish("closed")
            if self._own_runtime is not None:
                await self._own_runtime.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _finish(self, reason: str) -> None:
        """The last thing that happens: sockets closed, streams ended, waiters told."""
        self._driver.close()
        if self._closed.is_set() and self._incoming.ended:
            return
        self._closed.set()
        for channel in list(self._channels.values()):
            channel._set_state(DataChannelState.CLOSED)
        self._channels.clear()
        self.signaling_state.set("closed")
        self.ice_connection_state.set("closed")
        self.connection_state.set(ConnectionState.CLOSED, reason)
        for observable in (
            self.signaling_state,
            self.ice_connection_state,
            self.connection_state,
            self.ice_gathering_state,
        ):
            observable.end(reason)
        self._incoming.end()
        self._hub.end()
        self._candidates.end()
        self._negotiation.end()
        if self._on_closed is not None:
            self._on_closed(self)

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

    # --- events -----------------------------------------------------------------------------------------------------

    def _on_events(self, events: list[Any]) -> None:
        for event in events:
            kind = type(event)
            if kind is MessageReceived:  # the hot one first
                channel = self._channels.get(event.handle)
                if channel is not None:
                    channel._deliver(event.data, event.size)
                continue
            handler = _HANDLERS.get(kind)
            if handler is None:
                continue
            try:
                handler(self, event)
            except Exception as error:
                if self._on_failure is None:
                    raise
                self._on_failure(error)

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

    def _candidate_gathered(self, event: IceCandidateGathered) -> None:
        if event.candidate is None:
            self._candidates.end()
            return
        if self._candidates.ended:  # the first of a new generation
            self._candidates = EventStream()
        self._candidates.put(event.candidate)

    def _negotiation_needed(self, event: NegotiationNeeded) -> None:
        if not len(self._negotiation):
            self._negotiation.put(None)

    def _peer_closed(self, event: PeerClosed) -> None:
        self._finish(event.reason)


_HANDLERS: dict[type, Callable[[PeerConnection, Any], None]] = {
    SignalingStateChanged: lambda pc, event: pc.signaling_state.set(event.state),
    ConnectionStateChanged: lambda pc, event: pc.connection_state.set(event.state, event.reason),
    IceConnectionStateChanged: lambda pc, event: pc.ice_connection_state.set(event.state),
    IceGatheringStateChanged: lambda pc, event: pc.ice_gathering_state.set(event.state),
    IceCandidateErrored: lambda pc, event: pc.ice_candidate_errors.append(event),
    IceCandidateGathered: PeerConnection._candidate_gathered,
    NegotiationNeeded: PeerConnection._negotiation_needed,
    ChannelAnnounced: PeerConnection._channel_announced,
    ChannelOpened: PeerConnection._channel_opened,
    ChannelClosing: PeerConnection._channel_closing,
    ChannelClosed: PeerConnection._channel_closed,
    CoreBufferedAmountLow: PeerConnection._buffered_amount_low,
    SendBufferMoved: PeerConnection._send_buffer_moved,
    PeerClosed: PeerConnection._peer_closed,
}
