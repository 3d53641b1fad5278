"""Lip sync: what was captured together plays together.

For each stream a line between RTP time and the sender's wall clock: from sender reports, or from the abs-capture-time
extension, which survives mixers and SFUs that rewrite sender reports. With it, each stream has an *offset*: the moment
an item plays (without any delay for sync) minus the moment it was captured. The stream with the largest offset of a
group is behind all others, and each other one is delayed by the difference.

Clocks: both lines of a group must be of the same kind, so abs-capture-time serves only where every stream of the group
has it. Only differences of offsets are used: the distance between the sender's wall clock and ours drops out.

Spec: RFC 3550 section 6.4.1 (NTP and RTP timestamps); the page of abs-capture-time (estimated capture clock offset).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ...base import Instant
from ...errors import InvalidArgumentError
from ..extensions import AbsCaptureTime
from ..ntp import ntp_to_unix
from .receiver import SenderClock


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncConfig:
    """Tunables of lip sync."""

    max_delay: float = 1.0
    """Seconds added to a stream at most; streams further apart are not of one moment, or their clocks lie."""
    max_step: float = 0.08
    """Seconds by which a delay changes in one `delays` call: below what is noticed as a jump."""
    tolerance: float = 0.01
    """Seconds of difference that are left alone; ITU-R BT.1359 finds 45 ms ahead detectable."""
    smoothing: float = 0.2
    """Weight of a new offset: playout times move in steps."""
    max_streams: int = 256
    """Streams registered at most."""

    def __post_init__(self) -> None:
        if self.max_delay < 0 or self.max_step <= 0 or self.tolerance < 0 or not 0 < self.smoothing <= 1:
            raise InvalidArgumentError("delays are not negative, max_step is positive, smoothing in (0, 1]")


class StreamClock:
    """RTP timestamp -> capture time of one stream."""

    __slots__ = ("_capture", "_report", "clock_rate")

    def __init__(self, clock_rate: int) -> None:
        if clock_rate <= 0:
            raise InvalidArgumentError(f"clock_rate is in Hz and positive, got {clock_rate}")
        self.clock_rate = clock_rate
        self._report: tuple[float, int] | None = None
        self._capture: tuple[float, int] | None = None

    def sender_report(self, clock: SenderClock) -> None:
        """The two clocks of a sender report (`ReceivedStream.sender_clock`)."""
        self._report = (clock.ntp_time, clock.rtp_timestamp)

    def abs_capture_time(self, value: AbsCaptureTime, rtp_timestamp: int) -> None:
        """An abs-capture-time extension, and the timestamp of the packet that carried it.

        The capturer's clock itself is taken, without `clock_offset`: it is the one that all its streams share, and
        only differences within a group are used.
        """
        self._capture = (ntp_to_unix(value.ntp_timestamp), rtp_timestamp)

    @property
    def has_report(self) -> bool:
        return self._report is not None

    @property
    def has_capture(self) -> bool:
        return self._capture is not None

    def captured_at(self, rtp_timestamp: int, *, by_capture: bool = False) -> float | None:
        """Unix seconds of the sender's (or capturer's) clock at which `rtp_timestamp` was captured; None if unknown."""
        line = self._capture if by_capture else self._report
        if line is None:
            return None
        distance = (rtp_timestamp - line[1]) & 0xFFFFFFFF
        if distance & 0x80000000:
            distance -= 1 << 32
        return line[0] + distance / self.clock_rate


class _Synced:
    __slots__ = ("by_capture", "by_report", "clock", "delay", "group")

    def __init__(self, group: Hashable, clock: StreamClock) -> None:
        self.group = group
        self.clock = clock
        self.by_report: float | None = None
        self.by_capture: float | None = None
        self.delay = 0.0


class LipSync:
    """Delays by stream. A group is what must agree: the streams of one MediaStream, or of one CNAME."""

    __slots__ = ("_config", "_streams")

    def __init__(self, config: SyncConfig | None = None) -> None:
        self._config = config or SyncConfig()
        self._streams: dict[Hashable, _Synced] = {}

    def add(self, stream: Hashable, group: Hashable, clock_rate: int) -> StreamClock:
        """Registers a stream. Returns: its clock, to be fed with reports. Errors: `InvalidArgumentError` when full."""
        known = self._streams.get(stream)
        if known is None and len(self._streams) >= self._config.max_streams:
            raise InvalidArgumentError(f"{len(self._streams)} streams are synchronised, max_streams allows no more")
        entry = _Synced(group, StreamClock(clock_rate))
        self._streams[stream] = entry
        return entry.clock

    def remove(self, stream: Hashable) -> None:
        self._streams.pop(stream, None)

    def observe(self, stream: Hashable, rtp_timestamp: int, plays_at: Instant) -> None:
        """An item with `rtp_timestamp` plays at `plays_at`, delay for sync excluded
        (`JitterBuffer.playout_time(..., with_sync=False)`). A stream not registered is ignored."""
        entry = self._streams.get(stream)
        if entry is None:
            return
        entry.by_report = self._blend(entry.by_report, entry.clock.captured_at(rtp_timestamp), plays_at)
        captured = entry.clock.captured_at(rtp_timestamp, by_capture=True)
        entry.by_capture = self._blend(entry.by_capture, captured, plays_at)

    def _blend(self, before: float | None, captured: float | None, plays_at: Instant) -> float | None:
        if captured is None:
            return before
        offset = plays_at - captured
        if before is None or abs(offset - before) > self._config.max_delay:  # the first, or another clock than before
            return offset
        return before + self._config.smoothing * (offset - before)

    def delays(self) -> dict[Hashable, float]:
        """Seconds to add to each stream now; call it about once a second. Streams without a clock get 0."""
        config = self._config
        groups: dict[Hashable, list[_Synced]] = {}
        for entry in self._streams.values():
            groups.setdefault(entry.group, []).append(entry)
        for members in groups.values():
            by_capture = all(entry.by_capture is not None for entry in members)
            offsets = [
                (entry, offset)
                for entry in members
                if (offset := entry.by_capture if by_capture else entry.by_report) is not None
            ]
            for entry in members:
                self._step(entry, 0.0 if all(entry is not known for known, _ in offsets) else None)
            if not offsets:
                continue
            latest = max(offset for _, offset in offsets)
            for entry, offset in offsets:
                wanted = latest - offset
                if latest - min(o for _, o in offsets) > config.max_delay:
                    wanted = 0.0  # not of one moment: better unsynchronised than a second of silence
                if abs(wanted - entry.delay) > config.tolerance or wanted == 0.0:
                    self._step(entry, wanted)
        return {stream: entry.delay for stream, entry in self._streams.items()}

    def _step(self, entry: _Synced, wanted: float | None) -> None:
        if wanted is None:
            return
        step = self._config.max_step
        entry.delay += min(max(wanted - entry.delay, -step), step)
