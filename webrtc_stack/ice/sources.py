"""Where local candidates beyond host ones come from: a small list of sources, each a server.

A source is told which bases there are, sends what it must, and collects what it found. Adding another kind (a TURN
server) means another class with these methods; nothing else changes.

Spec: RFC 8445 sections 5.1.1.2 (server-reflexive candidates), 5.1.3 (redundant ones), 11 (keeping bindings);
RFC 8489 section 6.2.1. Pacing is shared by all sources of an agent.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from ..base import NEVER, Address, CandidateType, Entropy, Instant, PathId, PathTable, SocketId, Transmit
from ..stun import (
    AttributeType,
    ErrorCode,
    Message,
    MessageClass,
    RetransmissionConfig,
    Transaction,
    new_transaction_id,
)
from .candidates import Base, is_loopback, is_usable_remote
from .config import IceConfig

_MAX_HOPS: Final = 2
"""How often a server may send us on."""


class Found(NamedTuple):
    """A candidate that a source found for a base."""

    base: Base
    kind: CandidateType
    address: Address
    server: str
    """What the foundation depends on beside type and base."""
    order: int
    """The source's place in the configuration: lowers the local preference, so that priorities differ."""


class Failure(NamedTuple):
    """A source that found nothing, and why."""

    url: str
    code: int
    reason: str
    address: str | None = None
    port: int | None = None


class CandidateSource(Protocol):
    """One server that candidates come from, at one address."""

    @property
    def index(self) -> int:
        """Which server of the configuration: several addresses of one fail together or not at all."""
        ...

    @property
    def works(self) -> bool:
        """Whether it ever answered as it should."""
        ...

    @property
    def asked(self) -> bool:
        """Whether any base could ask it."""
        ...

    @property
    def unreachable(self) -> Failure:
        """What to report when no base can ask it."""
        ...

    @property
    def settled(self) -> bool:
        """Whether it has nothing more to say about the bases it knows."""
        ...

    def add_base(self, base: Base, now: Instant) -> None: ...

    def remove_base(self, socket: SocketId) -> None: ...

    def receive(self, message: Message, path: PathId, now: Instant) -> bool:
        """Takes a response; False if the transaction is not its own."""
        ...

    def expire(self, now: Instant) -> None: ...

    def next_deadline(self) -> Instant: ...

    def transmit(self, now: Instant) -> Transmit | None:
        """One datagram that is due, or None."""
        ...

    def take_found(self) -> list[Found]: ...

    def take_failure(self) -> Failure | None: ...

    def stop_refreshing(self) -> None:
        """A pair is selected: bindings that carry no data are needed no more."""
        ...

    def close(self) -> None: ...


class _Query:
    """One base asking one server."""

    __slots__ = ("answered", "base", "data", "give_up_at", "hops", "mapped", "path", "refresh", "server", "transaction")

    def __init__(self, base: Base, server: Address, path: PathId, now: Instant) -> None:
        self.base = base
        self.server = server
        self.path = path
        self.hops = 0
        """How often the server sent us to another one."""
        self.transaction: Transaction | None = None
        self.data = b""
        self.give_up_at: Instant = now
        self.answered = False
        self.mapped: Address | None = None
        self.refresh: Instant = NEVER


class StunSource:
    """A STUN server, once its address is known. Asked from every base of its family.

    The server's answer is believed on its path and transaction id: without credentials there is nothing else.
    """

    __slots__ = (
        "_address",
        "_config",
        "_entropy",
        "_failure",
        "_found",
        "_paths",
        "_queries",
        "_refreshing",
        "_reported",
        "_schedule",
        "_url",
        "index",
        "works",
    )

    def __init__(self, url: str, address: Address, index: int, config: IceConfig, entropy: Entropy) -> None:
        self._url = url
        self._address = address
        self.index = index
        self.works = False
        self._config = config
        self._paths: PathTable = config.paths
        self._entropy = entropy
        self._schedule = RetransmissionConfig(rto=config.stun_rto, rc=config.stun_rc)
        self._queries: list[_Query] = []
        self._found: list[Found] = []
        self._failure: Failure | None = None
        self._reported = False
        self._refreshing = True

    @property
    def settled(self) -> bool:
        return all(query.answered for query in self._queries)

    def add_base(self, base: Base, now: Instant) -> None:
        """Loopback reaches no server elsewhere, link-local none beyond the link: such bases do not ask."""
        if base.address.is_ipv6 != self._address.is_ipv6 or base.link_local:
            return
        if base.loopback and not self._is_loopback:
            return
        path = self._paths.intern(base.socket, self._address)
        self._paths.pin(path)
        query = _Query(base, self._address, path, now)
        query.give_up_at = now + self._config.stun_timeout
        self._queries.append(query)

    @property
    def _is_loopback(self) -> bool:
        return self._address.host == "::1" or self._address.host.startswith("127.")

    def remove_base(self, socket: SocketId) -> None:
        for query in [one for one in self._queries if one.base.socket == socket]:
            self._paths.unpin(query.path)
            self._queries.remove(query)

    def receive(self, message: Message, path: PathId, now: Instant) -> bool:
        for query in self._queries:
            transaction = query.transaction
            if transaction is None or transaction.id != message.transaction_id:
                continue
            if query.path != path:
                return True  # somebody guesses; the true answer may follow
            query.transaction = None
            query.answered = True
            mapped = message.mapped_address
            if message.message_class is MessageClass.ERROR_RESPONSE or mapped is None or message.unknown_required():
                error = message.error
                if error is not None and error.code == ErrorCode.TRY_ALTERNATE and self._redirect(query, message, now):
                    return True
                code, reason = error or (ErrorCode.SERVER_ERROR, "the answer has no mapped address")
                self._failed(query, code, reason)
                return True
            query.refresh = now + self._config.stun_refresh
            if mapped != query.mapped:  # also when a refresh finds that the NAT forgot us
                query.mapped = mapped
                self._reported = self.works = True
                self._found.append(Found(query.base, CandidateType.SRFLX, mapped, str(self._address), self.index))
            return True
        return False

    def _redirect(self, query: _Query, message: Message, now: Instant) -> bool:
        """Follows 300 Try Alternate (RFC 8489 section 10), where the address it names can be one."""
        other = message.get(AttributeType.ALTERNATE_SERVER)
        if (
            not isinstance(other, Address)
            or query.hops >= _MAX_HOPS
            or other.is_ipv6 != query.base.address.is_ipv6
            or not is_usable_remote(other)
            or (is_loopback(other.host) and not self._is_loopback)
        ):
            return False
        self._paths.unpin(query.path)
        query.path = self._paths.intern(query.base.socket, other)
        self._paths.pin(query.path)
        query.server = other
        query.hops += 1
        query.answered = False
        query.give_up_at = now + self._config.stun_timeout
        return True

    def _failed(self, query: _Query, code: int, reason: str) -> None:
        """Reported once a server, when no base got anything out of it."""
        if not self._reported and self.settled:
            self._reported = True
            hidden = self._config.hide_hosts
            host, port = (None, None) if hidden else query.base.address
            self._failure = Failure(self._url, code, reason, host, port)

    @property
    def asked(self) -> bool:
        return bool(self._queries)

    @property
    def unreachable(self) -> Failure:
        family = "IPv6" if self._address.is_ipv6 else "IPv4"
        return Failure(self._url, 701, f"there is no local {family} address to ask {self._address} from")

    def expire(self, now: Instant) -> None:
        for query in self._queries:
            if not query.answered and now >= query.give_up_at:
                query.answered = True
                query.transaction = None
                self._failed(query, 701, f"{query.server} did not answer for {self._config.stun_timeout:g} s")
            elif query.transaction is not None and query.transaction.expired(now):
                query.transaction = None  # a refresh went unanswered
                query.refresh = now + self._config.stun_refresh

    def next_deadline(self) -> Instant:
        at = NEVER
        for query in self._queries:
            if not query.answered:
                at = min(at, query.give_up_at)
            transaction = query.transaction
            if transaction is not None:
                if query.answered or not transaction.exhausted:
                    at = min(at, transaction.deadline)
            elif not query.answered:
                at = -NEVER
            elif self._refreshing:
                at = min(at, query.refresh)
        return at

    def transmit(self, now: Instant) -> Transmit | None:
        for query in self._queries:
            transaction = query.transaction
            if transaction is None:
                if query.answered and not (self._refreshing and now >= query.refresh):
                    continue
                transaction = Transaction(new_transaction_id(self._entropy), self._schedule)
                request = Message(message_class=MessageClass.REQUEST, transaction_id=transaction.id)
                query.transaction = transaction
                query.data = request.serialize()
                query.refresh = NEVER
            elif not transaction.due(now):
                continue
            transaction.sent(now)
            return Transmit(query.path, query.data)
        return None

    def take_found(self) -> list[Found]:
        found, self._found = self._found, []
        return found

    def take_failure(self) -> Failure | None:
        failure, self._failure = self._failure, None
        return failure

    def stop_refreshing(self) -> None:
        self._refreshing = False
        for query in self._queries:
            if query.answered:
                query.transaction = None

    def close(self) -> None:
        for query in self._queries:
            self._paths.unpin(query.path)
        self._queries.clear()


class Sources:
    """All sources of an agent, with one pacing for their requests."""

    __slots__ = ("_config", "_last_sent", "_unreachable", "all")

    def __init__(self, config: IceConfig) -> None:
        self._config = config
        self._last_sent: Instant = -NEVER
        self._unreachable: set[int] = set()
        """Servers reported as such."""
        self.all: list[CandidateSource] = []

    @property
    def settled(self) -> bool:
        return all(source.settled for source in self.all)

    def add_base(self, base: Base, now: Instant) -> None:
        for source in self.all:
            source.add_base(base, now)

    def remove_base(self, socket: SocketId) -> None:
        for source in self.all:
            source.remove_base(socket)

    def receive(self, message: Message, path: PathId, now: Instant) -> bool:
        return any(source.receive(message, path, now) for source in self.all)

    def expire(self, now: Instant) -> None:
        for source in self.all:
            source.expire(now)

    def next_deadline(self, now: Instant) -> Instant:
        """When to call `expire` or `transmit` next: never sooner than pacing allows."""
        at = min((source.next_deadline() for source in self.all), default=NEVER)
        return max(at, self._last_sent + self._config.pacing_floor, now)

    def transmit(self, now: Instant, limit: int, out: list[Transmit]) -> int:
        """Appends at most one request, as Ta wants. Returns how many."""
        if len(out) >= limit or now < self._last_sent + self._config.pacing_floor:
            return 0
        for source in self.all:
            transmit = source.transmit(now)
            if transmit is not None:
                self._last_sent = now
                out.append(transmit)
                return 1
        return 0

    def take_found(self) -> list[Found]:
        return [found for source in self.all for found in source.take_found()]

    def take_failures(self) -> list[Failure]:
        """What is to be reported: of a server with several addresses the last failure, when none of them worked."""
        failures = []
        for source in self.all:
            others = [one for one in self.all if one.index == source.index and one is not source]
            if not all(one.settled for one in others):
                continue  # a failure stays with its source until the others have had their time
            failure = source.take_failure()
            if failure is not None and not any(one.works for one in others):
                for other in others:
                    other.take_failure()
                failures.append(failure)
        return failures

    def unreachable(self) -> list[Failure]:
        """Servers that no base can ask for want of their family, each once."""
        failures = []
        for source in self.all:
            if source.index in self._unreachable or any(one.asked for one in self.all if one.index == source.index):
                continue
            self._unreachable.add(source.index)
            failures.append(source.unreachable)
        return failures

    def stop_refreshing(self) -> None:
        for source in self.all:
            source.stop_refreshing()

    def close(self) -> None:
        for source in self.all:
            source.close()
        self.all.clear()
        self._unreachable.clear()
