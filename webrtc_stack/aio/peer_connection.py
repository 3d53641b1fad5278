"""A peer connection for asyncio: a `PeerCore`, a driver, and awaitable views on both.

Spec: W3C webrtc-pc section 4.4 (RTCPeerConnection), in snake_case. There is no logic of the protocol here: commands
go down with the runtime's time, events come up and become observables and streams. `core` stays reachable. What it
is for data channels is in `channel_api`, for tracks and statistics in `media_api`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from ..base import SYSTEM_ENTROPY
from ..datachannel import MessageReceived
from ..errors import ConnectionLost, TimedOut
from ..io import AddressPolicy, AsyncioRuntime, Driver, Runtime
from ..peer import (
    ConnectionState,
    ConnectionStateChanged,
    Explanation,
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
from .channel_api import CHANNEL_HANDLERS, ChannelApi
from .config import ClientConfig
from .media import MEDIA_HANDLERS, MediaHub
from .media_api import MediaApi
from .observable import Observable
from .resources import MediaResources
from .stream import EventStream


class PeerConnection(ChannelApi, MediaApi):
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
        media: MediaResources | None = None,
    ) -> None:
        self.config = config if config is not None else ClientConfig()
        self._own_runtime: AsyncioRuntime | None = None
        if runtime is None:
            runtime = self._own_runtime = AsyncioRuntime()
        self.runtime: Runtime = runtime
        source = self.config.entropy if self.config.entropy is not SYSTEM_ENTROPY else self.runtime.entropy
        # Drawn and not counted, so that two connections of one seeded source never share keys and credentials.
        entropy = source.fork(f"connection {source.bytes(8).hex()}")
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
        self._begin_channels()
        self._own_resources = MediaResources() if media is None else None
        self._media = MediaHub(
            self.core,
            media or self._own_resources or MediaResources(),
            now=self.runtime.time,
            wake=self.wake,
            entropy=entropy,
            on_failure=on_failure,
        )
        self._candidates = EventStream[IceCandidate]()
        self._trickle = EventStream[IceCandidate]()
        self._last_candidate = IceCandidate(candidate="", sdp_mid=None, sdp_m_line_index=0)
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
            dscp=self.config.dscp,
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
        self._media.negotiated()

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Applies the peer's description. Errors: `InvalidStateError`, `NegotiationError`, `SdpParseError`."""
        self.core.set_remote_description(description, self.runtime.time())
        self._driver.flush()  # states are up to date when this returns, as W3C says
        self._media.negotiated()

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

        After an ICE restart call it again for the new generation, and after a change of the network too: an address
        that comes up later is announced later. Signalling that lives on reads `trickled_candidates()`.
        """
        return self._candidates

    def trickled_candidates(self) -> AsyncIterator[IceCandidate]:
        """Local candidates of every generation as they are found, an empty one where a generation has no more; ends
        with the connection. For signalling that outlives ICE restarts."""
        return self._trickle

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

    # --- facts ------------------------------------------------------------------------------------------------------

    def snapshot(self) -> PeerSnapshot:
        """How everything stands now: pairs, DTLS, SCTP, counters."""
        return self.core.snapshot()

    def explain(self) -> Explanation:
        """Why the connection is as it is, in words: `print(pc.explain())` when it does not connect."""
        return self.core.explain(self.runtime.time())

    def wake(self) -> None:
        """Lets the driver look at the core again, after commands given to `core` directly."""
        self._driver.wake()

    # --- the end ----------------------------------------------------------------------------------------------------

    async def wait_closed(self) -> str:
        """Waits for `close()`, whoever calls it: a connection that failed is not closed (see `wait_over`). A peer that
        says goodbye closes it, too. Returns: why it ended, in words."""
        await self._closed.wait()
        return self.connection_state.reason

    async def wait_over(self, *, patience: float = 0.0) -> str:
        """Waits until nothing comes any more: the connection is closed, or has failed. Then `close()` it.

        W3C leaves a failed connection alive, since an ICE restart may bring it back: who restarts gives `patience`, the
        seconds that this may take. Returns: why it is over, in words.
        """
        state = self.connection_state
        over = (ConnectionState.FAILED, ConnectionState.CLOSED)
        try:
            while True:
                found = await state.wait_for(lambda value: value in over)
                if found is ConnectionState.FAILED and patience > 0:
                    await state.wait_for(lambda value: value is not ConnectionState.FAILED, timeout=patience)
                    continue
                break
        except (ConnectionLost, TimedOut):
            pass  # it was closed before this began, or did not come back in time
        return state.reason

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
            if not await self._media.close(self.config.close_timeout):
                self.config.trace.event(self.runtime.time(), "media_tasks_linger")
            if self._own_resources is not None:
                self._own_resources.close()
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
        self._media.finish(reason)
        self._finish_channels()
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
        self._candidates.end()
        self._trickle.end()
        self._negotiation.end()
        if self._on_closed is not None:
            self._on_closed(self)

    # --- events -----------------------------------------------------------------------------------------------------

    def _on_events(self, events: list[Any]) -> None:
        for event in events:
            kind = type(event)
            if kind is MessageReceived:  # the hot one first
                channel = self._channels.get(event.handle)
                if channel is not None:
                    channel._deliver(event.data, event.size)
                continue
            handler, media = _HANDLERS.get(kind), MEDIA_HANDLERS.get(kind)
            try:
                if handler is not None:
                    handler(self, event)
                elif media is not None:
                    media(self._media, event)
            except Exception as error:
                if self._on_failure is None:
                    raise
                self._on_failure(error)

    def _connection_state_changed(self, event: ConnectionStateChanged) -> None:
        self.connection_state.set(event.state, event.reason)
        if event.state is ConnectionState.CONNECTED:
            self._media.connected()

    def _candidate_gathered(self, event: IceCandidateGathered) -> None:
        if event.candidate is None:
            self._candidates.end()
            self._trickle.put(replace(self._last_candidate, candidate=""))
            return
        self._last_candidate = event.candidate
        self._trickle.put(event.candidate)
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
    ConnectionStateChanged: PeerConnection._connection_state_changed,
    IceConnectionStateChanged: lambda pc, event: pc.ice_connection_state.set(event.state),
    IceGatheringStateChanged: lambda pc, event: pc.ice_gathering_state.set(event.state),
    IceCandidateErrored: lambda pc, event: pc.ice_candidate_errors.append(event),
    IceCandidateGathered: PeerConnection._candidate_gathered,
    NegotiationNeeded: PeerConnection._negotiation_needed,
    **CHANNEL_HANDLERS,
    PeerClosed: PeerConnection._peer_closed,
}
