"""One direction of a virtual link: what happens to a datagram between two places.

Every decision is drawn from the link's own entropy, one draw a cause, so a run depends on its seed alone. The order
of events is: MTU, loss (independent and in bursts), queue and rate, latency and jitter, reordering, duplication.
Jitter alone keeps the order (as queues do); `reorder` is the chance that a datagram is held back and overtaken.

Burst loss is the two-state Gilbert-Elliott model: the link enters a bad state with `burst_enter` a packet, leaves it
with `burst_leave`, and loses `burst_loss` of what it carries meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base import Drops, Entropy, Instant, random_unit
from ..errors import InvalidArgumentError

_OVERHEAD_BYTES = 28
"""IPv4 and UDP headers, counted against rate, queue and MTU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """What one direction does. Probabilities are 0 to 1, times seconds."""

    latency: float = 0.0
    jitter: float = 0.0
    """Extra delay, uniform in [0, jitter]."""
    loss: float = 0.0
    burst_enter: float = 0.0
    burst_leave: float = 0.25
    burst_loss: float = 1.0
    reorder: float = 0.0
    reorder_delay: float = 0.01
    """A reordered datagram comes this much later, while others pass it."""
    duplicate: float = 0.0
    rate_bps: float | None = None
    queue_bytes: int = 256 * 1024
    """Waiting room in front of a rate limit; a datagram that does not fit is dropped (tail drop)."""
    mtu: int = 1500
    """Largest IP packet; a larger one vanishes, as with the don't-fragment bit set."""
    up: bool = True
    """False: everything is lost."""

    def __post_init__(self) -> None:
        for name in ("loss", "burst_enter", "burst_leave", "burst_loss", "reorder", "duplicate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidArgumentError(f"{name} is a probability from 0 to 1, got {getattr(self, name)}")
        for name in ("latency", "jitter", "reorder_delay"):
            if getattr(self, name) < 0:
                raise InvalidArgumentError(f"{name} is in seconds and not negative, got {getattr(self, name)}")
        if self.rate_bps is not None and self.rate_bps <= 0:
            raise InvalidArgumentError(f"rate_bps must be positive or None, got {self.rate_bps}")


class Link:
    """The state of one direction. `config` may be replaced at any time; what is on its way arrives as it would have."""

    __slots__ = ("_bad", "_entropy", "_last_arrival", "_link_free", "carried", "config", "drops")

    def __init__(self, config: LinkConfig, entropy: Entropy) -> None:
        self.config = config
        self._entropy = entropy
        self._bad = False
        self._link_free: Instant = 0.0
        self._last_arrival: Instant = 0.0
        self.carried = 0
        self.drops = Drops()

    def _chance(self, probability: float) -> bool:
        return probability > 0.0 and random_unit(self._entropy) < probability

    def admit(self, size: int, now: Instant) -> list[Instant]:
        """When the datagram of `size` payload bytes handed over at `now` arrives: no, one or two instants."""
        config = self.config
        if not config.up:
            self.drops.add("down")
            return []
        if size + _OVERHEAD_BYTES > config.mtu:
            self.drops.add("mtu")
            return []
        if self._chance(config.loss):
            self.drops.add("loss")
            return []
        if config.burst_enter > 0.0:
            self._bad = not self._chance(config.burst_leave) if self._bad else self._chance(config.burst_enter)
            if self._bad and self._chance(config.burst_loss):
                self.drops.add("burst_loss")
                return []
        sent = now
        if config.rate_bps is not None:
            start = max(now, self._link_free)
            if (start - now) * config.rate_bps / 8 + size > config.queue_bytes:
                self.drops.add("queue")
                return []
            sent = start + (size + _OVERHEAD_BYTES) * 8 / config.rate_bps
            self._link_free = sent
        arrival = sent + config.latency
        if config.jitter > 0.0:
            arrival += config.jitter * random_unit(self._entropy)
        if self._chance(config.reorder):
            arrival += config.reorder_delay
        else:
            arrival = max(arrival, self._last_arrival)
            self._last_arrival = arrival
        self.carried += 1
        if self._chance(config.duplicate):
            return [arrival, arrival]
        return [arrival]
