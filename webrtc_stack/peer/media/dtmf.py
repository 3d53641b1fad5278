"""DTMF of one sent stream: the sender of telephone events, tied to the clock of the sound.

Spec: W3C webrtc-pc section 7; RFC 4733 section 2.5.1. While a tone is sent, sound is not: a receiver plays one of them.
"""

from __future__ import annotations

from ...base import NEVER, Instant
from ...packetization import EventPacket, TelephoneEventSender, TelephoneEventSenderConfig, TonesFinished, ToneStarted
from ...trace import Trace
from .codecs import Payload


class ToneSender:
    """Made at the first `insert`; made anew, when idle, if another payload type was negotiated."""

    __slots__ = ("_sender", "_trace", "payload")

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._sender: TelephoneEventSender | None = None
        self.payload: Payload | None = None

    @property
    def active(self) -> bool:
        """Whether tones, or the gaps between them, are under way."""
        return self._sender is not None and self._sender.next_timeout() != NEVER

    def insert(
        self,
        payload: Payload,
        tones: str,
        now: Instant,
        *,
        timestamp: int,
        duration: float,
        gap: float,
    ) -> None:
        """Queues `tones`; `timestamp` is that of the sound at `now`. Errors: as `TelephoneEventSender.send_tones`."""
        sender = self._sender
        if sender is None or (not self.active and (payload is not self.payload or sender.queued == 0)):
            sender = TelephoneEventSender(
                TelephoneEventSenderConfig(
                    clock_rate=payload.codec.codec.clock_rate,
                    timestamp_offset=timestamp,
                    epoch=now,
                    trace=self._trace,
                )
            )
        sender.send_tones(tones, now, duration=duration, gap=gap)
        self._sender = sender
        self.payload = payload

    def clear(self) -> None:
        """Forgets what is queued."""
        if self._sender is not None:
            self._sender.clear()

    def stop(self) -> None:
        """The stream may not send any more."""
        self._sender = None

    def next_timeout(self) -> Instant:
        return NEVER if self._sender is None else self._sender.next_timeout()

    def poll(self, now: Instant, limit: int) -> tuple[list[EventPacket], list[str]]:
        """The packets that are due, and the digits that began ("" when all are done)."""
        sender = self._sender
        if sender is None:
            return [], []
        packets = sender.poll_transmits(now, limit)
        digits = []
        for event in sender.poll_events():
            if isinstance(event, ToneStarted):
                digits.append(event.character or "")
            elif isinstance(event, TonesFinished):
                digits.append("")
        return packets, digits
