"""One ICE session: everything between two sets of credentials. A restart makes a new one.

The session pairs candidates, checks pairs, answers the peer's checks, nominates, selects, and keeps what it selected
alive. It owns no clock: the agent arms the deadlines that `rearm` computes from the state, and calls `expire` and
`transmit` when they come.

As lite (`IceConfig.lite`) it forms no pairs and checks nothing: the peer's checks make the pairs, its nominations
choose among them, and their coming is what keeps a pair alive.

Spec: RFC 8445 sections 6.1 (checklist), 7.2 (client side of checks), 8 (nomination; 8.2 for lite), 12.1 (data on any
valid pair); RFC 6544 section 7 (checks over TCP); RFC 8838; RFC 8863. Left out: several components (rtcp-mux is a
must here) and several streams (one bundle), hence no checklist set; renomination by RFC draft.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..base import (
    NEVER,
    Address,
    Candidate,
    Deadlines,
    Drops,
    Entropy,
    IceParameters,
    Instant,
    PathId,
    SocketId,
    Transmit,
)
from ..stun import ErrorCode, Message, MessageClass
from ..trace import Trace
from .answering import Answering, IncomingCheck
from .candidates import Base, Remote, is_usable_remote, may_pair
from .checklist import Checklist
from .checks import Check, CheckBook, Purpose
from .config import IceConfig
from .consent import Consent
from .explaining import explain_failure
from .locals import LocalCandidates
from .pair import CandidatePair, PairState, Tier
from .remotes import RemoteCandidates
from .selection import Selector
from .sender import CheckSender
from .state import IceCounters, Role, Timer, TimerKey


class Session:
    """See the module's docstring. `number` counts generations from 0."""

    __slots__ = (
        "_book",
        "_config",
        "_consent",
        "_drops",
        "_last_check_at",
        "_locals",
        "_lost_at",
        "_retries",
        "_retry_at",
        "_role",
        "_role_changed",
        "_selector",
        "_sender",
        "_timers",
        "_trace",
        "_waiting_since",
        "answering",
        "checklist",
        "counters",
        "failed",
        "failure_reason",
        "local",
        "local_complete",
        "number",
        "remote",
        "remote_complete",
        "remotes",
        "retired",
        "started_at",
    )

    def __init__(
        self,
        config: IceConfig,
        *,
        number: int,
        local: IceParameters,
        role: Role,
        locals_: LocalCandidates,
        timers: Deadlines[TimerKey],
        entropy: Entropy,
        trace: Trace,
        counters: IceCounters,
        drops: Drops,
        role_changed: Callable[[Instant], None],
    ) -> None:
        self._config = config
        self._locals = locals_
        self._timers = timers
        self._trace = trace
        self._drops = drops
        self._role = role
        self._role_changed = role_changed
        self._consent = Consent(config, entropy.fork("consent"))
        self._book = CheckBook(config.max_transactions)
        self._last_check_at: Instant = -NEVER
        self._waiting_since: Instant = 0.0
        """When checking last got something new: the start of `check_deadline`."""
        self._lost_at: Instant = 0.0
        self.number = number
        self.local = local
        self.remote: IceParameters | None = None
        self.remotes = RemoteCandidates(config.max_remote_candidates, config.max_peer_reflexive)
        self.remote_complete = False
        self.checklist = Checklist(config.paths, config.max_pairs)
        self.counters = counters
        self.answering = Answering(
            config,
            local=local,
            role=role,
            checklist=self.checklist,
            counters=counters,
            drops=drops,
            trace=trace,
            switch_role=self.switch_role,
        )
        self._selector = Selector(
            config,
            role=role,
            checklist=self.checklist,
            book=self._book,
            consent=self._consent,
            counters=counters,
            trace=trace,
        )
        self._sender = CheckSender(
            config, role=role, local=local, book=self._book, entropy=entropy, counters=counters, trace=trace
        )
        self.started_at: Instant | None = None
        self.failed = False
        self.failure_reason: str | None = None
        self._retry_at: Instant = NEVER
        self._retries = 0
        self.local_complete = False
        """Our own gathering is complete: nothing more of ours may come."""
        self.retired = False
        """A newer session took over the candidates: answer and keep the selected pair, but check nothing new."""

    @property
    def selected(self) -> CandidatePair | None:
        """The pair that carries data."""
        return self._selector.selected

    @property
    def ever_selected(self) -> bool:
        return self._selector.ever_selected

    # --- what signalling brings ---------------------------------------------------------------------------------

    def start(self, remote: IceParameters, now: Instant) -> None:
        """Takes the peer's parameters, pairs what is known, and honours the checks that came before."""
        self.remote = self._sender.remote = remote
        self.started_at = now
        self._waiting_since = now
        if self._config.lite and remote.lite:
            self._consent.trust()
        for candidate in self.remotes.all:
            self._pair_remote(candidate, now)
        for check in self.answering.take_early():
            if check.ufrag == remote.ufrag:
                self._check_arrived(check, now)
            else:
                self._drops.add("early check of another peer")

    def add_remote(self, candidate: Candidate, address: Address, now: Instant) -> None:
        """Takes a signalled candidate whose address is known."""
        if not is_usable_remote(address):
            self.ignore(candidate, f"no peer can be reached at {address}", "unusable remote candidate", now)
            return
        remote = self.remotes.signalled(candidate, address)
        if remote is None:
            self.ignore(candidate, "there are too many", "too many remote candidates", now)
        elif self.remote is not None:
            self.checklist.prioritize(self._role.controlling)  # a learned one may have got its true priority
            self._pair_remote(remote, now)

    def ignore(self, candidate: Candidate, reason: str, drop: str, now: Instant) -> None:
        """A signalled candidate is not used: in words, for who asks why, and counted."""
        self.remotes.ignore(candidate, reason)
        self._drop(now, drop)

    @property
    def pairs_up(self) -> bool:
        """Whether candidates make pairs: a lite agent leaves that to the peer, unless it is lite as well."""
        return not self.retired and self.remote is not None and (not self._config.lite or self.remote.lite)

    def _pair_remote(self, remote: Remote, now: Instant) -> None:
        if not self.pairs_up:
            return
        own = self._locals.own_hosts
        for base in self._locals.bases.values():
            if may_pair(base, remote, own):
                self._add_pair(base, remote, now)

    def add_base(self, base: Base, now: Instant) -> None:
        """Pairs a new local address with all that is known of the peer."""
        if not self.pairs_up:
            return
        own = self._locals.own_hosts
        for remote in self.remotes.all:
            if may_pair(base, remote, own):
                self._add_pair(base, remote, now)

    def remove_base(self, socket: SocketId, now: Instant) -> None:
        """Forgets all pairs of a local address that is gone."""
        for pair in [one for one in self.checklist.pairs.values() if one.base.socket == socket]:
            self._remove_pair(pair)
        self._selector.reselect(now)
        self._consider_loss(now)

    def fail_path(self, path: PathId, reason: str, now: Instant) -> None:
        """Nothing can be sent on this path: its pair fails at once, another one takes over."""
        pair = self.checklist.pairs.get(path)
        if pair is None:
            return
        self._book.forget(pair)
        self._selector.forget(pair)
        self.checklist.fail(pair, reason)
        if self._trace:
            self._trace.event(now, "pair_failed", pair=str(pair), reason=reason)
        self._selector.reselect(now)
        self._consider_loss(now)

    def _consider_loss(self, now: Instant) -> None:
        """The selected pair is gone and none is left: what failed before may work now, and other addresses may come
        up, of which the peer will learn by our checks."""
        if not self.ever_selected or self.selected is not None or self.failed:
            return
        self._waiting_since = self._lost_at = now
        if self._may_check:
            for pair in self.checklist.pairs.values():
                if pair.state is PairState.FAILED and pair.tried_at < now:
                    pair.tried_at = now
                    self.checklist.trigger(pair)

    def _add_pair(self, base: Base, remote: Remote, now: Instant) -> CandidatePair | None:
        formed = self.checklist.formed
        pair, evicted = self.checklist.add(base, remote, self._role.controlling)
        if evicted is not None:
            self._book.forget(evicted)
        if pair is None:
            self._drop(now, "too many pairs")
        elif self.checklist.formed > formed:
            self.counters.pairs_formed += 1
            if not remote.learned:
                self._waiting_since = now
            if self._trace:
                self._trace.event(now, "pair_formed", pair=str(pair), priority=pair.priority, state=pair.state.value)
            if self._config.lite and self.remote is not None and self.remote.lite:
                self._take_untried(pair, now)
        return pair

    def _take_untried(self, pair: CandidatePair, now: Instant) -> None:
        """Both sides are lite: nobody checks, so the best pair is taken on trust (RFC 8445 section 8.2.2)."""
        self.checklist.succeeded(pair)
        best = max(self.checklist.pairs.values(), key=lambda one: (one.priority, -one.number))
        for one in self.checklist.pairs.values():
            one.nominated = one is best
        self._selector.reselect(now)

    def _remove_pair(self, pair: CandidatePair) -> None:
        self._book.forget(pair)
        self._selector.forget(pair)
        self.checklist.remove(pair)

    # --- the peer's requests ------------------------------------------------------------------------------------

    def receive_request(
        self, request: Message, path: PathId, base: Base, source: Address, peer_ufrag: str, now: Instant
    ) -> None:
        """Handles a Binding request whose integrity was found right."""
        check = self.answering.receive(request, path, base, source, peer_ufrag, self.remote, now, settled=self.retired)
        if check is None:
            return
        if self.failed or (self.retired and path not in self.checklist.pairs):
            self._drop(now, "check for an ended session")
        else:
            self._check_arrived(check, now)

    def switch_role(self, controlling: bool, now: Instant) -> None:
        """Changes the role: priorities follow, nominations of the old role are void."""
        if self._role.controlling == controlling:
            return
        self._role.controlling = controlling
        self.checklist.prioritize(controlling)
        self._selector.drop_nomination()
        for pair in self.checklist.pairs.values():
            self._book.cancel(pair, Purpose.NOMINATE)
        if self._trace:
            self._trace.event(now, "role_changed", controlling=controlling)
        self._role_changed(now)

    def _check_arrived(self, check: IncomingCheck, now: Instant) -> None:
        pair = self.checklist.pairs.get(check.path)
        if pair is None:
            base = self._locals.bases.get(check.socket)
            if base is None:
                return
            transport = base.origin.transport
            remote = self.remotes.get(check.source, transport) or self._learn(check, transport, now)
            if remote is None:
                return
            pair = self._add_pair(base, remote, now)
            if pair is None:
                return
        pair.requests_received += 1
        pair.vouched = True
        if self._config.lite:
            self._heard_as_lite(pair, check, now)
            return
        if check.use_candidate and not self._role.controlling:
            pair.use_candidate_at = now
            if pair.valid:
                pair.nominated = True
                self._selector.reselect(now)
            else:
                pair.nominate_on_success = True
        if not pair.valid:
            if pair.state is PairState.IN_PROGRESS:
                if pair.base.origin.transport == "tcp":
                    return  # streams lose nothing: the answer comes
                # What was sent before the peer opened its NAT towards us is probably lost: check again at once.
                self._book.cancel(pair, Purpose.CHECK)
            self.checklist.trigger(pair)
        elif pair.suspect:
            pair.probe_at = now  # the peer is there after all: ask at once whether it hears us

    def _heard_as_lite(self, pair: CandidatePair, check: IncomingCheck, now: Instant) -> None:
        """A full peer checked on this pair; its nomination makes the pair ours (RFC 8445 section 7.3.2)."""
        self._consent.heard(pair, now)
        if check.use_candidate and not self._role.controlling:
            pair.use_candidate_at = now
            if not pair.valid:
                self.checklist.succeeded(pair)
            pair.nominated = True
        self._selector.reselect(now)

    def _learn(self, check: IncomingCheck, transport: str, now: Instant) -> Remote | None:
        """A remote candidate that nobody signalled: peer-reflexive."""
        if not is_usable_remote(check.source):
            self._drop(now, "unusable source")
            return None
        if not self._make_room_to_learn():
            self._drop(now, "too many peer-reflexive candidates")
            return None
        self.counters.peer_reflexive += 1
        if self._trace:
            self._trace.event(now, "peer_reflexive_learned", address=str(check.source), priority=check.priority)
        return self.remotes.learn(check.source, check.priority, transport)

    def _make_room_to_learn(self) -> bool:
        """When there are too many learned candidates, the oldest that never worked goes, with its pairs."""
        for remote in self.remotes.oldest_learned:
            pairs = [pair for pair in self.checklist.pairs.values() if pair.remote is remote]
            if not any(pair.valid for pair in pairs):
                for pair in pairs:
                    self._remove_pair(pair)
                self.remotes.forget(remote)
                break
        return self.remotes.may_learn

    # --- the peer's responses -----------------------------------------------------------------------------------

    def receive_response(self, message: Message, path: PathId, now: Instant) -> bool:
        """Handles a response. False if the transaction is not of this session."""
        check = self._book.get(message.transaction_id)
        if check is None:
            return False
        if path != check.pair.path:
            self._drop(now, "response on another path")
            return True
        if self.remote is None or not message.has_fingerprint or not message.verify(self.remote.pwd.encode()):
            # A forged one must not end the transaction; the true one may follow.
            self._drop(now, "response integrity")
            return True
        self._book.remove(check)
        check.pair.responses_received += 1
        self.counters.responses_received += 1
        if message.message_class is MessageClass.ERROR_RESPONSE:
            self._check_refused(check, message, now)
        elif message.unknown_required() or message.mapped_address is None:
            self._drop(now, "unusable response")
            self._check_failed(check, now, "the peer's answer says nothing of our address")
        else:
            self._check_answered(check, message.mapped_address, now)
        return True

    def _check_refused(self, check: Check, message: Message, now: Instant) -> None:
        error = message.error
        code = error.code if error is not None else 0
        if self._trace:
            self._trace.event(now, "check_refused", pair=str(check.pair), code=code, purpose=check.purpose.value)
        if code == ErrorCode.ROLE_CONFLICT and not self.retired:
            self.counters.role_conflicts += 1
            self.switch_role(not check.controlling, now)
            if check.purpose is Purpose.CHECK:
                self.checklist.trigger(check.pair)
        elif check.purpose is not Purpose.CONSENT:
            self._check_failed(check, now, f"the peer refused: {code}" if code else "the peer refused")

    def _check_failed(self, check: Check, now: Instant, reason: str | None = None) -> None:
        """No answer, or, with a `reason`, one that ends it."""
        pair = check.pair
        if check.purpose is Purpose.CHECK:
            if pair.transaction_id == check.transaction.id and pair.state is PairState.IN_PROGRESS:
                self.checklist.fail(pair, reason or f"no answer to {check.transaction.sends} checks")
                if self._trace:
                    self._trace.event(now, "pair_failed", pair=str(pair), reason=pair.failure)
        elif check.purpose is Purpose.NOMINATE:
            self._selector.nomination_failed(pair, now, reason)

    def _check_answered(self, check: Check, mapped: Address, now: Instant) -> None:
        pair = check.pair
        rtt = check.transaction.rtt(now)
        if rtt is not None:
            pair.measured(rtt)
        if not pair.valid:
            self._book.cancel(pair, Purpose.CHECK)
            self.checklist.succeeded(pair)
            pair.local = self._locals.seen_as(pair.base, mapped)
            selected = self.selected
            if selected is not None and selected is not pair and pair.remote.learned:
                self._consent.doubt(selected, now)  # a new address of the peer: a NAT may have forgotten the old one
            if self._trace:
                self._trace.event(now, "pair_succeeded", pair=str(pair), rtt=rtt, mapped=str(mapped))
        self._consent.answered(pair, check.transaction.last_sent, now, selected=pair is self.selected)
        if check.use_candidate and check.controlling and self._role.controlling:
            self._selector.nomination_answered(pair)
        if pair.nominate_on_success and not self._role.controlling:
            pair.nominated = True
        self._selector.reselect(now)

    # --- time ---------------------------------------------------------------------------------------------------

    def expire(self, now: Instant) -> None:
        """Does what time alone brings about."""
        for check in self._book.take_expired(now):
            self._check_failed(check, now)
        had_one = self.selected is not None
        expired = [p for p in self.checklist.pairs.values() if p.valid and self._consent.expired(p, now)]
        for pair in expired:
            self.checklist.fail(pair, "consent expired")
            self._selector.forget(pair)
            if self._trace:
                self._trace.event(now, "consent_expired", pair=str(pair))
        if expired:
            self._selector.reselect(now)
            if had_one and self.selected is None:
                self._fail(now, f"consent expired: {self._silence_in_words} on any pair that had worked")
        if self.selected is None and not self.failed and not self.retired and now >= self._give_up_at():
            self._fail(now, explain_failure(self, self._locals))
        if now >= self._retry_at:
            self._retry(now)
        self._selector.consider_nomination(now)

    @property
    def _silence_in_words(self) -> str:
        seconds = f"{self._config.consent_timeout:g} s"
        return f"no check came for {seconds}" if self._config.lite else f"no check was answered for {seconds}"

    def _retry(self, now: Instant) -> None:
        """Puts the better pair up for a check that has waited longest for it."""
        self._retries += 1
        self._retry_at = NEVER
        worse = self._worth_retrying()
        if worse:
            pair = min(worse, key=lambda one: (one.tried_at, -one.priority, one.number))
            pair.tried_at = now
            self.checklist.trigger(pair)

    def _worth_retrying(self) -> list[CandidatePair]:
        """Failed pairs of a better kind than the selected one: a NAT or a firewall may let them through by now."""
        selected = self.selected
        if selected is None or selected.tier is Tier.DIRECT or not self._may_check:
            return []
        pairs = self.checklist.pairs.values()
        return [one for one in pairs if one.state is PairState.FAILED and one.tier > selected.tier]

    def _fail(self, now: Instant, reason: str) -> None:
        self.failed = True
        self.failure_reason = reason
        self._book.clear()  # RFC 7675: nothing more is sent of our own accord
        if self._trace:
            self._trace.event(now, "session_failed", reason=reason, pairs=len(self.checklist.pairs))

    def _give_up_at(self) -> Instant:
        """When a session without any valid pair ends."""
        if self.started_at is None or not self.checking:
            return NEVER
        if self.remote_complete and self.local_complete and self.checklist.exhausted and not self._config.lite:
            return max(self.started_at, self._lost_at) + self._config.failure_patience
        return self._waiting_since + self._config.check_deadline

    @property
    def checking(self) -> bool:
        """Whether there is somebody to check, or, as lite, to wait for."""
        somebody = self.checklist.pairs or len(self.remotes) or self.remote_complete or self._config.lite
        return self.remote is not None and bool(somebody)

    def receiving(self, now: Instant) -> bool:
        return self.selected is not None and self._consent.receiving(self.selected, now)

    def rearm(self, now: Instant) -> None:
        """Computes every deadline from the state. Called once after each input."""
        timers, number = self._timers, self.number
        selected = self.selected
        watched = self._consent.watched(selected, () if self.retired else self.checklist.pairs.values())
        at: dict[Timer, Instant] = {
            Timer.RESEND: now if self._selector.pending else self._book.next_resend(),
            Timer.EXPIRE: self._book.next_expiry(),
            Timer.PROBE: min((pair.probe_at for pair in watched), default=NEVER),
            Timer.LIVENESS: min(
                (self._consent.next_change(p, now) for p in self.checklist.pairs.values() if p.valid), default=NEVER
            ),
        }
        if self._may_check and self.checklist.has_work:
            at[Timer.PACE] = max(now, self._last_check_at + self._interval())
        if not self._worth_retrying():
            self._retry_at = NEVER
        elif self._retry_at == NEVER:
            rounds = self._retries // len(self._worth_retrying())
            self._retry_at = now + self._config.retry_interval * 2 ** min(rounds, 3)
        at[Timer.RETRY] = self._retry_at
        if selected is None and not self.failed and not self.retired:
            at[Timer.GIVE_UP] = self._give_up_at()
        elif self._selector.awaits_nomination:
            at[Timer.NOMINATE] = self._selector.next_thought(now)
        for timer in _SESSION_TIMERS:
            instant = at.get(timer, NEVER)
            if instant < NEVER:
                timers.set((timer, number), instant)
            else:
                timers.clear((timer, number))

    @property
    def _may_check(self) -> bool:
        return self.remote is not None and not self.failed and not self.retired and not self._config.lite

    def _interval(self) -> float:
        """Ta: shorter the more pairs wait."""
        config = self._config
        waiting = self.checklist.waiting
        if waiting < 2:
            return config.pacing_interval
        return max(config.pacing_floor, min(config.pacing_interval, config.pacing_spread / waiting))

    # --- sending ------------------------------------------------------------------------------------------------

    def transmit(self, now: Instant, limit: int) -> list[Transmit]:
        """Builds what is due now."""
        out: list[Transmit] = []
        self.answering.transmit(limit, out)
        if self.remote is None:
            return out
        nominating = self._selector.nominating
        if self._selector.pending and nominating is not None and len(out) < limit:
            self._selector.pending = False
            self.counters.nominations += 1
            if self._trace:
                self._trace.event(now, "pair_nominated", pair=str(nominating))
            out.append(self._sender.request(nominating, Purpose.NOMINATE, now, use_candidate=True))
        self._transmit_probes(now, limit, out)
        self._sender.repeat(now, limit, out)
        if self._may_check and len(out) < limit and now >= self._last_check_at + self._interval():
            pair = self.checklist.next_check()
            if pair is not None:
                self._last_check_at = now
                pair.state = PairState.IN_PROGRESS
                out.append(self._sender.request(pair, Purpose.CHECK, now))
        return out

    def _transmit_probes(self, now: Instant, limit: int, out: list[Transmit]) -> None:
        selected = self.selected
        if selected is None:
            return
        watched = self._consent.watched(selected, () if self.retired else self.checklist.pairs.values())
        for pair in watched:
            if pair.probe_at > now or len(out) >= limit:
                continue
            self._consent.probed(pair, now, selected=pair is selected, urgent=selected.suspect)
            self.counters.consent_requests_sent += 1
            if pair is selected and pair.suspect:
                if self._trace and pair.unanswered == 4:
                    self._trace.event(now, "pair_suspected", pair=str(pair))
                self._consent.alarm(watched[1:], now)
            # Repeating the nomination tells a peer that sees us from a new address which pair we use.
            moving = self._selector.nominating is not None
            again = pair is selected and pair.nominated and self._role.controlling and not moving
            out.append(self._sender.request(pair, Purpose.CONSENT, now, use_candidate=again))

    # --- the end ------------------------------------------------------------------------------------------------

    def accepted_paths(self) -> list[PathId]:
        """Paths that data may come from: those where the peer passed a check, ours or one of its own."""
        accepted = [path for path, pair in self.checklist.pairs.items() if pair.valid or pair.vouched]
        return accepted + self.answering.accepted_paths()

    def retire(self) -> None:
        """A restart made a newer session: keep only what carries data."""
        self.retired = self._selector.retired = True
        for pair in list(self.checklist.pairs.values()):
            if not (pair.valid or pair.vouched):  # the peer may still send on any of the others
                self._remove_pair(pair)
        self.answering.early.clear()
        self._selector.drop_nomination()

    def resume(self) -> None:
        """The restart was taken back."""
        self.retired = self._selector.retired = False

    def end(self) -> None:
        """Lets go of paths, timers and everything waiting."""
        self.checklist.clear()
        self._book.clear()
        self.answering.clear()
        self._selector.selected = None
        for timer in _SESSION_TIMERS:
            self._timers.clear((timer, self.number))

    def _drop(self, now: Instant, reason: str) -> None:
        self._drops.add(reason)
        if self._trace:
            self._trace.event(now, "dropped", reason=reason)


_SESSION_TIMERS: Final = (
    Timer.PACE,
    Timer.RESEND,
    Timer.EXPIRE,
    Timer.NOMINATE,
    Timer.PROBE,
    Timer.LIVENESS,
    Timer.GIVE_UP,
    Timer.RETRY,
)
