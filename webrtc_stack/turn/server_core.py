"""The ground of the TURN server: its tables and timers, and how it answers.

Spec: RFC 8489 sections 6.3.1, 9.2.4 and 16.1.3.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..base import (
    NEVER,
    Address,
    Deadlines,
    Drops,
    Instant,
    MachineBase,
    PathId,
    SocketId,
    Transmit,
)
from ..errors import InvalidStateError
from ..stun import (
    AlternateAddresses,
    Attribute,
    AttributeType,
    ErrorCode,
    Message,
    Method,
)
from .allocation import Allocation, Relay
from .authentication import Authenticator, Proven, Unproven
from .limits import RateLimiter, ResponseCache
from .server_config import TurnServerConfig
from .server_events import (
    ServerEvent,
)

_METHODS: Final = frozenset({Method.ALLOCATE, Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND})
_MAX_TRACED: Final = 256
_MAX_DATAGRAM: Final = 65_507


class Timer(Enum):
    ALLOCATIONS = "allocations"
    RELAYS = "relays"
    STREAMS = "streams"


@dataclass(slots=True)
class ServerCounters:
    bindings: int = 0
    allocations: int = 0
    """Opened since the start."""
    challenges: int = 0
    """401 and 438 sent."""
    errors: int = 0
    """Other errors sent."""
    cached: int = 0
    """Repetitions answered without doing anything twice."""
    datagrams_to_peers: int = 0
    datagrams_to_clients: int = 0


class Pending:
    """An Allocate that waits for its sockets."""

    __slots__ = ("allocation", "deadline", "failed", "proven", "request")

    def __init__(self, allocation: Allocation, request: Message, proven: Proven, deadline: Instant) -> None:
        self.allocation = allocation
        self.request = request
        self.proven = proven
        self.deadline = deadline
        self.failed = False


class ServerCore(MachineBase[ServerEvent]):
    """State, limits, timers and answers. Subclasses add allocations and the verbs."""

    __slots__ = (
        "_alternates",
        "_auth",
        "_by_path",
        "_by_relay",
        "_cache",
        "_config",
        "_deadlines",
        "_discovery",
        "_entropy",
        "_expiries",
        "_limiter",
        "_next_id",
        "_opening",
        "_out",
        "_paths",
        "_pending",
        "_per_host",
        "_per_user",
        "_ports",
        "_streams",
        "_trace",
        "_traced",
        "closed",
        "counters",
        "drops",
    )

    def __init__(self, config: TurnServerConfig) -> None:
        super().__init__()
        self._config = config
        self._paths = config.paths
        self._trace = config.trace.bind(room="turn")
        self._entropy = config.entropy.fork("turn server")
        self._auth = Authenticator(config, self._entropy.bytes(32))
        self._alternates: AlternateAddresses | None = None
        self._discovery: dict[SocketId, Address] = {}
        """The four sockets that serve behaviour discovery."""
        self._limiter = RateLimiter(
            rate=config.unproven_per_second,
            burst=config.unproven_burst,
            total_rate=config.unproven_total_per_second,
            max_hosts=config.max_hosts,
        )
        self._cache = ResponseCache(limit=config.max_responses, lifetime=config.response_lifetime)
        self._by_path: dict[PathId, Allocation] = {}
        self._by_relay: dict[SocketId, tuple[Allocation, Relay]] = {}
        self._pending: dict[PathId, Pending] = {}
        self._opening: dict[int, tuple[Pending, Relay]] = {}
        self._ports: set[tuple[int, int]] = set()
        self._per_user: dict[str, int] = {}
        self._per_host: dict[str, int] = {}
        self._expiries: list[tuple[Instant, int, PathId]] = []
        self._streams: dict[PathId, Instant] = {}
        """Streams of clients, and since when they have no allocation."""
        self._out: deque[Transmit] = deque()
        self._deadlines: Deadlines[Timer] = Deadlines()
        self._traced: set[tuple[str, str]] = set()
        self._next_id = 1
        self.closed = False
        self.counters = ServerCounters()
        self.drops = Drops()

    def _succeed(
        self, path: PathId, request: Message, proven: Proven, attributes: tuple[Attribute, ...], now: Instant
    ) -> None:
        self._answer(path, request, proven, request.success(attributes), now)

    def _refuse(
        self,
        path: PathId,
        request: Message,
        proven: Proven,
        code: int,
        reason: str,
        now: Instant,
        attributes: tuple[Attribute, ...] = (),
    ) -> None:
        self.counters.errors += 1
        self._note(reason, path, now, code=code)
        self._answer(path, request, proven, request.failure(code, attributes), now)

    def _answer(self, path: PathId, request: Message, proven: Proven, response: Message, now: Instant) -> None:
        if self._config.software is not None:
            software = Attribute(AttributeType.SOFTWARE, self._config.software)
            response = Message(
                method=response.method,
                message_class=response.message_class,
                transaction_id=response.transaction_id,
                attributes=(*response.attributes, software),
            )
        data = response.serialize(proven.key, proven.integrity, request.has_fingerprint)
        if path not in self._streams:
            self._cache.put(path, request.raw, data, now)
        self._send(path, data)

    def _refuse_unproven(self, path: PathId, client: Address, request: Message, why: Unproven, now: Instant) -> None:
        """An error without protection, kept short and rare: the sender's address may be made up."""
        self._note(why.reason, path, now, code=why.code)
        if path not in self._streams and not self._limiter.allows(client.host, now):
            self._note("rate of unproven requests", path, now)
            return
        attributes: tuple[Attribute, ...] = ()
        if why.code in (ErrorCode.UNAUTHENTICATED, ErrorCode.STALE_NONCE):
            self.counters.challenges += 1
            attributes = self._auth.challenge(client, now)
        else:
            self.counters.errors += 1
        self._send(path, request.failure(why.code, attributes).serialize(fingerprint=request.has_fingerprint))

    def _note(self, reason: str, path: PathId, now: Instant, *, code: int = 0) -> None:
        """Counts what was refused, and traces it once a host: a flood must not flood the log."""
        self.drops.add(reason)
        if self._trace:
            found = self._paths.lookup(path)
            host = "" if found is None else found.remote.host
            if (reason, host) not in self._traced and len(self._traced) < _MAX_TRACED:
                self._traced.add((reason, host))
                self._trace.event(
                    now, "refused", reason=reason, client=host, code=code, note="further ones are counted"
                )

    def _need_open(self, what: str) -> None:
        if self.closed:
            raise InvalidStateError(f"{what} on a server that is closed")

    def _rearm(self, now: Instant) -> None:
        if self.closed:
            return
        deadlines = self._deadlines
        deadlines.set(Timer.ALLOCATIONS, self._expiries[0][0] if self._expiries else NEVER)
        pending = min((one.deadline for one in self._pending.values()), default=NEVER)
        deadlines.set(Timer.RELAYS, pending)
        patience = self._config.stream_patience
        idle = (
            since for path, since in self._streams.items() if path not in self._by_path and path not in self._pending
        )
        deadlines.set(Timer.STREAMS, min(idle, default=NEVER) + patience)

    def _send(self, path: PathId, data: bytes) -> None:
        if len(self._out) >= self._config.max_queue:
            self.drops.add("queue full")
            return
        self._out.append(Transmit(path, data))
