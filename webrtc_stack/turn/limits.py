"""What keeps a server from being worn out or misused: rates by source, and answers kept for repetitions.

Spec: RFC 8489 section 16.1.3 (amplification) and 6.3.1 (retransmitted requests); RFC 8656 section 21.3 (denial of
service).
"""

from __future__ import annotations

from ..base import Instant, PathId


class RateLimiter:
    """Token buckets by host, and one for all. Bounded: the host seen longest ago makes room, with its bucket full."""

    __slots__ = ("_all", "_all_at", "_buckets", "_burst", "_max_hosts", "_rate", "_total_burst", "_total_rate")

    def __init__(self, *, rate: float, burst: float, total_rate: float, max_hosts: int) -> None:
        self._rate = rate
        self._burst = burst
        self._total_rate = total_rate
        self._total_burst = max(total_rate, burst)
        self._all = self._total_burst
        self._all_at: Instant = 0.0
        self._max_hosts = max_hosts
        self._buckets: dict[str, tuple[float, Instant]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def allows(self, host: str, now: Instant, cost: float = 1.0) -> bool:
        """Takes `cost` from the host's bucket and from everybody's; False when either is empty, and takes nothing."""
        everybody = min(self._total_burst, self._all + (now - self._all_at) * self._total_rate)
        tokens, at = self._buckets.pop(host, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        allowed = tokens >= cost and everybody >= cost
        if allowed:
            tokens -= cost
            everybody -= cost
        self._all, self._all_at = everybody, now
        if len(self._buckets) >= self._max_hosts:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[host] = (tokens, now)
        return allowed


class ResponseCache:
    """Answers to proven requests, for a while: a repetition gets the same bytes, and is not done twice.

    Found by the whole request, so a guessed transaction id finds nothing.
    """

    __slots__ = ("_entries", "_lifetime", "_limit")

    def __init__(self, *, limit: int, lifetime: float) -> None:
        self._limit = limit
        self._lifetime = lifetime
        self._entries: dict[tuple[PathId, bytes], tuple[bytes, Instant]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, path: PathId, request: bytes, now: Instant) -> bytes | None:
        found = self._entries.get((path, request))
        if found is None or found[1] <= now:
            return None
        return found[0]

    def put(self, path: PathId, request: bytes, response: bytes, now: Instant) -> None:
        entries = self._entries
        while entries:  # in order of time, so the old ones are in front
            oldest = next(iter(entries))
            if len(entries) < self._limit and entries[oldest][1] > now:
                break
            del entries[oldest]
        entries[path, request] = (response, now + self._lifetime)

    def clear(self) -> None:
        self._entries.clear()
