"""Heartbeats: is the peer still there, and how long is the round trip, while no data tells.

Spec: RFC 9260 sections 3.3.5, 8.3. The information carries a nonce, so that only an answer to the last one counts.
"""

from __future__ import annotations

import struct
from typing import Final

from ..base import Entropy, Instant
from .chunks import HeartbeatChunk, Parameter
from .registry import ParameterType

_INFO: Final = struct.Struct(">8sd")


class Heartbeat:
    """The heartbeat that is on its way, if any."""

    __slots__ = ("_entropy", "_nonce", "due", "pending")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._nonce = b""
        self.due = False
        self.pending = False
        """Sent and not answered."""

    def chunk(self, now: Instant) -> bytes:
        """A new HEARTBEAT."""
        self.due = False
        self.pending = True
        self._nonce = self._entropy.bytes(8)
        info = Parameter(ParameterType.HEARTBEAT_INFO, _INFO.pack(self._nonce, now))
        return HeartbeatChunk(parameters=(info,)).serialize()

    def on_ack(self, info: bytes, now: Instant) -> float | None:
        """The round-trip time, or None if this does not answer the last heartbeat."""
        if not self.pending or len(info) != _INFO.size:
            return None
        nonce, sent = _INFO.unpack(info)
        if nonce != self._nonce or not sent <= now:
            return None
        self.pending = False
        return float(now - sent)
