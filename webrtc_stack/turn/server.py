"""The TURN and STUN server: many clients over paths, each with at most one allocation.

Relays are wishes: `OpenRelay(id, family, port)` asks the driver for a socket, `relay_opened` brings it; from then on
what arrives at that socket comes in by `receive_many` like everything else, on paths of its own.

Spec: RFC 8656 sections 5, 7.2, 8.2, 10.2, 11.2, 11.3, 12.2, 12.6, 12.7; RFC 8489 sections 9.2.4 and 12. Left out:
EVEN-PORT with reservation (508) and RESERVATION-TOKEN (508), DONT-FRAGMENT (420: the driver's sockets do not set it),
ICMP indications, RFC 6062 (442), RFC 8016, redirecting clients elsewhere. With two addresses and two ports it serves
behaviour discovery (RFC 5780) too.

Invariants: nothing is relayed for an allocation without a permission that its own user installed, nor to a host that
the policy refuses, at any time; whoever has proven nothing gets few and short answers; each table has a limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Final

from ..base import (
    NEVER,
    Address,
    Datagram,
    Instant,
    PathId,
    PathTable,
    SocketId,
    Transmit,
)
from ..errors import InvalidArgumentError, ParseError
from ..stun import (
    AlternateAddresses,
    Attribute,
    AttributeType,
    BindingAnswer,
    ErrorCode,
    Message,
    MessageClass,
    Method,
    answer_binding,
    answer_discovery,
    is_stun,
    new_transaction_id,
)
from .allocation import Allocation, Relay
from .authentication import Unproven
from .channel_data import make_transmit, wrap_many
from .methods import answer_channel_bind, answer_create_permission
from .server_allocations import ServerAllocations
from .server_events import (
    CloseClient,
    EndReason,
    ServerClosed,
)

_METHODS: Final = frozenset({Method.ALLOCATE, Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND})
_MAX_TRACED: Final = 256
_MAX_DATAGRAM: Final = 65_507


class TurnServer(ServerAllocations):
    """A server. In `Datagram`, out `Transmit`; streams are announced by `stream_opened` and come framed."""

    __slots__ = ()

    # --- for the driver ---------------------------------------------------------------------------------------------

    @property
    def paths(self) -> PathTable:
        return self._paths

    @property
    def allocations(self) -> list[Allocation]:
        """All that are open."""
        return list(self._by_path.values())

    def serve_discovery(self, alternates: AlternateAddresses, sockets: Mapping[Address, SocketId]) -> None:
        """Answers behaviour discovery from these four places, whose sockets are given.

        Errors: `InvalidArgumentError` when one is missing.
        """
        missing = [str(one) for one in alternates.all if one not in sockets]
        if missing:
            raise InvalidArgumentError(f"discovery needs a socket at {', '.join(missing)}")
        self._alternates = alternates
        self._discovery = {sockets[one]: one for one in alternates.all}

    def stream_opened(self, path: PathId, now: Instant) -> None:
        """A client has connected over TCP or TLS. Beyond `max_streams` the wish to close it follows."""
        self._need_open("stream_opened")
        now = self._advance(now)
        if len(self._streams) >= self._config.max_streams:
            self._note("too many streams", path, now)
            self._emit(CloseClient(path, "too many streams"))
            return
        self._paths.pin(path)
        self._streams[path] = now
        self._rearm(now)

    def stream_closed(self, path: PathId, now: Instant) -> None:
        """The stream of this path is gone, and its allocation with it."""
        now = self._advance(now)
        if self._streams.pop(path, None) is None or self.closed:
            return
        self._abandon(path, now)
        allocation = self._by_path.get(path)
        if allocation is not None:
            self._end(allocation, EndReason.DISCONNECTED, now)
        self._paths.unpin(path)
        self._rearm(now)

    def close(self, now: Instant) -> None:
        """Ends all allocations and the server, at once."""
        if self.closed:
            return
        now = self._advance(now)
        for path in list(self._pending):
            self._abandon(path, now)
        for allocation in list(self._by_path.values()):
            self._end(allocation, EndReason.SHUTDOWN, now)
        for path in self._streams:
            self._emit(CloseClient(path, "the server ends"))
            self._paths.unpin(path)
        self._streams.clear()
        self._out.clear()
        self._cache.clear()
        self._deadlines.clear_all()
        self._expiries.clear()
        self.closed = True
        if self._trace:
            self._trace.event(now, "closed")
        self._emit(ServerClosed("closed"))

    # --- the machine ------------------------------------------------------------------------------------------------

    def receive(self, data: Datagram, now: Instant) -> None:
        self.receive_many((data,), now)

    def receive_many(self, burst: Sequence[Datagram], now: Instant) -> None:
        now = self._advance(now)
        if self.closed:
            return
        lookup = self._paths.lookup
        relays = self._by_relay
        at, size = 0, len(burst)
        control = False
        while at < size:
            path_id = burst[at].path
            end = at + 1
            while end < size and burst[end].path == path_id:
                end += 1
            path = lookup(path_id)
            if path is None:
                self.drops.add("unknown path", end - at)
            elif (found := relays.get(path.socket)) is not None:
                self._from_peer(found[0], found[1], path.remote, [one.data for one in burst[at:end]], now)
            else:
                frames: list[bytes] = []
                for one in burst[at:end]:
                    data = one.data
                    if len(data) >= 4 and 0x40 <= data[0] <= 0x7F:
                        frames.append(data)
                        continue
                    if frames:  # in order: a request may bind the channel that comes next
                        self._from_channels(path_id, frames, now)
                        frames = []
                    control = True
                    self._receive_stun(path_id, path.remote, data, now)
                if frames:
                    self._from_channels(path_id, frames, now)
            at = end
        if control:
            self._rearm(now)

    def handle_timeout(self, now: Instant) -> None:
        now = self._advance(now)
        if self.closed:
            return
        self._deadlines.pop_due(now)
        expiries = self._expiries
        while expiries and expiries[0][0] <= now:
            _, id, path = heapq.heappop(expiries)
            allocation = self._by_path.get(path)
            if allocation is None or allocation.id != id:
                continue
            if allocation.expires <= now:
                self._end(allocation, EndReason.EXPIRED, now)
            else:
                allocation.due = allocation.expires
                heapq.heappush(expiries, (allocation.due, id, path))
        for path, pending in list(self._pending.items()):
            if pending.deadline <= now:
                self._abandon(path, now)
                self._answer_failure(pending, ErrorCode.INSUFFICIENT_CAPACITY, "relay not opened in time", now)
        patience = self._config.stream_patience
        for path, since in list(self._streams.items()):
            if path not in self._by_path and path not in self._pending and since + patience <= now:
                self._note("idle stream", path, now)
                self._emit(CloseClient(path, "no allocation for too long"))
                self.stream_closed(path, now)
        self._rearm(now)

    def poll_transmits(self, now: Instant, limit: int = 64) -> list[Transmit]:
        self._advance(now)
        queue = self._out
        if len(queue) <= limit:
            out = list(queue)
            queue.clear()
            return out
        return [queue.popleft() for _ in range(limit)]

    def next_timeout(self) -> Instant:
        if self.closed:
            return NEVER
        if self._out:
            return self._now
        return max(self._deadlines.next(), self._now)

    # --- data -------------------------------------------------------------------------------------------------------

    def _from_channels(self, client: PathId, frames: list[bytes], now: Instant) -> None:
        """ChannelData of one client. No Python call a datagram while the channel stays the same."""
        allocation = self._by_path.get(client)
        if allocation is None:
            self.drops.add("channel data without allocation", len(frames))
            return
        limited = self._config.bytes_per_second is not None
        last, way = -1, None
        out, room = self._out, self._config.max_queue - len(self._out)
        moved = count = 0
        for data in frames:
            number = data[0] << 8 | data[1]
            if number != last:
                last, way = number, self._way(allocation, number, now)
            if way is None:
                continue
            length = data[2] << 8 | data[3]
            if length > len(data) - 4 or length > _MAX_DATAGRAM:
                self.drops.add("channel data cut off")
            elif limited and not allocation.has_room(length, now):
                self.drops.add("over bandwidth")
            elif count >= room:
                self.drops.add("queue full")
            else:
                moved += length
                count += 1
                out.append(make_transmit((way, data[4 : 4 + length], 0)))
        allocation.bytes_to_peers += moved
        self.counters.datagrams_to_peers += count

    def _way(self, allocation: Allocation, number: int, now: Instant) -> PathId | None:
        """The path from the relay to the peer of a channel; None if there is no such channel, or no permission."""
        peer = allocation.peer_of(number, now)
        if peer is None:
            self.drops.add("unknown channel")
            return None
        relay = allocation.relays.get(6 if ":" in peer.host else 4)
        if relay is None or relay.socket is None or not allocation.is_permitted(peer.host, now):
            self.drops.add("no permission")
            return None
        return self._paths.intern(relay.socket, peer)

    def _to_peer(self, allocation: Allocation, peer: Address, data: bytes, now: Instant) -> None:
        relay = allocation.relays.get(6 if ":" in peer.host else 4)
        if relay is None or relay.socket is None:
            self.drops.add("no relay of this family")
        elif not allocation.is_permitted(peer.host, now):
            self.drops.add("no permission")
        elif len(data) > _MAX_DATAGRAM:
            self.drops.add("datagram too large")
        elif not allocation.has_room(len(data), now):
            self.drops.add("over bandwidth")
        else:
            allocation.bytes_to_peers += len(data)
            self.counters.datagrams_to_peers += 1
            self._send(self._paths.intern(relay.socket, peer), data)

    def _from_peer(
        self, allocation: Allocation, relay: Relay, peer: Address, datagrams: list[bytes], now: Instant
    ) -> None:
        if not allocation.is_permitted(peer.host, now):
            self.drops.add("peer without permission", len(datagrams))
            return
        if max(map(len, datagrams), default=0) > _MAX_DATAGRAM:
            self.drops.add("datagram too large")
            datagrams = [data for data in datagrams if len(data) <= _MAX_DATAGRAM]
        if self._config.bytes_per_second is not None:
            kept = [data for data in datagrams if allocation.has_room(len(data), now)]
            if len(kept) < len(datagrams):
                self.drops.add("over bandwidth", len(datagrams) - len(kept))
            datagrams = kept
        allocation.bytes_to_client += sum(map(len, datagrams))
        self.counters.datagrams_to_clients += len(datagrams)
        channel = allocation.channel_of(peer, now)
        if channel is not None:
            room = self._config.max_queue - len(self._out)
            if len(datagrams) > room:
                self.drops.add("queue full", len(datagrams) - room)
                datagrams = datagrams[:room]
            way = allocation.path
            wrapped = wrap_many(channel, datagrams, padded=allocation.stream)
            self._out.extend([make_transmit((way, data, 0)) for data in wrapped])
            return
        for data in datagrams:
            if len(data) > 65_000:
                self.drops.add("datagram too large")
                continue
            indication = Message(
                method=Method.DATA,
                message_class=MessageClass.INDICATION,
                transaction_id=new_transaction_id(self._entropy),
                attributes=(Attribute(AttributeType.XOR_PEER_ADDRESS, peer), Attribute(AttributeType.DATA, data)),
            )
            self._send(allocation.path, indication.serialize(fingerprint=False))

    # --- requests ---------------------------------------------------------------------------------------------------

    def _receive_stun(self, path: PathId, client: Address, data: bytes, now: Instant) -> None:
        if not is_stun(data):
            self._note("not turn", path, now)
            return
        cached = self._cache.get(path, data, now)
        if cached is not None:
            self.counters.cached += 1
            self._send(path, cached)
            return
        try:
            message = Message.parse(data)
        except ParseError:
            self._note("malformed", path, now)
            return
        if message.message_class == MessageClass.INDICATION:
            self._receive_indication(path, message, now)
        elif message.message_class != MessageClass.REQUEST:
            self._note("unexpected response", path, now)
        elif message.method == Method.BINDING:
            self._answer_binding(path, client, message, now)
        elif message.method not in _METHODS:
            self._refuse_unproven(path, client, message, Unproven(ErrorCode.BAD_REQUEST, "unknown method"), now)
        else:
            self._receive_request(path, client, message, now)

    def _answer_binding(self, path: PathId, client: Address, message: Message, now: Instant) -> None:
        local = self._at_discovery(path)
        # An answer that comes from, or goes to, another place costs double: nobody who merely asks for an address
        # needs one, and whoever asks in others' names wants many.
        elsewhere = AttributeType.CHANGE_REQUEST in message or AttributeType.RESPONSE_PORT in message
        if not self._limiter.allows(client.host, now, 2.0 if elsewhere else 1.0):
            self._note("rate of unproven requests", path, now)
            return
        if local is None or self._alternates is None:
            answer = answer_binding(message, client)
            way = path
        else:
            found = answer_discovery(message, client, local, self._alternates)
            answer = None if found is None else found.message
            way = path if found is None else self._discovery_path(path, local, client, found)
        if answer is not None:
            self.counters.bindings += 1
            self._send(way, answer.serialize(fingerprint=message.has_fingerprint))

    def _at_discovery(self, path: PathId) -> Address | None:
        """Which of the places for discovery a datagram came to; None for others, and over streams."""
        way = self._paths.lookup(path)
        return None if way is None else self._discovery.get(way.socket)

    def _discovery_path(self, path: PathId, local: Address, client: Address, answer: BindingAnswer) -> PathId:
        if answer.origin == local and answer.destination == client:
            return path
        socket = next(one for one, address in self._discovery.items() if address == answer.origin)
        return self._paths.intern(socket, answer.destination)

    def _receive_request(self, path: PathId, client: Address, request: Message, now: Instant) -> None:
        proven = self._auth.check(request, client, now)
        if isinstance(proven, Unproven):
            self._refuse_unproven(path, client, request, proven, now)
            return
        unknown = list(request.unknown_required())
        unknown += [one for one in (AttributeType.DONT_FRAGMENT,) if one in request]
        if unknown:
            listed = Attribute(AttributeType.UNKNOWN_ATTRIBUTES, tuple(unknown[:16]))
            self._refuse(path, request, proven, ErrorCode.UNKNOWN_ATTRIBUTE, "unknown attribute", now, (listed,))
            return
        allocation = self._by_path.get(path)
        if request.method == Method.ALLOCATE:
            self._allocate(path, client, request, proven, now)
            return
        if allocation is None:
            self._refuse(path, request, proven, ErrorCode.ALLOCATION_MISMATCH, "no allocation", now)
        elif allocation.username != proven.username:
            self._refuse(path, request, proven, ErrorCode.WRONG_CREDENTIALS, "another user's allocation", now)
        elif request.method == Method.REFRESH:
            self._refresh(allocation, request, proven, now)
        else:
            answer = answer_create_permission if request.method == Method.CREATE_PERMISSION else answer_channel_bind
            refused = answer(allocation, request, self._config, now)
            if refused is None:
                self._succeed(path, request, proven, (), now)
            else:
                self._refuse(path, request, proven, refused.code, refused.reason, now)

    def _receive_indication(self, path: PathId, message: Message, now: Instant) -> None:
        allocation = self._by_path.get(path)
        peer, data = message.get(AttributeType.XOR_PEER_ADDRESS), message.get(AttributeType.DATA)
        if message.method != Method.SEND:
            if message.method != Method.BINDING:  # that one keeps NAT bindings alive (RFC 8489 section 6.3.2)
                self._note("unexpected indication", path, now)
        elif allocation is None:
            self._note("indication without allocation", path, now)
        elif not isinstance(peer, Address) or not isinstance(data, bytes):
            self._note("incomplete indication", path, now)
        elif not peer.port or peer in self._config.own_addresses:
            self._note("indication to the server itself", path, now)
        elif message.unknown_required() or AttributeType.DONT_FRAGMENT in message:
            self._note("indication with unknown attributes", path, now)
        else:
            self._to_peer(allocation, peer, data, now)
