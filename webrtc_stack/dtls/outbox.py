"""The outbox: the flight on its way, cut into records and packed into datagrams, as often as it takes.

A flight is a list of items (handshake messages, ChangeCipherSpec). Each transmission numbers its records anew, so a
flight is kept as messages, not as bytes. What an item still owes is a set of spans: `acknowledge` takes records off
it, and a transmission sends only what is left. DTLS 1.2 has no acknowledgements (the peer's next flight stands for
all), but the bookkeeping is the one that DTLS 1.3 needs.

Retransmission: the timer starts when a flight is transmitted and doubles each time it fires. After some fruitless
transmissions datagrams become smaller, in case the path swallows the large ones.

Spec: RFC 6347 sections 4.1.1 (packing), 4.1.1.1 (smaller records), 4.2.3 (fragments), 4.2.4 (flights, timer).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from ..base import Instant
from .constants import ContentType
from .messages import MESSAGE_HEADER_BYTES, HandshakeMessage, message_header
from .protection import Sealer

_WORTHWHILE_BYTES: Final = 48
"""A fragment smaller than this is not squeezed into the rest of a datagram: its headers would outweigh it."""
_KEPT_RECORD_NUMBERS: Final = 512
"""How many sent records are remembered for acknowledgements; older ones are simply sent again."""


class Item:
    """One thing of a flight: a handshake message, or ChangeCipherSpec when `message` is None."""

    __slots__ = ("epoch", "message", "owed")

    def __init__(self, epoch: int, message: HandshakeMessage | None) -> None:
        self.epoch = epoch
        self.message = message
        self.owed: list[tuple[int, int]] = [(0, len(message.body) if message is not None else 1)]
        """Spans of the body that nobody acknowledged; an empty body owes the span (0, 0)."""

    def settle(self, start: int, end: int) -> None:
        """Takes the span off what is owed."""
        if start == end:
            self.owed = [span for span in self.owed if span[0] != span[1]]
            return
        left: list[tuple[int, int]] = []
        for owed_start, owed_end in self.owed:
            if owed_end <= start or owed_start >= end:
                left.append((owed_start, owed_end))
                continue
            if owed_start < start:
                left.append((owed_start, start))
            if owed_end > end:
                left.append((end, owed_end))
        self.owed = left


class Outbox:
    """Holds one flight, and the datagrams that are built and not fetched yet."""

    __slots__ = (
        "_flight",
        "_initial_timeout",
        "_max_timeout",
        "_minimum_mtu",
        "_mtu",
        "_mtu_backoff_after",
        "_numbers",
        "_ready",
        "due",
        "last_transmitted",
        "name",
        "next_message_seq",
        "timed",
        "timeout",
        "transmissions",
    )

    def __init__(
        self,
        *,
        mtu: int,
        minimum_mtu: int,
        mtu_backoff_after: int,
        initial_timeout: float,
        max_timeout: float,
    ) -> None:
        self._mtu = mtu
        self._minimum_mtu = min(mtu, minimum_mtu)
        self._mtu_backoff_after = mtu_backoff_after
        self._initial_timeout = initial_timeout
        self._max_timeout = max_timeout
        self._flight: list[Item] = []
        self._numbers: dict[int, tuple[Item, int, int]] = {}
        self._ready: deque[bytes] = deque()
        self.name = ""
        self.next_message_seq = 0
        self.timed = False
        """Whether this flight is sent again unasked."""
        self.timeout = initial_timeout
        self.transmissions = 0
        self.last_transmitted: Instant = 0.0
        self.due = False
        """A transmission of the flight is wanted; the next poll builds it."""

    def message(self, kind: int, body: bytes, *, epoch: int = 0) -> HandshakeMessage:
        """A message with the next `message_seq`."""
        message = HandshakeMessage(int(kind), self.next_message_seq, body, epoch)
        self.next_message_seq += 1
        return message

    def start(self, name: str, items: Iterable[Item], *, timed: bool) -> None:
        """Replaces the flight; the old one has been answered."""
        self._flight = list(items)
        self._numbers.clear()
        self.name = name
        self.timed = timed
        self.timeout = self._initial_timeout
        self.transmissions = 0
        self.due = True

    def forget(self) -> None:
        """Drops the flight: it can no longer be asked for again."""
        self.timed = False
        self.due = False
        self._flight = []
        self._numbers.clear()

    def confirm(self) -> None:
        """The peer has spoken under the new keys, so it has our last flight: nobody will ask for it again."""
        if not self.due:
            self.forget()

    @property
    def holds_flight(self) -> bool:
        return bool(self._flight)

    def set_initial_timeout(self, timeout: float) -> None:
        """How long the next flights wait before they are sent again."""
        self._initial_timeout = timeout

    def set_mtu(self, mtu: int) -> None:
        self._mtu = mtu
        self._minimum_mtu = min(mtu, self._minimum_mtu)

    @property
    def effective_mtu(self) -> int:
        """The size of datagrams now: halved for every `mtu_backoff_after` fruitless transmissions."""
        halvings = min(self.transmissions // self._mtu_backoff_after, 16) if self._mtu_backoff_after else 0
        return max(self._minimum_mtu, self._mtu >> halvings)

    def back_off(self) -> None:
        """The timer fired: send again, and wait longer next time."""
        self.timeout = min(self.timeout * 2, self._max_timeout)
        self.due = True

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Takes records (64 bits: epoch and sequence number) off what is owed; unknown numbers are ignored."""
        for number in numbers:
            known = self._numbers.pop(number, None)
            if known is not None:
                known[0].settle(known[1], known[2])

    @property
    def owes(self) -> bool:
        """Whether any of the flight is not acknowledged."""
        return any(item.owed for item in self._flight)

    @property
    def pending(self) -> bool:
        return self.due or bool(self._ready)

    def build(self, sealers: Mapping[int, Sealer], now: Instant) -> int:
        """Transmits the flight into the ready queue. Returns: how many records it took."""
        self.due = False
        mtu = self.effective_mtu
        self.transmissions += 1
        self.last_transmitted = now
        # Datagrams of an earlier transmission that nobody fetched would only be duplicates of these.
        self._ready.clear()
        datagram = bytearray()
        records = 0
        for item in self._flight:
            sealer = sealers[item.epoch]
            for start, end in item.owed:
                at = start
                while True:
                    header = MESSAGE_HEADER_BYTES if item.message is not None else 0
                    room = mtu - len(datagram) - sealer.overhead - header
                    if datagram and room < min(end - at, _WORTHWHILE_BYTES):
                        self._ready.append(bytes(datagram))
                        datagram.clear()
                        continue
                    size = min(max(room, 1), end - at)
                    number = sealer.epoch << 48 | sealer.next_sequence
                    datagram += self._record(item, sealer, at, size)
                    records += 1
                    self._remember(number, item, at, at + size)
                    at += size
                    if at >= end:
                        break
        if datagram:
            self._ready.append(bytes(datagram))
        return records

    @staticmethod
    def _record(item: Item, sealer: Sealer, at: int, size: int) -> bytes:
        message = item.message
        if message is None:
            return sealer.seal(ContentType.CHANGE_CIPHER_SPEC, b"\x01")
        body = message.body
        head = message_header(message.type, len(body), message.message_seq, at, size)
        return sealer.seal(ContentType.HANDSHAKE, head + body[at : at + size])

    def _remember(self, number: int, item: Item, start: int, end: int) -> None:
        if len(self._numbers) >= _KEPT_RECORD_NUMBERS:
            del self._numbers[next(iter(self._numbers))]
        self._numbers[number] = (item, start, end)

    def take(self, limit: int) -> list[bytes]:
        """Up to `limit` built datagrams, in order."""
        ready = self._ready
        return [ready.popleft() for _ in range(min(limit, len(ready)))]
