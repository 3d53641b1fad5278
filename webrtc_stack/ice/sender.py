"""Sending checks: builds requests for pairs, repeats them, and asks for consent.

Spec: RFC 8445 section 7.2.2 (forming checks), 14 (timers); RFC 7675 section 5.1.
"""

from __future__ import annotations

from typing import Final

from ..base import Entropy, IceParameters, Instant, Transmit
from ..stun import RetransmissionConfig, Transaction, new_transaction_id
from ..trace import Trace
from .checks import Check, CheckBook, Purpose, build_check
from .config import IceConfig
from .pair import CandidatePair
from .state import IceCounters, Role

_CONSENT_SCHEDULE: Final = RetransmissionConfig(rto=5.0, rc=1, rm=1)
"""A consent check is sent once; its answer counts for 5 s."""


class CheckSender:
    """Builds and books requests of one session."""

    __slots__ = (
        "_book",
        "_counters",
        "_entropy",
        "_local",
        "_role",
        "_schedule",
        "_stream_schedule",
        "_trace",
        "remote",
    )

    def __init__(
        self,
        config: IceConfig,
        *,
        role: Role,
        local: IceParameters,
        book: CheckBook,
        entropy: Entropy,
        counters: IceCounters,
        trace: Trace,
    ) -> None:
        self._schedule = RetransmissionConfig(rto=config.check_rto, rc=config.check_rc, max_rto=config.check_max_rto)
        self._stream_schedule = RetransmissionConfig.reliable(config.tcp_check_timeout)
        self._role = role
        self._local = local
        self._book = book
        self._entropy = entropy
        self._counters = counters
        self._trace = trace
        self.remote: IceParameters | None = None

    def request(self, pair: CandidatePair, purpose: Purpose, now: Instant, *, use_candidate: bool = False) -> Transmit:
        """A new request on this pair."""
        assert self.remote is not None
        controlling = self._role.controlling
        transaction_id = new_transaction_id(self._entropy)
        data = build_check(
            transaction_id,
            self._local,
            self.remote,
            priority=pair.base.check_priority,
            controlling=controlling,
            tie_breaker=self._role.tie_breaker,
            use_candidate=use_candidate,
        )
        if purpose is Purpose.CONSENT:
            schedule = _CONSENT_SCHEDULE
        else:
            schedule = self._stream_schedule if pair.base.origin.transport == "tcp" else self._schedule
        transaction = Transaction(transaction_id, schedule)
        transaction.sent(now)
        self._book.add(Check(transaction, pair, purpose, controlling, use_candidate, data))
        if purpose is Purpose.CHECK:
            pair.transaction_id = transaction_id
        pair.requests_sent += 1
        self._counters.requests_sent += 1
        if self._trace:
            self._trace.event(now, "check_sent", pair=str(pair), purpose=purpose.value, use_candidate=use_candidate)
        return Transmit(pair.path, data)

    def repeat(self, now: Instant, limit: int, out: list[Transmit]) -> None:
        """Appends the retransmissions that are due."""
        for check in self._book.due(now):
            if len(out) >= limit:
                return
            check.transaction.sent(now)
            check.pair.requests_sent += 1
            check.pair.retransmissions += 1
            self._counters.requests_sent += 1
            self._counters.retransmissions += 1
            if self._trace:
                self._trace.event(now, "check_retransmitted", pair=str(check.pair), sends=check.transaction.sends)
            out.append(Transmit(check.pair.path, check.data))
