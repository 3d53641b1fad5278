"""The jitter buffer: order, a playout clock, and the decision when to wait no longer.

It works on *items*: a packet (one index) or a frame (a range of indexes), with an RTP timestamp and anything as data.
`push` takes them as they come, `pop` gives them in order when their playout time has come, with `Lost` in place of what
did not arrive in time. Each index leaves exactly once: inside an item, inside a `Lost`, or not at all (`data` None).

**The playout clock.** For each item, transit = arrival - timestamp / clock rate. The least transit of the last
`base_window` to twice that many seconds is the *base*: the path at its quickest, and also what follows the drift of
both clocks. An item plays at base + timestamp / clock rate + delay.

**The estimator.** What an item lies above the base is its *relative delay*, 0 or more. A histogram with
`bucket`-wide bins counts them, each new one weighing 1/`forget` times the one before, so that the past fades. The
target delay is the upper edge of the bin below which `quantile` of the weight lies: with 0.97, three of a hundred items
come too late for their moment, whatever the shape of the jitter. A quantile is taken, not mean plus deviations, because
jitter of real paths (Wi-Fi, queues) has long tails. The delay in use goes up at once, when late items hurt, and down by
`shrink_rate` seconds a second, which a time-stretching player does not let hear. Items that came by retransmission say
nothing about the path's jitter and are not counted; `set_repair_delay` makes room for them instead.

Limits, in this order: `min_delay` and `max_delay` of the config, the playout-delay extension's within those, the repair
delay below, the lip-sync delay added; never more than `max_delay`.

When full (`max_items`) the newest item is refused: time drains the buffer, since no item waits beyond `max_delay` after
the arrival of itself and of those before it, whatever its timestamp says.

Spec: none governs this; RFC 3550 section 6.4.1 and A.8 define the jitter reported, which is not this one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from ...base import NEVER, Instant, Unwrapper
from ...errors import InvalidArgumentError
from ...trace import NO_TRACE, Trace
from ..extensions import PlayoutDelay

_HEAVY: Final = 1e12
"""Weight at which the histogram is scaled down, long before a float loses small ones."""

_REMEMBERED: Final = 64
"""Ranges given up that are remembered, to tell a late item from a duplicate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JitterBufferConfig:
    """Tunables of a jitter buffer."""

    clock_rate: int = 90_000
    """Hz of the timestamps."""
    min_delay: float = 0.0
    """Seconds. 20 ms suits audio with a sound card behind it; 0 leaves it to the path."""
    max_delay: float = 2.0
    """Seconds: above it nobody converses any more."""
    start_delay: float = 0.04
    """Seconds, until enough items were measured: two audio packets."""
    quantile: float = 0.97
    """Share of items that come in time."""
    forget: float = 0.997
    """Weight of an item against the next one: half is forgotten after 230 items, some five seconds of audio."""
    bucket: float = 0.005
    """Seconds: a quarter of an audio packet, finer than anybody hears."""
    base_window: float = 10.0
    """Seconds over which the least transit is looked for; a path that became longer is believed after at most twice."""
    shrink_rate: float = 0.05
    """Seconds a second by which the delay goes down; 5 % of stretching is not heard."""
    loss_grace: float = 0.0
    """Seconds that an item waits beyond its time for one missing before it. Video may prefer a short freeze."""
    max_items: int = 2048
    """At 1,000 packets a second, two seconds."""
    restart_gap: int = 16_384
    """A hole of more indexes is a restart, not loss: not counted as lost packets."""
    reset_after: float = 10.0
    """A transit that differs by more seconds is a jump of the timestamps: the clock starts anew."""
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        if self.clock_rate <= 0 or self.max_items < 1 or self.bucket <= 0 or self.base_window <= 0:
            raise InvalidArgumentError("clock_rate, max_items, bucket and base_window are positive")
        if not 0 <= self.min_delay <= self.max_delay or self.start_delay < 0 or self.loss_grace < 0:
            raise InvalidArgumentError("0 <= min_delay <= max_delay must hold, and no delay is negative")
        if not 0 < self.quantile < 1 or not 0 < self.forget < 1 or self.shrink_rate <= 0:
            raise InvalidArgumentError("quantile and forget lie between 0 and 1, shrink_rate is positive")
        if self.max_delay / self.bucket > 100_000:
            raise InvalidArgumentError("max_delay / bucket is the size of a table: at most 100,000")


class Item(NamedTuple):
    """A packet or a frame. `first` and `last` are its indexes (equal for a packet), `timestamp` the RTP one.

    `data` None means that nothing is to be played: padding, which only closes a hole.
    """

    first: int
    last: int
    timestamp: int
    data: Any


class Lost(NamedTuple):
    """Indexes given up."""

    first: int
    last: int


class Pushed(Enum):
    """What `push` did."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """It is here, or was played, already; also one that overlaps another."""
    LATE = "late"
    """Its place was given up already, or lies before the first one played."""
    FULL = "full"


@dataclass(slots=True)
class JitterBufferCounters:
    """What a buffer did. `*_packets` count indexes, the others items."""

    played: int = 0
    lost_packets: int = 0
    late: int = 0
    duplicates: int = 0
    refused_full: int = 0
    delayed: int = 0
    """Played later than their moment, since they came later."""
    restarts: int = 0
    clock_resets: int = 0


class DelayEstimator:
    """The histogram described above: relative delays in, a quantile out."""

    __slots__ = ("_bins", "_bucket", "_growth", "_quantile", "_total", "_weight", "samples")

    def __init__(self, config: JitterBufferConfig) -> None:
        self._bucket = config.bucket
        self._quantile = config.quantile
        self._growth = 1 / config.forget
        self._bins = [0.0] * (int(config.max_delay / config.bucket) + 2)
        self._weight = 1.0
        self._total = 0.0
        self.samples = 0

    def add(self, relative_delay: float) -> None:
        bins = self._bins
        bins[min(max(int(relative_delay / self._bucket), 0), len(bins) - 1)] += self._weight
        self._total += self._weight
        self._weight *= self._growth
        self.samples += 1
        if self._weight > _HEAVY:
            scale = 1 / self._weight
            self._bins = [value * scale for value in bins]
            self._total *= scale
            self._weight = 1.0

    def target(self) -> float:
        """Seconds. Cost: one pass over the bins up to the quantile."""
        wanted = self._total * self._quantile
        below = 0.0
        for number, value in enumerate(self._bins):
            below += value
            if below >= wanted:
                return (number + 1) * self._bucket if number or value < self._total else self._bucket
        return len(self._bins) * self._bucket


class _Held:
    __slots__ = ("arrival", "item", "media_time")

    def __init__(self, item: Item, arrival: Instant, media_time: float) -> None:
        self.item = item
        self.arrival = arrival
        self.media_time = media_time


class JitterBuffer:
    """See the module's docstring."""

    __slots__ = (
        "_base_now",
        "_base_old",
        "_config",
        "_delay",
        "_delay_at",
        "_estimator",
        "_firsts",
        "_given_up",
        "_held",
        "_max_delay",
        "_min_delay",
        "_next_index",
        "_origin",
        "_repair_delay",
        "_started",
        "_sync_delay",
        "_target",
        "_timestamps",
        "_trace",
        "_window_end",
        "counters",
    )

    def __init__(self, config: JitterBufferConfig | None = None) -> None:
        config = config or JitterBufferConfig()
        self._config = config
        self._trace = config.trace
        self._firsts: list[int] = []
        self._held: dict[int, _Held] = {}
        self._next_index: int | None = None
        self._origin: int | None = None
        self._given_up: deque[Lost] = deque(maxlen=_REMEMBERED)
        self._started = False
        self._timestamps = Unwrapper(32)
        self._estimator = DelayEstimator(config)
        self._base_now = NEVER
        self._base_old = NEVER
        self._window_end: Instant = NEVER
        self._min_delay, self._max_delay = config.min_delay, config.max_delay
        self._repair_delay = 0.0
        self._sync_delay = 0.0
        self._target = config.start_delay
        self._delay = self._limited(config.start_delay)
        self._delay_at: Instant = 0.0
        self.counters = JitterBufferCounters()

    def __len__(self) -> int:
        return len(self._firsts)

    # --- the delay ----------------------------------------------------------------------------------------------------

    @property
    def estimated_delay(self) -> float:
        """What the jitter alone asks for, in seconds."""
        return self._target

    @property
    def target_delay(self) -> float:
        """Where the delay is going: the estimate within all limits, in seconds."""
        return self._limited(self._target)

    @property
    def delay(self) -> float:
        """The delay in use, in seconds."""
        return self._delay

    @property
    def next_index(self) -> int | None:
        """The index that plays next: what lies before needs no retransmission any more."""
        return self._next_index

    def _limited(self, delay: float) -> float:
        delay = min(max(delay, self._repair_delay, self._min_delay), self._max_delay)
        return min(delay + self._sync_delay, self._config.max_delay)

    def set_playout_delay(self, limits: PlayoutDelay | None) -> None:
        """Applies the sender's playout-delay extension; None takes it back. A reversed pair is ignored."""
        config = self._config
        self._min_delay, self._max_delay = config.min_delay, config.max_delay
        if limits is not None and limits.min_delay_ms <= limits.max_delay_ms:
            self._max_delay = min(max(limits.max_delay_ms / 1000, config.min_delay), config.max_delay)
            self._min_delay = min(max(limits.min_delay_ms / 1000, config.min_delay), self._max_delay)

    def set_repair_delay(self, delay: float) -> None:
        """Room for retransmissions, in seconds: about one and a half round trips while losses are seen, else 0."""
        self._repair_delay = max(delay, 0.0)

    def set_sync_delay(self, delay: float) -> None:
        """What lip sync adds, in seconds (`sync.LipSync`)."""
        self._sync_delay = max(delay, 0.0)

    def _move_delay(self, now: Instant) -> None:
        target = self._limited(self._target)
        if target >= self._delay:
            self._delay = target
        else:
            down = max(now - self._delay_at, 0.0) * self._config.shrink_rate
            ceiling = min(self._max_delay + self._sync_delay, self._config.max_delay)
            self._delay = min(max(self._delay - down, target), ceiling)
        self._delay_at = now

    def _base(self) -> float:
        return min(self._base_now, self._base_old)

    def _measure(self, transit: float, now: Instant, *, estimate: bool) -> None:
        base = self._base()
        if base != NEVER and abs(transit - base) > self._config.reset_after:
            self.counters.clock_resets += 1
            if self._trace:
                self._trace.event(now, "playout_clock_reset", jump=transit - base)
            self._base_now = self._base_old = NEVER
            self._window_end = NEVER
        elif not estimate:
            return  # came by another way, at another time
        if self._window_end == NEVER:
            self._window_end = now + self._config.base_window
        elif now >= self._window_end:
            self._base_old, self._base_now = self._base_now, NEVER
            self._window_end = now + self._config.base_window
        self._base_now = min(self._base_now, transit)
        if not estimate:
            return
        self._estimator.add(transit - self._base())
        if self._estimator.samples >= 20 and not self._estimator.samples & 3:
            self._target = self._estimator.target()

    def playout_time(self, timestamp: int, *, with_sync: bool = True) -> Instant | None:
        """When `timestamp` plays, by the clock and delay of now; None before the first item."""
        if self._base() == NEVER:
            return None
        media_time = self._timestamps.peek(timestamp) / self._config.clock_rate
        return self._base() + media_time + self._delay - (0.0 if with_sync else self._sync_delay)

    # --- items --------------------------------------------------------------------------------------------------------

    def push(self, item: Item, now: Instant, *, repaired: bool = False) -> Pushed:
        """Takes an item. `repaired`: it, or a part of it, came by retransmission or was rebuilt by FEC.

        Errors: `InvalidArgumentError` when `last` is before `first`.
        """
        if item.last < item.first:
            raise InvalidArgumentError(f"an item of the indexes {item.first} to {item.last}")
        next_index = self._next_index
        if next_index is not None and item.first < next_index and (self._started or item.last >= next_index):
            return self._passed(item, now, repaired=repaired)
        place = bisect_left(self._firsts, item.first)
        if self._overlaps(item, place):
            self.counters.duplicates += 1
            return Pushed.DUPLICATE
        if len(self._firsts) >= self._config.max_items:
            self.counters.refused_full += 1
            return Pushed.FULL
        media_time = self._timestamps.unwrap(item.timestamp) / self._config.clock_rate
        self._measure(now - media_time, now, estimate=not repaired or self._base() == NEVER)
        self._firsts.insert(place, item.first)
        self._held[item.first] = _Held(item, now, media_time)
        if next_index is None or (item.first < next_index and not self._started):
            self._next_index = item.first
        self._move_delay(now)
        return Pushed.ACCEPTED

    def _passed(self, item: Item, now: Instant, *, repaired: bool) -> Pushed:
        """An item behind the playout. One that was given up still tells how late the path can be: were it not measured,
        the delay would never grow to catch the next one."""
        origin = item.first if self._origin is None else self._origin
        given_up = any(lost.first <= item.first <= lost.last for lost in self._given_up)
        if not given_up and item.first >= origin:
            self.counters.duplicates += 1
            return Pushed.DUPLICATE
        self.counters.late += 1
        if given_up and not repaired:
            media_time = self._timestamps.unwrap(item.timestamp) / self._config.clock_rate
            if abs(now - media_time - self._base()) <= self._config.reset_after:
                self._measure(now - media_time, now, estimate=True)
                self._move_delay(now)
        return Pushed.LATE

    def _overlaps(self, item: Item, place: int) -> bool:
        firsts = self._firsts
        if place < len(firsts) and firsts[place] <= item.last:
            return True
        return place > 0 and self._held[firsts[place - 1]].item.last >= item.first

    def _due_at(self, held: _Held) -> Instant:
        wait = self._delay
        if held.item.first != self._next_index:
            wait += self._config.loss_grace
        at = self._base() + held.media_time + wait
        return min(at, held.arrival + self._config.max_delay + self._config.loss_grace)

    def next_timeout(self) -> Instant:
        """When the next item plays."""
        return self._due_at(self._held[self._firsts[0]]) if self._firsts else NEVER

    def pop(self, now: Instant) -> list[Item | Lost]:
        """Everything whose time has come, in order."""
        found: list[Item | Lost] = []
        if not self._firsts:
            return found
        self._move_delay(now)
        taken = 0
        for first in self._firsts:
            held = self._held[first]
            due = self._due_at(held)
            if due > now:
                break
            next_index = first if self._next_index is None else self._next_index
            if not self._started:
                self._started = True
                self._origin = next_index
            if first > next_index:
                self._give_up(next_index, first - 1, now)
                found.append(Lost(next_index, first - 1))
            self._next_index = held.item.last + 1
            if held.item.data is not None:
                self.counters.played += 1
                if due < held.arrival:
                    self.counters.delayed += 1
                found.append(held.item)
            del self._held[first]
            taken += 1
        if taken:
            del self._firsts[:taken]
        return found

    def _give_up(self, first: int, last: int, now: Instant) -> None:
        self._given_up.append(Lost(first, last))
        count = last - first + 1
        if count > self._config.restart_gap:
            self.counters.restarts += 1
        else:
            self.counters.lost_packets += count
        if self._trace:
            self._trace.event(now, "packets_given_up", first=first, last=last)

    def flush(self) -> list[Item]:
        """Empties the buffer: what it held, in order and at once. It goes on behind it."""
        items = [self._held[first].item for first in self._firsts]
        for item in items:
            if self._next_index is not None and item.first > self._next_index:
                self._given_up.append(Lost(self._next_index, item.first - 1))
            if not self._started:
                self._started = True
                self._origin = item.first
            self._next_index = item.last + 1
        self._firsts.clear()
        self._held.clear()
        return [item for item in items if item.data is not None]
