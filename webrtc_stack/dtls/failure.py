"""How the inside of a handshake says that it cannot go on. Never leaves this room: the endpoint turns it into an
alert and a `Closed` event."""

from __future__ import annotations

from ..errors import WebRTCError
from .constants import AlertDescription


class HandshakeFailure(Exception):
    """The handshake must end: `alert` goes to the peer, `reason` and `error` to the application."""

    def __init__(self, alert: AlertDescription, reason: str, error: WebRTCError | None = None) -> None:
        self.alert = alert
        self.reason = reason
        self.error = error
        super().__init__(reason)
