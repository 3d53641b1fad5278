"""The way out: flights first, then payloads, then alerts; each poll takes as much as fits.

The order matters: the last flight must precede data under its keys, and close_notify must follow what was queued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from .constants import AlertDescription, AlertLevel, ContentType
from .handshake import HandshakeContext

_MAX_QUEUED_ALERTS: Final = 4


class Outgoing:
    """What waits to be sent, and the sealing of it. The flight itself waits in the context's outbox."""

    __slots__ = ("_alerts", "_context", "payloads")

    def __init__(self, context: HandshakeContext) -> None:
        self._context = context
        self.payloads: deque[bytes] = deque()
        """Application data, one record each."""
        self._alerts: deque[bytes] = deque()

    @property
    def pending(self) -> bool:
        return bool(self.payloads or self._alerts or self._context.outbox.pending)

    def push_alert(self, level: AlertLevel, description: AlertDescription) -> None:
        if len(self._alerts) >= _MAX_QUEUED_ALERTS:
            self._context.drop("alert_queue_full")
            return
        self._alerts.append(bytes((level, description)))
        self._context.trace("alert_sent", level=level.name.lower(), alert=description.name.lower())

    @property
    def records_left(self) -> int:
        """How many payloads the key still takes; the last number is kept for the alert that tells of the end."""
        sealer = self._context.sealers[self._context.write_epoch]
        return max(self._context.config.record_limit - 1 - sealer.next_sequence, 0)

    def poll(self, limit: int) -> list[bytes]:
        """Up to `limit` datagrams."""
        context = self._context
        outbox = context.outbox
        sent: list[bytes] = []
        if outbox.pending and limit > 0:
            if outbox.due:
                self._build_flight()
            sent = outbox.take(limit)
        if outbox.pending:
            context.counters.datagrams_sent += len(sent)
            return sent
        if self.payloads and len(sent) < limit:
            sent += self._seal_payloads(limit - len(sent))
        # Payloads left over mean that the limit is met, so an alert never overtakes them.
        if self._alerts:
            sealer = context.sealers[context.write_epoch]
            while self._alerts and len(sent) < limit:
                sent.append(sealer.seal(ContentType.ALERT, self._alerts.popleft()))
                context.counters.alerts_sent += 1
                context.counters.records_sent += 1
        context.counters.datagrams_sent += len(sent)
        return sent

    def _build_flight(self) -> None:
        context = self._context
        outbox = context.outbox
        again = outbox.transmissions > 0
        context.counters.records_sent += outbox.build(context.sealers, context.now)
        if again:
            context.counters.flights_retransmitted += 1
        else:
            context.counters.flights_sent += 1
        context.trace(
            "flight_retransmitted" if again else "flight_sent",
            flight=outbox.name,
            transmission=outbox.transmissions,
            timeout=outbox.timeout,
        )

    def _seal_payloads(self, room: int) -> Sequence[bytes]:
        """The fast path out: one record and one datagram for each payload."""
        payloads = self.payloads
        burst = [payloads.popleft() for _ in range(min(room, len(payloads)))]
        self._context.counters.records_sent += len(burst)
        return self._context.sealers[1].seal_many(burst)
