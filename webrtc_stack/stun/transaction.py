"""When a request is sent again, and when it is given up: the client transaction on explicit time.

Spec: RFC 8489 section 6.2.1 (UDP) and 6.2.2 (reliable transports: one sending, give up after Ti).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base import NEVER, Entropy, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RetransmissionConfig:
    """The schedule. With the defaults a request is sent at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s, given up at 39.5."""

    rto: float = 0.5
    """Seconds to the first retransmission; doubled each time. RFC 8489 wants 500 ms where no RTT is known."""
    rc: int = 7
    """How often it is sent in all."""
    rm: int = 16
    """How many initial RTOs to wait behind the last sending."""
    max_rto: float = NEVER
    """Seconds; where the doubling ends. The RFC has no such end."""

    @classmethod
    def reliable(cls, ti: float = 39.5) -> RetransmissionConfig:
        """Over TCP or TLS: sent once, given up after `ti`."""
        return cls(rto=ti, rc=1, rm=1)


class Transaction:
    """One request on its way. Tell it `sent(now)` for each sending; it says when the next is due.

    `deadline` is when something is to be done: send again while `exhausted` is False, else give up.
    """

    __slots__ = ("_config", "_interval", "deadline", "first_sent", "id", "last_sent", "sends")

    def __init__(self, transaction_id: bytes, config: RetransmissionConfig | None = None) -> None:
        self._config = config or RetransmissionConfig()
        self._interval = self._config.rto
        self.id = transaction_id
        self.sends = 0
        self.first_sent: Instant = 0.0
        self.last_sent: Instant = 0.0
        self.deadline: Instant = 0.0

    def sent(self, now: Instant) -> None:
        """Notes a sending and arms the next deadline."""
        if self.sends == 0:
            self.first_sent = now
        self.sends += 1
        self.last_sent = now
        if self.exhausted:
            self.deadline = now + self._config.rm * self._config.rto
        else:
            self.deadline = now + self._interval
            self._interval = min(self._interval * 2, self._config.max_rto)

    def cancel(self) -> None:
        """No further sending; an answer to what was sent may still come until the deadline."""
        if not self.exhausted:
            self.deadline = self.last_sent + self._config.rm * self._config.rto
            self.sends = self._config.rc

    @property
    def exhausted(self) -> bool:
        """Whether all sendings are spent."""
        return self.sends >= self._config.rc

    def due(self, now: Instant) -> bool:
        """Whether it is time to send (again)."""
        return not self.exhausted and now >= self.deadline

    def expired(self, now: Instant) -> bool:
        """Whether it is time to give up."""
        return self.exhausted and now >= self.deadline

    def rtt(self, now: Instant) -> float | None:
        """The round trip if the answer came at `now`; None after a retransmission, when it would be a guess."""
        return now - self.first_sent if self.first_sent == self.last_sent else None


def new_transaction_id(entropy: Entropy) -> bytes:
    """96 unpredictable bits: what keeps off-path attackers from answering."""
    return entropy.bytes(12)
