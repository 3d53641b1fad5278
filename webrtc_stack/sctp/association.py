"""The association: commands, inputs, timers, polls."""

from __future__ import annotations

from collections.abc import Sequence

from ..base import NEVER, Drops, Instant, MachineBase
from .config import AssociationState, SctpConfig, SctpCounters, SctpSnapshot
from .events import AssociationEvent


class Association(MachineBase[AssociationEvent]):
    """One SCTP association over DTLS, as a machine over SCTP packets."""

    def __init__(self, config: SctpConfig | None = None) -> None:
        super().__init__()
        self.config = SctpConfig() if config is None else config
        self.counters = SctpCounters()
        self.drops = Drops()
        self.state = AssociationState.CLOSED

    @property
    def buffered_bytes(self) -> int:
        return 0

    def buffered_amount(self, stream_id: int) -> int:
        return 0

    def connect(self, now: Instant) -> None:
        self._advance(now)

    def send(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        now: Instant,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_lifetime: float | None = None,
    ) -> None:
        self._advance(now)

    def reset_streams(self, stream_ids: Sequence[int], now: Instant) -> None:
        self._advance(now)

    def release(self, size: int, now: Instant) -> None:
        self._advance(now)

    def shutdown(self, now: Instant) -> None:
        self._advance(now)

    def close(self, now: Instant) -> None:
        self._advance(now)

    def abort(self, now: Instant, reason: str = "") -> None:
        self._advance(now)

    def snapshot(self) -> SctpSnapshot | None:
        return None

    def receive(self, data: bytes, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[bytes], now: Instant) -> None:
        self._advance(now)

    def handle_timeout(self, now: Instant) -> None:
        self._advance(now)

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[bytes]:
        self._advance(now)
        return []

    def next_timeout(self) -> Instant:
        return NEVER
