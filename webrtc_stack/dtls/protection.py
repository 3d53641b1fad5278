"""Record protection of one epoch in one direction: sealing and opening, the hot loops of this room.

`seal_many` and `open_run` are what every data channel packet passes through, so they spend as few Python calls as
they can: one `unpack_from`, one AEAD call, integer arithmetic on a replay window that is one `int`. They take and
give plain lists of `bytes`, so that a C twin can stand in for them.

`open_run` opens datagrams as long as each holds exactly one application-data record of its epoch; anything else (an
alert, a handshake message, several records in one datagram) is left to the general path of the endpoint.

Spec: RFC 6347 section 4.1.2 (nonce, additional data, replay window); RFC 5288 section 3 (GCM: the explicit nonce is
the sequence number, and any value is accepted); RFC 7905 section 2 (ChaCha20: the sequence number is XORed in).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import Enum
from typing import ClassVar, Final, Protocol

from cryptography.exceptions import InvalidTag

from .constants import DTLS_1_2, MAX_PLAINTEXT_BYTES, ContentType
from .record import HEADER_BYTES, SEQUENCE_MASK, Record, serialize_record

TAG_BYTES: Final = 16
_EXPLICIT_NONCE_BYTES: Final = 8
_FRONT: Final = struct.Struct("!BHQH")
_APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
_DATA_PREFIX: Final = bytes([ContentType.APPLICATION_DATA]) + DTLS_1_2.to_bytes(2, "big")
_MAX_SEALED: Final = MAX_PLAINTEXT_BYTES + TAG_BYTES + _EXPLICIT_NONCE_BYTES


class Refused(Enum):
    """Why a record was not opened; the values are reasons of the drop counter."""

    BAD_TAG = "bad_tag"
    REPLAYED = "replayed"
    TOO_SHORT = "record_too_short"
    OVERFLOW = "record_overflow"


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class Opener(Protocol):
    """Opens the records of one epoch."""

    epoch: int
    opened: int
    bad_tags: int
    replays: int

    def open(self, record: Record) -> bytes | Refused:
        """The plaintext of one record, or why it is none. Only an authentic record moves the replay window."""
        ...

    def open_run(self, datagrams: Sequence[bytes], start: int) -> tuple[list[bytes], int]:
        """Opens datagrams from `start` on while each is one application-data record of this epoch.

        Returns: the plaintexts (refused records are counted and left out), and the index of the first datagram that
        is something else.
        """
        ...


class Sealer(Protocol):
    """Seals records of one epoch; each takes the next sequence number."""

    epoch: int
    next_sequence: int
    overhead: int
    """Bytes that a record adds to its payload, header included."""

    def seal(self, content_type: int, payload: bytes) -> bytes: ...

    def seal_many(self, payloads: Sequence[bytes]) -> list[bytes]:
        """One application-data record for each payload."""
        ...


class PlainSealer:
    """Epoch 0: no protection. `version` is what the header says, DTLS 1.0 in a first ClientHello."""

    __slots__ = ("epoch", "next_sequence", "overhead", "version")

    def __init__(self, version: int = DTLS_1_2) -> None:
        self.epoch = 0
        self.next_sequence = 0
        self.overhead = HEADER_BYTES
        self.version = version

    def seal(self, content_type: int, payload: bytes) -> bytes:
        number = self.next_sequence
        self.next_sequence += 1
        return serialize_record(content_type, self.version, number, payload)

    def seal_many(self, payloads: Sequence[bytes]) -> list[bytes]:
        return [self.seal(ContentType.APPLICATION_DATA, payload) for payload in payloads]


class _Direction:
    """What openers share: the replay window, as the highest number and a bitmask behind it."""

    __slots__ = ("_aead", "_mask", "_seen", "_top", "_window", "bad_tags", "epoch", "opened", "replays")

    def __init__(self, aead: _Aead, *, epoch: int, window: int) -> None:
        self._aead = aead
        self.epoch = epoch
        self._window = window
        self._mask = (1 << window) - 1
        self._top = -1
        self._seen = 0
        """Bit n: the record numbered `_top - n` has been accepted."""
        self.opened = 0
        self.bad_tags = 0
        self.replays = 0

    def _is_replay(self, sequence: int) -> bool:
        behind = self._top - sequence
        return behind >= 0 and (behind >= self._window or bool(self._seen >> behind & 1))

    def _accept(self, sequence: int) -> None:
        ahead = sequence - self._top
        if ahead > 0:
            # Never shift by an amount that came from the wire: beyond the window all that was seen is forgotten.
            self._seen = (self._seen << ahead | 1) & self._mask if ahead < self._window else 1
            self._top = sequence
        else:
            self._seen |= 1 << -ahead
        self.opened += 1


class _AeadOpener(_Direction):
    """Opens records of either suite. They differ in the nonce alone: sent, or made of the sequence number."""

    __slots__ = ("_iv", "_salt")

    explicit_nonce_bytes: ClassVar[int]

    def __init__(self, aead: _Aead, iv: bytes, *, epoch: int, window: int) -> None:
        super().__init__(aead, epoch=epoch, window=window)
        self._salt = iv
        self._iv = int.from_bytes(iv, "big")

    def open(self, record: Record) -> bytes | Refused:
        payload, number, explicit = record.payload, record.number, self.explicit_nonce_bytes
        size = len(payload) - explicit - TAG_BYTES
        if size < 0:
            return Refused.TOO_SHORT
        if size > MAX_PLAINTEXT_BYTES:
            return Refused.OVERFLOW
        sequence = number & SEQUENCE_MASK
        if self._is_replay(sequence):
            self.replays += 1
            return Refused.REPLAYED
        aad = number.to_bytes(8, "big") + struct.pack("!BHH", record.content_type, record.version, size)
        nonce = self._salt + payload[:explicit] if explicit else (self._iv ^ number).to_bytes(12, "big")
        try:
            plain = self._aead.decrypt(nonce, payload[explicit:], aad)
        except InvalidTag:
            self.bad_tags += 1
            return Refused.BAD_TAG
        self._accept(sequence)
        return plain

    def open_run(self, datagrams: Sequence[bytes], start: int) -> tuple[list[bytes], int]:
        plains: list[bytes] = []
        unpack, decrypt, salt, iv = _FRONT.unpack_from, self._aead.decrypt, self._salt, self._iv
        epoch, window, mask = self.epoch, self._window, self._mask
        explicit = self.explicit_nonce_bytes
        body = HEADER_BYTES + explicit
        least = body + TAG_BYTES
        index, end = start, len(datagrams)
        while index < end:
            data = datagrams[index]
            size = len(data)
            if size < least:
                break
            kind, version, number, length = unpack(data)
            if (
                kind != _APPLICATION_DATA
                or length != size - 13
                or number >> 48 != epoch
                or version != DTLS_1_2
                or size > _MAX_SEALED
            ):
                break
            index += 1
            sequence = number & SEQUENCE_MASK
            ahead = sequence - self._top
            if ahead <= 0 and (-ahead >= window or self._seen >> -ahead & 1):
                self.replays += 1
                continue
            try:
                plain = decrypt(
                    salt + data[13:21] if explicit else (iv ^ number).to_bytes(12, "big"),
                    data[body:],
                    data[3:11] + _DATA_PREFIX + (size - least).to_bytes(2, "big"),
                )
            except InvalidTag:
                self.bad_tags += 1
                continue
            if ahead > 0:
                self._seen = (self._seen << ahead | 1) & mask if ahead < window else 1
                self._top = sequence
            else:
                self._seen |= 1 << -ahead
            plains.append(plain)
        self.opened += len(plains)
        return plains, index


class _AeadSealer:
    """Seals records of either suite."""

    __slots__ = ("_aead", "_iv", "_salt", "epoch", "next_sequence", "overhead")

    explicit_nonce_bytes: ClassVar[int]

    def __init__(self, aead: _Aead, iv: bytes, *, epoch: int) -> None:
        self._aead = aead
        self._salt = iv
        self._iv = int.from_bytes(iv, "big")
        self.epoch = epoch
        self.next_sequence = 0
        self.overhead = HEADER_BYTES + self.explicit_nonce_bytes + TAG_BYTES

    def seal(self, content_type: int, payload: bytes) -> bytes:
        number = self.epoch << 48 | self.next_sequence
        self.next_sequence += 1
        return self._sealed(struct.pack("!BH", content_type, DTLS_1_2), number, [payload])[0]

    def seal_many(self, payloads: Sequence[bytes]) -> list[bytes]:
        number = self.epoch << 48 | self.next_sequence
        self.next_sequence += len(payloads)
        return self._sealed(_DATA_PREFIX, number, payloads)

    def _sealed(self, front: bytes, number: int, payloads: Sequence[bytes]) -> list[bytes]:
        encrypt, salt, iv = self._aead.encrypt, self._salt, self._iv
        explicit = self.explicit_nonce_bytes
        grows_by = explicit + TAG_BYTES
        records: list[bytes] = []
        for payload in payloads:
            wire = number.to_bytes(8, "big")
            size = len(payload)
            records.append(
                front
                + wire
                + (size + grows_by).to_bytes(2, "big")
                + (wire if explicit else b"")
                + encrypt(
                    salt + wire if explicit else (iv ^ number).to_bytes(12, "big"),
                    payload,
                    wire + front + size.to_bytes(2, "big"),
                )
            )
            number += 1
        return records


class GcmOpener(_AeadOpener):
    """AES-GCM records: 8 bytes of explicit nonce, ciphertext, tag."""

    __slots__ = ()

    explicit_nonce_bytes = _EXPLICIT_NONCE_BYTES


class GcmSealer(_AeadSealer):
    """AES-GCM records; the explicit nonce is epoch and sequence number, which never repeat under a key."""

    __slots__ = ()

    explicit_nonce_bytes = _EXPLICIT_NONCE_BYTES


class ChaChaOpener(_AeadOpener):
    """ChaCha20-Poly1305 records: ciphertext and tag, no explicit nonce."""

    __slots__ = ()

    explicit_nonce_bytes = 0


class ChaChaSealer(_AeadSealer):
    """ChaCha20-Poly1305 records."""

    __slots__ = ()

    explicit_nonce_bytes = 0
