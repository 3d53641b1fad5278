"""Choosing: which valid pair carries data, and when we nominate it.

Data flows on the best valid pair from the first one on; nomination only makes the choice lasting, so it never delays
a connection. As controlling we nominate once nothing better can plausibly come; as controlled we follow the peer.

A nominated pair that works is left for one reason only: it is relayed, or runs over TCP, and a direct one works. That
can happen twice at most, for each move goes up a tier; a pair that then falls silent rests before it is tried again.

Spec: RFC 8445 sections 8.1.1 (nomination), 8.1.2 (concluding), 12.1 (sending before it is concluded). Peers that
nominate in every check (Chromium, RFC 5245's aggressive nomination) are served by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..base import Instant
from ..trace import Trace
from .checklist import Checklist
from .checks import CheckBook, Purpose
from .config import IceConfig
from .consent import Consent
from .pair import CandidatePair, PairState, Tier
from .state import IceCounters, Role

_LONG_LIFE: Final = 600.0
"""Seconds; a pair selected for longer has made good for having fallen silent before."""


class Selector:
    """The selected pair of a session, and the nomination under way."""

    __slots__ = (
        "_book",
        "_checklist",
        "_config",
        "_consent",
        "_counters",
        "_first_valid_at",
        "_role",
        "_trace",
        "ever_selected",
        "nominating",
        "pending",
        "retired",
        "selected",
    )

    def __init__(
        self,
        config: IceConfig,
        *,
        role: Role,
        checklist: Checklist,
        book: CheckBook,
        consent: Consent,
        counters: IceCounters,
        trace: Trace,
    ) -> None:
        self._config = config
        self._role = role
        self._checklist = checklist
        self._book = book
        self._consent = consent
        self._counters = counters
        self._trace = trace
        self._first_valid_at: Instant | None = None
        self.selected: CandidatePair | None = None
        self.ever_selected = False
        self.nominating: CandidatePair | None = None
        """The pair whose nomination was begun and not answered."""
        self.pending = False
        """The nomination of `nominating` is still to be sent."""
        self.retired = False
        """Keep the pair there is: a newer session chooses."""

    # --- which pair carries data --------------------------------------------------------------------------------

    def reselect(self, now: Instant) -> None:
        """Chooses the pair to send on: the best nominated one that lives, before that the best valid one."""
        current = self.selected
        valid = [pair for pair in self._checklist.pairs.values() if pair.valid]
        if valid and self._first_valid_at is None:
            self._first_valid_at = now
        chosen: CandidatePair | None
        suspect = current is not None and current.valid and current.suspect
        if current is not None and suspect:
            # Only a pair that was alive after this one fell silent is known to be better.
            silent = current.silent_since
            later = [
                pair
                for pair in valid
                if not pair.suspect and (pair.answered_at >= silent or pair.use_candidate_at >= silent)
            ]
            chosen = self._best(later) or current
        else:
            chosen = self._best(self._rested([pair for pair in valid if not pair.suspect] or valid, now))
            settled = chosen is not None and current is not None and current.valid and current.nominated
            # What was nominated stays, unless a controlling peer moved on.
            if settled and (self._role.controlling or not self._moved(chosen, current)):
                chosen = current
        if chosen is not current:
            if current is not None and suspect:
                self._send_to_rest(current, now)
            self.selected = chosen
            if chosen is not None:
                chosen.selected_at = now
                self.ever_selected = True
                self._counters.selections += 1
                self._consent.promoted(chosen, now)
                if self._trace:
                    self._trace.event(now, "pair_selected", pair=str(chosen), nominated=chosen.nominated)
        self.consider_nomination(now)

    def _rested(self, pairs: list[CandidatePair], now: Instant) -> list[CandidatePair]:
        """As controlling: without those that came and went, if others are left. Controlled, the peer decides."""
        if not self._role.controlling:
            return pairs
        return [pair for pair in pairs if pair.rests_until <= now or pair is self.selected] or pairs

    def _send_to_rest(self, pair: CandidatePair, now: Instant) -> None:
        """A pair that was selected fell silent: the sooner and the more often, the longer it is left alone."""
        if now > pair.selected_at + _LONG_LIFE:
            pair.falls = 0
        pair.rests_until = now + self._config.return_rest * 2**pair.falls
        pair.falls = min(pair.falls + 1, 5)

    def _best(self, pairs: Iterable[CandidatePair]) -> CandidatePair | None:
        fresh = 0.0
        if not self._role.controlling:
            # The controlling side decides: its latest nomination counts when the others are clearly older.
            pairs = list(pairs)
            latest = max((pair.use_candidate_at for pair in pairs if pair.nominated), default=0.0)
            fresh = latest - self._config.nomination_follow
        return max(
            pairs,
            key=lambda pair: (
                pair.nominated and pair.use_candidate_at >= fresh,
                pair.nominated,
                pair.priority,
                -pair.number,
            ),
            default=None,
        )

    def _moved(self, chosen: CandidatePair | None, current: CandidatePair | None) -> bool:
        """As controlled: whether the peer's nomination went from `current` to `chosen`."""
        if chosen is None or current is None:
            return True
        return chosen.nominated and (
            chosen.priority > current.priority
            or chosen.use_candidate_at > current.use_candidate_at + self._config.nomination_follow
        )

    # --- nomination ---------------------------------------------------------------------------------------------

    @property
    def awaits_nomination(self) -> bool:
        """As controlling: the selected pair is neither nominated nor about to be."""
        pair = self.selected
        return (
            self._role.controlling
            and pair is not None
            and not pair.nominated
            and self.nominating is not pair
            and not self.retired
        )

    def consider_nomination(self, now: Instant) -> None:
        """As controlling: nominates the selected pair once nothing better can plausibly come; later on a better one."""
        pair = self.selected
        if pair is not None and pair.nominated and self.nominating is None:
            self._consider_improvement(pair, now)
            return
        if pair is None or not self.awaits_nomination:
            return
        patient = self._first_valid_at is not None and now < self._first_valid_at + self._patience(pair)
        if patient and self._better_may_come(pair, now):
            return
        if self.nominating is not None:
            self._book.cancel(self.nominating, Purpose.NOMINATE)
        self.nominating = pair
        self.pending = True

    def _consider_improvement(self, current: CandidatePair, now: Instant) -> None:
        """A direct pair that works is nominated in place of a relayed or TCP one; data moves once the peer agreed.

        Browsers follow as controlled: Chromium the latest nomination, Firefox one of higher priority, which a direct
        pair has. RFC 8445 section 8.1.1 leaves no way but a restart, which would cost them more.
        """
        if not self._role.controlling or self.retired or current.tier is Tier.DIRECT:
            return
        better = [
            pair
            for pair in self._checklist.pairs.values()
            if pair.valid and pair.tier > current.tier and not pair.suspect and pair.rests_until <= now
        ]
        if better:
            self.nominating = max(better, key=lambda pair: (pair.priority, -pair.number))
            self.pending = True

    def _patience(self, pair: CandidatePair) -> float:
        return self._config.nomination_patience if pair.tier is Tier.DIRECT else self._config.detour_patience

    def _better_may_come(self, pair: CandidatePair, now: Instant) -> bool:
        """Whether a pair of higher priority is untried, or was tried so recently that its answer is not overdue."""
        tier = pair.tier
        if tier is not Tier.DIRECT:
            if now < (self._first_valid_at or 0.0) + self._config.nomination_patience:
                return True  # nothing was tried long enough; candidates of the peer may be on their way
            # A direct path is worth more patience, as long as one may still work: it may need its check repeated.
            return any(
                other.tier > tier and not other.valid and other.state is not PairState.FAILED
                for other in self._checklist.pairs.values()
            )
        fair_time = 2 * (pair.rtt or 0.0) + self._config.pacing_interval
        for other in self._checklist.pairs.values():
            if other.priority <= pair.priority or other.valid or other.state is PairState.FAILED:
                continue
            if other.state is not PairState.IN_PROGRESS:
                return True
            check = self._book.get(other.transaction_id or b"")
            if check is not None and now < check.transaction.first_sent + fair_time:
                return True
        return False

    def next_thought(self, now: Instant) -> Instant:
        """When nomination is to be thought over again: an eighth of the patience at a time."""
        patience = self._config.nomination_patience if self.selected is None else self._patience(self.selected)
        end = now if self._first_valid_at is None else self._first_valid_at + patience
        return min(end, now + max(patience / 8, 0.001))

    def nomination_answered(self, pair: CandidatePair) -> None:
        if pair is not self.nominating and pair is not self.selected:
            return  # an answer of before we moved on
        for other in self._checklist.pairs.values():
            other.nominated = other is pair
        if self.nominating is pair:
            self.drop_nomination()

    def nomination_failed(self, pair: CandidatePair, now: Instant, refused: str | None) -> None:
        """No answer, or a refusal: tried again while the pair is otherwise alive, else the pair is given up."""
        if self.nominating is not pair:
            return
        if refused is None and self.selected is pair and not pair.suspect:
            self.pending = True
            return
        self.drop_nomination()
        self._checklist.fail(pair, refused or "no answer to its nomination")
        self.reselect(now)

    def drop_nomination(self) -> None:
        """Forgets the nomination under way: answered, or void after a change of role."""
        self.nominating = None
        self.pending = False

    def forget(self, pair: CandidatePair) -> None:
        """A pair is gone; call `reselect` afterwards."""
        if self.nominating is pair:
            self.drop_nomination()
        if self.selected is pair:
            self.selected = None
