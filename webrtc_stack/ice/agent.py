"""The ICE agent: a machine that finds a path to the peer and keeps it.

The agent gathers, demultiplexes STUN, holds the sessions (the present one, and after a restart the one that still
carries data), and turns what they know into events and states. Non-STUN datagrams never come here.

Spec: RFC 8445 (full agent, one component), RFC 8838 and 8840 (trickle), RFC 7675, RFC 8863; the states are W3C's.
RFC 6544 (ICE-TCP). Relays and streams are
bases like sockets: who carries them is not known here. Left out: RFC 5245's aggressive nomination of our own, and
simultaneous open over TCP.

Invariants: nothing from the network changes state before integrity and FINGERPRINT were right; every request of ours
leaves from `poll_transmits`; all deadlines are recomputed from the state after each input.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from ..base import (
    NEVER,
    Address,
    Candidate,
    CandidateType,
    Datagram,
    Deadlines,
    Drops,
    IceParameters,
    Instant,
    MachineBase,
    PathId,
    ResolveName,
    SocketId,
    TcpType,
    Transmit,
    canonical_ip,
    random_u64,
    random_word,
)
from ..errors import InvalidArgumentError, InvalidStateError, UsageError
from ..stun import MessageClass
from . import ledger
from .candidates import HOST_ORIGIN, LocalOrigin
from .config import IceConfig
from .events import (
    AttributesReceived,
    Closed,
    GatheringState,
    IceEvent,
    IceState,
    IceStateChanged,
    PairSelected,
    RoleChanged,
)
from .explaining import ignored_candidates, why_unusable
from .gathering import Gathering
from .locals import LocalCandidates
from .names import Names
from .pair import CandidatePair, PairSnapshot
from .reception import Reception
from .session import Session
from .state import IceCounters, Role, Timer, TimerKey

_MAX_ADDRESSES_PER_NAME = 4
_MAX_EVENTS = 1024
"""Above so many unread events, attributes of checks are counted but no longer reported."""


class IceAgent(MachineBase[IceEvent]):
    """See the module's docstring. Commands raise a `UsageError` before anything changes."""

    __slots__ = (
        "_accepted",
        "_closed",
        "_config",
        "_counted_pair",
        "_entropy",
        "_gathering",
        "_generation",
        "_held",
        "_idle_state",
        "_locals",
        "_names",
        "_previous",
        "_previous_until",
        "_reception",
        "_remote_complete",
        "_reported_path",
        "_role",
        "_session",
        "_state",
        "_timers",
        "_trace",
        "counters",
        "drops",
    )

    def __init__(self, config: IceConfig | None = None) -> None:
        super().__init__()
        self._config = config = config or IceConfig()
        self._trace = config.trace.bind(room="ice")
        self._entropy = config.entropy.fork("ice")
        self.counters = IceCounters()
        self.drops = Drops()
        self._timers: Deadlines[TimerKey] = Deadlines()
        self._role = Role(config.controlling, random_u64(self._entropy))
        self._locals = LocalCandidates(config, self._entropy.fork("host names"))
        self._reception = Reception(config, self._locals, counters=self.counters, drops=self.drops, trace=self._trace)
        self._gathering = Gathering(config, self._locals, entropy=self._entropy, trace=self._trace, emit=self._emit)
        self._held: deque[Candidate] = deque(maxlen=config.max_remote_candidates)
        self._remote_complete = False
        self._names = Names(config.max_names, config.name_timeout)
        self._reported_path: PathId | None = None
        self._counted_pair: CandidatePair | None = None
        self._state = IceState.NEW
        self._idle_state = IceState.NEW
        self._accepted: set[PathId] = set()
        self._closed = False
        self._previous: Session | None = None
        self._previous_until: Instant = NEVER
        self._generation = 1
        self._session = self._new_session(0, config.local_parameters or self._draw_parameters())

    def _draw_parameters(self) -> IceParameters:
        """48 bits of ufrag, 144 of pwd: above the least that RFC 8839 section 5.4 asks for."""
        return IceParameters(
            ufrag=random_word(self._entropy, 8),
            pwd=random_word(self._entropy, 24),
            lite=self._config.lite,
            options=("trickle", "ice2"),
        )

    def _new_session(self, number: int, local: IceParameters) -> Session:
        if local.lite is not self._config.lite:
            local = replace(local, lite=self._config.lite)
        self._locals.begin(local.ufrag)
        return Session(
            self._config,
            number=number,
            local=local,
            role=self._role,
            locals_=self._locals,
            timers=self._timers,
            entropy=self._entropy.fork(f"session {number}"),
            trace=self._trace,
            counters=self.counters,
            drops=self.drops,
            role_changed=self._role_changed,
        )

    def _role_changed(self, now: Instant) -> None:
        self._emit(RoleChanged(self._role.controlling))

    # --- what it knows ------------------------------------------------------------------------------------------

    @property
    def local_parameters(self) -> IceParameters:
        return self._session.local

    @property
    def remote_parameters(self) -> IceParameters | None:
        return self._session.remote

    @property
    def local_candidates(self) -> tuple[Candidate, ...]:
        """Those gathered in this generation, in order."""
        return tuple(one.candidate for one in self._locals.announced)

    @property
    def remote_candidates(self) -> tuple[Candidate, ...]:
        """Those of the peer in this generation, peer-reflexive ones included."""
        return tuple(remote.candidate for remote in self._session.remotes.all)

    @property
    def ignored_candidates(self) -> tuple[tuple[Candidate, str], ...]:
        """Candidates that the peer signalled in this generation and that are in no pair, each with the reason."""
        return tuple(ignored_candidates(self._session, self._locals))

    @property
    def failure_reason(self) -> str | None:
        """Why the state is `failed`, in words; None unless it is."""
        return self._session.failure_reason

    @property
    def pairs(self) -> tuple[PairSnapshot, ...]:
        """Snapshots for statistics, the best pair first."""
        return ledger.snapshots(self._session, self._previous, self._selected)

    @property
    def generation(self) -> int:
        """Which session this is; each restart begins another one."""
        return self._session.number

    @property
    def remote_endpoints(self) -> dict[tuple[Address, str], Candidate]:
        """The peer's candidates of this generation by address and transport ("udp", "tcp"): names resolved."""
        return {(one.address, one.candidate.transport): one.candidate for one in self._session.remotes.all}

    def server_url(self, candidate: Candidate) -> str | None:
        """The URL of the server that a local candidate of this generation came from; None for others."""
        return self._locals.urls.get(candidate)

    def relay_protocol(self, candidate: Candidate) -> str | None:
        """How we reach the server of a relayed candidate: "udp", "tcp" or "tls"; None for others."""
        return self._locals.relay_protocols.get(candidate)

    @property
    def _selected(self) -> CandidatePair | None:
        if self._session.selected is not None or self._previous is None:
            return self._session.selected
        return self._previous.selected

    @property
    def selected_path(self) -> PathId | None:
        """Where to send; None before the first valid pair, and after consent is gone."""
        selected = self._selected
        return None if selected is None else selected.path

    @property
    def state(self) -> IceState:
        return self._state

    @property
    def gathering_state(self) -> GatheringState:
        return self._gathering.state

    @property
    def controlling(self) -> bool:
        return self._role.controlling

    def data_sent(self, path: PathId, packets: int, size: int, now: Instant) -> None:
        """Takes note of a burst of data on a path, for statistics. Cost: one call a burst."""
        ledger.data_sent(ledger.pair_on(path, self._session, self._previous), self.counters, packets, size, now)

    def data_received(self, path: PathId, packets: int, size: int, now: Instant) -> None:
        """Takes note of a burst of data that came on a path, for statistics. Cost: one call a burst."""
        ledger.data_received(ledger.pair_on(path, self._session, self._previous), self.counters, packets, size, now)

    def accepts(self, path: PathId) -> bool:
        """Whether data from this path comes from a peer that passed a check.

        True from the peer's first authenticated check on: it may send before our own check is answered, and even
        before signalling has brought its parameters.
        """
        return path in self._accepted

    # --- commands: local side -----------------------------------------------------------------------------------

    def gather(self, now: Instant) -> None:
        """Begins to gather: asks for addresses, and every STUN server. Again after a restart. Idempotent."""
        now = self._advance(now)
        self._refuse_if_closed("gather")
        if self._gathering.active:
            return
        for server in self._gathering.begin(now):
            self._ask_name(self._config.stun_servers[server].host, None, server, now)
        self._settle(now)

    def add_local(self, address: Address, socket_id: SocketId, now: Instant, origin: LocalOrigin = HOST_ORIGIN) -> None:
        """A place to check from, and its candidate: a socket bound at `address`, or what `origin` says of another kind.

        Errors: `InvalidArgumentError` when the address is no IP literal with a port, the socket is known, or the
        origin contradicts itself.
        """
        now = self._advance(now)
        if self._closed:
            return
        address = Address(canonical_ip(address.host), address.port)
        if not 0 < address.port < 65536:
            raise InvalidArgumentError(f"a bound socket has a port from 1 to 65535, got {address.port}")
        origin.check()
        if self._config.lite and (origin.type is not CandidateType.HOST or origin.tcp_type is TcpType.ACTIVE):
            raise InvalidArgumentError("an ICE-lite agent has sockets that peers can reach by themselves alone")
        if socket_id in self._locals.bases:
            raise InvalidArgumentError(f"socket {socket_id} was added before; use remove_local first")
        if len(self._locals.bases) >= self._config.max_locals:
            self._drop(now, "too many local addresses")
            return
        base = self._locals.add(address, socket_id, origin)
        self._gathering.add_base(base, now)
        self._session.add_base(base, now)
        self._settle(now)

    def add_mapped(self, socket_id: SocketId, mapped: Address, url: str, now: Instant) -> None:
        """A server that the agent does not ask itself, such as a TURN server, sees this socket at `mapped`: a
        server-reflexive candidate (RFC 8445 section 5.1.1.2), unless that is known. Unknown sockets are ignored.

        Errors: `InvalidArgumentError` when `mapped` is no IP literal.
        """
        now = self._advance(now)
        mapped = Address(canonical_ip(mapped.host), mapped.port)
        base = self._locals.bases.get(socket_id)
        if base is None or self._closed or not base.asks_stun:
            return
        self._gathering.add_mapped(base, mapped, url, now)
        self._settle(now)

    def remove_local(self, socket_id: SocketId, now: Instant) -> None:
        """A socket is gone, with all its pairs. Unknown ones are ignored."""
        now = self._advance(now)
        base = self._locals.remove(socket_id)
        if base is None or self._closed:
            return
        self._gathering.remove_base(base)
        self._session.remove_base(socket_id, now)
        if self._previous is not None:
            self._previous.remove_base(socket_id, now)
        if self._trace:
            self._trace.event(now, "local_removed", address=str(base.address))
        self._settle(now)

    def fail_path(self, path: PathId, reason: str, now: Instant) -> None:
        """Nothing can be sent on this path, says its carrier: its pair fails at once, with that reason.

        Paths that belong to no pair are ignored.
        """
        now = self._advance(now)
        if self._closed:
            return
        for session in self._sessions:
            session.fail_path(path, reason, now)
        self._settle(now)

    def locals_complete(self, now: Instant) -> None:
        """All addresses that exist were added; gathering is complete once the servers have answered or failed."""
        now = self._advance(now)
        if self._closed:
            return
        self._gathering.locals_complete()
        self._settle(now)

    # --- commands: remote side ----------------------------------------------------------------------------------

    def set_controlling(self, controlling: bool) -> None:
        """Takes the role that signalling assigned: the offerer controls.

        Errors: `InvalidStateError` once the remote parameters are set.
        """
        self._refuse_if_closed("set_controlling")
        if self._session.remote is not None and controlling != self._role.controlling:
            raise InvalidStateError("the role is settled once checks have begun; set it before the remote parameters")
        self._role.controlling = controlling

    def set_remote_parameters(self, parameters: IceParameters, now: Instant) -> None:
        """Takes the peer's credentials; checks begin as soon as there is a pair.

        Errors: `InvalidStateError` when others are set: `restart` first. `InvalidArgumentError` for empty ones.
        """
        now = self._advance(now)
        self._refuse_if_closed("set_remote_parameters")
        if not 0 < len(parameters.ufrag) <= 256 or not 0 < len(parameters.pwd) <= 256:
            raise InvalidArgumentError("a remote ufrag and pwd have 1 to 256 characters")
        known = self._session.remote
        if known is not None:
            if (known.ufrag, known.pwd) != (parameters.ufrag, parameters.pwd):
                raise InvalidStateError("other remote parameters are in use; call restart() before new ones")
            return
        if self._trace:
            self._trace.event(now, "remote_parameters_set", ufrag=parameters.ufrag, lite=parameters.lite)
        if parameters.lite is not self._config.lite:
            self._session.switch_role(parameters.lite, now)  # RFC 8445 section 6.1.1: the full agent controls
        held, self._held = list(self._held), deque(maxlen=self._config.max_remote_candidates)
        self._session.start(parameters, now)
        for candidate in held:
            self._take_candidate(candidate, now)
        self._settle(now)

    def add_remote_candidate(self, candidate: Candidate | None, now: Instant) -> None:
        """Takes a candidate of the peer; None is end-of-candidates. May come before the parameters.

        What this agent cannot use is ignored and counted; `ignored_candidates` says why.
        """
        now = self._advance(now)
        self._refuse_if_closed("add_remote_candidate")
        if candidate is None:
            self._remote_complete = True
        elif self._session.remote is None:
            if len(self._held) == self._held.maxlen:
                self._session.ignore(candidate, "there are too many", "too many remote candidates", now)
            else:
                self._held.append(candidate)
        else:
            self._take_candidate(candidate, now)
        self._settle(now)

    def _take_candidate(self, candidate: Candidate, now: Instant) -> None:
        remote = self._session.remote
        assert remote is not None
        unusable = why_unusable(candidate, remote.ufrag)
        if unusable is not None:
            self._session.ignore(candidate, *unusable, now)
        else:
            try:
                host = canonical_ip(candidate.host)
            except InvalidArgumentError:
                self._ask_name(candidate.host, candidate, -1, now)
            else:
                self._session.add_remote(candidate, Address(host, candidate.port), now)

    def restart(self, now: Instant, parameters: IceParameters | None = None) -> IceParameters:
        """Begins a new generation and returns its local parameters: the given ones, or fresh ones.

        The selected path keeps carrying data until the new session has one, and is listened to for `restart_grace`
        longer. `gather` announces the candidates anew.
        """
        now = self._advance(now)
        self._refuse_if_closed("restart")
        old = self._session
        if old.selected is not None:
            if self._previous is not None:
                self._previous.end()
            old.retire()
            self._previous = old
            self._previous_until = NEVER
        else:
            old.end()
        self._idle_state = IceState.NEW if self._state is IceState.NEW else IceState.CHECKING
        self._gathering.restart(keep=old.selected is not None)
        self._names.clear()
        self._held.clear()
        self._remote_complete = False
        self._session = self._new_session(old.number + 1, parameters or self._draw_parameters())
        if self._trace:
            self._trace.event(now, "restarted", generation=self._session.number)
        self._settle(now)
        return self._session.local

    def undo_restart(self, now: Instant) -> IceParameters:
        """Takes the last `restart` back, as the rollback of an offer wants it. Returns the old local parameters.

        Errors: `InvalidStateError` once the new session has remote parameters, or when the old one had no path.
        """
        now = self._advance(now)
        self._refuse_if_closed("undo_restart")
        previous = self._previous
        if previous is None or self._session.remote is not None:
            raise InvalidStateError("there is no restart to undo: none was done, its answer has come, or no path lived")
        self._session.end()
        self._session, self._previous = previous, None
        previous.resume()
        self._names.clear()
        self._held.clear()
        self._remote_complete = previous.remote_complete
        self._gathering.undo_restart(previous.local.ufrag)
        if self._trace:
            self._trace.event(now, "restart_undone", generation=previous.number)
        self._settle(now)
        return previous.local

    # --- names --------------------------------------------------------------------------------------------------

    def _ask_name(self, name: str, candidate: Candidate | None, server: int, now: Instant) -> None:
        number = self._names.ask(candidate, server, now)
        if number is None:
            if candidate is not None:
                self._session.remotes.ignore(candidate, "too many names are being resolved")
            self._drop(now, "too many names")
        else:
            self._emit(ResolveName(number, name))

    def _name_failed(self, candidate: Candidate, now: Instant) -> None:
        kind = "multicast DNS name" if candidate.is_mdns else "name"
        reason = f"the {kind} {candidate.host} was not resolved"
        if candidate.is_mdns:
            reason += ": the peer is on another network, or multicast is blocked"
        self._session.ignore(candidate, reason, "remote name not resolved", now)

    def name_resolved(self, name_id: int, hosts: Sequence[str], now: Instant) -> None:
        """Answers a `ResolveName`; an empty list says that it failed. Late and unknown answers are ignored."""
        now = self._advance(now)
        pending = None if self._closed else self._names.answered(name_id)
        if pending is None:
            return
        addresses: list[str] = []
        for host in hosts:
            try:
                literal = canonical_ip(host)
            except UsageError:
                continue  # what a resolver says is the network's word, not the caller's
            if literal not in addresses:
                addresses.append(literal)
        if self._trace:
            self._trace.event(now, "name_resolved", id=name_id, hosts=addresses)
        if pending.candidate is not None:
            for host in addresses[:_MAX_ADDRESSES_PER_NAME]:
                self._session.add_remote(pending.candidate, Address(host, pending.candidate.port), now)
            if not addresses:
                self._name_failed(pending.candidate, now)
        elif addresses:
            for family in (False, True):
                literal = next((one for one in addresses if (":" in one) is family), "")
                if literal:
                    self._gathering.add_server(pending.server, literal, now)
        else:
            self._gathering.server_failed(pending.server)
        self._settle(now)

    # --- the machine --------------------------------------------------------------------------------------------

    def receive(self, data: Datagram, now: Instant) -> None:
        """Takes one STUN datagram."""
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[Datagram], now: Instant) -> None:
        """Takes a burst of STUN datagrams; states and deadlines settle once behind it."""
        now = self._advance(now)
        if self._closed or not burst:
            return
        for datagram in burst:
            self._receive(datagram, now)
        self._settle(now)

    def _receive(self, datagram: Datagram, now: Instant) -> None:
        received = self._reception.read(datagram, now)
        if received is None:
            return
        message, path, base, source = received
        if message.message_class is MessageClass.REQUEST:
            session = self._reception.session_of(message, path, self._sessions, now)
            if session is not None:
                peer_ufrag = (message.username or "").partition(":")[2]
                session.receive_request(message, path, base, source, peer_ufrag, now)
        elif message.message_class is MessageClass.INDICATION:
            pass  # a keepalive; nothing to do (RFC 8445 section 11)
        elif not (
            any(session.receive_response(message, path, now) for session in self._sessions)
            or self._gathering.sources.receive(message, path, now)
        ):
            self._drop(now, "unknown transaction")

    @property
    def _sessions(self) -> tuple[Session, ...]:
        """The present one, and the one of before a restart while it lives."""
        return (self._session,) if self._previous is None else (self._previous, self._session)

    def handle_timeout(self, now: Instant) -> None:
        """Time has reached `now`."""
        now = self._advance(now)
        if self._closed or self._timers.next() > now:
            return
        self._timers.pop_due(now)  # counted there; `_settle` arms anew what is still to come
        for session in self._sessions:
            session.expire(now)
        self._gathering.sources.expire(now)
        for pending in self._names.take_expired(now):
            if pending.candidate is None:
                self._gathering.server_failed(pending.server)
            else:
                self._name_failed(pending.candidate, now)
        self._settle(now)

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[Transmit]:
        """Builds what is to be sent now, at most `limit` datagrams."""
        now = self._advance(now)
        out: list[Transmit] = []
        if self._closed or self.next_timeout() > now:
            return out
        self._reception.transmit(limit, out)
        for session in self._sessions:
            if len(out) < limit:
                out += session.transmit(now, limit - len(out))
        self._gathering.sources.transmit(now, limit, out)
        self._rearm(now)
        return out

    def next_timeout(self) -> Instant:
        """When to come back; not after the last `now` while something waits to be polled."""
        if self._closed:
            return NEVER
        previous = self._previous
        if (
            self._reception.refusals
            or self._session.answering.responses
            or (previous is not None and previous.answering.responses)
        ):
            return self._now
        return self._timers.next()

    def close(self, now: Instant) -> None:
        """Ends at once, silently: ICE has no farewell. Idempotent."""
        now = self._advance(now)
        if self._closed:
            return
        self._closed = True
        self._session.end()
        if self._previous is not None:
            self._previous.end()
            self._previous = None
        self._gathering.close()
        self._names.clear()
        self._reception.close()
        self._accepted.clear()
        self._held.clear()
        self._timers.clear_all()
        self._set_state(IceState.CLOSED, now)
        self._emit(Closed("closed"))

    # --- settling -----------------------------------------------------------------------------------------------

    def _settle(self, now: Instant) -> None:
        """Turns what the parts know into events, states and deadlines."""
        self._gathering.collect(now, names_pending=self._names.servers_pending)
        session = self._session
        # Names still being resolved may bring candidates yet.
        session.remote_complete = self._remote_complete and not self._names.candidates_pending
        session.local_complete = self._gathering.state is GatheringState.COMPLETE
        previous = self._previous
        if previous is not None:
            if session.selected is None:
                self._previous_until = NEVER
            elif self._previous_until == NEVER:  # the peer moves in its own time
                self._previous_until = now + self._config.restart_grace
            if previous.selected is None or now >= self._previous_until:
                previous.end()
                self._previous = None
                self._previous_until = NEVER
        selected = self._selected
        path = None if selected is None else selected.path
        if selected is not self._counted_pair:  # after a restart another pair may have the same path
            self._counted_pair = selected
            self.counters.selected_pair_changes += 1
        if path != self._reported_path:
            self._reported_path = path
            if selected is not None:
                self._gathering.sources.stop_refreshing()
                self._emit(PairSelected(selected.path, selected.local, selected.remote.candidate))
        self._accepted = set(session.accepted_paths())
        if self._previous is not None:
            self._accepted.update(self._previous.accepted_paths())
        unknown = session.answering.unknown_attributes
        while unknown:
            unknown_path, attributes = unknown.popleft()
            if self._trace:
                self._trace.event(
                    now, "unknown_attributes_received", attributes={f"{a.type:#06x}": a.value for a in attributes}
                )
            if len(self._events) < _MAX_EVENTS:
                self._emit(AttributesReceived(unknown_path, attributes))
        self._set_state(self._derive_state(now), now)
        self._rearm(now)

    def _derive_state(self, now: Instant) -> IceState:
        session, previous = self._session, self._previous
        if session.selected is None and previous is not None and previous.selected is not None:
            # Restarting over a living path stays connected; over a silent one it starts afresh.
            return IceState.CONNECTED if previous.receiving(now) else IceState.CHECKING
        if session.failed:
            return IceState.FAILED
        selected = session.selected
        if selected is not None:
            if not session.receiving(now):
                return IceState.DISCONNECTED
            gathered = self._gathering.state is GatheringState.COMPLETE
            return (
                IceState.COMPLETED
                if selected.nominated and gathered and session.remote_complete
                else IceState.CONNECTED
            )
        if session.ever_selected:
            return IceState.DISCONNECTED
        return IceState.CHECKING if session.checking else self._idle_state

    def _set_state(self, state: IceState, now: Instant) -> None:
        if state is not self._state:
            if state is IceState.COMPLETED and self._state in (IceState.NEW, IceState.CHECKING):
                self._set_state(IceState.CONNECTED, now)  # nobody who waits for it shall miss it
            if self._trace:
                self._trace.event(now, "state_changed", old=self._state.value, new=state.value)
            self._state = state
            self._emit(IceStateChanged(state))

    def _rearm(self, now: Instant) -> None:
        for session in self._sessions:
            session.rearm(now)
        for key, instant in (
            ((Timer.GATHER, 0), self._gathering.sources.next_deadline(now)),
            ((Timer.NAMES, 0), self._names.next_deadline()),
            ((Timer.FAREWELL, 0), self._previous_until),
        ):
            if instant < NEVER:
                self._timers.set(key, instant)
            else:
                self._timers.clear(key)

    def _refuse_if_closed(self, command: str) -> None:
        if self._closed:
            raise InvalidStateError(f"{command} after close(); make a new agent")

    def _drop(self, now: Instant, reason: str, detail: str = "") -> None:
        self.drops.add(reason)
        if self._trace:
            self._trace.event(now, "dropped", reason=reason, detail=detail)
