"""A transceiver: a sender and a receiver that share one section of the session.

Spec: W3C webrtc-pc section 5.4 (RTCRtpTransceiver).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import InvalidAccessError, InvalidArgumentError
from ..peer import Codec, MediaKind, TransceiverHandle, TransceiverView
from ..peer.negotiation import capabilities
from ..sdp import Direction
from .receiver import Receiver
from .sender import Sender

if TYPE_CHECKING:
    from .media import MediaHub


_HELPERS = frozenset({"rtx", "telephone-event", "cn"})
"""Carry no media of their own, and serve whatever codec is chosen."""


class Transceiver:
    """Made by `pc.add_transceiver`, `pc.add_track`, or an offer of the peer."""

    def __init__(self, hub: MediaHub, handle: TransceiverHandle, kind: MediaKind, track_id: str) -> None:
        self._hub = hub
        self.handle = handle
        """Its name in `pc.core`."""
        self.kind = kind
        self._last_view = hub.core.transceiver(handle)
        self._stopped = False
        self.sender = Sender(hub, handle, kind, self._view)
        self.receiver = Receiver(hub, handle, kind, self._view, track_id)
        self._prefers: tuple[Codec, ...] | None = None

    def __repr__(self) -> str:
        return f"Transceiver({self.kind}, mid={self.mid}, {'stopped' if self.stopped else self.direction})"

    def _view(self) -> TransceiverView:
        """How negotiation sees it; when it is gone from there, how it was, and stopped."""
        try:
            self._last_view = self._hub.core.transceiver(self.handle)
        except InvalidAccessError:
            self._last_view = replace(self._last_view, mid=None, plan=None, stopped=True)
        return self._last_view

    @property
    def mid(self) -> str | None:
        """The section's name; None before it is in a description."""
        return self._view().mid

    @property
    def direction(self) -> Direction:
        """What the application wants; setting it asks for negotiation. Errors: `InvalidStateError` when stopped."""
        return self._view().direction

    @direction.setter
    def direction(self, value: Direction | str) -> None:
        try:
            direction = Direction(value)
        except ValueError:
            raise InvalidArgumentError(f"direction is one of {', '.join(Direction)}, got {value!r}") from None
        self._hub.require_live(self._view())
        self._hub.core.set_direction(self.handle, direction, self._hub.now())
        self.sender._refresh()
        self._hub.wake()

    @property
    def current_direction(self) -> Direction | None:
        """What was negotiated last; None before the first answer, and when stopped."""
        return None if self.stopped else self._view().current_direction

    @property
    def stopped(self) -> bool:
        """True once either side has stopped it for good."""
        return self._stopped

    def stop(self) -> None:
        """Ends sending and receiving for good; its section is given up with the next negotiation. Idempotent."""
        if not self._stopped and not self._hub.closed:
            self._hub.core.stop_transceiver(self.handle, self._hub.now())
            self._end("the transceiver was stopped")
            self._hub.wake()

    def set_codec_preferences(self, codecs: Iterable[Codec | str]) -> None:
        """The codecs to negotiate, best first, from the capabilities; none for the default order.

        A MIME type (`video/VP8`) stands for all forms of that codec, and brings along what serves every codec:
        retransmission, telephone keys, comfort noise. It shows with the next negotiation.
        Errors: `InvalidArgumentError` for a codec that this stack cannot.
        """
        self._hub.require_live(self._view())
        chosen = self._resolved(codecs)
        self._hub.core.set_codec_preferences(self.handle, chosen, self._hub.now())
        self._prefers = chosen or None
        self._hub.wake()

    def _resolved(self, codecs: Iterable[Codec | str]) -> tuple[Codec, ...]:
        known = capabilities(self.kind).codecs
        found: list[Codec] = []
        helpers: list[Codec] = []
        for one in codecs:
            if isinstance(one, Codec):
                found.append(one)
                continue
            named = [codec for codec in known if codec.mime_type.lower() == one.lower()]
            if not named:
                names = sorted({codec.mime_type for codec in known})
                raise InvalidArgumentError(f"{one!r} is not among the {self.kind} capabilities: {', '.join(names)}")
            found += named
            helpers = [codec for codec in known if codec.name.lower() in _HELPERS]
        return tuple(dict.fromkeys((*found, *helpers)))

    def _end(self, reason: str) -> None:
        if not self._stopped:
            self._stopped = True
            self.sender._finish()
            self.receiver._end(reason)
