"""Perfect negotiation: both sides may negotiate whenever they like, and never mind each other.

    async with rtc.PerfectNegotiator(pc, signaling, polite=True):
        pc.add_track(camera)                    # offers, answers, candidates and glare are nobody's business any more

One side is polite and gives way when two offers meet; which one is for the application to decide, once and for all.
`signaling` is anything with a coroutine `send(message)` and a coroutine `receive()` that carry `SessionDescription`
and `IceCandidate` in order (an empty candidate is end-of-candidates); `receive` returns None when signalling is over.

Spec: W3C webrtc-pc section 10.7 (Perfect Negotiation Example).
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

from ..errors import ConnectionLost, WebRTCError
from ..peer import IceCandidate, SdpType, SessionDescription

if TYPE_CHECKING:
    from .peer_connection import PeerConnection

SignalingMessage: TypeAlias = SessionDescription | IceCandidate


class SignalingChannel(Protocol):
    """The application's way to the other side's negotiator."""

    async def send(self, message: SignalingMessage) -> None: ...

    async def receive(self) -> SignalingMessage | None: ...


class PerfectNegotiator:
    """Negotiates for `pc` as long as it runs: as a context manager, or by awaiting `run()` in a task of your own.

    A failure (signalling that breaks, a description that cannot be applied) interrupts the block and is raised from it.
    """

    def __init__(self, pc: PeerConnection, signaling: SignalingChannel, *, polite: bool) -> None:
        self.pc = pc
        self.signaling = signaling
        self.polite = polite
        self.offers_ignored = 0
        """Offers of the other side that met ours and lost (impolite side)."""
        self.offers_taken_back = 0
        """Offers of ours that met the other side's and gave way (polite side)."""
        self.candidates_ignored = 0
        """Candidates of offers that were ignored."""
        self._ignoring = False
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._interrupted = False

    async def run(self) -> None:
        """Until the connection closes or signalling ends. Errors: what signalling raises; `ProtocolError` kinds for a
        description that cannot be applied."""
        tasks = [
            asyncio.create_task(loop, name=f"negotiation: {name}")
            for loop, name in (
                (self._offer_whenever_needed(), "offers"),
                (self._send_candidates(), "candidates"),
                (self._receive(), "receiving"),
            )
        ]
        try:
            # The end of any of them is the end of all: the connection closed, or nobody is there to talk to.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        self._cancelling = self._owner.cancelling() if self._owner is not None else 0
        self._task = asyncio.create_task(self.run(), name="perfect negotiation")
        self._task.add_done_callback(self._on_done)
        return self

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """A failure ends the block, as that of a task ends its group."""
        if not task.cancelled() and task.exception() is not None and self._owner is not None:
            self._interrupted = True
            self._owner.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, owner = self._task, self._owner
        self._task = self._owner = None
        assert task is not None
        task.cancel()
        await asyncio.wait([task])
        if self._interrupted and owner is not None:
            mine = owner.uncancel() <= self._cancelling
            if mine and (error is None or isinstance(error, asyncio.CancelledError)):
                task.result()

    async def _offer_whenever_needed(self) -> None:
        async for _ in self.pc.negotiation_needed():
            if self.pc.signaling_state.value != "stable":
                continue  # it comes again when signalling is stable
            # No flag "making an offer" as in W3C's example: here an offer is made and applied without a pause, so the
            # signaling state already tells.
            await self.pc.set_local_description()
            await self._send_description()

    async def _send_description(self) -> None:
        description = self.pc.local_description
        if description is not None:
            async with self._sending:
                await self.signaling.send(description)

    async def _send_candidates(self) -> None:
        async for candidate in self.pc.trickled_candidates():
            async with self._sending:
                await self.signaling.send(candidate)

    async def _receive(self) -> None:
        while True:
            try:
                message = await self.signaling.receive()
            except ConnectionLost:
                return
            if message is None or self.pc.signaling_state.value == "closed":
                return
            if isinstance(message, SessionDescription):
                await self._description(message)
            else:
                await self._candidate(message)

    async def _description(self, description: SessionDescription) -> None:
        pc = self.pc
        is_offer = description.type is SdpType.OFFER
        collision = is_offer and pc.signaling_state.value != "stable"
        self._ignoring = collision and not self.polite
        if self._ignoring:
            self.offers_ignored += 1
            return
        if collision:
            self.offers_taken_back += 1
        await pc.set_remote_description(description)  # takes an offer of ours back by itself
        if is_offer:
            await pc.set_local_description()
            await self._send_description()

    async def _candidate(self, candidate: IceCandidate) -> None:
        try:
            await self.pc.add_ice_candidate(candidate)
        except WebRTCError:
            if not self._ignoring:
                raise
            self.candidates_ignored += 1
