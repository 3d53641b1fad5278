"""What comes in: datagrams to STUN messages, requests to the session whose password they prove.

Spec: RFC 8445 section 7.3 (server side of checks), RFC 8489 sections 6.3 and 9.1.3 (short-term credentials).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from ..base import Address, Datagram, Drops, Instant, PathId, Transmit
from ..errors import ParseError
from ..stun import ErrorCode, Message, Method
from ..trace import Trace
from .candidates import Base
from .config import IceConfig
from .locals import LocalCandidates
from .session import Session
from .state import IceCounters


class Received(NamedTuple):
    """A Binding message, and where it came from."""

    message: Message
    path: PathId
    base: Base
    source: Address


class Reception:
    """Believes nothing that is not proven; what it refuses it refuses in few words, and only so often."""

    __slots__ = ("_config", "_counters", "_drops", "_locals", "_trace", "refusals")

    def __init__(
        self, config: IceConfig, locals_: LocalCandidates, *, counters: IceCounters, drops: Drops, trace: Trace
    ) -> None:
        self._config = config
        self._locals = locals_
        self._counters = counters
        self._drops = drops
        self._trace = trace
        self.refusals: deque[tuple[PathId, Message]] = deque()
        """They wait to be polled."""

    def read(self, datagram: Datagram, now: Instant) -> Received | None:
        """The message in a datagram that came on one of our bases, or None."""
        self._counters.datagrams_received += 1
        path = self._config.paths.lookup(datagram.path)
        base = None if path is None else self._locals.bases.get(path.socket)
        if path is None or base is None:
            self._drop(now, "unknown path")
            return None
        try:
            message = Message.parse(datagram.data)
        except ParseError as error:
            self._drop(now, "malformed", detail=str(error))
            return None
        if message.method != Method.BINDING:
            self._drop(now, "method")
            return None
        return Received(message, datagram.path, base, path.remote)

    def session_of(self, request: Message, path: PathId, sessions: Sequence[Session], now: Instant) -> Session | None:
        """The session that a request is for: FINGERPRINT, its ufrag in USERNAME, and integrity by its pwd."""
        if not request.has_fingerprint:
            self._drop(now, "request without FINGERPRINT")
            return None
        username = request.username
        if username is None or not request.has_integrity:
            self._refuse(request, path, ErrorCode.BAD_REQUEST, now)
            return None
        ufrag = username.partition(":")[0]
        session = next((one for one in sessions if one.local.ufrag == ufrag), None)
        if session is None or not request.verify(session.local.pwd.encode()):
            self._refuse(request, path, ErrorCode.UNAUTHENTICATED, now)
            return None
        return session

    def _refuse(self, request: Message, path: PathId, code: ErrorCode, now: Instant) -> None:
        """Answers somebody who did not prove anything: never with more bytes than came, and only so many."""
        self._drop(now, f"request refused with {code.value}")
        if len(self.refusals) < self._config.max_responses // 4:
            answer = request.failure(code)
            if len(answer.serialize()) <= len(request.raw):
                self.refusals.append((path, answer))

    def transmit(self, limit: int, out: list[Transmit]) -> None:
        while self.refusals and len(out) < limit:
            path, answer = self.refusals.popleft()
            out.append(Transmit(path, answer.serialize()))

    def close(self) -> None:
        self.refusals.clear()

    def _drop(self, now: Instant, reason: str, detail: str = "") -> None:
        self._drops.add(reason)
        if self._trace:
            self._trace.event(now, "dropped", reason=reason, detail=detail)
