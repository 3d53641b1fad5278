"""Which stream identifiers are taken, and which one a new channel gets.

Spec: RFC 8832 section 6 (DTLS client even, server odd), RFC 8831 section 6.4 (65535 is never used).

Invariant: a channel gets the lowest free identifier of our parity; one comes back only when both directions of its
stream have been reset.
"""

from __future__ import annotations

import heapq
from typing import Final

MAX_STREAM_ID: Final = 65534


class StreamIds:
    """The identifiers of one association.

    Cost: O(log n) a call, n being identifiers that came back; memory grows with those, never past half of them all.
    """

    __slots__ = ("_free", "_next", "_returned", "_taken", "limit", "parity")

    def __init__(self) -> None:
        self.parity: int | None = None
        """0 for the DTLS client, 1 for the server, None until the role is known."""
        self.limit = MAX_STREAM_ID + 1
        """How many streams the association has in both directions, once that is known."""
        self._next = 0
        self._free: list[int] = []
        self._returned: set[int] = set()
        self._taken: set[int] = set()

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._taken

    def set_role(self, *, dtls_client: bool) -> None:
        self.parity = self._next = 0 if dtls_client else 1

    def is_ours(self, stream_id: int) -> bool:
        """True if only we may open a channel on it by DCEP. Asked only once the role is known."""
        return stream_id & 1 == self.parity

    def take(self, stream_id: int) -> None:
        """Marks one as used, by a negotiated channel or by the peer."""
        self._taken.add(stream_id)

    def allocate(self) -> int | None:
        """Takes the lowest free identifier of our parity; None if there is none."""
        while self._free:
            stream_id = heapq.heappop(self._free)
            self._returned.discard(stream_id)
            if stream_id not in self._taken and stream_id < self.limit:
                self._taken.add(stream_id)
                return stream_id
        while self._next < self.limit:
            stream_id = self._next
            self._next += 2
            if stream_id not in self._taken:
                self._taken.add(stream_id)
                return stream_id
        return None

    def give_back(self, stream_id: int) -> None:
        """Makes one free again."""
        if stream_id in self._taken:
            self._taken.discard(stream_id)
            if stream_id & 1 == self.parity and stream_id < self._next and stream_id not in self._returned:
                self._returned.add(stream_id)
                heapq.heappush(self._free, stream_id)
