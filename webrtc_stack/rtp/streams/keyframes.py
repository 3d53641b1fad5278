"""Asking for key frames, and being asked.

The asking side sends a PLI (or a FIR, where only that was negotiated) at once, repeats it each round trip and a half
until a key frame comes, and never more often than `min_interval`. The asked side makes at most one key frame in
`min_interval`: one wish that comes earlier is kept and honoured late, not lost. A FIR with a number seen before is a
repetition (RFC 5104 section 4.3.1.1), not a new wish.

Spec: RFC 4585 section 6.3.1; RFC 5104 sections 3.5.1, 4.3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...base import NEVER, Instant
from ...errors import InvalidArgumentError
from ..rtcp import Fir, FirItem, Pli


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyframeConfig:
    """How eagerly key frames are asked for and made."""

    use_fir: bool = False
    """FIR in place of PLI. Browsers take both and PLI is the one meant for loss."""
    min_interval: float = 0.3
    """Seconds between two requests at least: a key frame costs several times an ordinary frame."""
    max_interval: float = 3.0
    """Seconds between repetitions at most."""
    initial_rtt: float = 0.1
    """Seconds, while none is known."""
    max_requesters: int = 64
    """Senders of FIRs whose last number is remembered; the oldest is forgotten."""

    def __post_init__(self) -> None:
        if not 0 < self.min_interval <= self.max_interval or self.initial_rtt < 0 or self.max_requesters < 1:
            raise InvalidArgumentError("0 < min_interval <= max_interval, initial_rtt >= 0, max_requesters >= 1")


class KeyframeRequester:
    """The asking side, for one received stream."""

    __slots__ = ("_config", "_fir_number", "_last", "_next", "_rtt", "_tries", "media_ssrc", "requests_sent", "wanted")

    def __init__(self, media_ssrc: int, config: KeyframeConfig | None = None) -> None:
        self._config = config or KeyframeConfig()
        self.media_ssrc = media_ssrc
        self._rtt = self._config.initial_rtt
        self._fir_number = 0
        self._last: Instant | None = None
        self._next: Instant = NEVER
        self._tries = 0
        self.wanted = False
        self.requests_sent = 0

    def set_rtt(self, rtt: float) -> None:
        self._rtt = max(rtt, 0.0)

    def request(self, now: Instant) -> None:
        """A key frame is wanted. While one is wanted already, nothing changes."""
        if self.wanted:
            return
        self.wanted = True
        self._tries = 0
        self._fir_number = (self._fir_number + 1) & 0xFF
        self._next = now if self._last is None else max(now, self._last + self._config.min_interval)

    def keyframe_received(self) -> None:
        self.wanted = False
        self._next = NEVER

    def next_timeout(self) -> Instant:
        return self._next

    def message(self, sender_ssrc: int, now: Instant) -> Pli | Fir | None:
        """The request that is due now, or None."""
        if now < self._next:
            return None
        wait = (self._rtt * 1.5) * 2.0 ** min(self._tries, 8)
        self._next = now + min(max(wait, self._config.min_interval), self._config.max_interval)
        self._last = now
        self._tries += 1
        self.requests_sent += 1
        if self._config.use_fir:
            return Fir(sender_ssrc=sender_ssrc, items=(FirItem(self.media_ssrc, self._fir_number),))
        return Pli(sender_ssrc=sender_ssrc, media_ssrc=self.media_ssrc)


class KeyframeDemand:
    """The asked side, for one sent stream: `take(now)` says when the encoder shall make one."""

    __slots__ = ("_config", "_fir_numbers", "_last", "_pending", "ssrc", "wishes_received")

    def __init__(self, ssrc: int, config: KeyframeConfig | None = None) -> None:
        self._config = config or KeyframeConfig()
        self.ssrc = ssrc
        self._fir_numbers: dict[int, int] = {}
        self._last: Instant | None = None
        self._pending = False
        self.wishes_received = 0

    def receive(self, message: Pli | Fir) -> bool:
        """Takes note of a request. Returns: whether it is a new wish for this stream."""
        if isinstance(message, Pli):
            if message.media_ssrc != self.ssrc:
                return False
        elif not self._fir(message):
            return False
        self.wishes_received += 1
        self._pending = True
        return True

    def _fir(self, message: Fir) -> bool:
        new = False
        for item in message.items:
            if item.ssrc != self.ssrc or self._fir_numbers.get(message.sender_ssrc) == item.sequence_number:
                continue
            self._fir_numbers.pop(message.sender_ssrc, None)
            self._fir_numbers[message.sender_ssrc] = item.sequence_number
            if len(self._fir_numbers) > self._config.max_requesters:
                del self._fir_numbers[next(iter(self._fir_numbers))]
            new = True
        return new

    def next_timeout(self) -> Instant:
        if not self._pending:
            return NEVER
        return 0.0 if self._last is None else self._last + self._config.min_interval

    def take(self, now: Instant) -> bool:
        """Whether a key frame shall be made now; if so the wishes so far are honoured."""
        if now < self.next_timeout():
            return False
        self._pending = False
        self._last = now
        return True

    def keyframe_sent(self, now: Instant) -> None:
        """The encoder made one by itself: pending wishes are honoured by it."""
        self._pending = False
        self._last = now
