"""The ground of the TURN client: its state and timers, what it asks, and what it sends.

Spec: RFC 8656 sections 7.1, 8.1, 10.1, 11.1, 12.1 (forming the requests and indications).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..base import NEVER, Address, Deadlines, Drops, Instant, MachineBase, Transmit
from ..errors import (
    InvalidArgumentError,
    InvalidStateError,
    StunErrorResponse,
    TimedOut,
    WebRTCError,
)
from ..stun import (
    Attribute,
    AttributeType,
    Message,
    MessageClass,
    Method,
    RetransmissionConfig,
    new_transaction_id,
)
from .channel_data import make_transmit, wrap_many
from .config import TurnClientConfig
from .credentials import Challenge
from .events import (
    AllocationFailed,
    ClientState,
    Closed,
    CloseReason,
    DataRelayed,
    TurnEvent,
)
from .hints import NO_ANSWER, hint_for
from .peers import Peers, Permission
from .requests import Kind, Request, Requests

_UDP: Final = bytes((17, 0, 0, 0))
_FAMILY: Final = {4: bytes((1, 0, 0, 0)), 6: bytes((2, 0, 0, 0))}


class Timer(Enum):
    REQUESTS = "requests"
    ALLOCATION_REFRESH = "allocation_refresh"
    ALLOCATION_EXPIRY = "allocation_expiry"
    PEERS = "peers"
    CLOSE = "close"


@dataclass(slots=True)
class ClientCounters:
    requests: int = 0
    """Datagrams with requests, repetitions included."""
    retransmissions: int = 0
    challenges: int = 0
    """401 and 438 that were answered with another try."""
    datagrams_out: int = 0
    datagrams_in: int = 0
    indications_out: int = 0
    """Of the datagrams out, those without a channel."""
    indications_in: int = 0


class ClientCore(MachineBase[TurnEvent]):
    """State, timers, questions and datagrams out. Subclasses add the answers and the verbs."""

    __slots__ = (
        "_challenge",
        "_config",
        "_deadlines",
        "_entropy",
        "_expires",
        "_optional",
        "_out",
        "_out_bytes",
        "_path",
        "_peers",
        "_received_bytes",
        "_released_once",
        "_requests",
        "_schedule",
        "_server",
        "_trace",
        "_visited",
        "additional",
        "counters",
        "drops",
        "mapped",
        "relayed",
        "state",
    )

    def __init__(self, config: TurnClientConfig) -> None:
        super().__init__()
        self._config = config
        self._trace = config.trace.bind(room="turn")
        self._entropy = config.entropy.fork("turn client")
        self._path = config.path
        self._server = config.server
        self._visited = {config.server}
        self._requests = Requests(self._entropy, config.max_in_flight)
        self._peers = Peers(config)
        self._schedule = (
            RetransmissionConfig.reliable(config.stream_timeout) if config.stream else config.retransmission
        )
        self._challenge: Challenge | None = None
        self._deadlines: Deadlines[Timer] = Deadlines()
        self._out: deque[Transmit] = deque()
        self._out_bytes = 0
        self._received_bytes = 0
        self._expires: Instant = NEVER
        self._optional = {AttributeType.DONT_FRAGMENT} if config.dont_fragment else set()
        self._released_once = False
        self.state = ClientState.NEW
        self.relayed: Address | None = None
        self.additional: Address | None = None
        self.mapped: Address | None = None
        self.counters = ClientCounters()
        self.drops = Drops()

    # --- asking ------------------------------------------------------------------------------------------------------

    def _need_open(self, what: str) -> None:
        if self.state in (ClientState.CLOSING, ClientState.CLOSED):
            raise InvalidStateError(f"{what} on a client that is {self.state.value}")

    def _check_family(self, host: str) -> None:
        if (6 if ":" in host else 4) not in self._config.families:
            families = " and ".join(f"IPv{one}" for one in self._config.families)
            raise InvalidArgumentError(f"{host} cannot be reached from a relayed address of {families}")

    def _lifetime_wish(self) -> tuple[Attribute, ...]:
        return () if self._config.lifetime is None else (lifetime_attribute(self._config.lifetime),)

    def _ask_allocation(self, *, first: bool) -> None:
        config = self._config
        attributes = [Attribute(AttributeType.REQUESTED_TRANSPORT, _UDP), *self._lifetime_wish()]
        if config.families == (4, 6):
            attributes.append(Attribute(AttributeType.ADDITIONAL_ADDRESS_FAMILY, _FAMILY[6]))
        elif config.families == (6,):
            attributes.append(Attribute(AttributeType.REQUESTED_ADDRESS_FAMILY, _FAMILY[6]))
        if AttributeType.DONT_FRAGMENT in self._optional:
            attributes.append(Attribute(AttributeType.DONT_FRAGMENT))
        if config.software is not None:
            attributes.append(Attribute(AttributeType.SOFTWARE, config.software))
        self._requests.add(Request(Kind.ALLOCATE, tuple(attributes), self._schedule), first=first)

    def _ask_about_peers(self, now: Instant) -> None:
        """Requests for what is due about peers; `busy` keeps it to one each."""
        if self.state is not ClientState.ALLOCATED:
            return
        due = self._peers.due_permissions(now)
        size = self._config.max_peers_per_request
        for at in range(0, len(due), size):
            self._ask_permissions(due[at : at + size])
        for channel in self._peers.due_channels(now):
            channel.busy = True
            attributes = (
                Attribute(AttributeType.CHANNEL_NUMBER, channel.number),
                Attribute(AttributeType.XOR_PEER_ADDRESS, channel.peer),
            )
            self._requests.add(Request(Kind.CHANNEL, attributes, self._schedule, (channel,)))

    def _ask_permissions(self, permissions: Sequence[Permission]) -> None:
        for permission in permissions:
            permission.busy = True
        attributes = tuple(Attribute(AttributeType.XOR_PEER_ADDRESS, Address(one.host, 0)) for one in permissions)
        self._requests.add(Request(Kind.PERMISSION, attributes, self._schedule, tuple(permissions)))

    # --- sending -----------------------------------------------------------------------------------------------------

    def channel_of(self, peer: Address) -> int | None:
        """The number bound to this peer: the first two bytes in front of each datagram; None while there is none."""
        channel = self._peers.channels.get(peer)
        return channel.number if channel is not None and channel.bound else None

    def wrap_many(self, peer: Address, datagrams: Sequence[bytes]) -> list[bytes]:
        """Datagrams for a peer as the bytes to send on `path`, around the queue of this machine.

        Returns: nothing while there is no permission.
        Cost: with a channel one copy and no Python call a datagram.
        """
        channel = self._peers.channels.get(peer)
        if channel is not None and channel.bound:
            return wrap_many(channel.number, datagrams, padded=self._config.stream)
        permission = self._peers.permissions.get(peer.host)
        if permission is None or not permission.installed:
            return []
        return [self._indication(peer, data) for data in datagrams]

    def _queue(self, peer: Address, datagrams: Sequence[bytes]) -> None:
        path, limit = self._path, self._config.max_queue_bytes
        for data in self.wrap_many(peer, datagrams):
            if self._out_bytes + len(data) > limit:
                self.drops.add("queue full")
                continue
            self._out_bytes += len(data)
            self.counters.datagrams_out += 1
            self._out.append(make_transmit((path, data, 0)))

    def _indication(self, peer: Address, data: bytes) -> bytes:
        self.counters.indications_out += 1
        attributes = (Attribute(AttributeType.XOR_PEER_ADDRESS, peer), Attribute(AttributeType.DATA, data))
        return Message(
            method=Method.SEND,
            message_class=MessageClass.INDICATION,
            transaction_id=new_transaction_id(self._entropy),
            attributes=attributes,
        ).serialize(fingerprint=False)

    def _relayed(self, peer: Address, data: bytes) -> None:
        if self._received_bytes + len(data) > self._config.max_received_bytes:
            self.drops.add("events not polled")
            return
        self._received_bytes += len(data) + 64
        self.counters.datagrams_in += 1
        last = self._events[-1] if self._events else None
        if type(last) is DataRelayed and last.peer == peer:
            last.datagrams.append(data)
        else:
            self._emit(DataRelayed(peer, [data]))

    # --- state -------------------------------------------------------------------------------------------------------

    def _ended(self) -> bool:
        return self.state is ClientState.CLOSED

    def _rearm(self, now: Instant) -> None:
        """Timers from the state as it is, so that none can be forgotten."""
        if self.state is ClientState.CLOSED:
            return
        self._deadlines.set(Timer.REQUESTS, max(self._requests.next_deadline(), now))
        if self.state is ClientState.ALLOCATED:
            self._deadlines.set(Timer.PEERS, max(self._peers.next_deadline(), now))

    def _set_state(self, state: ClientState, now: Instant) -> None:
        self.state = state
        if self._trace:
            relayed = None if self.relayed is None else str(self.relayed)
            self._trace.event(now, "state_changed", state=state.value, relayed=relayed)

    def _fail(self, code: int, reason: str, now: Instant) -> None:
        hint = hint_for(code)
        if self._trace:
            self._trace.event(now, "allocation_failed", code=code, reason=reason, hint=hint)
        self._emit(AllocationFailed(code, reason, hint))
        error: WebRTCError = TimedOut(reason) if code == NO_ANSWER else StunErrorResponse(code, reason)
        self._end(CloseReason.FAILED, error, now)

    def _end(self, reason: CloseReason, error: WebRTCError | None, now: Instant) -> None:
        self._set_state(ClientState.CLOSED, now)
        self._requests.clear()
        self._peers.clear()
        self._out.clear()
        self._out_bytes = 0
        self._deadlines.clear_all()
        self._emit(Closed(reason, error))


def lifetime_attribute(seconds: float) -> Attribute:
    return Attribute(AttributeType.LIFETIME, int(seconds))
