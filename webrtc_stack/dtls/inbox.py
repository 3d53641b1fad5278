"""The way in, up to where meaning begins: datagrams to records, records to plaintext.

Two paths. `open_run` is the fast one of an established connection: datagrams of one application-data record each.
`open_datagram` is the general one: any records, any epoch, several in one datagram.

A record whose keys are not there yet is held, within bounds: Finished often overtakes what is before it.

Spec: RFC 6347 sections 4.1 and 4.1.2 (a record that cannot be opened is dropped without a word).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import ParseError
from .constants import DTLS_1_2, MAX_PLAINTEXT_BYTES
from .handshake import HandshakeContext
from .protection import Refused
from .record import Record, UnifiedRecord, parse_record


class Opened(NamedTuple):
    """A record that may be looked at. Epoch 0 means that nobody vouches for it."""

    content_type: int
    epoch: int
    payload: bytes


class Inbox:
    """Opens what arrives for one endpoint."""

    __slots__ = ("_context", "_held", "authenticated")

    def __init__(self, context: HandshakeContext) -> None:
        self._context = context
        self._held: list[Record] = []
        self.authenticated = False
        """A protected record of the peer has been opened: it is there, and has our keys."""

    def open_run(self, datagrams: Sequence[bytes], start: int) -> tuple[list[bytes], int]:
        """Plaintexts of the application-data datagrams from `start` on, and the index of the first that is not one."""
        opener = self._context.openers[1]
        bad_tags, replays = opener.bad_tags, opener.replays
        plains, index = opener.open_run(datagrams, start)
        self._context.counters.records_received += len(plains)
        if opener.bad_tags != bad_tags:
            self._context.drop(Refused.BAD_TAG.value, opener.bad_tags - bad_tags)
        if opener.replays != replays:
            self._context.drop(Refused.REPLAYED.value, opener.replays - replays)
        return plains, index

    def open_datagram(self, data: bytes) -> list[Opened]:
        """Every record of a datagram that can be opened now; the rest is held or counted."""
        opened: list[Opened] = []
        offset = 0
        while offset < len(data):
            try:
                record, offset = parse_record(data, offset)
            except ParseError:
                self._context.drop("malformed_record")
                break
            if isinstance(record, UnifiedRecord):
                self._context.drop("no_keys")
            else:
                self._open(record, opened)
        return opened

    def open_held(self) -> list[Opened]:
        """What was held, now that there are keys."""
        held, self._held = self._held, []
        opened: list[Opened] = []
        for record in held:
            self._open(record, opened)
        return opened

    def _open(self, record: Record, opened: list[Opened]) -> None:
        context = self._context
        epoch = record.number >> 48
        if record.version >> 8 != 0xFE or (epoch and record.version != DTLS_1_2):
            context.drop("wrong_version")
            return
        if not epoch:
            if len(record.payload) > MAX_PLAINTEXT_BYTES:
                context.drop(Refused.OVERFLOW.value)
            else:
                opened.append(Opened(record.content_type, 0, record.payload))
            return
        opener = context.openers.get(epoch)
        if opener is None:
            self._hold(record, epoch)
            return
        plain = opener.open(record)
        if isinstance(plain, Refused):
            context.drop(plain.value)
            return
        self.authenticated = True
        context.counters.records_received += 1
        opened.append(Opened(record.content_type, epoch, plain))

    def _hold(self, record: Record, epoch: int) -> None:
        if epoch != 1 or self._context.openers:
            self._context.drop("no_keys")
        elif has_room(self._context, [held.payload for held in self._held], record.payload):
            self._held.append(record)
        else:
            self._context.drop("held_records_full")

    @property
    def held_records(self) -> int:
        return len(self._held)

    def clear(self) -> None:
        self._held = []


def has_room(context: HandshakeContext, kept: Sequence[bytes], more: bytes) -> bool:
    """Whether one more may be kept for later, by number and by size."""
    config = context.config
    return len(kept) < config.max_held_records and sum(map(len, kept)) + len(more) <= config.max_held_bytes
