"""Keeping paths alive and noticing that they died: consent checks of the selected pair, keepalives of its backups.

The rhythm: one check every `consent_interval` (randomised); while one is unanswered, every `consent_retry`. After three
unanswered ones a pair is *suspect*, and its backups are asked at once whether they could take over.

Three things make it faster: a check from a new address (`doubt`), a pair that is suspect, and a carrier's word that a
path is gone (`Session.fail_path`).

Spec: RFC 7675 sections 5.1 (consent) and 5.2 (revocation by silence), RFC 8445 section 11 (keepalives: a consent
check serves as one). The interval is half of RFC 7675's, for the reason that `IceConfig.consent_interval` gives.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..base import NEVER, Entropy, Instant, random_unit
from .config import IceConfig
from .pair import CandidatePair


class Consent:
    """Policy over the fields of pairs; holds no state of its own but the generator."""

    __slots__ = ("_config", "_entropy", "_expiry", "_silence", "asks")

    def __init__(self, config: IceConfig, entropy: Entropy) -> None:
        self._config = config
        self._entropy = entropy
        self.asks = not config.lite
        """As lite we never ask: the peer's checks are its consent."""
        self._silence = config.lite_disconnected_timeout if config.lite else config.disconnected_timeout
        self._expiry = config.consent_timeout

    def trust(self) -> None:
        """Both sides are lite: nobody asks, and nothing ever expires."""
        self._silence = self._expiry = NEVER

    def heard(self, pair: CandidatePair, now: Instant) -> None:
        """As lite: the peer checked on this pair."""
        pair.answered_at = now

    def doubt(self, pair: CandidatePair, now: Instant) -> None:
        """The peer was seen at a new address: ask in haste whether it has left this one."""
        if self.asks and not pair.doubted:
            pair.doubted = True
            pair.probe_at = now

    def _randomised(self, mean: float) -> float:
        return mean * (0.8 + 0.4 * random_unit(self._entropy))

    def answered(self, pair: CandidatePair, sent_at: Instant, now: Instant, *, selected: bool) -> None:
        """The peer answered on this pair what was sent at `sent_at`."""
        pair.answered_at = max(pair.answered_at, sent_at)
        pair.unanswered = 0
        pair.doubted = False
        mean = self._config.consent_interval if selected else self._config.backup_interval
        pair.probe_at = now + self._randomised(mean)

    def promoted(self, pair: CandidatePair, now: Instant) -> None:
        """A backup was selected: ask it at once. Its last answer may be old, but there was a reason to select it."""
        if pair.suspect:
            return  # nobody better was left; it is being asked already
        if pair.answered_at < now - self._config.consent_interval:
            pair.probe_at = now
            pair.promoted_at = now
        else:
            pair.probe_at = min(pair.probe_at, now + self._randomised(self._config.consent_interval))

    def probed(self, pair: CandidatePair, now: Instant, *, selected: bool, urgent: bool) -> None:
        """A consent check leaves on this pair. `urgent`: the selected pair is suspect."""
        if pair.unanswered == 0:
            pair.silent_since = now
        pair.unanswered += 1
        pair.consent_requests_sent += 1
        haste = pair.doubted and not pair.suspect
        retry = max(self._config.doubt_retry if haste else self._config.consent_retry, 2 * (pair.rtt or 0.0))
        if not selected and not urgent:
            retry = min(retry * 2**pair.unanswered, self._config.backup_interval)
        pair.probe_at = now + retry

    def watched(self, selected: CandidatePair | None, pairs: Iterable[CandidatePair]) -> list[CandidatePair]:
        """The selected pair, and the best valid others up to the limit."""
        if selected is None or not self.asks:
            return []
        backups = [pair for pair in pairs if pair.valid and pair is not selected]
        if len(backups) > self._config.max_backups:
            backups.sort(key=lambda pair: (-pair.priority, pair.number))
            del backups[self._config.max_backups :]
        return [selected, *backups]

    def alarm(self, backups: Iterable[CandidatePair], now: Instant) -> None:
        """The selected pair is suspect: ask the others now."""
        for pair in backups:
            if pair.unanswered == 0:
                pair.probe_at = now

    def receiving(self, pair: CandidatePair, now: Instant) -> bool:
        """Whether the pair was answered recently enough to count as connected."""
        return now < max(pair.answered_at, pair.promoted_at) + self._silence

    def expired(self, pair: CandidatePair, now: Instant) -> bool:
        """Whether consent to send is gone."""
        return now >= pair.answered_at + self._expiry

    def next_change(self, pair: CandidatePair, now: Instant) -> Instant:
        """When `receiving` or `expired` may change by silence alone."""
        silent_at = max(pair.answered_at, pair.promoted_at) + self._silence
        expires_at = pair.answered_at + self._expiry
        return min((at for at in (silent_at, expires_at) if at > now), default=NEVER)
