"""Stream reset: closing one direction of streams, so that their identifiers can be used again.

Served: outgoing SSN reset requests, ours (one at a time) and the peer's, and responses. Denied: incoming reset
requests, SSN/TSN resets, added streams; WebRTC uses none of them (RFC 8831 section 6.7).

Spec: RFC 6525 sections 4.1, 4.4, 5.1.2, 5.2.1, 5.2.2, 5.2.7.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from .chunks import Parameter, ReConfigChunk
from .data_tracker import TSN_MASK
from .registry import ParameterType, ReconfigResult
from .send_queue import OutStream

_OUTGOING: Final = struct.Struct(">III")
_RESPONSE: Final = struct.Struct(">II")
_U32: Final = struct.Struct(">I")
_REQUESTS: Final = frozenset(
    (
        ParameterType.OUTGOING_SSN_RESET_REQUEST,
        ParameterType.INCOMING_SSN_RESET_REQUEST,
        ParameterType.SSN_TSN_RESET_REQUEST,
        ParameterType.ADD_OUTGOING_STREAMS_REQUEST,
        ParameterType.ADD_INCOMING_STREAMS_REQUEST,
    )
)
OVERHEAD_BYTES: Final = 20
"""A RE-CONFIG chunk with one outgoing request, without its stream list."""


class Requested(NamedTuple):
    """Our request on its way."""

    sequence: int
    last_tsn: int
    streams: tuple[OutStream, ...]


class Deferred(NamedTuple):
    """The peer's request that waits for data still missing."""

    sequence: int
    last_tsn: int
    stream_ids: tuple[int, ...]


class StreamReset:
    """Both directions' requests and their sequence numbers."""

    __slots__ = ("_last_result", "_next_sequence", "_peer_sequence", "deferred", "due", "requested")

    def __init__(self, local_tsn: int, peer_tsn: int) -> None:
        self._next_sequence = local_tsn & TSN_MASK
        self._peer_sequence = peer_tsn & TSN_MASK
        """The number that the peer's next request carries."""
        self._last_result = ReconfigResult.NOTHING_TO_DO
        self.requested: Requested | None = None
        self.due = False
        """Our request is to be sent (again)."""
        self.deferred: Deferred | None = None

    def request(self, streams: list[OutStream], last_tsn: int) -> None:
        """Makes a request; none may be on its way."""
        self.requested = Requested(self._next_sequence, last_tsn, tuple(streams))
        self._next_sequence = (self._next_sequence + 1) & TSN_MASK
        self.due = True

    def chunk(self) -> bytes:
        """The request as a chunk."""
        self.due = False
        assert self.requested is not None
        sequence, last_tsn, streams = self.requested
        head = _OUTGOING.pack(sequence, (self._peer_sequence - 1) & TSN_MASK, last_tsn & TSN_MASK)
        value = head + struct.pack(f">{len(streams)}H", *[stream.id for stream in streams])
        return ReConfigChunk(parameters=(Parameter(ParameterType.OUTGOING_SSN_RESET_REQUEST, value),)).serialize()

    def on_response(self, value: bytes) -> tuple[Requested, int] | None:
        """The peer's answer to our request, with its result; None if it answers none. It stays on its way while the
        peer says "in progress"."""
        if len(value) < 8 or self.requested is None:
            return None
        sequence, result = _RESPONSE.unpack_from(value)
        if sequence != self.requested.sequence:
            return None
        requested = self.requested
        if result not in (ReconfigResult.IN_PROGRESS, ReconfigResult.IN_PROGRESS_ALREADY):
            self.requested = None
            self.due = False
        return requested, result

    def is_request(self, kind: int) -> bool:
        return kind in _REQUESTS

    def on_request(
        self, kind: int, value: bytes, unwrapped_last_tsn: int, cumulative: int
    ) -> tuple[bytes, Deferred | None]:
        """Takes a request of the peer. Returns: the response chunk, and what is to be performed now.

        `unwrapped_last_tsn` is what `last_tsn_of(value)` says, unwrapped.
        """
        if len(value) < 4:
            return b"", None
        (sequence,) = _U32.unpack_from(value)
        if sequence == (self._peer_sequence - 1) & TSN_MASK:
            return self.response(sequence, self._last_result), None
        if sequence != self._peer_sequence:
            return self.response(sequence, ReconfigResult.BAD_SEQUENCE_NUMBER), None
        if kind != ParameterType.OUTGOING_SSN_RESET_REQUEST or len(value) < 12:
            return self._answer(sequence, ReconfigResult.DENIED), None
        if self.deferred is not None:
            return self.response(sequence, ReconfigResult.IN_PROGRESS_ALREADY), None
        count = (len(value) - 12) // 2
        deferred = Deferred(sequence, unwrapped_last_tsn, struct.unpack_from(f">{count}H", value, 12))
        if unwrapped_last_tsn > cumulative:
            self.deferred = deferred
            return self._answer(sequence, ReconfigResult.IN_PROGRESS), None
        return self._answer(sequence, ReconfigResult.PERFORMED), deferred

    def take_deferred(self, cumulative: int) -> tuple[bytes, Deferred] | None:
        """The deferred request once all its data has arrived, with the response that says so."""
        deferred = self.deferred
        if deferred is None or deferred.last_tsn > cumulative:
            return None
        self.deferred = None
        self._last_result = ReconfigResult.PERFORMED
        return self.response(deferred.sequence, ReconfigResult.PERFORMED), deferred

    def _answer(self, sequence: int, result: ReconfigResult) -> bytes:
        self._peer_sequence = (sequence + 1) & TSN_MASK
        self._last_result = result
        return self.response(sequence, result)

    @staticmethod
    def last_tsn_of(value: bytes) -> int:
        """The sender's last assigned TSN in an outgoing request."""
        return int(_U32.unpack_from(value, 8)[0]) if len(value) >= 12 else 0

    @staticmethod
    def response(sequence: int, result: int) -> bytes:
        parameter = Parameter(ParameterType.RECONFIGURATION_RESPONSE, _RESPONSE.pack(sequence, result))
        return ReConfigChunk(parameters=(parameter,)).serialize()
