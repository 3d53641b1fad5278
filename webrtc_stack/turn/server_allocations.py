"""The life of the server's allocations: counted, opened with the sockets that the driver brings, kept, ended.

Spec: RFC 8656 sections 7.2, 8.2, 21.1 (ports not to be guessed), 21.3 (limits).
"""

from __future__ import annotations

import heapq
from typing import Final

from ..base import (
    Address,
    Instant,
    PathId,
    SocketId,
    random_below,
)
from ..stun import (
    Attribute,
    AttributeType,
    ErrorCode,
    Message,
)
from .allocation import Allocation, Relay
from .authentication import Proven
from .methods import check_allocate, check_refresh, read_lifetime
from .server_core import Pending, ServerCore
from .server_events import (
    AllocationClosed,
    AllocationOpened,
    CloseRelay,
    EndReason,
    OpenRelay,
)

_SPARE_EXPIRIES: Final = 64


class ServerAllocations(ServerCore):
    """Allocate, Refresh, and what becomes of them."""

    __slots__ = ()

    def relay_opened(self, id: int, address: Address, socket: SocketId, now: Instant) -> None:
        """The socket of `OpenRelay(id)` is there; `address` is how peers reach it (behind a 1:1 NAT not its own)."""
        now = self._advance(now)
        found = self._opening.pop(id, None)
        if found is None or self.closed:
            self._emit_close(socket)
            return
        pending, relay = found
        relay.socket, relay.address = socket, address
        self._by_relay[socket] = (pending.allocation, relay)
        self._settle(pending, now)
        self._rearm(now)

    def relay_failed(self, id: int, reason: str, now: Instant) -> None:
        """It could not be opened; another port is tried."""
        now = self._advance(now)
        found = self._opening.pop(id, None)
        if found is None or self.closed:
            return
        pending, relay = found
        self.drops.add("relay port refused")
        if self._trace:
            self._trace.event(now, "relay_failed", port=relay.port, reason=reason)
        self._ports.discard((relay.family, relay.port))
        if not self._open_relay(pending, relay, even=relay.port % 2 == 0 and _wants_even(pending.request)):
            pending.allocation.relays.pop(relay.family, None)
            self._settle(pending, now)
        self._rearm(now)

    def _allocate(self, path: PathId, client: Address, request: Message, proven: Proven, now: Instant) -> None:
        pending = self._pending.get(path)
        if pending is not None:
            if pending.request.transaction_id != request.transaction_id:
                self._refuse(path, request, proven, ErrorCode.ALLOCATION_MISMATCH, "allocation under way", now)
            return  # a repetition: the answer comes when the sockets are there
        if path in self._by_path:
            self._refuse(path, request, proven, ErrorCode.ALLOCATION_MISMATCH, "has an allocation", now)
            return
        families, refused = check_allocate(request, self._config)
        config = self._config
        code, reason = 0, ""
        if refused is None:
            if self._per_user.get(proven.username, 0) >= config.max_allocations_per_user:
                code, reason = int(ErrorCode.ALLOCATION_QUOTA_REACHED), "user's quota"
            elif self._per_host.get(client.host, 0) >= config.max_allocations_per_host:
                code, reason = ErrorCode.ALLOCATION_QUOTA_REACHED, "host's quota"
            elif len(self._by_path) + len(self._pending) >= config.max_allocations:
                code, reason = ErrorCode.INSUFFICIENT_CAPACITY, "server's quota"
            else:
                self._begin(path, client, request, proven, families, now)
                return
        else:
            code, reason = refused
        self._refuse(path, request, proven, code, reason, now)

    def _begin(
        self, path: PathId, client: Address, request: Message, proven: Proven, families: tuple[int, ...], now: Instant
    ) -> None:
        """Counts the allocation, so that a flood cannot overtake the limits, and wishes for its sockets."""
        stream = path in self._streams
        id = self._next_id
        self._next_id += 1
        allocation = Allocation(id, path, client, proven.username, stream=stream, config=self._config, now=now)
        pending = Pending(allocation, request, proven, now + self._config.relay_timeout)
        self._pending[path] = pending
        self._paths.pin(path)
        self._per_user[proven.username] = self._per_user.get(proven.username, 0) + 1
        self._per_host[client.host] = self._per_host.get(client.host, 0) + 1
        for family in families:
            relay = allocation.relays[family] = Relay(self._next_id, family)
            self._next_id += 1
            if not self._open_relay(pending, relay, even=_wants_even(request)):
                del allocation.relays[family]
        self._settle(pending, now)

    def _open_relay(self, pending: Pending, relay: Relay, *, even: bool) -> bool:
        """Wishes for a socket on a port drawn at random (RFC 8656 section 21.1: not to be guessed). False: no more."""
        low, high = self._config.relay_ports
        while relay.tries < self._config.max_port_tries:
            relay.tries += 1
            port = low + random_below(self._entropy, high - low + 1)
            if even:
                port -= port % 2
            if (relay.family, port) in self._ports or port < low:
                continue
            relay.port = port
            self._ports.add((relay.family, port))
            self._opening[relay.id] = (pending, relay)
            self._emit(OpenRelay(relay.id, relay.family, port))
            return True
        return False

    def _settle(self, pending: Pending, now: Instant) -> None:
        """Answers when all sockets are there, or cannot be had."""
        allocation, request = pending.allocation, pending.request
        if any(relay.socket is None for relay in allocation.relays.values()):
            return
        path = allocation.path
        if self._pending.get(path) is not pending:
            return
        if 4 not in allocation.relays and AttributeType.ADDITIONAL_ADDRESS_FAMILY in request:
            self._abandon(path, now)
        if not allocation.relays:
            self._abandon(path, now)
            self._answer_failure(pending, ErrorCode.INSUFFICIENT_CAPACITY, "no port", now)
            return
        del self._pending[path]
        lifetime = read_lifetime(request, self._config)
        allocation.expires = allocation.due = now + lifetime
        self._by_path[path] = allocation
        self._watch(allocation)
        self.counters.allocations += 1
        addresses = allocation.addresses
        attributes = [Attribute(AttributeType.XOR_RELAYED_ADDRESS, one) for one in addresses]
        attributes.append(Attribute(AttributeType.LIFETIME, int(lifetime)))
        attributes.append(Attribute(AttributeType.XOR_MAPPED_ADDRESS, allocation.client))
        if len(allocation.relays) < 2 and AttributeType.ADDITIONAL_ADDRESS_FAMILY in request:
            supported = 6 in self._config.families
            code = ErrorCode.INSUFFICIENT_CAPACITY if supported else ErrorCode.ADDRESS_FAMILY_NOT_SUPPORTED
            attributes.append(Attribute(AttributeType.ADDRESS_ERROR_CODE, bytes((2, 0, code // 100, code % 100))))
        if self._trace:
            relayed = [str(one) for one in addresses]
            self._trace.event(
                now, "allocation_opened", id=allocation.id, client=str(allocation.client), relayed=relayed
            )
        self._emit(AllocationOpened(allocation.id, allocation.username, allocation.client, addresses[0], lifetime))
        self._succeed(path, request, pending.proven, tuple(attributes), now)

    def _abandon(self, path: PathId, now: Instant) -> None:
        """Takes back an allocation that is not open yet."""
        pending = self._pending.pop(path, None)
        if pending is None:
            return
        for relay in pending.allocation.relays.values():
            self._opening.pop(relay.id, None)
        self._free(pending.allocation)

    def _answer_failure(self, pending: Pending, code: int, reason: str, now: Instant) -> None:
        self._refuse(pending.allocation.path, pending.request, pending.proven, code, reason, now)

    def _refresh(self, allocation: Allocation, request: Message, proven: Proven, now: Instant) -> None:
        refused = check_refresh(allocation, request)
        if refused is not None:
            self._refuse(allocation.path, request, proven, refused.code, refused.reason, now)
            return
        value = request.get(AttributeType.LIFETIME)
        if value == 0:
            self._succeed(allocation.path, request, proven, (Attribute(AttributeType.LIFETIME, 0),), now)
            self._end(allocation, EndReason.RELEASED, now)
            return
        lifetime = read_lifetime(request, self._config)
        allocation.expires = now + lifetime
        if allocation.expires < allocation.due:  # else the heap looks again when the old time comes
            allocation.due = allocation.expires
            self._watch(allocation)
        self._succeed(allocation.path, request, proven, (Attribute(AttributeType.LIFETIME, int(lifetime)),), now)

    def _watch(self, allocation: Allocation) -> None:
        """Looks at it when it is due. What ended before its time stays in the heap, but never outweighs what lives."""
        if len(self._expiries) > 2 * len(self._by_path) + _SPARE_EXPIRIES:
            self._expiries[:] = [(one.due, one.id, path) for path, one in self._by_path.items()]
            heapq.heapify(self._expiries)
        else:
            heapq.heappush(self._expiries, (allocation.due, allocation.id, allocation.path))

    def _end(self, allocation: Allocation, reason: EndReason, now: Instant) -> None:
        del self._by_path[allocation.path]
        if allocation.path in self._streams:
            self._streams[allocation.path] = now
        self._free(allocation)
        if self._trace:
            self._trace.event(now, "allocation_closed", id=allocation.id, reason=reason.value)
        self._emit(
            AllocationClosed(
                allocation.id,
                allocation.username,
                allocation.client,
                reason,
                allocation.bytes_to_peers,
                allocation.bytes_to_client,
            )
        )

    def _free(self, allocation: Allocation) -> None:
        for relay in allocation.relays.values():
            self._ports.discard((relay.family, relay.port))
            if relay.socket is not None:
                self._by_relay.pop(relay.socket, None)
                self._emit_close(relay.socket)
        allocation.relays.clear()
        for table, key in ((self._per_user, allocation.username), (self._per_host, allocation.client.host)):
            table[key] -= 1
            if not table[key]:
                del table[key]
        self._paths.unpin(allocation.path)

    def _emit_close(self, socket: SocketId) -> None:
        if not self.closed:
            self._emit(CloseRelay(socket))


def _wants_even(request: Message) -> bool:
    return AttributeType.EVEN_PORT in request
