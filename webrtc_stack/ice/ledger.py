"""What the pairs carried, and snapshots of them: statistics over the present session and the one before a restart."""

from __future__ import annotations

from ..base import Instant, PathId
from .pair import CandidatePair, PairSnapshot
from .session import Session
from .state import IceCounters


def pair_on(path: PathId, session: Session, previous: Session | None) -> CandidatePair | None:
    """The pair that data on this path belongs to: the new session's once it carries any, before that the old's."""
    if previous is not None and session.selected is None:
        pair = previous.checklist.pairs.get(path)
        if pair is not None:
            return pair
    pair = session.checklist.pairs.get(path)
    if pair is None and previous is not None:
        return previous.checklist.pairs.get(path)
    return pair


def data_sent(pair: CandidatePair | None, counters: IceCounters, packets: int, size: int, now: Instant) -> None:
    counters.data_packets_sent += packets
    counters.data_bytes_sent += size
    if pair is not None:
        pair.packets_sent += packets
        pair.bytes_sent += size
        pair.last_sent_at = now


def data_received(pair: CandidatePair | None, counters: IceCounters, packets: int, size: int, now: Instant) -> None:
    counters.data_packets_received += packets
    counters.data_bytes_received += size
    if pair is not None:
        pair.packets_received += packets
        pair.bytes_received += size
        pair.last_received_at = now


def snapshots(session: Session, previous: Session | None, selected: CandidatePair | None) -> tuple[PairSnapshot, ...]:
    """All pairs, the best first."""
    pairs = [(session.number, pair) for pair in session.checklist.pairs.values()]
    if previous is not None:
        pairs += [(previous.number, pair) for pair in previous.checklist.pairs.values()]
    pairs.sort(key=lambda one: (-one[1].priority, one[1].number))
    return tuple(pair.snapshot(pair is selected, generation) for generation, pair in pairs)
