"""Telephone tones, sent and received.

    await sender.dtmf.insert("123#")                     # returns when the last tone is out
    async for tone in receiver.dtmf(): print(tone.digit)

Spec: W3C webrtc-pc section 7 (RTCDTMFSender); RFC 4733. `tone_changes` is its `tonechange` event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidArgumentError, InvalidStateError
from ..peer import TransceiverHandle, TransceiverView
from .parameters import is_media
from .subscription import Broadcast, Subscription

if TYPE_CHECKING:
    from .media import MediaHub

TONES = frozenset("0123456789ABCD#*,")
MIN_DURATION, MAX_DURATION = 0.04, 6.0
MIN_GAP, MAX_GAP = 0.03, 6.0
UNREAD_TONES = 256
"""Received tones that a reader may leave unread; nobody types so many."""


class DtmfTone(NamedTuple):
    """A key that the peer pressed and released. Units: seconds."""

    digit: str
    duration: float


class DtmfSender:
    """Plays telephone tones into an audio sender's stream."""

    def __init__(self, hub: MediaHub, handle: TransceiverHandle, view: Callable[[], TransceiverView]) -> None:
        self._hub = hub
        self._handle = handle
        self._view = view
        self._changes = Broadcast[str]()
        self._done: asyncio.Future[None] | None = None
        self.tone_buffer = ""
        """The tones that have not begun yet."""

    @property
    def can_insert(self) -> bool:
        """True while audio is sent and the peer takes telephone events."""
        view = self._view()
        return (
            view.plan is not None
            and self._hub.may_send(view)
            and any(not is_media(c.codec) and c.codec.name.lower() == "telephone-event" for c in view.plan.send_codecs)
        )

    def insert_nowait(self, tones: str, *, duration: float = 0.1, gap: float = 0.07) -> None:
        """Plays `tones` in place of whatever is waiting; a comma is a pause of two seconds, `""` stops.

        Errors: `InvalidArgumentError` for a character that is no tone; `InvalidStateError` unless `can_insert`.
        """
        tones = tones.upper()
        wrong = sorted(set(tones) - TONES)
        if wrong:
            raise InvalidArgumentError(f"{wrong[0]!r} is no telephone tone; allowed are 0-9, A-D, #, * and comma")
        if not self.can_insert:
            raise InvalidStateError("no tones can be sent now: audio must be sent, and telephone-event negotiated")
        duration = min(max(duration, MIN_DURATION), MAX_DURATION)
        gap = min(max(gap, MIN_GAP), MAX_GAP)
        self._settle()
        self._hub.core.insert_dtmf(self._handle, tones, self._hub.now(), duration=duration, gap=gap)
        self.tone_buffer = tones
        self._hub.wake()

    async def insert(self, tones: str, *, duration: float = 0.1, gap: float = 0.07) -> None:
        """The same, and waits until the last tone is out, or others take their place. Cancelling stops the tones."""
        self.insert_nowait(tones, duration=duration, gap=gap)
        if not tones:
            return
        done = self._done = asyncio.get_running_loop().create_future()
        try:
            await done
        except asyncio.CancelledError:
            if self._done is done:
                self.cancel()
            raise

    def cancel(self) -> None:
        """Forgets the tones that have not begun."""
        if not self._hub.closed:
            self._hub.core.cancel_dtmf(self._handle, self._hub.now())
            self._hub.wake()
        self._settle()

    def tone_changes(self) -> Subscription[str]:
        """Each tone as it begins, and an empty word when all are out."""
        return self._changes.subscribe(UNREAD_TONES)

    def _tone_sent(self, digit: str) -> None:
        if digit:
            place = self.tone_buffer.find(digit)
            self.tone_buffer = self.tone_buffer[place + 1 :] if place >= 0 else self.tone_buffer
        else:
            self._settle()
        self._changes.put(digit)

    def _settle(self) -> None:
        self.tone_buffer = ""
        done, self._done = self._done, None
        if done is not None and not done.done():
            done.set_result(None)

    def _finish(self) -> None:
        self._settle()
        self._changes.end()
