"""One ICE session: everything between two sets of credentials. A restart makes a new one.

The session pairs candidates, checks pairs, answers the peer's checks, nominates, selects, and keeps what it selected
alive. It owns no clock: the agent arms the deadlines that `rearm` computes from the state, and calls `expire` and
`transmit` when they come.

Spec: RFC 8445 sections 6.1 (checklist), 7.2 and 7.3 (client and server side of checks), 7.3.1.1 (role conflicts),
8 (nomination), 12.1 (data on any valid pair); RFC 8838; RFC 8863. Left out: several components (rtcp-mux is a
must here) and several streams (one bundle), hence no checklist set; renomination by RFC draft.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

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
from ..stun import (
    Attribute,
    AttributeType,
    ErrorCode,
    Message,
    MessageClass,
)
from ..trace import Trace
from .candidates import Base, Remote, is_usable_remote, may_pair
from .checklist import Checklist
from .checks import Check, CheckBook, Purpose
from .config import IceConfig
from .consent import Consent
from .locals import LocalCandidates
from .pair import CandidatePair, PairState
from .remotes import RemoteCandidates
from .selection import Selector
from .sender import CheckSender
from .state import IceCounters, Role, Timer, TimerKey


class _EarlyCheck(NamedTuple):
    path: PathId
    socket: SocketId
    source: Address
    priority: int
    use_candidate: bool
    ufrag: str


class Session:
    """See the module's docstring. `number` counts generations from 0."""

    __slots__ = (
        "_book",
        "_config",
        "_consent",
        "_drops",
        "_early",
        "_elsewhere",
        "_last_check_at",
        "_locals",
        "_lost_at",
        "_responses",
        "_role",
        "_role_changed",
        "_selector",
        "_sender",
        "_timers",
        "_trace",
        "_waiting_since",
        "checklist",
        "counters",
        "failed",
        "local",
        "number",
        "remote",
        "remote_complete",
        "remotes",
        "retired",
        "started_at",
        "unknown_attributes",
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
        self._responses: deque[tuple[CandidatePair | None, PathId, Message, bytes]] = deque()
        self._early: deque[_EarlyCheck] = deque(maxlen=config.max_early_checks)
        self._elsewhere: deque[PathId] = deque(maxlen=config.max_early_checks)
        """Where the peer, restarting, checks with its next ufrag and our last one: it knows our new one only later. It
        has its success, so it may send there."""
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
        self.retired = False
        """A newer session took over the candidates: answer and keep the selected pair, but check nothing new."""
        self.unknown_attributes: deque[tuple[PathId, tuple[Attribute, ...]]] = deque(maxlen=64)

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
        for candidate in list(self.remotes.by_address.values()):
            self._pair_remote(candidate, now)
        early, self._early = self._early, deque(maxlen=0)
        for check in early:
            if check.ufrag == remote.ufrag:
                self._check_arrived(check, now)
            else:
                self._drops.add("early check of another peer")

    def add_remote(self, candidate: Candidate, address: Address, now: Instant) -> None:
        """Takes a signalled candidate whose address is known."""
        if not is_usable_remote(address):
            self._drop(now, "unusable remote candidate")
            return
        remote = self.remotes.signalled(candidate, address)
        if remote is None:
            self._drop(now, "too many remote candidates")
        elif self.remote is not None:
            self.checklist.prioritize(self._role.controlling)  # a learned one may have got its true priority
            self._pair_remote(remote, now)

    def _pair_remote(self, remote: Remote, now: Instant) -> None:
        own = self._locals.own_hosts
        for base in self._locals.bases.values():
            if may_pair(base, remote, own):
                self._add_pair(base, remote, now)

    def add_base(self, base: Base, now: Instant) -> None:
        """Pairs a new local address with all that is known of the peer."""
        if self.remote is None or self.retired:
            return
        own = self._locals.own_hosts
        for remote in list(self.remotes.by_address.values()):
            if may_pair(base, remote, own):
                self._add_pair(base, remote, now)

    def remove_base(self, socket: SocketId, now: Instant) -> None:
        """Forgets all pairs of a local address that is gone."""
        for pair in [one for one in self.checklist.pairs.values() if one.base.socket == socket]:
            self._remove_pair(pair)
        had_one = self.ever_selected
        self._selector.reselect(now)
        if had_one and self.selected is None:
            self._waiting_since = self._lost_at = (
                now  # another address may come up: the peer will learn it from our checks
            )

    def fail_path(self, path: PathId, reason: str, now: Instant) -> None:
        """Nothing can be sent on this path: its pair fails at once, another one takes over."""
        pair = self.checklist.pairs.get(path)
        if pair is None:
            return
        had_one = self.selected is not None
        self._book.forget(pair)
        self._selector.forget(pair)
        self.checklist.fail(pair, reason)
        if self._trace:
            self._trace.event(now, "pair_failed", pair=str(pair), reason=reason)
        self._selector.reselect(now)
        if had_one and self.selected is None:
            self._waiting_since = self._lost_at = now

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
        return pair

    def _remove_pair(self, pair: CandidatePair) -> None:
        self._book.forget(pair)
        self._selector.forget(pair)
        self.checklist.remove(pair)

    # --- the peer's requests ------------------------------------------------------------------------------------

    def receive_request(
        self, request: Message, path: PathId, base: Base, source: Address, peer_ufrag: str, now: Instant
    ) -> None:
        """Handles a Binding request whose integrity was found right."""
        unknown = request.unknown_required()
        if unknown:
            listed = Attribute(AttributeType.UNKNOWN_ATTRIBUTES, unknown[:16])
            self._respond(None, path, request.failure(ErrorCode.UNKNOWN_ATTRIBUTE, (listed,)), now)
            return
        if not self.retired and self._role_conflict(request, now):
            self._respond(None, path, request.failure(ErrorCode.ROLE_CONFLICT), now)
            return
        optional = request.unknown_optional()
        if optional:
            self.unknown_attributes.append((path, optional))
        pair = self.checklist.pairs.get(path)
        answer = request.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, source),))
        self._respond(pair, path, answer, now)
        self.counters.requests_received += 1
        priority = request.priority
        check = _EarlyCheck(path, base.socket, source, priority or 0, request.use_candidate, peer_ufrag)
        if self.remote is None:
            self._early.append(check)
        elif priority is None and pair is None:
            self._drop(now, "check without PRIORITY")
        elif peer_ufrag != self.remote.ufrag:
            if path not in self._elsewhere:
                self._elsewhere.append(path)
            self._drop(now, "check of another remote ufrag")
        elif self.failed or (self.retired and pair is None):
            self._drop(now, "check for an ended session")
        else:
            self._check_arrived(check, now)

    def _role_conflict(self, request: Message, now: Instant) -> bool:
        """Settles who controls. True if the peer is the one to change: answer 487."""
        theirs = request.ice_controlling if self._role.controlling else request.ice_controlled
        if theirs is None:
            return False
        self.counters.role_conflicts += 1
        ours_is_greater = self._role.tie_breaker >= theirs
        if ours_is_greater is self._role.controlling:
            return True
        self.switch_role(not self._role.controlling, now)
        return False

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

    def _respond(self, pair: CandidatePair | None, path: PathId, message: Message, now: Instant) -> None:
        if len(self._responses) >= self._config.max_responses:
            self._drop(now, "too many responses waiting")
            return
        self._responses.append((pair, path, message, self.local.pwd.encode()))

    def _check_arrived(self, check: _EarlyCheck, now: Instant) -> None:
        pair = self.checklist.pairs.get(check.path)
        if pair is None:
            base = self._locals.bases.get(check.socket)
            remote = self.remotes.by_address.get(check.source) or self._learn(check, now)
            if base is None or remote is None:
                return
            pair = self._add_pair(base, remote, now)
            if pair is None:
                return
        pair.requests_received += 1
        pair.vouched = True
        if check.use_candidate and not self._role.controlling:
            pair.use_candidate_at = now
            if pair.valid:
                pair.nominated = True
                self._selector.reselect(now)
            else:
                pair.nominate_on_success = True
        if not pair.valid:
            if pair.state is PairState.IN_PROGRESS:
                # What was sent before the peer opened its NAT towards us is probably lost: check again at once.
                self._book.cancel(pair, Purpose.CHECK)
            self.checklist.trigger(pair)
        elif pair.suspect:
            pair.probe_at = now  # the peer is there after all: ask at once whether it hears us

    def _learn(self, check: _EarlyCheck, now: Instant) -> Remote | None:
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
        return self.remotes.learn(check.source, check.priority)

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
                self._fail(now, "consent expired")
        if self.selected is None and not self.failed and not self.retired and now >= self._give_up_at():
            self._fail(now, "no pair works")
        self._selector.consider_nomination(now)

    def _fail(self, now: Instant, reason: str) -> None:
        self.failed = True
        self._book.clear()  # RFC 7675: nothing more is sent of our own accord
        if self._trace:
            self._trace.event(now, "session_failed", reason=reason, pairs=len(self.checklist.pairs))

    def _give_up_at(self) -> Instant:
        """When a session without any valid pair ends."""
        if self.started_at is None or not (self.checklist.pairs or len(self.remotes) or self.remote_complete):
            return NEVER
        if self.remote_complete and self.checklist.exhausted:
            return max(self.started_at, self._lost_at) + self._config.failure_patience
        return self._waiting_since + self._config.check_deadline

    @property
    def checking(self) -> bool:
        """Whether there is somebody to check."""
        return self.remote is not None and bool(self.checklist.pairs or len(self.remotes) or self.remote_complete)

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
        return self.remote is not None and not self.failed and not self.retired

    def _interval(self) -> float:
        """Ta: shorter the more pairs wait."""
        config = self._config
        waiting = self.checklist.waiting
        if waiting < 2:
            return config.pacing_interval
        return max(config.pacing_floor, min(config.pacing_interval, config.pacing_spread / waiting))

    # --- sending ------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether responses wait to be polled."""
        return bool(self._responses)

    def transmit(self, now: Instant, limit: int) -> list[Transmit]:
        """Builds what is due now."""
        out: list[Transmit] = []
        while self._responses and len(out) < limit:
            pair, path, message, key = self._responses.popleft()
            pair = pair or self.checklist.pairs.get(path)
            if pair is not None:
                pair.responses_sent += 1
            self.counters.responses_sent += 1
            out.append(Transmit(path, message.serialize(key)))
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
            again = pair is selected and pair.nominated and self._role.controlling
            out.append(self._sender.request(pair, Purpose.CONSENT, now, use_candidate=again))

    # --- the end ------------------------------------------------------------------------------------------------

    def accepted_paths(self) -> list[PathId]:
        """Paths that data may come from: those where the peer passed a check, ours or one of its own."""
        accepted = [path for path, pair in self.checklist.pairs.items() if pair.valid or pair.vouched]
        accepted += [check.path for check in self._early]  # it may send before signalling has told who it is
        accepted += self._elsewhere
        return accepted

    def retire(self) -> None:
        """A restart made a newer session: keep only what carries data."""
        self.retired = self._selector.retired = True
        for pair in list(self.checklist.pairs.values()):
            if not (pair.valid or pair.vouched):  # the peer may still send on any of the others
                self._remove_pair(pair)
        self._early.clear()
        self._selector.drop_nomination()

    def resume(self) -> None:
        """The restart was taken back."""
        self.retired = self._selector.retired = False

    def end(self) -> None:
        """Lets go of paths, timers and everything waiting."""
        self.checklist.clear()
        self._book.clear()
        self._responses.clear()
        self._early.clear()
        self._elsewhere.clear()
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
)
