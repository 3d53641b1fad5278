"""The server side of checks: what a session answers to the peer's requests, and what it keeps of them.

Spec: RFC 8445 sections 7.3 (server side), 7.3.1.1 (role conflicts), 6.1.1 (a lite agent never controls a full one);
RFC 8838 section 4.4 (checks before the remote parameters).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..base import Address, Drops, IceParameters, Instant, PathId, SocketId, Transmit
from ..stun import Attribute, AttributeType, ErrorCode, Message
from ..trace import Trace
from .candidates import Base
from .checklist import Checklist
from .config import IceConfig
from .pair import CandidatePair
from .state import IceCounters, Role


class IncomingCheck(NamedTuple):
    """An authenticated check of the peer."""

    path: PathId
    socket: SocketId
    source: Address
    priority: int
    use_candidate: bool
    ufrag: str


class Answering:
    """Answers that wait to be polled, and the checks that came too early or for another generation."""

    __slots__ = (
        "_checklist",
        "_config",
        "_counters",
        "_drops",
        "_elsewhere",
        "_key",
        "_role",
        "_switch_role",
        "_trace",
        "early",
        "responses",
        "unknown_attributes",
    )

    def __init__(
        self,
        config: IceConfig,
        *,
        local: IceParameters,
        role: Role,
        checklist: Checklist,
        counters: IceCounters,
        drops: Drops,
        trace: Trace,
        switch_role: Callable[[bool, Instant], None],
    ) -> None:
        self._config = config
        self._key = local.pwd.encode()
        self._role = role
        self._checklist = checklist
        self._counters = counters
        self._drops = drops
        self._trace = trace
        self._switch_role = switch_role
        self.responses: deque[tuple[CandidatePair | None, PathId, Message]] = deque()
        """They wait to be polled."""
        self._elsewhere: deque[PathId] = deque(maxlen=config.max_early_checks)
        """Where the peer, restarting, checks with its next ufrag and our last one: it knows our new one only later. It
        has its success, so it may send there."""
        self.early: deque[IncomingCheck] = deque(maxlen=config.max_early_checks)
        """Those of before the remote parameters."""
        self.unknown_attributes: deque[tuple[PathId, tuple[Attribute, ...]]] = deque(maxlen=64)

    def receive(
        self,
        request: Message,
        path: PathId,
        base: Base,
        source: Address,
        peer_ufrag: str,
        remote: IceParameters | None,
        now: Instant,
        *,
        settled: bool,
    ) -> IncomingCheck | None:
        """Answers a request whose integrity was found right. `settled`: the role is no longer open to change.

        Returns: the check, if it is one of the peer that `remote` describes.
        """
        unknown = request.unknown_required()
        if unknown:
            listed = Attribute(AttributeType.UNKNOWN_ATTRIBUTES, unknown[:16])
            self._respond(None, path, request.failure(ErrorCode.UNKNOWN_ATTRIBUTE, (listed,)), now)
            return None
        if not settled and self._conflict(request, now):
            self._respond(None, path, request.failure(ErrorCode.ROLE_CONFLICT), now)
            return None
        optional = request.unknown_optional()
        if optional:
            self.unknown_attributes.append((path, optional))
        pair = self._checklist.pairs.get(path)
        self._respond(pair, path, request.success((Attribute(AttributeType.XOR_MAPPED_ADDRESS, source),)), now)
        self._counters.requests_received += 1
        priority = request.priority
        check = IncomingCheck(path, base.socket, source, priority or 0, request.use_candidate, peer_ufrag)
        if remote is None:
            self.early.append(check)
        elif priority is None and pair is None:
            self._drop(now, "check without PRIORITY")
        elif peer_ufrag != remote.ufrag:
            if path not in self._elsewhere:
                self._elsewhere.append(path)
            self._drop(now, "check of another remote ufrag")
        else:
            return check
        return None

    def _conflict(self, request: Message, now: Instant) -> bool:
        """Settles who controls. True if the peer is the one to change: answer 487."""
        controlling = self._role.controlling
        theirs = request.ice_controlling if controlling else request.ice_controlled
        if theirs is None:
            return False
        self._counters.role_conflicts += 1
        if self._config.lite:
            # Who sends checks is a full agent, and one that faces us has to control, whatever the numbers say.
            if controlling:
                self._switch_role(False, now)
            return not controlling
        if (self._role.tie_breaker >= theirs) is controlling:
            return True
        self._switch_role(not controlling, now)
        return False

    def _respond(self, pair: CandidatePair | None, path: PathId, message: Message, now: Instant) -> None:
        if len(self.responses) >= self._config.max_responses:
            self._drop(now, "too many responses waiting")
            return
        self.responses.append((pair, path, message))

    def take_early(self) -> deque[IncomingCheck]:
        """The checks of before the remote parameters; no more are kept from here on."""
        early, self.early = self.early, deque(maxlen=0)
        return early

    def transmit(self, limit: int, out: list[Transmit]) -> None:
        """Appends the answers that wait."""
        while self.responses and len(out) < limit:
            pair, path, message = self.responses.popleft()
            pair = pair or self._checklist.pairs.get(path)
            if pair is not None:
                pair.responses_sent += 1
            self._counters.responses_sent += 1
            out.append(Transmit(path, message.serialize(self._key)))

    def accepted_paths(self) -> list[PathId]:
        """Paths without a pair that data may come from: the peer may send before signalling has told who it is."""
        return [*(check.path for check in self.early), *self._elsewhere]

    def clear(self) -> None:
        self.responses.clear()
        self.early.clear()
        self._elsewhere.clear()

    def _drop(self, now: Instant, reason: str) -> None:
        self._drops.add(reason)
        if self._trace:
            self._trace.event(now, "dropped", reason=reason)
