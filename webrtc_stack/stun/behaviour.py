"""NAT behaviour discovery: a client that finds out how the NAT before it maps and filters.

```
 primary ─ answered, OTHER-ADDRESS ─> filtering II, III ─> mapping II, III, hairpin ─> (lifetime) ─> report
    └─ silent: UDP blocked   └─ none, or refused: not supported
```
Filtering comes first although the RFC tells it last: the mapping tests send to the server's other address, which
opens a filter for it. Tests that do not disturb one another go at once, so that all takes at most three silences.

What comes back is believed on its transaction id and on the address it comes from; nothing else protects STUN
without credentials. A server may name any address as its other one, so few and small datagrams go there, and none to
addresses that no server has.

Spec: RFC 5780 sections 4.2 (NAT or not), 4.3 (mapping), 4.4 (filtering), 4.5 (hairpinning), 4.6 (binding lifetime), 7.
Left out: section 4.7 (colliding ports of two hosts), fragments (PADDING), discovery over TCP.

Invariants: at most one request of each test is on its way; the time to the end is bounded whatever comes in; the last
events are one `BehaviourDiscovered` and one `DiscoveryClosed`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from ..base import (
    NEVER,
    SYSTEM_ENTROPY,
    Address,
    Datagram,
    Deadlines,
    Drops,
    Entropy,
    Instant,
    MachineBase,
    PathId,
    PathTable,
    SocketId,
    Transmit,
    canonical_ip,
)
from ..errors import InvalidArgumentError, InvalidStateError, ParseError
from ..trace import NO_TRACE, Trace
from .attributes import Attribute
from .behaviour_report import DiscoveryOutcome, NatBehaviour, NatReport
from .message import Message, is_stun
from .registry import AttributeType, ErrorCode, MessageClass, Method
from .server import CHANGE_IP, CHANGE_PORT
from .transaction import RetransmissionConfig, Transaction, new_transaction_id


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourConfig:
    """Configuration of a `BehaviourDiscovery`. Times are seconds."""

    server: Address
    """The server's first address. Its other one comes from itself."""
    socket: SocketId
    """The socket to ask from; it should be fresh, because earlier traffic leaves filters open."""
    local: Address | None = None
    """Where that socket is bound, to tell whether there is a NAT; None leaves that open."""
    second_socket: SocketId | None = None
    """Another one at the same address: for the lifetime, and to hairpin as two clients would."""
    paths: PathTable = field(default_factory=PathTable)
    """Shared with the driver, which interns where datagrams came from."""
    retransmission: RetransmissionConfig = field(
        default_factory=lambda: RetransmissionConfig(rto=0.4, rc=4, rm=3, max_rto=0.8)
    )
    """Sent at 0, 0.4, 1.2 and 2.0 s, given up at 3.2: silence is an answer here, and three silences in a row shall
    not take longer than somebody waits. Four losses in a row are rarer than that."""
    hairpin: bool = True
    lifetime_limit: float = 0.0
    """Up to which silence the life of a binding is measured; 0 leaves it out. It takes several times as long."""
    lifetime_first: float = 15.0
    """The first silence tried; doubled until a binding dies. NATs below 30 s exist, below 15 s hardly."""
    lifetime_resolution: float = 10.0
    """How exact the search ends."""
    timeout: float = 15.0
    """For all tests but the lifetime; what is not known by then stays unknown."""
    entropy: Entropy = SYSTEM_ENTROPY
    trace: Trace = NO_TRACE

    def __post_init__(self) -> None:
        canonical_ip(self.server.host)
        if not 0 < self.server.port < 65536:
            raise InvalidArgumentError(f"a server has a port from 1 to 65535, got {self.server.port}")
        if self.timeout <= 0:
            raise InvalidArgumentError(f"timeout is above 0 s, got {self.timeout}")
        if self.lifetime_limit and self.second_socket is None:
            raise InvalidArgumentError("the lifetime of a binding needs a second_socket to ask from")
        if self.lifetime_limit and not 1 <= self.lifetime_first <= self.lifetime_limit <= 3600:
            raise InvalidArgumentError("1 <= lifetime_first <= lifetime_limit <= 3600")
        if self.lifetime_resolution < 1:
            raise InvalidArgumentError(f"lifetime_resolution is at least 1 s, got {self.lifetime_resolution}")


class BehaviourDiscovered(NamedTuple):
    """The result; `DiscoveryClosed` follows."""

    report: NatReport


class DiscoveryClosed(NamedTuple):
    """The end; nothing comes after it."""

    reason: str


BehaviourEvent: TypeAlias = BehaviourDiscovered | DiscoveryClosed


@dataclass(slots=True)
class BehaviourCounters:
    requests_sent: int = 0
    retransmissions: int = 0
    responses_received: int = 0


class Step(Enum):
    """The tests, and why the machine wants to be woken."""

    PRIMARY = "the first answer, or its absence"
    FILTERING_II = "an answer from the other address and port"
    FILTERING_III = "an answer from the other port"
    MAPPING_II = "how the other address sees us"
    MAPPING_III = "how the other address and port see us"
    HAIRPIN = "our own request, back from outside"
    LIFETIME_BIND = "a fresh binding"
    LIFETIME_WAIT = "the binding ages"
    LIFETIME_PROBE = "whether the binding is still there"
    OVERALL = "the time for all tests is over"


_FILTERING: Final = (Step.FILTERING_II, Step.FILTERING_III)
_MAPPING: Final = (Step.MAPPING_II, Step.MAPPING_III, Step.HAIRPIN)
_NO_SUPPORT: Final = frozenset({ErrorCode.BAD_REQUEST, ErrorCode.UNKNOWN_ATTRIBUTE})


class _Probe:
    """One request: where it goes, and on which path its answer counts."""

    __slots__ = ("answer_path", "attributes", "data", "path", "transaction")

    def __init__(self, path: PathId, answer_path: PathId, attributes: tuple[Attribute, ...]) -> None:
        self.path = path
        self.answer_path = answer_path
        self.attributes = attributes
        self.transaction: Transaction | None = None
        self.data = b""


class BehaviourDiscovery(MachineBase[BehaviourEvent]):
    """One discovery. In `Datagram`, out `Transmit`; begins with `start`."""

    __slots__ = (
        "_alive",
        "_closed",
        "_config",
        "_dead",
        "_deadlines",
        "_entropy",
        "_pins",
        "_probes",
        "_refused",
        "_report",
        "_results",
        "_started_at",
        "_trace",
        "_wait",
        "counters",
        "drops",
    )

    def __init__(self, config: BehaviourConfig) -> None:
        super().__init__()
        self._config = config
        self._trace = config.trace.bind(room="stun")
        self._entropy = config.entropy.fork("behaviour")
        self._deadlines: Deadlines[Step] = Deadlines()
        self._probes: dict[Step, _Probe] = {}
        self._results: dict[Step, Address | None] = {}
        """What each finished test saw as our address; None where nothing came."""
        self._pins: list[PathId] = []
        self._refused = False
        self._started_at: Instant | None = None
        self._closed = False
        self._alive: float | None = None
        self._dead: float | None = None
        self._wait = 0.0
        self._report = NatReport(server=config.server, outcome=DiscoveryOutcome.STOPPED, local=config.local)
        self.counters = BehaviourCounters()
        self.drops = Drops()

    @property
    def report(self) -> NatReport:
        """What is known so far; final with `BehaviourDiscovered`."""
        return self._report

    # --- commands ---------------------------------------------------------------------------------------------------

    def start(self, now: Instant) -> None:
        """Asks the server. Errors: `InvalidStateError` the second time."""
        if self._started_at is not None or self._closed:
            raise InvalidStateError("a discovery runs once; make another one")
        now = self._advance(now)
        self._started_at = now
        self._deadlines.set(Step.OVERALL, now + self._config.timeout)
        self._ask(Step.PRIMARY, self._config.server)

    def close(self, now: Instant) -> None:
        """Ends at once, with what is known. Idempotent."""
        now = self._advance(now)
        if not self._closed:
            self._finish(DiscoveryOutcome.STOPPED, "closed", now)

    # --- the tests --------------------------------------------------------------------------------------------------

    def _ask(
        self,
        step: Step,
        to: Address,
        *,
        answer_from: Address | None = None,
        attributes: tuple[Attribute, ...] = (),
        socket: SocketId | None = None,
        answer_socket: SocketId | None = None,
    ) -> None:
        paths, own = self._config.paths, self._config.socket
        path = paths.intern(own if socket is None else socket, to)
        answer_path = paths.intern(own if answer_socket is None else answer_socket, answer_from or to)
        for one in (path, answer_path):
            paths.pin(one)
            self._pins.append(one)
        self._probes[step] = _Probe(path, answer_path, attributes)
        self._deadlines.set(step, self._now)

    def _answered(self, step: Step, mapped: Address | None, now: Instant) -> None:
        """A test has ended, with our address or with silence."""
        del self._probes[step]
        self._deadlines.clear(step)
        self._results[step] = mapped
        if self._trace:
            self._trace.event(now, "test_ended", test=step.name.lower(), mapped=str(mapped) if mapped else None)
        if step is Step.PRIMARY:
            self._primary_ended(mapped, now)
        elif step in _FILTERING and (self._refused or not any(one in self._probes for one in _FILTERING)):
            self._filtering_ended(now)
        elif step in _MAPPING and not any(one in self._probes for one in _MAPPING):
            self._mapping_ended(now)
        elif step is Step.LIFETIME_BIND:
            self._lifetime_bound(mapped, now)
        elif step is Step.LIFETIME_PROBE:
            self._lifetime_probed(mapped is not None, now)

    def _primary_ended(self, mapped: Address | None, now: Instant) -> None:
        if mapped is None:
            outcome = DiscoveryOutcome.UDP_BLOCKED if self._report.error is None else DiscoveryOutcome.NOT_SUPPORTED
            self._finish(outcome, "no answer" if self._report.error is None else "refused", now)
            return
        local = self._config.local
        self._report = replace(
            self._report,
            mapped=mapped,
            behind_nat=None if local is None else mapped != local,
            port_kept=None if local is None else mapped.port == local.port,
        )
        other = self._report.other
        if other is None:
            self._finish(DiscoveryOutcome.NOT_SUPPORTED, "no other address", now)
            return
        server = self._config.server
        change = Attribute(AttributeType.CHANGE_REQUEST, CHANGE_IP | CHANGE_PORT)
        self._ask(Step.FILTERING_II, server, answer_from=other, attributes=(change,))
        change = Attribute(AttributeType.CHANGE_REQUEST, CHANGE_PORT)
        self._ask(Step.FILTERING_III, server, answer_from=Address(server.host, other.port), attributes=(change,))

    def _filtering_ended(self, now: Instant) -> None:
        if self._refused:
            self._finish(DiscoveryOutcome.NOT_SUPPORTED, "change-request refused", now)
            return
        filtering = NatBehaviour.ADDRESS_AND_PORT_DEPENDENT
        if self._results[Step.FILTERING_II] is not None:
            filtering = NatBehaviour.ENDPOINT_INDEPENDENT
        elif self._results[Step.FILTERING_III] is not None:
            filtering = NatBehaviour.ADDRESS_DEPENDENT
        self._report = replace(self._report, filtering=filtering)
        other, mapped = self._report.other, self._report.mapped
        assert other is not None and mapped is not None, "set by the first test"
        if self._report.behind_nat is False:
            self._begin_lifetime(now)  # RFC 5780 section 4.3: nothing is mapped
            return
        self._ask(Step.MAPPING_II, Address(other.host, self._config.server.port))
        self._ask(Step.MAPPING_III, other)
        if self._config.hairpin and mapped.port:
            self._ask(Step.HAIRPIN, mapped, socket=self._config.second_socket)

    def _mapping_ended(self, now: Instant) -> None:
        first, second, third = (self._results[one] for one in (Step.PRIMARY, Step.MAPPING_II, Step.MAPPING_III))
        mapping: NatBehaviour | None = None
        if second is not None and second == first:
            mapping = NatBehaviour.ENDPOINT_INDEPENDENT
        elif second is not None and third is not None:
            mapping = NatBehaviour.ADDRESS_DEPENDENT if second == third else NatBehaviour.ADDRESS_AND_PORT_DEPENDENT
        hairpinning = self._results[Step.HAIRPIN] is not None if Step.HAIRPIN in self._results else None
        self._report = replace(self._report, mapping=mapping, hairpinning=hairpinning)
        self._begin_lifetime(now)

    # --- how long a binding lives -----------------------------------------------------------------------------------

    def _begin_lifetime(self, now: Instant) -> None:
        if not self._config.lifetime_limit or self._report.behind_nat is False:
            self._finish(DiscoveryOutcome.COMPLETE, "complete", now)
            return
        self._deadlines.clear(Step.OVERALL)  # from here on the search bounds itself
        self._wait = self._config.lifetime_first
        self._ask(Step.LIFETIME_BIND, self._config.server)

    def _lifetime_bound(self, mapped: Address | None, now: Instant) -> None:
        if mapped is None:
            self._finish(DiscoveryOutcome.COMPLETE, "the server fell silent", now)
            return
        self._results[Step.LIFETIME_WAIT] = mapped
        self._deadlines.set(Step.LIFETIME_WAIT, now + self._wait)

    def _probe_lifetime(self) -> None:
        mapped = self._results[Step.LIFETIME_WAIT]
        assert mapped is not None, "the wait begins with an address"
        self._ask(
            Step.LIFETIME_PROBE,
            self._config.server,
            attributes=(Attribute(AttributeType.RESPONSE_PORT, mapped.port),),
            socket=self._config.second_socket,
            answer_socket=self._config.socket,
        )

    def _lifetime_probed(self, alive: bool, now: Instant) -> None:
        if self._refused:
            self._finish(DiscoveryOutcome.COMPLETE, "the server does not know RESPONSE-PORT", now)
            return
        if alive:
            self._alive = self._wait
        else:
            self._dead = self._wait
        self._report = replace(self._report, lifetime_at_least=self._alive, lifetime_below=self._dead)
        limit, low = self._config.lifetime_limit, self._alive or 0.0
        done = low >= limit if self._dead is None else self._dead - low <= self._config.lifetime_resolution
        if done:
            self._finish(DiscoveryOutcome.COMPLETE, "complete", now)
            return
        self._wait = min(self._wait * 2, limit) if self._dead is None else (low + self._dead) / 2
        self._ask(Step.LIFETIME_BIND, self._config.server)

    # --- the machine ------------------------------------------------------------------------------------------------

    def receive(self, data: Datagram, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[Datagram], now: Instant) -> None:
        now = self._advance(now)
        for datagram in burst:
            if self._closed:
                return
            self._receive(datagram.path, datagram.data, now)

    def _receive(self, path: PathId, data: bytes, now: Instant) -> None:
        if not is_stun(data):
            self.drops.add("not stun")
            return
        try:
            message = Message.parse(data)
        except ParseError:
            self.drops.add("malformed")
            return
        found = next(
            (
                (step, probe)
                for step, probe in self._probes.items()
                if probe.transaction is not None and probe.transaction.id == message.transaction_id
            ),
            None,
        )
        if found is None or message.method != Method.BINDING:
            self.drops.add("unknown transaction")
            return
        step, probe = found
        if message.message_class is MessageClass.REQUEST:
            self._request_came_back(step, path, data, now)
        elif message.message_class is MessageClass.ERROR_RESPONSE:
            self._refused_by(step, probe, path, message, now)
        elif message.message_class is MessageClass.SUCCESS_RESPONSE:
            self._response(step, probe, path, message, now)
        else:
            self.drops.add("indication")

    def _request_came_back(self, step: Step, path: PathId, data: bytes, now: Instant) -> None:
        """Our own request: the NAT turned it round (RFC 5780 section 4.5)."""
        way = self._config.paths.lookup(path)
        if step is not Step.HAIRPIN or way is None or way.socket != self._config.socket:
            self.drops.add("request")
        elif data != self._probes[step].data:
            self.drops.add("not our request")
        else:
            self._answered(step, way.remote, now)

    def _refused_by(self, step: Step, probe: _Probe, path: PathId, message: Message, now: Instant) -> None:
        if path != probe.path:  # the server could not know another place to refuse to
            self.drops.add("error from elsewhere")
            return
        self.counters.responses_received += 1
        code, reason = message.error or (ErrorCode.SERVER_ERROR, "an error without a code")
        if code in _NO_SUPPORT or step is Step.PRIMARY:
            self._refused = True
            self._report = replace(self._report, error=(code, reason[:80]))
        self._answered(step, None, now)

    def _response(self, step: Step, probe: _Probe, path: PathId, message: Message, now: Instant) -> None:
        mapped = message.mapped_address
        if step is Step.HAIRPIN:
            self.drops.add("somebody answers for us")
        elif path != probe.answer_path:
            if path == probe.path and probe.attributes and step in _FILTERING:
                # It answered as if it had not been asked to change: it knows nothing of CHANGE-REQUEST.
                self.counters.responses_received += 1
                self._refused = True
                self._answered(step, None, now)
            else:
                self.drops.add("answer from elsewhere")
        elif mapped is None or not mapped.port:
            self.drops.add("no mapped address")
        else:
            self.counters.responses_received += 1
            if step is Step.PRIMARY:
                assert probe.transaction is not None, "it has been sent"
                self._report = replace(self._report, rtt=probe.transaction.rtt(now), other=self._other_of(message))
            self._answered(step, mapped, now)

    def _other_of(self, message: Message) -> Address | None:
        """OTHER-ADDRESS, if it is one that a second address and port of the server can be."""
        other = message.get(AttributeType.OTHER_ADDRESS)
        server = self._config.server
        if not isinstance(other, Address) or not other.port or other.is_ipv6 != server.is_ipv6:
            return None
        if other.host == server.host or other.port == server.port:
            return None
        ip, known = ipaddress.ip_address(other.host), ipaddress.ip_address(server.host)
        if ip.is_unspecified or ip.is_multicast or other.host == "255.255.255.255":
            return None
        if ip.is_loopback and not known.is_loopback:
            return None
        return other

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        if self._closed:
            return
        if (overall := self._deadlines.get(Step.OVERALL)) is not None and overall <= now:
            self._finish(DiscoveryOutcome.STOPPED, "the time is over", now)
            return
        for step, probe in list(self._probes.items()):
            if probe.transaction is not None and probe.transaction.expired(now) and step in self._probes:
                self._answered(step, None, now)  # which may end everything, and leaves no probe then
        waited = self._deadlines.get(Step.LIFETIME_WAIT)
        if waited is not None and waited <= now:
            self._deadlines.clear(Step.LIFETIME_WAIT)
            self._probe_lifetime()

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[Transmit]:
        now = self._advance(now)
        out: list[Transmit] = []
        for step, probe in self._probes.items():
            if len(out) >= limit:
                break
            transaction = probe.transaction
            if transaction is None:
                transaction = Transaction(new_transaction_id(self._entropy), self._config.retransmission)
                probe.transaction = transaction
                request = Message(
                    message_class=MessageClass.REQUEST,
                    transaction_id=transaction.id,
                    attributes=probe.attributes,
                )
                probe.data = request.serialize(fingerprint=False)
            elif not transaction.due(now):
                continue
            transaction.sent(now)
            self._deadlines.set(step, transaction.deadline)
            self.counters.requests_sent += 1
            self.counters.retransmissions += transaction.sends > 1
            out.append(Transmit(probe.path, probe.data))
        return out

    def next_timeout(self) -> Instant:
        return NEVER if self._closed else max(self._deadlines.next(), self._now)

    def _finish(self, outcome: DiscoveryOutcome, reason: str, now: Instant) -> None:
        self._closed = True
        self._probes.clear()
        self._deadlines.clear_all()
        for path in self._pins:
            self._config.paths.unpin(path)
        self._pins.clear()
        took = 0.0 if self._started_at is None else now - self._started_at
        self._report = replace(self._report, outcome=outcome, took=took)
        if self._trace:
            self._trace.event(now, "behaviour_discovered", report=str(self._report))
        self._emit(BehaviourDiscovered(self._report))
        self._emit(DiscoveryClosed(reason))
