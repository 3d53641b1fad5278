"""NewReno congestion control on bytes.

Spec: RFC 9260 section 7.2 (slow start, avoidance, fast recovery, idle decay) and section 6.1 D (bursts).

Differences, on purpose:
* Slow start grows by the bytes acknowledged, not by one MTU a SACK: a limit per SACK would depend on how the peer's
  driver batches. What it may release at once is bounded by the burst ceiling.
* The burst ceiling moves with the acknowledged bytes for the same reason; it never lowers `cwnd` itself.
* The window grows only while it is what limits sending (congestion window validation, RFC 7661 in spirit).
"""

from __future__ import annotations

from ..base import Instant


class Congestion:
    """One path's window. Units: bytes of chunks, headers and padding included."""

    __slots__ = (
        "_burst",
        "_burst_flight",
        "_burst_used_up",
        "_initial",
        "_maximum",
        "_minimum",
        "_mtu",
        "ceiling",
        "cwnd",
        "last_sent",
        "partial_bytes_acked",
        "recovery_exit",
        "ssthresh",
    )

    def __init__(
        self, mtu: int, *, initial_packets: int, minimum_packets: int, burst_packets: int, maximum_bytes: int
    ) -> None:
        self._mtu = mtu
        self._initial = initial_packets * mtu
        self._minimum = minimum_packets * mtu
        self._burst = burst_packets * mtu
        self._maximum = max(maximum_bytes, self._initial)
        self.cwnd = self._initial
        self.ssthresh = self._maximum
        self.partial_bytes_acked = 0
        self.recovery_exit: int | None = None
        """Fast recovery lasts until this TSN is acknowledged; None outside."""
        self.ceiling = self._burst
        """No more than this may be in flight until the next acknowledgment."""
        self.last_sent: Instant = 0.0
        self._burst_flight = 0
        self._burst_used_up = False

    def limit_slow_start(self, peer_window: int) -> None:
        """`ssthresh` begins at what the peer can take (RFC 9260 section 7.2.1)."""
        self.ssthresh = min(self._maximum, max(peer_window, self._minimum))

    @property
    def window(self) -> int:
        """How much may be in flight now."""
        return self.cwnd if self.cwnd < self.ceiling else self.ceiling

    def begin_burst(self, flight: int) -> None:
        """The first packets since we could send are about to be taken.

        All SACKs up to the next poll are one permission: one by one the later ones would look like a window that is
        not used, and release a burst for two packets only.
        """
        self._burst_flight = flight
        self._burst_used_up = flight + self._mtu >= self.cwnd

    def on_sack(self, acked: int, flight_before: int, cumulative_tsn: int, advanced: bool) -> None:
        """`acked` bytes left the network for good; `flight_before` were in it until then."""
        self.ceiling = max(flight_before, self._burst_flight) + self._burst
        if self.recovery_exit is not None:
            if cumulative_tsn >= self.recovery_exit:
                self.recovery_exit = None
            return
        # Validation: a window that was not used up says nothing about a larger one.
        used_up = self._burst_used_up or flight_before + self._mtu >= self.cwnd
        if not (acked and advanced and used_up) or self.cwnd >= self._maximum:
            return
        if self.cwnd <= self.ssthresh:
            self.cwnd = min(self.cwnd + acked, self._maximum)
            self.partial_bytes_acked = 0
        else:
            self.partial_bytes_acked += acked
            if self.partial_bytes_acked >= self.cwnd:
                self.partial_bytes_acked -= self.cwnd
                self.cwnd = min(self.cwnd + self._mtu, self._maximum)

    def on_all_acknowledged(self) -> None:
        self.partial_bytes_acked = 0

    def on_loss(self, highest_outstanding: int) -> bool:
        """A chunk was reported missing three times. Returns: whether fast recovery begins."""
        if self.recovery_exit is not None:
            return False
        self.recovery_exit = highest_outstanding
        self.ssthresh = max(self.cwnd // 2, self._minimum)
        self.cwnd = self.ssthresh
        self.partial_bytes_acked = 0
        return True

    def on_timeout(self) -> None:
        """The retransmission timer expired: back to one packet."""
        self.ssthresh = max(self.cwnd // 2, self._minimum)
        self.cwnd = self._mtu
        self.partial_bytes_acked = 0
        self.recovery_exit = None
        self.ceiling = self._burst

    def on_send(self, flight: int, now: Instant, rto: float) -> None:
        """Something new is to be sent; after idle time the old window is no longer believed."""
        if flight == 0 and now - self.last_sent > rto:
            periods = min(int((now - self.last_sent) / rto), 64)
            floor = min(self.cwnd, self._initial)
            self.cwnd = max(self.cwnd >> periods, floor)
            self.ceiling = self._burst
        self.last_sent = now
